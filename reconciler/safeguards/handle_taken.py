"""handle-taken: nothing is created or renamed to a handle that belongs to somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.safeguard import Safeguard

if TYPE_CHECKING:
    from reconciler.model.address import Address
    from reconciler.model.diagnostic import Source

PAGE = """\
**Refuses** to create an organization, or rename one, to a handle that a user or another organization has. They share one
namespace.

**Why:** Pipes would refuse it in the middle of the apply. An organization that the token cannot read is somebody else's.

**To fix:** choose another handle, or ask an owner of that organization to let the token's user in.

The same code refuses a [connection of one workspace](connections.md#connections-of-one-workspace) under the handle of a connection
that the organization has or will have: Pipes might attach or detach that one instead.
"""


def of_org(address: Address, handle: str, holder: str, source: Source) -> Refusal:
    """The refusal for an org that would get a handle which `holder` has, such as `a user`."""
    return Refusal(
        "handle-taken",
        address,
        f"the handle {handle} belongs to {holder}; users and organizations share one namespace",
        "choose another handle, or ask an owner of that organization to let this token's user in",
        source,
        liftable=False,
    )


SAFEGUARD = Safeguard("handle-taken", lifted_by_allow=False, page=PAGE, found_in="reconciler/plan/diff")
