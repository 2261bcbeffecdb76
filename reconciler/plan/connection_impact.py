"""Who gains or loses a connection when it is attached, detached or deleted, or its workspace is deleted. Pure.

Who reaches a workspace reaches what is attached to it. Somebody who comes into a workspace, or leaves it, gains or loses what
is attached there as well; the workspace's own line says that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import (
    attachment,
    connection,
    connection_folder,
    folder_permission,
    member,
    permission,
    workspace,
    workspace_connection,
)
from reconciler.model import address as addresses
from reconciler.model.plan import Effect
from reconciler.plan.folders import path_of
from reconciler.safeguards.worksheet import GrantWorksheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.live import Resource
    from reconciler.safeguards.worksheet import Draft, Membership, OrgWorksheet

REACHED = "reached"
ATTACHMENT, CONNECTION, WORKSPACE = attachment.KIND.name, connection.KIND.name, workspace.KIND.name
FOLDER, PERMISSION = connection_folder.KIND.name, permission.KIND.name
FOLDER_PERMISSION = folder_permission.KIND.name
OWN = workspace_connection.KIND.name
DELETED = "the connection is deleted"


def effects(worksheet: OrgWorksheet) -> Iterator[Effect]:
    """One for each person and connection where the first way to it comes, or the last one goes. What is unknown is
    noted in the worksheet.
    """
    if worksheet.deleted:
        return
    spaces = _spaces(worksheet)
    _note_folders(worksheet, spaces)
    untold: dict[str, None] = {}
    closed: dict[str, None] = {}
    people = sorted(worksheet.members.items(), key=lambda item: item[1].label)
    for address, before, after in [*_of_the_org(worksheet, spaces), *_own(worksheet, spaces)]:
        *above, (_, name) = addresses.split(address)
        place = "/".join(one for _, one in above)
        unread = [_place(worksheet, spaces[at]) for at in sorted(before ^ after) if not _is_told(worksheet, spaces[at])]
        if unread:
            untold[f"{place}/{name}"] = None
            closed.update(dict.fromkeys(unread))
        unsure = [_place(worksheet, spaces[at]) for at in sorted(before & after) if spaces[at].after is None]
        for key, person in people:
            had = [at for at in sorted(before) if _reached_before(spaces[at], key, person)]
            has = [at for at in sorted(after) if _reaches_after(spaces[at], key, person)]
            if bool(had) == bool(has):
                continue
            why = (
                f"through {', '.join(_place(worksheet, spaces[at]) for at in has)}"
                if has
                else ", ".join(dict.fromkeys(_lost(worksheet, address, spaces[at], at in after) for at in had))
            )
            elsewhere = ["other workspaces"] if had and not _attachments_known(worksheet, address) else []
            if unsure or elsewhere:
                why += f"; whether through {', '.join([*unsure, *elsewhere])} as well was not read"
            yield Effect(
                person.label, f"{place}/{CONNECTION}.{name}", REACHED if had else None, REACHED if has else None, why,
                person.after is not None and person.after.get("status") == member.INVITED, robot=person.robot,
            )  # fmt: skip
    if untold:
        worksheet.consequences.append(
            f"not everybody who gains or loses {', '.join(untold)} is listed: the people of {', '.join(sorted(closed))} were not "
            "read, since the manifests leave them alone"
        )


def _attachments_known(worksheet: OrgWorksheet, address: str) -> bool:
    """Whether it was read where a connection is attached. One of a workspace's own is there and nowhere else."""
    have = worksheet.named.get(address)
    return addresses.kind_of(address) != CONNECTION or (have.was_read(ATTACHMENT) if have is not None else False)


def _spaces(worksheet: OrgWorksheet) -> dict[str, GrantWorksheet]:
    """The workspaces by id, those that will be created by name."""
    ids = {one.handle: one.id for one in (worksheet.have.of(WORKSPACE).values() if worksheet.have is not None else ())}
    found = {
        ids.get(space.name_before, space.name_before) if space.name_before is not None else str(space.name_after): space
        for space in worksheet.workspaces
    }
    for handle, identifier in ids.items():
        found.setdefault(identifier, GrantWorksheet(handle, handle))
    return found


