"""Tokens: who a token belongs to, how long it lasts, and what users and service accounts do with theirs."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.sandbox import objects
from reconciler.sandbox.problems import Problem, not_found
from reconciler.sandbox.store import head, timestamp

if TYPE_CHECKING:
    import sqlite3

    from reconciler.sandbox.call import Call, Reply

USER_LIMIT = 5
SERVICE_ACCOUNT_LIMIT = 2
"""How many tokens each may have (manual: five a user, two a service account)."""


def new_secret() -> str:
    """A token's value. Nobody must be able to guess it, so it alone is not made from the world's seed."""
    return f"tpt_{base64.b32hexencode(secrets.token_bytes(25)).decode().lower()}"


def holder(db: sqlite3.Connection, authorization: str, now: str) -> sqlite3.Row:
    """Who sends a request: id, handle, display_name, tenant_id, service, and when the token was issued.

    Raises Problem (401). An expired token gets another message than an unknown one.
    """
    scheme, _, secret = authorization.partition(" ")
    row = None
    if scheme.lower() == "bearer":
        row = db.execute(
            "SELECT u.id, u.handle, u.display_name, u.tenant_id, u.service, t.issued_at, t.expires_at FROM token t"
            " JOIN user u ON u.id = t.user_id WHERE t.secret = ? AND t.status = 'active' AND t.issued_at >= u.token_min",
            (secret.strip(),),
        ).fetchone()
    if row is None:
        raise _unauthorized("no valid token")
    if row[6] and row[6] <= now:
        raise _unauthorized(f"the token expired at {row[6]}")
    found: sqlite3.Row = row[:6]
    return found


def _unauthorized(why: str) -> Problem:
    challenge = f'Bearer error="invalid_token", error_description="{why}"' if "expired" in why else "Bearer"
    return Problem(401, why, headers={"WWW-Authenticate": challenge})


INSERT = (
    "INSERT INTO token (id, user_id, secret, issued_at, expires_at, status, created_by, updated_by, head)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def new_token(
    call: Call, user_id: str, *, by: str, title: str = "", description: str = "", expiration: int = 0
) -> tuple[str, str]:
    """A token for a user, which ends after `expiration` seconds (0: never). Its id and its value."""
    id_, secret = call.new_id("k"), new_secret()
    expires_at = timestamp(datetime.fromisoformat(call.now) + timedelta(seconds=expiration)) if expiration else ""
    doc = objects.token(
        id_, user_id, secret, by=by, at=call.now, expires_at=expires_at, title=title, description=description
    )
    call.db.execute(INSERT, (id_, user_id, secret, call.now, expires_at, "active", by, by, head(doc)))
    return id_, secret


# -- what the operations on tokens share


def page(call: Call, user_id: str) -> Reply:
    """A user's tokens. A client finds its own by `last4` and `created_at`."""
    return call.page(
        "SELECT k, j FROM token_row WHERE user_id = :user AND k > :after ORDER BY k LIMIT :limit", user=user_id
    )


def find(call: Call, user_id: str) -> tuple[str, str]:
    """The token of the path: id and head. Raises Problem (404)."""
    row = call.db.execute(
        "SELECT id, head FROM token WHERE user_id = ? AND id = ?", (user_id, call.params["token_id"])
    ).fetchone()
    if row is None:
        raise not_found("no such token")
    return row[0], row[1]


def row(call: Call, token_id: str) -> str:
    """A token as an answer shows it, without its value."""
    return str(call.db.execute("SELECT j FROM token_row WHERE id = ?", (token_id,)).fetchone()[0])


def create(call: Call, user_id: str, limit: int, *, beyond: int) -> tuple[str, dict[str, Any]]:
    """Create the token that the body describes: its id, and the one answer that has its value.

    Raises Problem with the status `beyond` when there are as many as the limit allows.
    """
    there = call.db.execute("SELECT count(*) FROM token WHERE user_id = ?", (user_id,)).fetchone()[0]
    if there >= limit:
        raise Problem(beyond, f"{call.handle_of(user_id)} can have {limit} tokens and has {there}")
    id_, secret = new_token(call, user_id, by=call.actor.id, **call.body)
    return id_, {**msgspec.json.decode(row(call, id_)), "token": secret}


def update(call: Call, token: tuple[str, str]) -> str:
    """Change a token as the body says; from then on, an inactive one gets 401. Returns the changed token."""
    id_, text = token
    _, edited = call.edited(text, **call.body)
    call.db.execute(
        "UPDATE token SET status = ?, updated_by = ?, head = ? WHERE id = ?",
        (call.body["status"], call.actor.id, edited, id_),
    )
    return row(call, id_)


def delete(call: Call, token: tuple[str, str]) -> str:
    """Delete a token, and return it."""
    id_, text = token
    call.edited(text)
    removed = row(call, id_)
    call.db.execute("DELETE FROM token WHERE id = ?", (id_,))
    return removed
