"""empty-read: an organization whose lists cannot be believed is not planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.safeguard import Safeguard

if TYPE_CHECKING:
    from reconciler.model.address import Address
    from reconciler.model.diagnostic import Source
    from reconciler.model.live import Unreadable

PAGE = """\
**Refuses** an organization that could not be read as a whole: its member list came back empty or without the token's own user, a
page failed, a cursor repeated, or the list kept changing in three attempts. Nothing is planned for it. The other organizations
are planned.

**Why:** people who were not read would look as if they had to be invited, and their colleagues as if nobody else were there.

**To fix:** find out why Pipes answers that way, then plan again.
"""


def refusal(address: Address, blocked: Unreadable, source: Source) -> Refusal:
    """The refusal for an org that could not be read; `blocked` has the code and the reason."""
    return Refusal(
        blocked.code,
        address,
        blocked.why,
        "nothing is planned for this organization; find out why Pipes answers that way, then plan again",
        source,
        liftable=False,
    )


SAFEGUARD = Safeguard("empty-read", lifted_by_allow=False, page=PAGE, found_in="reconciler/pipes/reading")
