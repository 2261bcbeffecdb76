"""Which live folders of connections can stand in a manifest, for `import`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from reconciler.kinds import connection_folder

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.model.live import Resource

KIND = connection_folder.KIND.name


def writable(live: Resource, known: Collection[str] = ()) -> tuple[set[str], list[str]]:
    """The keys of those that can be written, those that the manifests have (`known`) among them, and a note on each one that
    cannot. What is in one of those is left out as well.
    """
    there, notes = set(known), []
    places = Counter((one.attrs["title"], one.attrs.get("folder")) for one in live.of(KIND).values())
    waiting = {key: one for key, one in sorted(live.of(KIND).items()) if key not in there}
    while ready := [key for key, one in waiting.items() if one.attrs.get("folder") in (None, *there)]:
        for key in ready:
            one = waiting.pop(key)
            single = places[one.attrs["title"], one.attrs.get("folder")] == 1
            if single and connection_folder.TITLE.fullmatch(one.attrs["title"]):
                there.add(key)
                continue
            why = "its title cannot be written" if single else "another one there has its title"
            notes.append(
                f"org.{live.handle}/{KIND}.{key}: {why}, so it is left out, with the place of all that is in it, and left "
                "alone"
            )
    return there, notes
