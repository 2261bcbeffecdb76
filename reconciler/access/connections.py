"""Through which workspaces which connections are reached, and what a pull request changes in it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.access import folders
from reconciler.kinds import (
    attachment,
    children_of,
    connection,
    org,
    permission,
    secret,
    workspace,
    workspace_connection,
)
from reconciler.model.access import ConnectionUse
from reconciler.model.address import join, split
from reconciler.model.plan import Change
from reconciler.model.review import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.access import Access
    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Snapshot

CONNECTION, ATTACHMENT, WORKSPACE = connection.KIND.name, attachment.KIND.name, workspace.KIND.name
OWN = workspace_connection.KIND.name


# --- access -----------------------------------------------------------------------------------------------------------


def uses_wanted(desired: Desired) -> tuple[tuple[ConnectionUse, ...], tuple[str, ...]]:
    """Where manifests want connections to be used, and the connections for which they do not say that."""
    uses: list[ConnectionUse] = []
    unknown: list[str] = []
    for above in desired.orgs.values():
        for node in above.children.get(CONNECTION, {}).values():
            if above.absent or node.absent:
                continue
            name = f"{above.name}/{node.name}"
            spaces = node.children.get(ATTACHMENT)
            found, whole = folders.of_node(above, node)
            if spaces is None or not whole:
                unknown.append(name)
            uses += [ConnectionUse(name, f"{above.name}/{space}", one.source) for space, one in (spaces or {}).items()]
            uses += folders.uses_by_folders(
                above.name, name, {s: way for s, way in found.items() if s not in (spaces or {})}
            )
        for space in above.children.get(WORKSPACE, {}).values():
            gone = above.absent or space.absent
            place = f"{above.name}/{space.name}"
            uses += [
                ConnectionUse(f"{place}/{node.name}", place, node.source)
                for node in space.children.get(OWN, {}).values()
                if not (gone or node.absent)
            ]
    return tuple(sorted(uses, key=_order)), tuple(sorted(unknown))


def uses_live(live: Snapshot) -> tuple[tuple[ConnectionUse, ...], tuple[str, ...]]:
    """Where connections are used in Pipes, and the connections for which that was not read."""
    uses: list[ConnectionUse] = []
    unknown: list[str] = []
    for above in live.orgs.values():
        handles = {space.id: space.handle for space in above.of(WORKSPACE).values()}
        for one in above.of(CONNECTION).values():
            name = f"{above.handle}/{one.handle}"
            found, whole = folders.of_live(above, one)
            if not one.was_read(ATTACHMENT) or not whole:
                unknown.append(name)
            attached = [handles.get(row.id, row.id) for row in one.of(ATTACHMENT).values()]
            uses += [ConnectionUse(name, f"{above.handle}/{space}") for space in attached]
            ways = {space: (folder, None) for space, folder in found.items() if space not in attached}
            uses += folders.uses_by_folders(above.handle, name, ways)
        for space in above.of(WORKSPACE).values():
            place = f"{above.handle}/{space.handle}"
            uses += [ConnectionUse(f"{place}/{one.handle}", place) for one in space.of(OWN).values()]
    return tuple(sorted(uses, key=_order)), tuple(sorted(unknown))


def _order(use: ConnectionUse) -> tuple[str, str]:
    return use.connection, use.workspace


# --- review -----------------------------------------------------------------------------------------------------------


def stated(desired: Desired) -> bool:
    """Whether manifests say anything about connections."""
    return any(
        CONNECTION in above.children
        or folders.FOLDER in above.children
        or any({OWN, folders.OWN} & space.children.keys() for space in above.children.get(WORKSPACE, {}).values())
        for above in desired.orgs.values()
    )


def pairs(name: str, above: Node, before: Node | None) -> Iterator[tuple[str, Node, Node | None]]:
    """The address and node of each connection of HEAD's org `name` and its workspaces, with what BASE has for it."""
    here = join(None, org.KIND.name, name)
    yield from _pairs(here, CONNECTION, above, before)
    for address, space, earlier in folders.spaces_of(here, above, before):
        yield from _pairs(address, OWN, space, earlier)


def _pairs(parent: str, kind: str, above: Node, before: Node | None) -> Iterator[tuple[str, Node, Node | None]]:
    earlier = before.children.get(kind, {}) if before is not None else {}
    for handle, node in above.children.get(kind, {}).items():
        old = handle if handle in earlier else node.renamed_from
        yield join(parent, kind, handle), node, earlier.get(old) if old else None


def forgotten(name: str, above: Node, before: Node | None) -> Iterator[Statement]:
    """Connections of BASE that HEAD no longer mentions: nothing happens to them."""
    here = join(None, org.KIND.name, name)
    yield from _forgotten(here, CONNECTION, above, before)
    for address, space, earlier in folders.spaces_of(here, above, before):
        yield from _forgotten(address, OWN, space, earlier)


