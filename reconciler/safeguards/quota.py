"""quota: a plan does not need more workspaces than the organization may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import workspace
from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.safeguard import Case, Safeguard

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = """\
**Refuses** to have more workspaces than the organization's constraint allows, at any step. Workspaces are created before others
are deleted, so the peak counts. If the organization has no constraint with `workspace` in its name, nothing is checked, and Pipes'
own answer (402) is reported.

**Why:** Pipes would refuse it in the middle of the apply.

**To fix:** delete in an apply of its own first, or have the limit raised.
"""


def check(case: Case) -> Iterator[Refusal]:
    """Refuse more workspaces than the org's constraint allows. Creates come before deletes, so the peak counts."""
    limit = case.live.workspace_limits.get(case.worksheet.have.handle if case.worksheet.have else case.worksheet.name)
    created = sum(d.kind is workspace.KIND and d.action == "create" for d in case.worksheet.drafts)
    have = len(case.worksheet.have.of("workspace")) if case.worksheet.have else 0
    if limit is None or not created or have + created <= limit:
        return
    yield Refusal(
        "quota",
        case.worksheet.address,
        f"{case.worksheet.name} has {have} workspaces, and creating {created} before any is deleted makes {have + created}; "
        f"the limit is {limit}",
        "delete workspaces in an apply of their own first, or have the limit raised",
        case.worksheet.want.source,
    )


SAFEGUARD = Safeguard("quota", lifted_by_allow=True, page=PAGE, check=check)
