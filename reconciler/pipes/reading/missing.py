"""Looking up one by one what a list lacks: a list that shifts while it is read can skip a row without a sign of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.kinds import children_of
from reconciler.kinds.kind import Place
from reconciler.model.address import join
from reconciler.model.errors import PipesError
from reconciler.pipes.reading.children import place_of
from reconciler.pipes.reading.one_object import read_again
from reconciler.pipes.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Kind
    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Lock, Resource, Snapshot
    from reconciler.pipes.client import Client

_MOST = 500  # objects that are looked up


def add_missing(client: Client, desired: Desired, lock: Lock, live: Snapshot) -> None:
    """Add to `live` what the manifests list, its lists lack, and Pipes has all the same. Raises PipesError."""
    left = _MOST
    with Workers(client.parallelism) as workers:
        for node in desired.orgs.values():
            found = live.orgs.get(node.name)
            if node.absent or found is None:
                continue
            for kind, place, parent, handle in _lacking(desired, lock, node, found):
                if left > 0:
                    left -= 1
                    _look_up(workers, client, kind, place, parent, handle)
        workers.run()


def _look_up(workers: Workers, client: Client, kind: Kind, place: Place, parent: Resource, handle: str) -> None:
    def take(found: Resource | PipesError | None) -> None:
        if isinstance(found, PipesError):
            raise found
        if found is not None and parent.children is not None:
            parent.children[kind.name].setdefault(found.handle, found)

    workers.submit(lambda: read_again(client, kind, kind.object_path(place, handle)), take)


def _lacking(desired: Desired, lock: Lock, node: Node, live: Resource) -> Iterator[tuple[Kind, Place, Resource, str]]:
    """What an org's manifest lists and its lists lack: the kind, where it is, its parent, and its handle."""
    above = join(None, "org", node.name)
    yield from _lacking_below(desired, lock, node, live, Place(org=live.handle), above)
    for kind in children_of(node.kind):
        for name, want in node.children.get(kind.name, {}).items():
            found = live.of(kind.name).get(name)
            if found is not None and not want.absent:
                place = place_of(live.handle, kind, found)
                yield from _lacking_below(desired, lock, want, found, place, join(above, kind.name, name))


def _lacking_below(
    desired: Desired, lock: Lock, node: Node, live: Resource, place: Place, above: str
) -> Iterator[tuple[Kind, Place, Resource, str]]:
    for kind in children_of(node.kind):
        if kind.found_in_list or kind.name_live is not None or not live.was_read(kind.name):
            continue
        rows: dict[str, Any] = {**live.inherited_of(kind.name), **live.of(kind.name)}
        ids = {row.id for row in rows.values()}
        for name, want in node.children.get(kind.name, {}).items():
            entry = lock.get(join(above, kind.name, name))
            handle = name
            if kind.names_people:
                handle = desired.handle(name) or (entry.handle if entry is not None else None) or ""
            if handle and not want.absent and handle not in rows and not (entry is not None and entry.id in ids):
                yield kind, place, live, handle
