"""Policies x World -> Verdict: which rules do not hold, for whom, where and why."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.model.policy import (
    APART,
    DOMAINS,
    EXPIRES,
    ONLY,
    OWNERS,
    REASON,
    ROBOTS,
    Verdict,
    Violation,
    Waiver,
    pattern_of,
)
from reconciler.policy import facts
from reconciler.policy import world as worlds
from reconciler.policy.facts import is_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from reconciler.model.access import Assignment
    from reconciler.model.desired import Desired
    from reconciler.model.live import Lock, Snapshot
    from reconciler.model.policy import Policy, Side
    from reconciler.policy.world import World

    Waived = dict[tuple[str | None, str | None], Waiver]  # by the key of a person and the place; None: all


def of_desired(desired: Desired, lock: Lock | None, *, soon: int = 0) -> Verdict:
    """What the policies of the manifests say of the access that the manifests ask for."""
    world = worlds.of_manifests(desired, lock, desired.policies.values())
    return judge(desired.policies, desired.waivers, world, soon=soon)


def of_live(live: Snapshot, desired: Desired, lock: Lock | None) -> Verdict:
    """What the policies of the manifests say of the access that Pipes gives."""
    return judge(desired.policies, desired.waivers, worlds.of_live(live, desired, lock))


def judge(policies: Mapping[str, Policy], waivers: Collection[Waiver], world: World, *, soon: int = 0) -> Verdict:
    """What the policies say of a world on its day. `soon`: how many days before its end a waiver is mentioned."""
    found: list[Violation] = []
    waived: list[tuple[Violation, Waiver]] = []
    notes: list[str] = []
    used: set[int] = set()
    for policy in policies.values():
        active: Waived = {
            (None if one.who is None else world.names.key(one.who), one.place): one
            for one in waivers
            if one.policy == policy.name and one.until >= world.day
        }
        notes += _notes(policy, world)
        for violation in _violations(policy, world, active, used):
            allowed = _waiver_of(violation, active)
            if allowed is None:
                found.append(violation)
            else:
                used.add(id(allowed))
                waived.append((violation, allowed))
    current = [one for one in waivers if one.until >= world.day]
    return Verdict(
        tuple(policies.values()),
        tuple(sorted(found, key=lambda one: (one.level, one.policy, one.place, one.person or ""))),
        tuple(waived),
        unused=tuple(one for one in current if id(one) not in used),
        ended=tuple(one for one in waivers if one.until < world.day),
        ending=tuple(one for one in current if id(one) in used and (one.until - world.day).days < soon),
        notes=tuple(notes),
    )


def _waiver_of(violation: Violation, active: Waived) -> Waiver | None:
    """The waiver that allows a violation. `apart` takes waived places out before it judges."""
    if not active or violation.rule == APART:
        return None
    if violation.key is None:
        return active.get((None, violation.place)) or active.get((None, None))
    return active.get((violation.key, violation.place))


def _violations(policy: Policy, world: World, active: Waived, used: set[int]) -> Iterator[Violation]:
    if policy.apart:
        yield from _apart(policy, world, active, used)
    single = any(
        (policy.min is not None, policy.max is not None, policy.only is not None, policy.expires_within is not None,
         policy.reason, policy.robots, policy.email_domains is not None)
    )  # fmt: skip
    if not single:
        return
    for place in matching(policy.places, world.places):
        yield from _place(policy, place, world.places[place], place not in world.open, world, active, used)
    for connection in matching(policy.connections, world.connection_uses):
        spaces = dict.fromkeys(use.workspace for use in world.connection_uses[connection])
        assignments = [assignment for space in spaces for assignment in world.places.get(space, ())]
        whole = connection not in world.open_connections and world.open.isdisjoint(spaces)
        yield from _place(policy, connection, assignments, whole, world, active, used)


def matching(patterns: Collection[str], there: Collection[str]) -> list[str]:
    """The existing places that any of the patterns matches."""
    if not patterns:
        return []
    tests = [pattern_of(pattern).fullmatch for pattern in patterns]
    return [place for place in there if any(test(place) for test in tests)]


def _place(
    policy: Policy,
    place: str,
    assignments: Sequence[Assignment],
    whole: bool,
    world: World,
    active: Waived,
    used: set[int],
) -> Iterator[Violation]:
    if policy.roles:
        roles = frozenset(policy.roles)
        assignments = [assignment for assignment in assignments if assignment.role in roles]
    limited = assignments
    if policy.unless:
        spared = _named(policy.unless, world)
        limited = [assignment for assignment in assignments if not spared(assignment)]
    if policy.max is not None:
        yield from _too_many(policy, place, limited, policy.max, world, active, used)
    if policy.min is not None and whole:
        there = {
            assignment.key: assignment
            for assignment in assignments
            if not assignment.pending and not world.is_robot(assignment)
        }
        if len(there) < policy.min:
            invited = any(assignment.pending for assignment in assignments)
            yield facts.too_few(policy, place, list(there.values()), policy.min, world.day, invited=invited)
    for rule, breaks in _tests(policy, world):
        seen = set()
        for assignment in limited:
            if breaks(assignment) and assignment.key not in seen:
                seen.add(assignment.key)  # a connection may be reached through many workspaces
                yield facts.of_person(policy, rule, place, assignment, world)


def _too_many(
    policy: Policy,
    place: str,
    assignments: Sequence[Assignment],
    limit: int,
    world: World,
    active: Waived,
    used: set[int],
) -> Iterator[Violation]:
    there = {assignment.key: assignment for assignment in assignments if not world.is_robot(assignment)}
    if len(there) <= limit:
        return
    for key in list(there):
        waiver = active.get((key, place))
        if waiver is not None:
            used.add(id(waiver))
            del there[key]
    if len(there) > limit:
        yield facts.too_many(policy, place, list(there.values()), limit, world.day)


def _tests(policy: Policy, world: World) -> Iterator[tuple[str, Callable[[Assignment], bool]]]:
    """The rules of a policy that one person can break, each with what breaks it."""
    if policy.only is not None:
        may = _named(policy.only, world)
        yield ONLY, lambda assignment: not may(assignment)
    if policy.expires_within is not None:
        last, roles = world.day + timedelta(days=policy.expires_within), policy.roles
        yield (
            EXPIRES,
            lambda assignment: (
                assignment.expires is None
                or assignment.expires > last
                or (assignment.then is not None and (not roles or assignment.then in roles))
            ),
        )
    if policy.reason:
        yield REASON, lambda assignment: not (assignment.because or "").strip()
    if policy.robots:
        yield ROBOTS, world.is_robot
    if policy.email_domains is not None:
        outside = {
            key
            for key, addresses in world.emails.items()
            if any(address.rpartition("@")[2].lower() not in policy.email_domains for address in addresses)
        }
        yield DOMAINS, lambda assignment: assignment.key in outside


def _named(names: Sequence[str], world: World) -> Callable[[Assignment], bool]:
    """Whether one of the names means the person with this access."""
    keys = frozenset[str]().union(*(world.people_of(name) for name in names if name != OWNERS))
    if OWNERS in names:
        return lambda assignment: assignment.key in keys or is_owner(assignment)
    return lambda assignment: assignment.key in keys


# --- separation of duties ---------------------------------------------------------------------------------------------


def _apart(policy: Policy, world: World, active: Waived, used: set[int]) -> Iterator[Violation]:
    """People who have more than one of the duties, over all places of the policy together."""
    everywhere = list(world.places) if not policy.places else matching(policy.places, world.places)
    roles = frozenset(policy.roles)
    spared = _named(policy.unless, world)
    held: dict[str, dict[Side, list[Assignment]]] = {}
    for side in policy.apart:
        places = matching(side.places, world.places) if side.places else everywhere
        wanted = frozenset(side.roles) or roles
        people = world.people_of(side.team) if side.team else None
        for place in places:
            for assignment in world.places[place]:
                if people is not None and assignment.key not in people:
                    continue
                if (wanted and assignment.role not in wanted) or spared(assignment):
                    continue
                held.setdefault(assignment.key, {}).setdefault(side, []).append(assignment)
    for key, sides in held.items():
        if len(sides) < 2:
            continue
        left = {}
        for side, assignments in sides.items():
            kept = [assignment for assignment in assignments if (key, assignment.object) not in active]
            if kept:
                left[side] = kept
        if len(left) > 1:
            yield facts.combined(policy, left, world.day)
            continue
        used.update(
            id(active[key, assignment.object])
            for assignments in sides.values()
            for assignment in assignments
            if (key, assignment.object) in active
        )


# --- what could not be judged -----------------------------------------------------------------------------------------


def _notes(policy: Policy, world: World) -> Iterator[str]:
    if policy.min is not None:
        unknown = [place for place in matching(policy.places, world.places) if place in world.open]
        if unknown:
            yield (
                f"policy {policy.name}: how many people {_some(unknown)} has is unknown, because the manifests do not "
                "manage all of its members; `min` is not judged there"
            )
    open_connections = matching(policy.connections, world.open_connections)
    if open_connections:
        yield f"policy {policy.name}: not all workspaces that can use {_some(open_connections)} are known"
    if policy.email_domains is not None:
        there = {
            assignment.key for place in matching(policy.places, world.places) for assignment in world.places[place]
        }
        count = len(there - world.emails.keys())
        if count:
            many = "1 person has" if count == 1 else f"{count:,} people have"
            yield f"policy {policy.name}: {many} no known email address"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
