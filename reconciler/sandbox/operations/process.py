"""What ran for an org (contract: orgProcess_*): here, creating and changing connections. All of it is done at once."""

from __future__ import annotations

import msgspec

from reconciler.sandbox.call import Call, Reply, operation
from reconciler.sandbox.operations.where import where
from reconciler.sandbox.problems import not_found

PROCESSES = "/org/{org_handle}/process"


@operation("GET", PROCESSES, "orgProcess_list")
def org_process_list(call: Call) -> Reply:
    """Newest first."""
    org = call.org()
    rows = [
        msgspec.json.decode(text)
        for (text,) in call.db.execute("SELECT row FROM process WHERE org_id = ? ORDER BY seq DESC", (org.id,))
    ]
    return call.list_of(where(call, rows))


@operation("GET", PROCESSES + "/{process_id}", "orgProcess_get")
def org_process_get(call: Call) -> Reply:
    org = call.org()
    asked = call.params["process_id"]
    row = call.db.execute("SELECT row FROM process WHERE org_id = ? AND id = ?", (org.id, asked)).fetchone()
    if row is None:
        raise not_found(f"no process {asked} in {org.handle}")
    return 200, row[0]
