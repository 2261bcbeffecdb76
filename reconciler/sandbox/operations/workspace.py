"""Workspaces of an org (contract: orgWorkspace_*)."""

from __future__ import annotations

from typing import Any

import msgspec

from reconciler.sandbox import bodies, objects
from reconciler.sandbox.call import Call, Reply, operation
from reconciler.sandbox.problems import Problem, bad_request, not_found
from reconciler.sandbox.store import document, head, numbered

WORKSPACES = "/org/{org_handle}/workspace"
WORKSPACE = WORKSPACES + "/{workspace_handle}"
SHARED = "db1.shared"
_TOWARDS = {"enabled": "enabling", "disabled": "disabling"}


def _row(call: Call, workspace_id: str) -> str:
    return str(call.db.execute("SELECT j FROM workspace_row WHERE id = ?", (workspace_id,)).fetchone()[0])


def _refuse_taken(call: Call, org_id: str, handle: str, own_id: str = "") -> None:
    if call.db.execute(
        "SELECT 1 FROM workspace WHERE org_id = ? AND handle = ? AND id <> ?", (org_id, handle, own_id)
    ).fetchone():
        raise Problem(409, f"there is a workspace {handle} already", [("body.handle", "is taken")])


def _steps(call: Call, *states: str) -> tuple[str, str]:
    """The state to show at once, and those to pass through at the next reads; all at once with `settle_reads=0`."""
    if call.settle_reads <= 0:
        return states[-1], ""
    first, *others = states
    others = others[-call.settle_reads :]
    # Waiting longer means to stay longer in the state before the last.
    while len(others) < call.settle_reads:
        others.insert(0, others[0] if len(others) > 1 else first)
    return first, ",".join(others)


def _check_volume(have: int, wanted: dict[str, Any], asked: dict[str, Any]) -> None:
    """A volume only grows, and a shared instance has none of its own (manual). Raises Problem (400)."""
    size = asked.get("db_volume_size_bytes", have)
    if size == have:
        return
    if wanted["instance_type"] == SHARED:
        raise bad_request("body.db_volume_size_bytes", f"{SHARED} has no volume of its own")
    if size < have:
        raise bad_request("body.db_volume_size_bytes", f"a volume cannot shrink: it has {have} bytes")


@operation("GET", WORKSPACES, "orgWorkspace_list")
def org_workspace_list(call: Call) -> Reply:
    """All workspaces for an owner of the org; those that were granted for a member."""
    org = call.org()
    call.advance(org.id)
    if org.role == "owner":
        return call.page(
            "SELECT k, j FROM workspace_row WHERE org_id = :org AND k > :after ORDER BY k LIMIT :limit", org=org.id
        )
    return call.page(
        "SELECT k, j FROM workspace_row w WHERE org_id = :org AND k > :after AND EXISTS"
        " (SELECT 1 FROM workspace_member g WHERE g.workspace_id = w.id AND g.user_id = :user) ORDER BY k LIMIT :limit",
        org=org.id,
        user=call.actor.id,
    )


@operation("POST", WORKSPACES, "orgWorkspace_create", body=bodies.CREATE_WORKSPACE)
def org_workspace_create(call: Call) -> Reply:
    """Created asynchronously: the answer says `creating`, later reads `enabling` and `enabled`. Takes grants at once."""
    org = call.org("owner")
    _refuse_taken(call, org.id, call.body["handle"])
    there = call.db.execute("SELECT count(*) FROM workspace WHERE org_id = ?", (org.id,)).fetchone()[0]
    if there >= org.workspace_limit:
        raise Problem(402, f"{org.handle} can have {org.workspace_limit} workspaces and has {there}")
    by = call.actor.id
    instance_type = call.body.get("instance_type", SHARED)
    if instance_type == SHARED and "db_volume_size_bytes" in call.body:
        raise bad_request("body.db_volume_size_bytes", f"{SHARED} has no volume of its own")
    doc = objects.workspace(
        call.new_id("w"),
        call.body["handle"],
        org_id=org.id,
        by=by,
        at=call.now,
        instance_type=instance_type,
        desired_state=call.body.get("desired_state", "enabled"),
        volume_bytes=call.body.get("db_volume_size_bytes"),
    )
    state, steps = _steps(call, "creating", _TOWARDS[doc["desired_state"]], doc["desired_state"])
    call.db.execute(
        "INSERT INTO workspace (id, org_id, handle, state, steps, created_by, updated_by, head)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (doc["id"], org.id, doc["handle"], state, steps, by, by, head(doc)),
    )
    call.audit("workspace.create", org, (doc["id"], doc["handle"]), call.body, doc["id"])
    return 201, _row(call, doc["id"])


