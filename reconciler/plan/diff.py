"""Desired x Live, org by org, into drafts: what is to be created, changed, renamed and deleted, and what is doubtful."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import children_of, grant, logo, member, named_below, secret, workspace
from reconciler.kinds import org as org_kind
from reconciler.kinds.kind import Place, weaker
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Diagnostic, Refusal
from reconciler.model.live import SENT, UNTOLD, Resource
from reconciler.plan import folders, identity
from reconciler.safeguards import empty_read, handle_taken, looks_like_rename, secret_loss, unknown_user
from reconciler.safeguards.worksheet import Draft, GrantSheet, Membership, OrgSheet, Who

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from reconciler.kinds.kind import Kind
    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import LockEntry, Snapshot

ROLE = member.KIND.attribute("role")


def sheets(desired: Desired, live: Snapshot, lock: identity.Known) -> list[OrgSheet]:
    """Compare every managed org with live, in the order of their names."""
    everything = {**live.others, **live.orgs}
    name_of = {person.handle: person.name for person in desired.people.values() if person.handle}
    wanted = dict(sorted(desired.orgs.items()))
    siblings = {**desired.elsewhere, **wanted}
    unreadable = {u.org: u for u in live.unreadable}
    readable = {n: w for n, w in wanted.items() if n not in unreadable}
    matches, refusals = identity.match_named(org_kind.KIND, None, readable, everything, lock.entries, siblings)
    found = []
    for name, want in wanted.items():
        address = addresses.join(None, "org", name)
        match = matches.get(name)
        sheet = OrgSheet(name, address, match.have if match else None, want)
        sheet.refusals = [r for r in refusals if r.address == address]
        blocked = unreadable.get(name) or (unreadable.get(want.renamed_from) if want.renamed_from else None)
        if blocked is not None:
            sheet.refusals.append(empty_read.refusal(address, blocked, want.source))
        elif match is not None:
            _org(sheet, match, desired, live, everything, name_of, lock)
        found.append(sheet)
    identity.warn_of_two_names(found, desired)
    return found


def _org(
    sheet: OrgSheet,
    match: identity.Match,
    desired: Desired,
    live: Snapshot,
    everything: Mapping[str, Resource],
    name_of: Mapping[str, str],
    lock: identity.Known,
) -> None:
    kind, want, have = org_kind.KIND, match.want, match.have
    entry = lock.entries.get(sheet.address)
    if have is None and entry is not None and entry.id in live.hidden:
        sheet.refusals.append(_closed(sheet, entry.id, live.actor.handle))
        return
    if have is not None and logo.MARK in want.attrs and not want.absent:
        have = _with_logo(sheet, want, have, lock)
    if want.absent:
        if have is not None:
            _delete_org(sheet, have, lock)
        return
    tenant = have.attrs.get("tenant_id") if have is not None else live.actor.tenant_id
    place = Place(
        org=sheet.name,
        custom_tenant=tenant not in (None, org_kind.PRIMARY_TENANT),
        org_id=have.id if have is not None else "",
        sibling_ids=sheet.ids,
    )
    if have is None or match.renamed:
        _check_handle_free(sheet, live)
    if have is None:
        twin = identity.left_behind(
            kind, None, sheet.name, {**desired.elsewhere, **desired.orgs}, everything, lock.entries
        )
        if twin is not None:
            sheet.refusals.append(looks_like_rename.refusal(kind, sheet.address, want, twin))
        sheet.drafts.append(Draft("create", kind, sheet.address, None, place, sheet.name, dict(want.attrs), want=want))
        # org_create makes the token's own user an accepted owner
        creator = Resource(
            "member", live.actor.handle, live.actor.id, None, {"role": member.OWNER, "status": member.ACCEPTED}
        )
        live_members, sheet.lists_read = {creator.handle: creator}, True
    else:
        if match.renamed:
            sheet.drafts.append(
                Draft(
                    "rename",
                    kind,
                    sheet.address,
                    None,
                    place,
                    have.handle,
                    {},
                    have,
                    want,
                    "renamed",
                    previous_address=addresses.join(None, "org", have.handle),
                )
            )
        _update(sheet, kind, sheet.address, None, place, have, want)
        live_members, sheet.lists_read = have.of("member"), have.was_read("member")
        if not live.owned(have):
            sheet.notes.append(
                f"{live.actor.handle}, the user of this token, does not own {sheet.name}: workspaces that it has no "
                "grant in look missing, and applying will be refused by Pipes"
            )
    _reset(sheet, live, desired)
    _members(sheet, place, live_members, name_of, desired, lock, live)
    for child in named_below(kind.name):
        if child.name in want.children:
            _named(sheet, child, sheet.address, place, match, desired, lock)
    identity.leave_uncertain_alone(sheet, desired)
    folders.judge(sheet)


def _with_logo(sheet: OrgSheet, want: Node, have: Resource, lock: identity.Known) -> Resource:
    """The live org with what is known of its logo: what the lock file says, or else no more than its URL."""
    entry = lock.entries.get(sheet.address)
    more = entry.more if entry is not None and entry.id == have.id else {}
    url = have.attrs.get(logo.URL)
    found = logo.known(more, url)
    wanted = want.attrs[logo.MARK]
    if found is None:
        what = "the picture that Pipes generates" if wanted is None else wanted
        sheet.notes.append(
            f"the logo of {sheet.name} was changed outside: its URL is not the one that Pipes gave for what was uploaded"
            if more.get(logo.URL)
            else f"whether the logo of {sheet.name} is {what} already cannot be known: no upload of it is in the lock "
            "file; it is sent once, and known from then on"
        )
    if wanted is not None and not logo.same(found, wanted) and logo.split(wanted)[1] is None:
        sheet.notes.append(
            f"the logo of {sheet.name} is fetched from {wanted} when this is applied, whatever is there then: nobody has "
            f"reviewed the picture; {logo.PIN}… behind the URL pins it"
        )
    return msgspec.structs.replace(have, attrs={**have.attrs, logo.MARK: found or url or "unknown"})


def _reset(sheet: OrgSheet, live: Snapshot, desired: Desired) -> None:
    """Say what a reset of authentication does to whom: no line of impact does, since nobody's role changes."""
    moment = next((m for d in sheet.drafts if (m := d.attrs.get("token_min_issued_at"))), None)
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
        f"resetting authentication of {sheet.name}: every temporary and user token that was not issued after {moment} "
        f"stops working for it, whoever has it: people sign in again, scripts and CI need new tokens; {own}"
    )
    if moment[:10] > desired.day.isoformat():
        note += "; that moment is still to come, so nobody can use a token there before it"
    sheet.notes.append(note)


