"""Desired x Desired -> Review: what HEAD changes over BASE, above all in who reaches what. Pure.

A renamed org or workspace is the same one: everything is compared under the new names. Where the manifests of one side
do not manage the members of an object, nothing is concluded from nobody being written there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.access import connections as routes
from reconciler.access import folders as through
from reconciler.access.identities import identity_changes
from reconciler.access.maps import GRANT, MEMBER, WORKSPACE, Names, of_desired
from reconciler.model.access import DIRECT, OWNS, Access
from reconciler.model.address import join
from reconciler.model.desired import Desired, Node, Rules
from reconciler.model.expiring import UNKNOWN
from reconciler.model.plan import Change
from reconciler.model.review import AccessChange, Review, Statement, TeamChange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.access.expiring import Later
    from reconciler.model.access import Reach
    from reconciler.model.diagnostic import Diagnostic, Source
    from reconciler.model.expiring import Expiring
    from reconciler.model.live import Lock

SAFEGUARDS = {
    "min_owners": "min_owners",
    "max_removals_count": "max_removals.count",
    "max_removals_percent": "max_removals.percent",
}
NOBODY = Access("manifests", date.min, (), ())


@dataclass(slots=True)
class _Sides:
    """Both sides, and which of their orgs and workspaces belong together."""

    base: Desired
    head: Desired
    base_names: Names
    head_names: Names
    orgs: dict[str, str] = field(default_factory=dict)  # a BASE handle -> the one in HEAD
    spaces: dict[str, str] = field(default_factory=dict)  # the same for acme/prod
    old: Access = NOBODY  # who reaches what in BASE, by the names of HEAD
    new: Access = NOBODY

    def base_org(self, name: str) -> Node | None:
        """The BASE node of an org by its handle in HEAD."""
        return next((self.base.orgs[old] for old, new in self.orgs.items() if new == name), None)


def make_review(
    base: Desired,
    head: Desired,
    *,
    base_label: str,
    head_label: str,
    base_lock: Lock | None = None,
    head_lock: Lock | None = None,
    later: Mapping[date, Later] | None = None,
    expiring: tuple[Expiring, ...] = (),
    base_errors: Sequence[Diagnostic] = (),
    notes: Sequence[str] = (),
    one_person: Sequence[Diagnostic] = (),
) -> Review:
    """What changes from `base` to `head` on their day.

    People are told apart with `base_lock`, never with the pull request's own; `later` holds HEAD on days on which an
    entry ends (see `endings`), so that what remains can be said. `one_person` are names of one account in HEAD.
    """
    # A pull request could otherwise rewrite who an invited person is, and hide behind it.
    sides = _paired(_Sides(base, head, Names(base, base_lock), Names(head, base_lock)))
    if routes.stated(base) or routes.stated(head):
        sides.old, sides.new = _in_head(of_desired(base, base_lock), sides), of_desired(head, base_lock)
    access, rerouted = _access(sides, base_lock)
    known = {(found.summary, found.source.file if found.source else "") for found in base.warnings}
    notes = [*notes, *_breaking(later or {})]
    return Review(
        base_label,
        head_label,
        head.day,
        tuple(sorted(access, key=_reading_order)),
        tuple(sorted(rerouted, key=_reading_order)),
        tuple(_statements(sides, base_lock or {}, head_lock or {}, later or {})),
        tuple(_teams(base, head)),
        tuple(_changes(sides)),
        warnings=tuple(w for w in head.warnings if (w.summary, w.source.file if w.source else "") not in known),
        base_errors=tuple(base_errors),
        notes=tuple(notes),
        expiring=expiring,
        identities=tuple(identity_changes(base, head, base_lock or {}, head_lock or {})),
        one_person=tuple(one_person),
    )


def nothing(day: date) -> Desired:
    """Manifests that do not exist yet."""
    return Desired({}, {}, Rules(), day)


def endings(base: Desired, head: Desired) -> tuple[date, ...]:
    """The days on which entries end that HEAD adds, or changes the end of; the earliest first."""
    before = {(key, node.expires, node.then) for key, node in _dated(base)}
    return tuple(sorted({n.expires for key, n in _dated(head) if n.expires and (key, n.expires, n.then) not in before}))


def _dated(desired: Desired) -> Iterator[tuple[tuple[str, str], Node]]:
    for place, name, node in _people(desired):
        if node.expires is not None:
            yield (place, node.via or name), node


def _people(desired: Desired) -> Iterator[tuple[str, str, Node]]:
    for org in desired.orgs.values():
        for name, node in org.children.get(MEMBER, {}).items():
            yield org.name, name, node
        for space in org.children.get(WORKSPACE, {}).values():
            for name, node in space.children.get(GRANT, {}).items():
                yield f"{org.name}/{space.name}", name, node


def _paired(sides: _Sides) -> _Sides:
    for name, org in sides.head.orgs.items():
        old = _old(name, org, sides.base.orgs)
        if old is None:
            continue
        sides.orgs[old] = name
        spaces = sides.base.orgs[old].children.get(WORKSPACE, {})
        for inner, space in org.children.get(WORKSPACE, {}).items():
            before = _old(inner, space, spaces)
            if before is not None:
                sides.spaces[f"{old}/{before}"] = f"{name}/{inner}"
    return sides


def _old(name: str, node: Node, before: Mapping[str, Node]) -> str | None:
    """Under which name BASE has an object of HEAD."""
    if name in before:
        return name  # a rename that is done is inert
    return node.renamed_from if node.renamed_from in before else None


# --- access -----------------------------------------------------------------------------------------------------------


def _access(sides: _Sides, lock: Lock | None) -> tuple[list[AccessChange], list[AccessChange]]:
    before_map, after_map = of_desired(sides.base, lock), of_desired(sides.head, lock)
    names = {**sides.orgs, **sides.spaces}
    before = {(r.key, _renamed(r.object, sides, names)): r for r in before_map.reaches}
    after = {(r.key, r.object): r for r in after_map.reaches}
    unknown_before = {_renamed(place, sides, names) for place in before_map.open}
    unknown_after = set(after_map.open) | _left_alone(sides)
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
                    invited=(at[0], at[1].partition("/")[0]) in joined,
                )
            )  # fmt: skip
        elif have is not None:
            why, source = _lost(at, have, sides, after, gone)
            changed.append(_change(at, have, None, why, "after" if at[1] in unknown_after else "", source))
    return changed, rerouted


def _change(
    at: tuple[str, str], have: Reach | None, want: Reach | None, why: str, unknown: str = "",
    source: Source | None = None, *, invited: bool = False,
) -> AccessChange:  # fmt: skip
    shown = want or have
    assert shown is not None
    return AccessChange(shown.who, at[0], at[1], have, want, why, unknown, invited, source)


def _in_head(access: Access, sides: _Sides) -> Access:
    names = {**sides.orgs, **sides.spaces}
    return replace(access, reaches=tuple(replace(r, object=_renamed(r.object, sides, names)) for r in access.reaches))


def _spaces(sides: _Sides, name: str) -> dict[str, str]:
    """A workspace's handle in BASE -> the one in HEAD, of one org of HEAD."""
    pairs = ((old.partition("/")[2], new.partition("/")) for old, new in sides.spaces.items())
    return {old: handle for old, (org, _, handle) in pairs if org == name}


