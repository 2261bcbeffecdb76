"""The organizations that the token's user can see, with its role in each and their size: what could be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import member, org, workspace
from reconciler.kinds.kind import Place
from reconciler.model.errors import PipesError
from reconciler.model.live import Actor
from reconciler.pipes.errors import ContentError, NotAuthorisedError, NotSentError
from reconciler.pipes.reading.pages import checked
from reconciler.pipes.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.kinds.kind import Kind
    from reconciler.pipes.client import Client
    from reconciler.pipes.reading.state import Progress


class VisibleOrg(msgspec.Struct):
    """One organization of the token's user. A size is None where Pipes does not show the list to this user."""

    handle: str
    role: str  # the user's own: owner, member
    accepted: bool  # False while the user's own invitation is pending
    members: int | None = None
    workspaces: int | None = None

    @property
    def can_import(self) -> bool:
        """Whether `import` can write all of it: Pipes shows every workspace and grant to owners only."""
        return self.accepted and self.role == "owner"


class _User(msgspec.Struct):
    """The contract's User, as far as it is used (actor_get)."""

    id: str
    handle: str
    tenant_id: str
    type: str | None = None


class _UserOrg(msgspec.Struct):
    """The contract's UserOrg, as far as it is used (actor_listOrgs)."""

    org_id: str
    role: str
    status: str
    org: org.Row | None = None


def read_actor(client: Client) -> tuple[Actor, str]:
    """The token's own user, and its type (`user` or `service_account`; empty where Pipes does not say). Raises PipesError."""
    row = client.get_json("/actor", _User)
    return Actor(row.id, row.handle, row.tenant_id), row.type or ""


def read_visible_orgs(client: Client, progress: Progress | None = None) -> list[VisibleOrg]:
    """The orgs of the token's user, sorted by handle, with the sizes of those that it may look into. Raises PipesError.

    `progress` is called for each list, as by `snapshot`.
    """
    found: list[VisibleOrg] = []
    for page in client.pages("/actor/org", row_type=_UserOrg):
        for row in page:
            if row.org is None:
                raise ContentError(f"{client.settings.where} lists org {row.org_id} without saying what it is")
            handle = checked(org.KIND.resource(row.org), "/actor/org").handle
            found.append(VisibleOrg(handle, row.role, row.status == member.ACCEPTED))
    with Workers(client.parallelism) as workers:
        for one in found:
            if one.accepted:
                _count(workers, client, member.KIND, one, "members", progress)
                if one.can_import:
                    _count(workers, client, workspace.KIND, one, "workspaces", progress)
        workers.run()
    return sorted(found, key=lambda one: one.handle)


def _count(workers: Workers, client: Client, kind: Kind, one: VisibleOrg, what: str, progress: Progress | None) -> None:
    def count() -> int:
        return sum(len(page) for page in client.pages(kind.list_path(Place(org=one.handle)), row_type=kind.row))

    def take(number: int | PipesError) -> None:
        if isinstance(number, NotAuthorisedError | NotSentError):
            raise number
        if not isinstance(number, PipesError):
            setattr(one, what, number)
        if progress is not None:
            progress(what, 0, 0, f"org.{one.handle}")

    counted: Callable[[], int] = count
    workers.submit(counted, take)
