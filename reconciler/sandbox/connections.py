"""What the operations on connections and folders share: finding them, their place in the tree, who may use them.

Facts from the manual of Pipes ("Connections"): what is granted on a folder is granted on all in it; permissions add up;
a connection of an organization is confined to it; a permission alone attaches nothing; an attached folder brings all
connections below it, and later ones too; what a folder brought is detached with the folder only. The Terraform
provider's page adds that secrets are not returned from the API.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.sandbox import objects
from reconciler.sandbox.problems import Problem, bad_request, not_found
from reconciler.sandbox.store import head, opaque, secret_digest

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from reconciler.sandbox.call import Call, Org

CONNECTION_LIMIT = 1000
"""Connections per org where the world says nothing else; the contract has the 402, and no figure."""

_SECRET = re.compile(r"secret|token|passw(?:or)?d|private_key|access_key", re.IGNORECASE)
_COLUMNS = "id, org_id, workspace_id, folder, name, parent, secrets, tested, head"


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection or a folder as it is stored. `parent` is the folder that it is in."""

    id: str
    org_id: str
    workspace_id: str | None
    folder: int
    name: str
    parent: str | None
    secrets: str
    tested: str
    head: str


def split(config: dict[str, Any], connection_id: str) -> tuple[dict[str, Any], str]:
    """A configuration without its secrets, and their digests as JSON text, by their dotted paths.

    Whatever has a name that looks secret is one, at any depth, with all that is in it.
    """
    digests: dict[str, str] = {}
    return _visible(config, "", connection_id, digests), msgspec.json.encode(digests).decode()


