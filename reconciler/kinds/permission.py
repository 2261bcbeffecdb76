"""org.<org>/connection.<connection>/permission.<workspace>: where a connection may be used (contract:
orgConnection_*Permission).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds.kind import Attribute, Kind, Place, unchanging
from reconciler.model.live import Resource
from reconciler.model.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping


class Space(msgspec.Struct):
    """The contract's Workspace, as far as it is used."""

    handle: str


class Row(msgspec.Struct):
    """The contract's Permission, as far as it is used. One without a workspace is for the whole organization."""

    id: str
    workspace_id: str | None = None
    workspace: Space | None = None
    version_id: int | None = None


ATTRIBUTES = (Attribute("permission_id", hidden=True),)


def resource(row: Row) -> Resource:
    """Known by the workspace's id, which survives a rename."""
    handle = row.workspace.handle if row.workspace is not None else row.workspace_id or "everywhere"
    return Resource("permission", handle, row.workspace_id or row.id, row.version_id, {"permission_id": row.id})


def belongs(row: Row) -> bool:
    return bool(row.workspace_id)


def collection(place: Place) -> str:
    return f"/org/{place.org}/connection/{place.inner}/permission"


def find(place: Place, handle: str) -> str:
    """By its id only; `listed` says that it is looked for in the list."""
    return f"{collection(place)}/{handle}"


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:  # noqa: ARG001
    """orgConnection_createPermission."""
    return (Request("POST", collection(place), {"workspace_handle": handle}),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """orgConnection_deletePermission."""
    return (Request("DELETE", find(place, str(have.attrs["permission_id"])), None, have.version),)


KIND = Kind(
    name="permission",
    parent="connection",
    section="workspaces",
    attributes=ATTRIBUTES,
    authoritative=True,
    names_people=False,
    level=None,
    row=Row,
    resource=resource,
    collection=collection,
    find=find,
    create=create,
    update=unchanging,
    delete=delete,
    remembered=False,  # it is known by its connection and its workspace
    names="workspace",
    belongs=belongs,
    listed=True,
)
