"""What live objects refer to: the folder that a connection is in, and who may use whatever moves between folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import KINDS, children_of, org
from reconciler.model.address import join
from reconciler.pipes.reading.children import place_of, read_children
from reconciler.pipes.reading.state import org_addresses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.kinds.kind import Attribute, Kind
    from reconciler.model.desired import Node
    from reconciler.model.live import Resource
    from reconciler.pipes.reading.state import LiveOrg, Run


def name_references(live: Resource) -> None:
    """Replace the ids to which the children of an org, and of its workspaces, refer by the names of those objects, where
    their list was read.

    An id that is not in that list stays as it is: it differs from whatever a manifest wants.
    """
    for kind in children_of(live.kind):
        for one in live.of(kind.name).values():
            name_references(one)
        for attribute in kind.attributes:
            if attribute.refers_to is None or not live.was_read(attribute.refers_to):
                continue
            names: dict[str | None, str | None] = {one.id: one.handle for one in live.of(attribute.refers_to).values()}
            names |= {live.id: None, None: None}
            for one in live.of(kind.name).values():
                identifier = one.attrs.get(attribute.api_field)
                one.attrs[attribute.name] = names.get(identifier, identifier)


def read_what_moves(run: Run) -> None:
    """Read who may use the folders that something moves out of or into: a move takes or gives that access."""
    for entry in run.managed.values():
        if entry.failed is not None:
            continue
        live = entry.resource
        for kind in children_of(org.KIND.name):
            for attribute in kind.attributes:
                if attribute.refers_to is None or not live.was_read(attribute.refers_to):
                    continue
                for whose, one in _moved(run, entry, kind, attribute):
                    for child in children_of(whose.name):
                        if not one.was_read(child.name):
                            one.children, one.inherited = one.children or {}, one.inherited or {}
                            address = join(join(None, "org", live.handle), whose.name, one.handle)
                            read_children(run, entry, child, place_of(live.handle, whose, one), one, address)


def _moved(run: Run, entry: LiveOrg, kind: Kind, attribute: Attribute) -> Iterable[tuple[Kind, Resource]]:
    """What of `kind` the manifests want in something else, what it is in, and what it will be in; those with everything
    above them.
    """
    target = KINDS[attribute.refers_to or ""]
    there = entry.resource.of(attribute.refers_to or "")
    by_id = {one.id: one for one in there.values()}
    found: dict[str, tuple[Kind, Resource]] = {}
    moved: dict[str, tuple[Kind, Resource]] = {}
    for node in entry.nodes:
        for want in node.children.get(kind.name, {}).values():
            if want.absent or attribute.name not in want.attrs:
                continue
            named = there.get(want.attrs[attribute.name] or "")
            new = named.id if named is not None else None
            for live in _live_of(run, entry, kind, node, want):
                old = live.attrs.get(attribute.api_field)
                if new == (old if old in by_id else None):
                    continue
                moved[live.id] = kind, live
                for start in (old, new):
                    at = by_id.get(start or "")
                    while at is not None and at.id not in found:  # Pipes could show a circle
                        found[at.id] = target, at
                        at = by_id.get(at.attrs.get(attribute.api_field) or "")
    return [*found.values(), *(one for identifier, one in moved.items() if identifier not in found)]


def _live_of(run: Run, entry: LiveOrg, kind: Kind, node: Node, want: Node) -> Iterable[Resource]:
    """The live objects that the manifest's entry may mean."""
    there = entry.resource.of(kind.name)
    names = {name for name in (want.name, want.renamed_from) if name in there}
    ids = {
        run.lock[address].id
        for parent in org_addresses(node)
        if (address := join(parent, kind.name, want.name)) in run.lock
    }
    return [one for one in there.values() if one.id in ids] if ids else [there[name] for name in names if name]
