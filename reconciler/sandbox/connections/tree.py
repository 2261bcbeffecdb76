"""The tree of folders, in an org and in each workspace: where something lies, and which names are free there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.sandbox.connections.finding import folder_by_id
from reconciler.sandbox.problems import Problem, bad_request

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from reconciler.sandbox.call import Call, Org
    from reconciler.sandbox.connections.finding import Connection


def parent(call: Call, org: Org, workspace_id: str | None, moved: Connection | None = None) -> str | None:
    """The folder that the body's `parent_id` names; None for the top of the org or of the workspace.

    The top is an empty text (observed), or the id of the org or the workspace itself (contract: "the id of the entity
    where the connection is stored"). Raises Problem (400) for what is not a folder there, and for a folder that would
    be inside itself.
    """
    asked = call.body.get("parent_id")
    if not asked or asked == (workspace_id or org.id):
        return None
    if folder_by_id(call, org, asked, workspace_id) is None:
        where = org.handle if workspace_id is None else "the workspace"
        raise bad_request("body.parent_id", f"{asked} is not a connection folder in {where}")
    if moved is not None and moved.id in ancestry(call, asked):
        raise bad_request("body.parent_id", f"{asked} is the folder itself, or in it")
    return str(asked)


def ancestry(call: Call, id_: str) -> list[str]:
    """The id of something, and of the folders above it, nearest first."""
    return [
        str(found)
        for (found,) in call.db.execute(
            "WITH RECURSIVE up (id, parent) AS (SELECT id, parent FROM connection WHERE id = ?"
            " UNION SELECT n.id, n.parent FROM connection n JOIN up ON n.id = up.parent) SELECT id FROM up",
            (id_,),
        )
    ]


def trunk_in(db: sqlite3.Connection, folder_id: str | None) -> str:
    """The trunk of something in a folder: JSON objects, each after a comma, outermost first. Empty at the top."""
    if folder_id is None:
        return ""
    name, above = db.execute("SELECT name, trunk FROM connection WHERE id = ?", (folder_id,)).fetchone()
    item = {"id": folder_id, "title": name, "type": "connection-folder"}
    return f"{above},{msgspec.json.encode(item).decode()}"


def write_trunks(db: sqlite3.Connection, inside: str | None = None) -> None:
    """Store the folders above everything that is in a folder (without one: above everything)."""
    waiting = [inside]
    while waiting:
        at = waiting.pop()
        trunk = trunk_in(db, at)
        db.execute("UPDATE connection SET trunk = ? WHERE parent IS ? AND trunk <> ?", (trunk, at, trunk))
        waiting += [id_ for (id_,) in db.execute("SELECT id FROM connection WHERE parent IS ? AND folder = 1", (at,))]


def available(call: Call, key: str, taken: Callable[[str], bool], separator: str = "_") -> str:
    """The name that the body asks for. With `mode=available`, a taken one gets a number behind `separator`.

    The contract has the parameter, and does not say what it does. Raises Problem (409).
    """
    wanted = str(call.body[key])
    mode = call.request.get_param("mode")
    if mode not in (None, "available"):
        raise bad_request("query.mode", f"{mode!r} is not available")
    if not taken(wanted):
        return wanted
    if mode is None:
        raise Problem(409, f"there is already one called {wanted}", [(f"body.{key}", "is taken")])
    number = 2
    while taken(found := f"{wanted[:34].rstrip('_ ')}{separator}{number}"):
        number += 1
    return found
