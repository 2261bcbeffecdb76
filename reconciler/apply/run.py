"""Running a plan: its steps, the lock file's new content, and reading afterwards whether Pipes really did it."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from reconciler.apply import implied, schedule, secrets, workspace_wait
from reconciler.apply.perform import perform
from reconciler.apply.state import Run
from reconciler.apply.verify import Reread, Verified, unread, verify
from reconciler.kinds import KINDS, logo, member, named_below, secret, service_account, workspace
from reconciler.kinds.kind import Place
from reconciler.lockfile.update import remembered, with_addresses
from reconciler.model import address as addresses
from reconciler.model.errors import PipesError
from reconciler.model.live import address_digest
from reconciler.model.result import Outcome, Result
from reconciler.pipes import reading
from reconciler.pipes.errors import NotAuthorisedError, StatusError
from reconciler.plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from reconciler.apply.journal import Journal
    from reconciler.model.desired import Desired
    from reconciler.model.live import Lock, LockEntry, Resource, Snapshot
    from reconciler.model.plan import Plan, Step
    from reconciler.pipes.client import Client


class Options(msgspec.Struct, frozen=True):
    """How an apply runs."""

    # How far it goes
    parallelism: int = 10  # how many steps run side by side
    settle_seconds: float = 600.0  # that workspaces may take until they can be used
    fail_fast: bool = False  # start nothing more after a failure
    keep_going: bool = False  # apply the other orgs although one is refused
    ends_only: bool = (
        False  # nothing but ends of entries: grants go with memberships, orgs and workspaces are as before
    )
    complete: bool = True  # the manifests are whole: what the lock file knows beyond them has left

    # What it is given
    stop: Event = msgspec.field(default_factory=Event)  # set when the user ends the apply
    ended: Callable[[Outcome], None] = lambda _: None  # is called with each outcome
    waiting: Callable[[str], None] = lambda _: None  # is called with the address of a workspace that is awaited
    checking: Callable[[str, int, int, str], object] | None = None  # is called for each list that is read again
    clock: Callable[[], float] = time.monotonic  # measures `settle`
    secrets: secrets.Secrets | None = None  # resolves references to secrets


class Applied(msgspec.Struct, frozen=True):
    """The result, and the lock file's new content."""

    result: Result
    lock: Lock


def run_plan(
    plan: Plan, desired: Desired, live: Snapshot, lock: Lock, client: Client, journal: Journal, options: Options
) -> Applied:
    """Perform `plan`, which was made from `desired`, `live` and `lock` just now.

    The caller has made sure that nothing is refused; steps of refused orgs are left out where it goes on
    all the same (`keep_going`). What fails is in the result; raises only for a bug in reconciler.
    """
    floors = {}
    for org in plan.orgs:
        lifted = any(code == "owner-floor" and addresses.covers(where, org) for code, where in plan.allowed)
        floors[org.partition(".")[2]] = 1 if lifted else desired.rules.min_owners
    state = Run(
        plan,
        client,
        journal,
        live.actor.id,
        floors,
        robots=_robots(desired, live, lock),
        by_handle=named_by_handle(desired),
        folders=_folders(desired),
        seen={one.id: one.attrs for org in live.orgs.values() for one in _below(org)},
    )
    blocked = {addresses.org_of(r.address) for r in plan.refusals} if options.keep_going else set()
    steps = [step for step in plan.steps if addresses.org_of(step.address) not in blocked]
    wait = workspace_wait.WorkspaceWait(
        client, timeout=options.settle_seconds, clock=options.clock, stop=options.stop, waiting=options.waiting
    )

    def do(step: Step) -> Outcome:
        if _ends_access(step, plan, live.actor.id):
            # nobody can look at them after this step
            org = addresses.org_of(step.address)
            wait.wait_for(
                s.address for s in steps if addresses.org_of(s.address) == org and _moves(s.address, s.action)
            )
        return perform(state, step)

    def run_steps(some: Sequence[Step]) -> list[Outcome]:
        return schedule.run_steps(
            some,
            do,
            parallelism=options.parallelism,
            stop=options.stop,
            fail_fast=options.fail_fast,
            ended=options.ended,
        )

    outcomes = implied.run(steps, implied.going(plan) if options.ends_only else {}, run_steps)
    outcomes = _with_late_workspaces(wait, outcomes)
    outcomes = [o if options.stop.is_set() else _tested(state, o) for o in outcomes]
    learned = with_addresses(state.learned, desired)
    new_lock = {**lock, **{a: _with_former(entry, lock.get(a)) for a, entry in learned.items()}}
    if options.secrets is not None:
        configured = {
            o.address for o in outcomes if o.status in schedule.SUCCEEDED and o.wrote and _configured(state, o)
        }
        new_lock = secrets.sent(desired, new_lock, options.secrets, configured)
        secrets.judge(desired, new_lock, options.secrets, configured)
    touched = {addresses.org_of(o.address) for o in outcomes if o.wrote}
    found = Verified(outcomes)
    unseen = bool(touched) and options.stop.is_set()
    if unseen:
        found.notes.append(
            f"it was stopped, so what it did was not read again; plan again to see what is left: {', '.join(sorted(touched))}"
        )
    elif touched:
        found, new_lock = _read_again(state, desired, live, new_lock, outcomes, options)
    new_lock = remembered(desired, live, new_lock, only={o for o in _org_names(plan) if o not in touched})
    if options.complete and len(desired.orgs) == len(plan.orgs):
        new_lock = {a: entry for a, entry in new_lock.items() if addresses.org_of(a) in desired.orgs}
    left_alone = ", ".join(f"org.{name}" for name in sorted(blocked))
    result = Result(
        plan,
        tuple(found.outcomes),
        (*found.notes, *([f"refused, so nothing was applied to: {left_alone}"] if left_alone else [])),
        interrupted=unseen
        or (options.stop.is_set() and any(o.status in ("skipped", "unconfirmed") for o in found.outcomes)),
        remaining=tuple(found.remaining),
    )
    return Applied(result, new_lock)


