"""Manifests of one commit after another -> who gained and lost what, by which commit or by the end of an entry. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.access.maps import Names
from reconciler.access.review import access_between, nothing, reading_order
from reconciler.access.review.sides import name_in_head
from reconciler.kinds import grant, member, workspace
from reconciler.model.history import Event, Rename
from reconciler.model.live import address_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import date

    from reconciler.access.maps import Assigned
    from reconciler.model.desired import Desired, Node
    from reconciler.model.history import Commit
    from reconciler.model.live import Lock
    from reconciler.model.review import AccessChange

    # the manifests of a commit as they count on a day; None where they cannot be used then, which it notes
    Load = Callable[[date], Desired | None]
    At = tuple[str, str]  # whose access, by key, and where


class Step(msgspec.Struct, frozen=True):
    """The manifests and the lock file of a commit."""

    commit: Commit
    load: Load
    lock: Lock


class Timeline:
    """Takes the manifests of commits, the oldest first, and yields what each changed.

    With `names` (in lower case) only what concerns these people counts, and commits that do not can be skipped. `identities`
    collects which name, handle and address are one person's, `places` all orgs and workspaces, and `renames` which of them got
    another name.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        self.names = set(names)
        self.identities: set[tuple[str, str, str]] = set()  # name, key and address, in lower case
        self.places: set[str] = set()
        self.renames: list[Rename] = []
        self._last: Step | None = None  # the last one that could be used
        self._now: Desired | None = None  # its manifests, on the last day that was looked at
        self._reached: tuple[Lock, Assigned] | None = None  # who reaches what by them, with that lock file
        self._skipped: list[Step] = []  # those behind it
        self._addresses: set[str] = set()  # digests of the addresses of `names` in the lock file
        self._broken = False  # whether the last commit could not be used
        self._lock: Lock = {}  # by which people were told apart last
        self._ends: dict[At, tuple[str, Commit]] = {}  # which commit wrote how long something lasts

    def skip(self, step: Step, others: Collection[str]) -> bool:
        """Pass a commit that changes only lines of `others`, names, handles and addresses in lower case.

        False where it must be looked at: nothing of `names` may end by then, and the lock file may know an address as theirs.
        """
        if self._broken or self._now is None or step.commit.day < self._day() or self._ends_by(step.commit.day):
            return False
        if self._addresses and any(address_digest(one) in self._addresses for one in others if "@" in one):
            return False
        self._skipped.append(step)
        return True

    def commit(self, step: Step) -> Iterator[Event]:
        """What the ends of entries changed before a commit, and then what the commit changed."""
        if self._skipped and (step.commit.day < self._day() or self._ends_by(step.commit.day)):
            self._catch_up()
        self._skipped.clear()
        day = max(step.commit.day, self._now.day) if self._now is not None else step.commit.day
        after = step.load(day)
        self._broken = after is None
        if after is None:
            return
        yield from self._until(day)
        known = self._last.lock if self._last is not None else {}
        before = self._now if self._now is not None else nothing(day)
        yield from self._changes(before, after, step.commit, day, known or step.lock, ended=False)
        self._last, self._now = step, after
        for lock in (step.lock,) if step.lock == known else (known, step.lock):
            self._identify(after, lock)

    def broken(self) -> None:
        """A commit cannot be read: the next one may bring what it changed."""
        self._broken = True

    def until(self, day: date) -> Iterator[Event]:
        """What the ends of entries change up to a day."""
        if self._skipped and self._ends_by(day):
            self._catch_up()
        yield from self._until(day)

    def _until(self, day: date) -> Iterator[Event]:
        if self._last is None or self._now is None or (self.names and not self._ends_by(day)):
            return
        tried = self._now.day
        while ends := {end for end in _ends(self._now, day) if end > tried}:
            tried = min(ends)
            after = self._last.load(tried)
            if after is not None:
                yield from self._changes(self._now, after, self._last.commit, tried, self._last.lock, ended=True)
                self._now = after
        if self._now.day < day:
            self._now = msgspec.structs.replace(self._now, day=day)  # nothing in it ends by then

    def _day(self) -> date:
        """The day of the last commit."""
        assert self._now is not None
        return self._skipped[-1].commit.day if self._skipped else self._now.day

    def _ends_by(self, day: date) -> bool:
        """Whether something of `names` ends between the manifests' day and `day`."""
        return self._now is not None and bool(_ends(self._now, day, self.names))

    def _catch_up(self) -> None:
        """Go on from the last skipped commit that can be used."""
        for step in reversed(self._skipped):
            after = step.load(step.commit.day)
            if after is not None:
                self._last, self._now, self._reached = step, after, None
                break
        self._skipped.clear()

    def _identify(self, desired: Desired, lock: Lock) -> None:
        names = Names(desired, lock)
        found = {
            (name.lower(), names.key(name).lower(), (person.email or "").lower())
            for name, person in desired.people.items()
        }
        self.identities |= found
        known = [(at.rpartition("/member.")[2].lower(), one.handle.lower()) for at, one in lock.items() if one.handle]
        found |= {(name, handle, "") for name, handle in known} if self.names else set()
        more = True
        while self.names and more:
            more = False
            for one in found:
                theirs = {word for word in one if word}
                if theirs & self.names and not theirs <= self.names:
                    self.names |= theirs
                    more = True
        accounts = [entry for entry in lock.values() if entry.handle and entry.handle.lower() in self.names]
        self._addresses = {entry.address for entry in accounts if entry.address}

    def _changes(
        self, before: Desired, after: Desired, commit: Commit, day: date, lock: Lock, *, ended: bool
    ) -> Iterator[Event]:
        known = self._reached
        found, sides = access_between(before, after, lock, known[1] if known is not None and known[0] is lock else None)
        self._reached = lock, found.after
        self.places.update(found.after.objects)
        names = {**sides.orgs, **sides.spaces}
        self.renames += [
            Rename(day, commit, old, new)
            for old, new in (*sides.orgs.items(), *sides.spaces.items())
            if new != (name_in_head(old, sides, {}) if "/" in old else old)  # a workspace goes with its org
        ]
        keys = _keys_now(before, self._lock, lock)
        self._lock = lock
        written = {
            (keys.get(key, key), name_in_head(place, sides, names)): end for (key, place), end in self._ends.items()
        }
        self._ends = {}
        for one in found.after.assignments:
            if one.expires is not None:
                at, end = (one.key, one.object), (one.until, commit)
                was = written.get(at, end)
                self._ends[at] = was if was[0] == one.until else end
        for change in sorted(found.changed, key=reading_order):
            yield Event(day, (_written_in(change, written) if ended else None) or commit, change, ended)


