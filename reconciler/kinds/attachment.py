"""org.<org>/connection.<connection>/attachment.<workspace>: a connection that is a schema of a workspace's database
(contract: orgConnection_listWorkspaces, orgWorkspaceSchema_attach, _get, _detach).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds.kind import Kind, Place, unchanging
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
    """Known by the workspace's id, whichever of the two rows it is; neither tells the workspace's handle."""
    return Resource("attachment", row.workspace_id, row.workspace_id, row.version_id, {})


def belongs(row: Row) -> bool:
    return row.state in (None, ATTACHED)


def collection(place: Place) -> str:
    return f"/org/{place.org}/connection/{place.inner}/workspace"


def find(place: Place, handle: str) -> str:
    """A schema is called as its connection is."""
    return f"/org/{place.org}/workspace/{handle}/schema/{place.inner}"


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:  # noqa: ARG001
    """orgWorkspaceSchema_attach. It must be permitted there before."""
    return (Request("POST", f"/org/{place.org}/workspace/{handle}/schema", {"connection_handle": place.inner}),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """orgWorkspaceSchema_detach."""
    return (Request("DELETE", find(place, have.handle), None, have.version),)


KIND = Kind(
    name="attachment",
    parent="connection",
    section="workspaces",
    attributes=(),
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
    told=True,
    follows="permission",
    belongs=belongs,
)