def _closed(sheet: OrgSheet, identifier: str, actor: str) -> Refusal:
    return Refusal(
        "rename",
        sheet.address,
        f"{sheet.name} was renamed outside: the org that the lock file knows by it ({identifier}) is there, and "
        f"{actor}, the user of this token, may not read it",
        f"have one of its owners let {actor} in and say its handle; if {sheet.name} is to be another org, remove the entry "
        f"{sheet.address} from the lock file",
        sheet.want.source,
        liftable=False,
    )


def _check_handle_free(sheet: OrgSheet, live: Snapshot) -> None:
    holder = live.identities.get(sheet.name)
    if holder is None and sheet.name not in live.forbidden:
        return
    what = "an organization that this token cannot read" if holder is None or holder.type == "org" else "a user"
    sheet.refusals.append(handle_taken.of_org(sheet.address, sheet.name, what, sheet.want.source))


def _update(
    sheet: OrgSheet,
    kind: Kind,
    address: str,
    parent: str | None,
    place: Place,
    have: Resource,
    want: Node,
    person: str | None = None,
) -> Draft | None:
    attrs = kind.differences(have.attrs, want.attrs)
    if want.unknown is not None:
        sheet.notes.append(
            f"{address}: whether Pipes has these secrets cannot be told, and they are left alone: {want.unknown}"
        )
    if want.rewrite is not None and secret.FIELD in want.attrs:
        attrs[secret.FIELD] = want.attrs[secret.FIELD]
    if not attrs:
        return None
    for name in [name for name in attrs if not (kind.attribute(name).on_update or kind.attribute(name).own_request)]:
        sheet.errors.append(
            Diagnostic(
                "error",
                f"{name} of the {kind.noun} {want.name} is {have.attrs.get(name)}, and cannot be changed to {attrs.pop(name)}",
                (want.sources or {}).get(name, want.source),
                f"write what is live, or create a {kind.noun} of another handle and state this one `absent: true`",
            )
        )
    if attrs.get(secret.FIELD) and not secret.references(attrs[secret.FIELD]):
        _warn(
            sheet,
            want,
            f"config of {want.name} is replaced as a whole: a secret that Pipes has and this does not refer to is lost",
            "write it as ${env:NAME} or ${file:PATH} below `config:`",
        )
    if not attrs:
        return None
    draft = Draft(
        "update", kind, address, parent, place, have.handle, attrs, have, want, person=person,
        needs=folders.referred(kind, place, attrs),
    )  # fmt: skip
    sheet.drafts.append(draft)
    return draft