def _forgotten(parent: str, kind: str, above: Node, before: Node | None) -> Iterator[Statement]:
    if before is None or above.absent:
        return
    listed = above.children.get(kind, {})
    spoken_for = {*listed, *(node.renamed_from for node in listed.values())}
    for handle, node in before.children.get(kind, {}).items():
        if handle not in spoken_for and not node.absent:
            yield Statement("left-alone", join(parent, kind, handle))


def statements(
    name: str, address: str, node: Node, before: Node | None, spaces: Mapping[str, str], old: Access, new: Access
) -> Iterator[Statement]:
    """What is dangerous, lasting or odd in how HEAD changes one connection of the org `name`.

    `spaces` leads from a workspace's handle in BASE to the one in HEAD; `old` and `new` are who reaches what,
    under the names of HEAD.
    """
    sources = node.sources or {}
    if node.absent:
        if before is None or not before.absent:
            yield Statement("absent", address, reason=node.reason, source=node.source)
        return
    if before is not None and before.absent:
        before = None
    if node.renamed_from is not None and (before is None or before.name != node.name):
        yield Statement("rename", address, node.renamed_from, node.name, source=sources.get("renamed_from"))
    had = set(secret.references(before.attrs.get(secret.FIELD)).values()) if before is not None else set()
    has = secret.references(node.attrs.get(secret.FIELD)).values()
    fresh = tuple(dict.fromkeys(reference for reference in has if reference not in had))
    if fresh:
        yield Statement("reads", address, names=fresh, source=sources.get(secret.FIELD, node.source))
    if node.rotate is not None and (before is None or before.rotate != node.rotate):
        yield Statement("rotate", address, day=node.rotate, source=sources.get("rotate", node.source))
    if node.kind == OWN and before is None:
        place = f"{name}/{split(address)[1][1]}"
        yield Statement("attached", address, after=place, names=people(new, place), source=node.source)
    yield from folders.everywhere(name, address, node, before)
    wanted, earlier = node.children.get(ATTACHMENT), _before(ATTACHMENT, before, spaces)
    if wanted is None:
        return  # left alone
    for space, one in wanted.items():
        if space not in earlier:
            place = f"{name}/{space}"
            yield Statement("attached", address, after=place, names=people(new, place), source=one.source)
    for space in sorted(earlier):
        if space not in wanted:
            place = f"{name}/{space}"
            yield Statement("detached", address, place, names=people(old, place), source=sources.get(ATTACHMENT))


def lost_with(name: str, above: Node, before: Node, space: str, old: str) -> Iterator[str]:
    """The addresses of BASE's connections that the workspace `space` (`old` in BASE) has, and loses as HEAD deletes it.

    Those that HEAD itself takes from the workspace are left out.
    """
    here = join(None, org.KIND.name, name)
    after = {earlier.name: node for _, node, earlier in _pairs(here, CONNECTION, above, before) if earlier is not None}
    for handle, node in before.children.get(CONNECTION, {}).items():
        now = after.get(handle)
        if node.absent or old not in node.children.get(ATTACHMENT, {}) or (now is not None and now.absent):
            continue
        if now is None or space in now.children.get(ATTACHMENT, {space: None}):
            yield join(here, CONNECTION, now.name if now is not None else handle)


def people(access: Access, place: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(assignment.who for assignment in access.assignments if assignment.object == place))


def _before(kind: str, before: Node | None, spaces: Mapping[str, str]) -> set[str]:
    """Where BASE has a connection, by the handles of HEAD."""
    return {spaces.get(space, space) for space in before.children.get(kind, {})} if before is not None else set()


def changes(address: str, node: Node, before: Node | None, spaces: Mapping[str, str]) -> Iterator[Change]:
    """The changes of where a connection may be used and is attached; `spaces` as in `statements`."""
    if node.absent:
        return
    yield from folders.change_everywhere(permission.KIND.name, address, node, before)
    for kind in children_of(CONNECTION):
        if kind is permission.KIND and node.everywhere:
            continue  # permissions for single workspaces are left alone
        wanted = node.children.get(kind.name)
        earlier = _before(kind.name, before, spaces)
        if wanted is None:
            continue
        for space, one in wanted.items():
            if space not in earlier:
                yield Change("create", kind.name, join(address, kind.name, space), None, {}, (), one.source)
        for space in sorted(earlier):
            if space not in wanted:
                source = (node.sources or {}).get(kind.name)
                yield Change("delete", kind.name, join(address, kind.name, space), {}, None, (), source, "unlisted")


def shown(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as a report shows them: for a secret, only where it comes from."""
    return {name: secret.described(value) if name == secret.FIELD else value for name, value in attrs.items()}
