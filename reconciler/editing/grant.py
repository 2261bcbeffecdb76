"""Gives one person a role, or takes it away; only the lines that this concerns change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.access.maps import Teams, of_desired
from reconciler.editing.edit import ABSENT, Edit, Editor, Place, absent, entry, not_managed
from reconciler.editing.in_place import CannotEditError
from reconciler.editing.nodes import is_absent, role_in
from reconciler.kinds import grant as grants
from reconciler.kinds import member, workspace
from reconciler.model.diagnostic import Refusal
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from reconciler.editing.people import Somebody
    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Lock


def give(
    texts: Mapping[str, bytes],
    desired: Desired,
    lock: Lock,
    somebody: Somebody,
    place: Place,
    role: str,
    *,
    expires: date | None = None,
    reason: str | None = None,
) -> Edit:
    """Give somebody a role in a place, until the day `expires` comes where there is one.

    A team that gives exactly that is preferred. Raises CannotEditError, and UsageError for what one entry cannot say.
    """
    made, editor = Edit(), Editor(texts, desired, lock, somebody, reason)
    made.already = _already(editor, place, role, expires)
    if made.already:
        return made
    if place.kind.name not in place.node.children and not place.node.keeps_unlisted:
        made.refusals.append(not_managed(place))
        return made
    team = _team(editor, place, role, expires, made)
    if team is not None:
        made.notes.append(f"{editor.name} joins team/{team}, which gives {role} on {place.name}")
        editor.join(team, expires)
    else:
        _write(editor, place, role, expires, made)
    if place.node is not place.org:
        _membership(editor, place, expires, made)
    editor.settled(made)
    return made


def _already(editor: Editor, place: Place, role: str, expires: date | None) -> str:
    """What the manifests give them there already, where it is no less than asked for."""
    who, owned = editor.name, place.in_org.has(editor.somebody)
    owns = owned is not None and not owned.absent and member.is_owner(owned.attrs) and _lasts(owned, expires)
    if owns and place.node is not place.org:
        return f"{who} owns {place.org.name} and so has access to {place.name} already"
    found = place.has(editor.somebody)
    if found is None or found.absent or found.attrs.get("role") != role or not _lasts(found, expires):
        return ""
    until = f", until {found.expires}" if found.expires is not None else ""
    return f"{who} has {role} on {place.name} already ({found.via or 'direct'}{until})"


def _lasts(found: Node, expires: date | None) -> bool:
    return found.expires is None or (expires is not None and found.expires >= expires)


def _team(editor: Editor, place: Place, role: str, expires: date | None, made: Edit) -> str | None:
    """The team that gives exactly that role there and nothing beyond it, where joining it does. Owners are stated one by one."""
    if (place.kind is member.KIND and role == member.OWNER) or editor.lines(place):
        return None
    before = {
        (assignment.object, assignment.role)
        for assignment in of_desired(editor.desired, editor.lock).assignments
        if _theirs(editor, assignment.person)
    }
    wanted = {(place.name, role), (place.org.name, "member")}
    for team, node in editor.teams_in(place):
        if (
            is_absent(node)
            or grants.current(role_in(node) or "") != role
            or _ends(node)
            or team not in editor.desired.teams
        ):
            continue
        after = _joined(editor, place, team, expires)
        if after is None:
            continue
        found = {
            (assignment.object, assignment.role)
            for assignment in of_desired(after, editor.lock).assignments
            if _theirs(editor, assignment.person)
        }
        if (place.name, role) not in found:
            continue
        beyond = sorted(found - before - wanted)
        if not beyond:
            return team
        more = ", ".join(f"{other} on {where}" for where, other in beyond[:3]) + (
            " and more" if len(beyond) > 3 else ""
        )
        made.notes.append(
            f"team/{team} gives {role} on {place.name} as well, but also {more}, so {editor.name} gets an entry instead of joining"
        )
    return None


def _joined(editor: Editor, place: Place, team: str, expires: date | None) -> Desired | None:
    """What the manifests ask for with them in a team, and in the organization where that needs it. None where it cannot be."""
    trial = Editor(editor.texts, editor.desired, editor.lock, editor.somebody)
    try:
        trial.join(team, expires)
        return trial.proven(trial.result())
    except CannotEditError:
        if place.node is place.org or place.in_org.has(editor.somebody) is not None:
            return None
    try:
        trial.write(place.in_org, entry("member", expires))
        return trial.proven(trial.result())
    except CannotEditError:
        return None


def _theirs(editor: Editor, person: str) -> bool:
    return person in editor.somebody or person == editor.name


def _ends(node: object) -> bool:
    """Whether an entry has more than a role."""
    from yaml import ScalarNode

    return not isinstance(node, ScalarNode)


def _write(editor: Editor, place: Place, role: str, expires: date | None, made: Edit) -> None:
    found, who = place.has(editor.somebody), editor.name
    had = found.attrs.get("role") if found is not None and not found.absent else None
    then = None
    if found is not None and found.absent:
        made.notes.append(f"{who} was stated absent from {place.name}; the entry replaces that")
    if had is not None and found is not None:
        weaker = place.ranks.index(role) < place.ranks.index(had)
        if weaker and found.via is not None:
            made.notes.append(f"this entry lowers {who} from {had}, which {found.via} gives, to {role} on {place.name}")
        elif weaker:
            made.notes.append(f"this lowers {who} from {had} to {role} on {place.name}")
        if expires is not None and found.via is None:
            then = _afterwards(found, place, role, had, expires, weaker=weaker)
    editor.write(place, entry(role, expires, then, editor.reason))


def _afterwards(found: Node, place: Place, role: str, had: str, expires: date, *, weaker: bool) -> str | None:
    """The role that they fall back to. Raises UsageError where one entry cannot say so."""
    if found.expires is not None and found.expires <= expires:
        return None
    if found.expires is not None:
        raise UsageError(
            f"{found.name} has {had} on {place.name} until {found.expires}, and one entry cannot end on two days; choose "
            "a later day, or edit it by hand"
        )
    if weaker or role == had:
        raise UsageError(
            f"{found.name} has {had} on {place.name} without an end, and an entry can fall back to a weaker role only; "
            f"leave out the end to make them {role}"
        )
    return had


def _membership(editor: Editor, place: Place, expires: date | None, made: Edit) -> None:
    """Let them into the organization as well, where the manifests say who is in it and they are not."""
    org = place.in_org
    if member.KIND.name not in place.org.children:
        made.notes.append(
            f"the manifests do not manage the members of {org.name}; `plan` tells whether {editor.name} is one"
        )
        return
    trial = None
    try:
        after = editor.proven(editor.result())
        trial = after.orgs[org.name].children[member.KIND.name]
    except CannotEditError:
        pass
    found = org.has(editor.somebody)
    joined = trial is not None and any(name in editor.somebody and not one.absent for name, one in trial.items())
    if not joined and (found is None or found.absent):
        editor.write(org, entry("member", expires))
        made.notes.append(f"{editor.name} becomes a member of {org.name} as well")
    elif found is not None and found.expires is not None and not _lasts(found, expires):
        made.notes.append(f"{editor.name} is in {org.name} until {found.expires}, and this ends with the membership")


# --- taking away --------------------------------------------------------------------------------------------------------


def take(
    texts: Mapping[str, bytes],
    desired: Desired,
    lock: Lock,
    somebody: Somebody,
    place: Place,
    reason: str | None = None,
) -> Edit:
    """Take somebody's own entry out of a place; of an organization, with their entries in its workspaces.

    The reason is written where the removal is stated. What a team gives is refused. Raises CannotEditError.
    """
    made, editor = Edit(), Editor(texts, desired, lock, somebody, reason)
    found, lines = place.has(somebody), editor.lines(place)
    org = place.in_org
    owned = org.has(somebody)
    if place.node is not place.org and owned is not None and not owned.absent and member.is_owner(owned.attrs):
        made.refusals.append(_owner(editor, place, owned))
        return made
    inside = [place, *_workspaces(place)] if place.node is place.org else [place]
    made.refusals += [refusal for one in inside for refusal in _given(editor, one)]
    if made.refusals:
        return made
    if not any(editor.lines(one) for one in inside) or (found is not None and found.absent):
        said = "is stated absent from" if found is not None and found.absent else "has no role on"
        made.already = (
            f"{editor.name} {said} {place.name} already" if "absent" in said else f"{editor.name} {said} {place.name}"
        )
        return made
    for one in inside[1:]:
        editor.remove(one)
    if place.node is place.org and any(role_in(node) == member.OWNER for _, _, node in lines):
        editor.write(place, absent(reason))  # an owner's removal is stated
    else:
        editor.remove(place)
    editor.settled(made)
    return made


def _workspaces(place: Place) -> Iterator[Place]:
    for space in place.org.children.get(workspace.KIND.name, {}).values():
        if not space.absent:
            yield Place(f"{place.org.name}/{space.name}", place.org, space, grants.KIND)


def _given(editor: Editor, place: Place) -> Iterator[Refusal]:
    """Refuse where a team gives them something: an entry of their own is not what has to go."""
    found = place.has(editor.somebody)
    ways = Teams(editor.desired.nested)
    for team in [] if found is not None and found.absent else editor.teams_with(place):
        name = next(iter(sorted(editor.somebody.names.intersection(editor.desired.teams[team]))))
        path = ways.path(f"team/{team}", name)
        nested = f", through {', '.join(path[1:])}" if len(path) > 1 else ""
        nearest = path[-1].removeprefix("team/")
        yield Refusal(
            "given-by-team",
            f"{place.address}/{place.kind.name}.{editor.name}",
            f"team/{team} gives {editor.name} access to {place.name}{nested}",
            f"take {editor.name} out of the team: `reconciler move {editor.name} --from {nearest}`; or, for this place alone, "
            f"write `{editor.name}: {ABSENT}` there",
            found.source if found is not None else place.node.source,
            liftable=False,
        )


def _owner(editor: Editor, place: Place, owned: Node) -> Refusal:
    return Refusal(
        "given-by-ownership",
        f"{place.address}/{place.kind.name}.{editor.name}",
        f"{editor.name} owns {place.org.name}, and an owner reaches every workspace in it",
        f"make them a member first: `reconciler grant {editor.name} member {place.org.name}`",
        owned.source,
        liftable=False,
    )