def _delete_org(sheet: OrgSheet, have: Resource, lock: identity.Known) -> None:
    sheet.deleted = True
    place = Place(org=have.handle)
    sheet.drafts.append(
        Draft(
            "delete",
            org_kind.KIND,
            sheet.address,
            None,
            place,
            have.handle,
            {},
            have,
            sheet.want,
            "absent",
            stated=True,
        )
    )
    for row in have.of("member").values():
        label = lock.names_in_org.get(sheet.address, {}).get(row.id, row.handle)
        sheet.members[row.handle] = Membership(
            _labelled(label, row.handle),
            addresses.join(sheet.address, "member", label),
            row.attrs,
            None,
            lost="the org is deleted",
        )
    for space in have.of("workspace").values():
        sheet.workspaces.append(GrantSheet(space.handle, None, host=space.attrs.get("host")))


def _labelled(name: str, handle: str) -> str:
    return name if name == handle else f"{name} ({handle})"


# --- people -----------------------------------------------------------------------------------------------------------


def _members(
    sheet: OrgSheet,
    place: Place,
    live_members: Mapping[str, Resource],
    name_of: Mapping[str, str],
    desired: Desired,
    lock: identity.Known,
    live: Snapshot,
) -> None:
    """Plan the memberships, and leave in `sheet.members` everyone with what they are before and after."""
    want = sheet.want
    section = want.children.get("member")
    names = dict.fromkeys(section or ())
    for space in want.children.get("workspace", {}).values():
        names.update(dict.fromkeys(space.children.get("grant", ())))
    expired = (want.expired or {}).get("member", {})
    names.update(dict.fromkeys(expired))
    wanted = {
        node.name
        for listed in (want, *want.children.get("workspace", {}).values())
        for kind in ("member", "grant")
        for node in listed.children.get(kind, {}).values()
        if not node.absent
    }
    inherited = sheet.have.inherited_of("member") if sheet.have else {}
    tenant = sheet.have.attrs.get("tenant_id") if sheet.have is not None else live.actor.tenant_id
    emails = live.tenants.get(str(tenant))
    scene = identity.Scene(
        sheet.address,
        live_members,
        inherited,
        live.actor.id,
        live.identities,
        emails,
        new=sheet.have is None,
        unwanted=names.keys() - wanted,
    )
    people = identity.match_people(scene, names, desired, lock)
    sheet.refusals.extend(people.refusals)
    sheet.notes.extend(people.notes)
    sheet.waiting = people.waiting
    locked_names = lock.names_in_org.get(sheet.address, {})
    by_row = {who.have.id: name for name, who in people.found.items() if who.have is not None}
    for row in live_members.values():
        name = by_row.get(row.id) or locked_names.get(row.id) or name_of.get(row.handle) or row.handle
        address = addresses.join(sheet.address, "member", name)
        sheet.members[row.handle] = Membership(_labelled(name, row.handle), address, row.attrs, row.attrs)
    sheet.people, sheet.spared = people.found, people.spared
    if section is None:
        return
    listed = set()
    for name, node in section.items():
        who = people.found.get(name)
        if who is None:
            continue
        listed.add(who.key)
        if who.replaces is not None:
            listed.add(who.replaces.handle)
            sheet.drafts.append(identity.invite_at_new_address(sheet, place, node, who, desired))
            continue
        _member(sheet, place, node, who, desired, tenant_read=emails is not None)
    expired_keys = {people.found[name].key: node for name, node in expired.items() if name in people.found}
    for row in live_members.values():
        if row.handle in listed or row.id in people.spared:
            continue
        over = expired_keys.get(row.handle)
        _remove_person(sheet, member.KIND, place, row, over, "expired" if over else "unlisted")


