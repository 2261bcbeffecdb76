"""A violation in words: who breaks which rule where, how they have that access, and the waiver that would allow it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.kinds import member
from reconciler.model.access import OWNS
from reconciler.model.policy import APART, EXPIRES, MAX, MIN, ONLY, REASON, ROBOTS, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from reconciler.model.access import Assignment
    from reconciler.model.policy import Policy, Side
    from reconciler.policy.world import World

WAIVED_FOR = 14  # days that a suggested waiver lasts
NAMED = 10  # people whom a sentence names; it counts the others


def is_owner(assignment: Assignment) -> bool:
    """Whether somebody reaches a place by owning its org."""
    return assignment.why == OWNS or ("/" not in assignment.object and assignment.role == member.OWNER)


def of_person(policy: Policy, rule: str, place: str, assignment: Assignment, world: World) -> Violation:
    """One person breaks one rule in one place (an org, a workspace or a connection)."""
    return Violation(
        policy.name,
        rule,
        policy.level,
        policy.source,
        place,
        _phrase(assignment, place) + _asked(policy, rule, assignment, world),
        assignment.person,
        assignment.key,
        assignment.role,
        assignment.reason,
        assignment.source,
        message=policy.message,
        help=policy.help,
        waivers=(_line(policy.name, world.day, assignment.person, place),),
    )


def _phrase(assignment: Assignment, place: str) -> str:
    """`vera is operator on acme/prod (direct)`."""
    why = f" ({assignment.reason})"
    here = f"{assignment.role} {'on' if '/' in assignment.object else 'of'} {assignment.object}"
    verb = "is invited as" if assignment.pending == member.INVITED else "is"
    if place != assignment.object:
        return f"{assignment.who} reaches {place} as {here}{why}"
    return f"{assignment.who} {verb} {here}{why}"


def _asked(policy: Policy, rule: str, assignment: Assignment, world: World) -> str:
    if rule == ONLY:
        what = f"be {_or(policy.roles)} there" if policy.roles else "have access there"
        return f", but only {_and(policy.only or ())} may {what}"
    if rule == EXPIRES:
        return f", and {_end(assignment, policy)}; it must end within {_count(policy.expires_within or 0, 'day')}"
    if rule == REASON:
        return ", and the entry gives no reason"
    if rule == ROBOTS:
        return ", but no robot may be"
    wrong = [
        one
        for one in world.emails[assignment.key]
        if one.rpartition("@")[2].lower() not in (policy.email_domains or ())
    ]
    return f" with the address {_and(wrong)}, but only addresses at {_or(policy.email_domains or ())} may be used"


def _end(assignment: Assignment, policy: Policy) -> str:
    if assignment.expires is None:
        return "the entry never ends"
    if assignment.then is not None and (not policy.roles or assignment.then in policy.roles):
        return f"from {assignment.expires.isoformat()} on the entry still gives {assignment.then}"
    return f"the entry ends on {assignment.expires.isoformat()}"


def too_many(policy: Policy, place: str, there: Sequence[Assignment], limit: int, day: date) -> Violation:
    """More people than a policy's `max`."""
    return _number(policy, MAX, place, there, limit, day, f"at most {limit} may")


def too_few(
    policy: Policy, place: str, there: Sequence[Assignment], limit: int, day: date, *, invited: bool
) -> Violation:
    """Fewer people than a policy's `min`. `invited`: somebody is invited, and does not count yet."""
    aside = " (an invitation counts once it is accepted)" if invited else ""
    return _number(policy, MIN, place, there, limit, day, f"at least {limit} must", aside)


def _number(
    policy: Policy,
    rule: str,
    place: str,
    there: Sequence[Assignment],
    limit: int,
    day: date,
    asked: str,
    aside: str = "",
) -> Violation:
    number = len(there)
    names = tuple(sorted(assignment.who for assignment in there))
    people = "nobody" if not number else "1 person" if number == 1 else f"{number:,} people"
    if policy.roles:
        verb = "is" if number <= 1 else "are"
        what = f"{people} {verb} {_or(policy.roles)} {'on' if '/' in place else 'of'} {place}, and {asked} be"
    else:
        verb = "has" if number <= 1 else "have"
        what = f"{people} {verb} access to {place}, and {asked}"
    listed = f": {_and(names, NAMED)}" if names else ""
    source = next((assignment.source for assignment in there if assignment.source is not None), None)
    return Violation(
        policy.name, rule, policy.level, policy.source, place, what + aside + listed,
        role=_or(policy.roles) or None, source=source if number > limit else None, names=names, number=number,
        limit=limit, message=policy.message, help=policy.help, waivers=(_line(policy.name, day, None, place),),
    )  # fmt: skip


def combined(policy: Policy, held: Mapping[Side, Sequence[Assignment]], day: date) -> Violation:
    """One person with more than one of the duties that a policy keeps apart; `held`: by which access."""
    first = next(iter(held.values()))[0]
    duties = [_duty(side, assignments) for side, assignments in held.items()]
    places = sorted({assignment.object for assignments in held.values() for assignment in assignments})
    fact = f"{first.who} is {_and(duties)}; nobody may combine these"
    # if one duty is given up everywhere, the others may stay
    kept = next(iter(held))
    elsewhere = {assignment.object for side, assignments in held.items() if side != kept for assignment in assignments}
    fix = [place for place in places if place in elsewhere]
    return Violation(
        policy.name, APART, policy.level, policy.source, _and(places, NAMED), fact, first.person, first.key, first.role,
        first.reason, first.source, message=policy.message, help=policy.help,
        names=tuple(sorted(f"{side} {assignment.object}" for side, assignments in held.items() for assignment in assignments)),
        waivers=tuple(_line(policy.name, day, first.person, place) for place in fix),
    )  # fmt: skip


def _duty(side: Side, assignments: Sequence[Assignment]) -> str:
    places = _and(sorted({assignment.object for assignment in assignments}), NAMED)
    if side.team:
        return f"in {side.team} with access to {places}"
    roles = sorted({assignment.role for assignment in assignments})
    return f"{_and(roles)} on {places}"


def _line(policy: str, day: date, who: str | None, place: str) -> str:
    """A waiver, ready to paste below `waivers:`."""
    until = (day + timedelta(days=WAIVED_FOR)).isoformat()
    person = f"who: {who}, " if who is not None else ""
    return f"- {{policy: {policy}, {person}in: {place}, until: {until}, reason: write why}}"


def _or(words: Sequence[str]) -> str:
    return " or ".join(words)


def _and(words: Iterable[str], most: int | None = None) -> str:
    found = list(words)
    if most is not None and len(found) > most:
        return f"{', '.join(found[:most])} and {len(found) - most} more"
    return ", ".join(found[:-1]) + " and " + found[-1] if len(found) > 1 else "".join(found)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' * (number != 1)}"
