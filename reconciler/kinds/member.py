"""org.<org>/member.<person>: who is in an org, and as what (contract: orgMember_*)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds.kind import Attribute, Kind, Place
from reconciler.model.live import Resource
from reconciler.model.request import LATE_ID, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

OWNER = "owner"
ACCEPTED = "accepted"
INVITED = "invited"
SERVICE_ACCOUNT = "service_account"  # contract: User.type
FIRST_ROLE = "member"  # the role of a service account right after its creation

ATTRIBUTES = (
    Attribute("role", on_create=True, on_update=True, rank=("member", OWNER)),
    Attribute("status"),
)


class RowUser(msgspec.Struct):
    """The contract's User in such a row, as far as it is used."""

    type: str | None = None
    display_name: str | None = None


class Row(msgspec.Struct):
    """The contract's OrgUser and OrgWorkspaceUser, as far as they are used; `id` is the row's, not the person's."""

    user_id: str
    user_handle: str
    version_id: int | None = None
    role: str | None = None
    scope: str | None = None
    status: str | None = None
    created_at: str | None = None
    created_by_id: str | None = None
    last_activity_at: str | None = None
    user: RowUser | None = None


def person_resource(kind: str, row: Row) -> Resource:
    """A person's row: identified by the user's id, which survives a change of handle. That of a service account has `robot`."""
    attrs: dict[str, Any] = {"role": row.role or "", "status": row.status or ""}
    if row.user is not None and row.user.type == SERVICE_ACCOUNT:
        attrs["robot"] = True
    found = Resource(kind, row.user_handle, row.user_id, row.version_id, attrs)
    if row.user is not None and row.user.display_name and row.user.display_name != row.user_handle:
        found.display_name = row.user.display_name
    found.last_activity_at, found.since = row.last_activity_at or None, row.created_at or None
    return found


def resource(row: Row) -> Resource:
    """Beside what the kind declares: `by`, who let them in, and of an invitation the day on which it was `sent` (UTC)."""
    found = person_resource("member", row)
    if row.created_by_id and row.created_by_id != row.user_id:
        found.attrs["by"] = row.created_by_id
    if row.status == INVITED and row.created_at:
        found.attrs["sent"] = row.created_at[:10]
    return found


def in_path(have: Resource) -> str:
    """What a request uses to name somebody: the handle, or for a service account the id, since nobody chose its handle."""
    return have.id if is_service_account(have.attrs) else have.handle


def list_path(place: Place) -> str:
    return f"/org/{place.org}/member"


def object_path(place: Place, handle: str) -> str:
    return f"/org/{place.org}/member/{handle}"


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """orgMember_create in a custom tenant, orgMember_invite in the primary one; only the latter takes an email.

    A new service account is a member at once, with the role `member`: another role is an update (orgMember_update).
    """
    body = KIND.body(attrs, create=True)
    if place.late is not None:
        if attrs.get("role") == FIRST_ROLE:
            return ()
        return (Request("PATCH", object_path(place, LATE_ID), body, None, place.late),)
    if place.custom_tenant:
        return (Request("POST", f"/org/{place.org}/member", {"handle": handle, **body}),)
    person = place.person
    who = {"email": person.email} if person is not None and person.handle is None else {"handle": handle}
    return (Request("POST", f"/org/{place.org}/member/invite", {**who, **body}),)


def is_by_email(body: Mapping[str, Any] | None) -> bool:
    """Whether the body of a create invites an address: whose account that is, only the answer tells."""
    return body is not None and "email" in body and "handle" not in body


def update(place: Place, have: Resource, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """orgMember_update. A 409 or 412 means that the row changed since it was read."""
    return (Request("PATCH", object_path(place, in_path(have)), KIND.body(attrs, create=False), have.version),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """orgMember_delete: removes the member, or cancels the invitation."""
    return (Request("DELETE", object_path(place, in_path(have)), None, have.version),)


def is_owner(attrs: Mapping[str, Any]) -> bool:
    return attrs.get("role") == OWNER


def is_accepted_owner(attrs: Mapping[str, Any]) -> bool:
    """Whether a row is an owner who has accepted, a person or a robot."""
    return is_owner(attrs) and attrs.get("status") == ACCEPTED


def is_service_account(attrs: Mapping[str, Any]) -> bool:
    """Whether a live row is a service account's. Only the manifests know the other robots."""
    return bool(attrs.get("robot"))


KIND = Kind(
    name="member",
    parent="org",
    section="members",
    attributes=ATTRIBUTES,
    authoritative=True,
    names_people=True,
    own_scope="org",
    row=Row,
    resource=resource,
    list_path=list_path,
    object_path=object_path,
    create=create,
    update=update,
    delete=delete,
    read_for_impact=True,
)
