"""`plan --since`: a plan that separates what this pull request changes from what had already drifted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model import address as addresses
from reconciler.model.drift import BEFORE, BOTH, HERE, UNKNOWN
from reconciler.model.expiring import until
from reconciler.report import merged, wording
from reconciler.report.sheet import FOLDED, KEPT, Brief, Item, Name, Section, Sheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.model.diagnostic import Refusal
    from reconciler.model.drift import Since
    from reconciler.model.plan import Change, Effect, Plan
    from reconciler.report.sheet import Words

GROUPS = {
    HERE: "Changed here",
    BOTH: "Changed here, and drifted before",
    BEFORE: "Drifted before",
    UNKNOWN: "Not compared",
}
ABOUT = {
    HERE: "Pipes matches {base}; the manifests have changed since.",
    BOTH: "Pipes does not match {base}, and the manifests have changed since as well.",
    BEFORE: "Pipes does not match {base}. Applying this plan changes it back.",
    UNKNOWN: "{base} could not be compared with Pipes here.",
}
DIRECTIONS = {"gain": "+", "lose": "-", "change": "~"}


def to_sheet(since: Since) -> Sheet:
    from reconciler.report import github

    plan = since.plan
    numbers = {mark: sum(1 for found in since.marks.values() if found == mark) for mark in GROUPS}
    return Sheet(
        name="plan",
        title="Plan",
        summary=(*wording.summary(plan), *_facts(since, numbers)),
        sections=tuple(_sections(since)),
        facts=(
            f"Compared {wording.count(len(plan.orgs), 'organization')} with the manifests and ",
            Name(since.base),
            f", for {plan.day.isoformat()}",
        ),
        problems=(*plan.errors, *plan.warnings),
        notes=tuple((note,) for note in (*plan.notes, *since.notes)),
        bad=bool(plan.refusals or plan.errors),
        outputs={
            **{k: v for k, v in github.outputs(plan).items() if k not in ("summary", "errors", "warnings")},
            "changed_here": str(numbers[HERE] + numbers[BOTH]),
            "drifted_before": str(numbers[BEFORE]),
        },
        tiles=tuple((str(number), what, bad) for number, what, bad in wording.plan_tiles(plan)) if plan.changes else (),
    )


def _facts(since: Since, numbers: dict[str, int]) -> Iterator[str]:
    if since.marks:
        found = ", ".join(f"{number} {mark}" for mark, number in numbers.items() if number)
        yield f"Since {since.base}: {found}."


def _sections(since: Since) -> Iterator[Section]:
    plan = since.plan
    if plan.refusals:
        refused = tuple(item for group in merged.refusals(plan.refusals) for item in _refusals(group))
        yield Section("Refused", refused, weight=KEPT, tone="alarm")
    if plan.confirm_delete:
        items = tuple(Item((wording.confirmation(handle),), "!", level="warning") for handle in plan.confirm_delete)
        yield Section("To confirm", items, weight=KEPT, tone="alarm")
    found = wording.impact(plan.impact)
    if found.owners:
        yield Section("Owners", tuple(_effects(found.owners)), weight=KEPT)
    for mark, title in GROUPS.items():
        changes = [c for c in plan.changes if since.marks.get(c.address) == mark]
        if changes:
            weight = KEPT if mark in (HERE, BOTH) else "shown"
            about = (ABOUT[mark].format(base=since.base),)
            yield Section(title, tuple(_in_order(changes)), weight=weight, about=about, by_org=True)
    if not since.marks and plan.changes:
        yield Section("Changes", tuple(_in_order(plan.changes)), weight=KEPT, by_org=True)
    if since.settled:
        about = (f"Pipes does not match {since.base}, but matches the manifests now.",)
        yield Section("Drift that these manifests adopt", tuple(_in_order(since.settled)), about=about)
    if found.others:
        yield Section("Who gains or loses access", tuple(_effects(found.others)), by_org=True)
    if plan.dns:
        yield Section("DNS names that change", tuple(Item((wording.dns(name),)) for name in plan.dns), weight=KEPT)
    if plan.lifted:
        items = tuple(
            Item((Name(r.code), " ", Name(r.address), f": {r.fact}"), "!", level="warning", source=r.source)
            for r in plan.lifted
        )
        yield Section("Allowed once, by --allow", items, weight=KEPT, tone="care")
    if plan.unmanaged:
        yield Section("Not managed by these manifests", tuple(Item((Name(a),)) for a in plan.unmanaged))
    if plan.steps:
        yield Section("Steps", tuple(_steps(plan)), weight=FOLDED)


def _in_order(changes: Any) -> Iterator[Item]:
    for section in wording.by_org(changes):
        for group in section.groups:
            yield from (_change(change) for change in group.changes)


def _change(change: Change) -> Item:
    attributes = ", ".join(str(attribute) for attribute in wording.attributes(change))
    why: list[str] = []
    if change.reason:
        why.append(wording.REASONS.get(change.reason, change.reason))
    if change.via:
        why.append(f"via {change.via}")
    if change.expires:
        why.append(until(change.expires, change.then))
    *places, name = addresses.parts_of(change.address)
    return Item(
        (Name(wording.title(change)), *((": ", attributes) if attributes else ())),
        wording.SYMBOLS[change.action],
        why=(", ".join(why),) if why else (),
        source=change.source,
        below=tuple((detail,) for detail in change.details),
        level="notice" if change.source else "",
        brief=Brief("/".join(places) or change.address, name, _roles(change)),
    )


def _effects(found: Sequence[Effect]) -> Iterator[Item]:
    for effect, objects in merged.effects(found):
        places, roles = wording.brief(effect, objects)
        words = (wording.effect(effect, objects),)
        yield Item(words, DIRECTIONS[wording.direction(effect)], brief=Brief(places, effect.person, roles))


def _roles(change: Change) -> tuple[str, ...]:
    sides = (change.before or {}).get("role"), (change.after or {}).get("role")
    return tuple(dict.fromkeys(str(role) for role in sides if role))


def _refusals(group: Sequence[Refusal]) -> Iterator[Item]:
    options = merged.allow_options(group)
    fix: list[Words] = [(f"To fix: {wording.sentence(group[0].fix)}",)]
    if options:
        fix.append((f"To allow {'it' if len(group) == 1 else 'them'} once: ", Name(" ".join(options))))
    for refusal in group:
        yield Item(
            (Name(refusal.code), "  ", Name(refusal.address), f": {wording.sentence(refusal.fact)}"),
            "!",
            source=refusal.source,
            below=tuple(fix) if refusal is group[-1] else (),
            level="error",
            fails=True,
            brief=Brief(refusal.code, refusal.address),
        )


def _steps(plan: Plan) -> Iterator[Item]:
    for step in plan.steps:
        after = f", after {', '.join(map(str, step.needs))}" if step.needs else ""
        requests = tuple((wording.request(request),) for request in step.requests)
        yield Item((f"{step.number}. {step.action} ", Name(step.address), after), below=requests)


def document(since: Since) -> dict[str, Any]:
    """The plan's own document with `since` added. What `plan -o` saves does not have `since`."""
    from reconciler.plan.document import to_document

    return {
        **to_document(since.plan),
        "since": {
            "base": since.base,
            "changes": dict(sorted(since.marks.items())),
            "made_official": [change.address for change in since.settled],
            "notes": list(since.notes),
        },
    }
