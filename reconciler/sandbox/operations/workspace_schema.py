"""What is attached to a workspace (contract: orgWorkspaceSchema_*)."""

from __future__ import annotations

from typing import Any

import msgspec

from reconciler.sandbox import bodies, connections
from reconciler.sandbox.call import Call, Org, Reply, operation
from reconciler.sandbox.operations.workspace import WORKSPACE
from reconciler.sandbox.problems import bad_request, not_found

SCHEMAS = WORKSPACE + "/schema"
SCHEMA = SCHEMAS + "/{schema_name}"


@operation("GET", SCHEMAS, "orgWorkspaceSchema_list")
def org_workspace_schema_list(call: Call) -> Reply:
    """What is attached, what attached folders contain, and what could be attached; `state` says which."""
    org, workspace = call.workspace(missing=404)
    return call.list_of(connections.schemas(call, org, workspace.id))


@operation("POST", SCHEMAS, "orgWorkspaceSchema_attach", body=bodies.ATTACH_SCHEMA)
def org_workspace_schema_attach(call: Call) -> Reply:
    """A connection by its handle or a folder by its id, as far as the workspace may use it."""
    org, workspace = call.workspace("owner", missing=404)
    given = {key: value for key, value in call.body.items() if value}
    if len(given) != 1:
        raise bad_request("body", "names not one of aggregator_handle, connection_folder, connection_handle")
    [(key, asked)] = given.items()
    if key == "aggregator_handle":
        raise bad_request("body.aggregator_handle", f"no aggregator {asked}: the sandbox has none")
    if key == "connection_folder":
        found = _folder(call, org, asked)
    else:
        named = connections.by_name(call, org, asked)
        if named is None:
            raise bad_request("body.connection_handle", f"no connection {asked} in {org.handle}")
        found = named
    connections.attach(call, org, (workspace.id, workspace.handle), found)
    return 201, _schema(call, org, workspace.id, found.name)


def _folder(call: Call, org: Org, asked: str) -> connections.Connection:
    found = connections.folder_by_id(call, org, asked)
    if found is None:
        raise bad_request("body.connection_folder", f"{asked} is not the id of a connection folder in {org.handle}")
    return found


def _find(call: Call, org: Org, workspace_id: str, name: str) -> dict[str, Any]:
    for schema in connections.schemas(call, org, workspace_id):
        if name in (schema["name"], schema["id"]):
            return schema
    raise not_found(f"no schema {name} in the workspace")


def _schema(call: Call, org: Org, workspace_id: str, name: str) -> str:
    return msgspec.json.encode(_find(call, org, workspace_id, name)).decode()


@operation("GET", SCHEMA, "orgWorkspaceSchema_get")
def org_workspace_schema_get(call: Call) -> Reply:
    org, workspace = call.workspace(missing=404)
    return 200, _schema(call, org, workspace.id, call.params["schema_name"])


@operation("DELETE", SCHEMA, "orgWorkspaceSchema_detach")
def org_workspace_schema_detach(call: Call) -> Reply:
    """Only what was attached by itself; what came with a folder goes with the folder. The contract answers 201."""
    org, workspace = call.workspace("owner", missing=404)
    schema = _find(call, org, workspace.id, call.params["schema_name"])
    name = schema["name"]
    if schema["state"] == "granted":
        raise not_found(f"{name} is not attached to the workspace {workspace.handle}")
    if schema["state"] == "indirect":
        raise bad_request("path.schema_name", f"{name} is attached through a folder: detach that")
    call.expect_version(schema["version_id"])
    connections.detach(call, org, (workspace.id, workspace.handle), (schema["id"], name))
    schema.update(deleted_at=call.now, deleted_by_id=call.actor.id)
    return 201, msgspec.json.encode(schema).decode()
