"""connection-delete: a connection, an organization's or a workspace's, goes only if the manifest states it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import connection, workspace_connection
from reconciler.safeguards import unstated_delete
from reconciler.safeguards.safeguard import Case, Safeguard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.diagnostic import Refusal

PAGE = """\
**Refuses** to delete a connection that no line states absent. No manifest leads here today.

**Why:** every workspace loses the cloud account behind it, and the secrets that Pipes held are nowhere else.

**To fix:** state it with `aws_old: {absent: true}`. The `absent: true` of an organization or a workspace covers its connections.
"""


def check(case: Case) -> Iterator[Refusal]:
    """Refuse to delete a connection that no line of the manifest states absent."""
    yield from unstated_delete.refusals(case, "connection-delete", connection.KIND)
    yield from unstated_delete.refusals(case, "connection-delete", workspace_connection.KIND)


SAFEGUARD = Safeguard("connection-delete", lifted_by_allow=False, page=PAGE, check=check)
