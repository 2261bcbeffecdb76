"""Entries of HEAD that end: when, and what remains then. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.access.maps import WORKSPACE, of_desired
from reconciler.access.review.sides import entries_that_end, name_in_head, people_entries
from reconciler.model.desired import Desired
from reconciler.model.expiring import UNKNOWN
from reconciler.model.review import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from reconciler.access.expiring import Later
    from reconciler.access.maps import Names
    from reconciler.access.review.sides import Sides
    from reconciler.model.desired import Node


def endings(base: Desired, head: Desired) -> tuple[date, ...]:
    """The days on which entries end that HEAD adds, or changes the end of; the earliest first."""
    before = {(key, node.expires, node.then) for key, node in entries_that_end(base)}
    return tuple(
        sorted({n.expires for key, n in entries_that_end(head) if n.expires and (key, n.expires, n.then) not in before})
    )


def ending(sides: Sides, later: Mapping[date, Later]) -> Iterator[Statement]:
    """Entries that end some day: what remains then. One statement for all people of one team's entry."""
    before = {
        (name_in_head(key[0], sides, sides.spaces), key[1], node.expires, node.then)
        for key, node in entries_that_end(sides.base)
    }
    remaining: dict[date, dict[tuple[str, str], str]] = {}
    for day, found in later.items():
        if isinstance(found, Desired):
            remaining[day] = {(r.key, r.object): r.role for r in of_desired(found).assignments}
    grouped: dict[tuple[Any, ...], list[tuple[str, Node]]] = {}
    for place, name, node in people_entries(sides.head):
        if node.expires is None or (place, node.via or name, node.expires, node.then) in before:
            continue
        at = (sides.head_names.key(name), place)
        rest = remaining[node.expires].get(at) if node.expires in remaining else UNKNOWN
        grouped.setdefault((node.expires, place, node.attrs["role"], rest, node.via or name), []).append((name, node))
    for (day, place, role, rest, _), people in sorted(
        grouped.items(), key=lambda item: (item[0][0], item[0][1], item[0][4])
    ):
        if rest == role:
            continue  # another entry keeps them in
        names = tuple(_who(sides.head_names, name) for name, _ in people)
        node = people[0][1]
        yield Statement("expires", place, role, rest, names, day, node.reason, node.source)
    for org in sides.head.orgs.values():
        yield from _already_over(org.name, org, sides)
        for space in org.children.get(WORKSPACE, {}).values():
            yield from _already_over(f"{org.name}/{space.name}", space, sides)


def _already_over(place: str, node: Node, sides: Sides) -> Iterator[Statement]:
    """Entries that HEAD adds although their day has come."""
    for kind, entries in (node.expired or {}).items():
        for name, entry in entries.items():
            old = sides.base_org(place.partition("/")[0])
            if old is not None and "/" in place:
                old = old.children.get(WORKSPACE, {}).get(node.name)
            known = {**old.children.get(kind, {}), **(old.expired or {}).get(kind, {})} if old is not None else {}
            if name not in known or known[name].expires != entry.expires:
                who = (_who(sides.head_names, name),)
                yield Statement(
                    "expired", place, entry.attrs["role"], entry.then, who, entry.expires, entry.reason, entry.source
                )


def _who(names: Names, name: str) -> str:
    key = names.key(name)
    return name if key == name else f"{names.name(key)} ({key})"


def unusable_later(later: Mapping[date, Later]) -> Iterator[str]:
    for day, found in sorted(later.items()):
        if not isinstance(found, Desired) and found:
            yield f"from {day.isoformat()} on these manifests cannot be used: {found[0].summary}"
