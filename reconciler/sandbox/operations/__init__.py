"""The contract's operations, a module for each noun. Importing this package registers them all."""

from . import (
    actor,
    connection,
    connection_folder,
    connection_permission,
    identity,
    member,
    org,
    process,
    service_account,
    tenant,
    user,
    workspace,
    workspace_connection,
    workspace_member,
    workspace_schema,
)

__all__ = [
    "actor",
    "connection",
    "connection_folder",
    "connection_permission",
    "identity",
    "member",
    "org",
    "process",
    "service_account",
    "tenant",
    "user",
    "workspace",
    "workspace_connection",
    "workspace_member",
    "workspace_schema",
]
