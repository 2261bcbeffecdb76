"""Connections of an org (contract: orgConnection_*, but for their permissions)."""

from __future__ import annotations

import re

import msgspec

from reconciler.sandbox import bodies, connections
from reconciler.sandbox.call import Call, Reply, operation
from reconciler.sandbox.problems import bad_request

CONNECTIONS = "/org/{org_handle}/connection"
CONNECTION = CONNECTIONS + "/{connection_handle}"


@operation("GET", CONNECTIONS, "orgConnection_list")
def org_connection_list(call: Call) -> Reply:
    """The org's own, in any folder; a workspace's own are listed there."""
    return call.page(
        "SELECT k, j FROM connection_row WHERE org_id = :org AND folder = 0 AND workspace_id IS NULL AND k > :after"
        " ORDER BY k LIMIT :limit",
        org=call.org(missing=404).id,
    )


@operation("POST", CONNECTIONS, "orgConnection_create", body=bodies.CREATE_CONNECTION)
def org_connection_create(call: Call) -> Reply:
    """Usable nowhere until it is permitted somewhere."""
    org = call.org("owner", missing=404)
    connections.within_limit(call, org)
    handle = connections.available(call, "handle", lambda name: connections.by_name(call, org, name) is not None)
    id_ = connections.create(call, org, handle)
    # The row holds no secret, so all of it may be in the log.
    shown = msgspec.json.decode(connections.row(call, id_))
    call.audit("connection.create", org, (id_, handle), {key: shown[key] for key in ("handle", "plugin", "config")})
    return 201, connections.row(call, id_)


@operation("GET", CONNECTION, "orgConnection_get")
def org_connection_get(call: Call) -> Reply:
    org = call.org(missing=404)
    return 200, connections.row(call, connections.connection(call, org).id)


@operation("PATCH", CONNECTION, "orgConnection_update", body=bodies.UPDATE_CONNECTION)
def org_connection_update(call: Call) -> Reply:
    """A new handle renames, and its schemas with it. A configuration is replaced as a whole."""
    org = call.org("owner", missing=404)
    found = connections.connection(call, org)

    def taken(name: str) -> bool:
        other = connections.by_name(call, org, name)
        return other is not None and other.id != found.id

    name = connections.available(call, "handle", taken) if "handle" in call.body else found.name
    said = connections.update(call, org, found, name)
    call.audit("connection.update", org, (found.id, name), said)
    return 200, connections.row(call, found.id)


@operation("DELETE", CONNECTION, "orgConnection_delete")
def org_connection_delete(call: Call) -> Reply:
    """Its permissions go, and its schemas in all workspaces."""
    org = call.org("owner", missing=404)
    found = connections.connection(call, org)
    deleted = connections.delete(call, found)
    call.audit("connection.delete", org, (found.id, found.name), {})
    return 200, deleted


@operation("POST", CONNECTION + "/test", "orgConnection_test", body=bodies.TEST_CONNECTION, writes=False)
def org_connection_test(call: Call) -> Reply:
    """Reaches nothing: `ok`, unless the world gives another result for this handle. The connection need not exist yet."""
    org = call.org("owner", missing=404)
    asked = call.params["connection_handle"]
    found = connections.by_name(call, org, asked)
    if found is None and not re.fullmatch(bodies.CONNECTION_HANDLE, asked):
        raise bad_request("path.connection_handle", f"{asked} cannot be a handle of a connection")
    return 200, (found and found.tested) or '{"status":"ok"}'


@operation("GET", CONNECTION + "/workspace", "orgConnection_listWorkspaces")
def org_connection_list_workspaces(call: Call) -> Reply:
    """The workspaces that the connection itself is attached to; for those that have it by a folder, ask the folder."""
    org = call.org(missing=404)
    return associations(call, connections.connection(call, org).id)


def associations(call: Call, connection_id: str) -> Reply:
    """A page of the workspaces that something is attached to."""
    return call.page(
        "SELECT k, j FROM association_row WHERE connection_id = :connection AND k > :after ORDER BY k LIMIT :limit",
        connection=connection_id,
    )
