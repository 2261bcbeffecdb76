"""The `where` parameter: an SQL filter that is "parsed and sanitised and checked against the supported columns"."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import TYPE_CHECKING, Any

from reconciler.sandbox.problems import bad_request

if TYPE_CHECKING:
    from reconciler.sandbox.call import Call

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[a-z_]+)|(?P<sign><=|>=|<>|!=|[=<>(),]))",
    re.IGNORECASE,
)
_KEYWORDS = {"and", "or", "not", "in", "is", "null", "like", "between"}


def where(call: Call, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that the request's `where` admits; all of them without one. Raises Problem (400) for a bad filter."""
    text = call.request.get_param("where")
    if not text:
        return rows
    columns = sorted({key for row in rows for key, value in row.items() if not isinstance(value, dict)})
    condition = _checked(text, columns)
    selected = ", ".join(f"value ->> '{column}' AS \"{column}\"" for column in columns)
    # Safe: the condition holds nothing but literals, keywords and names of these columns.
    query = f"SELECT key FROM (SELECT key, {selected} FROM json_each(?)) WHERE ({condition})"  # noqa: S608
    try:
        keys = {key for (key,) in call.db.execute(query, (json.dumps(rows),))}
    except sqlite3.Error as error:
        raise bad_request("query.where", f"is not a filter: {error}") from error
    return [row for key, row in enumerate(rows) if key in keys]


def _checked(text: str, columns: list[str]) -> str:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise bad_request("query.where", f"cannot be read from {text[at : at + 20]!r} on")
        word = found["word"]
        if word and word.lower() not in _KEYWORDS and word not in columns:
            raise bad_request("query.where", f"{word} is not among the columns {', '.join(columns)}")
        # `limit` and others are columns here and keywords to SQLite.
        tokens.append(f'"{word}"' if word in columns else found[0].strip())
        at = found.end()
    return " ".join(tokens)
