"""Match objects that carry their own handle (orgs, workspaces, connections) with live ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import named_in
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Diagnostic, Refusal
from reconciler.plan.identity.doubts import RENAMED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.kind import Kind
    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Lock, Resource

# how alike two handles must be for one to look like the other's new name; 1 is equal
RESEMBLANCE = 0.75
# characters of a name that says enough to be found again in a longer one
SHORTEST = 4
# pairs of names that are compared below one parent: 400 new ones with 400 old ones take about a second
COMPARISONS = 200_000


class Match(msgspec.Struct, frozen=True):
    """A wanted object and the live one that it is; `have` is None where there is none yet."""

    want: Node
    have: Resource | None
    renamed: bool = False


def spent(desired: Desired, lock: Lock) -> Iterator[Diagnostic]:
    """A warning for each `renamed_from` that is done, as far as that is known offline: the lock file knows the new name."""
    for name, node in sorted(desired.orgs.items()):
        here = addresses.join(None, "org", name)
        yield from _spent(node, here, lock)
        for address, child in sorted(named_in(here, node), key=lambda pair: pair[0]):
            yield from _spent(child, address, lock)


def _spent(node: Node, address: str, lock: Lock) -> Iterator[Diagnostic]:
    old = node.renamed_from
    if not old or address not in lock:
        return
    before = lock.get(addresses.beside(address, old))
    if before is not None and before.id != lock[address].id:
        return
    yield Diagnostic(
        "warning",
        f"the lock file knows {node.name} by that name: `renamed_from: {old}` is done",
        (node.sources or {}).get("renamed_from", node.source),
        f"drop `renamed_from: {old}`, unless it takes back a rename that was made outside and is still to be applied",
    )


def match_named(
    kind: Kind,
    parent: str | None,
    wanted: Mapping[str, Node],
    live: Mapping[str, Resource],
    lock: Lock,
    siblings: Mapping[str, Node] | None = None,
) -> tuple[dict[str, Match], list[Refusal]]:
    """Match objects that carry their own handle (orgs, workspaces) below `parent`.

    `live` is every sibling that is known, managed or not, by handle. Returns the matches by wanted name; a name that is
    refused has none. `siblings` is everything that the manifests have there, where `wanted` is only a part of it.
    """
    beside = wanted if siblings is None else siblings
    by_id = {resource.id: resource for resource in live.values()}
    matches: dict[str, Match] = {}
    refusals: list[Refusal] = []
    for name, want in wanted.items():
        here = addresses.join(parent, kind.name, name)
        entry = lock.get(here)
        have = live.get(name)
        known = by_id.get(entry.id) if entry else None
        old = want.renamed_from
        found: Match | Refusal
        if old and not want.absent and _in_a_circle(name, beside):
            # both handles are live before a swap and after it: whether it is spent is unknown
            found = _refuse(
                here,
                want,
                f"{name} is renamed from {old}, and {old} in turn from {_former(old, beside)}: a swap",
                "rename one of them in an apply of its own first, over a third handle; drop `renamed_from` if it is done",
            )
        elif old and not want.absent and have is None and known is not None and known.handle != old:
            # the stated rename is done, or another one came in between: what it is called now decides what to write
            found = _renamed_outside(here, kind, want, known, have)
        elif old and not want.absent and have is None:
            found = _match_rename(kind, parent, want, beside, live, lock)
        elif old and not want.absent and old in live and old not in beside:
            found = _refuse(
                here,
                want,
                f"both {old} and {name} are live, so `renamed_from: {old}` cannot be meant",
                f"drop renamed_from if {name} is the one you mean",
            )
        elif known is not None and known.handle != name:
            found = _renamed_outside(here, kind, want, known, have)
        elif entry is not None and have is not None and have.id != entry.id:
            found = _refuse(
                here,
                want,
                f"the live {kind.noun} {name} has the id {have.id}, the lock file knows {name} as "
                f"{entry.id}: it is another {kind.noun} under the same {'handle' if kind.has_handles else 'title'}",
                "look at the live one; if it is the right one, remove this entry from the lock file",
            )
        else:
            found = Match(want, have)
        if isinstance(found, Match):
            matches[name] = found
        else:
            refusals.append(found)
    return matches, refusals


def _former(name: str, wanted: Mapping[str, Node]) -> str | None:
    node = wanted.get(name)
    return node.renamed_from if node is not None and not node.absent else None


def _in_a_circle(name: str, wanted: Mapping[str, Node]) -> bool:
    """Whether following `renamed_from` from `name` leads back to it."""
    seen = {name}
    old = _former(name, wanted)
    while old is not None and old not in seen:
        seen.add(old)
        old = _former(old, wanted)
    return old == name


def _refuse(address: str, want: Node, fact: str, fix: str) -> Refusal:
    return Refusal("rename", address, fact, fix, want.source, liftable=False)


def _renamed_outside(address: str, kind: Kind, want: Node, known: Resource, holder: Resource | None) -> Refusal:
    """`known` has the id of the lock file, and `holder` the manifest's name, if anything has."""
    if holder is not None:  # it was renamed and replaced, or the lock file was changed
        return _refuse(
            address,
            want,
            f"the lock file knows {want.name} by the id {known.id}, which is live as {known.handle}, and another {kind.noun} is "
            f"live as {want.name}: which one is meant is unclear",
            f"if it is {known.handle}, write that; if not, remove the entry {address} from the lock file",
        )
    return _refuse(
        address,
        want,
        f"{want.name} {RENAMED}: the {kind.noun} with its id {known.id} is live as {known.handle}",
        f"write `{known.handle}` instead of `{want.name}` in the manifest, or state the rename back with "
        f"`renamed_from: {known.handle}`",
    )


