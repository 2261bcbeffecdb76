"""Rows that HEAD keeps or ignores from now on, robots that come and go, and service accounts that are deleted. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.access.maps import WORKSPACE
from reconciler.access.review.sides import name_in_base
from reconciler.kinds import service_account
from reconciler.model.address import join
from reconciler.model.review import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.access.review.sides import Sides
    from reconciler.model.desired import Node


def statements(sides: Sides) -> Iterator[Statement]:
    """New, wider and ended `ignore` entries, `unlisted` that changed, robots that came or went, accounts that are deleted."""
    for name, org in sides.head.orgs.items():
        if org.absent:
            continue
        before = sides.base_org(name)
        address = join(None, "org", name)
        yield from _ignored(address, org, before)
        yield from _unlisted(address, org, before)
        spaces = before.children.get(WORKSPACE, {}) if before is not None else {}
        for inner, space in org.children.get(WORKSPACE, {}).items():
            old = name_in_base(inner, space, spaces)
            if not space.absent:
                yield from _unlisted(join(address, WORKSPACE, inner), space, spaces.get(old) if old else None)
        yield from _accounts(address, org, before)
    for name, person in sides.head.people.items():
        known = sides.base.people.get(name)
        if person.robot != (known is not None and known.robot):
            yield Statement("robot" if person.robot else "no-robot", name, source=person.source)


def _ignored(address: str, org: Node, before: Node | None) -> Iterator[Statement]:
    earlier = {one.handle: one for one in (before.ignored if before is not None else ())}
    for one in org.ignored:
        old = earlier.pop(one.handle, None)
        longer = old is not None and old.until is not None and (one.until is None or one.until > old.until)
        if old is None or longer:
            was = old.until.isoformat() if old is not None and old.until is not None else None
            yield Statement("ignore", address, was, one.handle, day=one.until, reason=one.reason, source=one.source)
        elif one.until != old.until:
            yield Statement("ignore-ends", address, None, one.handle, day=one.until, source=one.source)
    for old in earlier.values():
        yield Statement("ignore-ends", address, None, old.handle, source=org.source)


def _unlisted(address: str, node: Node, before: Node | None) -> Iterator[Statement]:
    had = before is not None and before.keeps_unlisted
    if node.keeps_unlisted != had:
        source = (node.sources or {}).get("unlisted", node.source)
        yield Statement("kept" if node.keeps_unlisted else "not-kept", address, source=source)


def _accounts(address: str, org: Node, before: Node | None) -> Iterator[Statement]:
    earlier = before.children.get(service_account.NAME, {}) if before is not None else {}
    for key, account in org.children.get(service_account.NAME, {}).items():
        old = earlier.get(key)
        if account.absent and (old is None or not old.absent):
            here = join(address, service_account.NAME, key)
            yield Statement("absent", here, reason=account.reason, source=account.source)
