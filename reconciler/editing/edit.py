"""What `grant`, `revoke`, `onboard` and `move` share: places and roles as they are written, and edits that are proven.

An edit is proven by reading its result: the manifests are valid, and nobody but the one person gains or loses anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import yaml

from reconciler.access.maps import Names, of_desired
from reconciler.editing.canonical import as_formatted_as
from reconciler.editing.in_place import CannotEditError, File, scalar
from reconciler.editing.nodes import keys_at, node_at
from reconciler.kinds import grant, member, org, workspace
from reconciler.manifest import load_texts
from reconciler.model.diagnostic import Refusal
from reconciler.model.errors import ManifestError, UsageError
from reconciler.model.near import asked, near

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from reconciler.editing.in_place import Section
    from reconciler.editing.people import Somebody
    from reconciler.kinds.kind import Kind
    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Lock

ABSENT = "{absent: true}"


@dataclass(slots=True)
class Edit:
    """The manifests that change, whole, by name; or why none does."""

    texts: dict[str, bytes] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    already: str = ""  # what the manifests say already, so that there is nothing to do


@dataclass(frozen=True, slots=True)
class Place:
    """An organization or a workspace of the manifests, and the kind of the entries of people there."""

    name: str  # `acme` or `acme/prod`
    org: Node
    node: Node
    kind: Kind

    @property
    def path(self) -> tuple[str, ...]:
        """The keys that lead to the section of its people."""
        inner = () if self.node is self.org else (workspace.KIND.section, self.node.name)
        return (org.KIND.section, self.org.name, *inner, self.kind.section)

    @property
    def in_org(self) -> Place:
        """The organization that it is or lies in."""
        return Place(self.org.name, self.org, self.org, member.KIND)

    @property
    def address(self) -> str:
        inner = "" if self.node is self.org else f"/workspace.{self.node.name}"
        return f"org.{self.org.name}{inner}"

    @property
    def ranks(self) -> tuple[str, ...]:
        """The roles that one can have there, from the weakest."""
        return self.kind.attribute("role").rank

    def has(self, somebody: Somebody) -> Node | None:
        """The entry that counts for somebody today, direct or from a team."""
        entries = self.node.children.get(self.kind.name, {})
        return next((one for name, one in entries.items() if name in somebody), None)


def place_called(name: str, desired: Desired) -> Place:
    """The organization `acme` or the workspace `acme/prod`. Raises UsageError, with near names."""
    handle, slash, space = name.partition("/")
    found = desired.orgs.get(handle)
    spaces = {
        f"{one.name}/{inner.name}"
        for one in desired.orgs.values()
        for inner in one.children.get(workspace.KIND.name, {}).values()
        if not inner.absent
    }
    if found is None or found.absent:
        also = [place for place in spaces if place.partition("/")[2] == name]
        raise UsageError(f"the manifests have no organization {handle}{_meant(handle, desired.orgs, also)}")
    if not slash:
        return Place(name, found, found, member.KIND)
    inner = found.children.get(workspace.KIND.name, {}).get(space)
    if inner is None or inner.absent:
        raise UsageError(f"the manifests have no workspace {name}{_meant(name, spaces)}")
    return Place(name, found, inner, grant.KIND)


def places(desired: Desired) -> Iterator[Place]:
    """Every organization and workspace whose people the manifests list."""
    for node in desired.orgs.values():
        if node.absent:
            continue
        yield Place(node.name, node, node, member.KIND)
        for space in node.children.get(workspace.KIND.name, {}).values():
            if not space.absent:
                yield Place(f"{node.name}/{space.name}", node, space, grant.KIND)


def role_called(role: str, place: Place) -> str:
    """A role that one can have there, by its current name. Raises UsageError, with near names."""
    found = grant.current(role) if place.kind is grant.KIND else role
    if found not in place.ranks:
        what = "a workspace" if place.kind is grant.KIND else "an organization"
        meant_role = near(role, place.ranks, most=1, cutoff=0.6)
        meant = f"did you mean `{meant_role[0]}`?" if meant_role else f"the roles are {', '.join(place.ranks)}"
        raise UsageError(f"{role} is not a role in {what}; {meant}")
    return found


def team_called(name: str, desired: Desired) -> str:
    """A team, with or without `team/`. Raises UsageError, with near names."""
    found = name.removeprefix("team/")
    if found not in desired.teams:
        raise UsageError(f"the manifests have no team {found}{_meant(found, desired.teams)}")
    return found


def _meant(name: str, there: Iterable[str], also: Iterable[str] = ()) -> str:
    if meant := asked(dict.fromkeys([*also, *near(name, there)])):
        return meant
    known = sorted(there)
    return f"; they have {', '.join(known[:5])}{' and others' if len(known) > 5 else ''}" if known else ""


class Editor:
    """Edits to all manifests, for one person."""

    def __init__(
        self, texts: Mapping[str, bytes], desired: Desired, lock: Lock, somebody: Somebody, reason: str | None = None
    ) -> None:
        self.texts = texts
        self.reason = reason  # why, to be written beside what the edit writes
        self.desired = desired
        self.lock = lock
        self.somebody = somebody
        self.files = {name: File(data.decode(), name) for name, data in texts.items()}
        self.written: set[str] = set()  # the places where this edit writes an entry
        self.concerned: set[str] = set()  # the organizations in which it may take something

    def lines(self, place: Place) -> list[tuple[File, str, Any]]:
        """Their own lines in the section of a place, those whose time is up too: the file, the name, the value's node."""
        return [
            (file, name, node_at(file.root, (*place.path, name)))
            for file in self.files.values()
            for name in keys_at(file.root, *place.path)
            if name in self.somebody
        ]

    def teams_in(self, place: Place) -> Iterator[tuple[str, Any]]:
        """The teams that have an entry in a place, each with the node of that."""
        for file in self.files.values():
            for name in keys_at(file.root, *place.path):
                if name.startswith("team/"):
                    yield name.removeprefix("team/"), node_at(file.root, (*place.path, name))

    def teams_with(self, place: Place) -> list[str]:
        """The teams with an entry in a place that they are in."""
        return [
            team
            for team, _ in self.teams_in(place)
            if not self.somebody.names.isdisjoint(self.desired.teams.get(team, ()))
        ]

    def section(self, place: Place) -> Section:
        """The section of the people of a place. Raises CannotEditError."""
        source = (place.node.sources or {}).get(place.kind.name, place.node.source)
        return self.files[source.file].only(place.path).section(place.path)

    def write(self, place: Place, text: str) -> None:
        """Write their entry in a place, instead of their own line where there is one."""
        self.written.add(place.name)
        self.concerned.add(place.org.name)
        for n, (file, name, _) in enumerate(self.lines(place)):
            if n == 0:
                file.only(place.path).section(place.path).replace(name, text)
            else:
                file.only(place.path).section(place.path).remove(name)
        if self.lines(place):
            return
        if place.kind.name in place.node.children:
            self.section(place).insert(self.name, text)
        else:
            above = self.files[place.node.source.file].only(place.path[:-1]).section(place.path[:-1])
            above.insert(place.kind.section, f"{{{scalar(self.name)}: {text}}}")

    def remove(self, place: Place) -> None:
        """Take their own line out of a place."""
        self.concerned.add(place.org.name)
        for file, name, _ in self.lines(place):
            file.only(place.path).section(place.path).remove(name)

    @property
    def name(self) -> str:
        """What the manifests call them."""
        named = sorted(self.somebody.names & self.desired.people.keys())
        return named[0] if named else min(self.somebody.names)

    def people_of(self, team: str) -> list[tuple[File, list[str]]]:
        """What a team's list has, in the file that has it."""
        return [
            (file, [] if path is None else file.items(path).values)
            for file in self.files.values()
            if team in keys_at(file.root, "teams")
            for path in [list_of_team(file, team)]
        ]

    def join(self, team: str, expires: date | None = None) -> None:
        """Put them on a team's list, until the day `expires` comes where there is one. Raises CannotEditError."""
        text = team_entry(self.name, expires, self.reason)
        for file, values in self.people_of(team)[:1]:
            path = list_of_team(file.only(("teams", team)), team)
            theirs = [value for value in values if value in self.somebody]
            if path is None:
                file.section(("teams", team)).insert("members", f"[{text}]")
            elif theirs:
                file.items(path).replace(theirs[0], text)
            else:
                file.items(path).insert(self.name, "" if text == scalar(self.name) else text)

    def leave(self, team: str) -> bool:
        """Take them off a team's list; False where they are not on it."""
        gone = False
        given = ((place, place.has(self.somebody)) for place in places(self.desired))
        self.concerned |= {place.org.name for place, found in given if found is not None and found.via is not None}
        for file, values in self.people_of(team):
            path = list_of_team(file, team)
            for name in [value for value in values if value in self.somebody]:
                if path is not None:
                    file.only(path).items(path).remove(name)
                    gone = True
        return gone

    def is_on(self, team: str, expires: date | None = None) -> bool:
        """Whether they are on the list of a team, for good or at least until the day `expires`."""
        ends = self.desired.team_ends.get(team, {})
        return any(
            name in self.somebody and (name not in ends or (expires is not None and ends[name] >= expires))
            for name in self.desired.nested.get(team, ())
        )

    def is_on_today(self, team: str) -> bool:
        return self.is_on(team, self.desired.day + timedelta(days=1))

    def result(self) -> dict[str, bytes]:
        """The manifests that change, in canonical form where they were in it. Raises CannotEditError."""
        made = {}
        for name, file in self.files.items():
            if file.touched:
                made[name] = as_formatted_as(self.texts[name], name, file.result())
        return {name: data for name, data in made.items() if data != self.texts[name]}

    def proven(self, texts: Mapping[str, bytes], also: Iterable[str] = ()) -> Desired:
        """What the edited manifests ask for. `also` are names that the edit gives them. Raises CannotEditError where they would
        be wrong, or where somebody else would gain or lose anything.
        """
        after = edited({**self.texts, **texts}, self.desired)
        theirs = {*self.somebody.names, *also}
        keys = {Names(side, self.lock).key(name) for side in (self.desired, after) for name in theirs}
        if _others(self.desired, self.lock, keys) != _others(after, self.lock, keys):
            raise CannotEditError("the edit would change what somebody else may do")
        return after

    def settled(self, made: Edit) -> Desired | None:
        """What the manifests ask for with all edits, which `made` gets. None with refusals where an org would have fewer
        people as owners than its floor. Raises CannotEditError.
        """
        made.texts = self.result()
        try:
            after = self.proven(made.texts)
            losses = list(self._unstated(after))
            if losses:
                for place in losses:
                    self.write(place, absent(self.reason))
                    made.notes.append(f"{place.name} keeps whoever has no line, so the removal is stated there")
                made.texts = self.result()
                after = self.proven(made.texts)
        except CannotEditError:
            made.refusals += self._floor(None)  # nobody would own an org: the manifests would be wrong
            if not made.refusals:
                raise
            return None
        made.refusals += self._floor(after)
        return None if made.refusals else after

    def _unstated(self, after: Desired) -> Iterator[Place]:
        """Where they lose their line although `unlisted: keep` leaves whoever has none. A grant falls with the membership."""
        now = {place.name: place for place in places(after)}
        for place in places(self.desired):
            had, has = place.has(self.somebody), now[place.name].has(self.somebody)
            if had is None or had.absent or has is not None or not place.node.keeps_unlisted:
                continue
            if place.node is not place.org and member.KIND.name in place.org.children:
                inside = now[place.org.name].has(self.somebody)
                if inside is None or inside.absent:
                    continue
            yield place

    def _floor(self, after: Desired | None) -> Iterator[Refusal]:
        """Refuse where they stop owning an org that needs them; without `after`, where it would need them if they did."""
        for name, node in self.desired.orgs.items():
            if after is None and name not in self.concerned:
                continue
            had = _owners(self.desired, node)
            has = _owners(after, after.orgs[name]) if after is not None else sorted({*had} - self.somebody.names)
            floor = self.desired.rules.min_owners
            if len(has) >= floor or len(has) >= len(had):
                continue
            left = f"only {', '.join(has)} would own" if has else "no other person owns"
            yield Refusal(
                "owner-floor",
                f"org.{name}",
                f"{left} {name} by the manifests, and the floor is {floor}; who has accepted cannot be known offline",
                "name another owner there first, and let them accept"
                + (", or lower safeguards.min_owners" if has else ""),
                (node.sources or {}).get(member.KIND.name, node.source),
                liftable=False,
            )


