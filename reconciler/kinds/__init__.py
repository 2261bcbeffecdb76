"""The kinds of resources, each declared once in a file of its own: pure data and functions, requests as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import (
    attachment,
    connection,
    connection_folder,
    folder_permission,
    grant,
    member,
    org,
    permission,
    workspace,
)

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind

# from parents to children; within one parent in this order
KINDS: dict[str, Kind] = {
    kind.KIND.name: kind.KIND
    for kind in (
        org,
        member,
        workspace,
        grant,
        connection_folder,
        folder_permission,
        connection,
        permission,
        attachment,
    )
}


_CHILDREN = {name: tuple(k for k in KINDS.values() if k.parent == name) for name in KINDS}
# kinds whose objects others are in, by an attribute
REFERRED = frozenset(a.refers for kind in KINDS.values() for a in kind.attributes if a.refers is not None)
# the keys of a manifest's mapping that are no attributes of it: where its children stand
SECTIONS = {name: frozenset(k.section for k in found) for name, found in _CHILDREN.items()}


def children_of(kind: str) -> tuple[Kind, ...]:
    """The kinds whose parent is `kind`, in the order in which they are created."""
    return _CHILDREN[kind]


def named_below(kind: str) -> tuple[Kind, ...]:
    """Those of them that carry handles of their own."""
    return tuple(k for k in _CHILDREN[kind] if not k.names_people and k.names is None)
