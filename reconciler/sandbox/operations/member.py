"""Who is in an org (contract: orgMember_*)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.sandbox import bodies, objects, users
from reconciler.sandbox.call import Call, Org, Reply, operation
from reconciler.sandbox.problems import bad_request, forbidden, not_found
from reconciler.sandbox.store import PRIMARY_TENANT_ID, head, next_opaque

if TYPE_CHECKING:
    import sqlite3

MEMBERS = "/org/{org_handle}/member"
INVITE = MEMBERS + "/invite"
MEMBER = MEMBERS + "/{user_handle}"
_FOUND = "AND (handle LIKE :q ESCAPE '\\' OR display_name LIKE :q ESCAPE '\\')"


def _row(call: Call, org_id: str, user_id: str) -> str:
    # An org's own row comes before the one that a tenant's owner has in it.
    row = call.db.execute(
        "SELECT j FROM member_row WHERE org_id = ? AND user_id = ? ORDER BY k LIMIT 1", (org_id, user_id)
    ).fetchone()
    if row is None:
        raise not_found("no such member")
    return str(row[0])


def _insert(call: Call, org: Org, user_id: str, *, status: str, invite: str | None) -> None:
    by = call.actor.id
    doc = objects.member(call.new_id("m"), org.id, user_id, role=call.body["role"], by=by, at=call.now)
    call.db.execute(
        "INSERT INTO member (id, org_id, user_id, role, status, invite, created_by, updated_by, head)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (doc["id"], org.id, user_id, doc["role"], status, invite, by, by, head(doc)),
    )


def _refuse_present(call: Call, org: Org, user_id: str, location: str) -> None:
    row = call.db.execute("SELECT status FROM member WHERE org_id = ? AND user_id = ?", (org.id, user_id)).fetchone()
    if row:
        raise bad_request(location, f"{call.handle_of(user_id)} is in {org.handle} already ({row[0]})")


@operation("GET", MEMBERS, "orgMember_list")
def org_member_list(call: Call) -> Reply:
    """The org's own rows in the order in which they came, then the tenant's owners (scope `tenant`)."""
    org = call.org()
    found = "" if not call.request.get_param("q") else _FOUND
    rest = f"WHERE org_id = :org AND k > :after {found} ORDER BY k LIMIT :limit"
    return call.page(
        f"SELECT k, j FROM member_own_row {rest}",  # noqa: S608 -- constants
        f"SELECT k, j FROM member_inherited_row {rest}",  # noqa: S608 -- constants
        org=org.id,
        q=call.query(),
    )


@operation("POST", MEMBERS, "orgMember_create", body=bodies.CREATE_ORG_USER)
def org_member_create(call: Call) -> Reply:
    """For orgs in a custom tenant only. A user who is not in the tenant cannot be added: 400."""
    org = call.org("owner")
    if org.tenant_id == PRIMARY_TENANT_ID:
        raise bad_request("path.org_handle", f"{org.handle} is in the primary tenant: invite people instead")
    user_id = call.user_id(call.body["handle"])
    if (
        user_id is None
        or not call.db.execute(
            "SELECT 1 FROM tenant_member WHERE tenant_id = ? AND user_id = ? AND status = 'accepted'",
            (org.tenant_id, user_id),
        ).fetchone()
    ):
        raise bad_request("body.handle", f"{call.body['handle']} is not a member of the tenant")
    _refuse_present(call, org, user_id, "body.handle")
    _insert(call, org, user_id, status="accepted", invite=None)
    call.audit("org_member.create", org, (user_id, call.handle_of(user_id)), {"role": call.body["role"]})
    return 201, _row(call, org.id, user_id)


@operation("POST", INVITE, "orgMember_invite", body=bodies.INVITE_ORG_USER)
def org_member_invite(call: Call) -> Reply:
    """Invite by email or by handle. An address that nobody has makes a pending user with a handle of its own.

    400 (the contract documents neither 404 nor 409) for a handle that nobody has and for people who are already in, invited
    ones included; after a decline or a removal the same person can be invited again.
    """
    org = call.org("owner")
    if org.tenant_id != PRIMARY_TENANT_ID:
        raise bad_request("path.org_handle", f"{org.handle} is in a custom tenant: add its members instead")
    email, handle = call.body.get("email"), call.body.get("handle")
    if (email is None) == (handle is None):
        raise bad_request("body", "needs exactly one of email and handle")
    if handle is not None:
        found = call.user_id(handle)
        if found is None:
            raise bad_request("body.handle", f"there is no user {handle}")
        user_id = found
    else:
        user_id = users.invited_by_email(call, str(email), org.tenant_id)
    _refuse_present(call, org, user_id, "body.email" if handle is None else "body.handle")
    _insert(call, org, user_id, status="invited", invite=next_opaque(call.db, 40))
    call.audit("org_member.invite", org, (user_id, call.handle_of(user_id)), call.body)
    return 201, _row(call, org.id, user_id)


def _invitation(call: Call) -> tuple[str, str, Org]:
    token = call.request.get_param("t")
    if not token:
        raise bad_request("query.t", "is missing")
    row = call.db.execute(
        "SELECT m.id, m.user_id, m.head, o.id, o.handle, o.tenant_id, o.workspace_limit, o.head FROM member m"
        " JOIN org o ON o.id = m.org_id WHERE m.invite = ? AND (o.handle = ? OR o.id = ?)",
        (token, call.params["org_handle"], call.params["org_handle"]),
    ).fetchone()
    if row is None:
        raise bad_request("query.t", "is not a pending invitation of this organization")
    org = Org(row[3], row[4], row[5], row[6], "", row[7], None)
    if row[1] != call.actor.id:
        raise forbidden("the invitation is somebody else's")
    return row[0], row[2], org


@operation("GET", INVITE + "/confirm", "orgMember_confirmInvite", writes=True)
def org_member_confirm_invite(call: Call) -> Reply:
    """The invited person accepts. It is a GET that writes, and answers 201 without a body (so the contract)."""
    id_, text, org = _invitation(call)
    _, edited = call.edited(text)
    call.db.execute(
        "UPDATE member SET status = 'accepted', invite = NULL, updated_by = ?, head = ? WHERE id = ?",
        (call.actor.id, edited, id_),
    )
    users.accepted_invitation(call, call.actor.id)
    call.audit("org_member.confirm", org, (call.actor.id, call.actor.handle), {"status": "accepted"})
    return 201, None


@operation("DELETE", INVITE, "orgMember_deleteInvite")
def org_member_delete_invite(call: Call) -> Reply:
    """The invited person declines: the row is gone, the user stays."""
    id_, _, org = _invitation(call)
    call.db.execute("DELETE FROM member WHERE id = ?", (id_,))
    call.audit("org_member.decline", org, (call.actor.id, call.actor.handle), {})
    return 204, None


@operation("GET", MEMBER, "orgMember_get")
def org_member_get(call: Call) -> Reply:
    """404 for a user who is not in the org; 403 when there is no such org (observed of deleted ones)."""
    org = call.org()
    return 200, _row(call, org.id, _user(call, org))


def _user(call: Call, org: Org) -> str:
    asked = call.params["user_handle"]
    user_id = call.user_id(asked)
    if user_id is None:
        raise not_found(f"{asked} is not a member of {org.handle}")
    return user_id


def _own_row(call: Call, org: Org, user_id: str) -> sqlite3.Row:
    """A membership that can be changed here: one of the org's own, and within a service account's limit."""
    row = call.db.execute(
        "SELECT m.id, m.role, m.head, u.service FROM member m JOIN user u ON u.id = m.user_id"
        " WHERE m.org_id = ? AND m.user_id = ?",
        (org.id, user_id),
    ).fetchone()
    if row is None:
        if call.db.execute("SELECT 1 FROM member_row WHERE org_id = ? AND user_id = ?", (org.id, user_id)).fetchone():
            raise forbidden(f"{call.params['user_handle']} is an owner of the tenant; this cannot be changed in an org")
        raise not_found(f"{call.params['user_handle']} is not a member of {org.handle}")
    if call.actor.service and row[3] and row[1] == "owner" and user_id != call.actor.id:
        raise forbidden("a service account cannot change other service accounts that are owners")
    found: sqlite3.Row = row
    return found


@operation("PATCH", MEMBER, "orgMember_update", body=bodies.UPDATE_ORG_USER)
def org_member_update(call: Call) -> Reply:
    """Change the role. Grants stay, whatever the role becomes.

    The last accepted owner may be demoted: whether the API refuses it is not known, and refusing it here would hide a
    client's mistake.
    """
    org = call.org("owner", missing=404)
    user_id = _user(call, org)
    id_, role, text, _ = _own_row(call, org, user_id)
    _, edited = call.edited(text, role=call.body["role"])
    call.db.execute(
        "UPDATE member SET role = ?, updated_by = ?, head = ? WHERE id = ?",
        (call.body["role"], call.actor.id, edited, id_),
    )
    call.audit(
        "org_member.update",
        org,
        (user_id, call.handle_of(user_id)),
        {"old": {"role": role}, "new": {"role": call.body["role"]}},
    )
    return 200, _row(call, org.id, user_id)


@operation("DELETE", MEMBER, "orgMember_delete")
def org_member_delete(call: Call) -> Reply:
    """Remove a member, with all grants, or cancel an invitation. Anybody may leave; the last owner may go, as above."""
    org = call.org(missing=404)
    user_id = _user(call, org)
    if org.role != "owner" and user_id != call.actor.id:
        raise forbidden(f"only an owner of {org.handle} can do this")
    id_, role, text, _ = _own_row(call, org, user_id)
    call.edited(text)
    removed = _row(call, org.id, user_id)
    call.db.execute("DELETE FROM member WHERE id = ?", (id_,))
    call.audit("org_member.delete", org, (user_id, call.handle_of(user_id)), {"role": role})
    return 200, removed
