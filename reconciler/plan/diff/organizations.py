"""One org against its live one: itself, then its members, and its workspaces, connections and folders."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import logo, member, named_below, service_account, workspace
from reconciler.kinds import org as org_kind
from reconciler.kinds.kind import Place
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Refusal
from reconciler.model.live import Resource
from reconciler.plan import folders, identity
from reconciler.plan.diff import drafts, grants, members, named, services
from reconciler.plan.diff.drafts import Inputs, Target, labelled
from reconciler.plan.identity.doubts import RENAMED
from reconciler.safeguards import empty_read, handle_taken, looks_like_rename
from reconciler.safeguards.worksheet import GrantWorksheet, Membership, OrgWorksheet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.address import Address
    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Snapshot


def worksheets(desired: Desired, live: Snapshot, lock: identity.Known) -> list[OrgWorksheet]:
    """Compare every managed org with live, in the order of their names."""
    wanted = dict(sorted(desired.orgs.items()))
    siblings = {**desired.elsewhere, **wanted}
    live_orgs = {**live.others, **live.orgs}
    inputs = Inputs(
        desired,
        live,
        lock,
        identity.Siblings(org_kind.KIND, None, siblings, live_orgs),
        {person.handle: person.name for person in desired.people.values() if person.handle},
    )
    unreadable = {one.org: one for one in live.unreadable}
    readable = {name: want for name, want in wanted.items() if name not in unreadable}
    matches, refusals = identity.match_named(org_kind.KIND, None, readable, live_orgs, lock.entries, siblings)
    found = []
    for name, want in wanted.items():
        address = addresses.join(None, "org", name)
        match = matches.get(name)
        worksheet = OrgWorksheet(name, address, match.have if match else None, want)
        worksheet.refusals = [refusal for refusal in refusals if refusal.address == address]
        blocked = unreadable.get(name) or (unreadable.get(want.renamed_from) if want.renamed_from else None)
        if blocked is not None:
            worksheet.refusals.append(empty_read.refusal(address, blocked, want.source))
        elif (identifier := _hidden_id(address, match, inputs)) is not None:
            worksheet.refusals = [_closed(worksheet, identifier, live.actor.handle)]
        elif match is not None:
            _compare(worksheet, match, inputs)
        found.append(worksheet)
    identity.warn_of_two_names(found, desired)
    return found


def _compare(worksheet: OrgWorksheet, match: identity.Match, inputs: Inputs) -> None:
    """Compare one org. Its worksheet takes everything that is found."""
    want, have, live = match.want, match.have, inputs.live
    if have is not None and logo.MARK in want.attrs and not want.absent:
        have = _with_logo(worksheet, want, have, inputs.lock)
    if want.absent:
        if have is not None:
            _delete(worksheet, have, inputs)
        return
    tenant = have.attrs.get("tenant_id") if have is not None else live.actor.tenant_id
    place = Place(
        org=worksheet.name,
        custom_tenant=tenant not in (None, org_kind.PRIMARY_TENANT),
        top_id=have.id if have is not None else "",
        sibling_ids=worksheet.ids,
    )
    target = Target(org_kind.KIND, worksheet.address, None, place)
    if have is None or match.renamed:
        _check_handle_free(worksheet, live)
    live_members = (
        _create(worksheet, target, want, inputs) if have is None else _change(worksheet, target, have, match, live)
    )
    _note_reset(worksheet, live, inputs.desired)
    services.compare(worksheet, place, match, inputs)
    members.compare(worksheet, place, live_members, inputs)
    for child in named_below(org_kind.KIND.name):
        if child.name in want.children and child is not service_account.KIND:
            named.compare(worksheet, child, worksheet.address, place, match, inputs)
    if have is not None and workspace.KIND.name not in want.children:
        # they are read for what a rename of the org does to them, though no manifest lists them
        worksheet.workspaces += (
            GrantWorksheet(one.handle, one.handle, host=one.attrs.get("host"))
            for one in have.of(workspace.KIND.name).values()
        )
    grants.report_strangers(worksheet)
    identity.leave_uncertain_alone(worksheet, inputs.desired)
    folders.judge(worksheet)


def _hidden_id(address: Address, match: identity.Match | None, inputs: Inputs) -> str | None:
    """The id of the org that the lock file knows at `address`, where it is there and the token may not read it."""
    entry = inputs.lock.entries.get(address)
    found = match is not None and match.have is not None
    return entry.id if entry is not None and not found and entry.id in inputs.live.hidden else None


def _create(worksheet: OrgWorksheet, target: Target, want: Node, inputs: Inputs) -> Mapping[str, Resource]:
    """Plan a new org; give back the members that it will have from the start."""
    twin = identity.left_behind(worksheet.name, inputs.siblings, inputs.lock.entries)
    if twin is not None:
        worksheet.refusals.append(looks_like_rename.refusal(target.kind, worksheet.address, want, twin))
    elif inputs.siblings.exhausted:
        worksheet.refusals.append(looks_like_rename.too_many(target.kind, worksheet.address, want.source))
    worksheet.drafts.append(drafts.create(target, want, worksheet.name))
    # org_create makes the token's own user an accepted owner
    actor = inputs.live.actor
    attrs = {"role": member.OWNER, "status": member.ACCEPTED, **({"robot": True} if actor.robot else {})}
    creator = Resource("member", actor.handle, actor.id, None, attrs)
    worksheet.lists_read = True
    return {creator.handle: creator}


def _change(
    worksheet: OrgWorksheet, target: Target, have: Resource, match: identity.Match, live: Snapshot
) -> Mapping[str, Resource]:
    """Plan what differs in an org that is there; give back its live members."""
    if match.renamed:
        previous = addresses.join(None, "org", have.handle)
        worksheet.drafts.append(drafts.rename(target, have, match.want, previous))
    drafts.update(worksheet, target, have, match.want)
    if not live.owned(have):
        worksheet.notes.append(
            f"{live.actor.handle}, the user of this token, does not own {worksheet.name}: workspaces that it has no grant in "
            "look missing, and Pipes will refuse to apply"
        )
    worksheet.lists_read = have.was_read("member")
    return have.of("member")


def _with_logo(worksheet: OrgWorksheet, want: Node, have: Resource, lock: identity.Known) -> Resource:
    """The live org with what is known of its logo: what the lock file says, or else no more than its URL."""
    entry = lock.entries.get(worksheet.address)
    more = entry.more if entry is not None and entry.id == have.id else {}
    url = have.attrs.get(logo.URL)
    found = logo.known(more, url)
    wanted = want.attrs[logo.MARK]
    if found is None:
        what = "the picture that Pipes generates" if wanted is None else wanted
        worksheet.notes.append(
            f"the logo of {worksheet.name} was changed outside: its URL is not the one that Pipes gave for what was uploaded"
            if more.get(logo.URL)
            else f"whether the logo of {worksheet.name} is {what} already cannot be known: no upload of it is in the lock "
            "file; it is sent once, and known from then on"
        )
    if wanted is not None and not logo.same(found, wanted) and logo.split(wanted)[1] is None:
        worksheet.consequences.append(
            f"the logo of {worksheet.name} is fetched from {wanted} when this is applied, whatever is there then: nobody has "
            f"reviewed the picture; {logo.PIN}… behind the URL pins it"
        )
    return msgspec.structs.replace(have, attrs={**have.attrs, logo.MARK: found or url or "unknown"})


def _note_reset(worksheet: OrgWorksheet, live: Snapshot, desired: Desired) -> None:
    """Say what a reset of authentication does to whom: no line of impact does, since nobody's role changes."""
    moment = next((m for d in worksheet.drafts if (m := d.attrs.get("token_min_issued_at"))), None)
    if moment is None:
        return
    issued = live.actor.token_issued_at
    own = (
        f"the one in use, issued at {issued:%Y-%m-%dT%H:%M:%SZ}, keeps working"
        if issued is not None and issued > datetime.fromisoformat(moment)
        else "the one in use too, as far as is known"
        if issued is None
        else "the one in use too"
    )
    note = (
        f"resetting authentication of {worksheet.name}: every temporary and user token that was not issued after {moment} "
        f"stops working for it, whoever has it: people sign in again, scripts and CI need new tokens; {own}"
    )
    if moment[:10] > desired.day.isoformat():
        note += "; that moment is still to come, so nobody can use a token there before it"
    worksheet.consequences.append(note)


