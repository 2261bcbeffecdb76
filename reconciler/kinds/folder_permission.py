"""org.<org>/connection_folder.<key>/folder_permission.<workspace>: which workspaces may use whatever is in a folder
(contract: orgConnectionFolder_*Permission).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds import connection_folder, permission
from reconciler.kinds.kind import Kind, Place, no_update
from reconciler.model.request import LATE_ID, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.live import Resource


def resource(row: permission.Row) -> Resource:
    return msgspec.structs.replace(permission.resource(row), kind=KIND.name)


def list_path(place: Place) -> str:
    return f"/org/{place.org}/connection_folder/{place.org_child or LATE_ID}/permission"


def object_path(place: Place, handle: str) -> str:
    """By its id only; `found_in_list` says that it is looked for in the list."""
    return f"{list_path(place)}/{handle}"


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:  # noqa: ARG001
    """orgConnectionFolder_createPermission."""
    return (Request("POST", list_path(place), permission.target(place, handle), None, place.late),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """orgConnectionFolder_deletePermission."""
    return (Request("DELETE", object_path(place, str(have.attrs["permission_id"])), None, have.version),)


KIND = Kind(
    name="folder_permission",
    parent=connection_folder.KIND.name,
    section="workspaces",
    attributes=permission.ATTRIBUTES,
    authoritative=True,
    names_people=False,
    own_scope=None,
    row=permission.Row,
    resource=resource,
    list_path=list_path,
    object_path=object_path,
    create=create,
    update=no_update,
    delete=delete,
    in_lock_file=False,  # it is known by its folder and its workspace
    lists_handles_of="workspace",
    is_own_row=permission.is_own_row,
    found_in_list=True,
)
