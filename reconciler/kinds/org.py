"""org.<handle>: an organization (contract: org_*, actor_listOrgs)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds import logo
from reconciler.kinds.kind import KEPT_BY_PIPES, Attribute, Kind, Place
from reconciler.model.live import Resource
from reconciler.model.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

# the tenant whose orgs invite people; every other tenant adds its own members (API page, "Two ways in")
PRIMARY_TENANT = "t_00000000000000000000"


class Row(msgspec.Struct):
    """The contract's Org, as far as it is used."""

    id: str
    handle: str
    tenant_id: str | None = None
    version_id: int | None = None
    display_name: str | None = None
    url: str | None = None
    avatar_url: str | None = None
    token_min_issued_at: str | None = None
    usage_compute_threshold: int | None = None
    usage_compute_action: str | None = None
    usage_storage_threshold: int | None = None
    usage_storage_action: str | None = None
    usage_user_threshold: int | None = None
    usage_user_action: str | None = None


def already_reset(have: Any, want: Any) -> bool:
    """Whether tokens from before `want` are refused already. A later live moment is never moved back: tokens that
    somebody has reset would work again.
    """
    if not have or not want:
        return not want
    try:
        return datetime.fromisoformat(have) >= datetime.fromisoformat(want)
    except (ValueError, TypeError):
        return False  # a live value that is not a time, or has no zone, resets nothing


ATTRIBUTES = (
    Attribute("display_name", on_create=True, on_update=True, clear=""),
    Attribute("url", on_create=True, on_update=True, clear=""),
    Attribute("logo", own_request=True, same=logo.same),
    Attribute("usage_compute_threshold", on_update=True),
    Attribute("usage_compute_action", on_update=True),
    Attribute("usage_storage_threshold", on_update=True),
    Attribute("usage_storage_action", on_update=True),
    Attribute("usage_user_threshold", on_update=True),
    Attribute("usage_user_action", on_update=True),
    Attribute("token_min_issued_at", on_update=True, same=already_reset, sent_last=True),
    Attribute("tenant_id", hidden=True),
    Attribute("avatar_url", hidden=True),
)


NOT_WRITTEN = {
    **KEPT_BY_PIPES,
    "avatar_url": "read-only: Pipes makes it of what `logo` says",
    "billing": "read-only: plan and payment are chosen in the console",
    "handle": "its key; `renamed_from` states a rename",
    "plan_id": "chosen in the console: Pipes takes it for a new organization only, and never gives it back",
    "tenant_id": "read-only: an organization is made in the tenant of the token's user, and stays there",
}


def resource(row: Row) -> Resource:
    attrs = {a.name: getattr(row, a.name) for a in ATTRIBUTES if not a.own_request}
    return Resource("org", row.handle, row.id, row.version_id, attrs)


def list_path(place: Place) -> str:  # noqa: ARG001 - orgs have no parent; the kinds share one signature
    return "/org"


def object_path(place: Place, handle: str) -> str:  # noqa: ARG001
    return f"/org/{handle}"


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:  # noqa: ARG001
    """org_create knows three fields; org_update sets the rest right after, org_createAvatar the logo."""
    first = Request("POST", "/org", {"handle": handle, **KIND.body(attrs, create=True)})
    rest = {name: value for name, value in attrs.items() if value is not None and not KIND.attribute(name).on_create}
    body = KIND.body(rest, create=False)
    more = (Request("PATCH", f"/org/{handle}", body),) if body else ()
    picture = {logo.MARK: attrs[logo.MARK]} if attrs.get(logo.MARK) is not None else {}
    return (first, *more, *logo.requests(handle, picture, None))


def update(place: Place, have: Resource, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """org_update, and org_createAvatar or org_deleteAvatar."""
    body = KIND.body(attrs, create=False)
    first = (Request("PATCH", f"/org/{place.org}", body, have.version),) if body else ()
    return (*first, *logo.requests(place.org, attrs, have.attrs.get(logo.URL)))


def rename(place: Place, have: Resource, handle: str) -> tuple[Request, ...]:  # noqa: ARG001
    """org_update with a new handle; the id stays and the DNS name of every workspace changes."""
    return (Request("PATCH", f"/org/{have.handle}", {"handle": handle}, have.version),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """org_delete."""
    return (Request("DELETE", f"/org/{place.org}", None, have.version),)


KIND = Kind(
    name="org",
    parent=None,
    section="orgs",
    attributes=ATTRIBUTES,
    authoritative=False,
    names_people=False,
    own_scope=None,
    row=Row,
    resource=resource,
    list_path=list_path,
    object_path=object_path,
    create=create,
    update=update,
    delete=delete,
    rename=rename,
    not_written=NOT_WRITTEN,
)
