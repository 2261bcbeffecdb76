"""Folders of an org's connections, and of a workspace's own (contract: orgConnectionFolder_* without permissions,
orgWorkspaceConnectionFolder_*).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.sandbox import bodies, connections
from reconciler.sandbox.call import Call, Org, Reply, operation
from reconciler.sandbox.operations.connection import associations
from reconciler.sandbox.operations.workspace import WORKSPACE
from reconciler.sandbox.problems import Problem, not_found

if TYPE_CHECKING:
    from collections.abc import Callable

    Placed = Callable[[Call, str], tuple[Org, str | None]]
    """The org and the workspace (None: the org's own folders) of a request, for an actor with a role."""

FOLDERS = "/org/{org_handle}/connection_folder"
FOLDER = FOLDERS + "/{folder_id}"
WORKSPACE_FOLDERS = WORKSPACE + "/connection_folder"


def _in_org(call: Call, need: str) -> tuple[Org, str | None]:
    return call.org("owner" if need == "owner" else "member", missing=404), None


def _in_workspace(call: Call, need: str) -> tuple[Org, str | None]:
    org, workspace = call.workspace(need, missing=404)
    return org, workspace.id


def _title(call: Call, where: tuple[Org, str | None, str | None], own: tuple[str, str] = ("", "")) -> str:
    """The title to take: free in its folder. Titles may be the same in different folders.

    `where` is the org, the workspace and the folder; `own` the id and the title that a folder has already.
    """
    org, workspace_id, in_folder = where
    own_id, title = own

    def taken(name: str) -> bool:
        return (
            call.db.execute(
                "SELECT 1 FROM connection WHERE org_id = ? AND ifnull(workspace_id, '') = ? AND folder = 1"
                " AND ifnull(parent, '') = ? AND name = ? AND id <> ?",
                (org.id, workspace_id or "", in_folder or "", name, own_id),
            ).fetchone()
            is not None
        )

    if "title" in call.body:
        return connections.available(call, "title", taken, separator=" ")
    if taken(title):
        raise Problem(409, f"there is a folder {title} already", [("body.parent_id", f"holds a folder {title}")])
    return title


def _folder_of_the_path(call: Call, org: Org, workspace_id: str | None) -> connections.Connection:
    """The folder of the path. In a workspace, one of the org is found too where it is permitted, attached or not."""
    if workspace_id is None:
        return connections.folder(call, org)
    asked = call.params["folder_id"]
    own = connections.folder_by_id(call, org, asked, workspace_id)
    found = own or connections.folder_by_id(call, org, asked)
    if found is None or (own is None and not connections.permitted(call, found.id, workspace_id)):
        raise not_found(f"no connection folder {asked} in the workspace")
    return found


def _register(many: str, prefix: str, noun: str, placed: Placed) -> None:
    """The five operations, for an org and for a workspace. `noun` begins the names in the audit log."""
    one = many + "/{folder_id}"

    @operation("GET", many, f"{prefix}_list")
    def list_(call: Call) -> Reply:
        """All folders, at any depth."""
        org, workspace_id = placed(call, "reader")
        return call.page(
            "SELECT k, j FROM connection_row WHERE org_id = :org AND workspace_id IS :workspace AND folder = 1"
            " AND k > :after ORDER BY k LIMIT :limit",
            org=org.id,
            workspace=workspace_id,
        )

    @operation("POST", many, f"{prefix}_create", body=bodies.CREATE_CONNECTION_FOLDER)
    def create(call: Call) -> Reply:
        org, workspace_id = placed(call, "owner")
        title = _title(call, (org, workspace_id, connections.parent(call, org, workspace_id)))
        id_ = connections.create(call, org, title, workspace_id=workspace_id)
        call.audit(f"{noun}.create", org, (id_, title), call.body, workspace_id or "")
        return 201, connections.row(call, id_)

    @operation("GET", one, f"{prefix}_get")
    def get(call: Call) -> Reply:
        return 200, connections.row(call, _folder_of_the_path(call, *placed(call, "reader")).id)

    @operation("PATCH", one, f"{prefix}_update", body=bodies.UPDATE_CONNECTION_FOLDER)
    def update(call: Call) -> Reply:
        """`parent_id` moves the folder with all that is in it, but never into itself."""
        org, workspace_id = placed(call, "owner")
        found = connections.folder(call, org, workspace_id)
        in_folder = found.parent
        if "parent_id" in call.body:
            in_folder = connections.parent(call, org, workspace_id, found)
        title = _title(call, (org, workspace_id, in_folder), (found.id, found.name))
        said = connections.update(call, org, found, title)
        call.audit(f"{noun}.update", org, (found.id, title), said, workspace_id or "")
        return 200, connections.row(call, found.id)

    @operation("DELETE", one, f"{prefix}_delete")
    def delete(call: Call) -> Reply:
        """Only an empty folder: 409 while something is in it."""
        org, workspace_id = placed(call, "owner")
        found = connections.folder(call, org, workspace_id)
        inside = call.db.execute("SELECT count(*) FROM connection WHERE parent = ?", (found.id,)).fetchone()[0]
        if inside:
            raise Problem(409, f"the folder {found.name} is not empty: it holds {inside}")
        deleted = connections.delete(call, found)
        call.audit(f"{noun}.delete", org, (found.id, found.name), {}, workspace_id or "")
        return 200, deleted


_register(FOLDERS, "orgConnectionFolder", "connection_folder", _in_org)
_register(WORKSPACE_FOLDERS, "orgWorkspaceConnectionFolder", "workspace_connection_folder", _in_workspace)


@operation("GET", FOLDER + "/workspace", "orgConnectionFolder_listWorkspaces")
def org_connection_folder_list_workspaces(call: Call) -> Reply:
    org = call.org(missing=404)
    return associations(call, connections.folder(call, org).id)
