"""The kinds of resources, each declared once in a file of its own.

In: rows of the API, and what must change. Out: resources, and requests as data; nothing is sent. Pure.
Open `member.py` first; `kind.py` explains each field of a declaration, and `KINDS` lists them in the order of creation.
"""

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
    service_account,
    workspace,
    workspace_connection,
    workspace_connection_folder,
)
from reconciler.model.address import join

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.kinds.kind import Kind
    from reconciler.model.address import Address
    from reconciler.model.desired import Node

# from parents to children; within one parent in this order
KINDS: dict[str, Kind] = {
    kind.KIND.name: kind.KIND
    for kind in (
        org,
        service_account,
        member,
        workspace,
        grant,
        workspace_connection_folder,
        workspace_connection,
        connection_folder,
        folder_permission,
        connection,
        permission,
        attachment,
    )
}


_CHILDREN = {name: tuple(k for k in KINDS.values() if k.parent == name) for name in KINDS}
# kinds whose objects contain others, which name them in an attribute
REFERRED = frozenset(a.refers_to for kind in KINDS.values() for a in kind.attributes if a.refers_to is not None)
_NAMED = {
    name: tuple(k for k in found if not k.names_people and k.lists_handles_of is None)
    for name, found in _CHILDREN.items()
}
# the keys of a manifest's mapping that are not attributes: its children are below them
SECTIONS = {name: frozenset(k.section for k in found) for name, found in _CHILDREN.items()}


def children_of(kind: str) -> tuple[Kind, ...]:
    """The kinds whose parent is `kind`, in the order in which they are created."""
    return _CHILDREN[kind]


def named_below(kind: str) -> tuple[Kind, ...]:
    """Those of them that have handles of their own."""
    return _NAMED[kind]


def have_configuration(orgs: Mapping[str, Node]) -> bool:
    """Whether there is an object that may refer to secrets anywhere below these organizations."""
    return any(KINDS[node.kind].takes_secrets for name, org in orgs.items() for _, node in named_in(f"org.{name}", org))


def named_in(address: Address, node: Node) -> Iterator[tuple[Address, Node]]:
    """The wanted objects below the one at `address` that have handles of their own, at any depth, parents first."""
    for kind in _NAMED[node.kind]:
        for handle, child in node.children.get(kind.name, {}).items():
            here = join(address, kind.name, handle)
            yield here, child
            yield from named_in(here, child)
