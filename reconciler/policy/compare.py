"""Compares two states of rules and access: which violations are new, ended or remain, and which rules a pull request changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs
from msgspec.structs import replace

from reconciler.access.maps import Names
from reconciler.access.review.sides import Sides, name_in_head, paired
from reconciler.model.policy import RuleChange, ViolationChanges, pattern_of
from reconciler.policy.judge import judge
from reconciler.policy.world import of_manifests

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from reconciler.model.desired import Desired, Person
    from reconciler.model.live import Lock
    from reconciler.model.policy import Policy, Verdict, Violation, Waiver

RANK = {"removed": 0, "loosened": 0, "added": 1, "tightened": 2, "changed": 2}


def of_review(base: Desired, head: Desired, lock: Lock, *, soon: int = 0) -> ViolationChanges:
    """What HEAD changes in who breaks which policy; each side is judged by its own policies and waivers."""
    sides = paired(Sides(base, head, Names(base, lock), Names(head, lock)))
    names = {**sides.orgs, **sides.spaces}
    before = _verdict(base, lock)
    after = _verdict(head, lock, soon)
    renamed = [replace(one, place=name_in_head(one.place, sides, names)) for one in before.violations]
    new, ended, standing = compared(renamed, after.violations)
    return ViolationChanges(after, new, ended, standing)


def _verdict(desired: Desired, lock: Lock, soon: int = 0) -> Verdict:
    return judge(desired.policies, desired.waivers, of_manifests(desired, lock, desired.policies.values()), soon=soon)


def compared(
    before: Collection[Violation], after: Collection[Violation]
) -> tuple[tuple[Violation, ...], tuple[Violation, ...], tuple[Violation, ...]]:
    """The violations that are new or worse, those that ended, and those that remain."""
    known, now = {one.at: one for one in before}, {one.at for one in after}
    new = tuple(one for one in after if one.at not in known or one.is_worse_than(known[one.at]))
    ended = tuple(one for one in before if one.at not in now)
    worse = {one.at for one in new}
    return new, ended, tuple(one for one in after if one.at not in worse)


# --- the rules themselves ---------------------------------------------------------------------------------------------


def rule_changes(base: Desired, head: Desired) -> tuple[RuleChange, ...]:
    """What HEAD changes in the rules, those that allow more first."""
    found = [*_policies(base, head), *_waivers(base, head), *_approvals(base, head), *_teams(base, head)]
    return tuple(sorted(found, key=lambda one: (not one.loosens, RANK[one.change], one.kind, one.name)))


def people_changed(base: Desired, head: Desired) -> bool:
    """Whether HEAD changes who the names in `people:` are, apart from what `rule_changes` lists."""

    def said(desired: Desired) -> dict[str, Person]:
        return {name: structs.replace(person, source=None) for name, person in desired.people.items()}

    return said(base) != said(head)


def _policies(base: Desired, head: Desired) -> Iterator[RuleChange]:
    for name, old in base.policies.items():
        if name not in head.policies:
            yield RuleChange("policy", name, "removed", True, source=old.source)
    for name, new in head.policies.items():
        was = base.policies.get(name)
        if was is None:
            yield RuleChange("policy", name, "added", False, source=new.source)
            continue
        differing = [(key, fine(was, new)) for key, same, fine in FIELDS if not same(was, new)]
        if differing:
            loosened = [key for key, fine in differing if not fine]
            change = "loosened" if loosened else "tightened"
            details = tuple(f"`{key}`" for key in loosened or [key for key, _ in differing])
            yield RuleChange("policy", name, change, bool(loosened), details, new.source)
        elif (was.message, was.help) != (new.message, new.help):
            yield RuleChange("policy", name, "changed", False, ("its words",), new.source)


def _waivers(base: Desired, head: Desired) -> Iterator[RuleChange]:
    def by(desired: Desired) -> dict[tuple[str, str | None, str | None], Waiver]:
        return {(one.policy, one.who, one.place): one for one in desired.waivers}

    old, new = by(base), by(head)
    for at, waiver in new.items():
        was = old.get(at)
        until = f"through {waiver.until.isoformat()}: {waiver.reason}"
        if was is None:
            loosens = waiver.until >= head.day
            yield RuleChange("waiver", _of(waiver), "added", loosens, (until,), waiver.source, waiver.who)
        elif was.until < waiver.until:
            details = (f"{until}; before, through {was.until.isoformat()}",)
            yield RuleChange("waiver", _of(waiver), "loosened", True, details, waiver.source, waiver.who)
        elif (was.until, was.reason) != (waiver.until, waiver.reason):
            yield RuleChange("waiver", _of(waiver), "changed", False, (until,), waiver.source, waiver.who)
    for at, waiver in old.items():
        if at not in new:
            yield RuleChange("waiver", _of(waiver), "removed", False, source=waiver.source, who=waiver.who)


def _of(waiver: Waiver) -> str:
    who = f" for {waiver.who}" if waiver.who is not None else ""
    return waiver.policy + who + (f" in {waiver.place}" if waiver.place is not None else "")


def _approvals(base: Desired, head: Desired) -> Iterator[RuleChange]:
    for key, old in base.approvals.items():
        if key not in head.approvals:
            yield RuleChange("approval", key, "removed", True, source=old.source)
    for key, new in head.approvals.items():
        was = base.approvals.get(key)
        if was is None:
            # a key for a place or for losses takes the place of `default`
            loosens = bool(base.approvals)
            yield RuleChange("approval", key, "added", loosens, source=new.source)
        elif (was.of, was.count) != (new.of, new.count):
            stricter = bool(new.of) and set(new.of) <= set(was.of) and new.count >= was.count
            stricter = stricter or (not was.of and bool(new.of))
            change = "tightened" if stricter else "loosened"
            yield RuleChange("approval", key, change, not stricter, source=new.source)


def _teams(base: Desired, head: Desired) -> Iterator[RuleChange]:
    """Teams that a rule of BASE or HEAD names, with other people in them than before."""
    named: dict[str, set[str]] = {}  # a team -> `in` if more people in it loosen the rules, `out` if fewer do
    for desired in (base, head):
        for policy in desired.policies.values():
            for name in (*policy.unless, *(policy.only or ())):
                named.setdefault(name, set()).add("in")
            for side in policy.apart:
                named.setdefault(side.team, set()).add("out")
        for approval in desired.approvals.values():
            for name in approval.of:
                named.setdefault(name, set()).add("in")
    for name, ways in sorted(named.items()):
        team = name.removeprefix("team/")
        if team == name:
            continue
        had, has = set(base.teams.get(team, ())), set(head.teams.get(team, ()))
        if had == has:
            continue
        joined, left = sorted(has - had), sorted(had - has)
        loosens = bool(("in" in ways and joined) or ("out" in ways and left))
        details = [f"{', '.join(names)} {verb}" for names, verb in ((joined, "in"), (left, "out")) if names]
        yield RuleChange(
            "team", name, "loosened" if loosens else "tightened", loosens, tuple(details), names=tuple(joined)
        )


# --- stricter or not, field by field ----------------------------------------------------------------------------------


def _covered(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """Whether the patterns `new` mean everything that the patterns `old` mean."""
    if not old or not new:
        return old == new
    return all(any(pattern_of(wide).fullmatch(one) for wide in new) for one in old)


def _within(old: tuple[str, ...] | None, new: tuple[str, ...] | None) -> bool:
    """Whether nobody was added to a list of the people allowed; None is everybody."""
    return new is not None and (old is None or set(new) <= set(old))


def _roles(old: Policy, new: Policy) -> bool:
    if old.min is not None or new.min is not None:
        return False  # in more roles, a minimum is easier to reach
    return not new.roles or (bool(old.roles) and set(old.roles) <= set(new.roles))


def _least(old: int | None, new: int | None) -> bool:
    return old is None or (new is not None and new >= old)


def _most(old: int | None, new: int | None) -> bool:
    return old is None or (new is not None and new <= old)


# key, whether it is unchanged, whether the new value is clearly at least as strict
FIELDS: tuple[tuple[str, Callable[[Policy, Policy], bool], Callable[[Policy, Policy], bool]], ...] = (
    ("in", lambda a, b: a.places == b.places, lambda a, b: _covered(a.places, b.places) and a.min == b.min),
    (
        "connection",
        lambda a, b: a.connections == b.connections,
        lambda a, b: _covered(a.connections, b.connections),
    ),
    ("role", lambda a, b: a.roles == b.roles, _roles),
    ("unless", lambda a, b: a.unless == b.unless, lambda a, b: set(b.unless) <= set(a.unless)),
    ("people.min", lambda a, b: a.min == b.min, lambda a, b: _least(a.min, b.min)),
    ("people.max", lambda a, b: a.max == b.max, lambda a, b: _most(a.max, b.max)),
    ("only", lambda a, b: a.only == b.only, lambda a, b: _within(a.only, b.only)),
    (
        "expires_within",
        lambda a, b: a.expires_within == b.expires_within,
        lambda a, b: _most(a.expires_within, b.expires_within),
    ),
    ("reason", lambda a, b: a.reason == b.reason, lambda _, b: b.reason),
    ("apart", lambda a, b: a.apart == b.apart, lambda a, b: set(a.apart) <= set(b.apart)),
    ("robots", lambda a, b: a.robots == b.robots, lambda _, b: b.robots),
    (
        "email_domains",
        lambda a, b: a.email_domains == b.email_domains,
        lambda a, b: _within(a.email_domains, b.email_domains),
    ),
    ("level", lambda a, b: a.level == b.level, lambda _, b: b.level == "error"),
)
