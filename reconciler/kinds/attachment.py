"""org.<org>/connection.<connection>/attachment.<workspace>: a connection that is a schema of a workspace's database
(contract: orgConnection_listWorkspaces, orgWorkspaceSchema_attach, _get, _detach).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds.kind import Kind, Place, no_update
from reconciler.model.live import Resource
from reconciler.model.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

ATTACHED = "direct"  # contract: WorkspaceSchemaState; `granted` may be attached, `indirect` came with something else


class Row(msgspec.Struct):
    """The contract's WorkspaceConnectionAssociation, and its WorkspaceSchema, as far as they are used."""

    id: str
    workspace_id: str
    version_id: int | None = None
    state: str | None = None


def resource(row: Row) -> Resource:
    """The resource of either row. It has the workspace's id, since neither row has the workspace's handle."""
    return Resource("attachment", row.workspace_id, row.workspace_id, row.version_id, {})


def is_own_row(row: Row) -> bool:
    return row.state in (None, ATTACHED)


def list_path(place: Place) -> str:
    return f"/org/{place.org}/connection/{place.org_child}/workspace"


def object_path(place: Place, handle: str) -> str:
    """A schema has the name of its connection."""
    return f"/org/{place.org}/workspace/{handle}/schema/{place.org_child}"


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:  # noqa: ARG001
    """orgWorkspaceSchema_attach. It must be permitted there before."""
    return (Request("POST", f"/org/{place.org}/workspace/{handle}/schema", {"connection_handle": place.org_child}),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """orgWorkspaceSchema_detach."""
    return (Request("DELETE", object_path(place, have.handle), None, have.version),)


KIND = Kind(
    name="attachment",
    parent="connection",
    section="workspaces",
    attributes=(),
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
    read_for_impact=True,
    needs_sibling="permission",
    is_own_row=is_own_row,
)
