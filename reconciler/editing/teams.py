"""Moves one person between teams, and lets somebody new in; only the lines that this concerns change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.editing.edit import Edit, Editor, Place, absent, entry, places
from reconciler.editing.in_place import scalar
from reconciler.editing.nodes import is_over, keys_at
from reconciler.editing.people import Somebody, everyone
from reconciler.kinds import member
from reconciler.model.diagnostic import Refusal
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Lock


def move(
    texts: Mapping[str, bytes],
    desired: Desired,
    lock: Lock,
    somebody: Somebody,
    leave: str | None,
    join: str | None,
    *,
    expires: date | None = None,
    overlap: date | None = None,
    reason: str | None = None,
) -> Edit:
    """Take somebody off the list of one team and put them on another's, until the day `expires` comes where there is one.

    They leave the first on the day `overlap` where there is one. Raises CannotEditError, UsageError.
    """
    made, editor = Edit(), Editor(texts, desired, lock, somebody, reason)
    inside = [leave] if leave is not None and editor.is_on_today(leave) else []
    if join is not None and editor.is_on(join, expires):
        inside.append(join)
    if leave is not None and leave not in inside:
        if not somebody.names.isdisjoint(desired.teams[leave]):
            made.refusals.append(_nested(editor, leave))
            return made
        if join is None or join not in inside:
            theirs = [team for team in desired.nested if editor.is_on_today(team)]
            named = f"; they are in {', '.join(f'team/{team}' for team in theirs)}" if theirs else ""
            raise UsageError(f"{editor.name} is not in team/{leave}{named}")
    if leave not in inside and join in inside:
        made.already = f"{editor.name} is in team/{join} already" + (f", and not in team/{leave}" if leave else "")
        return made
    if leave is not None and leave in inside and overlap is not None:
        if join in inside and desired.team_ends.get(leave, {}).keys() & somebody.names:
            made.already = f"{editor.name} is in team/{join}, and leaves team/{leave} already"
            return made
        editor.join(leave, overlap)
    elif leave is not None and leave in inside:
        editor.leave(leave)
        if editor.people_of(leave)[0][1] and all(name in somebody for name in editor.people_of(leave)[0][1]):
            made.notes.append(f"team/{leave} has nobody any more, and stays as an empty list")
    if join is not None and join not in inside:
        editor.join(join, expires)
        stays = {team for team in desired.nested if editor.is_on_today(team) and (team != leave or overlap is not None)}
        _memberships(editor, stays, [join], expires, made)
    after = editor.settled(made)
    if after is None:
        return made
    for place, text in _stated(editor, after):
        editor.write(place, text)
        made.notes.append(f"{editor.name} stops owning {place.name}, which is stated there")
    editor.settled(made)
    return made


def _stated(editor: Editor, after: Desired) -> Iterator[tuple[Place, str]]:
    """What has to be written where they stop owning an organization: nobody loses that without a line that says so."""
    for name, node in editor.desired.orgs.items():
        place = Place(name, node, node, member.KIND)
        had = place.has(editor.somebody)
        has = Place(name, after.orgs[name], after.orgs[name], member.KIND).has(editor.somebody)
        if had is None or had.absent or not member.is_owner(had.attrs):
            continue
        if has is None:
            yield place, absent(editor.reason)
        elif not has.absent and not member.is_owner(has.attrs):
            yield place, entry(has.attrs["role"], reason=editor.reason)


def _nested(editor: Editor, team: str) -> Refusal:
    from reconciler.access.maps import Teams

    name = next(iter(sorted(editor.somebody.names.intersection(editor.desired.teams[team]))))
    path = Teams(editor.desired.nested).path(f"team/{team}", name)
    nearest = path[-1].removeprefix("team/")
    return Refusal(
        "given-by-team",
        f"team/{team}",
        f"{editor.name} is in team/{team} through {', '.join(path[1:])}",
        f"take them out of that: `--from {nearest}`",
        liftable=False,
    )


# --- joining ------------------------------------------------------------------------------------------------------------


def let_in(
    texts: Mapping[str, bytes],
    desired: Desired,
    lock: Lock,
    name: str,
    address: str,
    *,
    like: Somebody | None = None,
    teams: Sequence[str] = (),
    expires: date | None = None,
    reason: str | None = None,
) -> Edit:
    """Give somebody new a name in `people:`, put them on the lists of `teams`, and give them what `like` has, until the day
    `expires` comes where there is one.

    `address` is an email address or a Pipes handle. Raises CannotEditError, UsageError.
    """
    handle = None if "@" in address else address
    known = _known(desired, name, address)
    made, editor = (
        Edit(),
        Editor(texts, desired, lock, Somebody(frozenset([name]), frozenset([handle] if handle else [])), reason),
    )
    if not known and handle != name:
        _introduce(
            editor, name, f"{{email: {scalar(address)}}}" if handle is None else f"{{handle: {scalar(address)}}}"
        )
    joined = [team for team in dict.fromkeys(teams) if not editor.is_on(team, expires)]
    for team in joined:
        editor.join(team, expires)
    if like is not None:
        joined += _copy(editor, desired, like, made, expires, joined)
    _memberships(editor, {team for team in desired.nested if editor.is_on_today(team)}, joined, expires, made)
    made.texts = editor.result()
    if not made.texts:
        made.already = f"{name} is in the manifests already" + (
            f", and in {', '.join(f'team/{team}' for team in teams)}" if teams else ""
        )
        return made
    editor.proven(made.texts, also=[name])
    return made


def _known(desired: Desired, name: str, address: str) -> bool:
    """Whether the manifests have exactly that person. Raises UsageError where the name or the address is somebody else's."""
    person = desired.people.get(name)
    same = person is not None and address.lower() in ((person.email or "").lower(), person.handle)
    if same:
        return True
    if person is not None:
        raise UsageError(
            f"{name} is somebody else already ({person.email or person.handle}); choose another name with --as"
        )
    other = next(
        (one for one in desired.people.values() if address.lower() in ((one.email or "").lower(), one.handle)), None
    )
    if other is not None:
        raise UsageError(f"{address} is {other.name} already; use that name, or rename it by hand")
    if name in everyone(desired):
        if name == address:
            return True
        raise UsageError(f"{name} is the Pipes handle of somebody in the manifests; choose another name with --as")
    return False


