"""Creating, changing and deleting connections and folders, within an org's limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.sandbox import objects
from reconciler.sandbox.connections.configs import split
from reconciler.sandbox.connections.finding import Connection, row
from reconciler.sandbox.connections.schemas import detach_unpermitted
from reconciler.sandbox.connections.tree import parent, trunk_in, write_trunks
from reconciler.sandbox.problems import Problem, bad_request
from reconciler.sandbox.store import head

if TYPE_CHECKING:
    from reconciler.sandbox.call import Call, Org

CONNECTION_LIMIT = 1000
"""Connections per org where the world says nothing else; the contract has the 402, and no figure."""


def create(call: Call, org: Org, name: str, *, workspace_id: str | None = None) -> str:
    """A new connection or (without a plugin in the body) folder of an org, or of a workspace. Its id."""
    plugin = call.body.get("plugin")
    in_folder = parent(call, org, workspace_id)
    id_, by, at = call.new_id("c"), call.actor.id, call.now
    config, secrets = split(call.body.get("config", {}), id_)
    doc = objects.connection(
        id_,
        name,
        tenant_id=org.tenant_id,
        org_id=org.id,
        parent_id=in_folder or "",
        by=by,
        at=at,
        plugin=plugin,
        workspace_id=workspace_id,
        config=config,
    )
    if plugin is not None:
        doc.update(ran(call, org, "connection.create", id_, workspace_id))
    call.db.execute(
        "INSERT INTO connection (id, org_id, workspace_id, folder, name, parent, trunk, secrets, created_by, updated_by,"
        " head) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(id_, org.id, workspace_id, int(plugin is None), name, in_folder, trunk_in(call.db, in_folder)),
            *(secrets, by, by, head(doc)),
        ),
    )
    return id_


def update(call: Call, org: Org, found: Connection, name: str) -> dict[str, Any]:
    """Change a connection or folder as the body says, under the name that `available` gave. Returns the audit log's data.

    A configuration is replaced as a whole, secrets included.
    """
    key = "title" if found.folder else "handle"
    changes: dict[str, Any] = {k: v for k, v in call.body.items() if k not in ("config", key, "parent_id")}
    if any(value != "self" for value in changes.values()):
        raise bad_request(f"body.{min(changes)}", "only an integration has anything to inherit from")
    secrets, in_folder = found.secrets, found.parent
    if key in call.body:
        changes[key] = name
    if "parent_id" in call.body:
        in_folder = parent(call, org, found.workspace_id, found)
        changes["parent_id"] = in_folder or ""
    if "config" in call.body:
        changes["config"], secrets = split(call.body["config"], found.id)
    said = call.difference(found.head, changes)
    if not found.folder:
        changes.update(ran(call, org, "connection.update", found.id, found.workspace_id))
    _, text = call.edited(found.head, **changes)
    call.db.execute(
        "UPDATE connection SET name = ?, parent = ?, trunk = ?, secrets = ?, updated_by = ?, head = ? WHERE id = ?",
        (name, in_folder, trunk_in(call.db, in_folder), secrets, call.actor.id, text, found.id),
    )
    if found.folder and (name, in_folder) != (found.name, found.parent):
        write_trunks(call.db, found.id)
    if in_folder != found.parent:
        detach_unpermitted(call, org, found.id)
    return said


def delete(call: Call, found: Connection) -> str:
    """Delete a connection or folder, with its permissions and attachments, and return it."""
    call.edited(found.head)
    doc = msgspec.json.decode(row(call, found.id))
    doc.update(deleted_at=call.now, deleted_by_id=call.actor.id)
    call.db.execute("DELETE FROM connection WHERE id = ?", (found.id,))
    return msgspec.json.encode(doc).decode()


def ran(call: Call, org: Org, type_: str, connection_id: str, workspace_id: str | None) -> dict[str, Any]:
    """Store a process that did what was asked. Returns the connection's fields about it."""
    doc = objects.process(
        call.new_id("p"),
        type_,
        org=(org.id, org.tenant_id),
        connection_id=connection_id,
        workspace_id=workspace_id,
        by=call.actor.id,
        at=call.now,
    )
    call.db.execute(
        "INSERT INTO process (id, org_id, row) VALUES (?, ?, ?)",
        (doc["id"], org.id, msgspec.json.encode(doc).decode()),
    )
    return {
        "last_update_attempt_at": call.now,
        "last_update_attempt_process_id": doc["id"],
        "last_successful_update_at": call.now,
        "last_successful_update_process_id": doc["id"],
    }


def within_limit(call: Call, org: Org) -> None:
    """Raise Problem (402) when an org has reached its limit of connections."""
    limit, used = limits(call, org)
    if used >= limit:
        raise Problem(402, f"{org.handle} can have {limit} connections and has {used}")


def limits(call: Call, org: Org) -> tuple[int, int]:
    """How many connections an org may have, and how many it has, those of its workspaces included."""
    limit, used = call.db.execute(
        "SELECT connection_limit, (SELECT count(*) FROM connection WHERE org_id = o.id AND folder = 0)"
        " FROM org o WHERE id = ?",
        (org.id,),
    ).fetchone()
    return (CONNECTION_LIMIT if limit is None else limit), used