def _renamed(place: str, sides: _Sides, names: Mapping[str, str]) -> str:
    """The name in HEAD of an object of BASE; a workspace that HEAD does not list stands below its org's new name."""
    found = names.get(place)
    if found is not None:
        return found
    org, slash, space = place.partition("/")
    return f"{sides.orgs.get(org, org)}{slash}{space}"


def _left_alone(sides: _Sides) -> set[str]:
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
                continue  # a statement that is spent
            if new is None or (not new.absent and f"{name}/{space}" not in sides.spaces):
                found.add(f"{sides.orgs.get(name, name)}/{space}")
    return found


def _gone(sides: _Sides) -> dict[str, tuple[str, Source]]:
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
    at: tuple[str, str], have: Reach, sides: _Sides, after: Mapping[tuple[str, str], Reach],
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
    if have.why == OWNS:
        return ("no longer an owner" if (key, handle) in after else f"no longer in {handle}"), section
    for name, entry in chain(node.children.get(kind, {}).items(), (node.expired or {}).get(kind, {}).items()):
        if sides.head_names.key(name) == key:
            return ("absent: true" if entry.absent else "expired"), entry.source
    if slash and (key, handle) not in after:
        return f"no longer in {handle}", section
    if have.why != DIRECT:
        people = sides.head.teams.get(have.why.removeprefix("team/"), ())
        if not any(sides.head_names.key(name) == key for name in people):
            return f"left {have.reason}", section
        return f"{have.why} has no role here any more", section
    return "no longer listed", section