def _member(
    sheet: OrgSheet, place: Place, node: Node, who: Who, desired: Desired, *, tenant_read: bool = False
) -> None:
    """Plan one membership. `tenant_read` says that the tenant's list, which has emails, could be read."""
    address = addresses.join(sheet.address, "member", node.name)
    if node.absent:
        if who.have is not None:
            _remove_person(sheet, member.KIND, place, who.have, node, "absent")
        elif who.inherited is not None:
            _warn(sheet, node, f"{node.name} is in {sheet.name} through the tenant, which cannot be taken away here")
        return
    if who.have is not None:
        draft = _update(sheet, member.KIND, address, sheet.address, place, who.have, node, person=who.key)
        if draft is not None and node.name in (sheet.want.expired or {}).get("member", {}):
            draft.reason, draft.stated = "expired", True  # a weaker entry takes over from the one whose time is up
        entry = sheet.members[who.key]
        entry.via = node.via
        if draft is None:
            return
        entry.after = {**who.have.attrs, **node.attrs}
        if entry.before != entry.after and weaker(ROLE, who.have.attrs.get("role"), node.attrs.get("role")):
            over = draft is not None and draft.reason == "expired"
            entry.lost = node.via or ("expired" if over else "the role written down")
        return
    if who.inherited is not None and who.inherited.attrs.get("role") == member.OWNER:
        _warn(sheet, node, f"{node.name} owns {sheet.name} through the tenant already")
    person = desired.person(node.name)
    if person.handle is None and not who.by_email:
        person = msgspec.structs.replace(person, handle=who.key)
    new_place = replace(place, person=person)
    sheet.drafts.append(
        Draft(
            "create",
            member.KIND,
            address,
            sheet.address,
            new_place,
            who.key,
            dict(node.attrs),
            want=node,
            person=who.key,
        )
    )
    status = member.ACCEPTED if place.custom_tenant else member.INVITED
    sheet.members[who.key] = Membership(
        _labelled(node.name, who.key), address, None, {**node.attrs, "status": status}, node.via
    )
    if place.custom_tenant and person.handle is None:
        sheet.refusals.append(
            unknown_user.by_email_only(sheet.name, address, node, person.email, tenant_read=tenant_read)
        )


def _remove_person(sheet: OrgSheet, kind: Kind, place: Place, row: Resource, node: Node | None, reason: str) -> None:
    entry = sheet.members[row.handle]
    entry.after, entry.gone = None, reason
    entry.lost = {"unlisted": "no longer listed", "absent": "stated absent", "expired": "expired"}[reason]
    sheet.drafts.append(
        Draft(
            "delete",
            kind,
            entry.address,
            sheet.address,
            place,
            row.handle,
            {},
            row,
            node,
            reason,
            stated=reason != "unlisted",
            person=row.handle,
        )
    )


def _warn(sheet: OrgSheet, node: Node, summary: str, hint: str | None = None) -> None:
    sheet.warnings.append(Diagnostic("warning", summary, node.source, hint))


# --- workspaces and grants ----------------------------------------------------------------------------------------------


