"""Tenants and who is in them (contract: tenant_*, tenantMember_*)."""

from __future__ import annotations

import msgspec

from reconciler.sandbox import bodies, objects, users
from reconciler.sandbox.call import Call, Reply, operation
from reconciler.sandbox.problems import Problem, bad_request, forbidden, not_found
from reconciler.sandbox.store import PRIMARY_TENANT_ID, head, next_opaque, numbered

TENANT = "/tenant/{tenant_handle}"
MEMBERS = TENANT + "/member"
INVITE = MEMBERS + "/invite"
MEMBER = MEMBERS + "/{user_handle}"


class _Tenant(msgspec.Struct, frozen=True):
    id: str
    handle: str
    head: str
    token_min: str
    role: str | None


def _tenant(call: Call, need: str = "member", *, missing: int = 403) -> _Tenant:
    """The tenant of the path. Everybody is in the primary tenant and nobody owns it."""
    asked = call.params["tenant_handle"]
    row = call.db.execute(
        "SELECT t.id, t.handle, t.head, t.token_min, m.role FROM tenant t LEFT JOIN tenant_member m"
        " ON m.tenant_id = t.id AND m.user_id = ?1 AND m.status = 'accepted' WHERE t.handle = ?2 OR t.id = ?2",
        numbered(call.actor.id, asked),
    ).fetchone()
    if row is None:
        raise not_found(f"no tenant {asked}") if missing == 404 else forbidden(f"no access to the tenant {asked}")
    found = _Tenant(*row)
    if call.actor.issued_at < found.token_min:
        raise Problem(401, f"{asked} accepts only tokens issued after {found.token_min}")
    role = found.role or ("member" if found.id == call.actor.tenant_id == PRIMARY_TENANT_ID else None)
    if role is None:
        raise forbidden(f"no access to the tenant {asked}")
    if need == "owner" and role != "owner":
        raise forbidden(f"only an owner of the tenant {asked} can do this")
    return found


def _row(call: Call, tenant_id: str) -> str:
    return str(call.db.execute("SELECT j FROM tenant_row WHERE id = ?", (tenant_id,)).fetchone()[0])


def _refuse_taken(call: Call, handle: str, own_id: str = "") -> None:
    if call.db.execute("SELECT 1 FROM tenant WHERE handle = ? AND id <> ?", (handle, own_id)).fetchone():
        raise Problem(409, f"the tenant handle {handle} is taken", [("body.handle", "is taken")])


@operation("GET", "/tenant", "tenant_list")
def tenant_list(call: Call) -> Reply:
    return call.page(
        "SELECT k, j FROM tenant_row t WHERE k > :after AND (t.id = :own OR EXISTS (SELECT 1 FROM tenant_member m"
        " WHERE m.tenant_id = t.id AND m.user_id = :user AND m.status = 'accepted')) ORDER BY k LIMIT :limit",
        user=call.actor.id,
        own=PRIMARY_TENANT_ID if call.actor.tenant_id == PRIMARY_TENANT_ID else "",
    )


@operation("POST", "/tenant", "tenant_create", body=bodies.CREATE_TENANT)
def tenant_create(call: Call) -> Reply:
    """The creator becomes its accepted owner, and is still a user of the tenant it came from."""
    _refuse_taken(call, call.body["handle"])
    by, at = call.actor.id, call.now
    doc = objects.tenant(
        call.new_id("t"), call.body["handle"], by=by, at=at, display_name=call.body.get("display_name", "")
    )
    call.db.execute(
        "INSERT INTO tenant (id, handle, created_by, updated_by, head) VALUES (?, ?, ?, ?, ?)",
        (doc["id"], doc["handle"], by, by, head(doc)),
    )
    _insert(call, doc["id"], by, role="owner", status="accepted", invite=None)
    return 201, _row(call, doc["id"])


@operation("GET", TENANT, "tenant_get")
def tenant_get(call: Call) -> Reply:
    return 200, _row(call, _tenant(call, missing=404).id)


