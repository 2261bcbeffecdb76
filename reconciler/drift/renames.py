"""Follows objects that were renamed: addresses and desired state with live handles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from reconciler.kinds import KINDS
from reconciler.model import address as addresses
from reconciler.model.desired import Node, Person

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.model.desired import Desired
    from reconciler.model.live import Resource
    from reconciler.model.plan import Plan


def node_at(desired: Desired, address: str) -> Node | None:
    """The desired object at an address, expired ones included; None if no manifest has it."""
    (_, name), *rest = addresses.split(address)
    found = desired.orgs.get(name)
    for kind, child in rest:
        if found is None:
            return None
        found = found.children.get(kind, {}).get(child) or (found.expired or {}).get(kind, {}).get(child)
    return found


def renames(plan: Plan) -> tuple[tuple[str, str], ...]:
    """(new address, old address) of each rename in a plan; deeper addresses first."""
    found = [(c.address, c.previous_address) for c in plan.changes if c.action == "rename" and c.previous_address]
    return tuple(sorted(found, key=lambda pair: -pair[0].count("/")))


def canonical(renamed: Sequence[tuple[str, str]], address: str) -> str:
    """`address` with live handles. `renamed` is what `renames` returns."""
    for new, old in renamed:
        if addresses.covers(new, address):
            address = old + address[len(new) :]
    return address


def followed(desired: Desired, renamed: Mapping[str, Resource]) -> Desired:
    """`desired` with `renamed_from` added for each object renamed outside, so that what is below it is compared."""
    orgs, people = dict(desired.orgs), dict(desired.people)
    for address, live in renamed.items():
        (_, name), *rest = addresses.split(address)
        node = orgs[name]
        if not rest:
            orgs[name] = msgspec.structs.replace(node, renamed_from=live.handle)
        elif not KINDS[rest[-1][0]].names_people:
            orgs[name] = _stated_back(node, rest, live.handle)
        else:
            person = desired.person(rest[0][1])
            people[person.name] = Person(person.name, live.handle, person.email, person.source)
    return replace(desired, orgs=orgs, people=people)


def _stated_back(node: Node, path: Sequence[tuple[str, str]], handle: str) -> Node:
    """`node` with `renamed_from: handle` added to the object at `path` below it."""
    if not path:
        return msgspec.structs.replace(node, renamed_from=handle)
    (kind, name), *rest = path
    siblings = node.children[kind]
    found = _stated_back(siblings[name], rest, handle)
    return msgspec.structs.replace(node, children={**node.children, kind: {**siblings, name: found}})
