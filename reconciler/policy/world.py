"""Who reaches what, as the policies look at it: by place and by connection, with teams, robots and addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.access import connections as connections_of
from reconciler.access.maps import Names, by_place
from reconciler.model.access import OWNS
from reconciler.model.address import SERVICE
from reconciler.model.policy import pattern_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import date

    from reconciler.model.access import Access, Reach, Route
    from reconciler.model.desired import Desired
    from reconciler.model.live import Lock
    from reconciler.model.policy import Policy


class World(msgspec.Struct):
    """One state of access on one day."""

    day: date  # decides what has expired
    names: Names  # who each name is

    # Who reaches what
    places: dict[str, list[Reach]] = msgspec.field(default_factory=dict)  # orgs and workspaces
    open: set[str] = msgspec.field(default_factory=set)  # places where not everyone is known
    routes: dict[str, list[Route]] = msgspec.field(default_factory=dict)  # by connection
    unrouted: frozenset[str] = frozenset()  # connections whose workspaces are not all known

    # Who is who
    teams: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)  # flattened, by names
    robots: frozenset[str] = frozenset()  # keys of people
    emails: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)  # the written addresses of a key
    _keys: dict[str, frozenset[str]] = msgspec.field(
        default_factory=dict
    )  # the keys of each team, once they were asked for

    def people_of(self, name: str) -> frozenset[str]:
        """The keys of the people that a name in a rule means: a team's people, or one person."""
        found = self._keys.get(name)
        if found is None:
            listed = self.teams.get(name.removeprefix("team/"), ()) if name.startswith("team/") else (name,)
            found = self._keys[name] = frozenset(self.names.key(one) for one in listed)
        return found

    def is_robot(self, reach: Reach) -> bool:
        return reach.key in self.robots or reach.person.startswith(SERVICE)


def of_manifests(desired: Desired, lock: Lock | None, policies: Collection[Policy]) -> World:
    """What the manifests ask for on their day, as far as the policies are about it."""
    world = _named(desired, lock)
    found, unrouted = connections_of.of_desired(desired)
    _routed(world, found, unrouted)
    for place, reaches, whole in by_place(desired, lock, _wanted(world, policies)):
        world.places[place] = reaches
        if not whole:
            world.open.add(place)
    return world


def of_access(access: Access, desired: Desired, lock: Lock | None) -> World:
    """What Pipes holds. An entry of the manifests that gives the same role says how long it lasts, and on which line."""
    world = _named(desired, lock)
    _routed(world, access.routes, access.unrouted)
    world.open.update(access.open)
    written = {(one.key, place): one for place, reaches, _ in by_place(desired, lock) for one in reaches}
    world.places = {place: [] for place in access.objects}
    for reach in access.reaches:
        line = written.get((reach.key, reach.object))
        found = reach
        if line is not None and line.role == reach.role and (line.why == OWNS) == (reach.why == OWNS):
            found = msgspec.structs.replace(
                reach, why=line.why, path=line.path, expires=line.expires, source=line.source, then=line.then,
                because=line.because,
            )  # fmt: skip
        world.places.setdefault(reach.object, []).append(found)
    return world


def _named(desired: Desired, lock: Lock | None) -> World:
    names = Names(desired, lock)
    emails: dict[str, tuple[str, ...]] = {}
    for name, person in desired.people.items():
        if person.email is not None:
            key = names.key(name)
            emails[key] = (*emails.get(key, ()), person.email)
    return World(desired.day, names, teams=desired.teams, emails=emails, robots=robots(desired, names))


def robots(desired: Desired, names: Names) -> frozenset[str]:
    """The keys of those who are marked `robot: true`."""
    return frozenset(names.key(name) for name, person in desired.people.items() if person.robot)


def _routed(world: World, found: Collection[Route], unrouted: Collection[str]) -> None:
    for route in found:
        world.routes.setdefault(route.connection, []).append(route)
    world.unrouted = frozenset(unrouted)


def _wanted(world: World, policies: Collection[Policy]) -> Callable[[str], bool]:
    """Whether any policy is about a place."""
    patterns = {pattern for policy in policies for pattern in policy.places}
    patterns |= {pattern for policy in policies for side in policy.apart for pattern in side.places}
    if any(policy.apart and not policy.places for policy in policies):
        patterns |= {"*", "*/*"}  # a team that is kept apart everywhere
    connections = {pattern for policy in policies for pattern in policy.connections}
    through = {
        route.workspace
        for connection, routes in world.routes.items()
        if any(pattern_of(pattern).fullmatch(connection) for pattern in connections)
        for route in routes
    }

    def wanted(place: str) -> bool:
        return place in through or any(pattern_of(pattern).fullmatch(place) for pattern in patterns)

    return wanted
