"""What the lock file knows, under the names that the manifests use today."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from reconciler.kinds import named_below, named_in
from reconciler.model import address as addresses
from reconciler.model.live import carry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Lock, LockEntry, Resource, Snapshot


class Claim(NamedTuple):
    """A lock entry of a person: who it is about, and the account that it names."""

    org: str  # the org's address
    name: str  # as the manifest wrote it
    entry: LockEntry


class Known(msgspec.Struct, frozen=True):
    """The lock file's entries, indexed by what people are looked up with. Built once a plan."""

    entries: Lock
    ids_of_name: dict[str, set[str]]  # a person's name -> the user ids that entries of that name hold, in any org
    names_in_org: dict[str, dict[str, str]]  # org address -> user id -> the name that the manifest used
    of_address: dict[str, list[Claim]]  # digest of an email address -> the entries made for that address
    claims: dict[str, list[Claim]]  # user id -> every entry that names this account


def known(lock: Lock) -> Known:
    """Index a lock file by person."""
    found = Known(lock, {}, {}, {}, {})
    for address, entry in lock.items():
        org, _, name = address.partition("/member.")
        if not name:
            continue
        claim = Claim(org, name, entry)
        found.ids_of_name.setdefault(name, set()).add(entry.id)
        found.names_in_org.setdefault(org, {})[entry.id] = name
        found.claims.setdefault(entry.id, []).append(claim)
        if entry.address is not None:
            found.of_address.setdefault(entry.address, []).append(claim)
    return found


def carried(lock: Lock, desired: Desired, live: Snapshot | None = None) -> Lock:
    """The lock file seen under today's names.

    What it knows below a `renamed_from`, and below a name that the manifests have given up for the one that the same
    object has now, is entered under the new address too; the latter where `live` shows which object that is.
    """
    moved = dict(lock)
    for name, node in desired.orgs.items():
        here = addresses.join(None, "org", name)
        if node.renamed_from:
            carry(moved, addresses.join(None, "org", node.renamed_from), here)
        for address, child in named_in(here, node):
            if child.renamed_from:
                carry(moved, addresses.beside(address, child.renamed_from), address)
    if moved and live is not None:
        everything = {**live.others, **live.orgs}
        _carry_by_id(moved, None, "org", {**desired.elsewhere, **desired.orgs}, everything)
        by_id = {org.id: org for org in everything.values()}
        for name, node in desired.orgs.items():
            here = addresses.join(None, "org", name)
            entry = moved.get(here)
            above = by_id.get(entry.id) if entry is not None else None
            if above is not None:
                _carry_below(moved, here, node, above)
    return moved


def _carry_below(lock: Lock, here: str, node: Node, have: Resource) -> None:
    for kind in named_below(node.kind):
        wanted, live = node.children.get(kind.name, {}), have.of(kind.name)
        _carry_by_id(lock, here, kind.name, wanted, live)
        inner = [child for child in wanted.values() if any(k.name in child.children for k in named_below(kind.name))]
        by_id = {one.id: one for one in live.values()} if inner else {}
        for child in inner:
            address = addresses.join(here, kind.name, child.name)
            found = by_id.get(lock[address].id) if address in lock else None
            if found is not None:
                _carry_below(lock, address, child, found)


def _carry_by_id(
    lock: Lock, parent: str | None, kind: str, wanted: Mapping[str, Node], live: Mapping[str, Resource]
) -> None:
    """For each wanted name that the lock file lacks: what it knows of the live object under the name it had."""
    new = [name for name in wanted if name in live and addresses.join(parent, kind, name) not in lock]
    if not new:
        return
    start = addresses.join(parent, kind, "")
    former = {
        entry.id: address
        for address, entry in lock.items()
        if address.startswith(start) and "/" not in address[len(start) :] and address[len(start) :] not in wanted
    }
    for name in new:
        old = former.get(live[name].id)
        if old is not None:
            carry(lock, old, addresses.join(parent, kind, name))
