"""What a step must still be able to rely on, looked at on live in the moment before it.

The owner floor, before an owner is demoted or removed: counting alone would not do: two applies could each count the other's victim. So the owners that are relied upon are
written to first, unchanged, with `If-Match`: whoever meant to take one of them fails on its version, or makes us fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.apply import invitations
from reconciler.apply.errors import StepFailed
from reconciler.kinds import children_of, member
from reconciler.kinds.kind import Place
from reconciler.model.errors import PipesError
from reconciler.model.request import Request

if TYPE_CHECKING:
    from reconciler.apply.state import Run
    from reconciler.kinds.kind import Kind
    from reconciler.model.live import Resource
    from reconciler.model.plan import Step


def owner_floor(run: Run, step: Step, leaving: Resource) -> None:
    """Raise StepFailed unless enough accepted owners stay without `leaving`, and hold on to them."""
    floor = run.floors.get(step.org, 1)
    rows = invitations.members(run.client, step.org)
    staying = [r for r in rows if member.is_accepted_owner(r.attrs) and r.id != leaving.id]
    if len(staying) < floor:
        raise StepFailed(
            f"owner-floor: {len(staying)} accepted owners would be left in {step.org}, the floor is {floor}; "
            "somebody else changed the owners since the plan was made",
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
    """Raise StepFailed where something is in what is to be deleted: what would become of it is not in the contract."""
    place = Place(org=step.org)
    for other in children_of(kind.parent or ""):
        for attribute in other.attributes:
            if attribute.refers_to != kind.name:
                continue
            rows = (row for page in run.client.pages(other.list_path(place), row_type=other.row) for row in page)
            if any(other.resource(row).attrs.get(attribute.api_field) == going.id for row in rows):
                raise StepFailed(
                    f"a {other.noun} is in it that was not there, or did not leave, when this was planned; nothing is "
                    "deleted along with it, plan again"
                )


def _hold(run: Run, step: Step, witness: Resource) -> None:
    """Write the witness's role as it is. A server that does not take that leaves us with the count alone."""
    path = member.KIND.object_path(Place(org=step.org), witness.handle)
    request = Request("PATCH", path, {"role": member.OWNER}, witness.version)
    ticket = run.journal.intent(step, request, changes=False)
    try:
        answer = run.client.send(request)
    except PipesError as error:
        raise StepFailed(
            f"owner-floor: whether {witness.handle} stays an owner could not be made sure of: {error}",
            code="owner-floor",
        ) from None
    run.journal.outcome(ticket, str(answer.status))
    if answer.status in (404, 409, 412):
        raise StepFailed(
            f"owner-floor: {witness.handle}, an owner that {step.org} must keep, was changed by somebody else at this "
            "moment; plan again",
            status=answer.status,
            request_id=answer.request_id,
            code="owner-floor",
        )
