"""Reading one list page after page, and checking its rows."""

from __future__ import annotations

import re
from sys import intern
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.model.errors import PipesError
from reconciler.pipes.errors import ContentError, PartialReadError
from reconciler.pipes.pages import Listing
from reconciler.pipes.reading.state import report_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.kinds.kind import Kind
    from reconciler.model.live import Resource
    from reconciler.pipes.reading.state import Run

_READINGS = 3  # of a list that shifts while it is read


class ListOf(msgspec.Struct, frozen=True):
    """Which list is read, and what the progress display calls it."""

    path: str
    row_type: Any
    kind: str
    address: str
    unique: bool = True  # whether a row that comes twice shows that the list shifted


def read_list(
    run: Run,
    what: ListOf,
    take: Callable[[list[Any]], None],
    end: Callable[[PipesError | None], None],
    begin: Callable[[], None] = lambda: None,
) -> None:
    """Read a list page after page; the next is under way as soon as its cursor is known.

    `take` gets each page's rows; `end` gets None after the last page, or the error. A list that shifted is read again
    from its beginning (`begin` drops what was taken), three times at most.
    """
    readings = 0
    listing = Listing(what.path, unique=what.unique)

    def start() -> None:
        nonlocal readings, listing
        readings += 1
        listing = Listing(what.path, unique=what.unique)
        begin()
        ask({})

    def ask(params: dict[str, Any]) -> None:
        run.workers.submit(lambda: run.client.page(what.path, what.row_type, params), page, next_page=bool(params))

    def page(found: tuple[list[Any], str | None] | PipesError) -> None:
        error = found if isinstance(found, PipesError) else None
        if not isinstance(found, PipesError):
            rows, cursor = found
            try:
                listing.check(rows, cursor)
                take(rows)
            except PartialReadError as partial:
                if readings < _READINGS:
                    start()
                    return
                error = partial
            except ContentError as content:
                error = content
            if error is None and cursor is not None:
                ask({"next_token": cursor})
                return
        end(error)
        report_progress(run, what.kind, what.address)

    run.begun += 1
    start()


def belongs(kind: Kind, row: Any) -> bool:
    """Whether a row can be changed at its kind's level (contract: `scope`)."""
    if kind.is_own_row is not None:
        return kind.is_own_row(row)
    return kind.own_scope is None or not row.scope or row.scope == kind.own_scope


# most handles have nothing else in them; the others are checked one by one
is_plain = re.compile(r"[A-Za-z0-9_-]+").fullmatch


def check_all(found: list[Resource], path: str) -> None:
    """Check the handles of a whole page at once, and one by one only where that fails. Raises ContentError."""
    handles = [one.handle for one in found]
    if not (all(handles) and is_plain("".join(handles))):
        for one in found:
            checked(one, path)


def checked(found: Resource, path: str) -> Resource:
    """`found`. Raises ContentError for a handle that would lead a request elsewhere, since it becomes part of paths."""
    handle = found.handle
    if is_plain(handle):
        return found
    if handle in ("", ".", "..") or not handle.isprintable() or any(c in "/\\?#% " for c in handle):
        raise ContentError(f"{path} holds {handle[:50]!r}, which cannot be a handle")
    return found


def share_texts(rows: list[Any]) -> None:
    """Keep each text once, however many lists a person is in: this saves a fifth of the memory of a large plan."""
    for row in rows:
        row.user_id, row.user_handle = intern(row.user_id), intern(row.user_handle)
        row.role, row.status = intern(row.role or ""), intern(row.status or "")
        row.created_by_id, row.created_at = intern(row.created_by_id or ""), intern(row.created_at or "")
