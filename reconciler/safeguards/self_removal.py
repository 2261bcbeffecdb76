"""self-removal: a run does not take away the rights it works with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import member, service_account
from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.safeguard import Case, Safeguard
from reconciler.safeguards.worksheet import loses

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = """\
**Refuses** to take the membership or the ownership from the user whose token is in use, or to delete that service account.

**Why:** neither this run nor the next one could finish the work.

**To fix:** apply with another owner's token. With `--allow`, it is the last step of the apply.
"""


def check(case: Case) -> Iterator[Refusal]:
    """Refuse to take the token's own user's ownership or membership."""
    actor = case.live.actor
    for draft in case.worksheet.drafts:
        if draft.kind is member.KIND and draft.have is not None and draft.have.id == actor.id and loses(draft):
            what = "membership" if draft.action == "delete" else "ownership"
            fact = f"the token in use belongs to {actor.handle}, who would lose the {what} of {case.worksheet.name}"
        elif (
            draft.kind is service_account.KIND
            and draft.action == "delete"
            and draft.have is not None
            and draft.have.id == actor.id
        ):
            fact = f"the token in use belongs to the service account {actor.handle}, which would be deleted"
        else:
            continue
        yield Refusal(
            "self-removal",
            draft.address,
            fact,
            "apply with another owner's token, or keep the entry",
            draft.want.source if draft.want else case.worksheet.want.source,
        )


SAFEGUARD = Safeguard("self-removal", lifted_by_allow=True, page=PAGE, check=check)
