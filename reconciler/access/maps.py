"""Desired or Live -> Access: memberships, grants, and what owners reach without either. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from reconciler.access.connections import uses_live, uses_wanted
from reconciler.kinds import grant, member, service_account
from reconciler.model import address as addresses
from reconciler.model.access import DIRECT, OWNS, Access, Assignment
from reconciler.model.desired import is_robot
from reconciler.model.live import address_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import date

    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Lock, Resource, Snapshot

MEMBER, GRANT, WORKSPACE = member.KIND.name, grant.KIND.name, "workspace"


class Names:
    """Who a name in the manifests is, so that one person has one key and one name however often they are written.

    The lock file has the handle that accepted an invitation by email.
    """

    def __init__(self, desired: Desired, lock: Lock | None = None) -> None:
        self._people = desired.people
        self._invited = {
            address.rpartition("/member.")[2]: entry.handle
            for address, entry in (lock or {}).items()
            if entry.handle is not None and "/member." in address
        }
        self._by_address = {
            entry.address: entry.handle for entry in (lock or {}).values() if entry.handle is not None and entry.address
        }
        self._keys: dict[str, str] = {}
        self._names = {self.key(name): name for name in reversed(desired.people)}

    def key(self, name: str) -> str:
        found = self._keys.get(name)
        if found is None:
            person = self._people.get(name)
            found = name
            if person is not None:
                known = self._by_address.get(address_digest(person.email)) if person.email else None
                found = person.handle or known or self._invited.get(name) or (person.email or name).lower()
            self._keys[name] = found
        return found

    def name(self, key: str) -> str:
        """What the manifests call them."""
        return self._names.get(key, key)

    def is_robot(self, name: str) -> bool:
        """Whether the manifests mark it as a robot's account."""
        return is_robot(name, self._people)

    def pending(self, key: str) -> str:
        return "by email" if "@" in key else ""


class Teams:
    """The way from a team to each of its people."""

    def __init__(self, nested: Mapping[str, tuple[str, ...]]) -> None:
        self._nested = nested
        self._known: dict[str, dict[str, tuple[str, ...]]] = {}

    def path(self, entry: str, name: str) -> tuple[str, ...]:
        """The teams from `entry` (`team/sre`) to the nearest that names the person; the entry alone where none does."""
        found = self._known.get(entry)
        if found is None:
            found = self._known[entry] = {}
            queue: list[tuple[str, ...]] = [(entry,)]
            seen = {entry}
            for path in queue:
                for item in self._nested.get(path[-1].removeprefix("team/"), ()):
                    if not item.startswith("team/"):
                        found.setdefault(item, path)
                    elif item not in seen:
                        seen.add(item)
                        queue.append((*path, item))
        return found.get(name, (entry,))


def of_desired(desired: Desired, lock: Lock | None = None) -> Access:
    """What the manifests ask for on their day."""
    found = assigned(desired, lock)
    uses, open_connections = uses_wanted(desired)
    access = _sorted("manifests", desired.day, found.assignments, found.objects, found.open)
    return replace(
        access,
        connection_uses=uses,
        open_connections=open_connections,
        notes=tuple(_ignored(desired)),
        teams=_teams(desired, lock),
    )


class Assigned(NamedTuple):
    """What people reach by the manifests, in no order; the fields as of `Access`."""

    assignments: list[Assignment]
    objects: list[str]
    open: list[str]


def assigned(desired: Desired, lock: Lock | None = None) -> Assigned:
    """What people reach by the manifests, and nothing else of what `of_desired` finds."""
    assignments: list[Assignment] = []
    objects: list[str] = []
    unknown: list[str] = []
    for place, found, whole in by_place(desired, lock):
        objects.append(place)
        assignments += found
        if not whole:
            unknown.append(place)
    return Assigned(assignments, objects, unknown)


