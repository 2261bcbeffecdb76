"""What the applies of several shards did, as the one result that they are the parts of. Pure, as `shard` is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.model.errors import UsageError
from reconciler.model.result import Outcome, Result
from reconciler.plan import document, shard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.model.plan import Plan

REFUSED = "its shard was refused"
UNKNOWN = "no report of its shard says what became of it"


class _Report(msgspec.Struct, frozen=True):
    """What the report of an apply has beside its plan."""

    outcomes: tuple[Outcome, ...]
    outcome_notes: tuple[str, ...] = ()
    interrupted: bool = False
    remaining: tuple[str, ...] = ()


def loads(text: str) -> Plan | Result:
    """A saved plan, or what `apply PLAN --format json` reports of one.

    Raises what `document.loads` does. The digest covers the plan of a report, and not what became of it.
    """
    found = document.parsed(text)
    if "outcomes" not in found:
        return document.verified(found)
    try:
        report = msgspec.convert(found, _Report)
    except msgspec.ValidationError as error:
        raise UsageError(f"the report of an apply is malformed: {error}") from None
    plan = document.verified({key: value for key, value in found.items() if key not in _Report.__struct_fields__})
    steps = [(step.number, step.address, step.action) for step in plan.steps]
    if steps != [(outcome.number, outcome.address, outcome.action) for outcome in report.outcomes]:
        raise UsageError("the report of an apply contradicts itself: its outcomes are not those of its steps")
    return Result(plan, report.outcomes, report.outcome_notes, report.interrupted, report.remaining)


def merge(shards: Sequence[tuple[str, Plan | Result]]) -> Plan | Result:
    """One result of all shards, each with its name; one plan where none of them was applied.

    Of a shard with a plan beside the others' results, nothing was applied if the plan is refused. Otherwise its apply did not
    live to report, so it may have done some of its steps. Raises UsageError as `shard.merge`.
    """
    whole = shard.merge([(name, one.plan if isinstance(one, Result) else one) for name, one in shards])
    found = sorted((one for _, one in shards), key=_number)
    results = [one for one in found if isinstance(one, Result)]
    if not results:
        return whole
    of_org: dict[str, list[Outcome]] = {}
    for one in found:
        for outcome in one.outcomes if isinstance(one, Result) else _without_report(one):
            of_org.setdefault(outcome.address.partition("/")[0], []).append(outcome)
    in_order = (outcome for org in whole.orgs for outcome in of_org.get(org, ()))
    return Result(
        whole,
        tuple(
            msgspec.structs.replace(outcome, number=step.number)
            for step, outcome in zip(whole.steps, in_order, strict=True)
        ),
        tuple(note for one in found for note in _notes(one)),
        any(one.interrupted for one in results),
        tuple(sorted({address for one in results for address in one.remaining})),
    )


def _number(one: Plan | Result) -> int:
    plan = one.plan if isinstance(one, Result) else one
    return plan.shard.number if plan.shard is not None else 0


def _without_report(plan: Plan) -> Iterator[Outcome]:
    status, why = ("skipped", REFUSED) if plan.refusals or plan.errors else ("unconfirmed", UNKNOWN)
    yield from (Outcome(step.number, step.address, step.action, status, why) for step in plan.steps)


def _notes(one: Plan | Result) -> Iterator[str]:
    """The notes of one shard, or why it was not applied."""
    where = f"shard {_number(one)}"
    if isinstance(one, Result):
        yield from (f"{where}: {note}" for note in one.notes)
    elif one.refusals or one.errors:
        yield from (f"{where} was refused: {r.code} for {r.address}: {r.fact}" for r in one.refusals)
        yield from (f"{where} was refused: {error.summary}" for error in one.errors)
    elif one.steps:
        yield f"{where} has no report of its apply; plan again to see what is left"