def _reading_order(found: AccessChange) -> tuple[bool, bool, str, str, str]:
    return (not found.owns, found.owns and found.had != "owner", found.person, found.key, found.object)


# --- statements -------------------------------------------------------------------------------------------------------


def _statements(sides: _Sides, base_lock: Lock, head_lock: Lock, later: Mapping[date, Later]) -> Iterator[Statement]:
    for name, org in sides.head.orgs.items():
        before = sides.base_org(name)
        yield from _of_org(name, org, before)
        for address, one, earlier in routes.pairs(name, org, before):
            spaces_of = _spaces(sides, name)
            yield from routes.statements(name, address, one, earlier, spaces_of, sides.old, sides.new)
            yield from through.moved(
                address, (org, before), one, earlier, spaces_of, sides.old, sides.new, routes.people
            )
        yield from through.statements(name, org, before, _spaces(sides, name), sides.old, sides.new, routes.people)
        yield from routes.forgotten(name, org, before)
        spaces = before.children.get(WORKSPACE, {}) if before is not None else {}
        for inner, space in org.children.get(WORKSPACE, {}).items():
            old = _old(inner, space, spaces)
            yield from _of_workspace(name, inner, space, spaces.get(old) if old is not None else None)
    yield from _forgotten(sides)
    yield from _ends(sides, later)
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
    # once BASE has the new name, the rename is no news
    if org.renamed_from is not None and (before is None or before.name != name):
        yield Statement("rename", address, org.renamed_from, name, _listed(org), source=sources.get("renamed_from"))
    moment = org.attrs.get("token_min_issued_at")
    earlier = before.attrs.get("token_min_issued_at") if before is not None else None
    if moment is not None and moment != earlier:
        yield Statement("tokens", address, earlier, moment, source=sources.get("token_min_issued_at"))
    yield from _managed(address, org, before, MEMBER)
    yield from _absent_people(address, org, before, MEMBER)


def _listed(org: Node | None) -> tuple[str, ...]:
    if org is None:
        return ()
    return tuple(sorted(name for name, space in org.children.get(WORKSPACE, {}).items() if not space.absent))


def _of_workspace(org: str, name: str, space: Node, before: Node | None) -> Iterator[Statement]:
    address = join(join(None, "org", org), WORKSPACE, name)
    if space.absent:
        if before is None or not before.absent:
            own = before.children.get(routes.OWN, {}) if before is not None else {}
            names = tuple(sorted(handle for handle, node in own.items() if not node.absent))
            yield Statement("absent", address, names=names, reason=space.reason, source=space.source)
        return
    if space.renamed_from is not None and (before is None or before.name != name):
        source = (space.sources or {}).get("renamed_from")
        yield Statement("rename", address, space.renamed_from, name, (f"{org}/{name}",), source=source)
    yield from _managed(address, space, before, GRANT)
    yield from _absent_people(address, space, before, GRANT)