@operation("PATCH", TENANT, "tenant_update", body=bodies.UPDATE_TENANT)
def tenant_update(call: Call) -> Reply:
    """`token_min_issued_at` ends older tokens for the tenant and for every org in it."""
    tenant = _tenant(call, "owner", missing=404)
    changes = dict(call.body)
    if "handle" in changes:
        _refuse_taken(call, changes["handle"], tenant.id)
    token_min = call.moment("token_min_issued_at")
    if token_min is not None:
        changes["token_min_issued_at"] = token_min
    doc, text = call.edited(tenant.head, **changes)
    call.db.execute(
        "UPDATE tenant SET handle = ?, token_min = coalesce(?, token_min), updated_by = ?, head = ? WHERE id = ?",
        (doc["handle"], token_min, call.actor.id, text, tenant.id),
    )
    return 200, _row(call, tenant.id)


@operation("DELETE", TENANT, "tenant_delete")
def tenant_delete(call: Call) -> Reply:
    """Only an empty tenant: 400 while it has orgs or users of its own."""
    tenant = _tenant(call, "owner", missing=404)
    doc, _ = call.edited(tenant.head)
    used = call.db.execute(
        "SELECT EXISTS (SELECT 1 FROM org WHERE tenant_id = ?1)"
        " OR EXISTS (SELECT 1 FROM user WHERE tenant_id = ?1 AND deleted = 0)",
        numbered(tenant.id),
    ).fetchone()[0]
    if used or tenant.id == PRIMARY_TENANT_ID:
        raise bad_request("path.tenant_handle", f"{tenant.handle} still has organizations or users")
    call.db.execute("DELETE FROM tenant WHERE id = ?", (tenant.id,))
    doc.update(deleted_at=call.now, deleted_by_id=call.actor.id)
    return 200, msgspec.json.encode(doc).decode()


def _insert(call: Call, tenant_id: str, user_id: str, *, role: str, status: str, invite: str | None) -> None:
    found = call.db.execute("SELECT email FROM email WHERE user_id = ? ORDER BY seq LIMIT 1", (user_id,)).fetchone()
    address = found[0] if found else objects.unknown_email(call.handle_of(user_id))
    by, at = call.actor.id, call.now
    doc = objects.tenant_member(call.new_id("m"), tenant_id, user_id, address=address, role=role, by=by, at=at)
    call.db.execute(
        "INSERT INTO tenant_member (id, tenant_id, user_id, role, status, invite, version, created_at, updated_at,"
        " created_by, updated_by, head) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)",
        (doc["id"], tenant_id, user_id, role, status, invite, at, at, by, by, head(doc)),
    )


def _member_row(call: Call, tenant: _Tenant, user_id: str) -> str:
    row = call.db.execute(
        "SELECT j FROM tenant_member_row WHERE tenant_id = ? AND user_id = ?", (tenant.id, user_id)
    ).fetchone()
    if row is None:
        raise not_found(f"no such member of {tenant.handle}")
    return str(row[0])


def _member(call: Call, tenant: _Tenant) -> tuple[str, str, str]:
    """The membership of the path: user id, role, head."""
    asked = call.params["user_handle"]
    row = call.db.execute(
        "SELECT m.user_id, m.role, m.head FROM tenant_member m JOIN identity i ON i.id = m.user_id"
        " WHERE m.tenant_id = ?1 AND (i.handle = ?2 OR i.id = ?2)",
        numbered(tenant.id, asked),
    ).fetchone()
    if row is None:
        raise not_found(f"{asked} is not a member of the tenant {tenant.handle}")
    return row[0], row[1], row[2]


@operation("GET", MEMBERS, "tenantMember_list")
def tenant_member_list(call: Call) -> Reply:
    """For owners: rows carry the email. The primary tenant has no list to show."""
    tenant = _tenant(call, "owner")
    return call.page(
        "SELECT k, j FROM tenant_member_row WHERE tenant_id = :tenant AND k > :after ORDER BY k LIMIT :limit",
        tenant=tenant.id,
    )


