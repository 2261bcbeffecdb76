"""A workspace's own connections, and those of its org that it may use (contract: orgWorkspaceConnection_*).

Only owners of the org add one (manual: "a workspace owner cannot add connections"); a workspace's owner may change, delete,
attach and detach.
"""

from __future__ import annotations

from typing import Any

import msgspec

from reconciler.sandbox import bodies, connections
from reconciler.sandbox.call import Call, Org, Reply, Workspace, operation
from reconciler.sandbox.operations.workspace import WORKSPACE
from reconciler.sandbox.problems import Problem, bad_request, forbidden, not_found
from reconciler.sandbox.store import document

CONNECTIONS = WORKSPACE + "/connection"
CONNECTION = CONNECTIONS + "/{connection_handle}"


@operation("GET", CONNECTIONS, "orgWorkspaceConnection_list")
def org_workspace_connection_list(call: Call) -> Reply:
    """The workspace's own first, then those of the org that are attached themselves (contract: WorkspaceConn)."""
    org, workspace = call.workspace(missing=404)
    own = [
        _conn(org, workspace, msgspec.json.decode(text))
        for (text,) in call.db.execute(
            "SELECT j FROM connection_row WHERE workspace_id = ? AND folder = 0 ORDER BY k", (workspace.id,)
        )
    ]
    attached = [
        msgspec.json.decode(text)
        for (text,) in call.db.execute(
            "SELECT j FROM association_row WHERE workspace_id = ? AND folder = 0 ORDER BY k", (workspace.id,)
        )
    ]
    return call.list_of(own + attached)


def _conn(org: Org, workspace: Workspace, connection: dict[str, Any]) -> dict[str, Any]:
    """A workspace's own connection as an association of the two: the contract's list has only those."""
    return {
        **{key: connection[key] for key in connections.SIGNED},
        "id": connections.derived_id(workspace.id, connection["id"]),
        "identity_id": org.id,
        "workspace_id": workspace.id,
        "connection_id": connection["id"],
        "connection": connection,
    }


@operation("POST", CONNECTIONS, "orgWorkspaceConnection_create", body=bodies.CREATE_CONNECTION)
def org_workspace_connection_create(call: Call) -> Reply:
    """Create a connection; with the handle of one of the org's and no configuration, attach that one instead."""
    org, workspace = call.workspace("owner", missing=404)
    handle = call.body["handle"]
    shared = connections.by_name(call, org, handle)
    if shared is not None and not call.body.get("config"):
        if document(shared.head)["plugin"] != call.body["plugin"]:
            raise bad_request("body.plugin", f"{handle} is a connection of another plugin in {org.handle}")
        connections.attach(call, org, (workspace.id, workspace.handle), shared)
        return 201, connections.row(call, shared.id)
    if org.role != "owner":
        raise forbidden(f"only an owner of {org.handle} can add a connection")
    connections.within_limit(call, org)
    if _taken(call, org, workspace, handle):
        raise Problem(409, f"there is {handle} already", [("body.handle", "is taken")])
    id_ = connections.create(call, org, handle, workspace_id=workspace.id)
    shown = msgspec.json.decode(connections.row(call, id_))
    _audit(call, "create", org, workspace, (id_, handle), {key: shown[key] for key in ("plugin", "config")})
    return 201, connections.row(call, id_)


def _taken(call: Call, org: Org, workspace: Workspace, handle: str, own_id: str = "") -> bool:
    """Whether a schema of the workspace, or a connection of the org that could become one, has the handle."""
    own = connections.by_name(call, org, handle, workspace.id)
    return (
        (own is not None and own.id != own_id)
        or connections.by_name(call, org, handle) is not None
        or any(one["name"] == handle for one in connections.schemas(call, org, workspace.id))
    )


def _permitted(call: Call, org: Org, workspace: Workspace) -> tuple[connections.Connection, str | None]:
    """A connection of the org that may be used in the workspace, and its association where it is attached itself.

    Raises Problem (404).
    """
    asked = call.params["connection_handle"]
    found = connections.by_name(call, org, asked)
    if found is None or not connections.permitted(call, found.id, workspace.id):
        raise not_found(f"no connection {asked} in the workspace {workspace.handle}")
    text = call.db.execute(
        "SELECT j FROM association_row WHERE workspace_id = ? AND connection_id = ?", (workspace.id, found.id)
    ).fetchone()
    return found, None if text is None else str(text[0])


def _row(call: Call, connection_id: str, association: str | None) -> str:
    """Contract: WorkspaceConnection, with the association where the org's connection is attached."""
    text = connections.row(call, connection_id)
    return text if association is None else f'{text[:-1]},"association":{association}}}'


@operation("GET", CONNECTION, "orgWorkspaceConnection_get")
def org_workspace_connection_get(call: Call) -> Reply:
    """The workspace's own, or one of the org that is permitted here, attached or not (observed)."""
    org, workspace = call.workspace(missing=404)
    own = connections.by_name(call, org, call.params["connection_handle"], workspace.id)
    if own is not None:
        return 200, connections.row(call, own.id)
    found, association = _permitted(call, org, workspace)
    return 200, _row(call, found.id, association)


@operation("PATCH", CONNECTION, "orgWorkspaceConnection_update", body=bodies.UPDATE_CONNECTION)
def org_workspace_connection_update(call: Call) -> Reply:
    """Only the workspace's own: an org's connection is changed in the org."""
    org, workspace = call.workspace("owner", missing=404)
    own = connections.by_name(call, org, call.params["connection_handle"], workspace.id)
    if own is None:
        found, _ = _permitted(call, org, workspace)
        raise bad_request("path.connection_handle", f"{found.name} belongs to {org.handle}: change it there")
    id_ = own.id
    name = own.name
    if "handle" in call.body:
        name = connections.available(call, "handle", lambda handle: _taken(call, org, workspace, handle, id_))
    said = connections.update(call, org, own, name)
    _audit(call, "update", org, workspace, (id_, name), said)
    return 200, connections.row(call, id_)


@operation("DELETE", CONNECTION, "orgWorkspaceConnection_delete")
def org_workspace_connection_delete(call: Call) -> Reply:
    """Deletes the workspace's own; of one of the org, only the attachment goes."""
    org, workspace = call.workspace("owner", missing=404)
    own = connections.by_name(call, org, call.params["connection_handle"], workspace.id)
    if own is not None:
        deleted = connections.delete(call, own)
        _audit(call, "delete", org, workspace, (own.id, own.name), {})
        return 200, deleted
    found, association = _permitted(call, org, workspace)
    if association is None:
        raise not_found(f"{found.name} is not attached to the workspace {workspace.handle}")
    given = msgspec.json.decode(association)
    call.expect_version(given["version_id"])
    answer = _row(call, found.id, association)
    connections.detach(call, org, (workspace.id, workspace.handle), (given["id"], found.name))
    return 200, answer


def _audit(
    call: Call, verb: str, org: Org, workspace: Workspace, target: tuple[str, str], data: dict[str, Any]
) -> None:
    call.audit(
        f"workspace_connection.{verb}",
        org,
        target,
        {"workspace_id": workspace.id, "workspace_handle": workspace.handle, **data},
        workspace.id,
    )