def _managed(address: str, node: Node, before: Node | None, kind: str) -> Iterator[Statement]:
    """A section that appears or goes: from then on whoever is not listed is removed, or left alone."""
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


def _forgotten(sides: _Sides) -> Iterator[Statement]:
    left = _left_alone(sides)
    for place in sorted(left):
        org, slash, space = place.partition("/")
        if slash and org in left:
            continue
        address = join(None, "org", org)
        yield Statement("left-alone", join(address, WORKSPACE, space) if slash else address)


def _ends(sides: _Sides, later: Mapping[date, Later]) -> Iterator[Statement]:
    """Entries that end some day: what remains then. One statement for all people of one team's entry."""
    before = {
        (_renamed(key[0], sides, sides.spaces), key[1], node.expires, node.then) for key, node in _dated(sides.base)
    }
    remaining: dict[date, dict[tuple[str, str], str]] = {}
    for day, found in later.items():
        if isinstance(found, Desired):
            remaining[day] = {(r.key, r.object): r.role for r in of_desired(found).reaches}
    grouped: dict[tuple[Any, ...], list[tuple[str, Node]]] = {}
    for place, name, node in _people(sides.head):
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
        yield from _over(org.name, org, sides)
        for space in org.children.get(WORKSPACE, {}).values():
            yield from _over(f"{org.name}/{space.name}", space, sides)


def _over(place: str, node: Node, sides: _Sides) -> Iterator[Statement]:
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


def _breaking(later: Mapping[date, Later]) -> Iterator[str]:
    for day, found in sorted(later.items()):
        if not isinstance(found, Desired) and found:
            yield f"from {day.isoformat()} on these manifests cannot be used: {found[0].summary}"


def _teams(base: Desired, head: Desired) -> Iterator[TeamChange]:
    for team in sorted({*base.teams, *head.teams}):
        have, want = base.teams.get(team, ()), head.teams.get(team, ())
        if have != want:
            had, has = set(have), set(want)
            yield TeamChange(team, tuple(n for n in want if n not in had), tuple(n for n in have if n not in has))


# --- the manifests' own changes ---------------------------------------------------------------------------------------


def _changes(sides: _Sides) -> Iterator[Change]:
    for name, org in sides.head.orgs.items():
        before = sides.base_org(name)
        address = join(None, "org", name)
        yield from _of_node("org", address, org, before, None)
        yield from _of_people(address, MEMBER, org, before, sides)
        spaces = before.children.get(WORKSPACE, {}) if before is not None else {}
        for inner, space in org.children.get(WORKSPACE, {}).items():
            old = _old(inner, space, spaces)
            earlier = spaces.get(old) if old is not None else None
            at = join(address, WORKSPACE, inner)
            yield from _of_node(WORKSPACE, at, space, earlier, address)
            yield from _of_people(at, GRANT, space, earlier, sides)
        for at, node, earlier in through.pairs(name, org, before):
            same = earlier if earlier is None else msgspec.structs.replace(earlier, name=node.name)
            yield from _of_node(node.kind, at, node, same, address)
            yield from through.changes(at, node, earlier, _spaces(sides, name))
        for at, node, earlier in routes.pairs(name, org, before):
            yield from _of_node(node.kind, at, node, earlier, at.rpartition("/")[0])
            yield from routes.changes(at, node, earlier, _spaces(sides, name))


def _of_node(kind: str, address: str, node: Node, before: Node | None, parent: str | None) -> Iterator[Change]:
    have = dict(before.attrs) if before is not None and not before.absent else {}
    if node.absent:
        if before is None or not before.absent:
            yield Change("delete", kind, address, routes.shown(have), None, (), node.source, "absent", stated=True)
        return
    if before is None or before.absent:
        yield Change("create", kind, address, None, routes.shown(node.attrs), (), node.source)
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
        yield Change("update", kind, address, routes.shown(shown), routes.shown(differing), (), source, details=dropped)


def _of_people(parent: str, kind: str, node: Node, before: Node | None, sides: _Sides) -> Iterator[Change]:
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