def _of_the_org(
    worksheet: OrgWorksheet, spaces: Mapping[str, GrantWorksheet]
) -> Iterator[tuple[str, set[str], set[str]]]:
    """The address of each connection whose ways change, with the workspaces that it is in before and after."""
    ids = {space.name_after: identifier for identifier, space in spaces.items() if space.name_after is not None}
    coming: dict[str, set[str]] = {}
    going: dict[str, set[str]] = {}
    deleted = set()
    for draft in worksheet.drafts:
        if draft.kind.name == ATTACHMENT and draft.action in ("create", "delete"):
            found, at = coming, ids.get(draft.handle)
            if draft.have is not None:
                found, at = going, draft.have.id
            if at is not None and at in spaces:
                found.setdefault(draft.parent or "", set()).add(at)
        elif draft.kind.name == CONNECTION and draft.action == "delete":
            deleted.add(draft.address)
    kept = {address: have for address, have in worksheet.named.items() if addresses.kind_of(address) == CONNECTION}
    lost = _lost_with_workspaces(worksheet)
    gone = {draft.have.id for draft in worksheet.drafts if _deletes_workspace(draft) and draft.have is not None}
    for address in sorted({*coming, *going, *kept, *lost}):
        have = kept.get(address)
        before = {row.id for row in have.of(ATTACHMENT).values()} if have is not None else set()
        before = (before | lost.get(address, set())) & spaces.keys()
        after = (
            set()
            if address in deleted
            else before - going.get(address, set()) - worksheet.detached.get(address, set()) - gone
            | coming.get(address, set())
        )
        if before != after:
            yield address, before, after


def _note_folders(worksheet: OrgWorksheet, spaces: Mapping[str, GrantWorksheet]) -> None:
    """Note what a workspace loses with the permission for a folder: what lies in it is detached, unless it is permitted
    otherwise. Where it was read what is attached, `worksheet.detached` has it; elsewhere a note names whoever is there.
    """
    if worksheet.have is None:
        return
    live, names = worksheet.have.of(FOLDER), {one.id: address for address, one in worksheet.named.items()}
    gone = {(d.parent, d.have.id) for d in worksheet.drafts if _takes(d, FOLDER_PERMISSION) and d.have is not None}
    moved = {d.address for d in worksheet.drafts if "folder" in d.attrs and d.action == "update"}
    for parent, at in sorted((str(parent), at) for parent, at in gone):
        folder = worksheet.named.get(parent)
        if folder is None or at not in spaces:
            continue
        space, unread, sure = spaces[at], [], True
        for one in worksheet.have.of(CONNECTION).values():
            path = path_of(live, one.attrs.get("folder"))
            address = names.get(one.id) or addresses.join(worksheet.address, CONNECTION, one.handle)
            above = [(names.get(live[name].id), live[name]) for name in path]
            if folder.handle not in path or address in moved:
                continue
            if _is_permitted(worksheet, space, at, [(address, one), *above]):
                continue
            if one.was_read(ATTACHMENT):
                worksheet.detached.setdefault(address, set()).add(at)
            else:
                unread.append(addresses.name_of(address))
                sure &= one.was_read(PERMISSION) and all(holder.was_read(FOLDER_PERMISSION) for _, holder in above)
        if unread:
            people = sorted(p.label for key, p in worksheet.members.items() if _reached_before(space, key, p))
            known = worksheet.lists_read and space.before is not None
            worksheet.consequences.append(
                f"{_place(worksheet, space)} may no longer use the folder {addresses.name_of(parent)}, and loses what is attached "
                f"there through it ({', '.join(sorted(unread))}"
                + ("); " if sure else ", unless a permission lets it in that was not read); ")
                + (f"people there: {', '.join(people) or 'nobody'}" if known else "the people there were not read")
            )


