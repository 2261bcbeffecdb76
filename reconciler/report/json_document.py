"""The JSON of plans, results and validations. A result is the plan's document with the `outcomes` of its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.result import Result
from reconciler.plan.document import made_document, to_document, write
from reconciler.report import Validation

if TYPE_CHECKING:
    from reconciler.model.diagnostic import Diagnostic, Source
    from reconciler.model.made import Made
    from reconciler.model.plan import Plan


def render(subject: Plan | Result | Validation, made: Made | None = None) -> str:
    """One JSON object in ASCII: JSON's own escapes cover control characters and bidirectional marks."""
    if isinstance(subject, Validation):
        found = _validation(subject)
    else:
        found = _result(subject) if isinstance(subject, Result) else to_document(subject)
    return write(found if made is None else {**found, "made": made_document(made)})


def _result(result: Result) -> dict[str, Any]:
    return {
        **to_document(result.plan),
        "outcomes": [
            {
                "number": outcome.number,
                "address": outcome.address,
                "action": outcome.action,
                "status": outcome.status,
                "detail": outcome.detail,
                "wrote": outcome.wrote,
                "status_code": outcome.status_code,
                "request_id": outcome.request_id,
                "code": outcome.code,
                "unreachable": outcome.unreachable,
                "test_failed": outcome.test_failed,
            }
            for outcome in result.outcomes
        ],
        "outcome_notes": list(result.notes),
        "interrupted": result.interrupted,
        "remaining": list(result.remaining),
    }


def _validation(validation: Validation) -> dict[str, Any]:
    """The structure of `terraform validate -json`, with our sources instead of its ranges."""
    judged = {}
    if validation.verdict is not None:
        from reconciler.report import policies

        judged = policies.document(validation.verdict)
    return {
        "format_version": "1.0",
        "valid": not validation.errors,
        "error_count": len(validation.errors),
        "warning_count": len(validation.warnings),
        "files": validation.files,
        "orgs": validation.orgs,
        "diagnostics": [_diagnostic(found) for found in validation.diagnostics],
        **judged,
    }


def _diagnostic(found: Diagnostic) -> dict[str, Any]:
    return {
        "severity": found.severity,
        "summary": found.summary,
        "source": _source(found.source),
        "hint": found.hint,
        "length": found.length,
        "also": _source(found.also),
        "text": found.text,
    }


def _source(source: Source | None) -> dict[str, Any] | None:
    return None if source is None else {"file": source.file, "line": source.line, "column": source.column}
