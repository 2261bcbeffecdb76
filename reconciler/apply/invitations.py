"""The people of an org while an apply runs: who is there at this moment, and which invitation is ours."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import member
from reconciler.kinds.kind import Place
from reconciler.pipes.reading.tokens import moment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from reconciler.model.live import Resource
    from reconciler.pipes.client import Client


_SKEW = timedelta(minutes=5)  # by which this machine's clock may be ahead of Pipes'


def members(client: Client, org: str) -> list[Resource]:
    """An org's own member rows (orgMember_list), inherited ones left out."""
    return [member.resource(row) for row in _rows(client, org)]


def open_rows(client: Client, org: str) -> list[member.Row]:
    """An org's invitations that nobody has accepted yet. Raises PipesError."""
    return [row for row in _rows(client, org) if row.status == member.INVITED]


def _rows(client: Client, org: str) -> list[member.Row]:
    kind = member.KIND
    return [
        row
        for page in client.pages(kind.list_path(Place(org=org)), row_type=member.Row)
        for row in page
        if row.scope in (None, kind.own_scope)
    ]


class Sought(msgspec.Struct, frozen=True):
    """An invitation by email whose answer was lost: what it asked for, and whom it cannot have reached.

    `known` are user ids that had an invitation before, or that are somebody known; `handles` are the handles of
    people whom the manifests name by handle.
    """

    role: str
    actor: str  # the user id of whoever sent it
    known: Collection[str]
    handles: Collection[str]
    since: datetime | None = None  # when it was about to be sent, by this machine's clock


def fitting(rows: Iterable[member.Row], sought: Sought) -> list[Resource]:
    """The open invitations that may be the one that is sought: sent by us, new, of that role, and nobody else's."""
    return [
        member.resource(row)
        for row in rows
        if row.user_id not in sought.known
        and row.user_handle not in sought.handles
        and row.role == sought.role
        and row.created_by_id == sought.actor
        and (sought.since is None or _not_before(row.created_at, sought.since))
    ]


def _not_before(created_at: str | None, since: datetime) -> bool:
    """Whether a row was made after a moment, as far as two clocks agree."""
    at = moment(created_at) if isinstance(created_at, str) else None
    return at is not None and at >= since - _SKEW
