"""Who holds a handle, and which handles resemble one that nobody holds."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import member, service_account
from reconciler.model.address import SERVICE, join
from reconciler.model.errors import PipesError
from reconciler.model.live import Identity
from reconciler.pipes.errors import StatusError
from reconciler.pipes.reading.state import org_addresses, report_progress, submit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.desired import Node
    from reconciler.model.live import Resource
    from reconciler.pipes.reading.state import LiveOrg, Run

_SEARCHES = 20  # unknown handles for which Pipes is searched
_NEAR = 3  # near matches that are named


class _IdentityRow(msgspec.Struct):
    """The contract's Identity, as far as it is used (identity_get, identity_list)."""

    id: str
    handle: str
    type: str


def new_people(run: Run, node: Node, entry: LiveOrg | None) -> Iterable[str]:
    """The handles of listed members who are not in the live org, neither by handle nor by the lock file's id."""
    rows: dict[str, Resource] = {}
    if entry is not None:
        rows = {**entry.resource.inherited_of(member.KIND.name), **entry.resource.of(member.KIND.name)}
    ids = {row.id for row in rows.values()}
    for want in node.children.get(member.KIND.name, {}).values():
        handle = _handle_of(run, node, want.name)
        if want.absent or handle is None or handle in rows:
            continue
        addresses = (join(parent, member.KIND.name, want.name) for parent in org_addresses(node))
        if not any(address in run.lock and run.lock[address].id in ids for address in addresses):
            yield handle


def _handle_of(run: Run, node: Node, name: str) -> str | None:
    """The handle of somebody listed; of a service account the written one, since Pipes chooses that of a new one."""
    if not name.startswith(SERVICE):
        return run.desired.handle(name)
    account = node.children.get(service_account.KIND.name, {}).get(name.removeprefix(SERVICE))
    return account.attrs.get(service_account.HANDLE) if account is not None else None


def look_up(run: Run, handle: str) -> None:
    """Look up who holds a handle (identity_get), once for each handle."""
    if handle in run.identities:
        return
    run.identities[handle] = None

    def read_identity() -> Identity | None:
        try:
            row = run.client.get_json(f"/identity/{handle}", _IdentityRow)
        except StatusError as error:
            if error.status != 404:
                raise
            return None
        return Identity(row.handle, row.id, row.type)

    def take(found: Identity | PipesError | None) -> None:
        if isinstance(found, PipesError):
            raise found
        run.identities[handle] = found
        report_progress(run, "identity", handle)

    submit(run, read_identity, take)


def read_identities(run: Run, handles: dict[str, None]) -> None:
    """Find out who holds each of these handles, from what was read already where that is enough."""
    assert run.actor is not None
    if not handles:
        return
    # an accepted member of an org that was read exists: no request is needed
    known = {run.actor.handle: run.actor.id}
    for entry in run.managed.values():
        for row in entry.resource.of(member.KIND.name).values():
            if row.attrs.get("status") == member.ACCEPTED:
                known[row.handle] = row.id
    for handle in handles:
        if handle in known:
            run.identities[handle] = Identity(handle, known[handle], "user")
        else:
            look_up(run, handle)


def find_near_matches(run: Run) -> None:
    """Find handles that resemble those that nobody has: a typing error is more likely than a person without an account.

    They are found for the first few: a list of many unknown handles is some other mistake.
    """
    unknown = [h for h, found in run.identities.items() if found is None and h not in run.wanted]
    if not unknown:
        return
    members = {h for e in run.managed.values() for h in e.resource.of(member.KIND.name)}

    def search(handle: str) -> list[str]:
        for text in (handle, handle[:3]):
            rows, _ = run.client.page("/identity", _IdentityRow, {"q": text, "limit": 20})
            users = [row.handle for row in rows if row.type == "user"]
            if users:
                return users
        return []

    def take(handle: str, found: list[str] | PipesError) -> None:
        # this only helps the reader: without it, the refusal says the same
        users = [] if isinstance(found, PipesError) else found
        run.near[handle] = _closest(handle, members.union(users))
        report_progress(run, "identity", handle)

    for handle in unknown[_SEARCHES:]:
        run.near[handle] = ()
    for handle in unknown[:_SEARCHES]:
        submit(run, lambda h=handle: search(h), lambda found, h=handle: take(h, found))  # type: ignore[misc]
    run.workers.run()


def _closest(handle: str, candidates: Iterable[str]) -> tuple[str, ...]:
    likeness = ((SequenceMatcher(None, handle, other).ratio(), other) for other in candidates if other != handle)
    good = sorted((-ratio, other) for ratio, other in likeness if ratio >= 0.6 or handle in other)
    return tuple(other for _, other in good[:_NEAR])