def _named(
    sheet: OrgSheet,
    kind: Kind,
    above: str,
    place: Place,
    parent: identity.Match,
    desired: Desired,
    lock: identity.Known,
) -> None:
    """Plan the children that carry handles of their own of the object at `above`, and what is below them.

    What the manifest does not list is left alone.
    """
    wanted = parent.want.children[kind.name]
    live = parent.have.of(kind.name) if parent.have else {}
    matches, refusals = identity.match_named(kind, above, wanted, live, lock.entries)
    sheet.refusals.extend(refusals)
    for name, match in matches.items():
        if match.have is not None:
            sheet.ids[addresses.join(above, kind.name, name)] = match.have.id
    for name, match in folders.in_order(kind, matches):
        want, address = match.want, addresses.join(above, kind.name, name)
        have = _hidden(kind, match.have, want, lock.entries.get(address))
        if have is not None:
            sheet.named[address] = have
        here = replace(place, org_child=name) if kind.parent == org_kind.KIND.name else place
        if not kind.has_handles:
            here = replace(
                place, org_child=have.id if have is not None else "", late=None if have is not None else address
            )
        _told_apart(sheet, kind, address, parent, match)
        if want.absent:
            if have is not None:
                sheet.drafts.append(
                    Draft("delete", kind, address, above, here, have.handle, {}, have, want, "absent", stated=True)
                )
                if kind is workspace.KIND:
                    _gone(sheet, have)
            continue
        if have is None:
            twin = identity.left_behind(kind, above, name, wanted, live, lock.entries)
            if twin is not None:
                sheet.refusals.append(looks_like_rename.refusal(kind, address, want, twin))
            for lacking in (a.name for a in kind.attributes if a.required and not want.attrs.get(a.name)):
                sheet.errors.append(
                    Diagnostic("error", f"the {kind.noun} {name} is not live, and has no {lacking} to be created with",
                               want.source, f"write `{lacking}:`, or the handle of a live one")
                )  # fmt: skip
            needs = folders.referred(kind, here, want.attrs)
            sheet.drafts.append(
                Draft("create", kind, address, above, here, name, dict(want.attrs), want=want, needs=needs)
            )
        else:
            if match.renamed:
                sheet.drafts.append(
                    Draft(
                        "rename",
                        kind,
                        address,
                        above,
                        here,
                        have.handle,
                        {},
                        have,
                        want,
                        "renamed",
                        previous_address=addresses.join(above, kind.name, have.handle),
                    )
                )
            # an update comes after the rename, so its requests name the object as it is called then
            then = msgspec.structs.replace(have, handle=name) if match.renamed else have
            draft = _update(sheet, kind, address, above, here, then, want)
            if draft is not None and secret.FIELD in draft.attrs:
                _secrets_at_stake(sheet, draft, lock.entries.get(address), desired.day)
        if kind is workspace.KIND:
            _grants(sheet, here, address, match, desired)
        _listed(sheet, here, address, match)
        for child in named_below(kind.name):
            if child.name in want.children:
                _named(sheet, child, address, here, match, desired, lock)
    managed = set(wanted) | {match.have.handle for match in matches.values() if match.have is not None}
    # what was renamed outside is managed, though under a name that nobody lists
    known = {lock.entries[a].id for n in wanted if (a := addresses.join(above, kind.name, n)) in lock.entries}
    for handle, have in live.items():
        if handle not in managed:
            if have.id not in known:
                sheet.unmanaged.append(addresses.join(above, kind.name, handle))
            if kind is workspace.KIND:
                sheet.workspaces.append(GrantSheet(handle, handle, host=have.attrs.get("host")))


def _secrets_at_stake(sheet: OrgSheet, draft: Draft, known: LockEntry | None, day: date) -> None:
    """Refuse to replace a configuration of which nobody has said yet that the manifest has all of its secrets."""
    want = draft.want
    assert want is not None
    assert draft.have is not None
    if known is None or known.id != draft.have.id or known.more.get(SENT) != UNTOLD:
        return
    if want.rotate is not None and want.rotate <= day:
        return
    sheet.refusals.append(secret_loss.refusal(draft.address, want, day))


def _told_apart(sheet: OrgSheet, kind: Kind, address: str, parent: identity.Match, match: identity.Match) -> None:
    """Refuse an object under a handle by which a request may mean one of the org's: of the two, none is guessed."""
    other = kind.must_differ_from
    if other is None:
        return
    want, name, org = match.want, match.want.name, sheet.name
    here = name in (parent.have.inherited_of(kind.name) if parent.have is not None else {})
    if want.absent and match.have is None:
        if here:
            _warn(
                sheet,
                want,
                f"{name} in {parent.want.name} is the {other} of {org}, which is attached there: `absent: true` is about "
                "the workspace's own, and does nothing",
                f"take {parent.want.name} off the `workspaces` of that {other}",
            )
        return
    beside = sheet.want.children.get(other, {}).get(name)
    live = sheet.have is not None and name in sheet.have.of(other)
    wanted = beside is not None and not beside.absent
    new = match.have is None or match.renamed
    joins = beside is not None and any(
        parent.want.name in beside.children.get(k.name, {})
        for k in children_of(other)
        if k.lists_handles_of == parent.want.kind
    )
    if not here and not joins and not (new and (live or wanted)):
        return
    what = f"{org} itself has the {other} {name}" if live or here else f"{org} itself is to have the {other} {name}"
    where = f", {'which is' if here else 'to be'} attached to {parent.want.name}" if here or joins else ""
    sheet.refusals.append(
        Refusal(
            "handle-taken",
            address,
            f"{what}{where}: by that handle, Pipes may take a request to the workspace for one about the organization's",
            f"choose another handle, or attach the organization's with `workspaces: [{parent.want.name}]`"
            + ("; one that is to go is deleted or renamed in an apply of its own first" if live else ""),
            want.source,
            liftable=False,
        )
    )


