"""Who has not used their access for a while, by what Pipes says of their last activity. Pure."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from msgspec.structs import replace

from reconciler.model.access import OWNS

if TYPE_CHECKING:
    from reconciler.model.access import Access, Assignment


def inactive(access: Access, days: int) -> Access:
    """Only the people of `access` who were not active for `days`, each with their own rows; notes say who is not judged.

    Where no row of a list says when anybody was active, it is unknown. Elsewhere a row without it was never active, and
    the day of the membership counts. Pending invitations and robots are not judged.
    """
    own = [assignment for assignment in access.assignments if assignment.why != OWNS]
    with_activity = access.with_activity
    robots = sorted({assignment.person for assignment in own if assignment.robot})
    pending = sorted({assignment.person for assignment in own if assignment.pending and not assignment.robot})
    people = [assignment for assignment in own if not assignment.robot and not assignment.pending]
    unknown = sorted({assignment.object for assignment in people} - with_activity)
    notes = [*access.notes]
    if unknown:
        notes.append(f"Pipes does not say when anybody was active in {', '.join(unknown)}, so nobody there is listed")
    if pending:
        notes.append(f"pending invitations are not judged: {', '.join(pending)}")
    if robots:
        notes.append(f"robots are not judged: {', '.join(robots)}")
    found = tuple(
        assignment
        for assignment in people
        if assignment.object in with_activity and _idle(assignment, access.day) >= days
    )
    return replace(access, assignments=found, notes=tuple(notes), open=(), connection_uses=(), open_connections=())


def _idle(assignment: Assignment, day: date) -> int:
    """The days since the last activity; without any, since the membership began; without that date, 0."""
    since = assignment.last_activity_at or assignment.since
    try:
        return (day - date.fromisoformat(since[:10])).days if since else 0
    except ValueError:
        return 0
