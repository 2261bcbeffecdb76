"""Which live folders of connections a manifest can have, for `import`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.kinds import KINDS, connection_folder
from reconciler.model.address import join

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.model.live import Resource

_TREES = {kind.parent: kind.name for kind in KINDS.values() if kind.nests}


def writable(above: Resource, address: str, known: Collection[str] = ()) -> tuple[set[str], list[str]]:
    """The keys of those that can be written of the folders of `above`, the org or workspace at `address`, those that the
    manifests have (`known`) among them; and a note on each one that cannot. What is in one of those is left out as well.
    """
    kind = _TREES.get(above.kind)
    if kind is None:
        return set(), []
    there, notes = set(known), []
    live = above.of(kind)
    places = Counter((one.attrs["title"], one.attrs.get("folder")) for one in live.values())
    waiting = {key: one for key, one in sorted(live.items()) if key not in there}
    while ready := [key for key, one in waiting.items() if one.attrs.get("folder") in (None, *there)]:
        for key in ready:
            one = waiting.pop(key)
            single = places[one.attrs["title"], one.attrs.get("folder")] == 1
            if single and connection_folder.TITLE.fullmatch(one.attrs["title"]):
                there.add(key)
                continue
            why = "its title cannot be written" if single else "another one there has its title"
            notes.append(
                f"{join(address, kind, key)}: {why}, so it is left out, with the place of all that is in it, and left "
                "alone"
            )
    return there, notes
