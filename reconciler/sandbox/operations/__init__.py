"""The contract's operations, a module for each noun. Importing this package registers them all."""

from . import (
    actor,
    identity,
    member,
    org,
    tenant,
    unbuilt,
    user,
    workspace,
    workspace_member,
)

__all__ = ["actor", "identity", "member", "org", "tenant", "unbuilt", "user", "workspace", "workspace_member"]