def _match_rename(
    kind: Kind, parent: str | None, want: Node, wanted: Mapping[str, Node], live: Mapping[str, Resource], lock: Lock
) -> Match | Refusal:
    """`renamed_from` with the new handle not live: the rename is still to be done, if the old one is surely it."""
    name, old = want.name, want.renamed_from or ""
    here = addresses.join(parent, kind.name, name)
    source = live.get(old)
    if source is None:
        return _refuse(
            here,
            want,
            f"neither {old} nor {name} is live, so there is nothing to rename",
            f"drop `renamed_from: {old}` to create {name}, or name the handle that it has now",
        )
    if old in wanted:
        return _refuse(
            here,
            want,
            f"{name} is renamed from {old}, and the manifest has {old} as well: a chain or a swap",
            "rename one of them in an apply of its own first, over a third handle for a swap",
        )
    for known in (here, addresses.join(parent, kind.name, old)):
        entry = lock.get(known)
        if entry is not None and entry.id != source.id:
            return _refuse(
                here,
                want,
                f"the live {kind.noun} {old} has the id {source.id}, the lock file says that {name} is {entry.id}",
                f"look at the live one; if it is the right one, remove the entry {known} from the lock file",
            )
    others = [n for n, node in wanted.items() if node.renamed_from == old and n != name]
    if others:
        return _refuse(here, want, f"{name} and {others[0]} both are renamed from {old}", "keep one of the two")
    return Match(want, source, renamed=True)


def resembles(new: str, old: str) -> bool:
    """Whether `old` could be the former name of `new`: alike, and not merely counted on (dev1, dev2)."""
    if new.rstrip("0123456789") == old.rstrip("0123456789"):
        return False
    from difflib import SequenceMatcher

    return SequenceMatcher(None, new, old, autojunk=False).ratio() >= RESEMBLANCE


class Siblings:
    """The wanted and the live objects of one kind below one parent, looked through for former names.

    It is made once for all objects that will be created there, and compares `COMPARISONS` pairs of names at most.
    `exhausted` says that there were more.
    """

    def __init__(
        self, kind: Kind, parent: str | None, wanted: Mapping[str, Node], live: Mapping[str, Resource]
    ) -> None:
        spoken_for = set(wanted) | {node.renamed_from for node in wanted.values() if node.renamed_from}
        self.kind, self.parent, self.live = kind, parent, live
        self.unlisted = [handle for handle in sorted(live) if handle not in spoken_for]
        self.comparisons, self.exhausted = COMPARISONS, False
        self._by_pair: dict[str, list[int]] = {}
        for number, handle in enumerate(self.unlisted):
            for pair in _pairs(handle):
                self._by_pair.setdefault(pair, []).append(number)

    def dropped(self, lock: Lock) -> str | None:
        """The first one that the lock file knows and the manifest has dropped."""
        for handle in self.unlisted:
            entry = lock.get(addresses.join(self.parent, self.kind.name, handle))
            if entry is not None and entry.id == self.live[handle].id:
                return handle
        return None

    def alike(self, new: str) -> str | None:
        """The first one with a similar handle."""
        places = {number for pair in _pairs(new) for number in self._by_pair.get(pair, ())}
        for number in sorted(places):
            old = self.unlisted[number]
            if self.comparisons == 0:
                self.exhausted = True
                return None
            self.comparisons -= 1
            if _may_resemble(new, old) and resembles(new, old):
                return old
        return None

    def lengthened(self, new: str) -> str | None:
        """The first one whose name was made longer, or shorter."""
        return next((handle for handle in self.unlisted if _lengthened(new, handle)), None)


def _pairs(handle: str) -> set[str]:
    """What two similar names have in common: of names with more than 8 letters together, at least two neighbouring ones;
    shorter ones are all put together.

    Alike in 75 % of their letters, they have fewer pieces in common than letters, so that one piece has two letters.
    """
    return {handle[at : at + 2] for at in range(len(handle) - 1)} | ({""} if len(handle) < 8 else set())


def _may_resemble(new: str, old: str) -> bool:
    """Whether the letters alone, in whatever order, allow two names to be alike: quick, and never wrongly no."""
    total = len(new) + len(old)
    if 2 * min(len(new), len(old)) < RESEMBLANCE * total:
        return False
    return 2 * sum(min(new.count(letter), old.count(letter)) for letter in set(new)) >= RESEMBLANCE * total


def left_behind(new: str, siblings: Siblings, lock: Lock) -> str | None:
    """The live sibling that `new` may be the new name of: one that the lock file knows and the manifest has dropped,
    or an unlisted one with a similar handle. None where there is none.
    """
    found = siblings.dropped(lock) or siblings.alike(new)
    if found is None and not lock:
        # without known former names, a lengthened or shortened name is the likeliest rename
        found = siblings.lengthened(new)
    return found


def _lengthened(new: str, old: str) -> bool:
    short, long = sorted((new, old), key=len)
    longer = long.startswith(short) or long.endswith(short)
    return len(short) >= SHORTEST and longer and long.strip("0123456789") != short.strip("0123456789")