def _takes(draft: Draft, kind: str) -> bool:
    return draft.kind.name == kind and draft.action == "delete"


def _is_permitted(
    worksheet: OrgWorksheet, space: GrantWorksheet, at: str, holders: list[tuple[str | None, Resource]]
) -> bool:
    """Whether a workspace may use something after the plan: by a permission of its own, or of a folder that it is in."""
    kinds = (PERMISSION, FOLDER_PERMISSION)
    changed = [d for d in worksheet.drafts if d.kind.name in kinds]
    for address, one in holders:
        taken = {d.have.id for d in changed if d.parent == address and d.action == "delete" and d.have is not None}
        there = {row.id for kind in kinds for row in one.of(kind).values()} - taken
        if at in there or any(permission.EVERYWHERE in one.of(kind) for kind in kinds):
            return True
        if any(d.parent == address and d.action == "create" and d.handle == space.name_after for d in changed):
            return True
    return False


def _deletes_workspace(draft: Draft) -> bool:
    return draft.kind.name == WORKSPACE and draft.action == "delete"


def _lost_with_workspaces(worksheet: OrgWorksheet) -> dict[str, set[str]]:
    """The connections of the org that are attached to workspaces that are deleted, by address, with the workspaces' ids:
    a workspace's own list shows them, whether or not the manifests manage the connection.
    """
    names = {one.id: address for address, one in worksheet.named.items()}
    found: dict[str, set[str]] = {}
    for draft in worksheet.drafts:
        if _deletes_workspace(draft) and draft.have is not None:
            for one in draft.have.inherited_of(OWN).values():
                if one.handle != one.id:  # a folder has no handle
                    address = names.get(one.id) or addresses.join(worksheet.address, CONNECTION, one.handle)
                    found.setdefault(address, set()).add(draft.have.id)
    return found


def _own(worksheet: OrgWorksheet, spaces: Mapping[str, GrantWorksheet]) -> Iterator[tuple[str, set[str], set[str]]]:
    """The same for connections that belong to one workspace: whoever is in it reaches them, and nobody else."""
    addressed = {addresses.join(worksheet.address, WORKSPACE, str(one.name_after)): at for at, one in spaces.items()}
    for draft in worksheet.drafts:
        at = addressed.get(draft.parent or "")
        if draft.kind.name == OWN and draft.action in ("create", "delete") and at is not None:
            yield (draft.address, set(), {at}) if draft.action == "create" else (draft.address, {at}, set())
        elif draft.kind.name == WORKSPACE and draft.action == "delete" and draft.have is not None:
            for handle in draft.have.of(OWN):
                yield addresses.join(draft.address, OWN, handle), {draft.have.id}, set()


def _is_told(worksheet: OrgWorksheet, space: GrantWorksheet) -> bool:
    return worksheet.lists_read and space.before is not None and space.after is not None


def _reached_before(space: GrantWorksheet, key: str, person: Membership) -> bool:
    if space.name_before is None or person.before is None:
        return False
    return member.is_owner(person.before) or key in (space.before or {})


def _reaches_after(space: GrantWorksheet, key: str, person: Membership) -> bool:
    if space.name_after is None or person.after is None:
        return False
    return member.is_owner(person.after) or key in (space.after or {})


def _place(worksheet: OrgWorksheet, space: GrantWorksheet) -> str:
    return f"{worksheet.name}/{space.name_after or space.name_before}"


def _lost(worksheet: OrgWorksheet, address: str, space: GrantWorksheet, stays: bool) -> str:
    if any(draft.address == address and draft.action == "delete" for draft in worksheet.drafts):
        return DELETED
    if space.name_after is None:
        return f"{_place(worksheet, space)} is deleted"
    return f"no longer in {_place(worksheet, space)}" if stays else f"detached from {_place(worksheet, space)}"