def _teams(desired: Desired, lock: Lock | None) -> dict[str, tuple[str, ...]]:
    """Who is in each team, by the names that the reaches have."""
    names = Names(desired, lock)
    return {
        team: tuple(sorted({names.name(names.key(one)) for one in people})) for team, people in desired.teams.items()
    }


def _ignored(desired: Desired) -> Iterator[str]:
    """A note for each entry of `ignore:`, whose people have access that no line gives."""
    for org in desired.orgs.values():
        for one in org.ignored:
            until = f" through {one.until.isoformat()}" if one.until is not None else ""
            yield f"{org.name}: {one.handle} is ignored{until} ({one.reason}): whatever access they have stays as it is"


def by_place(
    desired: Desired, lock: Lock | None = None, wanted: Callable[[str], bool] = lambda _: True
) -> Iterator[tuple[str, list[Assignment], bool]]:
    """Each org and workspace that is `wanted`: who reaches it, and whether the manifests have everyone who does."""
    names, teams = Names(desired, lock), Teams(desired.nested)
    for org in desired.orgs.values():
        if org.absent:
            continue
        spaces = {
            f"{org.name}/{space.name}": space for space in org.children.get(WORKSPACE, {}).values() if not space.absent
        }
        inside = [place for place in spaces if wanted(place)]
        if not inside and not wanted(org.name):
            continue
        members = org.children.get(MEMBER)
        own = list(_entries(org.name, members or {}, names, teams))
        if wanted(org.name):
            yield org.name, own, members is not None and not org.keeps_unlisted
        owners = [assignment for assignment in own if assignment.role == member.OWNER]
        owning = {assignment.key for assignment in owners}
        for place in inside:
            grants = spaces[place].children.get(GRANT)
            entries = [r for r in _entries(place, grants or {}, names, teams) if r.key not in owning]
            kept = org.keeps_unlisted or spaces[place].keeps_unlisted
            yield place, implicit(owners, place) + entries, not (members is None or grants is None or kept)


def _entries(place: str, entries: Mapping[str, Node], names: Names, teams: Teams) -> Iterator[Assignment]:
    for name, node in entries.items():
        if node.absent:
            continue
        key = names.key(name)
        path = teams.path(node.via, name) if node.via is not None else ()
        yield Assignment(
            names.name(key), key, place, node.attrs["role"], node.via or DIRECT, path, names.pending(key), node.expires,
            node.source, node.then, node.reason, names.is_robot(names.name(key)),
        )  # fmt: skip


def implicit(owners: Collection[Assignment], place: str) -> list[Assignment]:
    """What the owners of an org have in one of its workspaces."""
    return [
        Assignment(
            o.person, o.key, place, member.OWNER, OWNS, (), o.pending, o.expires, o.source, None, o.because,
            o.robot, o.last_activity_at, None, o.status,
        )
        for o in owners
    ]  # fmt: skip


def of_live(live: Snapshot, day: date, desired: Desired | None = None, lock: Lock | None = None) -> Access:
    """What Pipes holds, with the names that the manifests have for people, where there are any."""
    names = Names(desired, lock) if desired is not None else None
    assignments: list[Assignment] = []
    objects: list[str] = []
    unknown: list[str] = []
    notes: list[str] = []
    for org in live.orgs.values():
        objects.append(org.handle)
        if not live.owned(org):
            notes.append(f"{live.actor.handle} does not own {org.handle}: only what its members see is shown")
        keys = keys_of_accounts(org, desired, lock)
        own = list(rows(org, MEMBER, org.handle, names, keys))
        if not org.was_read(MEMBER):
            unknown.append(org.handle)
        assignments += own
        owners = [assignment for assignment in own if assignment.role == member.OWNER]
        owning = {assignment.key for assignment in owners}
        for space in org.of(WORKSPACE).values():
            place = f"{org.handle}/{space.handle}"
            objects.append(place)
            if not space.was_read(GRANT):
                unknown.append(place)
            assignments += implicit(owners, place)
            assignments += [
                assignment for assignment in rows(space, GRANT, place, names, keys) if assignment.key not in owning
            ]
    found, open_connections = uses_live(live)
    access = _sorted("live", day, assignments, objects, unknown)
    if desired is not None:
        notes += [note for note in _ignored(desired) if note.partition(":")[0] in live.orgs]
    teams = _teams(desired, lock) if desired is not None else {}
    return replace(access, notes=tuple(notes), connection_uses=found, open_connections=open_connections, teams=teams)


