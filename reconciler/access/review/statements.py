"""What HEAD states, apart from access, that is dangerous, lasting or odd: deletions, renames, sections that come or go. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.access import connections, folders
from reconciler.access.maps import GRANT, MEMBER, WORKSPACE
from reconciler.access.review import unlisted
from reconciler.access.review.endings import ending
from reconciler.access.review.sides import left_alone, name_in_base, workspaces_in_head
from reconciler.model.address import join
from reconciler.model.review import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from reconciler.access.expiring import Later
    from reconciler.access.review.sides import Sides
    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Lock

SAFEGUARDS = {
    "min_owners": "min_owners",
    "max_removals_count": "max_removals.count",
    "max_removals_percent": "max_removals.percent",
}


def statements(sides: Sides, base_lock: Lock, head_lock: Lock, later: Mapping[date, Later]) -> Iterator[Statement]:
    if sides.base.host != sides.head.host:
        have, want = (None if desired.host is None else desired.host for desired in (sides.base, sides.head))
        if (have and have[0]) != (want and want[0]):
            yield Statement("host", "host", have and have[0], want and want[0], source=want[1] if want else None)
    yield from unlisted.statements(sides)
    for name, org in sides.head.orgs.items():
        before = sides.base_org(name)
        yield from _of_org(name, org, before)
        for address, one, earlier in connections.pairs(name, org, before):
            spaces_of = workspaces_in_head(sides, name)
            yield from connections.statements(name, address, one, earlier, spaces_of, sides.old, sides.new)
            yield from folders.moved(
                address, (org, before), one, earlier, spaces_of, sides.old, sides.new, connections.people
            )
        yield from folders.statements(
            name, org, before, workspaces_in_head(sides, name), sides.old, sides.new, connections.people
        )
        yield from connections.forgotten(name, org, before)
        spaces = before.children.get(WORKSPACE, {}) if before is not None else {}
        for inner, space in org.children.get(WORKSPACE, {}).items():
            old = name_in_base(inner, space, spaces)
            yield from _of_workspace(name, inner, space, spaces.get(old) if old is not None else None)
            if space.absent and old is not None and before is not None and not spaces[old].absent:
                where = f"{name}/{inner}"
                names = connections.people(sides.old, where)
                for address in connections.lost_with(name, org, before, inner, old):
                    yield Statement("detached", address, where, names=names, source=space.source)
    yield from _no_longer_written(sides)
    yield from ending(sides, later)
    for attribute, shown in SAFEGUARDS.items():
        have, want = getattr(sides.base.rules, attribute), getattr(sides.head.rules, attribute)
        if have != want:
            yield Statement("safeguard", f"safeguards.{shown}", str(have), str(want))
    if sides.base.resend_after != sides.head.resend_after:
        yield Statement("resend", "invitations.resend_after", _days(sides.base), _days(sides.head))
    for name, person in sides.head.people.items():
        known = sides.base.people.get(name)
        stated = person.reinvite if person.handle is None else None
        if stated is not None and (known is None or known.reinvite != stated):
            yield Statement("reinvite", name, day=stated, names=(person.email or "",), source=person.source)
    touched = sorted(at for at in {*base_lock, *head_lock} if base_lock.get(at) != head_lock.get(at))
    if touched:
        yield Statement("lock", "reconciler.lock.json", names=tuple(touched))


def _days(desired: Desired) -> str | None:
    return None if desired.resend_after is None else f"{desired.resend_after}d"


def _of_org(name: str, org: Node, before: Node | None) -> Iterator[Statement]:
    sources = org.sources or {}
    address = join(None, "org", name)
    if org.absent:
        if before is None or not before.absent:
            yield Statement("absent", address, names=_listed(before), reason=org.reason, source=org.source)
        return
    # once BASE has the new name, the rename is not news
    if org.renamed_from is not None and (before is None or before.name != name):
        yield Statement("rename", address, org.renamed_from, name, _listed(org), source=sources.get("renamed_from"))
    moment = org.attrs.get("token_min_issued_at")
    earlier = before.attrs.get("token_min_issued_at") if before is not None else None
    if moment is not None and moment != earlier:
        yield Statement("tokens", address, earlier, moment, source=sources.get("token_min_issued_at"))
    yield from _management(address, org, before, MEMBER)
    yield from _absent_people(address, org, before, MEMBER)


def _listed(org: Node | None) -> tuple[str, ...]:
    if org is None:
        return ()
    return tuple(sorted(name for name, space in org.children.get(WORKSPACE, {}).items() if not space.absent))


def _of_workspace(org: str, name: str, space: Node, before: Node | None) -> Iterator[Statement]:
    address = join(join(None, "org", org), WORKSPACE, name)
    if space.absent:
        if before is None or not before.absent:
            own = before.children.get(connections.OWN, {}) if before is not None else {}
            names = tuple(sorted(handle for handle, node in own.items() if not node.absent))
            yield Statement("absent", address, names=names, reason=space.reason, source=space.source)
        return
    if space.renamed_from is not None and (before is None or before.name != name):
        source = (space.sources or {}).get("renamed_from")
        yield Statement("rename", address, space.renamed_from, name, (f"{org}/{name}",), source=source)
    yield from _management(address, space, before, GRANT)
    yield from _absent_people(address, space, before, GRANT)


def _management(address: str, node: Node, before: Node | None, kind: str) -> Iterator[Statement]:
    """A section that appears or disappears: from then on, whoever is not listed is removed, or left alone."""
    if before is None or before.absent or (kind in node.children) == (kind in before.children):
        return
    if kind in node.children:
        yield Statement("managed", address, source=(node.sources or {}).get(kind))
    else:
        yield Statement("unmanaged", address, source=node.source)


def _absent_people(address: str, node: Node, before: Node | None, kind: str) -> Iterator[Statement]:
    earlier = before.children.get(kind, {}) if before is not None else {}
    for name, entry in node.children.get(kind, {}).items():
        old = earlier.get(name)
        if entry.absent and (old is None or not old.absent):
            role = old.attrs.get("role") if old is not None else None
            yield Statement("absent", join(address, kind, name), role, reason=entry.reason, source=entry.source)


def _no_longer_written(sides: Sides) -> Iterator[Statement]:
    left = left_alone(sides)
    for place in sorted(left):
        org, slash, space = place.partition("/")
        if slash and org in left:
            continue
        address = join(None, "org", org)
        yield Statement("left-alone", join(address, WORKSPACE, space) if slash else address)
