"""After an apply: what a fresh reading of Pipes shows of what was done, and what is still to be done.

A statement about somebody else is made only of an object that this run read twice and found different, although it did not
write it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from reconciler.model import address as addresses

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from reconciler.model.desired import Desired
    from reconciler.model.live import Lock, Resource, Snapshot
    from reconciler.model.plan import Change, Plan
    from reconciler.model.result import Outcome

_NAMED = 10  # addresses in one note


class Reread(msgspec.Struct, frozen=True):
    """What was read again after an apply, and the plan that it gives."""

    desired: Desired  # what the manifests want
    live: Snapshot  # what the apply's own plan was made from
    fresh: Snapshot  # what was read after it
    plan: Plan  # what is still to do
    lock: Lock  # the entries of before and those learned
    left: Collection[str] = ()  # handles of orgs in which this apply ended its own access
    allowed: Sequence[tuple[str, str]] = ()  # allowances of the apply's own plan


class Verified(msgspec.Struct):
    """The outcomes as the fresh reading shows them, and what else it shows."""

    outcomes: list[Outcome]
    remaining: list[str] = msgspec.field(default_factory=list)  # addresses that a plan made now would change or refuse
    notes: list[str] = msgspec.field(default_factory=list)


def unread(outcomes: Sequence[Outcome], orgs: Collection[str], why: str, left: Collection[str]) -> Verified:
    """The outcomes of an apply whose `orgs` could not be read again. Those that it has `left` itself need no second look."""
    doubtful = {org for org in orgs if org not in left}
    found = Verified([_unconfirmed(o, why) if addresses.org_of(o.address) in doubtful else o for o in outcomes])
    if doubtful:
        found.notes.append(f"{', '.join(sorted(doubtful))} could not be read again after the apply: {why}")
    found.notes += [_left(org) for org in sorted(set(orgs) - doubtful)]
    return found


def _unconfirmed(outcome: Outcome, why: str) -> Outcome:
    if outcome.status != "done" or not outcome.wrote:
        return outcome
    return replace(
        outcome, status="unconfirmed", detail=f"Pipes answered with success, but it could not be read again: {why}"
    )


def _left(org: str) -> str:
    return f"this apply ended its own access to {org}, so what it did there could not be read again"


def verify(outcomes: Sequence[Outcome], again: Reread) -> Verified:
    """Judge the outcomes by a fresh plan for the orgs that were written to, which are those of `again.desired`.

    What Pipes answered with success and did not do is a failure. What is not done and was not part of this apply is
    either named as somebody else's, or remains.
    """
    found = Verified(list(outcomes))
    closed = {r.address: r.fact for r in again.plan.refusals if r.address in again.plan.orgs and r.code == "empty-read"}
    unseen = {addresses.org_of(address): fact for address, fact in closed.items()}
    for handle, live in again.fresh.orgs.items():
        if not again.fresh.owned(live):
            unseen.setdefault(handle, "this token's user does not own it any more")
    for name, want in again.desired.orgs.items():
        if name not in again.fresh.orgs and not want.absent:
            unseen.setdefault(name, "Pipes does not show it to this token any more")
    for org, why in sorted(unseen.items()):
        partly = unread(found.outcomes, [org], why, again.left)
        found.outcomes = partly.outcomes
        found.notes += partly.notes
    changes = {c.address: c for c in again.plan.changes if addresses.org_of(c.address) not in unseen}
    mine = {outcome.address: outcome for outcome in outcomes}
    found.outcomes = [
        replace(
            o,
            status="failed",
            detail=f"Pipes answered with success, but reading it again shows that {changes[o.address].action} is still needed",
        )
        if o.status == "done" and o.address in changes
        else o
        for o in found.outcomes
    ]
    refused = {
        refusal.address: refusal.fact
        for refusal in again.plan.refusals
        if addresses.org_of(refusal.address) not in unseen
        and not any(code == refusal.code and addresses.covers(at, refusal.address) for code, at in again.allowed)
    }
    found.outcomes = [
        replace(
            o,
            status="failed",
            detail=f"Pipes answered with success, but a plan made now is refused: {refused[o.address]}",
        )
        if o.status == "done" and o.address in refused and addresses.depth(o.address)
        else o
        for o in found.outcomes
    ]
    others = []
    for address, change in sorted(changes.items()):
        if address in mine and mine[address].status != "already":
            continue
        if address in mine or _differs(again, change):
            others.append(address)
        else:
            found.remaining.append(address)
    # of an org as a whole: whether its own attributes were changed says nothing of that
    found.remaining += [address for address in refused if address not in mine or not addresses.depth(address)]
    if others:
        found.notes.append(f"changed by somebody else while this apply ran; plan again: {_named(others)}")
    if found.remaining:
        found.remaining = sorted(set(found.remaining))
        found.notes.append(f"not done by this apply and still to be done; plan again: {_named(found.remaining)}")
    return found


def _named(found: Sequence[str]) -> str:
    more = f", and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


# --- what was read twice ----------------------------------------------------------------------------------------------


def _differs(again: Reread, change: Change) -> bool:
    """Whether the object of a change was read before and after the apply, and is not the same."""
    parts = addresses.split(change.address)
    before, after = again.live.orgs.get(parts[0][1]), again.fresh.orgs.get(parts[0][1])
    if before is None or after is None or before.id != after.id:
        return False
    if len(parts) == 1:
        return change.before is not None and _other(before.attrs, change.before)
    parent = next((one for one in _objects(after) if _is_at(one, parts[:-1])), None)
    if parent is None:
        return False
    old = next((one for one in _objects(before) if one.kind == parent.kind and one.id == parent.id), None)
    if old is None or not old.was_read(change.kind):
        return False
    was = {one.id: one for one in old.of(change.kind).values()}
    now = {one.id for one in parent.of(change.kind).values()}
    if change.id is not None:
        return change.id not in was or (change.before is not None and _other(was[change.id].attrs, change.before))
    # it will be created, so it is gone: was it there?
    names = {parts[-1][1], again.desired.handle(parts[-1][1])}
    entry = again.lock.get(change.address)
    return any(
        one.id not in now and (one.handle in names or (entry is not None and entry.id == one.id))
        for one in was.values()
    )


def _other(was: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return any(name in was and was[name] != value for name, value in now.items())


def _objects(org: Resource) -> Iterator[Resource]:
    """An org and everything in it that may have objects of its own below."""
    yield org
    for children in (org.children or {}).values():
        for child in children.values():
            if child.children is not None:
                yield from _objects(child)


def _is_at(one: Resource, parts: Sequence[tuple[str, str]]) -> bool:
    return (one.kind, one.handle) == parts[-1]