def keys_of_accounts(org: Resource, desired: Desired | None, lock: Lock | None) -> dict[str, str]:
    """What the manifests call each of an org's service accounts, or would call it, by its id."""
    accounts = {one.id: one for one in org.of(service_account.NAME).values()}
    node = desired.orgs.get(org.handle) if desired is not None else None
    wanted = node.children.get(service_account.NAME, {}) if node is not None else {}
    start = addresses.join(addresses.join(None, "org", org.handle), service_account.NAME, "")
    known = {at.removeprefix(start): entry.id for at, entry in (lock or {}).items() if at.startswith(start)}
    return service_account.name_live(accounts, wanted, known, org.id)


def rows(parent: Resource, kind: str, place: str, names: Names | None, keys: Mapping[str, str]) -> Iterator[Assignment]:
    """What the live rows below an org or a workspace give, whatever else their people have. `keys`: `keys_of_accounts`."""
    own = parent.of(kind)
    inherited = {handle: row for handle, row in parent.inherited_of(kind).items() if handle not in own}
    for handle, row in {**own, **inherited}.items():
        scope = row.attrs.get("scope")
        why = DIRECT if handle in own else f"inherited from the {scope or 'level above'}"
        pending = member.INVITED if row.attrs.get("status") == member.INVITED else ""
        name = addresses.SERVICE + keys[row.id] if row.id in keys else names.name(handle) if names else handle
        robot = member.is_service_account(row.attrs) or (names is not None and names.is_robot(name))
        yield Assignment(
            name, handle, place, str(row.attrs.get("role", "")), why, (), pending,
            robot=robot, last_activity_at=row.last_activity_at, since=row.since,
            status=row.attrs.get("status") or None,
        )  # fmt: skip


def _sorted(source: str, day: date, assignments: list[Assignment], objects: list[str], unknown: list[str]) -> Access:
    return Access(
        source,
        day,
        tuple(sorted(assignments, key=lambda assignment: (assignment.person, assignment.key, assignment.object))),
        tuple(sorted(objects)),
        tuple(sorted(unknown)),
    )


def narrowed(
    access: Access,
    *,
    people: Collection[str] = (),
    objects: Collection[str] = (),
    orgs: Collection[str] = (),
    connections: Collection[str] = (),
) -> Access:
    """Only these people (by name or key), and only these objects and those of these orgs; without a choice, all.

    With `connections` (`acme/aws_prod`): only what is reached through the workspaces that have them.
    """
    if connections:
        found = tuple(use for use in access.connection_uses if use.connection in connections)
        workspaces = {use.workspace for use in found}
        access = replace(
            access,
            assignments=tuple(assignment for assignment in access.assignments if assignment.object in workspaces),
            objects=tuple(place for place in access.objects if place in workspaces),
            open=tuple(place for place in access.open if place in workspaces),
            connection_uses=found,
            open_connections=tuple(name for name in access.open_connections if name in connections),
        )

    def keeps(place: str) -> bool:
        return not (objects or orgs) or place in objects or place.partition("/")[0] in orgs

    return replace(
        access,
        assignments=tuple(
            assignment
            for assignment in access.assignments
            if keeps(assignment.object) and (not people or assignment.person in people or assignment.key in people)
        ),
        objects=tuple(place for place in access.objects if keeps(place)),
        open=tuple(place for place in access.open if keeps(place)),
        connection_uses=tuple(use for use in access.connection_uses if keeps(use.workspace)),
        open_connections=tuple(
            name for name in access.open_connections if not (objects or orgs) or name.partition("/")[0] in orgs
        ),
    )
