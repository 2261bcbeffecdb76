"""New objects in the contract's form, before they are stored (schemas User, Org, OrgUser, Workspace, …).

Each function gives the object without what the store's views add: embedded users, `status`, `scope`, handles of other
objects, a workspace's `state` and `host`. Optional attributes that are empty are left out: in the contract no property
may be null.
"""

from __future__ import annotations

from typing import Any

GIB = 1024**3

INSTANCE_TYPES = ("db1.shared", "db1.small", "db1.medium")
DEFAULT_VOLUME_BYTES = {"db1.shared": 10 * GIB, "db1.small": 20 * GIB, "db1.medium": 40 * GIB}
WORKSPACE_LIMIT = 10
"""Workspaces per org unless support raised it (contract: orgWorkspace_create)."""

ASLEEP = "Disabled due to inactivity"
"""The `state_reason` of a workspace that nobody used for four days (manual: it is put to sleep; its words are not known)."""

Doc = dict[str, Any]


def _signed(id_: str, by: str, at: str) -> Doc:
    return {
        "id": id_,
        "created_at": at,
        "created_by_id": by,
        "updated_at": at,
        "updated_by_id": by,
        "version_id": 1,
    }


def _present(**optional: Any) -> Doc:
    return {key: value for key, value in optional.items() if value not in (None, "")}


def generated_avatar(id_: str) -> str:
    """The URL of the picture that Pipes draws for users and organizations without one."""
    return f"https://avatars.pipes.invalid/{id_}.png"


def unknown_email(handle: str) -> str:
    """A tenant's member always has an address (contract: TenantUser); this one replaces a missing one."""
    return f"{handle}@users.invalid"


USER = "user"
SERVICE_ACCOUNT = "service_account"
"""The contract's User.type."""


def user(id_: str, handle: str, *, tenant_id: str, at: str, type_: str = USER, display_name: str = "", url: str = "",
         status: str = "accepted", version: int = 1, org_id: str = "", title: str = "",
         description: str = "") -> Doc:  # fmt: skip
    """A person or a service account. `org_id`, `title` and `description` are a service account's."""
    return {
        "id": id_,
        "handle": handle,
        "type": type_,
        "avatar_url": generated_avatar(id_),
        "status": status,
        "tenant_id": tenant_id,
        "created_at": at,
        "updated_at": at,
        "version_id": version,
        **_present(display_name=display_name, url=url, identity_id=org_id, title=title, description=description),
    }


def identity(doc: Doc, type_: str) -> Doc:
    """What everybody may see of a user or an org (contract: Identity)."""
    public = ("id", "handle", "tenant_id", "avatar_url", "display_name")
    return {"type": type_, **{key: doc[key] for key in public if key in doc}}


def email(id_: str, address: str, *, tenant_id: str, at: str, status: str) -> Doc:
    return {
        "id": id_,
        "email": address,
        "status": status,
        "tenant_id": tenant_id,
        "created_at": at,
        "updated_at": at,
        "version_id": 1,
    }


def token(id_: str, user_id: str, secret: str, *, by: str, at: str, expires_at: str = "", title: str = "",
          description: str = "", status: str = "active") -> Doc:  # fmt: skip
    """A token without its value. One that never ends has no `expires_at`."""
    return {
        **_signed(id_, by, at),
        "user_id": user_id,
        "status": status,
        "token_type": "user",
        "last4": secret[-4:],
        **_present(expires_at=expires_at, title=title, description=description),
    }


def tenant(id_: str, handle: str, *, by: str, at: str, display_name: str = "") -> Doc:
    return {
        **_signed(id_, by, at),
        "handle": handle,
        "avatar_url": generated_avatar(id_),
        "state": "created",
        "deleted_by_id": "",
        **_present(display_name=display_name),
    }


def tenant_member(id_: str, tenant_id: str, user_id: str, *, address: str, role: str, by: str, at: str,
                  last_activity_at: str = "") -> Doc:  # fmt: skip
    return {
        **_signed(id_, by, at),
        "tenant_id": tenant_id,
        "user_id": user_id,
        "email": address,
        "role": role,
        **_present(last_activity_at=last_activity_at),
    }


