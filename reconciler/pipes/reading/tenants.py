"""The members of custom tenants: the only lists in which Pipes gives email addresses back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import grant, member, workspace
from reconciler.model.address import join
from reconciler.model.live import TenantMember, address_digest
from reconciler.pipes.errors import NotAuthorisedError, StatusError
from reconciler.pipes.reading.pages import ListOf, is_plain, read_list
from reconciler.pipes.reading.state import org_addresses, report_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.desired import Node
    from reconciler.model.errors import PipesError
    from reconciler.pipes.reading.state import LiveOrg, Run


class _Tenant(msgspec.Struct):
    """The contract's Tenant, as far as it is used (tenant_list)."""

    id: str
    handle: str


class _TenantUser(msgspec.Struct):
    """The contract's User inside of a TenantUser."""

    handle: str = ""


class _TenantRow(msgspec.Struct):
    """The contract's TenantUser, as far as it is used (tenantMember_list)."""

    id: str
    user_id: str
    email: str
    status: str = ""
    user: _TenantUser | None = None


def has_unknown_addresses(run: Run, node: Node, entry: LiveOrg | None) -> bool:
    """Whether an org lists somebody by email whom the lock file does not link to one of its rows."""
    ids = {row.id for row in entry.resource.of(member.KIND.name).values()} if entry is not None else set()
    spaces = node.children.get(workspace.KIND.name, {}).values()
    sections = [node.children.get(member.KIND.name, {}), *(s.children.get(grant.KIND.name, {}) for s in spaces)]
    for name in {want.name for section in sections for want in section.values()}:
        if run.desired.handle(name) is None:
            digest = address_digest(run.desired.person(name).email or "")
            known = (run.lock.get(join(above, member.KIND.name, name)) for above in org_addresses(node))
            if not any(found is not None and found.id in ids and found.address == digest for found in known):
                return True
    return False


def read_tenants(run: Run) -> None:
    """Read the members of each tenant in `run.tenants`, with their emails; None stays where this token may not see them."""
    if not run.tenants:
        return
    handles: dict[str, str] = {}
    rows: dict[str, list[_TenantRow]] = {tenant: [] for tenant in run.tenants}

    def take(found: list[_Tenant]) -> None:
        handles.update((tenant.id, tenant.handle) for tenant in found)

    def end(error: PipesError | None) -> None:
        report_progress(run, "tenant", "tenants")
        if error is not None:
            raise error
        for tenant in run.tenants:
            path = f"/tenant/{handles.get(tenant, tenant)}/member"
            what = ListOf(path, _TenantRow, "tenant", tenant)
            read_list(run, what, rows[tenant].extend, _take_tenant(run, tenant, rows), rows[tenant].clear)

    read_list(run, ListOf("/tenant", _Tenant, "tenant", "tenants"), take, end, handles.clear)
    run.workers.run()


def _take_tenant(run: Run, tenant: str, rows: dict[str, list[_TenantRow]]) -> Callable[[PipesError | None], None]:
    def end(error: PipesError | None) -> None:
        if isinstance(error, StatusError) and error.status in (403, 404) and not isinstance(error, NotAuthorisedError):
            return
        if error is not None:
            raise error
        found: dict[str, tuple[TenantMember, ...]] = {}
        for row in rows[tenant]:
            handle = row.user.handle if row.user is not None and is_plain(row.user.handle) else row.user_id
            one = TenantMember(row.user_id, handle, row.status)
            found[row.email.lower()] = (*found.get(row.email.lower(), ()), one)
        run.tenants[tenant] = found

    return end
