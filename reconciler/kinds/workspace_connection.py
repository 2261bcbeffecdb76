"""org.<org>/workspace.<workspace>/workspace_connection.<handle>: a connection that belongs to one workspace (contract:
orgWorkspaceConnection_*). There is no test of it: orgConnection_test is for those of the organization.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds import connection, workspace_connection_folder
from reconciler.kinds.kind import Attribute, Kind, Place
from reconciler.model.live import Resource
from reconciler.model.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping


class Inner(msgspec.Struct):
    """The contract's Connection inside of a WorkspaceConn, as far as it is used."""

    id: str
    handle: str | None = None
    version_id: int | None = None
    plugin: str | None = None
    config: dict[str, Any] | None = None
    parent_id: str | None = None
    workspace_id: str | None = None


ATTRIBUTES = (
    connection.PLUGIN,
    connection.CONFIG,
    Attribute(
        "folder",
        on_create=True,
        on_update=True,
        refers_to=workspace_connection_folder.NAME,
        api_field="parent_id",
    ),
    Attribute("parent_id", hidden=True),
)


class Row(msgspec.Struct):
    """The contract's WorkspaceConn (a row of the list, with the connection inside it), WorkspaceConnection (one that is
    read by its handle) and Connection (what a create answers), as far as they are used.
    """

    id: str
    handle: str | None = None
    version_id: int | None = None
    plugin: str | None = None
    config: dict[str, Any] | None = None
    parent_id: str | None = None
    workspace_id: str | None = None
    association: dict[str, Any] | None = None
    connection: Inner | None = None


def resource(row: Row) -> Resource:
    """The resource, with the id and version of the connection and not of its association. A row without a handle gives none."""
    found = row.connection if row.connection is not None else row
    # a folder of the org has a title only; what is not the workspace's own is told apart by any name
    handle = found.handle or (found.id if row.connection is not None and not is_own_row(row) else "")
    # contract: of what it is stored in, a folder or the workspace itself
    attrs = {
        **connection.attributes(found.plugin, found.config),
        "parent_id": found.parent_id or found.workspace_id or row.workspace_id,
    }
    return Resource("workspace_connection", handle, found.id, found.version_id, attrs)


def is_own_row(row: Row) -> bool:
    """Whether it is the workspace's own: made there. The list has the org's too that are associated with the workspace
    (contract: Connection.workspace_id, "where the connection has been created"; WorkspaceConnection.association, "only
    populated when the level is 'identity'").
    """
    if row.connection is not None:
        return bool(row.workspace_id) and row.connection.workspace_id == row.workspace_id
    return bool(row.workspace_id) and row.association is None


def list_path(place: Place) -> str:
    return f"/org/{place.org}/workspace/{place.org_child}/connection"


def object_path(place: Place, handle: str) -> str:
    return f"{list_path(place)}/{handle}"


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """orgWorkspaceConnection_create. Under the handle of one of the org, it may associate that one instead."""
    body = {"handle": handle, **KIND.body(attrs, create=True, place=place)}
    return (Request("POST", list_path(place), body, None, KIND.waits_for(attrs, place)),)


def update(place: Place, have: Resource, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """orgWorkspaceConnection_update. It replaces the configuration as a whole, secrets included; with `parent_id` it moves."""
    body = KIND.body(attrs, create=False, place=place)
    return (Request("PATCH", object_path(place, have.handle), body, have.version, KIND.waits_for(attrs, place)),)


def rename(place: Place, have: Resource, handle: str) -> tuple[Request, ...]:
    """orgWorkspaceConnection_update with a new handle; the id stays, and its schema gets the new name."""
    return (Request("PATCH", object_path(place, have.handle), {"handle": handle}, have.version),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """orgWorkspaceConnection_delete. For one of the org's it would remove the association: `is_own_row` prevents that."""
    return (Request("DELETE", object_path(place, have.handle), None, have.version),)


KIND = Kind(
    name="workspace_connection",
    parent="workspace",
    section="connections",
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
    read_for_impact=True,
    is_own_row=is_own_row,
    must_differ_from="connection",
)