def org(id_: str, handle: str, *, tenant_id: str, by: str, at: str, display_name: str = "", url: str = "",
        version: int = 1) -> Doc:  # fmt: skip
    return {
        **_signed(id_, by, at),
        "version_id": version,
        "handle": handle,
        "avatar_url": generated_avatar(id_),
        "tenant_id": tenant_id,
        "deleted_by_id": "",
        **_present(display_name=display_name, url=url),
    }


def member(id_: str, org_id: str, user_id: str, *, role: str, by: str, at: str, last_activity_at: str = "") -> Doc:
    return {
        **_signed(id_, by, at),
        "org_id": org_id,
        "user_id": user_id,
        "role": role,
        **_present(last_activity_at=last_activity_at),
    }


def workspace(id_: str, handle: str, *, org_id: str, by: str, at: str, instance_type: str = "db1.shared",
              desired_state: str = "enabled", volume_bytes: int | None = None,
              search_path_prefix: list[str] | None = None, asleep: bool = False) -> Doc:  # fmt: skip
    return {
        **_signed(id_, by, at),
        "handle": handle,
        "identity_id": org_id,
        "instance_type": instance_type,
        "desired_state": desired_state,
        "db_volume_size_bytes": volume_bytes
        if volume_bytes is not None
        else DEFAULT_VOLUME_BYTES.get(instance_type, GIB),
        "database_name": id_[2:8],
        "hive": "usea1-0001",
        "api_version": "2.0",
        "cli_version": "1.0",
        "deleted_by_id": "",
        "search_path": [*(search_path_prefix or []), "public"],
        **({"search_path_prefix": search_path_prefix} if search_path_prefix else {}),
        **({"state_reason": ASLEEP} if asleep else {}),
    }


def workspace_member(id_: str, org_id: str, workspace_id: str, user_id: str, *, role: str, by: str, at: str,
                     last_activity_at: str = "") -> Doc:  # fmt: skip
    return {
        **_signed(id_, by, at),
        "org_id": org_id,
        "workspace_id": workspace_id,
        "user_id": user_id,
        "role": role,
        **_present(last_activity_at=last_activity_at),
    }


def connection(id_: str, name: str, *, tenant_id: str, org_id: str, parent_id: str, by: str, at: str,
               plugin: str | None, workspace_id: str | None = None, config: Doc | None = None) -> Doc:  # fmt: skip
    """A connection; a folder where `plugin` is None (contract: Connection, for both)."""
    return {
        **_signed(id_, by, at),
        "deleted_by_id": "",
        "tenant_id": tenant_id,
        "identity_id": org_id,
        "parent_id": parent_id,
        **({"workspace_id": workspace_id} if workspace_id else {}),
        **(
            {"type": "connection-folder", "title": name}
            if plugin is None
            else {
                "type": "connection",
                "handle": name,
                "handle_mode": "static",
                "plugin": plugin,
                "config": config or {},
                "config_source": "self",
                "credential_source": "self",
                "status": "enabled",
            }
        ),
    }


def permission(id_: str, connection_id: str, org_id: str, workspace_id: str | None, *, by: str, at: str) -> Doc:
    """Where a connection or a folder may be used: in one workspace, or in all of the org."""
    return {
        **_signed(id_, by, at),
        "connection_id": connection_id,
        "identity_id": org_id,
        **({"workspace_id": workspace_id} if workspace_id else {}),
    }


def association(id_: str, org_id: str, workspace_id: str, connection_id: str, *, by: str, at: str) -> Doc:
    """A connection or a folder that is attached to a workspace (contract: WorkspaceConnectionAssociation)."""
    return {
        **_signed(id_, by, at),
        "identity_id": org_id,
        "workspace_id": workspace_id,
        "connection_id": connection_id,
    }


def process(id_: str, type_: str, *, org: tuple[str, str], connection_id: str, by: str, at: str,
            workspace_id: str | None = None) -> Doc:  # fmt: skip
    """Something that ran, and is done. `org` is its id and its tenant's."""
    return {
        **_signed(id_, by, at),
        "type": type_,
        "pipe": "steampipe",
        "state": "completed",
        "identity_id": org[0],
        "tenant_id": org[1],
        "connection_id": connection_id,
        **({"workspace_id": workspace_id} if workspace_id else {}),
    }
