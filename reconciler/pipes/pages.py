"""The pages of a list: how a page is decoded, and whether the list was read whole."""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from reconciler.pipes.answers import shown
from reconciler.pipes.errors import ContentError, PartialReadError

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 100  # rows, the contract's maximum
MOST = 2_000  # pages of one list: 200,000 rows are far beyond what an organization can hold
_MAX_EMPTY = 100  # empty pages in a row

Row = TypeVar("Row")

# what tells the rows of a list apart; a person may be in it once for each scope
_KEY = ("id", "scope", "user_id", "org_id", "name")


class Page(msgspec.Struct, Generic[Row]):
    """The form that every list of the contract has."""

    items: list[Row] | msgspec.UnsetType | None = msgspec.UNSET
    next_token: str | None = None


@cache
def page_type(row_type: Any) -> Any:
    """The type of a page of rows."""
    return Page[row_type]


class Listing:
    """Checks the pages of one list, in the order in which they come, for signs that the list was not read whole."""

    def __init__(self, path: str, *, unique: bool = True, most: int = MOST) -> None:
        self._path = path
        self._left = most
        self._unique = unique
        self._rows: set[Any] = set()
        self._cursors: set[str] = set()
        self._empty = 0

    def check(self, rows: list[Any], cursor: str | None) -> None:
        """Take the next page.

        Raises PartialReadError when its cursor or one of its rows came before, ContentError when there is no end of pages.
        """
        self._left -= 1
        if cursor is not None and self._left <= 0:
            raise ContentError(f"{shown(self._path)} has no end: it has more pages than anything in Pipes can fill")
        if self._unique:
            before = len(self._rows)
            row_type: Any = type(rows[0]) if rows else dict
            self._rows.update(map(_key_of(row_type), rows))
            if len(self._rows) - before < len(rows):
                raise PartialReadError(
                    f"{shown(self._path)} shifted while it was read: a row came twice, so another may be missing"
                )
        if cursor is None:
            return
        if cursor in self._cursors:
            raise PartialReadError(f"{shown(self._path)} cannot be read to its end: its cursor repeats")
        self._cursors.add(cursor)
        self._empty = 0 if rows else self._empty + 1
        if self._empty >= _MAX_EMPTY:
            raise PartialReadError(
                f"{shown(self._path)} cannot be read to its end: {_MAX_EMPTY} pages in a row were empty"
            )


@cache
def _key_of(row_type: Any) -> Callable[[Any], Any]:
    if issubclass(row_type, dict):
        return lambda row: tuple(str(row.get(name)) for name in _KEY)
    names = [name for name in _KEY if name in row_type.__struct_fields__]
    return attrgetter(*names) if names else lambda _row: None
