"""owner-removal: nobody loses an organization because a line is missing, if they own it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import member
from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.safeguard import Case, Safeguard, live_attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = """\
**Refuses** to remove an owner who is merely no longer listed.

**Why:** a lost line, a lost team or a bad merge looks the same as a decision.

**To fix:** state the removal with `bob: {absent: true}`, or list bob again. A lower role that is written down and an `expires`
whose day has come state it too.
"""


def check(case: Case) -> Iterator[Refusal]:
    """Refuse the removal of an owner that no line of the manifest states."""
    for draft in case.worksheet.drafts:
        if (
            draft.kind is member.KIND
            and draft.action == "delete"
            and not draft.stated
            and member.is_owner(live_attributes(draft))
        ):
            name = draft.address.rpartition("/member.")[2]
            yield Refusal(
                "owner-removal",
                draft.address,
                f"{name} owns {case.worksheet.name} but is no longer listed; leaving out a line does not remove an owner",
                f"write `{name}: {{absent: true}}` under the org's members, or list {name} again",
                case.worksheet.want.source,
            )


SAFEGUARD = Safeguard("owner-removal", lifted_by_allow=True, page=PAGE, check=check)
