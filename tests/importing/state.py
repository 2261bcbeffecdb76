"""Terraform's state of a sandbox, as the provider turbot/pipes would have left it there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    """Every organization, member, workspace and grant of the sandbox, as resources with many instances."""
    client = bench.client()
    orgs, members, spaces, grants = [], [], [], []
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

    def keyed(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [instance(attributes, attributes["id"]) for attributes in found]

    return [
        *(resource(f"{prefix}_organization", one["handle"], [instance(one)]) for one in orgs),
        resource(f"{prefix}_organization_member", "people", keyed(members), module="module.people"),
        resource(f"{prefix}_workspace", "all", [instance(one, n) for n, one in enumerate(spaces)]),
        resource(f"{prefix}_organization_workspace_member", "access", keyed(grants), module='module.access["all"]'),
    ]
