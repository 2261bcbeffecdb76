"""What the policies say, for every report: as problems with their lines, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from reconciler.model.diagnostic import Diagnostic
from reconciler.model.policy import ERROR
from reconciler.report.sheet import KEPT, SHOWN, Brief, Item, Name, Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.model.diagnostic import Source
    from reconciler.model.policy import BrokenOutside, RuleChange, Verdict, Violation, ViolationChanges, Waiver


def diagnostics(verdict: Verdict) -> tuple[Diagnostic, ...]:
    """Each violation as an error or a warning, then waivers that are over, unused or about to end, as warnings."""
    return (*(_violation(one) for one in verdict.violations), *_waivers(verdict))


def _violation(found: Violation) -> Diagnostic:
    return Diagnostic(
        "error" if found.level == ERROR else "warning",
        f"policy {found.policy}: {found.fact}",
        found.source or found.policy_source,
        " ".join(_advice(found)),
        also=found.policy_source if found.source is not None else None,
        also_is="the policy",
        below=found.waivers,
    )


def _advice(found: Violation) -> Iterator[str]:
    if found.message:
        yield sentence(found.message)
    if found.help:
        yield f"See {found.help}"
    if found.waivers:
        yield "To allow it for a while, write under `waivers:`"


def lines(found: Violation) -> tuple[str, ...]:
    """A violation for a report without places: the fact with its lines, then what to do."""
    where = f"{found.source}: " if found.source is not None else ""
    return (
        f"{where}{found.fact} (policy {found.policy}, {found.policy_source})",
        *_advice(found),
        *(f"  {line}" for line in found.waivers),
    )


def sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."


def _waivers(verdict: Verdict) -> Iterator[Diagnostic]:
    for waiver in verdict.ended:
        yield Diagnostic(
            "warning",
            f"the waiver of policy {waiver.policy}{_of(waiver)} ended after {waiver.until.isoformat()}",
            waiver.source,
            "remove it",
        )
    for waiver in verdict.unused:
        yield Diagnostic(
            "warning", f"the waiver of policy {waiver.policy}{_of(waiver)} allows nothing", waiver.source, "remove it"
        )
    for waiver in verdict.ending:
        yield Diagnostic(
            "warning",
            f"the waiver of policy {waiver.policy}{_of(waiver)} ends soon: it counts through {waiver.until.isoformat()}",
            waiver.source,
            "end the access before that, or agree on a longer waiver",
        )


def _of(waiver: Waiver) -> str:
    who = f" for {waiver.who}" if waiver.who is not None else ""
    return who + (f" in {waiver.place}" if waiver.place is not None else "")


# --- sections of a sheet ----------------------------------------------------------------------------------------------

CHANGES = {
    "policy": {"removed": "is removed", "added": "is new", "loosened": "is loosened", "tightened": "is tightened",
               "changed": "changes"},
    "waiver": {"removed": "is removed", "added": "is new", "loosened": "lasts longer", "changed": "changes"},
    "approval": {"removed": "is removed", "added": "is new", "loosened": "is loosened", "tightened": "is tightened"},
    "team": {"loosened": "has other people", "tightened": "has other people"},
}  # fmt: skip
NOUNS = {"policy": "policy ", "waiver": "the waiver of ", "approval": "approval ", "team": ""}


def rule_sections(changes: Sequence[RuleChange]) -> Iterator[Section]:
    """How the rules themselves change; what allows more comes first."""
    if changes:
        yield Section("Rules", tuple(map(_rule, changes)), weight=KEPT, tone="alarm" if changes[0].loosens else "care")


def _rule(found: RuleChange) -> Item:
    said = CHANGES[found.kind][found.change]
    words = (NOUNS[found.kind], Name(found.name), f" {said}")
    level = "warning" if found.loosens else "notice"
    why = ("; ".join(found.details),) if found.details else ()
    return Item(words, "!" if found.loosens else "~", why, found.source, level=level)


def verdict_sections(verdict: Verdict) -> Iterator[Section]:
    """Who breaks which policy, for a report of access."""
    if verdict.violations:
        yield Section("Policy violations", tuple(map(_broken, verdict.violations)), weight=KEPT, tone="alarm")
    elif verdict.policies:
        yield Section("Policy violations", (Item(("none",)),), weight=KEPT)


def outside_sections(found: Sequence[BrokenOutside]) -> Iterator[Section]:
    """Policies that break in Pipes and not in the manifests, with who made it so."""
    if found:
        items = tuple(
            replace(_broken(one.violation), below=((f"changed by: {', '.join(one.by)}",),) if one.by else ())
            for one in found
        )
        yield Section("Policies broken outside", items, weight=KEPT, tone="alarm")


def violation_sections(found: ViolationChanges | None) -> Iterator[Section]:
    """Who breaks which policy from now on, who no longer does, and who still does; then what is odd about waivers."""
    if found is None:
        return
    if found.new:
        yield Section("New policy violations", tuple(_broken(one) for one in found.new), weight=KEPT, tone="alarm")
    if found.ended:
        items = tuple(Item((f"policy {one.policy}: {one.fact}",), "-", source=one.source) for one in found.ended)
        yield Section("Policy violations that end", items, weight=SHOWN)
    if found.standing:
        items = tuple(_broken(one, new=False) for one in found.standing)
        yield Section("Policy violations that stand", items, weight=SHOWN)
    about = tuple(
        Item((one.summary,), "!", ((one.hint),) if one.hint else (), one.source, level="warning")
        for one in _waivers(found.verdict)
    )
    if about:
        yield Section("Waivers", about, weight=SHOWN)


def _broken(found: Violation, *, new: bool = True) -> Item:
    level = ("error" if found.level == ERROR else "warning") if new else ""
    below = tuple((line,) for line in (*_advice(found), *found.waivers)) if new else ()
    brief = Brief(found.place, found.person or found.policy)
    where = (f"policy at {found.policy_source}",)
    return Item(
        (f"policy {found.policy}: {found.fact}",),
        "!",
        where,
        found.source or found.policy_source,
        below,
        level,
        brief=brief,
    )


# --- JSON -------------------------------------------------------------------------------------------------------------


def document(verdict: Verdict) -> dict[str, Any]:
    """`policies[]`, `violations[]`, `waived[]` and `waivers` of a JSON report. Keys are only ever added."""
    return {
        "policies": [{"name": one.name, "level": one.level, "source": source(one.source)} for one in verdict.policies],
        "violations": [violation(one) for one in verdict.violations],
        "notes": list(verdict.notes),
        "waived": [
            {
                **violation(one),
                "waiver": {"until": by.until.isoformat(), "reason": by.reason, "source": source(by.source)},
            }
            for one, by in verdict.waived
        ],
    }


def review_document(rules: Sequence[RuleChange], found: ViolationChanges | None) -> dict[str, Any]:
    """`rules[]` and `policy` of a review's JSON."""
    return {
        "rules": [
            {
                "kind": one.kind,
                "name": one.name,
                "change": one.change,
                "loosens": one.loosens,
                "details": list(one.details),
                "source": source(one.source),
            }
            for one in rules
        ],
        "policy": None
        if found is None
        else {
            "new": [violation(one) for one in found.new],
            "ended": [violation(one) for one in found.ended],
            "standing": [violation(one) for one in found.standing],
            **{key: value for key, value in document(found.verdict).items() if key != "violations"},
        },
    }


def violation(found: Violation) -> dict[str, Any]:
    return {
        "policy": found.policy,
        "rule": found.rule,
        "level": found.level,
        "place": found.place,
        "person": found.person,
        "handle": found.key,
        "role": found.role,
        "why": found.why,
        "fact": found.fact,
        "names": list(found.names),
        "message": found.message or None,
        "help": found.help or None,
        "waivers": list(found.waivers),
        "source": source(found.source),
        "policy_source": source(found.policy_source),
    }


def source(found: Source | None) -> dict[str, Any] | None:
    return None if found is None else {"file": found.file, "line": found.line, "column": found.column}
