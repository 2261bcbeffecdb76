"""Takes the entries of people who have not used their access out of the manifests; only the lines that this concerns change.

An entry goes where nobody gains, and no owner loses, anything by it. What a team gives stays, and is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.access.maps import Names, of_desired
from reconciler.editing.edit import ABSENT, Edit, Editor, Place, edited, places
from reconciler.editing.in_place import CannotEditError
from reconciler.editing.nodes import role_in
from reconciler.editing.people import Somebody, everyone
from reconciler.kinds import grant, member

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from reconciler.model.access import Assignment
    from reconciler.model.desired import Desired
    from reconciler.model.live import Lock


def drop_unused(texts: Mapping[str, bytes], desired: Desired, lock: Lock, unused: Iterable[Assignment]) -> Edit:
    """Take out the direct entries behind these live rows; notes say which stay, and why. Raises CannotEditError."""
    made, names = Edit(), Names(desired, lock)
    there = {place.name: place for place in places(desired)}
    found = [(one.key, one.person, one.object) for one in unused]
    gone: set[tuple[str, str]] = set()
    editor = Editor(texts, desired, lock, Somebody(frozenset(), frozenset()))
    called: dict[str, set[str]] = {}
    for name in everyone(desired):
        called.setdefault(names.key(name), set()).add(name)
    # workspaces first: a membership stays while anything below it does
    for key, person, where in sorted(found, key=lambda one: ("/" not in one[2], one)):
        place = there.get(where)
        own = [] if place is None else [name for name in _entries(place) if names.key(name) == key]
        editor.somebody = Somebody(frozenset(called.get(key, ())), frozenset())
        kept = _kept(editor, place, own, gone, names, key)
        if kept:
            made.notes.append(f"not in the patch: {person} on {where}: {kept}")
            continue
        assert place is not None
        try:
            if place.node.keeps_unlisted and not editor.teams_with(place):
                editor.write(place, ABSENT)
            else:
                editor.remove(place)
        except CannotEditError as error:
            made.notes.append(f"not in the patch: {person} on {where}: {error}")
            continue
        gone.add((key, where))
        for team in editor.teams_with(place):
            made.notes.append(f"{person} keeps what team/{team} gives on {where}")
    made.texts = editor.result()
    _prove(editor, made.texts, gone)
    if not made.texts:
        made.already = "no entry of the manifests gives only what was not used"
    return made


def _entries(place: Place) -> Collection[str]:
    return place.node.children.get(place.kind.name, {}).keys()


def _kept(
    editor: Editor, place: Place | None, own: list[str], gone: Collection[tuple[str, str]], names: Names, key: str
) -> str:
    """Why an entry stays; empty if it can go."""
    if place is None:
        return "the manifests do not have it"
    entries = [place.node.children[place.kind.name][name] for name in own]
    found = next((one for one in entries if not one.absent), None)
    if found is None:
        return "no line of the manifests gives it"
    teams = editor.teams_with(place)
    if not editor.lines(place):
        return f"{found.via} gives it"
    if place.kind is member.KIND and member.is_owner(found.attrs):
        return f"an owner's removal is stated: `reconciler revoke {found.name} {place.name}`"
    if teams:
        given = [_role_of(editor, place, team) for team in teams]
        if any(role is None or place.ranks.index(role) > place.ranks.index(found.attrs["role"]) for role in given):
            return f"team/{teams[0]} gives more, and the entry lowers it"
    if place.kind is member.KIND and not teams:
        inside = [
            other.name
            for other in places(editor.desired)
            if other.org is place.org and other.node is not place.org and (key, other.name) not in gone
            if any(names.key(name) == key and not other.node.children[other.kind.name][name].absent for name in _entries(other))
        ]  # fmt: skip
        if inside:
            return f"the membership is needed for {', '.join(inside)}"
    return ""


def _role_of(editor: Editor, place: Place, team: str) -> str | None:
    return next((role_in(node) for name, node in editor.teams_in(place) if name == team), None)


def _prove(editor: Editor, texts: Mapping[str, bytes], gone: Collection[tuple[str, str]]) -> None:
    """Raise CannotEditError unless the edited manifests are valid, nobody gains, and only what was chosen is lost."""
    after = edited({**editor.texts, **texts}, editor.desired)
    had, has = _reached(editor.desired, editor.lock), _reached(after, editor.lock)
    changed = {one for one in had.keys() | has.keys() if had.get(one) != has.get(one)}
    for one in changed:
        if one not in gone or one not in had or (one in has and _rank(one, has) > _rank(one, had)):
            raise CannotEditError("the edit would change more than this")


def _reached(desired: Desired, lock: Lock) -> dict[tuple[str, str], tuple[str, str]]:
    return {(one.key, one.object): (one.role, one.why) for one in of_desired(desired, lock).assignments}


def _rank(one: tuple[str, str], reached: Mapping[tuple[str, str], tuple[str, str]]) -> int:
    kind = grant.KIND if "/" in one[1] else member.KIND
    return kind.attribute("role").rank.index(reached[one][0])