def _closed(worksheet: OrgWorksheet, identifier: str, actor: str) -> Refusal:
    return Refusal(
        "rename",
        worksheet.address,
        f"{worksheet.name} {RENAMED}: the org that the lock file knows by it ({identifier}) is there, and "
        f"{actor}, the user of this token, may not read it",
        f"have one of its owners let {actor} in and say its handle; if {worksheet.name} should be another org, remove the entry "
        f"{worksheet.address} from the lock file",
        worksheet.want.source,
        liftable=False,
    )


def _check_handle_free(worksheet: OrgWorksheet, live: Snapshot) -> None:
    holder = live.identities.get(worksheet.name)
    if holder is None and worksheet.name not in live.forbidden:
        return
    what = "an organization that this token cannot read" if holder is None or holder.type == "org" else "a user"
    worksheet.refusals.append(handle_taken.of_org(worksheet.address, worksheet.name, what, worksheet.want.source))


def _delete(worksheet: OrgWorksheet, have: Resource, inputs: Inputs) -> None:
    """Plan the deletion of an org, and note everyone who loses it."""
    worksheet.deleted = True
    target = Target(org_kind.KIND, worksheet.address, None, Place(org=have.handle))
    worksheet.drafts.append(drafts.delete(target, have, worksheet.want, "absent"))
    for row in have.of("member").values():
        known = inputs.lock.names_in_org.get(worksheet.address, {}).get(row.id)
        name, robot = known or row.handle, inputs.is_robot(row, known)
        worksheet.members[row.handle] = Membership(
            labelled(name, row.handle, robot=robot),
            addresses.join(worksheet.address, "member", name),
            row.attrs,
            None,
            lost="the org is deleted",
            robot=robot,
        )
    for space in have.of("workspace").values():
        worksheet.workspaces.append(GrantWorksheet(space.handle, None, host=space.attrs.get("host")))
