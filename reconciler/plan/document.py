"""A plan as a JSON document: saved, reviewed, and read back for exactly that apply.

The form follows `terraform show -json` (HashiCorp's "JSON Output Format": `format_version`, `resource_changes`,
`resource_drift`, `applyable`, `complete`, `errored`), so that policy tools made for Terraform read it; what is ours
is beside it. `schemas/plan.schema.json` describes every field. The digest guards against mistakes (a truncated or
hand-edited file), not against somebody who can compute one.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds import secret
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Diagnostic, Refusal, Source
from reconciler.model.errors import ReconcilerError, UsageError
from reconciler.model.made import Made
from reconciler.model.plan import Change, DnsChange, Effect, MessageCounts, Plan, Shard, Step
from reconciler.model.request import Request
from reconciler.plan import document_fields as fields
from reconciler.plan.risk import of_plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

FORMAT_VERSION = "1.0"
NOT_DIGESTED = ("digest", "mark", "made")  # about the plan, and not part of it

# Terraform has no word for a rename; its own moves are updates that carry a previous_address.
ACTIONS = {"create": ["create"], "update": ["update"], "rename": ["update"], "delete": ["delete"]}


class TamperedPlanError(ReconcilerError):
    """A saved plan that is not, byte for byte in meaning, what `plan -o` wrote (a `stale-plan`, exit status 3)."""


def to_document(plan: Plan) -> dict[str, Any]:
    """`plan` as plain dicts, lists and scalars, with its digest; equal plans give equal documents, key order included.

    Attributes and bodies must be JSON values. Raises ValueError where a step would send a request that no change
    shows: such a plan could be reviewed and yet do something else.
    """
    document: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "digest": "",
        "day": plan.day.isoformat(),
        "risk": of_plan(plan),
        "orgs": list(plan.orgs),
        "applyable": bool(plan.changes) and not plan.refusals and not plan.errors,
        "complete": not plan.errors and not any(refusal.code == "empty-read" for refusal in plan.refusals),
        "errored": bool(plan.errors),
        "resource_changes": [_change(change) for change in plan.changes],
        "resource_drift": [],
        "steps": _steps(plan.changes, plan.steps),
        "impact": [
            {
                "person": e.person,
                "object": e.object,
                "before": e.before,
                "after": e.after,
                "why": e.why,
                "invited": e.invited,
                "expires": _day(e.expires),
                "then": e.then,
                "robot": e.robot,
            }
            for e in plan.impact
        ],
        "dns": [{"workspace": d.workspace, "before": d.before, "after": d.after} for d in plan.dns],
        "safeguards": {
            "refusals": [_refusal(refusal) for refusal in plan.refusals],
            "lifted": [_refusal(refusal) for refusal in plan.lifted],
        },
        "allowed": [{"code": code, "address": address} for code, address in plan.allowed],
        "confirm_delete": list(plan.confirm_delete),
        "errors": [_diagnostic(error) for error in plan.errors],
        "warnings": [_diagnostic(warning) for warning in plan.warnings],
        "notes": list(plan.notes),
        "unmanaged": list(plan.unmanaged),
        "files": [{"path": path, "sha256": sha256} for path, sha256 in plan.files],
        "paths": list(plan.paths),
        "reads": _sorted(plan.reads),
        **({"host": plan.host} if plan.host else {}),
        **({} if plan.made is None else {"made": made_document(plan.made)}),
        **({} if plan.shard is None else {"shard": _shard(plan.shard)}),
    }
    document["digest"] = digest(document)
    return document


def from_document(document: Mapping[str, Any]) -> Plan:
    """The plan that `to_document` made `document` from; the digest is left to `loads`.

    Raises UsageError for anything else, whatever it is: a wrong type, an unknown or missing field, or a field that does
    not follow from the others (`applyable` beside a refusal, say), since a policy tool may have read just that one.
    """
    try:
        document = dict(document)
        parsed = msgspec.convert(document, fields.Document)
    except (msgspec.ValidationError, TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the plan is malformed: {_one_line(error)}") from None
    if parsed.format_version != FORMAT_VERSION:
        raise UsageError(
            f"the plan has format_version {_quoted(parsed.format_version)}, this version reads `{FORMAT_VERSION}`"
        )
    changes = tuple(
        Change(
            action=c.action,
            kind=c.type,
            address=c.address,
            before=c.change.before,
            after=c.change.after,
            requests=tuple(Request(r.method, r.path, r.body, r.if_match, r.late) for r in c.requests),
            source=_to_source(c.source),
            reason=c.action_reason,
            stated=c.stated,
            previous_address=c.previous_address,
            id=c.id,
            version=c.version,
            via=c.via,
            because=c.because,
            expires=c.expires,
            then=c.then,
            details=tuple(c.change.details),
        )
        for c in parsed.resource_changes
    )
    plan = Plan(
        changes=changes,
        steps=tuple(_to_step(changes, step) for step in parsed.steps),
        impact=tuple(
            Effect(e.person, e.object, e.before, e.after, e.why, e.invited, e.expires, e.then, e.robot)
            for e in parsed.impact
        ),
        dns=tuple(DnsChange(d.workspace, d.before, d.after) for d in parsed.dns),
        refusals=tuple(_to_refusal(refusal) for refusal in parsed.safeguards.refusals),
        lifted=tuple(_to_refusal(refusal) for refusal in parsed.safeguards.lifted),
        allowed=tuple((a.code, a.address) for a in parsed.allowed),
        errors=tuple(_to_diagnostic(error) for error in parsed.errors),
        warnings=tuple(_to_diagnostic(warning) for warning in parsed.warnings),
        notes=tuple(parsed.notes),
        unmanaged=tuple(parsed.unmanaged),
        orgs=tuple(parsed.orgs),
        day=parsed.day,
        files=tuple((file.path, file.sha256) for file in parsed.files),
        paths=tuple(parsed.paths),
        reads=parsed.reads,
        confirm_delete=tuple(parsed.confirm_delete),
        shard=None if parsed.shard is None else _to_shard(parsed.shard),
        host=parsed.host,
        made=None if parsed.made is None else Made(**msgspec.structs.asdict(parsed.made)),
    )
    _check_that_it_says_the_same(plan, document)
    return plan


def dumps(plan: Plan) -> str:
    """`plan` as text, ASCII throughout and ending in a newline; equal plans give equal bytes."""
    return write(to_document(plan))


def loads(text: str, *, hide_tokens: bool = False) -> Plan:
    """The plan that `dumps` wrote as `text`; with `hide_tokens`, what looks like a token is hidden wherever it stands: whoever
    forged the file may have put one there.

    Raises TamperedPlanError for a file that is cut short or is not a JSON object, that has another `format_version`, or
    whose digest is missing or does not match; UsageError for a digest that matches a document that is not a plan.
    """
    document = parsed(text)
    if "outcomes" in document:
        raise TamperedPlanError("this is the report of an apply, not a saved plan")
    plan = verified(document)
    return from_document(_without_tokens(document)) if hide_tokens and secret.is_token_text(text) else plan


def _without_tokens(value: Any) -> Any:
    if isinstance(value, dict):
        return {secret.without_tokens(key): _without_tokens(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_tokens(inner) for inner in value]
    return secret.without_tokens(value) if isinstance(value, str) else value


def parsed(text: str) -> dict[str, Any]:
    """The JSON object of a plan, or of the report of an apply. Raises TamperedPlanError, without looking at the digest."""
    try:
        document = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constants, parse_float=_finite)
    except json.JSONDecodeError as error:
        cut = "" if text.rstrip().endswith("}") else " (is it cut short?)"
        raise TamperedPlanError(f"the saved plan is not JSON{cut}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise TamperedPlanError(f"the saved plan cannot be read: {_one_line(error)}") from None
    if not isinstance(document, dict):
        raise TamperedPlanError("the saved plan is not a JSON object")
    version = document.get("format_version")
    if version != FORMAT_VERSION:
        raise TamperedPlanError(
            f"the saved plan has format_version {_quoted(version)}, this version reads `{FORMAT_VERSION}`"
        )
    return document


def verified(document: Mapping[str, Any]) -> Plan:
    """The plan of a document whose digest matches. Raises TamperedPlanError, and UsageError, as `loads`."""
    if "digest" not in document:
        raise TamperedPlanError("the saved plan has no digest")
    try:
        found = digest(document)
    except (ValueError, RecursionError) as error:
        raise TamperedPlanError(f"the saved plan cannot be read: {_one_line(error)}") from None
    if document["digest"] != found:
        raise TamperedPlanError("the saved plan was changed after it was written: its digest does not match")
    return from_document(document)


def is_plan(text: str) -> bool:
    """Whether `text` is, or was before it was cut or edited, a plan: a manifest may be JSON as well."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return '"format_version"' in text
    return isinstance(document, dict) and "format_version" in document


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256, in hex, over the canonical JSON (sorted keys, no spaces, ASCII) of `document` without what is only about it."""
    return hashlib.sha256(_canonical(document).encode("ascii")).hexdigest()


def write(document: Mapping[str, Any]) -> str:
    """`document` as text that is also safe in a terminal and in the log of a CI run."""
    text = json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False)
    # CI runners look for `##[command]` anywhere in a line. A `#` is only ever in strings, so the text means the same.
    return text.replace("##", "#\\u0023") + "\n"


def _canonical(document: Mapping[str, Any]) -> str:
    bare = {key: value for key, value in document.items() if key not in NOT_DIGESTED}
    return json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _check_that_it_says_the_same(plan: Plan, document: Mapping[str, Any]) -> None:
    try:
        again = to_document(plan)
        if _canonical(again) == _canonical(document):
            return
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(f"the plan is malformed: {_one_line(error)}") from None
    differing = (key for key in again if key not in NOT_DIGESTED and again[key] != document.get(key))
    raise UsageError(
        f"the plan contradicts itself: `{next(differing, 'resource_changes')}` does not follow from the rest"
    )


def _sorted(value: Any) -> Any:
    """The same JSON value with every object's keys in order: equal plans give equal bytes, however they were built."""
    if hasattr(value, "items"):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sorted(item) for item in value]
    return value