def _keys_now(desired: Desired, before: Lock, now: Lock) -> dict[str, str]:
    """What people's keys are by another lock file, which may know the account of somebody who was invited by email."""
    if before is now or before == now:
        return {}
    old, new = Names(desired, before), Names(desired, now)
    return {old.key(name): new.key(name) for name in desired.people}


def _written_in(change: AccessChange, ends: Mapping[At, tuple[str, Commit]]) -> Commit | None:
    """The commit that wrote the end of somebody's access to a place, or of the membership that it goes with."""
    for place in (change.object, change.object.partition("/")[0]):
        if (change.key, place) in ends:
            return ends[change.key, place][1]
    return None


def _ends(desired: Desired, day: date, names: Collection[str] = ()) -> set[date]:
    """The days after that of the manifests, and up to `day`, on which entries end; only those of `names`, if there are any."""
    found: set[date] = set()

    def add_ends(node: Node, kind: str) -> None:
        section = node.children.get(kind, {})
        for one in (section[name] for name in names if name in section) if names else section.values():
            if one.expires is not None and desired.day < one.expires <= day:
                found.add(one.expires)

    for org in desired.orgs.values():
        add_ends(org, member.KIND.name)
        for space in org.children.get(workspace.KIND.name, {}).values():
            add_ends(space, grant.KIND.name)
    return found
