"""The lists below an organization: members, workspaces, grants, connections and whatever other kinds there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.kinds import KINDS, children_of, grant, member, named_below, org, service_account
from reconciler.kinds.kind import Place
from reconciler.model.address import join
from reconciler.pipes.errors import PartialReadError
from reconciler.pipes.reading.pages import ListOf, belongs, check_all, read_list, share_texts
from reconciler.pipes.reading.state import fail, locked, org_addresses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Kind
    from reconciler.model.desired import Node
    from reconciler.model.errors import PipesError
    from reconciler.model.live import Lock, Resource
    from reconciler.pipes.reading.state import LiveOrg, Run


def needs(kind: Kind, node: Node, live: Resource) -> bool:
    """Whether a plan for an org needs its list of a kind: the manifest lists it, or the plan reports what becomes of it."""
    if kind.of_primary_tenant and live.attrs.get("tenant_id") not in (None, org.PRIMARY_TENANT):
        return False
    if kind.name in node.children or (kind.read_for_impact and (node.absent or node.name != live.handle)):
        return True
    if _needed_for_references(kind, node):
        return True
    below = [child.children for inner in named_below(node.kind) for child in node.children.get(inner.name, {}).values()]
    if kind is member.KIND:  # grants are given to members, and a service account may be an owner
        return service_account.NAME in node.children or any(grant.KIND.name in children for children in below)
    return any(
        _needed_to_tell_apart(kind, KINDS[name], listed) for children in below for name, listed in children.items()
    )


def _needed_to_tell_apart(kind: Kind, other: Kind, listed: dict[str, Node]) -> bool:
    """Whether the list of `kind` is needed to tell apart what the manifest lists of `other`."""
    return other.lists_handles_of == kind.name or (
        other.must_differ_from == kind.name and not all(w.absent for w in listed.values())
    )


def _needed_for_references(kind: Kind, node: Node) -> bool:
    """Whether something below an org or a workspace refers to one of `kind`, or one of `kind` may refer to something stated
    absent.
    """
    if any(
        a.refers_to == kind.name and any(a.name in want.attrs for want in node.children.get(other.name, {}).values())
        for other in children_of(node.kind)
        for a in other.attributes
    ):
        return True
    return any(
        want.absent
        for a in kind.attributes
        if a.refers_to is not None
        for want in node.children.get(a.refers_to, {}).values()
    )


def read_children(run: Run, entry: LiveOrg, kind: Kind, place: Place, parent: Resource, address: str) -> None:
    """Read one list below `parent` into its `children` and `inherited`, and then the lists below its objects."""
    path = kind.list_path(place)
    own: dict[str, Resource] = {}
    inherited: dict[str, Resource] = {}
    below = children_of(kind.name)

    def begin() -> None:
        own.clear()
        inherited.clear()

    def take(rows: list[Any]) -> None:
        if kind.names_people:
            share_texts(rows)
        resources = [kind.resource(row) for row in rows]
        check_all(resources, path)
        for row, found in zip(rows, resources, strict=True):
            if belongs(kind, row):
                if found.handle in own:
                    raise PartialReadError(f"{path} shifted while it was read: `{found.handle}` came twice")
                if kind.names_people:
                    found.attrs = run.shared.setdefault(tuple(found.attrs.items()), found.attrs)
                own[found.handle] = found
            elif kind.own_scope is not None or kind.is_own_row is not None:
                found.attrs["scope"] = getattr(row, "scope", None)
                inherited.setdefault(found.handle, found)

    def end(error: PipesError | None) -> None:
        if error is not None:
            fail(entry, error)
            return
        assert parent.children is not None
        assert parent.inherited is not None
        parent.children[kind.name] = own
        if inherited:
            parent.inherited[kind.name] = inherited
        if not kind.has_handles:
            _name_by_id(run, entry, kind, own, parent)
        if below and entry.failed is None:
            for found in own.values():
                _read_below(run, entry, kind, found, address)

    read_list(run, ListOf(path, kind.row, kind.name, address), take, end, begin)


def take_children(run: Run, entry: LiveOrg, kind: Kind, parent: Resource, own: dict[str, Resource]) -> None:
    """Take one list below an org as it was read before, and read the lists below its objects."""
    assert parent.children is not None
    parent.children[kind.name] = own
    for found in own.values():
        _read_below(run, entry, kind, found, join(None, "org", parent.handle))


def _name_by_id(run: Run, entry: LiveOrg, kind: Kind, own: dict[str, Resource], parent: Resource) -> None:
    """Give live objects without handles, which are below `parent`, the names that the manifests have for them."""
    assert kind.name_live is not None
    by_id = {found.id: found for found in own.values()}
    wanted: dict[str, Node] = {}
    known: dict[str, str] = {}
    for node, places in _wanted_as(run, entry, parent):
        for name, want in node.children.get(kind.name, {}).items():
            wanted.setdefault(name, want)
        for above in places:
            known = {**locked(run, above, kind.name), **known}
    names = kind.name_live(by_id, wanted, known, parent.id)
    own.clear()
    for identifier, found in by_id.items():
        found.handle = names[identifier]
        own[found.handle] = found


def _wanted_as(run: Run, entry: LiveOrg, live: Resource) -> Iterator[tuple[Node, list[str]]]:
    """What the manifests have for a live org, or for an object below it, with the addresses that it has or had there."""
    for node in entry.nodes:
        if live is entry.resource:
            yield node, list(org_addresses(node))
            continue
        for want in may_mean(run, KINDS[live.kind], node, live):
            names = [name for name in (want.name, want.renamed_from) if name is not None]
            yield want, [join(above, live.kind, name) for above in org_addresses(node) for name in names]


def place_of(org_handle: str, kind: Kind, live: Resource) -> Place:
    """The place under which the children of an object are found."""
    return Place(org=org_handle, org_child=live.id if not kind.has_handles else live.handle)


def _read_below(run: Run, entry: LiveOrg, kind: Kind, live: Resource, org_address: str) -> None:
    wanted = [want for node in entry.nodes for want in may_mean(run, kind, node, live)]
    for child in children_of(kind.name):
        if any(
            child.name in want.children
            or (child.read_for_impact and want.absent)
            or _needed_for_references(child, want)
            for want in wanted
        ):
            live.children = live.children or {}
            live.inherited = live.inherited or {}
            place = place_of(entry.resource.handle, kind, live)
            read_children(run, entry, child, place, live, join(org_address, kind.name, live.handle))


def may_mean(run: Run, kind: Kind, node: Node, live: Resource) -> list[Node]:
    """What the manifests list below an org that may mean this live object: by its handle, former handle, or id."""
    index = run.meant.get((id(node), kind.name))
    if index is None:
        index = run.meant[id(node), kind.name] = _by_handle_and_id(run.lock, kind, node)
    found = index.get(f"handle {live.handle}", [])
    by_id = index.get(f"id {live.id}")
    return found if by_id is None else [*found, *(one for one in by_id if all(one is not other for other in found))]


def _by_handle_and_id(lock: Lock, kind: Kind, node: Node) -> dict[str, list[Node]]:
    index: dict[str, list[Node]] = {}
    for want in node.children.get(kind.name, {}).values():
        names = [name for name in (want.name, want.renamed_from) if name is not None]
        locked_as = [join(parent, kind.name, name) for parent in org_addresses(node) for name in names]
        keys = {f"handle {name}": None for name in names}
        keys |= {f"id {lock[address].id}": None for address in locked_as if address in lock}
        if not kind.has_handles:
            keys[f"id {want.name}"] = None
        for key in keys:
            index.setdefault(key, []).append(want)
    return index
