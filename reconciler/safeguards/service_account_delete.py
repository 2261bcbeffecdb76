"""service-account-delete: a service account goes, with its tokens, only if the manifest states it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import service_account
from reconciler.safeguards import unstated_delete
from reconciler.safeguards.safeguard import Case, Safeguard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.diagnostic import Refusal

PAGE = """\
**Refuses** to delete a service account that no line states absent. No manifest leads here today.

**Why:** its tokens stop working at once, and whatever runs with them.

**To fix:** state it with `ci: {absent: true}` under `service_accounts:`.
"""


def check(case: Case) -> Iterator[Refusal]:
    """Refuse to delete a service account that no line of the manifest states absent."""
    along = " with its grants and tokens"
    yield from unstated_delete.refusals(case, "service-account-delete", service_account.KIND, along)


SAFEGUARD = Safeguard("service-account-delete", lifted_by_allow=False, page=PAGE, check=check)
