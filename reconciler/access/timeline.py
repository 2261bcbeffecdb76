"""Manifests of one commit after another -> who gained and lost what, by which commit or by the end of an entry. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.access.review import access_on, nothing, reading_order
from reconciler.kinds import grant, member, workspace
from reconciler.model.history import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from reconciler.model.desired import Desired, Node
    from reconciler.model.history import Commit
    from reconciler.model.live import Lock

    # the manifests of a commit as they count on a day; ManifestError where they cannot be used then
    Load = Callable[[date], Desired]


class Timeline:
    """Takes the manifests of commits, the oldest first, and yields what each changed."""

    def __init__(self, load: Callable[[Load, date], Desired | None]) -> None:
        self._load = load  # gives None for what cannot be used on that day, and notes it
        self._at: tuple[Commit, Load, Lock] | None = None
        self._now: Desired | None = None

    def commit(self, commit: Commit, load: Load, lock: Lock) -> Iterator[Event]:
        """What the ends of entries changed before a commit, and then what the commit changed."""
        day = max(commit.day, self._now.day) if self._now is not None else commit.day
        after = self._load(load, day)
        if after is None:
            return
        yield from self.until(day)
        before = self._now if self._now is not None else nothing(day)
        known = self._at[2] if self._at is not None else {}
        yield from self._changes(before, after, commit, day, known or lock, ended=False)
        self._at, self._now = (commit, load, lock), after

    def until(self, day: date) -> Iterator[Event]:
        """What the ends of entries change up to a day, which the manifests count on from then."""
        if self._at is None or self._now is None:
            return
        commit, load, lock = self._at
        for end in sorted(_ends(self._now, day)):
            after = self._load(load, end)
            if after is not None:
                yield from self._changes(self._now, after, commit, end, lock, ended=True)
                self._now = after
        if self._now.day < day:
            self._now = msgspec.structs.replace(self._now, day=day)  # nothing in it ends by then

    def _changes(
        self, before: Desired, after: Desired, commit: Commit, day: date, lock: Lock, *, ended: bool
    ) -> Iterator[Event]:
        for change in sorted(access_on(before, after, lock), key=reading_order):
            yield Event(day, commit, change, ended)


def _ends(desired: Desired, day: date) -> set[date]:
    """The days after that of the manifests, and up to `day`, on which entries end."""
    found: set[date] = set()

    def add_ends(node: Node, kind: str) -> None:
        for one in node.children.get(kind, {}).values():
            if one.expires is not None and desired.day < one.expires <= day:
                found.add(one.expires)

    for org in desired.orgs.values():
        add_ends(org, member.KIND.name)
        for space in org.children.get(workspace.KIND.name, {}).values():
            add_ends(space, grant.KIND.name)
    return found
