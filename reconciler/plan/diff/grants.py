"""Who may do what in a workspace: the grants that the manifest wants, those that are there, and those that go."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from reconciler.kinds import grant, member
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Diagnostic
from reconciler.plan import identity
from reconciler.plan.diff import drafts, services
from reconciler.plan.diff.drafts import LOST, LOST_ACCOUNT, WEAKER_ROLE, Inputs, Target, warn
from reconciler.plan.diff.members import is_ignored
from reconciler.safeguards.worksheet import GrantWorksheet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.kind import Place
    from reconciler.model.address import Address
    from reconciler.model.desired import Node
    from reconciler.model.live import Resource
    from reconciler.plan.identity import Match
    from reconciler.safeguards.worksheet import Membership, OrgWorksheet, Who

STRANGERS = 5  # people without a membership who have an error each; more of them share one
NAMED = 10  # names to a message


class _Workspace(msgspec.Struct):
    """One workspace whose grants are compared."""

    worksheet: OrgWorksheet  # its org's worksheet
    want: Node  # the manifest's node
    address: Address  # of the workspace
    place: Place  # the handles for its requests
    grants: GrantWorksheet  # before and after
    live: Mapping[str, Resource]  # its rows that can be changed, by handle
    kept: set[str] = msgspec.field(default_factory=set)  # handles that an entry of the section accounts for

    def target(self, name: str, place: Place | None = None) -> Target:
        """The grant of the person whom the manifest calls `name`."""
        return Target(grant.KIND, addresses.join(self.address, "grant", name), self.address, place or self.place)


def compare(worksheet: OrgWorksheet, place: Place, address: Address, match: Match, inputs: Inputs) -> None:
    """Plan the grants of one workspace, and leave in the worksheet who has which before and after."""
    want, have = match.want, match.have
    replaced = {who.replaces.handle: who.key for who in worksheet.people.values() if who.replaces is not None}
    before = identity.under_new_keys(roles(have), replaced)
    grants = GrantWorksheet(
        have.handle if have else None,
        want.name,
        before,
        identity.without_cancelled(before, replaced),
        lost=dict.fromkeys(replaced.values(), "it goes with the cancelled invitation"),
        host=have.attrs.get("host") if have else None,
    )
    worksheet.workspaces.append(grants)
    section = want.children.get("grant")
    if section is None:
        return
    grants.after = dict(grants.after or {})
    workspace = _Workspace(worksheet, want, address, place, grants, have.of("grant") if have else {}, set(replaced))
    # whom the org's own section lists so, it reports
    not_people = services.refuse_handles(
        worksheet, {n: one for n, one in section.items() if n not in worksheet.want.children.get("member", {})}
    )
    for name, node in section.items():
        who = worksheet.people.get(name)
        if who is not None and name in not_people:
            workspace.kept.add(who.key)
        elif who is not None:
            _wanted(workspace, name, node, who, inputs)
    _remove_the_rest(workspace)


def of_deleted(worksheet: OrgWorksheet, have: Resource) -> None:
    """Note who loses the grants of a workspace that is deleted."""
    before = roles(have)
    lost = dict.fromkeys(before or (), "the workspace is deleted")
    worksheet.workspaces.append(GrantWorksheet(have.handle, None, before, {}, lost=lost, host=have.attrs.get("host")))


def roles(have: Resource | None) -> dict[str, str] | None:
    """The roles in a live workspace, by handle; None where they were not read."""
    if have is None:
        return {}
    if not have.was_read("grant"):
        return None
    return {row.handle: str(row.attrs.get("role", "")) for row in have.of("grant").values()}


def _wanted(workspace: _Workspace, name: str, node: Node, who: Who, inputs: Inputs) -> None:
    """Plan one entry of the section."""
    row = workspace.live.get(who.key)
    if row is not None and (row.id in workspace.worksheet.leaving or is_ignored(workspace.worksheet, row)):
        workspace.kept.add(row.handle)
        return
    if node.absent:
        if row is not None:
            workspace.kept.add(row.handle)
            _remove(workspace, name, row, node, "absent")
        return
    workspace.kept.add(who.key)
    worksheet = workspace.worksheet
    entry = worksheet.members.get(who.key)
    if _will_own(entry) or (who.inherited is not None and member.is_owner(who.inherited.attrs)):
        # `validate` warns where the owners are written down; a team may hold owners among others
        if node.via is None and "member" not in worksheet.want.children:
            warn(
                worksheet,
                node,
                f"{name} owns {worksheet.name} and can use {workspace.want.name} anyway: this grant is not sent",
                "drop the entry",
            )
    elif (entry is None or entry.after is None) and who.inherited is None:
        _not_a_member(workspace, name, node, who)
    elif row is None:
        _give(workspace, name, node, who, entry, inputs)
    else:
        _keep(workspace, name, node, who, row)


def _will_own(entry: Membership | None) -> bool:
    return entry is not None and entry.after is not None and member.is_owner(entry.after)


def _not_a_member(workspace: _Workspace, name: str, node: Node, who: Who) -> None:
    """A grant falls with a membership whose time is up; for anybody else who is not in the org, it is an error."""
    worksheet = workspace.worksheet
    if name in (worksheet.want.expired or {}).get("member", {}):
        workspace.kept.discard(who.key)
    elif worksheet.lists_read:
        worksheet.strangers.setdefault(name, []).append((workspace.want.name, node))


def report_strangers(worksheet: OrgWorksheet) -> None:
    """Add the errors about people who have grants but will not be members: one for each, or for many a single one."""
    people = list(worksheet.strangers.items())
    if not people:
        return
    if len(people) > STRANGERS:
        names = ", ".join(name for name, _ in people[:NAMED])
        names += f" and {len(people) - NAMED} more" if len(people) > NAMED else ""
        worksheet.errors.append(
            Diagnostic(
                "error",
                f"{len(people)} people have grants but will not be members of {worksheet.name}: {names}",
                people[0][1][0][1].source,
                "check whether the org's `members` lost lines or a team; add these people to them, or drop their grants",
            )
        )
        return
    there = [one.address.rpartition("/member.")[2] for one in worksheet.members.values() if one.after is not None]
    for name, grants in people:
        near = get_close_matches(name, there, n=1, cutoff=0.75)
        places = [place for place, _ in grants]
        shown = ", ".join(places[:NAMED]) + (f" and {len(places) - NAMED} more" if len(places) > NAMED else "")
        what = f"a grant on {shown}" if len(places) == 1 else f"grants on {shown}"
        worksheet.errors.append(
            Diagnostic(
                "error",
                f"{name} has {what} but will not be a member of {worksheet.name}",
                grants[0][1].source,
                f"did you mean {near[0]}, who is in {worksheet.name}? Else add {name} to the org's members, or drop the grant"
                if near
                else f"add {name} to the org's members, or drop the grant",
            )
        )


def _give(workspace: _Workspace, name: str, node: Node, who: Who, entry: Membership | None, inputs: Inputs) -> None:
    """Plan a grant to somebody who has none."""
    _note(workspace, node, who)
    invited = entry.address if who.by_email and entry is not None else None
    late = who.account if who.is_new else invited
    place = replace(workspace.place, person=inputs.desired.person(name), late=late)
    handle = who.account if who.account and not who.is_new else who.key
    draft = drafts.create(workspace.target(name, place), node, handle, person=who.key)
    if who.is_new:
        draft.needs = (*draft.needs, who.account)
    workspace.worksheet.drafts.append(draft)


def _keep(workspace: _Workspace, name: str, node: Node, who: Who, row: Resource) -> None:
    """Plan a grant that is there and stays, perhaps with another role."""
    _note(workspace, node, who)
    draft = drafts.update(workspace.worksheet, workspace.target(name), row, node, person=who.key)
    if draft is not None and name in (workspace.want.expired or {}).get("grant", {}):
        draft.reason, draft.stated = "expired", True
    if row.attrs.get("role") != node.attrs.get("role", ""):
        ended = draft is not None and draft.reason == "expired"
        workspace.grants.lost[who.key] = node.via or (LOST["expired"] if ended else WEAKER_ROLE)


def _note(workspace: _Workspace, node: Node, who: Who) -> None:
    assert workspace.grants.after is not None
    workspace.grants.entries[who.key] = node
    workspace.grants.after[who.key] = node.attrs.get("role", "")


def _remove_the_rest(workspace: _Workspace) -> None:
    """Remove the grants that no entry accounts for, but none of an owner and none that a refusal is about.

    Those of a service account that no line of the org names stay, and are reported.
    """
    worksheet = workspace.worksheet
    expired = (workspace.want.expired or {}).get("grant", {})
    ended = {worksheet.people[name].key: node for name, node in expired.items() if name in worksheet.people}
    for row in workspace.live.values():
        entry = worksheet.members.get(row.handle)
        if row.id in worksheet.leaving:
            _note_the_loss(workspace, row.handle, LOST_ACCOUNT)
            continue
        if row.handle in workspace.kept or row.id in worksheet.spared or _will_own(entry) or is_ignored(worksheet, row):
            continue
        stays = entry is None or entry.after is not None
        if workspace.want.keeps_unlisted and stays and row.handle not in ended:
            continue
        node = ended.get(row.handle)
        if node is None and member.is_service_account(row.attrs) and not _is_named(worksheet, row):
            worksheet.unmanaged.append(addresses.join(workspace.address, "grant", _name(entry, row.handle)))
            continue
        # a grant falls with its member: the reason of the one is the reason of the other, and so is its line
        reason = "expired" if node else (entry.gone if entry is not None else None) or "unlisted"
        above = entry.entry if node is None and entry is not None and entry.gone is not None else None
        _remove(workspace, _name(entry, row.handle), row, node or above, reason)
        if above is not None:
            workspace.grants.lost[row.handle] = f"no longer in {worksheet.name}"


def _is_named(worksheet: OrgWorksheet, row: Resource) -> bool:
    """Whether a line of the org means the account of a live row."""
    return any(who.key == row.handle for who in worksheet.people.values())


def _name(entry: Membership | None, handle: str) -> str:
    return entry.address.rpartition("/member.")[2] if entry is not None else handle


def _note_the_loss(workspace: _Workspace, key: str, why: str) -> None:
    if workspace.grants.after is not None:
        workspace.grants.after.pop(key, None)
    workspace.grants.lost[key] = why


def _remove(workspace: _Workspace, name: str, row: Resource, node: Node | None, reason: str) -> None:
    _note_the_loss(workspace, row.handle, LOST[reason])
    workspace.worksheet.drafts.append(drafts.delete(workspace.target(name), row, node, reason, person=row.handle))
