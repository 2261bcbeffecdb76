"""Which policies break in Pipes and not in the manifests, and by whose changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.access.maps import Names
from reconciler.model import address as addresses
from reconciler.model.policy import BrokenOutside
from reconciler.plan.risk import PEOPLE
from reconciler.policy import judge
from reconciler.policy.compare import compared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.desired import Desired
    from reconciler.model.drift import Difference
    from reconciler.model.live import Lock, Snapshot
    from reconciler.model.policy import Violation


def broken(
    desired: Desired, live: Snapshot, lock: Lock | None, differences: Sequence[Difference]
) -> tuple[BrokenOutside, ...]:
    """The violations that are in Pipes alone, or worse there, each with who made the differences behind it."""
    names = Names(desired, lock)
    new, _, _ = compared(judge.of_desired(desired, lock).violations, judge.of_live(live, desired, lock).violations)
    people = [one for one in differences if one.kind in PEOPLE]
    return tuple(
        BrokenOutside(
            found,
            tuple(dict.fromkeys(one.by.actor for one in people if one.by is not None and _behind(one, found, names))),
        )
        for found in new
    )


def _behind(difference: Difference, found: Violation, names: Names) -> bool:
    """Whether a difference gives the access that breaks a policy: in that place, or by owning the org."""
    parts = addresses.split(difference.address)
    place = "/".join(name for kind, name in parts if kind in ("org", "workspace"))
    if found.key is not None and found.key not in (difference.handle, names.key(parts[-1][1])):
        return False
    # of a connection and of `apart`, the places are in the words
    return place in found.place or place == found.place.partition("/")[0] or place in found.fact
