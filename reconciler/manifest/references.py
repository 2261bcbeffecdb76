"""Checks references to siblings: each names one that exists and stays, and no chain of them is a circle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.kinds import KINDS, children_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.kind import Attribute, Kind
    from reconciler.manifest.merge import Reporter
    from reconciler.model.desired import Node
    from reconciler.model.diagnostic import Source


def check(above: Node, gaps: bool, report: Reporter) -> None:
    """Refuse references below an org, or below one of its workspaces, to nothing, to what is stated absent, or in a circle;
    and two keys for one object.

    With `gaps`, a target may be missing only because it is wrong elsewhere.
    """
    for kind in children_of(above.kind):
        for attribute in kind.attributes:
            if attribute.refers_to is None:
                continue
            there = above.children.get(attribute.refers_to, {})
            for node in above.children.get(kind.name, {}).values():
                _one(kind, attribute, node, there, gaps, report)
            if attribute.refers_to == kind.name:
                _circles(attribute.name, there, report)
        if kind.defaults is not None:
            _twins(kind, above.children.get(kind.name, {}), report)


def _source(node: Node, key: str) -> Source:
    return (node.sources or {}).get(key, node.source)


def _one(
    kind: Kind,
    attribute: Attribute,
    node: Node,
    there: Mapping[str, Node],
    gaps: bool,
    report: Reporter,
) -> None:
    name = node.attrs.get(attribute.name)
    if name is None:
        return
    found, target = there.get(name), KINDS[attribute.refers_to or ""]
    if found is None and not gaps:
        near = report.speller.nearest(name, there)
        report.error(
            f"{kind.noun} {node.name} is in `{name}`, but there is no such {target.noun}",
            _source(node, attribute.name),
            hint=f"did you mean `{near}`?" if near else f"list it in `{target.section}:`",
        )
    elif found is not None and found.absent and not node.absent:
        report.error(
            f"{kind.noun} {node.name} is in {name}, which is `absent: true`",
            _source(node, attribute.name),
            hint=f"give it another `{attribute.name}`, or null for the top level",
            also=(found.sources or {}).get("absent", found.source),
        )


def _circles(key: str, there: Mapping[str, Node], report: Reporter) -> None:
    done: set[str] = set()
    for start in there:
        trail: dict[str, None] = {}
        at: str | None = start
        while at is not None and at in there and at not in done and at not in trail:
            trail[at] = None
            at = there[at].attrs.get(key)
        if at is not None and at in trail:
            names = list(trail)
            circle = [*names[names.index(at) :], at]
            report.error(
                f"{KINDS[there[at].kind].noun}s contain each other in a circle: {' → '.join(circle)}",
                _source(there[at], key),
                hint=f"one of them needs another `{key}`, or null for the top level",
            )
        done.update(trail)


def _twins(kind: Kind, there: Mapping[str, Node], report: Reporter) -> None:
    """Refuse two keys for one object: kinds without handles are known by the attributes that have defaults."""
    assert kind.defaults is not None
    first: dict[tuple[Any, ...], Node] = {}
    for node in there.values():
        if node.absent:
            continue
        known_by = tuple(node.attrs.get(name) for name in kind.defaults(node.name))
        other = first.setdefault(known_by, node)
        if other is not node:
            report.error(
                f"{other.name} and {node.name} are the same {kind.noun}: same title, same place",
                node.source,
                hint="keep one of the keys, or give one of them another title",
                also=other.source,
            )
