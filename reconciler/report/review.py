"""A review as a sheet and as JSON: owners, then statements, then access by person, then the changes in the manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.report import expiring, policies, wording
from reconciler.report.json_document import _diagnostic, _source
from reconciler.report.review_statements import statement, wording_of
from reconciler.report.sheet import (
    FOLDED,
    KEPT,
    MANIFEST_CHANGES,
    SHOWN,
    Brief,
    Item,
    Name,
    Section,
    Sheet,
    Words,
    listed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reconciler.model.access import Assignment
    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.plan import Change
    from reconciler.model.review import AccessChange, IdentityChange, Review, TeamChange

FORMAT_VERSION = "1.0"
A_LINE = 20  # objects on one line, so that lines stay readable
GAIN, LOSE, CHANGE = "gain", "lose", "change"


def to_sheet(review: Review) -> Sheet:
    """The report for people."""
    facts: Words = ("Compared ", Name(review.head), " with ", Name(review.base), f", for {review.day.isoformat()}")
    problems = (*review.errors, *review.inherited, *review.warnings)
    return Sheet(
        "review",
        "Review",
        summary(review),
        tuple(_sections(review)),
        facts,
        problems,
        tuple((note,) for note in _notes(review)),
        bad=bool(review.errors or review.inherited or review.identity_errors),
        outputs=outputs(review),
        tiles=() if review.is_empty else _tiles(review),
        verdict=review.violations.verdict if review.violations is not None else None,
    )


def _tiles(review: Review) -> tuple[tuple[str, str, bool], ...]:
    found = outputs(review)
    shown = (
        ("owners_gained", "owners gained", False),
        ("owners_lost", "owners lost", True),
        ("people_gaining", "gain access", False),
        ("people_losing", "lose access", False),
        ("people_changing", "change role", False),
    )
    return tuple((found[name], what, bad) for name, what, bad in shown)


def outputs(review: Review) -> dict[str, str]:
    """The step outputs that a workflow can make decisions with."""
    people = {kind: _people(review.access, kind) for kind in (GAIN, LOSE, CHANGE)}
    return {
        "identities": str(len(review.identities)),
        "changes": str(len(review.changes)),
        "access": str(len(review.access)),
        "statements": str(len(review.statements)),
        "owners_gained": str(len(_owners(review, GAIN))),
        "owners_lost": str(len(_owners(review, LOSE))),
        "people_gaining": str(len(people[GAIN])),
        "people_losing": str(len(people[LOSE])),
        "people_changing": str(len(people[CHANGE])),
        "expiring": str(len(review.expiring)),
        "risk": review.risk,
        "rules": str(len(review.rules)),
        "violations_new": str(len(review.violations.new) if review.violations is not None else 0),
    }


def summary(review: Review) -> tuple[str, ...]:
    """The result in one or two lines, with the risk in the first."""
    first, *rest = _result(review)
    return (wording.with_risk(first, review.risk), *rest)


def _result(review: Review) -> tuple[str, ...]:
    if review.errors or review.inherited:
        lines = [
            f"These manifests are not valid: {wording.count(len(review.errors) + len(review.inherited), 'error')}."
        ]
        if review.inherited:
            lines.append(f"{wording.count(len(review.inherited), 'error')} of these in {review.base}, too.")
        return tuple(lines)
    if review.identity_errors:
        others = sum(one.error and one.what == "id" for one in review.identities)
        accounts = review.identity_errors - others
        given = [f"{wording.count(accounts, 'account')} would be given to another person"] if accounts else []
        if others:
            given.append(f"{wording.count(others, 'id')} would be given to another name")
        return (f"{', '.join(given)}: see who is who.",)
    if not review.access:
        if review.is_empty:
            return ("No changes.",)
        return ("Nobody gains or loses access.",)
    lost = len(_owners(review, LOSE))
    gained = len(_owners(review, GAIN))
    owners = [f"{wording.count(n, 'owner')} {verb}" for n, verb in ((lost, "lost"), (gained, "gained")) if n]
    verbs = ((LOSE, "loses", "lose"), (CHANGE, "changes role", "change roles"), (GAIN, "gains", "gain"))
    people = []
    for kind, one, many in verbs:
        number = len(_people(review.access, kind))
        if number:
            access = " access" if kind != CHANGE else ""
            people.append(f"{wording.count(number, 'person', 'people')} {one if number == 1 else many}{access}")
    robots = len({found.key for found in review.access if found.robot})
    if robots:
        people.append(f"the access of {wording.count(robots, 'robot')} changes")
    for side, what in (("after", "no longer managed"), ("before", "newly managed")):
        number = len({found.key for found in review.access if found.unknown == side})
        if number:
            people.append(f"{wording.count(number, 'person is', 'people are')} {what}")
    return ("; ".join(filter(None, [", ".join(owners), ", ".join(people)])) + ".",)


def _owners(review: Review, kind: str) -> tuple[AccessChange, ...]:
    role = "has" if kind == GAIN else "had"
    return tuple(
        found for found in review.access if found.owns and not found.unknown and getattr(found, role) == "owner"
    )


def _people(access: Iterable[AccessChange], kind: str) -> set[str]:
    return {found.key for found in access if not found.unknown and not found.robot and direction(found) == kind}


def direction(found: AccessChange) -> str:
    """`gain`, `lose`, or `change` when there is a role on both sides."""
    if found.had is None:
        return GAIN
    return LOSE if found.has is None else CHANGE


def _notes(review: Review) -> Iterator[str]:
    if review.base_errors:
        first = review.base_errors[0]
        where = f"{wording.place(first.source)}: " if first.source else ""
        yield (
            f"The manifests in {review.base} are not valid ({wording.count(len(review.base_errors), 'error')}; the first: "
            f"{where}{first.summary}), so everything is shown as new."
        )
    yield from review.notes


# --- sections ---------------------------------------------------------------------------------------------------------


def _sections(review: Review) -> Iterator[Section]:
    yield from policies.rule_sections(review.rules)
    if review.identities or review.one_person:
        items = (
            *(_two_names(found) for found in review.one_person),
            *(_identity(found) for found in review.identities),
        )
        tone = "alarm" if review.identity_errors else "care"
        yield Section("Who is who", items, weight=KEPT, tone=tone)
    yield from policies.violation_sections(review.violations)
    owners = tuple(found for found in review.access if found.owns and not found.unknown)
    others = [found for found in review.access if not found.owns and not found.unknown]
    if owners:
        yield Section("Owners", tuple(_items(owners, "warning")), weight=KEPT, tone="alarm")
    if review.statements:
        yield Section("Important changes", tuple(statement(s) for s in review.statements), weight=KEPT, tone="care")
    for title, kind, weight in (
        ("Access lost", LOSE, KEPT),
        ("Access changed", CHANGE, KEPT),
        ("Access gained", GAIN, SHOWN),
    ):
        found = [one for one in others if direction(one) == kind]
        if found:
            yield Section(title, tuple(_items(found, "notice")), weight=weight, by_org=True)
    yield from expiring.sections(review.expiring, review.day)
    for title, side, about in (
        (
            "Newly managed",
            "before",
            "The manifests did not manage these members before, so their earlier access is unknown.",
        ),
        ("No longer managed", "after", "The manifests no longer manage these members. They keep the access they have."),
    ):
        found = [one for one in review.access if one.unknown == side]
        if found:
            yield Section(title, tuple(_items(found, "")), weight=SHOWN, about=(about,), by_org=True)
    if review.teams:
        yield Section("Teams", tuple(_team(team) for team in review.teams))
    if review.rerouted:
        yield Section("Unchanged roles with a new reason", tuple(_items(review.rerouted, "")), weight=FOLDED)
    for section in wording.by_org(review.changes):
        written = tuple(map(_written, section.changes))
        yield Section(f"{MANIFEST_CHANGES}{section.address}", written, weight=FOLDED)


def _identity(found: IdentityChange) -> Item:
    """One name that is somebody else now, and whose account it was."""
    nobody = f"no {'id' if found.what == 'id' else 'account'} known"
    words: list[str] = [Name(found.name), " was ", Name(found.before or nobody), ", and is now "]
    words.append(Name(found.after or nobody))
    why = f"the lock file's entry {found.entry}" if found.entry else f"its {found.what} changes"
    if found.error:
        words += [f": that {found.what} is ", *listed(found.former), "'s"]
    elif found.former:
        words += [", formerly ", *listed(found.former)]
    level = "error" if found.error else "warning"
    return Item(tuple(words), "!" if found.error else "~", (why,), found.source, level=level, fails=found.error)


def _two_names(found: Diagnostic) -> Item:
    error = found.severity == "error"
    below = ((found.hint,),) if found.hint else ()
    return Item((found.summary,), "!" if error else "~", (), found.source, below, found.severity, fails=error)


def lines_of_access(review: Review) -> Iterator[str]:
    """Who gains and loses what, and what stays for another reason or time, as text: one line for each person and reason."""
    from reconciler.report.text import escape

    for item in (*_items(review.access, ""), *_items(review.rerouted, "")):
        yield f"{item.symbol} {''.join(map(escape, item.words))} ({''.join(map(escape, item.why))})"


def _items(found: Sequence[AccessChange], level: str) -> Iterator[Item]:
    """One line for each person and reason; objects that share both are on the same line."""
    groups: dict[tuple[Any, ...], list[AccessChange]] = {}
    for one in found:
        is_org = "/" not in one.object
        at = (one.person, one.key, is_org, one.had, one.has, _why(one), one.invited, one.owns)
        groups.setdefault(at, []).append(one)
    for group in (whole[at : at + A_LINE] for whole in groups.values() for at in range(0, len(whole), A_LINE)):
        first = group[0]
        places = [one.object for one in group]
        yield Item(
            (Name(first.person), *_verb(first), *listed(places)),
            {GAIN: "+", LOSE: "-", CHANGE: "~"}[_shown_direction(first)],
            (_why(first),),
            first.source,
            level=level,
            brief=Brief(tuple(places), first.person, tuple(role for role in (first.had, first.has) if role)),
        )


def _shown_direction(found: AccessChange) -> str:
    if found.unknown:
        return CHANGE
    # a change of ownership is always a gain or a loss
    if found.owns:
        return GAIN if found.has == "owner" else LOSE
    return direction(found)


def _verb(found: AccessChange) -> Words:
    on = " on " if "/" in found.object else " of "
    if found.unknown == "before":
        return (" will be ", Name(found.has or ""), on)
    if found.unknown == "after":
        return (" was listed as ", Name(found.had or ""), on)
    if found.had is None:
        return (" gains ", Name(found.has or ""), on)
    if found.has is None:
        return (" loses ", Name(found.had), on)
    if found.had == found.has:
        return (" stays ", Name(found.has), on)
    return (" changes from ", Name(found.had), " to ", Name(found.has), on)


def _why(found: AccessChange) -> str:
    parts = [found.why]
    if found.before is not None:
        was = _reason(found.before)
        # `left team/sre` already says so
        if was not in found.why:
            parts = [f"was {was}", f"now {found.why}"] if found.after is not None else [found.why, f"was {was}"]
    if found.after is not None and found.after.until:
        parts.append(found.after.until)
    if found.invited:
        parts.append("is invited" if "/" not in found.object else "once the invitation is accepted")
    return "; ".join(parts)


def _reason(assignment: Assignment) -> str:
    return assignment.reason + (f", {assignment.until}" if assignment.until else "")


def _team(team: TeamChange) -> Item:
    pieces: list[str] = [Name(f"team/{team.team}"), ": "]
    if team.joined:
        pieces += [*listed(team.joined), " join" if len(team.joined) > 1 else " joins"]
    if team.left:
        pieces += ["; " if team.joined else "", *listed(team.left), " leave" if len(team.left) > 1 else " leaves"]
    return Item(tuple(pieces), "~")


def _written(change: Change) -> Item:
    attributes = tuple((str(attribute),) for attribute in wording.attributes(change))
    why = tuple(
        filter(None, [wording.REASONS.get(change.reason or "", change.reason), change.via and f"via {change.via}"])
    )
    return Item(
        (Name(wording.title(change)),),
        wording.SYMBOLS[change.action],
        (", ".join(why),) if why else (),
        change.source,
        (*attributes, *((detail,) for detail in change.details)),
    )


# --- JSON -------------------------------------------------------------------------------------------------------------


def document(review: Review) -> dict[str, Any]:
    """The JSON. Keys are only ever added to it.

    `identities[]`: `what` (address, handle, account, id), `name`, `entry` (of the lock file), `before`, `after`, `former` (other
    names of the account), `error`. `one_person[]`: two names of one account. `access[]`: `person`, `handle` (the Pipes handle, or the address that is invited), `object`, `action` (gain, lose,
    change), `before` and `after` (null, or `role`, `why`, `path`, `expires`, `then`, `pending`, `source`), `why`, `unknown`
    (null, before, after), `invited`. `rerouted[]` is the same for roles that stay the same. `statements[]`: `kind`,
    `address`, `before`, `after`, `names`, `day`, `reason`, `text`, `source`.
    """
    return {
        "format_version": FORMAT_VERSION,
        "kind": "review",
        "base": review.base,
        "head": review.head,
        "day": review.day.isoformat(),
        "valid": not (review.errors or review.inherited),
        "base_valid": not review.base_errors,
        "summary": list(summary(review)),
        "risk": review.risk,
        **policies.review_document(review.rules, review.violations),
        "identities": [
            {
                "what": found.what,
                "name": found.name,
                "entry": found.entry or None,
                "before": found.before,
                "after": found.after,
                "former": list(found.former),
                "error": found.error,
                "source": _source(found.source),
            }
            for found in review.identities
        ],
        "one_person": [_diagnostic(found) for found in review.one_person],
        "access": [_access(found) for found in review.access],
        "rerouted": [_access(found) for found in review.rerouted],
        "statements": [
            {
                "kind": found.kind,
                "address": found.address,
                "before": found.before,
                "after": found.after,
                "names": list(found.names),
                "day": found.day.isoformat() if found.day else None,
                "reason": found.reason,
                "text": "".join(wording_of(found)),
                "source": _source(found.source),
            }
            for found in review.statements
        ],
        "teams": [{"team": t.team, "joined": list(t.joined), "left": list(t.left)} for t in review.teams],
        "changes": [
            {
                "action": change.action,
                "kind": change.kind,
                "address": change.address,
                "previous_address": change.previous_address,
                "before": change.before,
                "after": change.after,
                "reason": change.reason,
                "via": change.via,
                "source": _source(change.source),
            }
            for change in review.changes
        ],
        "diagnostics": [
            {**_diagnostic(found), "in_base": found in review.inherited}
            for found in (*review.errors, *review.inherited, *review.warnings)
        ],
        "base_diagnostics": [_diagnostic(found) for found in review.base_errors],
        "notes": list(review.notes),
        "expiring": expiring.document(review.expiring),
    }


def _access(found: AccessChange) -> dict[str, Any]:
    return {
        "person": (found.after or found.before).person,  # type: ignore[union-attr]  # one of them is there
        "handle": found.key,
        "object": found.object,
        "action": direction(found),
        "before": _assignment(found.before),
        "after": _assignment(found.after),
        "why": found.why,
        "unknown": found.unknown or None,
        "invited": found.invited,
        "source": _source(found.source),
    }


def _assignment(assignment: Assignment | None) -> dict[str, Any] | None:
    if assignment is None:
        return None
    return {
        "role": assignment.role,
        "why": assignment.why,
        "path": list(assignment.path),
        "expires": assignment.expires.isoformat() if assignment.expires else None,
        "then": assignment.then,
        "pending": assignment.pending or None,
        "source": _source(assignment.source),
    }
