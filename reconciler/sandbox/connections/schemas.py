"""Permissions, and what is attached to workspaces as a schema.

Facts from the manual of Pipes ("Connections"): what is granted on a folder is granted on all in it; permissions add up;
a permission alone attaches nothing; an attached folder brings all connections below it, and later ones too; what a
folder brought is detached with the folder only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.sandbox import objects
from reconciler.sandbox.connections.finding import Connection, by_name
from reconciler.sandbox.connections.tree import ancestry
from reconciler.sandbox.problems import Problem, bad_request
from reconciler.sandbox.store import head, numbered, opaque

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.sandbox.call import Call, Org


def permitted(call: Call, connection_id: str, workspace_id: str) -> bool:
    """Whether a workspace may use a connection or a folder: by its own permissions, or those of a folder above it."""
    return any(
        call.db.execute(
            "SELECT 1 FROM connection_permission WHERE connection_id = ?1 AND ifnull(workspace_id, ?2) = ?2",
            numbered(id_, workspace_id),
        ).fetchone()
        for id_ in ancestry(call, connection_id)
    )


def detach_unpermitted(call: Call, org: Org, changed: str) -> None:
    """Detach what may no longer be used where it is attached.

    `changed` is the id of what lost a permission or left a folder: only that, and all that lies in it, is looked at.
    """
    for schema_id, workspace_id, handle, connection_id, name in call.db.execute(
        "WITH RECURSIVE below (id) AS (SELECT :id UNION ALL"
        " SELECT n.id FROM connection n JOIN below ON n.parent = below.id)"
        " SELECT s.id, s.workspace_id, w.handle, n.id, n.name FROM below JOIN connection n ON n.id = below.id"
        " JOIN workspace_schema s ON s.connection_id = n.id JOIN workspace w ON w.id = s.workspace_id",
        {"id": changed},
    ).fetchall():
        if not permitted(call, connection_id, workspace_id):
            detach(call, org, (workspace_id, handle), (schema_id, name))


def attach(call: Call, org: Org, workspace: tuple[str, str], found: Connection) -> str:
    """Attach a connection or a folder to a workspace (its id and handle); the id of the schema.

    Raises Problem: 400 where it is not permitted there, 409 where it is attached or its name is taken.
    """
    id_, handle = workspace
    place = "body.connection_folder" if found.folder else "body.connection_handle"
    if not permitted(call, found.id, id_):
        raise bad_request(place, f"{found.name} is not permitted in the workspace {handle}")
    if name_taken(call, org, found.name, id_):
        raise Problem(409, f"the workspace {handle} has a schema {found.name} already", [(place, "is taken")])
    by = call.actor.id
    doc = objects.association(call.new_id("s"), org.id, id_, found.id, by=by, at=call.now)
    call.db.execute(
        "INSERT INTO workspace_schema (id, workspace_id, connection_id, created_by, updated_by, head)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (doc["id"], id_, found.id, by, by, head(doc)),
    )
    call.audit("workspace_schema.attach", org, (doc["id"], found.name), _where(workspace), id_)
    return str(doc["id"])


def name_taken(call: Call, org: Org, name: str, workspace_id: str) -> bool:
    """Whether something that is attached, or a connection of the workspace's own, has a name."""
    attached = call.db.execute(
        "SELECT 1 FROM connection n JOIN workspace_schema s ON s.connection_id = n.id"
        " WHERE s.workspace_id = ? AND n.name = ?",
        (workspace_id, name),
    ).fetchone()
    return attached is not None or by_name(call, org, name, workspace_id) is not None


def detach(call: Call, org: Org, workspace: tuple[str, str], schema: tuple[str, str]) -> None:
    """Detach a schema (its id and name) from a workspace (its id and handle)."""
    call.db.execute("DELETE FROM workspace_schema WHERE id = ?", (schema[0],))
    call.audit("workspace_schema.detach", org, schema, _where(workspace), workspace[0])


def _where(workspace: tuple[str, str]) -> dict[str, Any]:
    return {"workspace_id": workspace[0], "workspace_handle": workspace[1]}


def schemas(call: Call, org: Org, workspace_id: str) -> list[dict[str, Any]]:
    """A workspace's schemas (contract: WorkspaceSchema): attached ones (`direct`), what attached folders bring along
    (`indirect`), and connections that could be attached (`granted`), in this order; no name twice.

    The schema of a folder has the folder's title as its name.
    """
    nodes = {
        id_: (folder_, name, parent_id, text)
        for id_, folder_, name, parent_id, text in call.db.execute(
            "SELECT id, folder, name, parent, j FROM connection_row WHERE org_id = ? AND workspace_id IS NULL"
            " ORDER BY k",
            (org.id,),
        )
    }
    children: dict[str | None, list[str]] = {}
    for id_, (_, _, parent_id, _) in nodes.items():
        children.setdefault(parent_id, []).append(id_)

    def below(id_: str) -> Iterator[str]:
        waiting = [id_]
        while waiting:
            at = waiting.pop(0)
            if not nodes[at][0]:
                yield at
            waiting.extend(children.get(at, ()))

    found: dict[str, dict[str, Any]] = {}

    def add(id_: str, state: str, association: dict[str, Any]) -> None:
        folder_, name, _, text = nodes[id_]
        found.setdefault(
            name,
            {
                **association,
                "deleted_by_id": "",
                "name": name,
                "state": state,
                "type": "connection-folder" if folder_ else "connection",
                "connection_id": id_,
                "connection": msgspec.json.decode(text),
            },
        )

    attached = [
        msgspec.json.decode(text)
        for (text,) in call.db.execute(
            "SELECT j FROM association_row WHERE workspace_id = ? ORDER BY k", (workspace_id,)
        )
    ]
    for one in attached:
        add(one["connection_id"], "direct", one)
    for one in attached:
        for id_ in below(one["connection_id"]):
            add(id_, "indirect", {**one, "id": derived_id(one["id"], id_)})
    for permission, at in call.db.execute(
        "SELECT p.j, p.connection_id FROM connection_permission_row p JOIN connection_permission q ON q.id = p.id"
        " WHERE q.org_id = ?1 AND ifnull(q.workspace_id, ?2) = ?2 ORDER BY p.k",
        numbered(org.id, workspace_id),
    ):
        given = msgspec.json.decode(permission)
        association = {key: given[key] for key in SIGNED} | {"identity_id": org.id, "workspace_id": workspace_id}
        for id_ in below(at):
            add(id_, "granted", {**association, "id": derived_id(workspace_id, id_)})
    return list(found.values())


SIGNED = ("created_at", "created_by", "created_by_id", "updated_at", "updated_by", "updated_by_id", "version_id")
"""Who made and changed an object, and how often."""


def derived_id(*parts: str) -> str:
    """The id of an association that has no row of its own; the same for the same parts."""
    return f"s_{opaque(':'.join(parts), 0, 20)}"
