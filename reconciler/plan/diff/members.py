"""Who is in an org: the people that the manifest wants, those who are there, and those who go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from reconciler.kinds import member, service_account
from reconciler.kinds.kind import weaker
from reconciler.model import address as addresses
from reconciler.model.address import SERVICE
from reconciler.model.diagnostic import Diagnostic
from reconciler.plan import identity
from reconciler.plan.diff import drafts, services
from reconciler.plan.diff.drafts import LOST, LOST_ACCOUNT, WEAKER_ROLE, Inputs, Target, labelled, warn
from reconciler.safeguards import unknown_user
from reconciler.safeguards.worksheet import Membership

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.kinds.kind import Place
    from reconciler.model.desired import Node
    from reconciler.model.live import Resource, TenantMember
    from reconciler.safeguards.worksheet import OrgWorksheet, Who

ROLE = member.KIND.attribute("role")


def compare(worksheet: OrgWorksheet, place: Place, live_members: Mapping[str, Resource], inputs: Inputs) -> None:
    """Plan the memberships, and leave in `worksheet.members` everyone with what they are before and after."""
    section = worksheet.want.children.get("member")
    emails = _emails_of_the_tenant(worksheet, inputs)
    _identify(worksheet, place, live_members, emails, inputs)
    _enter_the_live_rows(worksheet, live_members, inputs)
    _warn_of_robots_alone(worksheet)
    if section is None:
        return
    listed = set()
    not_people = services.refuse_handles(worksheet, section)
    for name, node in section.items():
        who = worksheet.people.get(name)
        if who is None:
            continue
        listed.add(who.key)
        if name in not_people or (who.have is not None and is_ignored(worksheet, who.have)):
            continue  # a line about whoever is ignored is an error where the handle is written
        if who.replaces is not None:
            listed.add(who.replaces.handle)
            worksheet.drafts.append(identity.invite_at_new_address(worksheet, place, node, who, inputs.desired))
        else:
            _wanted(worksheet, place, node, who, inputs, tenant_read=emails is not None)
    _remove_the_rest(worksheet, place, [row for row in live_members.values() if row.handle not in listed])


def _emails_of_the_tenant(worksheet: OrgWorksheet, inputs: Inputs) -> Mapping[str, tuple[TenantMember, ...]] | None:
    """Who has which email in the org's tenant; None where that was not read."""
    tenant = worksheet.have.attrs.get("tenant_id") if worksheet.have is not None else inputs.live.actor.tenant_id
    return inputs.live.tenants.get(str(tenant))


def _identify(
    worksheet: OrgWorksheet,
    place: Place,
    live_members: Mapping[str, Resource],
    emails: Mapping[str, tuple[TenantMember, ...]] | None,
    inputs: Inputs,
) -> None:
    """Find out who each name of the org's members and grants is."""
    listing = (worksheet.want, *worksheet.want.children.get("workspace", {}).values())
    named = dict.fromkeys(worksheet.want.children.get("member", ()))
    for space in listing[1:]:
        named.update(dict.fromkeys(space.children.get("grant", ())))
        named.update(dict.fromkeys((space.expired or {}).get("grant", ())))
    named.update(dict.fromkeys((worksheet.want.expired or {}).get("member", {})))
    wanted = {
        node.name
        for parent in listing
        for kind in ("member", "grant")
        for node in parent.children.get(kind, {}).values()
        if not node.absent
    }
    scene = identity.Scene(
        worksheet.address,
        live_members,
        worksheet.have.inherited_of("member") if worksheet.have else {},
        inputs.live.actor.id,
        inputs.live.identities,
        emails,
        new=worksheet.have is None,
        ignored={row.id for row in live_members.values() if is_ignored(worksheet, row)}
        if worksheet.want.ignored
        else (),
        unwanted=named.keys() - wanted,
    )
    people = identity.match_people(scene, [n for n in named if not n.startswith(SERVICE)], inputs.desired, inputs.lock)
    worksheet.refusals.extend(people.refusals)
    worksheet.notes.extend(people.notes)
    worksheet.consequences.extend(people.consequences)
    worksheet.people, worksheet.spared, worksheet.waiting = people.found, people.spared, people.waiting
    services.identify(worksheet, place, [n for n in named if n.startswith(SERVICE)], live_members)


