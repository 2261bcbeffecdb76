"""Other views of a plan: a line for each org, a line for each person, or only what concerns some people or workspaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from reconciler.model import address as addresses
from reconciler.model.expiring import until
from reconciler.report import heading, wording
from reconciler.report.text import CODES, escape, render_diagnostics, render_refusals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from reconciler.model.made import Made
    from reconciler.model.plan import Change, Effect, Plan

BY_DIRECTION = {"gain": "+", "lose": "-", "change": "~"}
PEOPLE = ("member", "grant")  # the kinds whose last name is a person


def summary(plan: Plan, *, color: bool = False, made: Made | None = None) -> str:
    """A line for each org that changes or is refused: how much, owners gained and lost, safeguards that refuse."""
    counts: dict[str, dict[str, int]] = {}
    for change in plan.changes:
        found = counts.setdefault(addresses.parts_of(change.address)[0], dict.fromkeys(("+", "~", "-"), 0))
        found["~" if change.action in ("update", "rename") else "+" if change.action == "create" else "-"] += 1
    owners: dict[str, list[str]] = {}
    for effect in plan.impact:
        if wording.is_ownership(effect):
            sign = BY_DIRECTION[wording.direction(effect)]
            owners.setdefault(f"org.{effect.object}", []).append(f"{sign}{effect.person}{_later(effect, ' ')}")
    codes: dict[str, dict[str, None]] = {}
    for refusal in plan.refusals:
        codes.setdefault(refusal.address.partition("/")[0], {})[refusal.code] = None
    rows = []
    for org in sorted({*counts, *owners, *codes}):
        numbers = counts.get(org, {})
        cells = [f"{sign}{numbers.get(sign, 0)}" for sign in ("+", "~", "-")]
        more = f"owners: {', '.join(owners[org])}" if org in owners else ""
        refused = f"refused: {', '.join(codes[org])}" if org in codes else ""
        rows.append((org.removeprefix("org."), *cells, "; ".join(filter(None, (more, refused)))))
    wide = [max((len(escape(row[at])) for row in rows), default=0) for at in range(4)]
    lines = [
        f"{escape(row[0]):{wide[0]}}  {row[1]:>{wide[1]}} {row[2]:>{wide[2]}} {row[3]:>{wide[3]}}  {escape(row[4])}".rstrip()
        for row in rows
    ]
    return _framed(plan, lines, color=color, made=made)


def by_person(plan: Plan, *, color: bool = False, made: Made | None = None) -> str:
    """A line for each person with all that changes for them, then how much else changes."""
    effects: dict[str, list[Effect]] = {}
    for effect in plan.impact:
        effects.setdefault(effect.person, []).append(effect)
    wide = max((len(escape(person)) for person in effects), default=0)
    lines = [
        f"{escape(person):{wide}}  {escape('; '.join(map(_of_person, found)))}"
        for person, found in sorted(effects.items())
    ]
    others = [change for change in plan.changes if _person(change) is None]
    if others:
        count = wording.count(len(others), "change concerns", "changes concern")
        lines += ["", f"{count} no single person: {escape(', '.join(_few(others)))}"]
    return _framed(plan, lines, color=color, made=made)


def _of_person(effect: Effect) -> str:
    role = effect.after if effect.before is None else effect.before if effect.after is None else ""
    what = role or f"{effect.before} -> {effect.after}"
    later = _later(effect, ", ")
    later += ", once the invitation is accepted" if effect.invited else ""
    place = effect.object.replace(wording.CONNECTION, "/", 1)
    return f"{BY_DIRECTION[wording.direction(effect)]} {what} {'on' if '/' in effect.object else 'of'} {place}{later}"


def _later(effect: Effect, between: str) -> str:
    """How long it lasts, and what comes then; empty if it stays."""
    return f"{between}{until(effect.expires, effect.then)}" if effect.expires else ""


def _few(changes: list[Change], most: int = 10) -> Iterator[str]:
    for change in changes[:most]:
        yield f"{wording.SYMBOLS[change.action]} {wording.title(change)}"
    if len(changes) > most:
        yield f"{len(changes) - most} more"


def _framed(plan: Plan, lines: list[str], *, color: bool, made: Made | None) -> str:
    """The lines between the head of a plan and its refusals and last lines."""

    def paint(style: str, text: str) -> str:
        return f"\x1b[{CODES[style]}m{text}\x1b[0m" if color else text

    head = [paint("dim", escape(heading.line(made)))] if made is not None else []
    blank = [""] if lines else []
    after = [*render_refusals(plan.refusals).splitlines(), *render_diagnostics(plan.errors).splitlines()]
    ends = [paint("bold", escape(line)) for line in wording.summary(plan)]
    return "\n".join([*head, *lines, *blank, *after, *([""] if after else []), *ends]) + "\n"


# --- narrowed ----------------------------------------------------------------------------------------------------------


def narrowed(plan: Plan, people: Collection[str], workspaces: Collection[str], known: Collection[str] = ()) -> Plan:
    """The plan with only the changes and effects of these people and workspaces (`acme/prod`); refusals and errors stay.

    It is for showing: it has no steps, so nobody can apply it. `known` are names that could be meant where nothing is found.
    """
    changes = tuple(change for change in plan.changes if _wanted(change, people, workspaces))
    impact = tuple(
        effect
        for effect in plan.impact
        if (not people or effect.person in people) and (not workspaces or effect.object in workspaces)
    )
    dns = tuple(one for one in plan.dns if not people and one.workspace in workspaces)
    what = " and ".join(filter(None, (", ".join(people), ", ".join(workspaces))))
    whole = " ".join(wording.summary(replace(plan, refusals=(), errors=(), shard=None))).removeprefix("Plan: ")
    if changes or impact or dns:
        many = wording.count(len(plan.changes), "change")
        view = f"Only what concerns {what} is shown: {len(changes)} of {many}. The whole plan: {whole}"
    else:
        near = _near([*people, *workspaces], known)
        view = f"Nothing in this plan concerns {what}{near} The whole plan: {whole}"
    return replace(
        plan, changes=changes, impact=impact, steps=(), dns=dns, unmanaged=(), notes=(), warnings=(), view=view
    )


def _near(names: Iterable[str], known: Collection[str]) -> str:
    """`; did you mean acme/prod?` where a name is unknown and resembles one; else a full stop."""
    from reconciler.model.near import near

    for name in names:
        if name not in known:
            whole = [one for one in known if one.endswith(f"/{name}")]
            meant = whole or near(name, known, most=2, cutoff=0.6)
            if meant:
                return f"; did you mean {' or '.join(sorted(meant))}?"
    return "."


def _person(change: Change) -> str | None:
    """The person of a membership or a grant."""
    kind, _, name = addresses.parts_of(change.address)[-1].partition(".")
    return name if kind in PEOPLE else None


def _wanted(change: Change, people: Collection[str], workspaces: Collection[str]) -> bool:
    if people and _person(change) not in people:
        return False
    if not workspaces:
        return True
    names = [part.partition(".")[2] for part in addresses.parts_of(change.address)[:2]]
    return "/".join(names) in workspaces and addresses.parts_of(change.address)[1:2] == [f"workspace.{names[-1]}"]
