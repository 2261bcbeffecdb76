"""What operations on connections and folders share.

In: a request (`Call`) and the org or workspace of its path. Out: connections, folders, permissions and schemas; no secret.
Open `finding.py` first, then `tree.py` for folders and `schemas.py` for who may use what.
"""

from reconciler.sandbox.connections.configs import split
from reconciler.sandbox.connections.finding import Connection, by_name, connection, folder, folder_by_id, row
from reconciler.sandbox.connections.schemas import (
    SIGNED,
    attach,
    derived_id,
    detach,
    detach_unpermitted,
    permitted,
    schemas,
)
from reconciler.sandbox.connections.tree import available, parent, write_trunks
from reconciler.sandbox.connections.writing import CONNECTION_LIMIT, create, delete, limits, update, within_limit

__all__ = [
    "CONNECTION_LIMIT",
    "SIGNED",
    "Connection",
    "attach",
    "available",
    "by_name",
    "connection",
    "create",
    "delete",
    "derived_id",
    "detach",
    "detach_unpermitted",
    "folder",
    "folder_by_id",
    "limits",
    "parent",
    "permitted",
    "row",
    "schemas",
    "split",
    "update",
    "within_limit",
    "write_trunks",
]