def _introduce(editor: Editor, name: str, text: str) -> None:
    """Write who somebody is, in the file that has `people:`, else in the one that has `teams:`, else in the first."""
    files = list(editor.files.values())
    file = next((one for one in files if keys_at(one.root, "people")), None)
    if file is not None:
        file.section(("people",)).insert(name, text)
        return
    file = next((one for one in files if "people" in keys_at(one.root)), None)
    if file is not None:
        file.section(()).replace("people", f"{{{scalar(name)}: {text}}}")
        return
    file = next((one for one in files if "teams" in keys_at(one.root)), files[0])
    file.section(()).insert("people", f"{{{scalar(name)}: {text}}}")


def _memberships(
    editor: Editor, inside: Iterable[str], joined: Iterable[str], expires: date | None, made: Edit
) -> None:
    """Let them into each organization in whose workspaces a team that they join has a role, where nothing else does so.

    `inside` are the teams that they are on the lists of anyway.
    """
    desired = editor.desired
    new = _around(desired, joined)
    theirs = {*new, *_around(desired, inside)}
    for place in places(desired):
        org = place.in_org
        if place.node is org.node or org.kind.name not in org.node.children or org.name in editor.written:
            continue
        if not any(team in new for team, _ in editor.teams_in(place)):
            continue
        found = org.has(editor.somebody)
        by_team = any(team in theirs and not is_over(value, desired.day) for team, value in editor.teams_in(org))
        if by_team or (found is not None and (found.absent or found.via is None)):
            continue
        editor.write(org, entry("member", expires, reason=editor.reason))
        made.notes.append(f"{editor.name} becomes a member of {org.name} as well, for the role on {place.name}")


def _around(desired: Desired, teams: Iterable[str]) -> set[str]:
    """These teams, and those that hold one of them."""
    found = set(teams)
    while more := {
        outer
        for outer, items in desired.nested.items()
        if outer not in found
        and any(item.startswith("team/") and item.removeprefix("team/") in found for item in items)
    }:
        found |= more
    return found


def _copy(
    editor: Editor, desired: Desired, like: Somebody, made: Edit, expires: date | None, joined: Iterable[str]
) -> list[str]:
    """Give them the teams and the entries of somebody else, but no ownership and nothing that ends. The teams joined by it."""
    model, copied = Editor(editor.texts, desired, editor.lock, like), list[str]()
    owned = [node for node in desired.orgs.values() if not node.absent and _owns_by_team(editor, node)]
    for team in desired.nested:
        if model.is_on_today(team) and not model.is_on(team):
            made.notes.append(f"{model.name} is in team/{team} for a while only, so {editor.name} does not join it")
        elif model.is_on(team) and team not in joined and not editor.is_on(team, expires):
            if any(team in _owning(editor, node) for node in owned):
                made.notes.append(f"team/{team} makes its people owners, so {editor.name} does not join it")
            else:
                editor.join(team, expires)
                copied.append(team)
    given, asked_for = _around(desired, copied), _around(desired, joined)
    for place in places(desired):
        lines = model.lines(place)
        found = place.has(like)
        there = [team for team, _ in editor.teams_in(place)]
        if found is not None and found.absent and not given.isdisjoint(there) and asked_for.isdisjoint(there):
            editor.write(place, absent(editor.reason))
            made.notes.append(
                f"{found.name} is kept out of {place.name} by an entry of their own, and {editor.name} gets the same"
            )
        if not lines or found is None or found.absent or found.via is not None:
            continue
        if found.expires is not None:
            made.notes.append(f"what {found.name} has on {place.name} ends on {found.expires} and is not copied")
        elif found.attrs["role"] == "owner" and place.node is not place.org:
            made.notes.append(f"{found.name} owns {place.name}, which is not copied")
        elif found.attrs["role"] == "owner":
            made.notes.append(f"{found.name} owns {place.name}, which is not copied: {editor.name} becomes a member")
            editor.write(place, entry("member", expires, reason=editor.reason))
        else:
            editor.write(place, entry(found.attrs["role"], expires, reason=editor.reason))
    return copied


def _owning(editor: Editor, node: Node) -> set[str]:
    """The teams, nested ones included, whose people own an organization."""
    from reconciler.editing.nodes import role_in

    place = Place(node.name, node, node, member.KIND)
    found = {team for team, value in editor.teams_in(place) if role_in(value) == member.OWNER}
    waiting = list(found)
    while waiting:
        for item in editor.desired.nested.get(waiting.pop(), ()):
            inner = item.removeprefix("team/")
            if inner != item and inner not in found:
                found.add(inner)
                waiting.append(inner)
    return found


def _owns_by_team(editor: Editor, node: Node) -> bool:
    return bool(_owning(editor, node))
