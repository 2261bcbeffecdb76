"""What HEAD changes in the manifests' own objects and entries, as a plan would list it but without requests. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.access import connections, folders
from reconciler.access.maps import GRANT, MEMBER, WORKSPACE
from reconciler.access.review.sides import name_in_base, workspaces_in_head
from reconciler.model.address import join
from reconciler.model.plan import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.access.review.sides import Sides
    from reconciler.model.desired import Node


def manifest_changes(sides: Sides) -> Iterator[Change]:
    for name, org in sides.head.orgs.items():
        before = sides.base_org(name)
        address = join(None, "org", name)
        yield from _of_node("org", address, org, before, None)
        yield from _of_people(address, MEMBER, org, before, sides)
        spaces = before.children.get(WORKSPACE, {}) if before is not None else {}
        for inner, space in org.children.get(WORKSPACE, {}).items():
            old = name_in_base(inner, space, spaces)
            earlier = spaces.get(old) if old is not None else None
            at = join(address, WORKSPACE, inner)
            yield from _of_node(WORKSPACE, at, space, earlier, address)
            yield from _of_people(at, GRANT, space, earlier, sides)
        for at, node, earlier in folders.pairs(name, org, before):
            same = earlier if earlier is None else msgspec.structs.replace(earlier, name=node.name)
            yield from _of_node(node.kind, at, node, same, at.rpartition("/")[0])
            yield from folders.changes(at, node, earlier, workspaces_in_head(sides, name))
        for at, node, earlier in connections.pairs(name, org, before):
            yield from _of_node(node.kind, at, node, earlier, at.rpartition("/")[0])
            yield from connections.changes(at, node, earlier, workspaces_in_head(sides, name))


def _of_node(kind: str, address: str, node: Node, before: Node | None, parent: str | None) -> Iterator[Change]:
    have = dict(before.attrs) if before is not None and not before.absent else {}
    if node.absent:
        if before is None or not before.absent:
            yield Change("delete", kind, address, connections.shown(have), None, (), node.source, "absent", stated=True)
        return
    if before is None or before.absent:
        yield Change("create", kind, address, None, connections.shown(node.attrs), (), node.source)
        return
    if before.name != node.name:
        old = join(parent, kind, before.name)
        handles = {"handle": before.name}, {"handle": node.name}
        source = (node.sources or {}).get("renamed_from", node.source)
        yield Change("rename", kind, address, *handles, (), source, "renamed", stated=True, previous_address=old)
    differing = {name: value for name, value in node.attrs.items() if name not in have or have[name] != value}
    dropped = tuple(f"{name} is left alone from now on" for name in have if name not in node.attrs)
    if differing or dropped:
        shown = {name: have.get(name) for name in differing}
        source = (node.sources or {}).get(next(iter(differing), ""), node.source)
        yield Change(
            "update", kind, address, connections.shown(shown), connections.shown(differing), (), source, details=dropped
        )


def _of_people(parent: str, kind: str, node: Node, before: Node | None, sides: Sides) -> Iterator[Change]:
    have_all = before.children.get(kind) if before is not None else None
    want_all = node.children.get(kind)
    if have_all is None and want_all is None:
        return
    have_by_key = {sides.base_names.key(name): entry for name, entry in (have_all or {}).items() if not entry.absent}
    wanted = {sides.head_names.key(name): (name, entry) for name, entry in (want_all or {}).items()}
    for key, (name, entry) in wanted.items():
        have, address = have_by_key.get(key), join(parent, kind, name)
        if entry.absent:
            if have is not None:
                yield Change("delete", kind, address, _shown(have), None, (), entry.source, "absent", stated=True)
        elif have is None:
            yield Change("create", kind, address, None, _shown(entry), (), entry.source, via=entry.via)
        elif _shown(have) != _shown(entry):
            yield Change("update", kind, address, _shown(have), _shown(entry), (), entry.source, via=entry.via)
    if want_all is None:
        return  # left alone from now on
    expired = {sides.head_names.key(name): entry for name, entry in (node.expired or {}).get(kind, {}).items()}
    for key, entry in have_by_key.items():
        if key not in wanted:
            over = expired.get(key)
            source = over.source if over is not None else (node.sources or {}).get(kind)
            reason = "expired" if over is not None else "unlisted"
            yield Change(
                "delete", kind, join(parent, kind, entry.name), _shown(entry), None, (), source, reason,
                stated=over is not None, via=entry.via,
            )  # fmt: skip


def _shown(entry: Node) -> dict[str, Any]:
    shown = dict(entry.attrs)
    if entry.expires is not None:
        shown["expires"] = entry.expires.isoformat()
    if entry.then is not None:
        shown["then"] = entry.then
    return shown
