"""How an import writes service accounts.

An account is listed below `service_accounts:` under a key, for which an import takes the handle that Pipes chose. Members and
grants name it as `service/KEY`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.kinds import member, service_account
from reconciler.manifest import json_schema
from reconciler.model.address import SERVICE

if TYPE_CHECKING:
    from reconciler.model.live import Resource

KIND = service_account.KIND


def described(account: Resource, org: Resource) -> dict[str, Any]:
    """The manifest's entry for one of the org's own accounts.

    A key finds its account by title. So the handle is written as well where two accounts have the title, or where a
    manifest cannot have it.
    """
    title, description = str(account.attrs[service_account.TITLE]), account.attrs["description"]
    same = [one for one in org.of(KIND.name).values() if one.attrs[service_account.TITLE] == title]
    (part,) = json_schema.at(("orgs", org.handle, KIND.section, account.handle, service_account.TITLE))
    writable = bool(title) and json_schema.validates(part, title)
    found: dict[str, Any] = {service_account.TITLE: title} if writable else {}
    if description:
        found["description"] = description
    if len(same) > 1 or not writable:
        found[service_account.HANDLE] = account.attrs[service_account.HANDLE]
    return found


def name_of(row: Resource, org: Resource) -> str:
    """How members name the service account of a row: `service/` and its key; the handle, if the account is the tenant's."""
    key = next((one.handle for one in org.of(KIND.name).values() if one.id == row.id), row.handle)
    return SERVICE + key


def of_the_tenant(org: Resource) -> dict[str, dict[str, str]]:
    """The tenant's service accounts that are in an org of a custom tenant, each under its handle."""
    known = {one.id for one in org.of(KIND.name).values()}
    rows = (row for row in org.of(member.KIND.name).values() if member.is_service_account(row.attrs))
    return {
        row.handle: {service_account.HANDLE: row.handle}
        for row in sorted(rows, key=lambda r: r.handle)
        if row.id not in known
    }
