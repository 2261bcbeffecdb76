"""The kinds of resources, each declared once in a file of its own: pure data and functions, requests as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import grant, member, org, workspace

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind

# from parents to children; within one parent in this order
KINDS: dict[str, Kind] = {kind.KIND.name: kind.KIND for kind in (org, member, workspace, grant)}


def children_of(kind: str) -> tuple[Kind, ...]:
    """The kinds whose parent is `kind`, in the order in which they are created."""
    return tuple(k for k in KINDS.values() if k.parent == kind)
