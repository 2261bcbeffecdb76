"""Which workspaces may use a connection because of the folders that it is in, and what a pull request changes in that. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import (
    connection,
    connection_folder,
    folder_permission,
    org,
    permission,
    workspace,
    workspace_connection_folder,
)
from reconciler.model.access import ConnectionUse
from reconciler.model.address import join
from reconciler.model.plan import Change
from reconciler.model.review import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.model.access import Access
    from reconciler.model.desired import Node
    from reconciler.model.diagnostic import Source
    from reconciler.model.live import Resource

    People = Callable[[Access, str], tuple[str, ...]]

FOLDER, PERMISSION = connection_folder.KIND.name, folder_permission.KIND.name
CONNECTION, WORKSPACE = connection.KIND.name, workspace.KIND.name
OWN = workspace_connection_folder.KIND.name  # a workspace's own folder: no other workspace can get it
INSIDE = "folder"


# --- access -----------------------------------------------------------------------------------------------------------


def of_node(above: Node, node: Node) -> tuple[dict[str, tuple[str, Source]], bool]:
    """The workspaces that may use a connection or folder by a folder that it is in, each with that folder and the line;
    and whether the manifests have all of them.
    """
    there = above.children.get(FOLDER)
    if there is None:
        return {}, True  # they do not mention folders
    found: dict[str, tuple[str, Source]] = {}
    whole, name = INSIDE in node.attrs, node.attrs.get(INSIDE)
    seen: set[str] = set()
    while name is not None and name not in seen and name in there:
        seen.add(name)
        spaces = there[name].children.get(PERMISSION)
        whole = whole and spaces is not None
        for space, one in (spaces or {}).items():
            found.setdefault(space, (name, one.source))
        if there[name].everywhere:
            source = (there[name].sources or {}).get("everywhere", there[name].source)
            for space, one in above.children.get(WORKSPACE, {}).items():
                if not one.absent:
                    found.setdefault(space, (name, source))
        name = there[name].attrs.get(INSIDE)
    return found, whole


def of_live(above: Resource, one: Resource) -> tuple[dict[str, str], bool]:
    """The same for a live connection: the workspaces by handle, each with the folder; and whether all was read."""
    if not above.was_read(FOLDER):
        return {}, True
    there = above.of(FOLDER)
    handles = {space.id: space.handle for space in above.of(WORKSPACE).values()}
    found: dict[str, str] = {}
    whole, name = True, one.attrs.get(INSIDE)
    seen: set[str] = set()
    while name is not None and name not in seen and name in there:
        seen.add(name)
        whole = whole and there[name].was_read(PERMISSION)
        for row in there[name].of(PERMISSION).values():
            if row.handle != permission.EVERYWHERE:
                found.setdefault(handles.get(row.id, row.handle), name)
        if permission.EVERYWHERE in there[name].of(PERMISSION) or there[name].inherited_of(PERMISSION):
            found.update({handle: name for handle in handles.values() if handle not in found})
        name = there[name].attrs.get(INSIDE)
    return found, whole


def uses_by_folders(name: str, connection_: str, found: Mapping[str, tuple[str, Source | None]]) -> list[ConnectionUse]:
    """Where folders let a connection of the org `name` be used."""
    return [ConnectionUse(connection_, f"{name}/{space}", source, folder) for space, (folder, source) in found.items()]


# --- review -----------------------------------------------------------------------------------------------------------


def pairs(name: str, above: Node, before: Node | None) -> Iterator[tuple[str, Node, Node | None]]:
    """The address and node of each folder of HEAD's org `name`, and of its workspaces, with what BASE has for it: under the
    same key, else of the same title in the same place.
    """
    here = join(None, org.KIND.name, name)
    yield from _pairs(here, FOLDER, above, before)
    for address, space, earlier in spaces_of(here, above, before):
        yield from _pairs(address, OWN, space, earlier)


def spaces_of(here: str, above: Node, before: Node | None) -> Iterator[tuple[str, Node, Node | None]]:
    """The address and node of each workspace of HEAD's org at `here`, with what BASE has for it."""
    earlier = before.children.get(WORKSPACE, {}) if before is not None else {}
    for handle, node in above.children.get(WORKSPACE, {}).items():
        old = handle if handle in earlier else node.renamed_from
        yield join(here, WORKSPACE, handle), node, earlier.get(old) if old else None


def _pairs(parent: str, kind: str, above: Node, before: Node | None) -> Iterator[tuple[str, Node, Node | None]]:
    earlier = before.children.get(kind, {}) if before is not None else {}
    listed = above.children.get(kind, {})
    for key, node in listed.items():
        alike = (
            one
            for one in earlier.values()
            if one.name not in listed and not one.absent and not node.absent and one.attrs == node.attrs
        )
        yield join(parent, kind, key), node, earlier.get(key) or next(alike, None)


