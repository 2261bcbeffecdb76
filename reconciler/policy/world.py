"""Who reaches what, as policies need it: by place and by connection, with teams, robots and addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.access import connections as connections_of
from reconciler.access import maps
from reconciler.access.maps import MEMBER, Names, by_place
from reconciler.kinds import member
from reconciler.model.access import OWNS
from reconciler.model.address import SERVICE
from reconciler.model.policy import pattern_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import date

    from reconciler.model.access import Assignment, ConnectionUse
    from reconciler.model.desired import Desired
    from reconciler.model.live import Lock, Snapshot
    from reconciler.model.policy import Policy


class World(msgspec.Struct):
    """One state of access on one day."""

    day: date  # decides what has expired
    names: Names  # who each name is

    # Who reaches what
    places: dict[str, list[Assignment]] = msgspec.field(default_factory=dict)  # orgs and workspaces
    open: set[str] = msgspec.field(default_factory=set)  # places where not everyone is known
    connection_uses: dict[str, list[ConnectionUse]] = msgspec.field(default_factory=dict)  # by connection
    open_connections: frozenset[str] = frozenset()  # connections whose workspaces are not all known

    # Who is who
    teams: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)  # flattened, by names
    robots: frozenset[str] = frozenset()  # keys of people
    emails: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)  # the written addresses of a key
    _keys: dict[str, frozenset[str]] = msgspec.field(
        default_factory=dict
    )  # the keys of each team, kept once they were asked for

    def people_of(self, name: str) -> frozenset[str]:
        """The keys of the people that a name in a rule means: a team's people, or one person."""
        found = self._keys.get(name)
        if found is None:
            listed = self.teams.get(name.removeprefix("team/"), ()) if name.startswith("team/") else (name,)
            found = self._keys[name] = frozenset(self.names.key(one) for one in listed)
        return found

    def is_robot(self, assignment: Assignment) -> bool:
        return assignment.robot or assignment.key in self.robots or assignment.person.startswith(SERVICE)


def of_manifests(desired: Desired, lock: Lock | None, policies: Collection[Policy]) -> World:
    """What the manifests ask for on their day, as far as the policies are about it."""
    world = named(desired, lock)
    found, open_connections = connections_of.uses_wanted(desired)
    add_connections(world, found, open_connections)
    for place, assignments, whole in by_place(desired, lock, _wanted(world, policies)):
        world.places[place] = assignments
        if not whole:
            world.open.add(place)
    return world


def of_live(live: Snapshot, desired: Desired, lock: Lock | None) -> World:
    """What Pipes holds. An entry of the manifests that gives the same role says how long it lasts, and on which line."""
    access = maps.of_live(live, desired.day, desired, lock)
    world = named(desired, lock, live)
    world.open.update(access.open)
    add_connections(world, access.connection_uses, access.open_connections)
    lines = written(desired, lock)
    world.places = {place: [] for place in access.objects}
    for assignment in access.assignments:
        world.places[assignment.object].append(as_written(assignment, lines))
    return world


def written(desired: Desired, lock: Lock | None) -> dict[tuple[str, str], Assignment]:
    """What the manifests say, by person and place."""
    return {(one.key, place): one for place, found, _ in by_place(desired, lock) for one in found}


def as_written(assignment: Assignment, lines: Mapping[tuple[str, str], Assignment]) -> Assignment:
    """A live assignment with what the manifests say about it, if they give the same role in the same way."""
    if assignment.person.startswith(SERVICE) and assignment.key != assignment.person:
        assignment = msgspec.structs.replace(assignment, key=assignment.person)  # as the manifests call it
    line = lines.get((assignment.key, assignment.object))
    if line is None or line.role != assignment.role or (line.why == OWNS) != (assignment.why == OWNS):
        return assignment
    return msgspec.structs.replace(
        assignment,
        why=line.why,
        path=line.path,
        expires=line.expires,
        source=line.source,
        then=line.then,
        because=line.because,
    )


def named(desired: Desired, lock: Lock | None, live: Snapshot | None = None) -> World:
    """A world without access, which knows who is who; with `live` also which accounts are robots in Pipes."""
    names = Names(desired, lock)
    emails: dict[str, tuple[str, ...]] = {}
    for name, person in desired.people.items():
        if person.email is not None:
            key = names.key(name)
            emails[key] = (*emails.get(key, ()), person.email)
    robots = {names.key(name) for name, person in desired.people.items() if person.robot}
    for org in live.orgs.values() if live is not None else ():
        robots.update(handle for handle, row in org.of(MEMBER).items() if member.is_service_account(row.attrs))
    return World(desired.day, names, teams=desired.teams, emails=emails, robots=frozenset(robots))


def add_connections(world: World, found: Collection[ConnectionUse], open_connections: Collection[str]) -> None:
    """Add the connections that are reached through workspaces to a world."""
    for use in found:
        world.connection_uses.setdefault(use.connection, []).append(use)
    world.open_connections = frozenset(open_connections)


def _wanted(world: World, policies: Collection[Policy]) -> Callable[[str], bool]:
    """Whether any policy is about a place."""
    patterns = {pattern for policy in policies for pattern in policy.places}
    patterns |= {pattern for policy in policies for side in policy.apart for pattern in side.places}
    if any(policy.apart and not policy.places for policy in policies):
        patterns |= {"*", "*/*"}  # a team that is kept apart everywhere
    connections = {pattern for policy in policies for pattern in policy.connections}
    workspaces = {
        use.workspace
        for connection, uses in world.connection_uses.items()
        if any(pattern_of(pattern).fullmatch(connection) for pattern in connections)
        for use in uses
    }

    def wanted(place: str) -> bool:
        return place in workspaces or any(pattern_of(pattern).fullmatch(place) for pattern in patterns)

    return wanted
