"""Who gains and who loses what from BASE to HEAD, and why. Pure.

Where the manifests of one side do not manage the members of an object, an empty list there proves nothing.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from reconciler.access.maps import GRANT, MEMBER, WORKSPACE, Assigned, assigned
from reconciler.access.review.sides import left_alone, name_in_head
from reconciler.model.access import DIRECT, OWNS
from reconciler.model.address import SERVICE
from reconciler.model.review import AccessChange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.access.review.sides import Sides
    from reconciler.model.access import Assignment
    from reconciler.model.diagnostic import Source
    from reconciler.model.live import Lock


_STATED = ("absent: true", "expired")  # why somebody is certain to lose something, also where whoever has no line stays


class AccessChanges(NamedTuple):
    """What changes in who reaches what, each by person and object."""

    changed: list[AccessChange]  # other roles
    rerouted: list[AccessChange]  # the same roles for another reason
    after: Assigned  # what people reach in HEAD


def access_changes(sides: Sides, lock: Lock | None, before_map: Assigned | None = None) -> AccessChanges:
    """What HEAD changes. `before_map` is what people reach in BASE with the same lock file, where that is known."""
    before_map, after_map = before_map or assigned(sides.base, lock), assigned(sides.head, lock)
    names = {**sides.orgs, **sides.spaces}
    before = {(r.key, name_in_head(r.object, sides, names)): r for r in before_map.assignments}
    after = {(r.key, r.object): r for r in after_map.assignments}
    unknown_before = {name_in_head(place, sides, names) for place in before_map.open}
    unknown_after = set(after_map.open) | left_alone(sides)
    gone = _gone(sides)
    joined = {key for key in after if key not in before and "/" not in key[1]}
    changed: list[AccessChange] = []
    rerouted: list[AccessChange] = []
    for at in chain(before, (at for at in after if at not in before)):
        have, want = before.get(at), after.get(at)
        if have is not None and want is not None:
            if have.role == want.role:
                if (have.why, have.path, have.until) != (want.why, want.path, want.until):
                    rerouted.append(_change(at, have, want, want.reason, source=want.source))
            else:
                changed.append(_change(at, have, want, want.reason, source=want.source))
        elif want is not None:
            changed.append(
                _change(
                    at, None, want, want.reason, "before" if at[1] in unknown_before else "", want.source,
                    invited=(at[0], at[1].partition("/")[0]) in joined and not at[0].startswith(SERVICE),
                )
            )  # fmt: skip
        elif have is not None:
            why, source = _lost(at, have, sides, after, gone)
            stated = why in _STATED
            if (
                why == f"no longer in {at[1].partition('/')[0]}"
            ):  # it goes with the membership, if that is certain to go
                above = (at[0], at[1].partition("/")[0])
                lost = before.get(above)
                stated = above[1] not in unknown_after or (
                    lost is not None and _lost(above, lost, sides, after, gone)[0] in _STATED
                )
            unknown = "after" if at[1] in unknown_after and not stated else ""
            changed.append(_change(at, have, None, why, unknown, source))
    return AccessChanges(changed, rerouted, after_map)


def _change(
    at: tuple[str, str], have: Assignment | None, want: Assignment | None, why: str, unknown: str = "",
    source: Source | None = None, *, invited: bool = False,
) -> AccessChange:  # fmt: skip
    shown = want or have
    assert shown is not None
    return AccessChange(shown.who, at[0], at[1], have, want, why, unknown, invited, source)


def _gone(sides: Sides) -> dict[str, tuple[str, Source]]:
    """Objects that HEAD states to be absent, why, and where."""
    found: dict[str, tuple[str, Source]] = {}
    for name, org in sides.head.orgs.items():
        if org.absent:
            found[name] = ("the org is deleted", org.source)
        for inner, space in org.children.get(WORKSPACE, {}).items():
            if space.absent:
                found[f"{name}/{inner}"] = ("the workspace is deleted", space.source)
    return found


def _lost(
    at: tuple[str, str], have: Assignment, sides: Sides, after: Mapping[tuple[str, str], Assignment],
    gone: Mapping[str, tuple[str, Source]],
) -> tuple[str, Source | None]:  # fmt: skip
    """Why a person loses an object, and the line of HEAD that says so."""
    key, place = at
    handle, slash, inner = place.partition("/")
    for deleted in (place, handle):
        if deleted in gone:
            return gone[deleted]
    org = sides.head.orgs.get(handle)
    if org is None:
        return "no longer in the manifests", None
    node = org.children.get(WORKSPACE, {}).get(inner) if slash else org
    if node is None:
        return "the workspace is no longer in the manifests", None
    kind = GRANT if slash else MEMBER
    section = (node.sources or {}).get(kind) or node.source
    if kind not in node.children and have.why != OWNS:
        return "its members are no longer managed", node.source
    if have.why == OWNS and MEMBER not in org.children:
        return f"the members of {handle} are no longer managed", org.source
    if have.why == OWNS:
        return ("no longer an owner" if (key, handle) in after else f"no longer in {handle}"), section
    for name, entry in chain(node.children.get(kind, {}).items(), (node.expired or {}).get(kind, {}).items()):
        if sides.head_names.key(name) == key:
            return ("absent: true" if entry.absent else "expired"), entry.source
    if slash and MEMBER in org.children and (key, handle) not in after:
        return f"no longer in {handle}", section
    if have.why != DIRECT:
        people = sides.head.teams.get(have.why.removeprefix("team/"), ())
        if not any(sides.head_names.key(name) == key for name in people):
            return f"left {have.reason}", section
        return f"{have.why} has no role here any more", section
    return "no longer listed", section


def reading_order(found: AccessChange) -> tuple[bool, bool, str, str, str]:
    """Sorts gained and lost ownership of orgs first, then by person and object."""
    return (not found.owns, found.owns and found.had != "owner", found.person, found.key, found.object)