def _enter_the_live_rows(worksheet: OrgWorksheet, live_members: Mapping[str, Resource], inputs: Inputs) -> None:
    """Note everyone who is in the org now, under the name that the manifest or the lock file has for them."""
    by_row = {who.have.id: name for name, who in worksheet.people.items() if who.have is not None}
    for key, account in (worksheet.have.of(service_account.KIND.name) if worksheet.have is not None else {}).items():
        by_row.setdefault(account.id, SERVICE + key)
    locked = inputs.lock.names_in_org.get(worksheet.address, {})
    for row in live_members.values():
        known = by_row.get(row.id) or locked.get(row.id) or inputs.names.get(row.handle)
        name = known or row.handle
        address = addresses.join(worksheet.address, "member", name)
        robot = inputs.is_robot(row, known)
        label = labelled(name, row.handle, robot=robot)
        entry = worksheet.members[row.handle] = Membership(label, address, row.attrs, row.attrs, robot=robot)
        if row.id in worksheet.leaving:
            entry.after, entry.gone, entry.lost = None, "absent", LOST_ACCOUNT


def _warn_of_robots_alone(worksheet: OrgWorksheet) -> None:
    """Warn where nobody who can log in owns the org: no step lowers that, so no refusal says it."""
    owners = [
        one for one in worksheet.members.values() if one.before is not None and member.is_accepted_owner(one.before)
    ]
    if worksheet.have is not None and owners and all(one.robot for one in owners):
        names = ", ".join(sorted(one.label for one in owners))
        warn(
            worksheet,
            worksheet.want,
            f"no person owns {worksheet.name}, only {names}",
            "let a person in as an owner: robots cannot log in to the console",
        )


def _wanted(worksheet: OrgWorksheet, place: Place, node: Node, who: Who, inputs: Inputs, *, tenant_read: bool) -> None:
    """Plan one entry of the section. `tenant_read`: the tenant's list, which has emails, could be read."""
    if who.have is not None and who.have.id in worksheet.leaving:
        return
    if node.absent:
        if who.have is not None:
            _remove(worksheet, place, who.have, node, "absent")
        elif who.inherited is not None:
            warn(
                worksheet,
                node,
                f"{node.name} is in {worksheet.name} through the tenant, which cannot be taken away here",
            )
    elif who.have is not None:
        _keep(worksheet, place, node, who, who.have)
    elif who.account:
        _service(worksheet, place, node, who)
    else:
        _let_in(worksheet, place, node, who, inputs, tenant_read=tenant_read)


def _keep(worksheet: OrgWorksheet, place: Place, node: Node, who: Who, have: Resource) -> None:
    """Plan somebody who is there and stays, perhaps with another role."""
    target = Target(member.KIND, addresses.join(worksheet.address, "member", node.name), worksheet.address, place)
    draft = drafts.update(worksheet, target, have, node, person=who.key)
    entry = worksheet.members[who.key]
    entry.via, entry.entry = node.via, node
    if draft is None:
        return
    if node.name in (worksheet.want.expired or {}).get("member", {}):
        draft.reason, draft.stated = "expired", True  # a weaker entry takes over from the one whose time is up
    entry.after = {**have.attrs, **node.attrs}
    if entry.before != entry.after and weaker(ROLE, have.attrs.get("role"), node.attrs.get("role")):
        entry.lost = node.via or (LOST["expired"] if draft.reason == "expired" else WEAKER_ROLE)


