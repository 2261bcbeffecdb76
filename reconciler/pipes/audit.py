"""An org's audit log: who changed what, when, and from where (org_listAuditLogs)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds import org, service_account
from reconciler.kinds.kind import Place
from reconciler.pipes.reading.tokens import moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from reconciler.pipes.client import Client


MOST = 10_000  # pages of a log


class AuditEntry(msgspec.Struct, frozen=True):
    """One line of the log."""

    id: str  # the entry's
    at: datetime | None  # None where the moment is unreadable
    actor: str  # handle
    ip: str  # of the actor
    action: str  # an open set, kept as it came
    target_id: str  # of the object
    target_handle: str  # of the object
    data: Any  # the object as it was and is, where the log has them


class _Row(msgspec.Struct):
    """The contract's AuditRecord, as far as it is used."""

    id: str
    created_at: str = ""
    actor_handle: str = ""
    actor_ip: str = ""
    action_type: str = ""
    target_id: str = ""
    target_handle: str = ""
    data: Any = None


def entries(client: Client, org_handle: str, account: str = "") -> Iterator[AuditEntry]:
    """The log of an org, or of the service account with the id `account` in it, newest first; a page is fetched when its first entry is asked for. Raises PipesError.

    What is written while we read moves entries to later pages; an entry that comes again is left out.
    """
    seen: set[str] = set()
    above = service_account.object_path(Place(org=org_handle), account) if account else ""
    path = f"{above or org.object_path(Place(), org_handle)}/audit_log"
    for rows in client.pages(path, row_type=_Row, unique=False, most=MOST):
        for row in rows:
            if row.id in seen:
                continue
            seen.add(row.id)
            yield AuditEntry(
                row.id,
                moment(row.created_at),
                row.actor_handle,
                row.actor_ip,
                row.action_type,
                row.target_id,
                row.target_handle,
                row.data,
            )