def _read_again(
    state: Run, desired: Desired, live: Snapshot, lock: Lock, outcomes: list[Outcome], options: Options
) -> tuple[Verified, Lock]:
    """Read the orgs again that were written to, and judge the outcomes by that. The lock file's content goes with it.

    With `options.ends_only`, orgs and workspaces are as they are in `live`, and are not read again.
    """
    touched = {addresses.org_of(o.address) for o in outcomes if o.wrote}
    steps = {step.number: step for step in state.plan.steps}
    left = {
        addresses.org_of(o.address)
        for o in outcomes
        if o.wrote and o.status == "done" and _ends_access(steps[o.number], state.plan, state.actor)
    }
    left = {org for org in left if _has_ended(state, org, live.actor.handle)}
    written = replace(
        desired,
        orgs={name: node for name, node in desired.orgs.items() if name in touched},
        elsewhere={**desired.elsewhere, **{n: node for n, node in desired.orgs.items() if n not in touched}},
    )
    try:
        known = live if options.ends_only else None
        fresh = reading.snapshot(state.client, written, lock, known=known, progress=options.checking)
    except PipesError as error:
        ended = touched if left and isinstance(error, NotAuthorisedError) else left
        return unread(outcomes, touched, str(error), ended), lock
    again = Reread(written, live, fresh, make_plan(written, fresh, lock), lock, left, state.plan.allowed)
    return verify(outcomes, again), remembered(desired, fresh, lock, only=touched)


def _has_ended(state: Run, org: str, actor: str) -> bool:
    """Whether Pipes shows that the token's user owns an org no more. A failure that says nothing of it does not show that."""
    try:
        row = reading.read_again(state.client, member.KIND, member.KIND.object_path(Place(org=org), actor))
    except NotAuthorisedError:
        return True
    except StatusError as error:
        return error.status == 403
    except PipesError:
        return False
    return row is None or not member.is_accepted_owner(row.attrs)


def _configured(state: Run, outcome: Outcome) -> dict[str, Any] | None:
    """The configuration that was sent to the object of an outcome; None where there was none."""
    if outcome.action == "delete":
        return None
    sent = [r.body for r in state.changes[outcome.address].requests if r.body and secret.FIELD in r.body]
    return sent[-1][secret.FIELD] if sent else None