@operation("GET", MEMBER, "tenantMember_get")
def tenant_member_get(call: Call) -> Reply:
    tenant = _tenant(call, "owner")
    user_id, _, _ = _member(call, tenant)
    return 200, _member_row(call, tenant, user_id)


@operation("PATCH", MEMBER, "tenantMember_update", body=bodies.UPDATE_TENANT_USER)
def tenant_member_update(call: Call) -> Reply:
    tenant = _tenant(call, "owner", missing=404)
    user_id, role, text = _member(call, tenant)
    doc, edited = call.edited(text, role=call.body.get("role", role))
    call.db.execute(
        "UPDATE tenant_member SET role = ?, version = ?, updated_at = ?, updated_by = ?, head = ?"
        " WHERE tenant_id = ? AND user_id = ?",
        (doc["role"], doc["version_id"], doc["updated_at"], call.actor.id, edited, tenant.id, user_id),
    )
    return 200, _member_row(call, tenant, user_id)


@operation("DELETE", MEMBER, "tenantMember_delete")
def tenant_member_delete(call: Call) -> Reply:
    """A user who leaves a tenant leaves its orgs, and loses every grant in them."""
    tenant = _tenant(call, "owner", missing=404)
    user_id, _, text = _member(call, tenant)
    call.edited(text)
    removed = _member_row(call, tenant, user_id)
    call.db.execute("DELETE FROM tenant_member WHERE tenant_id = ? AND user_id = ?", (tenant.id, user_id))
    call.db.execute(
        "DELETE FROM member WHERE user_id = ? AND org_id IN (SELECT id FROM org WHERE tenant_id = ?)",
        (user_id, tenant.id),
    )
    return 200, removed


@operation("POST", INVITE, "tenantMember_invite", body=bodies.INVITE_TENANT_USER)
def tenant_member_invite(call: Call) -> Reply:
    """By email only. 400 for users who are already in the tenant."""
    tenant = _tenant(call, "owner")
    if tenant.id == PRIMARY_TENANT_ID:
        raise forbidden("nobody is invited to the primary tenant")
    user_id = users.invited_by_email(call, call.body["email"], tenant.id)
    if call.db.execute(
        "SELECT 1 FROM tenant_member WHERE tenant_id = ? AND user_id = ?", (tenant.id, user_id)
    ).fetchone():
        raise bad_request("body.email", f"{call.handle_of(user_id)} is in {tenant.handle} already")
    _insert(call, tenant.id, user_id, role=call.body["role"], status="invited", invite=next_opaque(call.db, 40))
    return 201, _member_row(call, tenant, user_id)


def _invitation(call: Call) -> tuple[str, str]:
    token = call.request.get_param("t")
    if not token:
        raise bad_request("query.t", "is missing")
    row = call.db.execute(
        "SELECT m.id, m.user_id, m.head FROM tenant_member m JOIN tenant t ON t.id = m.tenant_id"
        " WHERE m.invite = ?1 AND (t.handle = ?2 OR t.id = ?2)",
        numbered(token, call.params["tenant_handle"]),
    ).fetchone()
    if row is None:
        raise bad_request("query.t", "is not a pending invitation of this tenant")
    if row[1] != call.actor.id:
        raise forbidden("the invitation is somebody else's")
    return row[0], row[2]


@operation("GET", INVITE + "/confirm", "tenantMember_confirmInvite", writes=True)
def tenant_member_confirm_invite(call: Call) -> Reply:
    id_, text = _invitation(call)
    doc, edited = call.edited(text)
    call.db.execute(
        "UPDATE tenant_member SET status = 'accepted', invite = NULL, version = ?, updated_at = ?, updated_by = ?,"
        " head = ? WHERE id = ?",
        (doc["version_id"], doc["updated_at"], call.actor.id, edited, id_),
    )
    users.accepted_invitation(call, call.actor.id)
    return 201, None


@operation("DELETE", INVITE, "tenantMember_deleteInvite")
def tenant_member_delete_invite(call: Call) -> Reply:
    id_, _ = _invitation(call)
    call.db.execute("DELETE FROM tenant_member WHERE id = ?", (id_,))
    return 204, None
