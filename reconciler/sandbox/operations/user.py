"""Users, their addresses and tokens (contract: user_*, userToken_*)."""

from __future__ import annotations

import msgspec

from reconciler.sandbox import bodies
from reconciler.sandbox.call import Call, Reply, operation
from reconciler.sandbox.problems import Problem, forbidden, not_found

USER = "/user/{user_handle}"
TOKENS = USER + "/token"
TOKEN = TOKENS + "/{token_id}"
TOKEN_LIMIT = 2
"""Contract: userToken_create, "The limit is 2 per user"."""


def _self(call: Call, *, missing: int = 403) -> str:
    """The actor's own id; everybody else's user is off limits."""
    asked = call.params["user_handle"]
    user_id = call.user_id(asked)
    if user_id is None and missing == 404:
        raise not_found(f"no user {asked}")
    if user_id != call.actor.id:
        raise forbidden(f"only {asked} can do this")
    return user_id


@operation("GET", USER, "user_get")
def user_get(call: Call) -> Reply:
    """For oneself, and for whoever shares an org or a custom tenant; `identity_get` is there for everybody else."""
    asked = call.params["user_handle"]
    user_id = call.user_id(asked)
    if user_id is None:
        raise not_found(f"no user {asked}")
    shared = call.db.execute(
        "SELECT ?1 = ?2"
        " OR EXISTS (SELECT 1 FROM member a JOIN member b ON b.org_id = a.org_id"
        " WHERE a.user_id = ?1 AND a.status = 'accepted' AND b.user_id = ?2)"
        " OR EXISTS (SELECT 1 FROM tenant_member a JOIN tenant_member b ON b.tenant_id = a.tenant_id"
        " WHERE a.user_id = ?1 AND a.status = 'accepted' AND b.user_id = ?2)",
        (call.actor.id, user_id),
    ).fetchone()[0]
    if not shared:
        raise forbidden(f"no access to {asked}")
    return 200, call.db.execute("SELECT head || '}' FROM user WHERE id = ?", (user_id,)).fetchone()[0]


@operation("PATCH", USER, "user_update", body=bodies.UPDATE_USER)
def user_update(call: Call) -> Reply:
    """`token_min_issued_at` ends the user's own older tokens, everywhere."""
    user_id = _self(call, missing=404)
    changes = dict(call.body)
    token_min = call.moment("token_min_issued_at")
    if token_min is not None:
        changes["token_min_issued_at"] = token_min
    text = call.db.execute("SELECT head FROM user WHERE id = ?", (user_id,)).fetchone()[0]
    doc, edited = call.edited(text, **changes)
    call.publish(doc, "user")
    call.db.execute(
        "UPDATE user SET handle = ?, display_name = ?, token_min = coalesce(?, token_min), head = ? WHERE id = ?",
        (doc["handle"], doc.get("display_name", ""), token_min, edited, user_id),
    )
    return 200, edited + "}"


@operation("DELETE", USER, "user_delete")
def user_delete(call: Call) -> Reply:
    """Leaves every org; tokens and addresses go, the handle is free again."""
    user_id = _self(call)
    text = call.db.execute("SELECT head FROM user WHERE id = ?", (user_id,)).fetchone()[0]
    doc, edited = call.edited(text)
    for statement in (
        "DELETE FROM member WHERE user_id = ?",
        "DELETE FROM tenant_member WHERE user_id = ?",
        "DELETE FROM token WHERE user_id = ?",
        "DELETE FROM email WHERE user_id = ?",
        "DELETE FROM identity WHERE id = ?",
        "UPDATE user SET deleted = 1 WHERE id = ?",
    ):
        call.db.execute(statement, (user_id,))
    call.db.execute("UPDATE user SET head = ? WHERE id = ?", (edited, user_id))
    return 200, msgspec.json.encode(doc).decode()


@operation("GET", USER + "/email", "user_listEmails")
def user_list_emails(call: Call) -> Reply:
    return call.page(
        "SELECT seq, head || '}' FROM email WHERE user_id = :user AND seq > :after ORDER BY seq LIMIT :limit",
        user=_self(call),
    )


def _token(call: Call, *, missing: int = 404) -> tuple[str, str, str]:
    """A token of the actor: id, status, head."""
    user_id = _self(call, missing=missing)
    row = call.db.execute(
        "SELECT id, status, head FROM token WHERE user_id = ? AND id = ?", (user_id, call.params["token_id"])
    ).fetchone()
    if row is None:
        raise not_found("no such token")
    return row[0], row[1], row[2]


def _token_row(call: Call, token_id: str) -> str:
    return str(call.db.execute("SELECT j FROM token_row WHERE id = ?", (token_id,)).fetchone()[0])


@operation("GET", TOKENS, "userToken_list")
def user_token_list(call: Call) -> Reply:
    """Rows carry `last4` and `created_at`, by which a client finds the token that it uses."""
    return call.page(
        "SELECT k, j FROM token_row WHERE user_id = :user AND k > :after ORDER BY k LIMIT :limit", user=_self(call)
    )


@operation("POST", TOKENS, "userToken_create")
def user_token_create(call: Call) -> Reply:
    """The one answer that carries the secret, as `token` (the contract's Token has no field for it)."""
    user_id = _self(call)
    there = call.db.execute("SELECT count(*) FROM token WHERE user_id = ?", (user_id,)).fetchone()[0]
    if there >= TOKEN_LIMIT:
        raise Problem(402, f"{call.actor.handle} can have {TOKEN_LIMIT} tokens and has {there}")
    id_, secret = call.new_token(user_id, by=user_id)
    return 201, msgspec.json.encode({**msgspec.json.decode(_token_row(call, id_)), "token": secret}).decode()


@operation("GET", TOKEN, "userToken_get")
def user_token_get(call: Call) -> Reply:
    return 200, _token_row(call, _token(call)[0])


@operation("PATCH", TOKEN, "userToken_update", body=bodies.UPDATE_TOKEN)
def user_token_update(call: Call) -> Reply:
    """An inactive token is answered 401 from now on."""
    id_, _, text = _token(call)
    _, edited = call.edited(text, **call.body)
    call.db.execute(
        "UPDATE token SET status = ?, updated_by = ?, head = ? WHERE id = ?",
        (call.body["status"], call.actor.id, edited, id_),
    )
    return 200, _token_row(call, id_)


@operation("DELETE", TOKEN, "userToken_delete")
def user_token_delete(call: Call) -> Reply:
    id_, _, text = _token(call, missing=403)
    call.edited(text)
    removed = _token_row(call, id_)
    call.db.execute("DELETE FROM token WHERE id = ?", (id_,))
    return 200, removed
