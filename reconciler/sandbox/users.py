"""Users: how they are created (by an invitation, or as service accounts), and how they appear as identities."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.sandbox import objects, tokens
from reconciler.sandbox.problems import Problem
from reconciler.sandbox.store import document, head, next_opaque

if TYPE_CHECKING:
    from reconciler.sandbox.call import Call, Org

PUBLISH = (
    "INSERT INTO identity (id, handle, type, display_name, row) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET handle = excluded.handle, display_name = excluded.display_name, row = excluded.row"
)


def identity_values(doc: dict[str, Any], type_: str) -> tuple[str, str, str, str, str]:
    """The values of `PUBLISH` for a user or an org."""
    row = msgspec.json.encode(objects.identity(doc, type_)).decode()
    return doc["id"], doc["handle"], type_, doc.get("display_name", ""), row


def publish(call: Call, doc: dict[str, Any], type_: str) -> None:
    """Show a user or an org as an identity, under its handle in the namespace that both share.

    Raises Problem (409) when another identity has the handle. The contract documents a 409 for creating only; a
    rename to a taken handle gets the same answer.
    """
    handle = doc["handle"]
    if call.db.execute("SELECT 1 FROM identity WHERE handle = ? AND id <> ?", (handle, doc["id"])).fetchone():
        raise Problem(409, f"the handle {handle} is taken", [("body.handle", "is taken")])
    call.db.execute(PUBLISH, identity_values(doc, type_))


def _free_handle(call: Call, stem: str) -> str:
    handle, number = stem, 1
    while call.db.execute("SELECT 1 FROM identity WHERE handle = ?", (handle,)).fetchone():
        number += 1
        handle = f"{stem}-{number}"
    return handle


def _insert(call: Call, doc: dict[str, Any], org_id: str = "") -> None:
    publish(call, doc, "user")
    call.db.execute(
        "INSERT INTO user (id, handle, tenant_id, display_name, service, org_id, head) VALUES (?, ?, ?, '', ?, ?, ?)",
        (doc["id"], doc["handle"], doc["tenant_id"], int(doc["type"] == objects.SERVICE_ACCOUNT), org_id, head(doc)),
    )


def invited_by_email(call: Call, address: str, tenant_id: str) -> str:
    """The id of the user who has an address. If nobody has it, a new pending user gets a handle made from it."""
    row = call.db.execute("SELECT user_id FROM email WHERE email = ?", (address,)).fetchone()
    if row:
        return str(row[0])
    stem = re.sub(r"[^a-z0-9]+", "-", address.split("@", maxsplit=1)[0].lower()).strip("-")[:20].strip("-") or "user"
    id_ = call.new_id("u")
    _insert(call, objects.user(id_, _free_handle(call, stem), tenant_id=tenant_id, at=call.now, status="pending"))
    doc = objects.email(call.new_id("up"), address, tenant_id=tenant_id, at=call.now, status="pending")
    call.db.execute("INSERT INTO email (user_id, email, head) VALUES (?, ?, ?)", (id_, address, head(doc)))
    # The token that they would make after signing up.
    tokens.new_token(call, id_, by=id_)
    return id_


def accepted_invitation(call: Call, user_id: str) -> None:
    """Somebody answered an invitation: their user is accepted and their address verified from now on."""
    user, address = call.db.execute(
        "SELECT u.head, e.head FROM user u LEFT JOIN email e ON e.user_id = u.id WHERE u.id = ?", (user_id,)
    ).fetchone()
    doc = document(user)
    if doc["status"] == "accepted":
        return
    doc.update(status="accepted", version_id=doc["version_id"] + 1, updated_at=call.now)
    call.db.execute("UPDATE user SET head = ? WHERE id = ?", (head(doc), user_id))
    if address:
        doc = document(address)
        doc.update(status="verified", version_id=doc["version_id"] + 1, updated_at=call.now)
        call.db.execute("UPDATE email SET head = ? WHERE user_id = ?", (head(doc), user_id))


def new_service_account(call: Call, org: Org, *, title: str, description: str) -> str:
    """Create a service account of an org, under a handle that nobody chose. Returns its id."""
    id_ = call.new_id("u")
    handle = _free_handle(call, f"sa-{next_opaque(call.db, 10)}")
    doc = objects.user(
        id_,
        handle,
        tenant_id=org.tenant_id,
        at=call.now,
        type_=objects.SERVICE_ACCOUNT,
        org_id=org.id,
        title=title,
        description=description,
    )
    _insert(call, doc, org.id)
    return id_


def delete(call: Call, user_id: str) -> dict[str, Any]:
    """End a user: memberships, grants, tokens and addresses go, and the handle is free again. Returns the former user."""
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
    return doc


def delete_service_accounts(call: Call, org: Org) -> None:
    """End all service accounts of an org that is about to be deleted."""
    for statement in (
        "DELETE FROM member WHERE user_id IN (SELECT id FROM user WHERE org_id = ?)",
        "DELETE FROM token WHERE user_id IN (SELECT id FROM user WHERE org_id = ?)",
        "DELETE FROM identity WHERE id IN (SELECT id FROM user WHERE org_id = ?)",
        "UPDATE user SET deleted = 1 WHERE org_id = ?",
    ):
        call.db.execute(statement, (org.id,))
