"""Running a plan: its steps, the journal, what to remember, and looking afterwards whether Pipes really took it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING

from reconciler.apply import schedule, settle
from reconciler.apply.perform import Run, perform
from reconciler.model import address as addresses
from reconciler.model.errors import PipesError
from reconciler.model.live import Lock
from reconciler.model.result import Outcome, Result
from reconciler.pipes import reading
from reconciler.plan import make_plan, remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from reconciler.apply.journal import Journal
    from reconciler.model.desired import Desired
    from reconciler.model.live import Snapshot
    from reconciler.model.plan import Plan
    from reconciler.pipes.client import Client


@dataclass(frozen=True, slots=True)
class Options:
    """How an apply runs. `settle` is how many seconds asynchronous workspaces may take; `ended` hears each outcome.

    `complete` says that the manifests are here as a whole, not narrowed: what the lock file knows beyond them has left.
    """

    parallelism: int = 10
    settle: float = 600.0
    fail_fast: bool = False
    keep_going: bool = False
    complete: bool = True
    stop: Event = field(default_factory=Event)
    ended: Callable[[Outcome], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Applied:
    """The result, and the lock file's new content."""

    result: Result
    lock: Lock


def run(
    plan: Plan, desired: Desired, live: Snapshot, lock: Lock, client: Client, journal: Journal, options: Options
) -> Applied:
    """Perform `plan`, which was made from `desired`, `live` and `lock` just now.

    The caller has made sure that no refusal stands in the way; steps of refused orgs are left out where it goes on
    all the same (`keep_going`). What fails is in the result; raises only what is a bug of ours.
    """
    floors = {}
    for org in plan.orgs:
        lifted = any(code == "owner-floor" and addresses.covers(where, org) for code, where in plan.allowed)
        floors[org.partition(".")[2]] = 1 if lifted else desired.rules.min_owners
    state = Run(plan, client, journal, floors)
    blocked = {addresses.org_of(r.address) for r in plan.refusals} if options.keep_going else set()
    steps = [step for step in plan.steps if addresses.org_of(step.address) not in blocked]
    outcomes = schedule.run_steps(
        steps,
        lambda step: perform(state, step),
        parallelism=options.parallelism,
        stop=options.stop,
        fail_fast=options.fail_fast,
        ended=options.ended,
    )
    notes: list[str] = []
    outcomes = _settled(client, outcomes, options)
    new_lock = {**lock, **state.learned}
    done = {o.address for o in outcomes if o.status in schedule.SUCCEEDED}
    touched = {addresses.org_of(o.address) for o in outcomes if o.wrote}
    if touched and not options.stop.is_set():
        try:
            fresh = reading.snapshot(client, desired, new_lock, only_orgs=touched)
        except PipesError as error:
            notes.append(f"what was applied could not be read again: {error}")
        else:
            outcomes = _verified(outcomes, desired, fresh, new_lock, done)
            notes.extend(_others_changes(outcomes, desired, fresh, new_lock, done))
            new_lock = remembered(desired, fresh, new_lock, only=touched)
    new_lock = remembered(desired, live, new_lock, only={o for o in _org_names(plan) if o not in touched})
    if options.complete and len(desired.orgs) == len(plan.orgs):
        new_lock = {a: entry for a, entry in new_lock.items() if addresses.org_of(a) in desired.orgs}
    result = Result(plan, tuple(outcomes), tuple(notes), interrupted=options.stop.is_set())
    return Applied(result, new_lock)


def _org_names(plan: Plan) -> Collection[str]:
    return [org.partition(".")[2] for org in plan.orgs]


def _settled(client: Client, outcomes: list[Outcome], options: Options) -> list[Outcome]:
    """Turn workspaces that did not come to rest in time into failures."""
    wait_for = {
        o.address
        for o in outcomes
        if o.status in schedule.SUCCEEDED
        and o.wrote
        and o.action != "delete"
        and addresses.split(o.address)[-1][0] == "workspace"
    }
    try:
        late = dict(
            settle.unsettled(client, sorted(wait_for), timeout=options.settle, clock=options.clock, stop=options.stop)
        )
    except PipesError as error:
        late = dict.fromkeys(wait_for, f"not known ({error})")
    if not late:
        return outcomes
    return [
        replace(o, status="failed", detail=f"accepted, and still `{late[o.address]}` when the waiting ended")
        if o.address in late and o.status in schedule.SUCCEEDED
        else o
        for o in outcomes
    ]


def _verified(
    outcomes: list[Outcome], desired: Desired, fresh: Snapshot, lock: Lock, done: Collection[str]
) -> list[Outcome]:
    """Compare what was done with a fresh reading: what Pipes answered with success and did not take is a failure."""
    left = {change.address: change for change in make_plan(desired, fresh, lock).changes}
    return [
        replace(
            o,
            status="failed",
            detail="Pipes answered with success, and reading it again shows it undone: "
            f"{left[o.address].action} is still needed",
        )
        if o.status == "done" and o.address in done and o.address in left
        else o
        for o in outcomes
    ]


def _others_changes(
    outcomes: list[Outcome], desired: Desired, fresh: Snapshot, lock: Lock, done: Collection[str]
) -> list[str]:
    """What a fresh plan would still change that this one did not have: somebody else is at work."""
    mine = {o.address for o in outcomes} | set(done)
    new = [c.address for c in make_plan(desired, fresh, lock).changes if c.address not in mine]
    return [f"changed by somebody else meanwhile, plan again: {', '.join(sorted(new)[:10])}"] if new else []


__all__ = ["Applied", "Lock", "Options", "run"]
