"""Folders of an org's connections (contract: orgConnectionFolder_*, but for their permissions)."""

from __future__ import annotations

from reconciler.sandbox import bodies, connections
from reconciler.sandbox.call import Call, Org, Reply, operation
from reconciler.sandbox.operations.connection import associations
from reconciler.sandbox.problems import Problem

FOLDERS = "/org/{org_handle}/connection_folder"
FOLDER = FOLDERS + "/{folder_id}"


@operation("GET", FOLDERS, "orgConnectionFolder_list")
def org_connection_folder_list(call: Call) -> Reply:
    """All of them, in whichever folder they are."""
    return call.page(
        "SELECT k, j FROM connection_row WHERE org_id = :org AND folder = 1 AND k > :after ORDER BY k LIMIT :limit",
        org=call.org().id,
    )


def _title(call: Call, org: Org, in_folder: str | None, own_id: str = "", title: str = "") -> str:
    """The title to take: free in its folder. Titles may be the same in different folders."""

    def taken(name: str) -> bool:
        return (
            call.db.execute(
                "SELECT 1 FROM connection WHERE org_id = ? AND folder = 1 AND ifnull(parent, '') = ?"
                " AND name = ? AND id <> ?",
                (org.id, in_folder or "", name, own_id),
            ).fetchone()
            is not None
        )

    if "title" in call.body:
        return connections.available(call, "title", taken)
    if taken(title):
        raise Problem(409, f"there is a folder {title} already", [("body.parent_id", f"holds a folder {title}")])
    return title


@operation("POST", FOLDERS, "orgConnectionFolder_create", body=bodies.CREATE_CONNECTION_FOLDER)
def org_connection_folder_create(call: Call) -> Reply:
    org = call.org("owner")
    title = _title(call, org, connections.parent(call, org)[1])
    id_ = connections.create(call, org, title)
    call.audit("connection_folder.create", org, (id_, title), call.body)
    return 201, connections.row(call, id_)


@operation("GET", FOLDER, "orgConnectionFolder_get")
def org_connection_folder_get(call: Call) -> Reply:
    org = call.org()
    return 200, connections.row(call, connections.folder(call, org).id)


@operation("PATCH", FOLDER, "orgConnectionFolder_update", body=bodies.UPDATE_CONNECTION_FOLDER)
def org_connection_folder_update(call: Call) -> Reply:
    """With `parent_id` it moves, and all that is in it; not into itself."""
    org = call.org("owner")
    found = connections.folder(call, org)
    in_folder = connections.parent(call, org, found)[1] if "parent_id" in call.body else found.parent
    title = _title(call, org, in_folder, found.id, found.name)
    said = connections.update(call, org, found, title)
    call.audit("connection_folder.update", org, (found.id, title), said)
    return 200, connections.row(call, found.id)


@operation("DELETE", FOLDER, "orgConnectionFolder_delete")
def org_connection_folder_delete(call: Call) -> Reply:
    """An empty one only: 409 while something is in it."""
    org = call.org("owner")
    found = connections.folder(call, org)
    inside = call.db.execute("SELECT count(*) FROM connection WHERE parent = ?", (found.id,)).fetchone()[0]
    if inside:
        raise Problem(409, f"the folder {found.name} is not empty: it holds {inside}")
    deleted = connections.delete(call, found)
    call.audit("connection_folder.delete", org, (found.id, found.name), {})
    return 200, deleted


@operation("GET", FOLDER + "/workspace", "orgConnectionFolder_listWorkspaces")
def org_connection_folder_list_workspaces(call: Call) -> Reply:
    org = call.org()
    return associations(call, connections.folder(call, org).id)
