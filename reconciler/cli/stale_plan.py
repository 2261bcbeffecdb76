"""A saved plan, compared with one that is made now: what `apply FILE` does before anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli import manifests
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from reconciler.model.live import Lock, Snapshot
    from reconciler.model.plan import Plan
    from reconciler.pipes.client import Client


def unless_stale(
    saved: Plan, found: manifests.Manifests, live: Snapshot, lock: Lock, reader: Client, pipes: str
) -> Plan:
    """The saved plan, made again from what is live now, and refused as `stale-plan` where that is not the same."""
    from msgspec.structs import replace

    from reconciler.apply.last_change import LastChange
    from reconciler.plan import make_plan
    from reconciler.plan.stale import by_another, elsewhere, of_others, stale

    try:
        fresh = make_plan(found.desired, live, lock, saved.allowed, saved.shard)
    except UsageError:
        # what an allowance was given for is not part of the plan any more: compare without it
        fresh = make_plan(found.desired, live, lock, (), saved.shard)
    fresh = manifests.judged(fresh, found.desired, live, lock)
    if saved.shard is not None and fresh.shard is not None:
        # shards are joined by whose token planned them; another one's may apply them
        fresh = replace(fresh, shard=replace(fresh.shard, actor=saved.shard.actor))
    away = elsewhere(saved, pipes) or of_others(saved, fresh)
    if away is not None:  # whatever differs there says nothing about the plan
        return replace(fresh, refusals=(away,))
    differences = tuple(stale(saved, fresh, LastChange(saved, reader).described))
    # one user's token may plan and another one's apply, as in CI: only what they would do differently is refused
    another = by_another(saved, live.actor.handle) if differences else None
    return replace(fresh, refusals=(*fresh.refusals, *((another,) if another else ()), *differences))