def _visible(value: Any, place: str, salt: str, digests: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_visible(item, f"{place}{index}.", salt, digests) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, item in value.items():
        # YAML's keys need not be texts.
        key = str(name)
        if _SECRET.search(key):
            digests[place + key] = secret_digest(salt, item)
        else:
            kept[key] = _visible(item, f"{place}{key}.", salt, digests)
    return kept


# -- finding


def connection(call: Call, org: Org, workspace_id: str | None = None) -> Connection:
    """The connection of the path, by handle or id: the org's own, or the workspace's own. Raises Problem (404)."""
    asked = call.params["connection_handle"]
    found = by_name(call, org, asked, workspace_id)
    if found is None:
        raise not_found(f"no connection {asked} in {org.handle}")
    return found


def by_name(call: Call, org: Org, asked: str, workspace_id: str | None = None) -> Connection | None:
    row = call.db.execute(
        f"SELECT {_COLUMNS} FROM connection WHERE org_id = ?1 AND folder = 0"  # noqa: S608 -- a constant
        " AND (name = ?2 OR id = ?2) AND ifnull(workspace_id, '') = ?3",
        (org.id, asked, workspace_id or ""),
    ).fetchone()
    return None if row is None else Connection(*row)


def folder(call: Call, org: Org, asked: str | None = None) -> Connection:
    """The folder of the path (or with the id `asked`). Raises Problem (404)."""
    id_ = call.params["folder_id"] if asked is None else asked
    row = call.db.execute(
        f"SELECT {_COLUMNS} FROM connection WHERE org_id = ? AND id = ? AND folder = 1",  # noqa: S608 -- a constant
        (org.id, id_),
    ).fetchone()
    if row is None:
        raise not_found(f"no connection folder {id_} in {org.handle}")
    return Connection(*row)


def row(call: Call, connection_id: str) -> str:
    """A connection or a folder as it is answered."""
    return str(call.db.execute("SELECT j FROM connection_row WHERE id = ?", (connection_id,)).fetchone()[0])


# -- the tree


def parent(call: Call, org: Org, moved: Connection | None = None) -> tuple[str, str | None]:
    """Where the body's `parent_id` puts something: the attribute, and the folder (None at the root).

    Raises Problem (400) for what is no folder of the org, and for a folder that would come to be inside itself.
    """
    asked = call.body.get("parent_id")
    if not asked or asked == org.id:
        return org.id, None
    at = call.db.execute(
        "SELECT id FROM connection WHERE org_id = ? AND id = ? AND folder = 1", (org.id, asked)
    ).fetchone()
    if at is None:
        raise bad_request("body.parent_id", f"{asked} is neither {org.handle} itself nor a connection folder in it")
    if moved is not None and moved.id in _ancestry(call, asked):
        raise bad_request("body.parent_id", f"{asked} is the folder itself, or in it")
    return asked, asked


def _ancestry(call: Call, id_: str) -> list[str]:
    """The id of something, and of the folders above it, nearest first."""
    return [
        str(found)
        for (found,) in call.db.execute(
            "WITH RECURSIVE up (id, parent) AS (SELECT id, parent FROM connection WHERE id = ?"
            " UNION SELECT n.id, n.parent FROM connection n JOIN up ON n.id = up.parent) SELECT id FROM up",
            (id_,),
        )
    ]


def write_trunks(db: sqlite3.Connection, org_id: str) -> None:
    """Say of everything in an org anew which folders it is in."""
    folders = {
        id_: (parent_id, _trunk_item(id_, name))
        for id_, parent_id, name in db.execute(
            "SELECT id, parent, name FROM connection WHERE org_id = ? AND folder = 1", (org_id,)
        )
    }

    def trunk(at: str | None) -> str:
        text = ""
        while at is not None:
            at, item = folders[at]
            text = item + text
        return text

    for id_, parent_id, have in db.execute(
        "SELECT id, parent, trunk FROM connection WHERE org_id = ?", (org_id,)
    ).fetchall():
        want = trunk(parent_id)
        if want != have:
            db.execute("UPDATE connection SET trunk = ? WHERE id = ?", (want, id_))


def _trunk_item(id_: str, title: str) -> str:
    item = {"id": id_, "title": title, "type": "connection-folder"}
    return "," + msgspec.json.encode(item).decode()


def available(call: Call, key: str, taken: Callable[[str], bool]) -> str:
    """The name that the body asks for; with `mode=available` the next free one with a number where it is taken.

    The contract has the parameter and no word on what it does. Raises Problem (409).
    """
    wanted = str(call.body[key])
    mode = call.request.get_param("mode")
    if mode not in (None, "available"):
        raise bad_request("query.mode", f"{mode!r} is not available")
    if not taken(wanted):
        return wanted
    if mode is None:
        raise Problem(409, f"there is {wanted} already", [(f"body.{key}", "is taken")])
    number = 2
    while taken(f"{wanted[:34].rstrip('_')}_{number}"):
        number += 1
    return f"{wanted[:34].rstrip('_')}_{number}"


# -- permissions and what is attached


def permitted(call: Call, connection_id: str, workspace_id: str) -> bool:
    """Whether a workspace may use a connection or a folder: by its own permissions, or those of a folder above it."""
    return any(
        call.db.execute(
            "SELECT 1 FROM connection_permission WHERE connection_id = ? AND ifnull(workspace_id, ?2) = ?2",
            (id_, workspace_id),
        ).fetchone()
        for id_ in _ancestry(call, connection_id)
    )


def detach_unpermitted(call: Call, org: Org) -> None:
    """Detach what may no longer be used where it is: after a permission went, or something left a folder."""
    for schema_id, workspace_id, handle, connection_id, name in call.db.execute(
        "SELECT s.id, s.workspace_id, w.handle, s.connection_id, n.name FROM workspace_schema s"
        " JOIN workspace w ON w.id = s.workspace_id JOIN connection n ON n.id = s.connection_id WHERE n.org_id = ?",
        (org.id,),
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
    if any(schema["name"] == found.name and schema["state"] == "direct" for schema in schemas(call, org, id_)) or (
        by_name(call, org, found.name, id_) is not None
    ):
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


def detach(call: Call, org: Org, workspace: tuple[str, str], schema: tuple[str, str]) -> None:
    """Detach a schema (its id and name) from a workspace (its id and handle)."""
    call.db.execute("DELETE FROM workspace_schema WHERE id = ?", (schema[0],))
    call.audit("workspace_schema.detach", org, schema, _where(workspace), workspace[0])


def _where(workspace: tuple[str, str]) -> dict[str, Any]:
    return {"workspace_id": workspace[0], "workspace_handle": workspace[1]}


def schemas(call: Call, org: Org, workspace_id: str) -> list[dict[str, Any]]:
    """A workspace's schemas (contract: WorkspaceSchema): attached ones (`direct`), what attached folders bring along
    (`indirect`), and connections that could be attached (`granted`), in this order; no name twice.
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
        (org.id, workspace_id),
    ):
        given = msgspec.json.decode(permission)
        association = {key: given[key] for key in SIGNED} | {"identity_id": org.id, "workspace_id": workspace_id}
        for id_ in below(at):
            add(id_, "granted", {**association, "id": derived_id(workspace_id, id_)})
    return list(found.values())


SIGNED = ("created_at", "created_by", "created_by_id", "updated_at", "updated_by", "updated_by_id", "version_id")
"""Who made and changed an object, and how often."""


def derived_id(*parts: str) -> str:
    """The id of an association that no row is kept for; the same for the same parts."""
    return f"s_{opaque(':'.join(parts), 0, 20)}"


# -- writing


def create(call: Call, org: Org, name: str, *, workspace_id: str | None = None) -> str:
    """A new connection or (without a plugin in the body) folder of an org, or of a workspace. Its id."""
    plugin = call.body.get("plugin")
    if workspace_id is None:
        parent_id, in_folder = parent(call, org)
    else:
        if call.body.get("parent_id") not in (None, "", workspace_id):
            raise bad_request("body.parent_id", "is not the workspace; there are no folders of workspaces here")
        parent_id, in_folder = workspace_id, None
    id_, by, at = call.new_id("c"), call.actor.id, call.now
    visible, secrets = split(call.body.get("config", {}), id_)
    doc = objects.connection(
        id_,
        name,
        tenant_id=org.tenant_id,
        org_id=org.id,
        parent_id=parent_id,
        by=by,
        at=at,
        plugin=plugin,
        workspace_id=workspace_id,
        config=visible,
    )
    if plugin is not None:
        doc.update(ran(call, org, "connection.create", id_, workspace_id))
    call.db.execute(
        "INSERT INTO connection (id, org_id, workspace_id, folder, name, parent, secrets, created_by, updated_by, head)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (id_, org.id, workspace_id, int(plugin is None), name, in_folder, secrets, by, by, head(doc)),
    )
    write_trunks(call.db, org.id)
    return id_


def update(call: Call, org: Org, found: Connection, name: str) -> dict[str, Any]:
    """Change a connection or folder as the body says, under the name that `available` gave. What the audit log says.

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
        if found.workspace_id is None:
            changes["parent_id"], in_folder = parent(call, org, found)
        elif call.body["parent_id"] not in ("", found.workspace_id):
            raise bad_request("body.parent_id", "is not the workspace; there are no folders of workspaces here")
    if "config" in call.body:
        changes["config"], secrets = split(call.body["config"], found.id)
    said = call.difference(found.head, changes)
    if not found.folder:
        changes.update(ran(call, org, "connection.update", found.id, found.workspace_id))
    _, text = call.edited(found.head, **changes)
    call.db.execute(
        "UPDATE connection SET name = ?, parent = ?, secrets = ?, updated_by = ?, head = ? WHERE id = ?",
        (name, in_folder, secrets, call.actor.id, text, found.id),
    )
    write_trunks(call.db, org.id)
    if in_folder != found.parent:
        detach_unpermitted(call, org)
    return said


def delete(call: Call, found: Connection) -> str:
    """Delete a connection or folder, with its permissions and wherever it is attached; what it was."""
    call.edited(found.head)
    doc = msgspec.json.decode(row(call, found.id))
    doc.update(deleted_at=call.now, deleted_by_id=call.actor.id)
    call.db.execute("DELETE FROM connection WHERE id = ?", (found.id,))
    return msgspec.json.encode(doc).decode()


def ran(call: Call, org: Org, type_: str, connection_id: str, workspace_id: str | None) -> dict[str, Any]:
    """Keep a process that did what was asked; what the connection says of it."""
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
    """Raise Problem (402) when an org has as many connections as it may have."""
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
