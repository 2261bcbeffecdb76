"""looks-like-rename: an edited handle does not silently create a second object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.safeguard import Safeguard

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind
    from reconciler.model.address import Address
    from reconciler.model.desired import Node
    from reconciler.model.diagnostic import Source

PAGE = """\
**Refuses** to create an organization, a workspace or a connection while a live one that the lock file knows, or whose handle is
very similar, has left the manifest.

**Why:** without `renamed_from`, an edited handle would leave the old object alone and create an empty one.

**To fix:** write `renamed_from:` with the old handle, list the old one as well, or use `--allow` to create a second one.
"""


def refusal(kind: Kind, address: Address, want: Node, twin: str) -> Refusal:
    """The refusal to create `want` at `address` while the live object `twin` has left the manifest."""
    return Refusal(
        "looks-like-rename",
        address,
        f"{want.name} would be created while the live {kind.noun} {twin} is not in the manifest; it looks like its old name",
        (
            f"write `renamed_from: {twin}` under {want.name} to rename it, "
            if kind.rename is not None
            else f"keep the key {twin} and change what is under it, "
        )
        + f"list {twin} to keep both, or --allow looks-like-rename={address} to create a second one",
        want.source,
    )


def too_many(kind: Kind, address: Address, source: Source) -> Refusal:
    """The refusal to create objects at or below `address` while too many live ones are unlisted to compare their names."""
    return Refusal(
        "looks-like-rename",
        address,
        f"so many {kind.noun}s would be created beside so many live ones that the manifest does not list that their names "
        "were not all compared; some may be renames",
        "list the live ones, write `renamed_from` under those that are renamed, or create fewer in one apply",
        source,
    )


SAFEGUARD = Safeguard("looks-like-rename", lifted_by_allow=True, page=PAGE, found_in="reconciler/plan/diff")
