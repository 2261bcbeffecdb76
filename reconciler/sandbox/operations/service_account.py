"""Service accounts of an org and their tokens (contract: orgServiceAccount_*, orgServiceAccountToken_*).

Facts from the manual: an account is a member of its org from the start, Pipes chooses its handle, and it has at most two
tokens. An account that owns the org may create others, and change and delete those that do not own it; it manages its
own tokens and theirs. One that does not own the org may change none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.sandbox import bodies, objects, tokens, users
from reconciler.sandbox.call import operation
from reconciler.sandbox.problems import bad_request, forbidden, not_found
from reconciler.sandbox.store import PRIMARY_TENANT_ID, head, numbered

if TYPE_CHECKING:
    from reconciler.sandbox.call import Call, Org, Reply

ACCOUNTS = "/org/{org_handle}/service_account"
ACCOUNT = ACCOUNTS + "/{service_account_identifier}"
TOKENS = ACCOUNT + "/token"
TOKEN = TOKENS + "/{token_id}"


def _account(call: Call, org: Org) -> str:
    """The id of the account of the path, which may name it by id or by handle. Raises Problem (404)."""
    asked = call.params["service_account_identifier"]
    row = call.db.execute(
        "SELECT id FROM user WHERE org_id = ?1 AND deleted = 0 AND (id = ?2 OR handle = ?2)", numbered(org.id, asked)
    ).fetchone()
    if row is None:
        raise not_found(f"no service account {asked} in {org.handle}")
    return str(row[0])


def _row(call: Call, account_id: str) -> str:
    return str(call.db.execute("SELECT head || '}' FROM user WHERE id = ?", (account_id,)).fetchone()[0])


def _changed(call: Call, *, own: bool = False) -> tuple[Org, str]:
    """The org and the account of a request that changes it. `own`: an owner account may do this to itself, too."""
    org = call.org("owner", missing=404)
    account_id = _account(call, org)
    if call.actor.service and not (own and account_id == call.actor.id):
        role = call.db.execute(
            "SELECT role FROM member WHERE org_id = ? AND user_id = ?", (org.id, account_id)
        ).fetchone()
        if role is not None and role[0] == "owner":
            raise forbidden("a service account cannot change service accounts that own the organization")
    return org, account_id


@operation("GET", ACCOUNTS, "orgServiceAccount_list")
def org_service_account_list(call: Call) -> Reply:
    """The org's own; those of a custom tenant belong to the tenant. One whose membership was removed is still there."""
    return call.page(
        "SELECT seq, head || '}' FROM user WHERE org_id = :org AND deleted = 0 AND seq > :after ORDER BY seq LIMIT :limit",
        org=call.org(missing=404).id,
    )


@operation("POST", ACCOUNTS, "orgServiceAccount_create", body=bodies.CREATE_SERVICE_ACCOUNT)
def org_service_account_create(call: Call) -> Reply:
    """It is a member at once. In a custom tenant the tenant makes them: 400."""
    org = call.org("owner")
    if org.tenant_id != PRIMARY_TENANT_ID:
        raise bad_request("path.org_handle", f"{org.handle} is in a custom tenant, which makes its service accounts")
    account_id = users.new_service_account(
        call, org, title=call.body.get("title", ""), description=call.body.get("description", "")
    )
    by = call.actor.id
    doc = objects.member(call.new_id("m"), org.id, account_id, role="member", by=by, at=call.now)
    call.db.execute(
        "INSERT INTO member (id, org_id, user_id, role, status, created_by, updated_by, head)"
        " VALUES (?, ?, ?, 'member', 'accepted', ?, ?, ?)",
        (doc["id"], org.id, account_id, by, by, head(doc)),
    )
    call.audit("service_account.create", org, (account_id, call.handle_of(account_id)), call.body)
    return 201, _row(call, account_id)


@operation("GET", ACCOUNT, "orgServiceAccount_get")
def org_service_account_get(call: Call) -> Reply:
    org = call.org(missing=404)
    return 200, _row(call, _account(call, org))


