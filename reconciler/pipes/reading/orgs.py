"""The token's own user and its organizations, and those that its list does not show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import children_of, member, org, workspace
from reconciler.kinds.kind import Place
from reconciler.model.address import join
from reconciler.model.errors import PipesError
from reconciler.model.live import Actor, Resource, Unreadable, carry
from reconciler.pipes.errors import ContentError, NotAuthorisedError, NotSentError, StatusError
from reconciler.pipes.reading.children import needs, read_children, take_children
from reconciler.pipes.reading.identities import look_up
from reconciler.pipes.reading.pages import ListOf, checked, is_plain, read_list
from reconciler.pipes.reading.state import EMPTY_READ, LiveOrg, locked, org_addresses, report_progress, submit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.desired import Node
    from reconciler.model.live import Snapshot
    from reconciler.pipes.reading.state import Run


class _User(msgspec.Struct):
    """The contract's User, as far as it is used (actor_get)."""

    id: str
    handle: str
    tenant_id: str
    type: str | None = None


class _ActorOrg(msgspec.Struct):
    """The contract's UserOrg, as far as it is used (actor_listOrgs)."""

    org_id: str
    org: org.Row | None = None


def read_actor_and_orgs(run: Run) -> None:
    """Read the actor and its orgs, and below each managed org the lists that the plan needs. Raises PipesError."""
    listed: dict[str, Resource] = {}

    def orgs_page(rows: list[_ActorOrg]) -> None:
        for row in rows:
            if row.org is None:
                raise ContentError(f"{run.client.settings.where} lists org {row.org_id} without saying what it is")
            live = checked(org.KIND.resource(row.org), "/actor/org")
            listed[live.handle] = live
            _take_org(run, live)

    def orgs_end(error: PipesError | None) -> None:
        if error is not None:
            raise error
        _look_up_unlisted(run, listed)

    def take_actor(row: _User | PipesError) -> None:
        if isinstance(row, PipesError):
            raise row
        run.actor = Actor(row.id, row.handle, row.tenant_id, robot=row.type == member.SERVICE_ACCOUNT)
        report_progress(run, "actor", row.handle)

    submit(run, lambda: run.client.get_json("/actor", _User), take_actor)
    read_list(run, ListOf("/actor/org", _ActorOrg, "org", "orgs"), orgs_page, orgs_end)
    run.workers.run()


def take_known(run: Run, known: Snapshot) -> None:
    """Take the actor, the orgs and their workspaces as they were read before, and read the lists of people in them."""
    run.actor = known.actor
    for live in known.orgs.values():
        spaces = live.of(workspace.KIND.name) if live.was_read(workspace.KIND.name) else None
        _take_org(run, _alone(live), spaces)
    run.workers.run()


def _alone(live: Resource) -> Resource:
    """An object without what is below it."""
    return Resource(live.kind, live.handle, live.id, live.version, dict(live.attrs))


def _take_org(run: Run, live: Resource, spaces: Mapping[str, Resource] | None = None) -> None:
    """Note a live org: as managed, which starts reading its lists, or as one of the others. `spaces` need not be read."""
    nodes: list[Node] = []
    named = run.wanted.get(live.handle)
    for node in (
        ([named] if named is not None else []) + run.by_old_handle.get(live.handle, []) + run.by_id.get(live.id, [])
    ):
        if all(node is not other for other in nodes):
            nodes.append(node)
    if live.id in run.managed:
        return
    if not nodes:
        run.others[live.handle] = live
        return
    if named is not None and join(None, "org", named.name) not in run.lock:
        # the lock file has it under an earlier name of the manifests
        for old in [handle for handle, locked_id in locked(run, None, "org").items() if locked_id == live.id]:
            carry(run.lock, join(None, "org", old), join(None, "org", named.name))
            run.siblings = None
            run.meant.clear()
    entry = run.managed[live.id] = LiveOrg(live, nodes)
    for node in nodes:
        run.candidates.setdefault(node.name, {})[live.handle] = entry
    place = Place(org=live.handle)
    live.children = {}
    live.inherited = {}
    for kind in children_of(org.KIND.name):
        if any(needs(kind, node, live) for node in nodes):
            if kind is workspace.KIND and spaces is not None:
                take_children(run, entry, kind, live, {handle: _alone(one) for handle, one in spaces.items()})
            else:
                read_children(run, entry, kind, place, live, f"org.{live.handle}")


def _look_up_unlisted(run: Run, listed: dict[str, Resource]) -> None:
    """Wanted orgs that are not in the actor's list may be visible to a tenant owner, be free, or be somebody else's."""
    for node in run.wanted.values():
        if node.name in listed:
            continue
        for handle in (node.name, node.renamed_from):
            if handle is not None and handle not in listed and handle not in run.asked:
                run.asked.add(handle)
                _look_up(run, handle)


def _look_up(run: Run, handle: str) -> None:
    """Ask for one org by its handle (org_get)."""
    named = run.wanted.get(handle)

    def take(found: org.Row | PipesError) -> None:
        report_progress(run, "org", f"org.{handle}")
        if isinstance(found, StatusError) and found.status in (403, 404) and not isinstance(found, NotAuthorisedError):
            if found.status == 403:
                run.forbidden.add(handle)
            else:
                _look_up_by_id(run, [named] if named is not None else run.by_old_handle.get(handle, []))
            if named is not None and not named.absent:
                look_up(run, handle)
        elif isinstance(found, NotAuthorisedError | NotSentError):
            raise found
        elif isinstance(found, PipesError):
            for node in [named] if named is not None else run.by_old_handle.get(handle, []):
                run.unreadable[node.name] = Unreadable(node.name, EMPTY_READ, str(found))
        else:
            _take_org(run, checked(org.KIND.resource(found), "/org"))

    submit(run, lambda: run.client.get_json(org.object_path(Place(), handle), org.Row), take)


def _look_up_by_id(run: Run, nodes: Iterable[Node]) -> None:
    """Ask by id for an org whose handle is free: it may have another handle now, which this token may not see.

    The contract does not say that a path takes an id, so a 404 proves nothing.
    """
    ids = {run.lock[address].id for node in nodes for address in org_addresses(node) if address in run.lock}
    for identifier in sorted(ids - run.asked - set(run.managed)):
        if not is_plain(identifier):
            continue  # it becomes part of a path, and anybody may have written it into the lock file
        run.asked.add(identifier)
        path = org.object_path(Place(), identifier)

        def take(found: org.Row | PipesError, identifier: str = identifier) -> None:
            if isinstance(found, NotAuthorisedError | NotSentError):
                raise found
            if isinstance(found, StatusError) and found.status == 404:
                return
            if isinstance(found, PipesError):
                run.hidden.add(identifier)
            elif found.id == identifier:
                _take_org(run, checked(org.KIND.resource(found), "/org"))

        submit(run, lambda path=path: run.client.get_json(path, org.Row), take)  # type: ignore[misc]
