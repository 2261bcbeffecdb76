"""org.<org>/workspace.<workspace>/grant.<person>: who may do what in a workspace (contract: orgWorkspaceMember_*)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reconciler.kinds.kind import Attribute, Kind, Place
from reconciler.kinds.member import Row, in_path, person_resource
from reconciler.model.address import SERVICE
from reconciler.model.request import LATE, LATE_ID, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.live import Resource

# the current documentation's roles, from the weakest; this is the one place that knows them
ROLES = ("reader", "operator", "owner")
# one role with two names: older pages of the documentation have the same three roles, and call the middle one
# `admin`. It is read as `operator` everywhere, and never sent
FORMER_NAMES = {"admin": "operator"}

ATTRIBUTES = (
    Attribute("role", on_create=True, on_update=True, rank=ROLES),
    Attribute("status"),
)


def current(role: str) -> str:
    """The current name of a role; any other role, known or not, as it is."""
    return FORMER_NAMES.get(role, role)


@lru_cache(64)
def with_role(role: str) -> dict[str, Any]:
    """The attributes of a manifest's entry with this role: one object that all share and nothing changes."""
    return {"role": current(role)}


def resource(row: Row) -> Resource:
    found = person_resource("grant", row)
    found.attrs["role"] = current(found.attrs["role"])
    return found


def list_path(place: Place) -> str:
    return f"/org/{place.org}/workspace/{place.org_child}/member"


def object_path(place: Place, handle: str) -> str:
    return f"{list_path(place)}/{handle}"


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """orgWorkspaceMember_create. Someone who is being invited by email has a handle only once that is answered, and a
    service account that is being created an id.
    """
    late = LATE_ID if place.late and handle.startswith(SERVICE) else LATE
    who = late if place.late else handle
    return (Request("POST", list_path(place), {"handle": who, **KIND.body(attrs, create=True)}, None, place.late),)


def update(place: Place, have: Resource, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """orgWorkspaceMember_update."""
    return (Request("PATCH", object_path(place, in_path(have)), KIND.body(attrs, create=False), have.version),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """orgWorkspaceMember_delete. Removing the membership removes the grant too, so a 404 is success."""
    return (Request("DELETE", object_path(place, in_path(have)), None, have.version),)


KIND = Kind(
    name="grant",
    parent="workspace",
    section="members",
    attributes=ATTRIBUTES,
    authoritative=True,
    names_people=True,
    own_scope="workspace",
    row=Row,
    resource=resource,
    list_path=list_path,
    object_path=object_path,
    create=create,
    update=update,
    delete=delete,
    read_for_impact=True,
    in_lock_file=False,  # it is known by its workspace and its member
)
