"""org.<org>/connection_folder.<key>/folder_permission.<workspace>: which workspaces may use whatever is in a folder
(contract: orgConnectionFolder_*Permission).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds import connection_folder, permission
from reconciler.kinds.kind import Kind, Place, unchanging
from reconciler.model.request import LATE_ID, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.live import Resource


def resource(row: permission.Row) -> Resource:
    return msgspec.structs.replace(permission.resource(row), kind=KIND.name)


def collection(place: Place) -> str:
    return f"/org/{place.org}/connection_folder/{place.inner or LATE_ID}/permission"


def find(place: Place, handle: str) -> str:
    """By its id only; `listed` says that it is looked for in the list."""
    return f"{collection(place)}/{handle}"


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:  # noqa: ARG001
    """orgConnectionFolder_createPermission."""
    return (Request("POST", collection(place), {"workspace_handle": handle}, None, place.late),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """orgConnectionFolder_deletePermission."""
    return (Request("DELETE", find(place, str(have.attrs["permission_id"])), None, have.version),)


KIND = Kind(
    name="folder_permission",
    parent=connection_folder.KIND.name,
    section="workspaces",
    attributes=permission.ATTRIBUTES,
    authoritative=True,
    names_people=False,
    level=None,
    row=permission.Row,
    resource=resource,
    collection=collection,
    find=find,
    create=create,
    update=unchanging,
    delete=delete,
    remembered=False,  # it is known by its folder and its workspace
    names="workspace",
    belongs=permission.belongs,
    listed=True,
)