def _service(worksheet: OrgWorksheet, place: Place, node: Node, who: Who) -> None:
    """Plan the role of a service account that will be created: it is a member from then on."""
    if not who.is_new:
        worksheet.errors.append(
            Diagnostic(
                "error",
                f"{node.name} is no member of {worksheet.name} any more, and Pipes documents no way to let it in again",
                node.source,
                "state the account absent and create another one under a new key",
            )
        )
        return
    address = addresses.join(worksheet.address, "member", node.name)
    attrs = {**node.attrs, "status": member.ACCEPTED}
    target = Target(member.KIND, address, worksheet.address, replace(place, late=who.account))
    worksheet.drafts.append(drafts.create(target, node, who.key, person=who.key, needs=(who.account,)))
    worksheet.members[who.key] = Membership(node.name, address, None, attrs, node.via, entry=node, robot=True)


def _let_in(worksheet: OrgWorksheet, place: Place, node: Node, who: Who, inputs: Inputs, *, tenant_read: bool) -> None:
    """Plan somebody who is not there yet: an invitation, or in a custom tenant an addition."""
    if who.inherited is not None and who.inherited.attrs.get("role") == member.OWNER:
        warn(worksheet, node, f"{node.name} owns {worksheet.name} through the tenant already")
    person = inputs.desired.person(node.name)
    if node.name.startswith(SERVICE) or (person.handle is None and not who.by_email):
        person = msgspec.structs.replace(person, handle=who.key)
    address = addresses.join(worksheet.address, "member", node.name)
    target = Target(member.KIND, address, worksheet.address, replace(place, person=person))
    worksheet.drafts.append(drafts.create(target, node, who.key, person=who.key))
    status = member.ACCEPTED if place.custom_tenant else member.INVITED
    robot = inputs.desired.is_robot(node.name)
    worksheet.members[who.key] = Membership(
        labelled(node.name, who.key, robot=robot),
        address,
        None,
        {**node.attrs, "status": status},
        node.via,
        entry=node,
        robot=robot,
    )
    if place.custom_tenant and person.handle is None:
        worksheet.refusals.append(
            unknown_user.by_email_only(worksheet.name, address, node, person.email, tenant_read=tenant_read)
        )


def is_ignored(worksheet: OrgWorksheet, row: Resource) -> bool:
    """Whether the manifest says that a live row is another team's or tool's."""
    return any(one.covers(row.handle) for one in worksheet.want.ignored)


def _remove_the_rest(worksheet: OrgWorksheet, place: Place, rows: Iterable[Resource]) -> None:
    """Remove whoever is there without an entry, unless a refusal is about them. A service account stays, and is reported."""
    expired = (worksheet.want.expired or {}).get("member", {})
    ended = {worksheet.people[name].key: node for name, node in expired.items() if name in worksheet.people}
    accounts = worksheet.have.of(service_account.KIND.name) if worksheet.have is not None else {}
    keys = worksheet.want.children.get(service_account.KIND.name, {})
    reported = {account.id for key, account in accounts.items() if key not in keys}
    for row in rows:
        node = ended.get(row.handle)
        if (
            row.id in worksheet.leaving
            or (node is None and worksheet.want.keeps_unlisted)
            or is_ignored(worksheet, row)
        ):
            continue
        if node is None and member.is_service_account(row.attrs):
            if row.id not in reported:
                worksheet.unmanaged.append(worksheet.members[row.handle].address)
        elif row.id not in worksheet.spared:
            _remove(worksheet, place, row, node, "expired" if node else "unlisted")


def _remove(worksheet: OrgWorksheet, place: Place, row: Resource, node: Node | None, reason: str) -> None:
    entry = worksheet.members[row.handle]
    entry.after, entry.gone, entry.lost, entry.entry = None, reason, LOST[reason], node
    target = Target(member.KIND, entry.address, worksheet.address, place)
    worksheet.drafts.append(drafts.delete(target, row, node, reason, person=row.handle))
