"""workspace-delete: a workspace and its database go only if the manifest states it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import workspace
from reconciler.safeguards import unstated_delete
from reconciler.safeguards.safeguard import Case, Safeguard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.diagnostic import Refusal

PAGE = """\
**Refuses** to delete a workspace that no line states absent. An unlisted workspace is left alone, so no manifest leads here today.

**Why:** the database goes with the workspace.

**To fix:** state it with `scratch: {absent: true}`. An organization's own `absent: true` covers its workspaces.
"""


def check(case: Case) -> Iterator[Refusal]:
    """Refuse to delete a workspace that no line of the manifest states absent."""
    return unstated_delete.refusals(case, "workspace-delete", workspace.KIND, " and its database")


SAFEGUARD = Safeguard("workspace-delete", lifted_by_allow=False, page=PAGE, check=check)
