"""Users, their addresses and tokens (contract: user_*, userToken_*). Service accounts have their own module."""

from __future__ import annotations

import msgspec

from reconciler.sandbox import bodies, tokens, users
from reconciler.sandbox.call import Call, Reply, operation
from reconciler.sandbox.problems import forbidden, not_found
from reconciler.sandbox.store import numbered

USER = "/user/{user_handle}"
TOKENS = USER + "/token"
TOKEN = TOKENS + "/{token_id}"


def _self(call: Call, *, missing: int = 403, change: bool = False) -> str:
    """The actor's own id; everybody else's user is off limits. `change`: a service account is changed in its org."""
    asked = call.params["user_handle"]
    user_id = call.user_id(asked)
    if user_id is None and missing == 404:
        raise not_found(f"no user {asked}")
    if user_id != call.actor.id:
        raise forbidden(f"only {asked} can do this")
    if change and call.actor.service:
        raise forbidden(f"{asked} is a service account: change it in its organization")
    return user_id


@operation("GET", USER, "user_get")
def user_get(call: Call) -> Reply:
    """Oneself, and users of the same org or custom tenant. `identity_get` is for everybody else."""
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
        numbered(call.actor.id, user_id),
    ).fetchone()[0]
    if not shared:
        raise forbidden(f"no access to {asked}")
    return 200, call.db.execute("SELECT head || '}' FROM user WHERE id = ?", (user_id,)).fetchone()[0]


@operation("PATCH", USER, "user_update", body=bodies.UPDATE_USER)
def user_update(call: Call) -> Reply:
    """`token_min_issued_at` ends the user's own older tokens, everywhere."""
    user_id = _self(call, missing=404, change=True)
    changes = dict(call.body)
    token_min = call.moment("token_min_issued_at")
    if token_min is not None:
        changes["token_min_issued_at"] = token_min
    text = call.db.execute("SELECT head FROM user WHERE id = ?", (user_id,)).fetchone()[0]
    doc, edited = call.edited(text, **changes)
    users.publish(call, doc, "user")
    call.db.execute(
        "UPDATE user SET handle = ?, display_name = ?, token_min = coalesce(?, token_min), head = ? WHERE id = ?",
        (doc["handle"], doc.get("display_name", ""), token_min, edited, user_id),
    )
    return 200, edited + "}"


@operation("DELETE", USER, "user_delete")
def user_delete(call: Call) -> Reply:
    """Leaves every org; tokens and addresses go, the handle is free again."""
    return 200, msgspec.json.encode(users.delete(call, _self(call, change=True))).decode()


@operation("GET", USER + "/email", "user_listEmails")
def user_list_emails(call: Call) -> Reply:
    return call.page(
        "SELECT seq, head || '}' FROM email WHERE user_id = :user AND seq > :after ORDER BY seq LIMIT :limit",
        user=_self(call),
    )


@operation("GET", TOKENS, "userToken_list")
def user_token_list(call: Call) -> Reply:
    return tokens.page(call, _self(call))


@operation("POST", TOKENS, "userToken_create")
def user_token_create(call: Call) -> Reply:
    """The one answer that carries the token's value, as `token` (the contract's Token has no field for it).

    The contract's text says two a user, the newer manual five.
    """
    _, made = tokens.create(call, _self(call, change=True), tokens.USER_LIMIT, beyond=402)
    return 201, msgspec.json.encode(made).decode()


@operation("GET", TOKEN, "userToken_get")
def user_token_get(call: Call) -> Reply:
    return 200, tokens.row(call, tokens.find(call, _self(call, missing=404))[0])


@operation("PATCH", TOKEN, "userToken_update", body=bodies.UPDATE_TOKEN)
def user_token_update(call: Call) -> Reply:
    return 200, tokens.update(call, tokens.find(call, _self(call, missing=404, change=True)))


@operation("DELETE", TOKEN, "userToken_delete")
def user_token_delete(call: Call) -> Reply:
    return 200, tokens.delete(call, tokens.find(call, _self(call, change=True)))