@operation("PATCH", ACCOUNT, "orgServiceAccount_update", body=bodies.UPDATE_SERVICE_ACCOUNT)
def org_service_account_update(call: Call) -> Reply:
    """Title and description, and `token_min_issued_at`, which ends its older tokens."""
    org, account_id = _changed(call)
    changes = dict(call.body)
    token_min = call.moment("token_min_issued_at")
    if token_min is not None:
        changes["token_min_issued_at"] = token_min
    text = call.db.execute("SELECT head FROM user WHERE id = ?", (account_id,)).fetchone()[0]
    doc, edited = call.edited(text, **changes)
    call.db.execute(
        "UPDATE user SET token_min = coalesce(?, token_min), head = ? WHERE id = ?", (token_min, edited, account_id)
    )
    call.audit("service_account.update", org, (account_id, doc["handle"]), call.difference(text, changes))
    return 200, _row(call, account_id)


@operation("DELETE", ACCOUNT, "orgServiceAccount_delete")
def org_service_account_delete(call: Call) -> Reply:
    """The account goes, with its membership, grants and tokens. The contract has no body here."""
    org, account_id = _changed(call)
    doc = users.delete(call, account_id)
    call.audit("service_account.delete", org, (account_id, doc["handle"]), {})
    return 204, None


@operation("GET", ACCOUNT + "/audit_log", "orgServiceAccountAudit_list")
def org_service_account_audit_list(call: Call) -> Reply:
    """What it did and what was done to it, newest first. For owners, as the org's log is."""
    org = call.org("owner", missing=404)
    return call.page(
        "SELECT -seq, row FROM audit WHERE org_id = :org AND seq < -:after"
        " AND (row ->> 'actor_id' = :account OR row ->> 'target_id' = :account) ORDER BY seq DESC LIMIT :limit",
        org=org.id,
        account=_account(call, org),
    )


# -- tokens


def _read(call: Call) -> str:
    """The account of the path, for actors who may see its tokens: owners of the org, and the account itself."""
    org = call.org(missing=404)
    account_id = _account(call, org)
    if org.role != "owner" and account_id != call.actor.id:
        raise forbidden(f"only an owner of {org.handle} can do this")
    return account_id


@operation("GET", TOKENS, "orgServiceAccountToken_list")
def org_service_account_token_list(call: Call) -> Reply:
    return tokens.page(call, _read(call))


@operation("POST", TOKENS, "orgServiceAccountToken_create", body=bodies.CREATE_TOKEN)
def org_service_account_token_create(call: Call) -> Reply:
    """The one answer that has the token's value. 400 for a third one (the contract has no 402 here)."""
    org, account_id = _changed(call, own=True)
    id_, made = tokens.create(call, account_id, tokens.SERVICE_ACCOUNT_LIMIT, beyond=400)
    call.audit("service_account_token.create", org, (account_id, call.handle_of(account_id)), {"token_id": id_})
    return 201, msgspec.json.encode(made).decode()


@operation("GET", TOKEN, "orgServiceAccountToken_get")
def org_service_account_token_get(call: Call) -> Reply:
    return 200, tokens.row(call, tokens.find(call, _read(call))[0])


@operation("PATCH", TOKEN, "orgServiceAccountToken_update", body=bodies.UPDATE_TOKEN)
def org_service_account_token_update(call: Call) -> Reply:
    org, account_id = _changed(call, own=True)
    found = tokens.find(call, account_id)
    changed = tokens.update(call, found)
    said = {"token_id": found[0], **call.body}
    call.audit("service_account_token.update", org, (account_id, call.handle_of(account_id)), said)
    return 200, changed


@operation("DELETE", TOKEN, "orgServiceAccountToken_delete")
def org_service_account_token_delete(call: Call) -> Reply:
    org, account_id = _changed(call, own=True)
    found = tokens.find(call, account_id)
    removed = tokens.delete(call, found)
    call.audit("service_account_token.delete", org, (account_id, call.handle_of(account_id)), {"token_id": found[0]})
    return 200, removed
