"""org.<org>/workspace.<workspace>/workspace_connection_folder.<key>: what a workspace keeps its own connections in, as a tree (observed,
and contract: orgWorkspaceConnectionFolder_*). Like an org's, but nobody is given the use of one: it is the workspace's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from reconciler.kinds import connection_folder
from reconciler.model.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.kinds.kind import Place
    from reconciler.model.live import Resource

NAME = "workspace_connection_folder"


def resource(row: connection_folder.Row) -> Resource:
    """Under its id, until `name_live` has found its name."""
    return connection_folder.in_tree(NAME, row, row.workspace_id)


def is_own_row(row: connection_folder.Row) -> bool:
    """Whether it is the workspace's: one of the org is found here as well, where it is permitted (observed)."""
    return bool(row.workspace_id)


def list_path(place: Place) -> str:
    return f"/org/{place.org}/workspace/{place.org_child}/connection_folder"


def object_path(place: Place, handle: str) -> str:
    """By its id only."""
    return f"{list_path(place)}/{handle}"


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:  # noqa: ARG001
    """orgWorkspaceConnectionFolder_create."""
    body = KIND.body(attrs, create=True, place=place)
    return (Request("POST", list_path(place), body, None, KIND.waits_for(attrs, place)),)


def update(place: Place, have: Resource, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """orgWorkspaceConnectionFolder_update: another title, or with `parent_id` another place, with all that is in it."""
    body = KIND.body(attrs, create=False, place=place)
    return (Request("PATCH", object_path(place, have.id), body, have.version, KIND.waits_for(attrs, place)),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """orgWorkspaceConnectionFolder_delete, for an empty folder. The contract does not say what happens to the content of another."""
    return (Request("DELETE", object_path(place, have.id), None, have.version),)


KIND = replace(
    connection_folder.KIND,
    name=NAME,
    parent="workspace",
    attributes=tuple(
        replace(a, refers_to=NAME) if a.refers_to is not None else a for a in connection_folder.ATTRIBUTES
    ),
    resource=resource,
    list_path=list_path,
    object_path=object_path,
    create=create,
    update=update,
    delete=delete,
    is_own_row=is_own_row,
)