@operation("GET", WORKSPACE, "orgWorkspace_get")
def org_workspace_get(call: Call) -> Reply:
    org, workspace = call.workspace()
    call.advance(org.id, workspace.id)
    return 200, _row(call, workspace.id)


@operation("PATCH", WORKSPACE, "orgWorkspace_update", body=bodies.UPDATE_WORKSPACE)
def org_workspace_update(call: Call) -> Reply:
    """A new handle renames, the id stays. Another instance type or desired state is reached through its states.

    Asking for `enabled` wakes a workspace that fell asleep.
    """
    org, workspace = call.workspace("owner")
    changes = dict(call.body)
    if "handle" in changes:
        _refuse_taken(call, org.id, changes["handle"], workspace.id)
    if "search_path_prefix" in changes:
        changes["search_path"] = [*changes["search_path_prefix"], "public"]
    before = document(workspace.head)
    _check_volume(before["db_volume_size_bytes"], {**before, **changes}, changes)
    wakes = "state_reason" in before and changes.get("desired_state") == "enabled"
    if wakes:
        changes["state_reason"] = ""
    doc, text = call.edited(workspace.head, **changes)
    state, steps = workspace.state, workspace.steps
    if wakes or doc["desired_state"] != before["desired_state"]:
        state, steps = _steps(call, _TOWARDS[doc["desired_state"]], doc["desired_state"])
    elif doc["instance_type"] != before["instance_type"] and doc["desired_state"] == "enabled":
        state, steps = _steps(call, "enabling", "enabled")
    call.db.execute(
        "UPDATE workspace SET handle = ?, state = ?, steps = ?, updated_by = ?, head = ? WHERE id = ?",
        (doc["handle"], state, steps, call.actor.id, text, workspace.id),
    )
    call.audit(
        "workspace.update",
        org,
        (workspace.id, doc["handle"]),
        call.difference(workspace.head, call.body),
        workspace.id,
    )
    return 200, _row(call, workspace.id)


@operation("DELETE", WORKSPACE, "orgWorkspace_delete")
def org_workspace_delete(call: Call) -> Reply:
    """The database goes, and so do the grants. Only an owner of the org can do it."""
    org = call.org("owner")
    asked = call.params["workspace_handle"]
    row = call.db.execute(
        "SELECT id, head, state FROM workspace WHERE org_id = ?1 AND (handle = ?2 OR id = ?2)", numbered(org.id, asked)
    ).fetchone()
    if row is None:
        raise not_found(f"no workspace {asked} in {org.handle}")
    doc, _ = call.edited(row[1])
    doc.update(state=row[2], deleted_at=call.now, deleted_by_id=call.actor.id)
    call.audit("workspace.delete", org, (doc["id"], doc["handle"]), {}, doc["id"])
    call.db.execute("DELETE FROM workspace WHERE id = ?", (doc["id"],))
    return 200, msgspec.json.encode(doc).decode()


@operation("GET", WORKSPACE + "/audit_log", "orgWorkspace_listAuditLogs")
def org_workspace_list_audit_logs(call: Call) -> Reply:
    """The entries of the org's log that are about this workspace, newest first."""
    _, workspace = call.workspace("owner")
    return call.page(
        "SELECT -seq, row FROM audit WHERE workspace_id = :workspace AND workspace_id <> '' AND seq < -:after"
        " ORDER BY seq DESC LIMIT :limit",
        workspace=workspace.id,
    )
