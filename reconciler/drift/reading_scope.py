"""Which lists `drift` and `plan --since` have to read from Pipes.

What is read follows from the manifests: a list is read if its section is there. So each function here makes up manifests
with more sections. They only decide what is read: planning from them would remove people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from reconciler.kinds import children_of, named_below

if TYPE_CHECKING:
    from reconciler.model.desired import Desired, Node


def whole(desired: Desired) -> Desired:
    """`desired` with every section present: what to read to find objects that no manifest covers."""
    return replace(desired, orgs={name: _whole(node) for name, node in desired.orgs.items()})


def _whole(node: Node) -> Node:
    """`node` with an empty section for each kind of child that it lacks, at every depth."""
    if node.absent:
        return node
    children: dict[str, dict[str, Node]] = {kind.name: {} for kind in children_of(node.kind)} | node.children
    for kind in named_below(node.kind):
        children[kind.name] = {name: _whole(child) for name, child in children[kind.name].items()}
    return replace(node, children=children)


def both(one: Desired, other: Desired) -> Desired:
    """Every org and section that `one` or `other` has: what to read to plan either of them."""
    orgs = {
        name: _both(one.orgs[name], other.orgs[name])
        if name in one.orgs and name in other.orgs
        else one.orgs.get(name) or other.orgs[name]
        for name in {**one.orgs, **other.orgs}
    }
    return replace(one, orgs=orgs, people={**other.people, **one.people})


def _both(one: Node, other: Node) -> Node:
    """Both nodes as one: what either of them names, with the attributes of `one`. It is absent only if both are."""
    children = {
        kind: {
            name: _both(a, b)
            if (a := one.children.get(kind, {}).get(name)) and (b := other.children.get(kind, {}).get(name))
            else a or other.children[kind][name]
            for name in {**other.children.get(kind, {}), **one.children.get(kind, {})}
        }
        for kind in {**one.children, **other.children}
    }
    if one.absent or other.absent:  # to delete an object, the plan must know everything in it
        children = {kind.name: {} for kind in children_of(one.kind) if kind.read_for_impact} | children
    return replace(
        one,
        attrs={**other.attrs, **one.attrs},
        absent=one.absent and other.absent,
        renamed_from=one.renamed_from or other.renamed_from,
        children=children,
    )