def _change(change: Change) -> dict[str, Any]:
    return {
        "address": change.address,
        "mode": "managed",  # Terraform's word; policies filter on it
        "type": change.kind,
        "name": addresses.parts_of(change.address)[-1].partition(".")[2],
        "action": change.action,
        "action_reason": change.reason,
        "previous_address": change.previous_address,
        "stated": change.stated,
        "via": change.via,
        "because": change.because,
        "expires": _day(change.expires),
        "then": change.then,
        "id": change.id,
        "version": change.version,
        "source": _source(change.source),
        "change": {
            "actions": list(ACTIONS[change.action]),
            "before": _sorted(change.before),
            "after": _sorted(change.after),
            "details": list(change.details),
        },
        "requests": [
            {"method": r.method, "path": r.path, "body": _sorted(r.body), "if_match": r.if_match, "late": r.late}
            for r in change.requests
        ],
    }


def _steps(changes: Sequence[Change], steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Steps that name their requests by the change's index and the places in its list: each request is written once."""
    # By address alone: a rename and an update of one object are one change, and two steps of different actions.
    candidates: dict[str, list[int]] = {}
    for index, change in enumerate(changes):
        candidates.setdefault(change.address, []).append(index)
    free = [list(range(len(change.requests))) for change in changes]
    written = []
    for step in steps:
        owner, places = None, None
        for owner in candidates.get(step.address, ()):
            places = _places(changes[owner], free[owner], step)
            if places is not None:
                break
        if places is None:
            if step.requests:
                raise ValueError(f"step {step.number} sends a request that no change at {step.address} shows")
            owner, places = None, []
        else:
            assert owner is not None
            free[owner] = [place for place in free[owner] if place not in places]
        written.append(
            {
                "number": step.number,
                "address": step.address,
                "action": step.action,
                "org": step.org,
                "change": owner,
                "requests": places,
                "needs": list(step.needs),
                "accepted_owners": step.accepted_owners,
            }
        )
    return written


def _places(change: Change, free: Sequence[int], step: Step) -> list[int] | None:
    """Where in `change.requests` the requests of `step` are, none of them used twice; None where one is missing."""
    left, found = list(free), []
    for request in step.requests:
        place = next((place for place in left if change.requests[place] == request), None)
        if place is None:
            return None
        left.remove(place)
        found.append(place)
    return found


def _to_step(changes: Sequence[Change], step: fields.Step) -> Step:
    requests: list[Request] = []
    for place in step.requests:
        if (
            step.change is None
            or not 0 <= step.change < len(changes)
            or not 0 <= place < len(changes[step.change].requests)
        ):
            raise UsageError(f"the plan is malformed: step {step.number} names a request that no change holds")
        requests.append(changes[step.change].requests[place])
    return Step(
        step.number, step.address, step.action, step.org, tuple(requests), tuple(step.needs), step.accepted_owners
    )


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _source(source: Source | None) -> dict[str, Any] | None:
    return None if source is None else {"file": source.file, "line": source.line, "column": source.column}


def _to_source(parsed: fields.Source | None) -> Source | None:
    return None if parsed is None else Source(parsed.file, parsed.line, parsed.column)


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {
        "code": refusal.code,
        "address": refusal.address,
        "fact": refusal.fact,
        "fix": refusal.fix,
        "source": _source(refusal.source),
        "liftable": refusal.liftable,
    }


def _to_refusal(parsed: fields.Refusal) -> Refusal:
    return Refusal(parsed.code, parsed.address, parsed.fact, parsed.fix, _to_source(parsed.source), parsed.liftable)


def _diagnostic(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "severity": diagnostic.severity,
        "summary": diagnostic.summary,
        "source": _source(diagnostic.source),
        "hint": diagnostic.hint,
        "length": diagnostic.length,
        "also": _source(diagnostic.also),
        "text": diagnostic.text,
    }


def _to_diagnostic(parsed: fields.Diagnostic) -> Diagnostic:
    return Diagnostic(
        parsed.severity,
        parsed.summary,
        _to_source(parsed.source),
        parsed.hint,
        parsed.length,
        _to_source(parsed.also),
        parsed.text,
    )


def made_document(made: Made) -> dict[str, Any]:
    """The block `made` of a plan, and of every other report in JSON."""
    return {
        "at": made.at,
        "host": made.host,
        "user": made.user,
        "revision": made.revision,
        "dirty": made.dirty,
        "tool": made.tool,
    }


def _shard(shard: Shard) -> dict[str, Any]:
    return {
        "number": shard.number,
        "of": shard.of,
        "estate": shard.estate,
        "host": shard.host,
        "actor": shard.actor,
        "messages": {
            address: {"errors": count.errors, "warnings": count.warnings, "notes": count.notes}
            for address, count in sorted(shard.messages.items())
        },
    }


def _to_shard(parsed: fields.Shard) -> Shard:
    messages = {
        address: MessageCounts(count.errors, count.warnings, count.notes) for address, count in parsed.messages.items()
    }
    return Shard(parsed.number, parsed.of, parsed.estate, parsed.host, parsed.actor, messages)


def _quoted(value: Any) -> str:
    return f"`{json.dumps(value)[:80].strip(chr(34))}`" if isinstance(value, str) else json.dumps(value)[:80]


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        # Two readers may each take another of the two values, so a policy could pass what apply does not do.
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {_quoted(twice)} appears twice in one object")
    return found


def _no_constants(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is out of range")
    return number
