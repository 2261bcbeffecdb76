"""org.<org>/connection.<connection>/permission.<workspace>: where a connection may be used (contract:
orgConnection_*Permission).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds.kind import Attribute, Kind, Place, no_update
from reconciler.model.live import Resource
from reconciler.model.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping


class Space(msgspec.Struct):
    """The contract's Workspace, as far as it is used."""

    handle: str


class Row(msgspec.Struct):
    """The contract's Permission, as far as it is used. One without a workspace is for all of an organization or tenant."""

    id: str
    identity_id: str | None = None
    workspace_id: str | None = None
    workspace: Space | None = None
    version_id: int | None = None


ATTRIBUTES = (Attribute("permission_id", hidden=True),)
# in place of the workspace in the name of a permission for the whole organization (`everywhere: true`); no handle looks like it
EVERYWHERE = "*"


def resource(row: Row) -> Resource:
    """Identified by the workspace's id, which survives a rename; one for the whole organization by its own id."""
    handle = row.workspace.handle if row.workspace is not None else row.workspace_id or EVERYWHERE
    return Resource("permission", handle, row.workspace_id or row.id, row.version_id, {"permission_id": row.id})


def is_own_row(row: Row) -> bool:
    """Whether it is for the organization or a workspace, and not for a whole tenant."""
    return bool(row.workspace_id or row.identity_id)


def list_path(place: Place) -> str:
    return f"/org/{place.org}/connection/{place.org_child}/permission"


def object_path(place: Place, handle: str) -> str:
    """By its id only; `found_in_list` says that it is looked for in the list."""
    return f"{list_path(place)}/{handle}"


def target(place: Place, workspace: str) -> dict[str, str]:
    """The body that names a workspace, or with EVERYWHERE none. A server may ask for the organization beside it (the
    provider always sends it).
    """
    found = {"identity_handle": place.org}
    return found if workspace == EVERYWHERE else {**found, "workspace_handle": workspace}


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:  # noqa: ARG001
    """orgConnection_createPermission."""
    return (Request("POST", list_path(place), target(place, handle)),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """orgConnection_deletePermission."""
    return (Request("DELETE", object_path(place, str(have.attrs["permission_id"])), None, have.version),)


KIND = Kind(
    name="permission",
    parent="connection",
    section="workspaces",
    attributes=ATTRIBUTES,
    authoritative=True,
    names_people=False,
    own_scope=None,
    row=Row,
    resource=resource,
    list_path=list_path,
    object_path=object_path,
    create=create,
    update=no_update,
    delete=delete,
    in_lock_file=False,  # it is known by its connection and its workspace
    lists_handles_of="workspace",
    is_own_row=is_own_row,
    found_in_list=True,
)