def _hidden(kind: Kind, have: Resource | None, want: Node, known: LockEntry | None) -> Resource | None:
    """A live object without what the manifest, or what was sent last, refers to as a secret."""
    names = [a.name for a in kind.attributes if a.secret and have is not None and have.attrs.get(a.name)]
    if have is None or not names:
        return have
    attrs = dict(have.attrs)
    sent = known.more.get(SENT) if known is not None else None
    for name in names:
        places = {*secret.references(want.attrs.get(name)), *(sent if isinstance(sent, dict) else ())}
        attrs[name] = secret.hidden(attrs[name], places)
    return msgspec.structs.replace(have, attrs=attrs)


def _listed(sheet: OrgSheet, place: Place, address: str, match: identity.Match) -> None:
    """Plan what a list of handles wants below an object: which are to come, and which to go."""
    going: list[Draft] = []
    for kind in children_of(match.want.kind):
        wanted = match.want.children.get(kind.name)
        if kind.lists_handles_of is None or wanted is None:
            continue
        above = sheet.have.of(kind.lists_handles_of) if sheet.have is not None else {}
        siblings = sheet.want.children.get(kind.lists_handles_of, {})
        live = {row.id: row for row in match.have.of(kind.name).values()} if match.have is not None else {}
        if match.have is not None and match.have.inherited_of(kind.name) and kind.needs_sibling is None:
            _warn(
                sheet,
                match.want,
                f"{match.want.name} is permitted in all of {sheet.name} as well, beyond the {kind.lists_handles_of}s that are listed",
                "take that permission away in the console, if it is not meant",
            )
        handles = {one.id: handle for handle, one in above.items()}
        for handle in siblings:
            if (known := sheet.named.get(addresses.join(sheet.address, kind.lists_handles_of, handle))) is not None:
                handles[known.id] = handle
        ids = {handle: identifier for identifier, handle in handles.items()}
        listed = set()
        for handle, node in wanted.items():
            beside = siblings.get(handle)
            if (handle not in ids and beside is None) or (beside is not None and beside.absent):
                stated = "is stated absent" if beside is not None else "is not there"
                what = f"the {kind.lists_handles_of} {handle}, which {match.want.name} is to be used in, {stated}"
                found = Diagnostic(
                    "error", what, node.source, f"drop it from the list, or list the {kind.lists_handles_of}"
                )
                if found not in sheet.errors:
                    sheet.errors.append(found)
                continue
            identifier = ids.get(handle, "")
            listed.add(identifier)
            if identifier not in live:
                at = addresses.join(address, kind.name, handle)
                needs = [addresses.join(sheet.address, kind.lists_handles_of, handle)]
                if kind.needs_sibling is not None:
                    needs.append(addresses.join(address, kind.needs_sibling, handle))
                sheet.drafts.append(
                    Draft("create", kind, at, address, place, handle, {}, want=node, needs=tuple(needs))
                )
        for identifier, row in live.items():
            if identifier in listed:
                continue
            handle = handles.get(identifier, row.handle)
            after = [k for k in children_of(match.want.kind) if k.needs_sibling == kind.name]
            going.append(
                Draft(
                    "delete",
                    kind,
                    addresses.join(address, kind.name, handle),
                    address,
                    place,
                    handle,
                    {},
                    msgspec.structs.replace(row, handle=handle),
                    None,
                    "unlisted",
                    needs=tuple(addresses.join(address, k.name, handle) for k in after),
                )
            )
    sheet.drafts.extend(reversed(going))


def _roles(have: Resource | None) -> dict[str, str] | None:
    if have is None:
        return {}
    if not have.was_read("grant"):
        return None
    return {row.handle: str(row.attrs.get("role", "")) for row in have.of("grant").values()}


def _gone(sheet: OrgSheet, have: Resource) -> None:
    before = _roles(have)
    lost = dict.fromkeys(before or (), "the workspace is deleted")
    sheet.workspaces.append(GrantSheet(have.handle, None, before, {}, lost=lost, host=have.attrs.get("host")))


