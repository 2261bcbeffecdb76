"""Grants: who may do what in a workspace (contract: orgWorkspaceMember_*)."""

from __future__ import annotations

from reconciler.sandbox import bodies, objects
from reconciler.sandbox.call import Call, Org, Reply, Workspace, operation
from reconciler.sandbox.operations.workspace import WORKSPACE
from reconciler.sandbox.problems import bad_request, not_found
from reconciler.sandbox.store import head

GRANTS = WORKSPACE + "/member"
GRANT = GRANTS + "/{user_handle}"
_FOUND = "AND (handle LIKE :q ESCAPE '\\' OR display_name LIKE :q ESCAPE '\\')"


def _row(call: Call, workspace: Workspace, user_id: str) -> str:
    row = call.db.execute(
        "SELECT j FROM workspace_member_row WHERE workspace_id = ? AND user_id = ? ORDER BY k LIMIT 1",
        (workspace.id, user_id),
    ).fetchone()
    if row is None:
        raise not_found(f"{call.handle_of(user_id)} has no role in {workspace.handle}")
    return str(row[0])


def _user(call: Call, workspace: Workspace) -> str:
    asked = call.params["user_handle"]
    user_id = call.user_id(asked)
    if user_id is None:
        raise not_found(f"{asked} has no role in {workspace.handle}")
    return user_id


def _grant(call: Call, workspace: Workspace, user_id: str) -> tuple[str, str, str]:
    """A grant that can be changed here: id, role, head. An owner's implicit access (scope `org`) cannot: 400."""
    row = call.db.execute(
        "SELECT id, role, head FROM workspace_member WHERE workspace_id = ? AND user_id = ?", (workspace.id, user_id)
    ).fetchone()
    if row is None:
        _row(call, workspace, user_id)
        raise bad_request(
            "path.user_handle",
            f"{call.handle_of(user_id)} owns the organization; this cannot be changed in a workspace",
        )
    return row[0], row[1], row[2]


@operation("GET", GRANTS, "orgWorkspaceMember_list")
def org_workspace_member_list(call: Call) -> Reply:
    """The workspace's own rows, then the org's accepted owners (scope `org`); an owner with a grant has both."""
    _, workspace = call.workspace()
    found = "" if not call.request.get_param("q") else _FOUND
    rest = f"WHERE workspace_id = :workspace AND k > :after {found} ORDER BY k LIMIT :limit"
    return call.page(
        f"SELECT k, j FROM workspace_member_own_row {rest}",  # noqa: S608 -- constants
        f"SELECT k, j FROM workspace_member_inherited_row {rest}",  # noqa: S608 -- constants
        workspace=workspace.id,
        q=call.query(),
    )


@operation("POST", GRANTS, "orgWorkspaceMember_create", body=bodies.CREATE_WORKSPACE_USER)
def org_workspace_member_create(call: Call) -> Reply:
    """Members of the org only, invited ones included. 400 for others, and for members who have a grant already."""
    org, workspace = call.workspace("owner")
    user_id = call.user_id(call.body["handle"])
    if (
        user_id is None
        or not call.db.execute("SELECT 1 FROM member WHERE org_id = ? AND user_id = ?", (org.id, user_id)).fetchone()
    ):
        raise bad_request("body.handle", f"{call.body['handle']} is not a member of {org.handle}")
    if call.db.execute(
        "SELECT 1 FROM workspace_member WHERE workspace_id = ? AND user_id = ?", (workspace.id, user_id)
    ).fetchone():
        raise bad_request("body.handle", f"{call.body['handle']} has a role in {workspace.handle} already")
    by = call.actor.id
    doc = objects.workspace_member(
        call.new_id("p"), org.id, workspace.id, user_id, role=call.body["role"], by=by, at=call.now
    )
    call.db.execute(
        "INSERT INTO workspace_member (id, workspace_id, org_id, user_id, role, created_by, updated_by, head)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (doc["id"], workspace.id, org.id, user_id, doc["role"], by, by, head(doc)),
    )
    _audit(call, "create", org, workspace, user_id, {"role": doc["role"]})
    return 201, _row(call, workspace, user_id)


@operation("GET", GRANT, "orgWorkspaceMember_get")
def org_workspace_member_get(call: Call) -> Reply:
    _, workspace = call.workspace()
    return 200, _row(call, workspace, _user(call, workspace))


@operation("PATCH", GRANT, "orgWorkspaceMember_update", body=bodies.UPDATE_WORKSPACE_USER)
def org_workspace_member_update(call: Call) -> Reply:
    org, workspace = call.workspace("owner")
    user_id = _user(call, workspace)
    id_, role, text = _grant(call, workspace, user_id)
    _, edited = call.edited(text, role=call.body["role"])
    call.db.execute(
        "UPDATE workspace_member SET role = ?, updated_by = ?, head = ? WHERE id = ?",
        (call.body["role"], call.actor.id, edited, id_),
    )
    _audit(call, "update", org, workspace, user_id, {"old": {"role": role}, "new": {"role": call.body["role"]}})
    return 200, _row(call, workspace, user_id)


@operation("DELETE", GRANT, "orgWorkspaceMember_delete")
def org_workspace_member_delete(call: Call) -> Reply:
    org, workspace = call.workspace("owner")
    user_id = _user(call, workspace)
    id_, role, text = _grant(call, workspace, user_id)
    call.edited(text)
    removed = _row(call, workspace, user_id)
    call.db.execute("DELETE FROM workspace_member WHERE id = ?", (id_,))
    _audit(call, "delete", org, workspace, user_id, {"role": role})
    return 200, removed


def _audit(call: Call, verb: str, org: Org, workspace: Workspace, user_id: str, data: dict[str, object]) -> None:
    call.audit(
        f"workspace_member.{verb}",
        org,
        (user_id, call.handle_of(user_id)),
        {"workspace_id": workspace.id, "workspace_handle": workspace.handle, **data},
        workspace.id,
    )
