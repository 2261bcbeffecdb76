"""What the policies say, for every report: as problems with their lines, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.diagnostic import Diagnostic
from reconciler.model.policy import ERROR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.diagnostic import Source
    from reconciler.model.policy import Verdict, Violation, Waiver


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
