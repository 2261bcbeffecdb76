"""A review as a sheet, and as JSON: owners first, then what is stated, then person by person, then the manifests' changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.expiring import UNKNOWN
from reconciler.report import expiring, words
from reconciler.report.data import _diagnostic, _source
from reconciler.report.sheet import FOLDED, KEPT, SHOWN, Item, Name, Section, Sheet, Words, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.model.access import Reach
    from reconciler.model.plan import Change
    from reconciler.model.review import AccessChange, Review, Statement, TeamChange

FORMAT_VERSION = "1.0"
QUIET = ("expires", "expired")  # statements that are no warning
A_LINE = 20  # objects to a line, so that no line is too long to be read, or to fit
GAIN, LOSE, CHANGE = "gain", "lose", "change"


def sheet(review: Review) -> Sheet:
    """The review for people."""
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
        bool(review.errors or review.inherited),
        outputs(review),
    )


def outputs(review: Review) -> dict[str, str]:
    """What a workflow decides by."""
    people = {kind: _people(review.access, kind) for kind in (GAIN, LOSE, CHANGE)}
    return {
        "changes": str(len(review.changes)),
        "access": str(len(review.access)),
        "statements": str(len(review.statements)),
        "owners_gained": str(len(_owners(review, GAIN))),
        "owners_lost": str(len(_owners(review, LOSE))),
        "people_gaining": str(len(people[GAIN])),
        "people_losing": str(len(people[LOSE])),
        "people_changing": str(len(people[CHANGE])),
        "expiring": str(len(review.expiring)),
    }


def summary(review: Review) -> tuple[str, ...]:
    """What it comes to, in a line or two."""
    if review.errors or review.inherited:
        lines = [f"These manifests cannot be used: {words.count(len(review.errors) + len(review.inherited), 'error')}."]
        if review.inherited:
            lines.append(f"{words.count(len(review.inherited), 'error')} of these {review.base} has too.")
        return tuple(lines)
    if not review.access:
        if review.is_empty:
            return ("No changes.",)
        return ("Nobody gains or loses access.",)
    lost = len(_owners(review, LOSE))
    gained = len(_owners(review, GAIN))
    owners = [f"{words.count(n, 'owner')} {verb}" for n, verb in ((lost, "lost"), (gained, "gained")) if n]
    verbs = ((LOSE, "loses", "lose"), (CHANGE, "changes role", "change roles"), (GAIN, "gains", "gain"))
    people = []
    for kind, one, many in verbs:
        number = len(_people(review.access, kind))
        if number:
            access = " access" if kind != CHANGE else ""
            people.append(f"{words.count(number, 'person', 'people')} {one if number == 1 else many}{access}")
    return ("; ".join(filter(None, [", ".join(owners), ", ".join(people)])) + ".",)


def _owners(review: Review, kind: str) -> tuple[AccessChange, ...]:
    role = "has" if kind == GAIN else "had"
    return tuple(
        found for found in review.access if found.owns and not found.unknown and getattr(found, role) == "owner"
    )


def _people(access: Iterable[AccessChange], kind: str) -> set[str]:
    return {found.key for found in access if not found.unknown and direction(found) == kind}


def direction(found: AccessChange) -> str:
    """`gain`, `lose`, or `change` where both sides are a role."""
    if found.had is None:
        return GAIN
    return LOSE if found.has is None else CHANGE


def _notes(review: Review) -> Iterator[str]:
    if review.base_errors:
        first = review.base_errors[0]
        where = f"{words.place(first.source)}: " if first.source else ""
        yield (
            f"{review.base} cannot be used ({words.count(len(review.base_errors), 'error')}, the first: {where}{first.summary});"
            " everything is shown as new"
        )
    yield from review.notes


# --- sections ---------------------------------------------------------------------------------------------------------


def _sections(review: Review) -> Iterator[Section]:
    owners = tuple(found for found in review.access if found.owns and not found.unknown)
    others = [found for found in review.access if not found.owns and not found.unknown]
    if owners:
        yield Section("Owners", tuple(_items(owners, "warning")), weight=KEPT, tone="alarm")
    if review.statements:
        yield Section("What this states", tuple(_statement(s) for s in review.statements), weight=KEPT, tone="care")
    for title, kind, weight in (
        ("Access lost", LOSE, KEPT),
        ("Access changed", CHANGE, KEPT),
        ("Access gained", GAIN, SHOWN),
    ):
        found = [one for one in others if direction(one) == kind]
        if found:
            yield Section(title, tuple(_items(found, "notice")), weight=weight)
    yield from expiring.sections(review.expiring, review.day)
    for title, side, about in (
        ("Written for the first time", "before", "Who had what here before, these manifests did not say."),
        ("No longer written", "after", "The manifests do not manage these members any more: they keep what they have."),
    ):
        found = [one for one in review.access if one.unknown == side]
        if found:
            yield Section(title, tuple(_items(found, "")), weight=SHOWN, about=(about,))
    if review.teams:
        yield Section("Teams", tuple(_team(team) for team in review.teams))
    if review.rerouted:
        yield Section("The same role for another reason", tuple(_items(review.rerouted, "")), weight=FOLDED)
    for section in words.sections(review.changes):
        changes = [change for group in section.groups for change in group.changes]
        yield Section(section.address, tuple(_written(change) for change in changes), weight=FOLDED)


def _items(found: Sequence[AccessChange], level: str) -> Iterator[Item]:
    """A line for each person and reason; objects that share both stand on one."""
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
            brief=(", ".join(places), first.person),
        )


def _shown_direction(found: AccessChange) -> str:
    if found.unknown:
        return CHANGE
    # of an owner it is always a gain or a loss of ownership
    if found.owns:
        return GAIN if found.has == "owner" else LOSE
    return direction(found)


def _verb(found: AccessChange) -> Words:
    on = " on " if "/" in found.object else " of "
    if found.unknown == "before":
        return (" is to be ", Name(found.has or ""), on)
    if found.unknown == "after":
        return (" was written as ", Name(found.had or ""), on)
    if found.had is None:
        return (" gains ", Name(found.has or ""), on)
    if found.has is None:
        return (" loses ", Name(found.had), on)
    if found.had == found.has:
        return (" stays ", Name(found.has), on)
    return (" goes from ", Name(found.had), " to ", Name(found.has), on)


def _why(found: AccessChange) -> str:
    parts = [found.why]
    if found.before is not None:
        was = _reason(found.before)
        # `left team/sre` says it already
        if was not in found.why:
            parts = [f"was {was}", f"now {found.why}"] if found.after is not None else [found.why, f"was {was}"]
    if found.after is not None and found.after.until:
        parts.append(found.after.until)
    if found.invited:
        parts.append("is invited" if "/" not in found.object else "once the invitation is accepted")
    return "; ".join(parts)


def _reason(reach: Reach) -> str:
    return reach.reason + (f", {reach.until}" if reach.until else "")


def _team(team: TeamChange) -> Item:
    pieces: list[str] = [Name(f"team/{team.team}"), ": "]
    if team.joined:
        pieces += [*listed(team.joined), " come in" if len(team.joined) > 1 else " comes in"]
    if team.left:
        pieces += ["; " if team.joined else "", *listed(team.left), " leave" if len(team.left) > 1 else " leaves"]
    return Item(tuple(pieces), "~")


def _written(change: Change) -> Item:
    attributes = tuple((str(attribute),) for attribute in words.attributes(change))
    why = tuple(
        filter(None, [words.REASONS.get(change.reason or "", change.reason), change.via and f"via {change.via}"])
    )
    return Item(
        (Name(words.title(change)),),
        words.SYMBOLS[change.action],
        (", ".join(why),) if why else (),
        change.source,
        (*attributes, *((detail,) for detail in change.details)),
    )


# --- statements in words ----------------------------------------------------------------------------------------------


def _statement(found: Statement) -> Item:
    symbols = {"rename": ">", "absent": "-", "tokens": "!", "expired": "-"}
    why = (f'reason: "{found.reason}"',) if found.reason else ()
    return Item(
        SAYINGS[found.kind](found),
        symbols.get(found.kind, "~"),
        why,
        found.source,
        level="notice" if found.kind in QUIET else "warning",
    )


def _place(address: str) -> tuple[str, str]:
    """`org.acme/workspace.prod` -> kind of the last part, and `acme/prod`."""
    parts = [part.partition(".") for part in address.split("/")]
    return parts[-1][0], "/".join(name for _, _, name in parts)


def _rename(found: Statement) -> Words:
    kind, place = _place(found.address)
    was = Name(found.before or "")
    if kind == "workspace":
        return (f"renames the {kind} ", was, " to ", Name(place), ": its DNS name changes")
    if kind in ("connection", "workspace_connection"):
        where = "its schemas are called so in every workspace" if kind == "connection" else "its schema is called so"
        return ("renames the connection ", was, " to ", Name(place), f": {where}")
    whole = ("renames the org ", was, " to ", Name(place))
    if not found.names:
        return (*whole, ": the DNS name of each of its workspaces changes")
    many = "this DNS name changes" if len(found.names) == 1 else f"these {len(found.names)} DNS names change"
    names = listed(f"{place}/{name}" for name in found.names)
    return (*whole, f": {many}: ", *names, "; and those of workspaces that are not listed here")


def _absent(found: Statement) -> Words:
    kind, place = _place(found.address)
    if kind == "org":
        inside = (": with it ", *listed(found.names)) if found.names else ()
        return ("deletes the org ", Name(place), " with all its workspaces", *inside)
    if kind == "workspace":
        inside = (", and with it its own connections ", *listed(found.names)) if found.names else ()
        return ("deletes the workspace ", Name(place), " and its database", *inside)
    if kind in ("connection", "workspace_connection"):
        who = "every workspace loses it, and " if kind == "connection" else ""
        return ("deletes the connection ", Name(place), f": {who}its secrets are gone")
    if kind == "connection_folder":
        return ("deletes the folder ", Name(place), ", in which nothing may be left")
    where, _, person = place.rpartition("/")
    had = (", who was ", Name(found.before), " there") if found.before else ()
    return ("takes ", Name(person), " out of ", Name(where), *had)


def _expires(found: Statement) -> Words:
    assert found.day is not None
    plural = len(found.names) > 1
    rest: Words = ()
    if found.after is None:
        rest = (", and without a role there",)
    elif found.after != UNKNOWN:
        rest = (", and then ", Name(found.after))
    on = " on " if "/" in found.address else " of "
    are = " are no longer " if plural else " is no longer "
    return (
        f"from {found.day.isoformat()} on ",
        *listed(found.names),
        are,
        Name(found.before or ""),
        on,
        Name(found.address),
        *rest,
    )


def _expired(found: Statement) -> Words:
    day = found.day.isoformat() if found.day is not None else ""
    return (
        "the entry of ", *listed(found.names), " as ", Name(found.before or ""), " in ", Name(found.address),
        f" ended on {day} and counts as ", Name(found.after) if found.after else "not written",
    )  # fmt: skip


def _tokens(found: Statement) -> Words:
    return (
        "every temporary and user token that was not issued after ",
        Name(found.after or ""),
        " stops working for ",
        Name(_place(found.address)[1]),
        ", whoever has it; plan tells whether the one in use does",
    )


def _managed(found: Statement) -> Words:
    return ("manages the members of ", Name(_place(found.address)[1]), " from now on: whoever is not listed is removed")


def _unmanaged(found: Statement) -> Words:
    return ("no longer manages the members of ", Name(_place(found.address)[1]), ": whoever is in stays in")


def _left_alone(found: Statement) -> Words:
    return ("no longer lists ", Name(_place(found.address)[1]), ": it stays as it is, and nobody watches it")


def _safeguard(found: Statement) -> Words:
    return (
        "changes the safeguard ",
        Name(found.address),
        " from ",
        Name(found.before or ""),
        " to ",
        Name(found.after or ""),
    )


def _resend(found: Statement) -> Words:
    if found.after is None:
        return ("invitations by email that are gone are no longer sent again by themselves",)
    return ("invitations by email that are gone are sent again after ", Name(found.after))


def _reinvite(found: Statement) -> Words:
    day = found.day.isoformat() if found.day is not None else ""
    return (
        "invites ", Name(found.address), " (", *(Name(name) for name in found.names),
        f") once more by email, wherever an invitation from before {day} is gone",
    )  # fmt: skip


def _person(found: Statement) -> Words:
    return (
        "says that ", Name(found.address), " is ", Name(found.after or ""), " in Pipes, and no longer ", Name(found.before or ""),
    )  # fmt: skip


def _lock(found: Statement) -> Words:
    shown = found.names[:5]
    more = f" and {len(found.names) - 5} more" if len(found.names) > 5 else ""
    return (
        "changes the lock file, which says who was invited and what was renamed: ", *listed(shown, last=","), more,
    )  # fmt: skip


def _attached(found: Statement) -> Words:
    what = ("lets ", Name(found.after or ""), " use the connection ", Name(_place(found.address)[1]))
    return (*what, ", which ", *_who(found), " there")


def _detached(found: Statement) -> Words:
    what = ("takes the connection ", Name(_place(found.address)[1]), " out of ", Name(found.before or ""))
    return (*what, ", where ", *_who(found), " it until now")


def _opened(found: Statement) -> Words:
    what = ("lets ", Name(found.after or ""), " use whatever is in the folder ", Name(_place(found.address)[1]))
    return (*what, ", now and later; ", *_who(found), " that workspace")


def _closed(found: Statement) -> Words:
    what = ("no longer lets ", Name(found.before or ""), " use what is in the folder ", Name(_place(found.address)[1]))
    return (*what, "; ", *_who(found), " that workspace")


def _usable(found: Statement) -> Words:
    what = ("lets ", Name(found.after or ""), " use the connection ", Name(_place(found.address)[1]))
    return (*what, ", which comes into the folder ", Name(found.before or ""), "; ", *_who(found), " that workspace")


def _unusable(found: Statement) -> Words:
    what = ("no longer lets ", Name(found.before or ""), " use the connection ", Name(_place(found.address)[1]))
    return (*what, ", which leaves the folder ", Name(found.after or ""), "; ", *_who(found), " that workspace")


def _who(found: Statement) -> Words:
    shown, more = found.names[:A_LINE], len(found.names) - A_LINE
    if not shown:
        return ("nobody who is known here reaches",)
    many = f" and {more} more" if more > 0 else ""
    return (*listed(shown), many, " reach" if len(found.names) > 1 else " reaches")


def _reads(found: Statement) -> Words:
    return (
        "has apply read ",
        *listed(found.names),
        " and send it with the connection ",
        Name(_place(found.address)[1]),
    )


def _rotates(found: Statement) -> Words:
    day = found.day.isoformat() if found.day is not None else ""
    return ("sends the configuration of ", Name(_place(found.address)[1]), f" once more, from {day} on")


SAYINGS: dict[str, Callable[[Statement], Words]] = {
    "rename": _rename,
    "absent": _absent,
    "expires": _expires,
    "expired": _expired,
    "tokens": _tokens,
    "managed": _managed,
    "unmanaged": _unmanaged,
    "left-alone": _left_alone,
    "safeguard": _safeguard,
    "resend": _resend,
    "reinvite": _reinvite,
    "person": _person,
    "lock": _lock,
    "attached": _attached,
    "detached": _detached,
    "opened": _opened,
    "closed": _closed,
    "usable": _usable,
    "unusable": _unusable,
    "reads": _reads,
    "rotate": _rotates,
}


# --- JSON -------------------------------------------------------------------------------------------------------------


def document(review: Review) -> dict[str, Any]:
    """The stable shape for programs.

    `access[]`: `person`, `handle` (the Pipes handle, or the address that is invited), `object`, `action` (gain, lose,
    change), `before` and `after` (null, or `role`, `why`, `path`, `expires`, `then`, `pending`, `source`), `why`, `unknown`
    (null, before, after), `invited`. `rerouted[]` is the same for what keeps its role. `statements[]`: `kind`,
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
                "text": "".join(SAYINGS[found.kind](found)),
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
        "before": _reach(found.before),
        "after": _reach(found.after),
        "why": found.why,
        "unknown": found.unknown or None,
        "invited": found.invited,
        "source": _source(found.source),
    }


def _reach(reach: Reach | None) -> dict[str, Any] | None:
    if reach is None:
        return None
    return {
        "role": reach.role,
        "why": reach.why,
        "path": list(reach.path),
        "expires": reach.expires.isoformat() if reach.expires else None,
        "then": reach.then,
        "pending": reach.pending or None,
        "source": _source(reach.source),
    }
