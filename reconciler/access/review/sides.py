"""BASE and HEAD, and which of their orgs and workspaces belong together. Pure.

A renamed org or workspace is the same one: everything is compared under its name in HEAD.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from reconciler.access.maps import GRANT, MEMBER, WORKSPACE, Names
from reconciler.model.access import Access

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Lock

NOBODY = Access("manifests", date.min, (), ())


class Side(msgspec.Struct, frozen=True):
    """One side of a review: BASE or HEAD."""

    manifests: Desired
    lock: Lock | None = None  # who is who by this side's lock file
    label: str = ""  # its name in the review


class Sides(msgspec.Struct):
    """Both sides, and which of their orgs and workspaces belong together."""

    base: Desired  # BASE's manifests
    head: Desired  # HEAD's
    base_names: Names  # who each name in BASE is
    head_names: Names  # the same for HEAD, by BASE's lock file too
    orgs: dict[str, str] = msgspec.field(default_factory=dict)  # a BASE handle -> the one in HEAD
    spaces: dict[str, str] = msgspec.field(default_factory=dict)  # the same for acme/prod
    old: Access = NOBODY  # who reaches what in BASE, by the names of HEAD
    new: Access = NOBODY  # the same in HEAD

    def base_org(self, name: str) -> Node | None:
        """The BASE node of an org by its handle in HEAD."""
        return next((self.base.orgs[old] for old, new in self.orgs.items() if new == name), None)


def paired(sides: Sides) -> Sides:
    for name, org in sides.head.orgs.items():
        old = name_in_base(name, org, sides.base.orgs)
        if old is None:
            continue
        sides.orgs[old] = name
        spaces = sides.base.orgs[old].children.get(WORKSPACE, {})
        for inner, space in org.children.get(WORKSPACE, {}).items():
            before = name_in_base(inner, space, spaces)
            if before is not None:
                sides.spaces[f"{old}/{before}"] = f"{name}/{inner}"
    return sides


def name_in_base(name: str, node: Node, before: Mapping[str, Node]) -> str | None:
    """The name in BASE of an object of HEAD."""
    if name in before:
        return name  # a completed rename has no effect
    return node.renamed_from if node.renamed_from in before else None


def with_names_of_head(access: Access, sides: Sides) -> Access:
    names = {**sides.orgs, **sides.spaces}
    return replace(
        access,
        assignments=tuple(
            msgspec.structs.replace(r, object=name_in_head(r.object, sides, names)) for r in access.assignments
        ),
    )


def workspaces_in_head(sides: Sides, name: str) -> dict[str, str]:
    """A workspace's handle in BASE -> the one in HEAD, of one org of HEAD."""
    pairs = ((old.partition("/")[2], new.partition("/")) for old, new in sides.spaces.items())
    return {old: handle for old, (org, _, handle) in pairs if org == name}


def name_in_head(place: str, sides: Sides, names: Mapping[str, str]) -> str:
    """The name in HEAD of an object of BASE; a workspace that HEAD does not list is below its org's new name."""
    found = names.get(place)
    if found is not None:
        return found
    org, slash, space = place.partition("/")
    return f"{sides.orgs.get(org, org)}{slash}{space}"


def left_alone(sides: Sides) -> set[str]:
    """Objects of BASE that HEAD says nothing about any more, by their names in HEAD: nothing happens to them."""
    found = set()
    for name, org in sides.base.orgs.items():
        if org.absent:
            continue
        new = sides.head.orgs.get(sides.orgs.get(name, ""))
        if new is None:
            found.add(name)
        for space, node in org.children.get(WORKSPACE, {}).items():
            if node.absent:
                continue  # a statement that has taken effect
            if new is None or (not new.absent and f"{name}/{space}" not in sides.spaces):
                found.add(f"{sides.orgs.get(name, name)}/{space}")
    return found


def people_entries(desired: Desired) -> Iterator[tuple[str, str, Node]]:
    for org in desired.orgs.values():
        for name, node in org.children.get(MEMBER, {}).items():
            yield org.name, name, node
        for space in org.children.get(WORKSPACE, {}).values():
            for name, node in space.children.get(GRANT, {}).items():
                yield f"{org.name}/{space.name}", name, node


def entries_that_end(desired: Desired) -> Iterator[tuple[tuple[str, str], Node]]:
    for place, name, node in people_entries(desired):
        if node.expires is not None:
            yield (place, node.via or name), node
