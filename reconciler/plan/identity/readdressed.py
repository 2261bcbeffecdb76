"""People whose address in the manifests is another one than the invitation went to.

While the invitation is pending, one change cancels it and invites the new address. Once it was accepted, the account
stays as it is: nothing here shows whether the new address is the same person's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from reconciler.kinds import member
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Refusal
from reconciler.model.plan import READDRESSED
from reconciler.plan.identity.invitations import instead_of
from reconciler.safeguards.worksheet import Draft, Membership

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.kind import Place
    from reconciler.model.desired import Desired, Node
    from reconciler.safeguards.worksheet import OrgWorksheet, Who


def invite_at_new_address(worksheet: OrgWorksheet, place: Place, node: Node, who: Who, desired: Desired) -> Draft:
    """The change that cancels a pending invitation and invites the new address; `worksheet.members` is adjusted to it."""
    row = who.replaces
    assert row is not None
    address = addresses.join(worksheet.address, member.KIND.name, node.name)
    worksheet.members.pop(row.handle, None)
    after = {**node.attrs, "status": member.INVITED}
    robot = desired.is_robot(node.name)
    label = f"{node.name} (robot)" if robot else node.name
    worksheet.members[who.key] = Membership(label, address, row.attrs, after, node.via, entry=node, robot=robot)
    return Draft(
        "update",
        member.KIND,
        address,
        worksheet.address,
        replace(place, person=desired.person(node.name)),
        who.key,
        dict(node.attrs),
        row,
        node,
        READDRESSED,
        stated=True,
        person=who.key,
    )


def under_new_keys(roles: dict[str, str] | None, replaced: Mapping[str, str]) -> dict[str, str] | None:
    """Roles by person's key, with those of a cancelled invitation under the key of the new one."""
    return None if roles is None else {replaced.get(key, key): role for key, role in roles.items()}


def without_cancelled(roles: Mapping[str, str] | None, replaced: Mapping[str, str]) -> dict[str, str] | None:
    """Roles by person's key, without those that go with a cancelled invitation."""
    return None if roles is None else {key: role for key, role in roles.items() if key not in replaced.values()}


def leave_uncertain_alone(worksheet: OrgWorksheet, desired: Desired) -> None:
    """Refuse what the manifests want changed of accounts that were invited at another address, and plan none of it."""
    for name, who in worksheet.people.items():
        if not who.uncertain:
            continue
        drafts = [draft for draft in worksheet.drafts if draft.person == who.key]
        if not drafts:
            continue
        worksheet.drafts = [draft for draft in worksheet.drafts if draft.person != who.key]
        entry = worksheet.members[who.key]
        entry.after, entry.gone = entry.before, None
        for space in worksheet.workspaces:
            if space.before is not None and space.after is not None:
                space.after.pop(who.key, None)
                space.after.update({who.key: space.before[who.key]} if who.key in space.before else {})
        person = desired.person(name)
        worksheet.refusals.append(
            Refusal(
                "who-is-this",
                addresses.join(worksheet.address, member.KIND.name, name),
                f"{name} is {who.key}'s account by the lock file, which was invited at another address than {person.email}; "
                f"so whether {', '.join(sorted({d.address for d in drafts}))} is about the right person is unknown",
                f"if {who.key} is {name}, name the handle: `people: {{{name}: {{email: {person.email}, handle: {who.key}}}}}`, or "
                "let `reconciler lock --seal` take the new address, which shows whose account it is and asks. If not, "
                f"{instead_of(name, who.key)}",
                person.source,
                liftable=False,
            )
        )