def _owners(desired: Desired, node: Node) -> list[str]:
    members = node.children.get(member.KIND.name, {}).values()
    return sorted(
        one.name for one in members
        if not one.absent and member.is_owner(one.attrs) and not desired.is_robot(one.name)
    )  # fmt: skip


def _others(desired: Desired, lock: Lock, keys: set[str]) -> set[Any]:
    """What everybody else reaches, and how."""
    return {
        (assignment.key, assignment.object, assignment.role, assignment.why, assignment.expires, assignment.then)
        for assignment in of_desired(desired, lock).assignments
        if assignment.key not in keys
    }


def edited(texts: Mapping[str, bytes], before: Desired) -> Desired:
    """What edited manifests ask for, on the day of `before`. Raises CannotEditError where they would be wrong."""
    try:
        return load_texts(texts, today=before.day)
    except ManifestError as error:
        raise CannotEditError(f"the manifests would be wrong: {error.first}") from None


def list_of_team(file: File, team: str) -> tuple[str, ...] | None:
    """Where a team's list is: the team itself, or its `members:`; None where it has none yet."""
    path = ("teams", team)
    if isinstance(node_at(file.root, path), yaml.MappingNode):
        return (*path, "members") if "members" in keys_at(file.root, *path) else None
    return path


def team_entry(name: str, expires: date | None = None, reason: str | None = None) -> str:
    """Somebody on a team's list as a manifest writes it."""
    said = [f"expires: {expires.isoformat()}"] if expires is not None else []
    said += [f"reason: {scalar(reason)}"] if reason is not None else []
    return f"{{{', '.join([f'name: {scalar(name)}', *said])}}}" if said else scalar(name)


def absent(reason: str | None = None) -> str:
    """The statement that somebody must not be there as a manifest writes it."""
    return ABSENT if reason is None else f"{{absent: true, reason: {scalar(reason)}}}"


def entry(role: str, expires: date | None = None, then: str | None = None, reason: str | None = None) -> str:
    """An entry of a person as a manifest writes it."""
    more = {"expires": expires.isoformat() if expires is not None else None, "then": then}
    said = [f"{key}: {value}" for key, value in more.items() if value is not None]
    said += [f"reason: {scalar(reason)}"] if reason is not None else []
    return f"{{{', '.join([f'role: {role}', *said])}}}" if said else role


def not_managed(place: Place) -> Refusal:
    """Why nobody is written where a place has no section of people."""
    return Refusal(
        "mass-removal",
        place.address,
        f"the manifests leave the people of {place.name} alone; a first entry would make its `members:` the whole list, and "
        "everyone else there would be removed",
        f"run `reconciler import {place.org.name}`, which writes everyone who is there, and then this again",
        place.node.source,
        liftable=False,
    )
