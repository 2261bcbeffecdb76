"""`plan --since`: which changes come from the manifests since a revision, and which had already drifted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.drift.compare import NOT_COMPARED
from reconciler.drift.renames import canonical, renames
from reconciler.model import address as addresses
from reconciler.model.drift import BEFORE, BOTH, HERE, UNKNOWN, Since

if TYPE_CHECKING:
    from reconciler.model.plan import Change, Plan


def since(plan: Plan, base: str, before: Plan) -> Since:
    """`plan`, with each change marked as new since `base` or as already drifted.

    `before` is the plan of the base's manifests against the same live objects: what it changes too had already drifted.
    """
    moved, moved_before = renames(plan), renames(before)
    earlier = {canonical(moved_before, change.address): change for change in before.changes}
    blocked = {addresses.org_of(canonical(moved_before, r.address)) for r in before.refusals if r.code in NOT_COMPARED}
    marks: dict[str, str] = {}
    seen: set[str] = set()
    for change in plan.changes:
        place = canonical(moved, change.address)
        seen.add(place)
        other = earlier.get(place)
        if other is None:
            marks[change.address] = UNKNOWN if addresses.org_of(place) in blocked else HERE
        else:
            marks[change.address] = _mark(change, other)
    settled = tuple(change for place, change in earlier.items() if place not in seen)
    return Since(plan, base, marks, settled)


def _mark(here: Change, there: Change) -> str:
    if {here.action, there.action} & {"create", "delete"}:
        same = here.action == there.action and (here.action == "delete" or here.after == there.after)
        return BEFORE if same else BOTH
    now, then = _new_values(here), _new_values(there)
    if all(name in then and then[name] == value for name, value in now.items()):
        return BEFORE
    return BOTH if now.keys() & then.keys() else HERE


def _new_values(change: Change) -> dict[str, Any]:
    """What an update or a rename sets, by attribute."""
    before, after = change.before or {}, change.after or {}
    values = {name: value for name, value in after.items() if before.get(name) != value}
    if change.action == "rename":
        values["handle"] = change.address.rpartition(".")[2]
    return values
