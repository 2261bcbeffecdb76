"""Desired x Desired -> Review: what HEAD changes over BASE, above all in who reaches what. Pure.

In: both sides, each with its manifests and its lock file. Out: a Review.
Open `sides.py` first: it finds what belongs together. Every other file makes one part of the Review.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.access import connections
from reconciler.access.identities import identity_changes
from reconciler.access.maps import Names, of_desired
from reconciler.access.review.access_changes import AccessChanges, access_changes, reading_order
from reconciler.access.review.endings import endings, unusable_later
from reconciler.access.review.manifest_changes import manifest_changes
from reconciler.access.review.sides import Side, Sides, paired, with_names_of_head
from reconciler.access.review.statements import statements
from reconciler.model.desired import Desired, Rules
from reconciler.model.review import Review, TeamChange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from reconciler.access.expiring import Later
    from reconciler.access.maps import Assigned
    from reconciler.model.live import Lock
    from reconciler.model.review import AccessChange

__all__ = ["Side", "access_between", "access_on", "endings", "make_review", "nothing", "reading_order"]


def make_review(base_side: Side, head_side: Side, later: Mapping[date, Later] | None = None) -> Review:
    """What changes from BASE to HEAD on their day.

    People are told apart with BASE's lock file, never with the pull request's own; `later` holds HEAD on days on which
    an entry ends (see `endings`), to show what remains then.
    """
    base, head = base_side.manifests, head_side.manifests
    # A pull request could otherwise rewrite who an invited person is, and hide behind it.
    base_lock, head_lock = base_side.lock, head_side.lock
    sides = paired(Sides(base, head, Names(base, base_lock), Names(head, base_lock)))
    if connections.stated(base) or connections.stated(head):
        sides.old, sides.new = with_names_of_head(of_desired(base, base_lock), sides), of_desired(head, base_lock)
    access, rerouted, _ = access_changes(sides, base_lock)
    known = {(found.summary, found.source.file if found.source else "") for found in base.warnings}
    return Review(
        base_side.label,
        head_side.label,
        head.day,
        tuple(sorted(access, key=reading_order)),
        tuple(sorted(rerouted, key=reading_order)),
        tuple(statements(sides, base_lock or {}, head_lock or {}, later or {})),
        tuple(_team_changes(base, head)),
        tuple(manifest_changes(sides)),
        warnings=tuple(w for w in head.warnings if (w.summary, w.source.file if w.source else "") not in known),
        notes=tuple(unusable_later(later or {})),
        identities=tuple(identity_changes(base, head, base_lock or {}, head_lock or {})),
    )


def access_on(base: Desired, head: Desired, lock: Lock | None) -> list[AccessChange]:
    """What HEAD changes in who reaches what, on the day of both."""
    return access_between(base, head, lock)[0].changed


def access_between(
    base: Desired, head: Desired, lock: Lock | None, before: Assigned | None = None
) -> tuple[AccessChanges, Sides]:
    """The same with what stays, and with which objects belong together. `before` as for `access_changes`."""
    sides = paired(Sides(base, head, Names(base, lock), Names(head, lock)))
    return access_changes(sides, lock, before), sides


def nothing(day: date) -> Desired:
    """Manifests that do not exist yet."""
    return Desired({}, {}, Rules(), day)


def _team_changes(base: Desired, head: Desired) -> Iterator[TeamChange]:
    for team in sorted({*base.teams, *head.teams}):
        have, want = base.teams.get(team, ()), head.teams.get(team, ())
        if have != want:
            had, has = set(have), set(want)
            yield TeamChange(team, tuple(n for n in want if n not in had), tuple(n for n in have if n not in has))
