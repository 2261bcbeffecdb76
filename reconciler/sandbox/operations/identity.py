"""Who has which handle (contract: identity_*). Public: the contract documents neither a 401 nor a 403 for these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.sandbox.call import operation
from reconciler.sandbox.problems import not_found
from reconciler.sandbox.store import numbered

if TYPE_CHECKING:
    from reconciler.sandbox.call import Call, Reply


@operation("GET", "/identity", "identity_list", public=True)
def identity_list(call: Call) -> Reply:
    return call.page(
        "SELECT seq, row FROM identity WHERE seq > :after"
        " AND (handle LIKE :q ESCAPE '\\' OR display_name LIKE :q ESCAPE '\\') ORDER BY seq LIMIT :limit",
        q=call.query(),
    )


@operation("GET", "/identity/{identity_handle}", "identity_get", public=True)
def identity_get(call: Call) -> Reply:
    """404 says that the handle is free."""
    asked = call.params["identity_handle"]
    row = call.db.execute("SELECT row FROM identity WHERE handle = ?1 OR id = ?1", numbered(asked)).fetchone()
    if row is None:
        raise not_found(f"nobody has the handle {asked}")
    return 200, row[0]
