"""The part of the manifests that only ends of entries ask for, for `apply --due`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import KINDS, grant, member, workspace
from reconciler.model import address as addresses

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from reconciler.model.desired import Desired, Node
    from reconciler.model.plan import Change


def due_only(desired: Desired, without: Collection[str] = ()) -> Desired:
    """The manifests with nothing but entries whose time is up and what takes their place; every other row is kept.

    Empty where nothing is due. `without` are addresses that are left out, with all below them.
    """
    orgs = {}
    for name, node in desired.orgs.items():
        address = addresses.join(None, "org", name)
        if node.absent or address in without:
            continue
        spaces = {
            handle: found
            for handle, space in node.children.get(workspace.KIND.name, {}).items()
            if not space.absent
            if (found := _due(space, grant.KIND.name, addresses.join(address, workspace.KIND.name, handle), without))
        }
        found = _due(node, member.KIND.name, address, without)
        if found is None and not spaces:
            continue
        if found is None:
            found = msgspec.structs.replace(node, attrs={}, children={}, expired=None)
        if spaces:
            found.children[workspace.KIND.name] = spaces
        orgs[name] = found
    return msgspec.structs.replace(
        desired, orgs=orgs, elsewhere={n: node for n, node in desired.orgs.items() if n not in orgs}
    )


def _due(node: Node, kind: str, address: str, without: Collection[str]) -> Node | None:
    """An org or workspace with its entries that ended; None where none did."""
    rank = KINDS[kind].attribute("role").rank
    ended, instead = {}, {}
    for name, entry in (node.expired or {}).get(kind, {}).items():
        if addresses.join(address, kind, name) in without or address in without:
            continue
        after = node.children.get(kind, {}).get(name)
        if after is not None and not after.absent:
            if rank.index(after.attrs["role"]) > rank.index(entry.attrs["role"]):
                continue  # a team gives more than the entry did: nothing ends
            instead[name] = after
        ended[name] = entry
    if not ended:
        return None
    return msgspec.structs.replace(node, attrs={}, children={kind: instead}, expired={kind: ended}, keeps_unlisted=True)


def not_due(changes: Iterable[Change]) -> set[str]:
    """The addresses of changes that take nothing from anybody: no end of an entry asks for them."""
    found = set()
    for change in changes:
        kind = KINDS[change.kind]
        lowered = change.action == "update" and set(change.after or ()) <= {"role", "status"}
        if not kind.names_people or not (change.action == "delete" or (lowered and _is_lower(change))):
            found.add(change.address)
    return found


def _is_lower(change: Change) -> bool:
    rank = KINDS[change.kind].attribute("role").rank
    had, has = (change.before or {}).get("role"), (change.after or {}).get("role")
    return had not in rank or (has in rank and rank.index(has) < rank.index(had))


def sections_only(desired: Desired, due: Desired) -> Desired:
    """The manifests of the lists that `due` has, whole: what else they ask for there."""
    orgs = {}
    for name, part in due.orgs.items():
        node = desired.orgs[name]
        spaces = {
            handle: msgspec.structs.replace(inner, attrs={}, children=_of(inner, grant.KIND.name))
            for handle, inner in node.children.get(workspace.KIND.name, {}).items()
            if handle in part.children.get(workspace.KIND.name, {})
        }
        children = _of(node, member.KIND.name) if member.KIND.name in part.children else {}
        if spaces:
            children[workspace.KIND.name] = spaces
        orgs[name] = msgspec.structs.replace(node, attrs={}, children=children)
    return msgspec.structs.replace(desired, orgs=orgs)


def _of(node: Node, kind: str) -> dict[str, dict[str, Node]]:
    return {kind: node.children[kind]} if kind in node.children else {}
