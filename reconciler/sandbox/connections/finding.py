"""Connections and folders as they are stored, and finding them: an org's, or a workspace's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.sandbox.problems import not_found
from reconciler.sandbox.store import numbered

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.sandbox.call import Call, Org

_COLUMNS = "id, org_id, workspace_id, folder, name, parent, secrets, tested, head"


class Connection(msgspec.Struct, frozen=True):
    """A connection or a folder as it is stored."""

    # Which one, and where
    id: str  # of the connection
    org_id: str  # of its org
    workspace_id: str | None  # of the workspace that it belongs to; None for the org's own
    folder: int  # 1 for a folder
    name: str  # a connection's handle, a folder's title
    parent: str | None  # the folder that it lies in; None at the top

    # What it holds
    secrets: str  # digests of the secrets in its configuration, as JSON text
    tested: str  # the result of a test of it, as JSON text; empty for `ok`
    head: str  # what all rows have, as JSON text


def connection(call: Call, org: Org, workspace_id: str | None = None) -> Connection:
    """The connection of the path, by handle or id: the org's own, or the workspace's own. Raises Problem (404)."""
    return _expected(by_name, "connection", call, org, call.params["connection_handle"], workspace_id)


def folder(call: Call, org: Org, workspace_id: str | None = None) -> Connection:
    """The folder of the path: the org's own, or the workspace's own. Raises Problem (404)."""
    return _expected(folder_by_id, "connection folder", call, org, call.params["folder_id"], workspace_id)


def by_name(call: Call, org: Org, asked: str, workspace_id: str | None = None) -> Connection | None:
    """The connection with a handle or an id, if there is one."""
    return _first("folder = 0 AND (name = ?2 OR id = ?2)", call, org, asked, workspace_id)


def folder_by_id(call: Call, org: Org, asked: str, workspace_id: str | None = None) -> Connection | None:
    """The folder with an id, if there is one."""
    return _first("folder = 1 AND id = ?2", call, org, asked, workspace_id)


def _expected(
    find: Callable[[Call, Org, str, str | None], Connection | None], noun: str, call: Call, org: Org, asked: str,
    workspace_id: str | None,
) -> Connection:  # fmt: skip
    found = find(call, org, asked, workspace_id)
    if found is None:
        raise not_found(f"no {noun} {asked} in {org.handle}")
    return found


def _first(condition: str, call: Call, org: Org, asked: str, workspace_id: str | None) -> Connection | None:
    row = call.db.execute(
        f"SELECT {_COLUMNS} FROM connection WHERE org_id = ?1"  # noqa: S608 -- constants
        f" AND ifnull(workspace_id, '') = ?3 AND {condition}",
        numbered(org.id, asked, workspace_id or ""),
    ).fetchone()
    return None if row is None else Connection(*row)


def row(call: Call, connection_id: str) -> str:
    """A connection or a folder as an answer shows it."""
    return str(call.db.execute("SELECT j FROM connection_row WHERE id = ?", (connection_id,)).fetchone()[0])