def statements(
    name: str, above: Node, before: Node | None, spaces: Mapping[str, str], old: Access, new: Access, people: People
) -> Iterator[Statement]:
    """What HEAD changes in who may use what through the folders of the org `name`; `spaces`, `old` and `new` as in `uses`."""
    for address, node, earlier in pairs(name, above, before):
        if node.absent:
            if earlier is None or not earlier.absent:
                yield Statement("absent", address, reason=node.reason, source=node.source)
            continue
        yield from everywhere(name, address, node, earlier)
        wanted, had = node.children.get(PERMISSION), _spaces(earlier, spaces)
        if wanted is None:
            continue
        for space, one in wanted.items():
            if space not in had:
                place = f"{name}/{space}"
                yield Statement("opened", address, after=place, names=people(new, place), source=one.source)
        for space in sorted(had - set(wanted)):
            place = f"{name}/{space}"
            source = (node.sources or {}).get(PERMISSION)
            yield Statement("closed", address, place, names=people(old, place), source=source)
    here = join(None, org.KIND.name, name)
    yield from _forgotten(here, FOLDER, above, before)
    for address, inner, earlier in spaces_of(here, above, before):
        yield from _forgotten(address, OWN, inner, earlier)


def _forgotten(parent: str, kind: str, above: Node, before: Node | None) -> Iterator[Statement]:
    if before is None or above.absent:
        return
    known = {node.name if earlier is None else earlier.name for _, node, earlier in _pairs(parent, kind, above, before)}
    for key, one in before.children.get(kind, {}).items():
        if key not in known and not one.absent:
            yield Statement("left-alone", join(parent, kind, key))


def everywhere(name: str, address: str, node: Node, before: Node | None) -> Iterator[Statement]:
    """What HEAD changes in the permission of a connection or folder for the whole org `name`."""
    had = before.everywhere if before is not None else None
    if node.everywhere is not None and node.everywhere != had and (node.everywhere or before is not None):
        kind = "everywhere" if node.everywhere else "not-everywhere"
        source = (node.sources or {}).get("everywhere", node.source)
        was, after = (None, name) if node.everywhere else (name, None)
        yield Statement(kind, address, was, after, source=source)


def change_everywhere(kind: str, address: str, node: Node, before: Node | None) -> Iterator[Change]:
    """The same as a change; `kind` is that of the permissions of what is at `address`."""
    for found in everywhere("", address, node, before):
        given = found.kind == "everywhere"
        at = join(address, kind, permission.EVERYWHERE)
        was: dict[str, str] | None = None if given else {}
        after: dict[str, str] | None = {} if given else None
        reason = None if given else "everywhere"
        yield Change("create" if given else "delete", kind, at, was, after, (), found.source, reason)


def moved(
    address: str, sides: tuple[Node, Node | None], node: Node, earlier: Node | None,
    spaces: Mapping[str, str], old: Access, new: Access, people: People,
) -> Iterator[Statement]:  # fmt: skip
    """Where a connection may be used, or may no longer, since it or a folder above it is in another one; `sides` are the
    org in HEAD and in BASE. What a folder itself lets in or out is reported of the folder.
    """
    above, before = sides
    if node.kind != CONNECTION or node.absent or before is None or INSIDE not in node.attrs:
        return
    has, _ = of_node(above, node)
    was = of_node(before, earlier)[0] if earlier is not None and not earlier.absent else {}
    had = {spaces.get(space, space): found for space, found in was.items()}
    line = (node.sources or {}).get(INSIDE, node.source)
    here, there = above.children.get(FOLDER, {}), before.children.get(FOLDER, {})
    for space, (folder, _) in has.items():
        if space not in had and space in _spaces(there.get(folder), spaces):
            place = f"{above.name}/{space}"
            yield Statement("usable", address, folder, place, people(new, place), source=line)
    for space, (folder, _) in had.items():
        kept = here.get(folder)
        closed = kept is not None and space not in kept.children.get(PERMISSION, {space: None})
        if space not in has and not closed:
            place = f"{above.name}/{space}"
            yield Statement("unusable", address, place, folder, people(old, place), source=line)


def _spaces(node: Node | None, spaces: Mapping[str, str]) -> set[str]:
    """Which workspaces may use what is in a folder in BASE, by the handles of HEAD."""
    return {spaces.get(space, space) for space in node.children.get(PERMISSION, {})} if node is not None else set()


def changes(address: str, node: Node, before: Node | None, spaces: Mapping[str, str]) -> Iterator[Change]:
    """What changes in which workspaces may use what is in a folder."""
    wanted, had = node.children.get(PERMISSION), _spaces(before, spaces)
    if node.absent or wanted is None:
        return
    yield from change_everywhere(PERMISSION, address, node, before)
    for space, one in wanted.items():
        if space not in had:
            yield Change("create", PERMISSION, join(address, PERMISSION, space), None, {}, (), one.source)
    for space in sorted(had - set(wanted)):
        source = (node.sources or {}).get(PERMISSION)
        yield Change("delete", PERMISSION, join(address, PERMISSION, space), {}, None, (), source, "unlisted")
