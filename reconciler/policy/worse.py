"""What a plan makes worse: the policies that break in Pipes once it is applied, and did not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from reconciler.access import connections as connections_of
from reconciler.access.maps import GRANT, MEMBER, WORKSPACE, implicit, keys_of_accounts, rows
from reconciler.kinds import member
from reconciler.model import address as addresses
from reconciler.model.access import DIRECT, Assignment
from reconciler.model.diagnostic import Refusal
from reconciler.model.policy import ERROR
from reconciler.policy.compare import compared
from reconciler.policy.judge import judge
from reconciler.policy.world import World, add_connections, as_written, named, written
from reconciler.safeguards.policy import SAFEGUARD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.desired import Desired
    from reconciler.model.live import Lock, Resource, Snapshot
    from reconciler.model.plan import Change, Plan
    from reconciler.model.policy import Violation

TOLD = 10  # remaining violations named in the notes; more are only counted
Rows = dict[str, dict[str, Assignment]]  # by place, then by id of the live row, else by address


def judged(plan: Plan, desired: Desired, live: Snapshot, lock: Lock | None) -> Plan:
    """The plan, refused as `policy` for each violation that it makes or makes worse. A former violation is a note."""
    lines = written(desired, lock)
    before = _rows(desired, live, lock)
    after = _applied(plan, before, desired, lock)
    old = judge(desired.policies, desired.waivers, _world(before, desired, live, lock, lines))
    new = judge(desired.policies, desired.waivers, _world(after, desired, live, lock, lines, planned=True))
    worse, _, standing = compared(old.violations, new.violations)
    notes = (*(_sentence(one) for one in worse if one.level != ERROR), *_notes_on_standing(standing))
    return replace(
        plan,
        refusals=(*plan.refusals, *(_refusal(one) for one in worse if one.level == ERROR)),
        # a shard counts its notes by org
        notes=plan.notes if plan.shard is not None else (*plan.notes, *notes),
    )


def _sentence(found: Violation) -> str:
    return f"policy {found.policy}: {found.fact}"


def _notes_on_standing(standing: tuple[Violation, ...]) -> Iterator[str]:
    yield from (f"{_sentence(one)}. It is so in Pipes already" for one in standing[:TOLD])
    if len(standing) > TOLD:
        yield f"{len(standing) - TOLD:,} more violations of policies are in Pipes already: `reconciler access --live --policies`"


def _refusal(found: Violation) -> Refusal:
    asked = f" {found.message.rstrip('.')}." if found.message else ""
    more = f" ({found.help})" if found.help else ""
    paste = " ".join(f"`{line}`" for line in found.waivers)
    return Refusal(
        SAFEGUARD.code,
        _address(found.place),
        f"policy {found.policy} ({found.policy_source}): {found.fact}",
        f"change what the manifests ask for{more}.{asked} Or write under `waivers:` {paste}",
        found.source or found.policy_source,
        liftable=False,
    )


def _address(place: str) -> str:
    """The org or workspace that a violation is about; of several, and of a connection, the org."""
    handle, _, space = place.partition("/")
    here = addresses.join(None, "org", handle.split(" ")[0].rstrip(","))
    whole = bool(space) and all(character.isalnum() for character in space)
    return addresses.join(here, WORKSPACE, space) if whole else here


# --- what Pipes holds, before and after -------------------------------------------------------------------------------


def _renamed(desired: Desired, live: Snapshot) -> dict[str, str]:
    """A live place -> its name in the manifests, where a rename is stated."""
    found: dict[str, str] = {}
    for name, node in desired.orgs.items():
        handle = node.renamed_from if name not in live.orgs and node.renamed_from in live.orgs else name
        org = live.orgs.get(handle or "")
        if org is None:
            continue
        spaces = {row.handle for row in org.of(WORKSPACE).values()}
        for space in spaces:
            found[f"{org.handle}/{space}"] = f"{name}/{space}"
        for new, inner in node.children.get(WORKSPACE, {}).items():
            if new not in spaces and inner.renamed_from in spaces:
                found[f"{org.handle}/{inner.renamed_from}"] = f"{name}/{new}"
        found[org.handle] = name
    return found


def _rows(desired: Desired, live: Snapshot, lock: Lock | None) -> Rows:
    """Each live row of people, by the names of the manifests."""
    world = named(desired, lock)
    names = _renamed(desired, live)
    found: Rows = {}

    def add(parent: Resource, kind: str, place: str, keys: Mapping[str, str]) -> None:
        # a workspace's list shows the owners of the org, too: they come with their membership, and go with it
        above = [row for row in parent.inherited_of(kind).values() if kind != GRANT or row.attrs.get("scope") != "org"]
        ids = {row.handle: row.id for row in (*above, *parent.of(kind).values())}
        found[place] = {ids[one.key]: one for one in rows(parent, kind, place, world.names, keys) if one.key in ids}

    for org in live.orgs.values():
        keys = keys_of_accounts(org, desired, lock)
        add(org, MEMBER, names.get(org.handle, org.handle), keys)
        for space in org.of(WORKSPACE).values():
            place = f"{org.handle}/{space.handle}"
            add(space, GRANT, names.get(place, place), keys)
    return found


def _applied(plan: Plan, before: Rows, desired: Desired, lock: Lock | None) -> Rows:
    """The rows once every change of the plan is made."""
    names = named(desired, lock).names
    found = {place: dict(there) for place, there in before.items()}
    for change in plan.changes:
        parts = addresses.split(change.address)
        place = "/".join(name for kind, name in parts if kind in ("org", WORKSPACE))
        if change.kind in ("org", WORKSPACE):
            if change.action == "delete":
                for at in [at for at in found if at == place or at.startswith(f"{place}/")]:
                    del found[at]
            else:
                found.setdefault(place, {})
            continue
        if change.kind not in (MEMBER, GRANT):
            continue
        there = found.setdefault(place, {})
        at = change.id if change.id is not None and change.id in there else change.address
        if change.action == "delete":
            there.pop(at, None)
            continue
        key = there[at].key if at in there else names.key(parts[-1][1])
        there[at] = _assignment(change, there.get(at), names.name(key), key, place)
    return found


def _assignment(change: Change, before: Assignment | None, name: str, key: str, place: str) -> Assignment:
    after = change.after or {}
    role = str(after.get("role", before.role if before is not None else ""))
    pending = before.pending if before is not None else member.INVITED if change.kind == MEMBER else ""
    return Assignment(
        name, key, place, role, change.via or DIRECT, (), pending, change.expires, change.source, change.then,
        change.because, before.robot if before is not None else False,
    )  # fmt: skip


def _world(
    there: Rows, desired: Desired, live: Snapshot, lock: Lock | None, lines: Mapping[tuple[str, str], Assignment],
    *, planned: bool = False,
) -> World:  # fmt: skip
    world = named(desired, lock, live)
    world.places = {place: [] for place in there}
    for place, found in there.items():
        handle, slash, _ = place.partition("/")
        own = list(found.values())
        if slash:
            owners = [one for one in there.get(handle, {}).values() if one.role == member.OWNER]
            owning = {one.key for one in owners}
            own = implicit(owners, place) + [one for one in own if one.key not in owning]
        world.places[place] = [as_written(one, lines) for one in own]
    _add_connections(world, desired, live, planned=planned)
    for name, org in live.orgs.items():
        world.open.update([name] * (not org.was_read(MEMBER)))
        world.open.update(f"{name}/{one.handle}" for one in org.of(WORKSPACE).values() if not one.was_read(GRANT))
    return world


def _add_connections(world: World, desired: Desired, live: Snapshot, *, planned: bool) -> None:
    """How connections are reached: as the manifests say, once the plan is applied, if they say everything."""
    names = _renamed(desired, live)
    found, open_connections = connections_of.uses_live(live)
    uses = [replace(one, workspace=names.get(one.workspace, one.workspace)) for one in found]
    if planned:
        wanted, unknown = connections_of.uses_wanted(desired)
        whole = {one.connection for one in wanted} - set(unknown)
        uses = [one for one in uses if one.connection not in whole] + [
            one for one in wanted if one.connection in whole or one not in uses
        ]
    add_connections(world, uses, open_connections)
