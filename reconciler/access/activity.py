"""Who has not used their access for a while, by what Pipes says of their last activity. Pure."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from msgspec.structs import replace

from reconciler.model.access import OWNS

if TYPE_CHECKING:
    from reconciler.model.access import Access, Reach


def inactive(access: Access, days: int) -> Access:
    """Only the people of `access` who were not active for `days`, each with their own rows; notes say who is not judged.

    Where no row of a list says when anybody was active, it is unknown. Elsewhere a row without it was never active, and
    the day of the membership counts. Pending invitations and robots are not judged.
    """
    own = [reach for reach in access.reaches if reach.why != OWNS]
    told = {reach.object for reach in own if reach.last_activity_at}
    robots = sorted({reach.person for reach in own if reach.robot})
    pending = sorted({reach.person for reach in own if reach.pending and not reach.robot})
    people = [reach for reach in own if not reach.robot and not reach.pending]
    unknown = sorted({reach.object for reach in people} - told)
    notes = [*access.notes]
    if unknown:
        notes.append(f"Pipes does not say when anybody was active in {', '.join(unknown)}, so nobody there is listed")
    if pending:
        notes.append(f"pending invitations are not judged: {', '.join(pending)}")
    if robots:
        notes.append(f"robots are not judged: {', '.join(robots)}")
    found = tuple(reach for reach in people if reach.object in told and _idle(reach, access.day) >= days)
    return replace(access, reaches=found, notes=tuple(notes), open=(), routes=(), unrouted=())


def _idle(reach: Reach, day: date) -> int:
    """The days since the last activity, or without any since the membership; without that they count from now."""
    since = reach.last_activity_at or reach.since
    try:
        return (day - date.fromisoformat(since[:10])).days if since else 0
    except ValueError:
        return 0
