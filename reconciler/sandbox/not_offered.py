"""Paths of Pipes that the sandbox does not have, so that they get another answer than a misspelt path."""

from __future__ import annotations

import re

_EVERYWHERE = "ai|billing|conn|connection_tree|integration|notifier"
_OF_A_WORKSPACE = (
    "aggregator|ai|command|conn|connection_tree|datatank|db_log|flowpipe|integration|mod|notifier|pipeline|process|query"
    "|snapshot|trigger|usage"
)
# Below no tenant: it is the one that the host belongs to.
_OF_A_TENANT = (
    "ai|audit_log|auth|connection|connection_folder|connection_tree|integration|login|logout|notifier|service_account"
    "|settings|signup"
)
_PATHS = (
    "/(?:"
    + "|".join(
        (
            # A user's own workspaces and connections: reconciler manages organizations.
            f"user/[^/]+/(?:{_EVERYWHERE}|audit_log|avatar|connection|constraint|password|preferences|process|usage|workspace)",
            f"org/[^/]+/(?:{_EVERYWHERE})",
            "org/[^/]+/process/[^/]+/log",
            f"org/[^/]+/workspace/[^/]+/(?:{_OF_A_WORKSPACE})",
            "tenant/[^/]+/(?:avatar|billing|constraint|usage)",
            "identity/[^/]+/avatar",
            "actor/(?:activity|conn)",
            _OF_A_TENANT,
        )
    )
    + ")(?:/.*)?"
)


def is_offered_by_pipes(path: str) -> bool:
    """Whether a path below `/api/v0` belongs to Pipes (its public API documentation, 2025-10-06), though not to the sandbox."""
    return re.fullmatch(_PATHS, path) is not None
