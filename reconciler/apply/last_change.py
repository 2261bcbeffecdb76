"""Who changed a live object last, and when: from the org's audit log (org_listAuditLogs), to show beside a refusal."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from reconciler.model import address as addresses
from reconciler.model.errors import PipesError
from reconciler.pipes import audit

if TYPE_CHECKING:
    from reconciler.model.plan import Plan
    from reconciler.pipes.audit import AuditEntry
    from reconciler.pipes.client import Client

# entries of one org that are looked at, the newest: what changed since a review is not far back
FAR = 300


class LastChange:
    """Answers for the objects that one plan touches; reads each org's log once, when first asked."""

    def __init__(self, plan: Plan, client: Client) -> None:
        self._ids = {change.address: change.id for change in plan.changes}
        self._client = client
        self._logs: dict[str, list[AuditEntry]] = {}

    def described(self, address: str) -> str:
        """` (last changed by bob at …: org.member.update)`, or nothing if the log does not say."""
        entry = self._newest(address)
        if entry is None:
            return ""
        at = f" at {entry.at:%Y-%m-%dT%H:%M:%SZ}" if entry.at else ""
        return f" (last changed by {entry.actor}{at}: {entry.action})"

    def _newest(self, address: str) -> AuditEntry | None:
        subject = address.removesuffix("/members")
        handle = addresses.name_of(subject)
        identifier = self._ids.get(subject)
        for entry in self._log(addresses.org_of(subject)):
            if subject != address:
                if "member" in entry.action and "workspace" not in entry.action:
                    return entry
            elif (identifier is not None and entry.target_id == identifier) or entry.target_handle == handle:
                return entry
        return None

    def _log(self, org: str) -> list[AuditEntry]:
        if org not in self._logs:
            try:
                self._logs[org] = list(islice(audit.entries(self._client, org), FAR))
            except PipesError:
                self._logs[org] = []  # the refusal is shown without a name
        return self._logs[org]