def _grants(sheet: OrgSheet, place: Place, address: str, match: identity.Match, desired: Desired) -> None:
    want, have = match.want, match.have
    replaced = {who.replaces.handle: who.key for who in sheet.people.values() if who.replaces is not None}
    before = identity.under_new_keys(_roles(have), replaced)
    space = GrantSheet(
        have.handle if have else None,
        want.name,
        before,
        identity.without_cancelled(before, replaced),
        lost=dict.fromkeys(replaced.values(), "it goes with the cancelled invitation"),
        host=have.attrs.get("host") if have else None,
    )
    sheet.workspaces.append(space)
    section = want.children.get("grant")
    if section is None:
        return
    org_expired = (sheet.want.expired or {}).get("member", {})
    live = have.of("grant") if have else {}
    after = space.after = dict(space.after or {})
    listed = set(replaced)
    for name, node in section.items():
        who = sheet.people.get(name)
        if who is None:
            continue
        row = live.get(who.key)
        here = addresses.join(address, "grant", name)
        if node.absent:
            if row is not None:
                listed.add(row.handle)
                _delete_grant(sheet, space, place, address, here, row, node, "absent")
            continue
        listed.add(who.key)
        role = node.attrs.get("role", "")
        entry = sheet.members.get(who.key)
        is_owner = bool(entry and entry.after and member.is_owner(entry.after)) or (
            who.inherited is not None and member.is_owner(who.inherited.attrs)
        )
        if is_owner:
            # `validate` warns where the owners are written down; a team may hold owners among others
            if node.via is None and "member" not in sheet.want.children:
                _warn(
                    sheet,
                    node,
                    f"{name} owns {sheet.name} and reaches {want.name} anyway: this grant is not sent",
                    "drop the entry",
                )
            continue
        if (entry is None or entry.after is None) and who.inherited is None:
            if name in org_expired:
                listed.discard(who.key)
            elif sheet.lists_read:
                sheet.errors.append(
                    Diagnostic(
                        "error",
                        f"{name} has a grant on {want.name} and will not be a member of {sheet.name}",
                        node.source,
                        f"add {name} to the org's members, or drop the grant",
                    )
                )
            continue
        space.via[who.key], after[who.key] = node.via, role
        if row is None:
            late = entry.address if who.by_email and entry is not None else None
            sheet.drafts.append(
                Draft(
                    "create",
                    grant.KIND,
                    here,
                    address,
                    replace(place, person=desired.person(name), late=late),
                    who.key,
                    dict(node.attrs),
                    want=node,
                    person=who.key,
                )
            )
        else:
            draft = _update(sheet, grant.KIND, here, address, place, row, node, person=who.key)
            if draft is not None and name in (want.expired or {}).get("grant", {}):
                draft.reason, draft.stated = "expired", True
            if row.attrs.get("role") != role:
                ended = draft is not None and draft.reason == "expired"
                space.lost[who.key] = node.via or ("expired" if ended else "the role written down")
    expired = {
        sheet.people[n].key: node for n, node in (want.expired or {}).get("grant", {}).items() if n in sheet.people
    }
    for row in live.values():
        entry = sheet.members.get(row.handle)
        if row.handle in listed or row.id in sheet.spared:
            continue
        if entry is not None and entry.after is not None and member.is_owner(entry.after):
            continue
        name = _name_of(entry, row.handle)
        over = expired.get(row.handle)
        # a grant falls with its member: the reason of the one is the reason of the other
        reason = "expired" if over else (entry.gone if entry is not None else None) or "unlisted"
        _delete_grant(sheet, space, place, address, addresses.join(address, "grant", name), row, over, reason)


def _name_of(entry: Membership | None, handle: str) -> str:
    return entry.address.rpartition("/member.")[2] if entry is not None else handle


def _delete_grant(
    sheet: OrgSheet,
    space: GrantSheet,
    place: Place,
    parent: str,
    address: str,
    row: Resource,
    node: Node | None,
    reason: str,
) -> None:
    if space.after is not None:
        space.after.pop(row.handle, None)
    space.lost[row.handle] = {"absent": "stated absent", "expired": "expired"}.get(reason, "no longer listed")
    sheet.drafts.append(
        Draft(
            "delete",
            grant.KIND,
            address,
            parent,
            place,
            row.handle,
            {},
            row,
            node,
            reason,
            stated=reason != "unlisted",
            person=row.handle,
        )
    )
