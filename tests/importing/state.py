"""Terraform's state of a sandbox, as the provider turbot/pipes would have left it there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.bench import Bench

SECRET = "hunter2-never-shown"
PROVIDER = 'provider["registry.terraform.io/turbot/pipes"]'


def resource(kind: str, name: str, instances: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"mode": "managed", "type": kind, "name": name, "provider": PROVIDER, "instances": instances, **more}


def instance(attributes: dict[str, Any], index: str | int | None = None, **more: Any) -> dict[str, Any]:
    keyed = {} if index is None else {"index_key": index}
    return {**keyed, "schema_version": 0, "attributes": attributes, "sensitive_attributes": [], **more}


def document(resources: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"version": 4, "terraform_version": "1.9.8", "serial": 7, "lineage": "5f", "outputs": {"token": {"value": SECRET}},
            "resources": resources, **more}  # fmt: skip


def write(path: Path, resources: list[dict[str, Any]], **more: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(resources, **more), indent=2))


def org(handle: str, **more: Any) -> dict[str, Any]:
    found = {
        "id": handle,
        "handle": handle,
        "organization_id": f"o_{handle}",
        "display_name": "",
        "url": "",
        "version_id": 1,
    }
    return {**found, **more}


def member(org: str, handle: str, role: str = "member", **more: Any) -> dict[str, Any]:
    found = {"id": f"{org}/{handle}", "organization": org, "organization_id": f"o_{org}", "user_handle": handle, "role": role,
             "user_id": f"u_{handle}", "scope": "org", "status": "accepted", "email": ""}  # fmt: skip
    return {**found, **more}


def space(org: str, handle: str, **more: Any) -> dict[str, Any]:
    found = {"id": f"{org}/{handle}", "organization": org, "identity_id": f"o_{org}", "handle": handle,
             "workspace_id": f"w_{handle}", "instance_type": "db1.shared", "desired_state": "enabled",
             "db_volume_size_bytes": 0}  # fmt: skip
    return {**found, **more}


def grant(org: str, space: str, handle: str, role: str = "reader", **more: Any) -> dict[str, Any]:
    found = {"id": f"{org}/{space}/{handle}", "organization": org, "organization_id": f"o_{org}", "workspace_handle": space,
             "workspace_id": f"w_{space}", "user_handle": handle, "user_id": f"u_{handle}", "role": role,
             "scope": "workspace"}  # fmt: skip
    return {**found, **more}


def of_sandbox(bench: Bench, *handles: str, prefix: str = "pipes") -> list[dict[str, Any]]:
    """Everything in organizations of the sandbox that a state may have, as resources with many instances."""
    client = bench.client()
    orgs, members, spaces, grants = [], [], [], []
    linked: dict[str, list[dict[str, Any]]] = {}
    for handle in handles:
        row = client.ok("GET", f"/org/{handle}")
        orgs.append(org(handle, **{k: row.get(k) or "" for k in ("display_name", "url")}, organization_id=row["id"]))
        ids = {"organization_id": row["id"]}
        members += [
            member(handle, one["user_handle"], one["role"], user_id=one["user_id"], **ids)
            for one in client.all(f"/org/{handle}/member")
            if one["scope"] == "org"
        ]
        for one in client.all(f"/org/{handle}/workspace"):
            kept = {k: one[k] for k in ("instance_type", "desired_state", "db_volume_size_bytes") if k in one}
            spaces.append(space(handle, one["handle"], workspace_id=one["id"], identity_id=row["id"], **kept))
            inside = {**ids, "workspace_id": one["id"]}
            for two in client.all(f"/org/{handle}/workspace/{one['handle']}/member"):
                if two["scope"] == "workspace":
                    user = {"user_id": two["user_id"], **inside}
                    grants.append(grant(handle, one["handle"], two["user_handle"], two["role"], **user))
        for kind, attributes in connected(bench, handle):
            linked.setdefault(kind, []).append(attributes)

    def keyed(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [instance(attributes, attributes["id"]) for attributes in found]

    return [
        *(resource(f"{prefix}_organization", one["handle"], [instance(one)]) for one in orgs),
        resource(f"{prefix}_organization_member", "people", keyed(members), module="module.people"),
        resource(f"{prefix}_workspace", "all", [instance(one, n) for n, one in enumerate(spaces)]),
        resource(f"{prefix}_organization_workspace_member", "access", keyed(grants), module='module.access["all"]'),
        *(resource(f"{prefix}_{kind}", "all", keyed(found)) for kind, found in linked.items()),
    ]


def connected(bench: Bench, org: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The connections, folders, permissions and schemas of an organization: the type without its prefix, and the attributes."""
    client, top = bench.client(), f"/org/{org}"
    named = {"organization": org}

    def folder(row: dict[str, Any]) -> dict[str, Any]:
        return {"connection_folder_id": row["id"], "title": row["title"], "parent_id": row["parent_id"], **named}

    def link(row: dict[str, Any]) -> dict[str, Any]:
        config = json.dumps(row["config"]) if row.get("config") else ""
        return {
            "connection_id": row["id"],
            **{k: row[k] for k in ("handle", "plugin", "parent_id")},
            "config": config,
            **named,
        }

    def permission(row: dict[str, Any]) -> dict[str, Any]:
        space = row.get("workspace") or {}
        return {"permission_id": row["id"], "identity_id": row["identity_id"], "identity_handle": org,
                "workspace_id": space.get("id", ""), "workspace_handle": space.get("handle", ""), **named}  # fmt: skip

    for row in client.all(f"{top}/connection_folder"):
        yield "organization_connection_folder", {"id": f"{org}/{row['id']}", **folder(row)}
        for one in client.all(f"{top}/connection_folder/{row['id']}/permission"):
            found = {"id": f"{org}/{row['id']}/{one['id']}", "connection_folder_id": row["id"], **permission(one)}
            yield "organization_connection_folder_permission", found
    for row in client.all(f"{top}/connection"):
        yield "organization_connection", {"id": f"{org}/{row['handle']}", **link(row)}
        for one in client.all(f"{top}/connection/{row['handle']}/permission"):
            found = {"id": f"{org}/{row['handle']}/{one['id']}", "connection_handle": row["handle"], **permission(one)}
            yield "organization_connection_permission", found
    for space in client.all(f"{top}/workspace"):
        inside = {"workspace": space["handle"], "workspace_id": space["id"]}
        path, prefix = f"{top}/workspace/{space['handle']}", f"{org}/{space['handle']}"
        for row in client.all(f"{path}/connection_folder"):
            yield "workspace_connection_folder", {"id": f"{prefix}/{row['id']}", **folder(row), **inside}
        for row in client.all(f"{path}/connection"):
            one = row["connection"]
            if one.get("workspace_id"):
                yield "workspace_connection", {"id": f"{prefix}/{one['handle']}", **link(one), **inside}
        for row in client.all(f"{path}/schema"):
            if row["state"] == "direct" and row["type"] == "connection" and not row["connection"].get("workspace_id"):
                found = {"id": f"{prefix}/{row['name']}", "workspace_schema_id": row["id"], "name": row["name"],
                         "connection_handle": row["name"], "connection_id": row["connection_id"], **named, **inside}  # fmt: skip
                yield "workspace_schema", found
