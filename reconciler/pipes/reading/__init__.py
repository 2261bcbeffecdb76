"""Reads what a plan needs of Pipes, in whole pages and side by side.

In: a client, the desired state and the lock file. Out: a Snapshot (`snapshot`), or one object again (`read_again`,
`find_created`), or what its lists have skipped (`add_missing`). Open `orgs.py` first: reading starts there, and each other module reads one kind of list.

An org that cannot be read whole is never taken for an empty one: it is left out of the Snapshot and named in `unreadable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from reconciler.kinds import KINDS, grant, member, org, workspace
from reconciler.model.live import Snapshot, Unreadable
from reconciler.pipes.reading.identities import find_near_matches, new_people, read_identities
from reconciler.pipes.reading.limits import creates_workspaces, read_limit
from reconciler.pipes.reading.missing import add_missing
from reconciler.pipes.reading.one_object import find_created, read_again
from reconciler.pipes.reading.orgs import read_actor_and_orgs, take_known
from reconciler.pipes.reading.references import name_references, read_what_moves
from reconciler.pipes.reading.state import EMPTY_READ, Run, live_org_of, org_addresses
from reconciler.pipes.reading.tenants import has_unknown_addresses, read_tenants
from reconciler.pipes.reading.tokens import read_token, resets_tokens
from reconciler.pipes.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Actor, Lock, Resource
    from reconciler.pipes.client import Client
    from reconciler.pipes.reading.state import Progress

__all__ = ["add_missing", "find_created", "read_again", "snapshot"]


def snapshot(
    client: Client,
    desired: Desired,
    lock: Lock,
    *,
    only_orgs: Collection[str] = (),
    known: Snapshot | None = None,
    progress: Progress | None = None,
) -> Snapshot:
    """Read what a plan for `desired` needs, with as many requests at once as the client allows.

    `only_orgs` narrows to those wanted orgs. Of `known`, the actor, the orgs and their workspaces are not read again.
    `progress(kind, done, total, address)` is called whenever something is
    read; `total` grows while more turns out to be needed. Raises PipesError where Pipes as a whole cannot be read;
    a single org that cannot be is in the Snapshot's `unreadable`, under the handle that the manifest uses.
    """
    wanted = {name: node for name, node in desired.orgs.items() if not only_orgs or name in only_orgs}
    by_old_handle: dict[str, list[Node]] = {}
    by_id: dict[str, list[Node]] = {}
    for node in wanted.values():
        if node.renamed_from is not None:
            by_old_handle.setdefault(node.renamed_from, []).append(node)
        for address in org_addresses(node):
            if address in lock:
                by_id.setdefault(lock[address].id, []).append(node)
    with Workers(client.parallelism) as workers:
        run = Run(client, dict(lock), desired, wanted, by_old_handle, by_id, workers, progress)
        if known is not None:
            take_known(run, known)
        else:
            read_actor_and_orgs(run)
        _read_what_creates_need(run)
        find_near_matches(run)
    return _snapshot_of(run)


def _read_what_creates_need(run: Run) -> None:
    """Identities of people who are new somewhere, limits where a workspace will be made, the token's age."""
    assert run.actor is not None
    people: dict[str, None] = {}
    for node in run.wanted.values():
        if node.absent or node.name in run.unreadable:
            continue
        entry = live_org_of(run, node)
        if entry is not None and entry.failed is not None:
            continue
        if entry is None and (run.identities.get(node.name) is not None or node.renamed_from is not None):
            continue  # somebody else's, or a rename of nothing: neither is ever created
        people.update(dict.fromkeys(new_people(run, node, entry)))
        if entry is not None and creates_workspaces(run, node, entry):
            read_limit(run, node, entry)
        tenant = entry.resource.attrs.get("tenant_id") if entry is not None else run.actor.tenant_id
        if tenant not in (None, org.PRIMARY_TENANT) and has_unknown_addresses(run, node, entry):
            run.tenants.setdefault(str(tenant), None)
    read_identities(run, people)
    read_tenants(run)
    if any(resets_tokens(node, live_org_of(run, node)) for node in run.wanted.values() if not node.absent):
        read_token(run)
    read_what_moves(run)
    run.workers.run()


def _snapshot_of(run: Run) -> Snapshot:
    assert run.actor is not None
    actor = replace(run.actor, token_issued_at=run.issued_at)
    orgs = {}
    for entry in sorted(run.managed.values(), key=lambda e: e.resource.handle):
        failed = entry.failed or _unbelievable(entry.resource, actor)
        if failed is None:
            name_references(entry.resource)
            # in the kinds' order, not in that of the answers
            children = entry.resource.children or {}
            entry.resource.children = {kind: children[kind] for kind in KINDS if kind in children}
            orgs[entry.resource.handle] = entry.resource
            continue
        for node in entry.nodes:
            run.unreadable.setdefault(node.name, Unreadable(node.name, EMPTY_READ, failed))
    return Snapshot(
        actor=actor,
        orgs=orgs,
        others=dict(sorted(run.others.items())),
        identities=dict(sorted(run.identities.items())),
        near=dict(sorted(run.near.items())),
        workspace_limits=dict(sorted(run.limits.items())),
        tenants=dict(sorted(run.tenants.items())),
        forbidden=frozenset(run.forbidden),
        unreadable=tuple(found for _, found in sorted(run.unreadable.items())),
        hidden=frozenset(run.hidden),
    )


def _unbelievable(live: Resource, actor: Actor) -> str | None:
    """Why a member list cannot be all that Pipes holds: whoever may read it is in it, and so are the owners of the org."""
    if not live.was_read(member.KIND.name):
        return None
    rows = [*live.of(member.KIND.name).values(), *live.inherited_of(member.KIND.name).values()]
    if not rows:
        return f"the member list of {live.handle} came back empty"
    if all(row.id != actor.id for row in rows):
        return f"the member list of {live.handle} ({len(rows)} rows) lacks the token's own user {actor.handle}"
    # a workspace's list shows the owners of its org; that it shows a tenant's, too, is not known
    owners = {row.id for row in live.of(member.KIND.name).values() if member.is_accepted_owner(row.attrs)}
    for space in live.of(workspace.KIND.name).values():
        if owners and space.was_read(grant.KIND.name) and not owners & _people_of(space):
            return (
                f"the member list of the workspace {live.handle}/{space.handle} has no owner of {live.handle}, all of whom "
                "Pipes shows there, so it is not whole"
            )
    return None


def _people_of(space: Resource) -> set[str]:
    """The user ids in a workspace's member list, inherited rows included."""
    return {
        row.id for rows in (space.of(grant.KIND.name), space.inherited_of(grant.KIND.name)) for row in rows.values()
    }
