"""Where connections and folders may be used (contract: orgConnection_*Permission, orgConnectionFolder_*Permission)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.sandbox import bodies, connections, objects
from reconciler.sandbox.call import Call, Org, Reply, operation
from reconciler.sandbox.operations.connection import CONNECTION
from reconciler.sandbox.operations.connection_folder import FOLDER
from reconciler.sandbox.problems import bad_request, not_found
from reconciler.sandbox.store import head, numbered

if TYPE_CHECKING:
    from collections.abc import Callable

    Finder = Callable[[Call, Org], connections.Connection]


def _target(call: Call, org: Org) -> tuple[str | None, str]:
    """The workspace that the body names (None for all of the org), and its handle.

    A connection of an org is confined to it: another identity, or a tenant, is refused.
    """
    if call.body.get("tenant_handle"):
        raise bad_request("body.tenant_handle", f"connections of {org.handle} can be used in {org.handle} only")
    identity, workspace = call.body.get("identity_handle"), call.body.get("workspace_handle")
    if identity and identity not in (org.handle, org.id):
        raise bad_request("body.identity_handle", f"connections of {org.handle} can be used in {org.handle} only")
    if not workspace:
        if not identity:
            raise bad_request("body", "names neither an identity nor a workspace")
        return None, ""
    found = call.db.execute(
        "SELECT id, handle FROM workspace WHERE org_id = ?1 AND (handle = ?2 OR id = ?2)", numbered(org.id, workspace)
    ).fetchone()
    if found is None:
        raise bad_request("body.workspace_handle", f"no workspace {workspace} in {org.handle}")
    return found[0], found[1]


def _refuse_second(call: Call, connection_id: str, workspace_id: str | None, own_id: str = "") -> None:
    if call.db.execute(
        "SELECT 1 FROM connection_permission WHERE connection_id = ? AND ifnull(workspace_id, '') = ? AND id <> ?",
        (connection_id, workspace_id or "", own_id),
    ).fetchone():
        raise bad_request("body", "is permitted already")


def _row(call: Call, permission_id: str) -> str:
    return str(call.db.execute("SELECT j FROM connection_permission_row WHERE id = ?", (permission_id,)).fetchone()[0])


def _permission(call: Call, found: connections.Connection) -> tuple[str, str | None, str]:
    """The permission of the path: id, workspace id, head."""
    asked = call.params["permission_id"]
    stored = call.db.execute(
        "SELECT id, workspace_id, head FROM connection_permission WHERE connection_id = ? AND id = ?",
        (found.id, asked),
    ).fetchone()
    if stored is None:
        raise not_found(f"no permission {asked} of {found.name}")
    return stored[0], stored[1], stored[2]


def _audit(call: Call, verb: str, org: Org, id_: str, found: connections.Connection, workspace: str) -> None:
    data = {"connection_id": found.id, "workspace_handle": workspace, "identity_handle": org.handle}
    kind = "connection_folder_permission" if found.folder else "connection_permission"
    call.audit(f"{kind}.{verb}", org, (id_, found.name), {key: value for key, value in data.items() if value})


def _handle(call: Call, workspace_id: str | None) -> str:
    if workspace_id is None:
        return ""
    return str(call.db.execute("SELECT handle FROM workspace WHERE id = ?", (workspace_id,)).fetchone()[0])


def _register(owner: str, prefix: str, find: Finder) -> None:
    """The five operations, for connections and for folders."""
    many, one = owner + "/permission", owner + "/permission/{permission_id}"

    @operation("GET", many, f"{prefix}_listPermission")
    def list_(call: Call) -> Reply:
        return call.page(
            "SELECT k, j FROM connection_permission_row WHERE connection_id = :connection AND k > :after"
            " ORDER BY k LIMIT :limit",
            connection=find(call, call.org(missing=404)).id,
        )

    @operation("POST", many, f"{prefix}_createPermission", body=bodies.PERMISSION)
    def create(call: Call) -> Reply:
        org = call.org("owner", missing=404)
        found = find(call, org)
        workspace_id, handle = _target(call, org)
        _refuse_second(call, found.id, workspace_id)
        by = call.actor.id
        doc = objects.permission(call.new_id("perm"), found.id, org.id, workspace_id, by=by, at=call.now)
        call.db.execute(
            "INSERT INTO connection_permission (id, org_id, connection_id, workspace_id, created_by, updated_by, head)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (doc["id"], org.id, found.id, workspace_id, by, by, head(doc)),
        )
        _audit(call, "create", org, doc["id"], found, handle)
        return 201, _row(call, doc["id"])

    @operation("GET", one, f"{prefix}_getPermission")
    def get(call: Call) -> Reply:
        return 200, _row(call, _permission(call, find(call, call.org(missing=404)))[0])

    @operation("PATCH", one, f"{prefix}_updatePermission", body=bodies.PERMISSION)
    def update(call: Call) -> Reply:
        """A permission for another place. What is attached without a permission is then detached."""
        org = call.org("owner", missing=404)
        found = find(call, org)
        id_, _, text = _permission(call, found)
        workspace_id, handle = _target(call, org)
        _refuse_second(call, found.id, workspace_id, id_)
        _, edited = call.edited(text, workspace_id=workspace_id or "")
        call.db.execute(
            "UPDATE connection_permission SET workspace_id = ?, updated_by = ?, head = ? WHERE id = ?",
            (workspace_id, call.actor.id, edited, id_),
        )
        _audit(call, "update", org, id_, found, handle)
        connections.detach_unpermitted(call, org, found.id)
        return 200, _row(call, id_)

    @operation("DELETE", one, f"{prefix}_deletePermission")
    def delete(call: Call) -> Reply:
        """What may no longer be used where it is attached is detached."""
        org = call.org("owner", missing=404)
        found = find(call, org)
        id_, workspace_id, text = _permission(call, found)
        call.edited(text)
        removed = _row(call, id_)
        call.db.execute("DELETE FROM connection_permission WHERE id = ?", (id_,))
        _audit(call, "delete", org, id_, found, _handle(call, workspace_id))
        connections.detach_unpermitted(call, org, found.id)
        return 200, removed


_register(CONNECTION, "orgConnection", connections.connection)
_register(FOLDER, "orgConnectionFolder", connections.folder)
