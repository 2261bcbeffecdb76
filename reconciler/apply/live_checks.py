"""What must still be true of Pipes in the moment before a step.

Before an owner is demoted or removed, the owner floor is checked. Counting alone is not enough: two applies could each count
the owner that the other one removes. So the owners that stay are written to first, unchanged, with `If-Match`: whoever
meant to remove one of them fails on its version, or makes us fail. A server may ignore `If-Match`, so each row is read once more
right before it is written to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from reconciler.apply.errors import StepFailed
from reconciler.kinds import children_of, member
from reconciler.kinds.kind import Place
from reconciler.model.errors import PipesError
from reconciler.model.request import Request
from reconciler.pipes import reading
from reconciler.pipes.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.apply.state import Run
    from reconciler.kinds.kind import Kind
    from reconciler.model.live import Resource
    from reconciler.model.plan import Step
    from reconciler.pipes.client import Answer


def owner_floor(run: Run, step: Step, leaving: Resource, rows: Sequence[Resource]) -> None:
    """Make sure that enough people who have accepted stay as owners without `leaving`. Raises StepFailed.

    `rows` are the members of the org, read just before.
    """
    floor = run.floors.get(step.org, 1)
    staying = [
        r
        for r in rows
        if member.is_accepted_owner(r.attrs)
        and r.id != leaving.id
        and not member.is_service_account(r.attrs)
        and run.robots.isdisjoint((r.id, r.handle))
    ]
    if len(staying) < floor:
        left = {0: "no person", 1: "1 person"}.get(len(staying), f"{len(staying)} people")
        raise StepFailed(
            f"owner-floor: {left} would own {step.org}, the floor is {floor}; somebody else changed the owners since the plan was made",
            code="owner-floor",
        )
    doomed = {
        change.id
        for change in run.plan.changes
        if change.kind == "member"
        and change.before is not None
        and member.is_owner(change.before)
        and not (change.after and member.is_owner(change.after))
    }
    staying.sort(key=lambda r: (r.id in doomed, r.handle))
    for witness in staying[:floor]:
        _hold(run, step, witness)


def nothing_inside(run: Run, step: Step, kind: Kind, going: Resource) -> None:
    """Make sure that what will be deleted is empty: the contract does not say what becomes of its content. Raises StepFailed."""
    place = replace(Place.of(step.address), org=step.org)
    for other in children_of(kind.parent or ""):
        for attribute in other.attributes:
            if attribute.refers_to != kind.name:
                continue
            rows = (row for page in run.client.pages(other.list_path(place), row_type=other.row) for row in page)
            if any(other.resource(row).attrs.get(attribute.api_field) == going.id for row in rows):
                raise StepFailed(
                    f"it holds a {other.noun} that was not there when this was planned, or that should have left; nothing is "
                    "deleted along with it, plan again"
                )


def _hold(run: Run, step: Step, witness: Resource) -> None:
    """Write the role of an owner who stays, unchanged. If the server refuses that, the count alone must do.

    Somebody may have demoted them since the list was read, and the write must not make them an owner again.
    """
    path = member.KIND.object_path(Place(org=step.org), witness.handle)

    def ready() -> Request:
        now = reading.read_again(run.client, member.KIND, path)
        if now is None or now.id != witness.id or not member.is_accepted_owner(now.attrs):
            raise _changed(step, witness)
        return Request("PATCH", path, {"role": member.OWNER}, now.version)

    try:
        request = ready()
        ticket = run.journal.intent(step, request, changes=False)
        answer = run.client.send(request, again=ready)
    except StoppedError:
        raise
    except PipesError as error:
        raise StepFailed(
            f"owner-floor: whether {witness.handle} stays an owner could not be checked: {error}",
            code="owner-floor",
        ) from None
    run.journal.outcome(ticket, str(answer.status))
    if answer.status in (404, 409, 412):
        raise _changed(step, witness, answer)


def _changed(step: Step, witness: Resource, answer: Answer | None = None) -> StepFailed:
    return StepFailed(
        f"owner-floor: {witness.handle}, an owner that {step.org} must keep, was changed by somebody else at this moment; plan again",
        status=answer.status if answer else None,
        request_id=answer.request_id if answer else None,
        code="owner-floor",
    )


def is_as_wanted(kind: Kind, now: Resource, body: Mapping[str, Any]) -> bool:
    """Whether an object has all values of a request's body."""
    attributes = {a.name: a for a in kind.attributes}
    for name, value in body.items():
        if name == "handle":
            if not kind.names_people and now.handle != value:
                return False
        elif (a := attributes.get(name)) is not None and not a.same(now.attrs.get(name), value):
            return False
    return True