def _tested(state: Run, outcome: Outcome) -> Outcome:
    """An outcome with what Pipes' test says of what was written (orgConnection_test). What cannot be tested is reported."""
    config = _configured(state, outcome)
    if outcome.status not in schedule.SUCCEEDED or not outcome.wrote or not config:
        return outcome
    change = state.changes[outcome.address]
    kind = KINDS[change.kind]
    if kind.test is None:
        return replace(outcome, detail=f"not tested: Pipes has no test of a {kind.noun}")
    place, handle = Place.of(outcome.address), addresses.name_of(outcome.address)
    plugin = (change.after or {}).get("plugin") or (change.before or {}).get("plugin")
    try:
        answer = state.client.send(kind.test(place, handle, {"plugin": plugin, secret.FIELD: config}))
    except PipesError as error:
        return replace(outcome, detail=f"it could not be tested: {error}")
    if not answer.ok:
        return replace(outcome, detail=f"it could not be tested: Pipes answered {answer.problem}")
    status, reason = (str((answer.body or {}).get(name) or "")[:300] for name in ("status", "reason"))
    if status.lower() in ("ok", "success", "succeeded", "passed"):
        return replace(outcome, detail=f"its test: {status}")
    return replace(
        outcome, detail=f"its test failed: {status or 'no status'}{f', {reason}' if reason else ''}", test_failed=True
    )


def _with_former(entry: LockEntry, before: LockEntry | None) -> LockEntry:
    """An entry that was learned, with what the lock file knew of the same object beyond it."""
    if before is None or before.id != entry.id:
        return entry
    return replace(entry, more={**before.more, **entry.more})


def _below(live: Resource) -> Iterator[Resource]:
    """The live objects with names of their own below an org or one of its objects, at any depth."""
    for kind in named_below(live.kind):
        for one in live.of(kind.name).values():
            yield one
            yield from _below(one)


def _folders(desired: Desired) -> dict[str, str]:
    """The folder of the manifest that states each org's logo."""
    return {
        addresses.join(None, "org", name): Path(node.sources[logo.MARK].file).parent.as_posix()
        for name, node in desired.orgs.items()
        if node.sources and logo.MARK in node.sources
    }


def _robots(desired: Desired, live: Snapshot, lock: Lock) -> frozenset[str]:
    """The handles and ids of accounts that the manifests mark as robots, as far as they are known."""
    people = [person for person in desired.people.values() if person.robot]
    handles = {person.handle for person in people if person.handle is not None}
    digests = {address_digest(person.email) for person in people if person.email is not None}
    ids = {row.id for org in live.orgs.values() for row in org.of(member.KIND.name).values() if row.handle in handles}
    ids |= {entry.id for entry in lock.values() if entry.address is not None and entry.address in digests}
    return frozenset(handles | ids)


def named_by_handle(desired: Desired) -> frozenset[str]:
    """The handles of everybody whom the manifests name by one: they are nobody who was invited by email."""
    people = (
        desired.person(name)
        for org in desired.orgs.values()
        for section in (org.children, org.expired or {})
        for name in section.get(member.KIND.name, ())
    )
    return frozenset(person.handle for person in people if person.handle is not None)


def _org_names(plan: Plan) -> Collection[str]:
    return [org.partition(".")[2] for org in plan.orgs]


def _ends_access(step: Step, plan: Plan, actor: str) -> bool:
    """Whether a step may be the last that this token can do in its org: the actor's own loss, or an end of tokens."""
    change = next(c for c in plan.changes if c.address == step.address)
    if change.kind == service_account.KIND.name:
        return change.id == actor and change.action == "delete"
    if change.kind == member.KIND.name:
        return change.id == actor and change.before is not None and not (change.after and member.is_owner(change.after))
    return any("token_min_issued_at" in (request.body or {}) for request in step.requests)


def _moves(address: str, action: str) -> bool:
    return action != "delete" and addresses.kind_of(address) == workspace.KIND.name


def _with_late_workspaces(wait: workspace_wait.WorkspaceWait, outcomes: list[Outcome]) -> list[Outcome]:
    """The outcomes, with the workspaces that did not reach their state in time as not confirmed."""
    wait.wait_for(
        o.address for o in outcomes if o.status in schedule.SUCCEEDED and o.wrote and _moves(o.address, o.action)
    )
    return [
        replace(o, status="unconfirmed", detail=f"accepted, and still `{wait.late[o.address]}` when the waiting ended")
        if o.address in wait.late and o.status in schedule.SUCCEEDED
        else o
        for o in outcomes
    ]
