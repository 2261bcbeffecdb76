"""Organizations (contract: org_*)."""

from __future__ import annotations

import msgspec

from reconciler.sandbox import bodies, connections, objects, users
from reconciler.sandbox.call import Call, Org, Reply, operation
from reconciler.sandbox.operations.where import where
from reconciler.sandbox.problems import Problem, bad_request, forbidden, not_found
from reconciler.sandbox.store import PRIMARY_TENANT_ID, document, head

ORG = "/org/{org_handle}"
IMAGE_BYTES = 2 * 1024**2
_IMAGES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


def _row(call: Call, org_id: str) -> str:
    return str(call.db.execute("SELECT j FROM org_row WHERE id = ?", (org_id,)).fetchone()[0])


@operation("GET", "/org", "org_list")
def org_list(call: Call) -> Reply:
    """The orgs that the actor can read: as a member or as an owner of their tenant."""
    return call.page(
        "SELECT k, j FROM org_row o WHERE k > :after AND ("
        " EXISTS (SELECT 1 FROM member m WHERE m.org_id = o.id AND m.user_id = :user AND m.status = 'accepted')"
        " OR EXISTS (SELECT 1 FROM tenant_member t WHERE t.tenant_id = o.tenant_id AND t.user_id = :user"
        " AND t.status = 'accepted' AND t.role = 'owner')) ORDER BY k LIMIT :limit",
        user=call.actor.id,
    )


@operation("POST", "/org", "org_create", body=bodies.CREATE_ORG)
def org_create(call: Call) -> Reply:
    """The creator becomes an accepted owner. The org is in its creator's tenant (the contract names none in the body)."""
    limit, owned = call.db.execute(
        "SELECT org_limit, (SELECT count(*) FROM member WHERE user_id = u.id AND role = 'owner' AND status = 'accepted')"
        " FROM user u WHERE id = ?",
        (call.actor.id,),
    ).fetchone()
    if limit is not None and owned >= limit:
        raise Problem(402, f"{call.actor.handle} can own {limit} organizations and owns {owned}")
    if call.actor.service:
        raise forbidden("a service account cannot create organizations")
    if (
        call.actor.tenant_id != PRIMARY_TENANT_ID
        and not call.db.execute(
            "SELECT 1 FROM tenant_member WHERE tenant_id = ? AND user_id = ? AND status = 'accepted' AND role = 'owner'",
            (call.actor.tenant_id, call.actor.id),
        ).fetchone()
    ):
        raise forbidden("only owners of a custom tenant create organizations in it")
    by, at = call.actor.id, call.now
    doc = objects.org(
        call.new_id("o"),
        call.body["handle"],
        tenant_id=call.actor.tenant_id,
        by=by,
        at=at,
        display_name=call.body.get("display_name", ""),
        url=call.body.get("url", ""),
    )
    users.publish(call, doc, "org")
    call.db.execute(
        "INSERT INTO org (id, handle, tenant_id, workspace_limit, created_by, updated_by, head)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (doc["id"], doc["handle"], doc["tenant_id"], objects.WORKSPACE_LIMIT, by, by, head(doc)),
    )
    member = objects.member(call.new_id("m"), doc["id"], by, role="owner", by=by, at=at)
    call.db.execute(
        "INSERT INTO member (id, org_id, user_id, role, status, created_by, updated_by, head)"
        " VALUES (?, ?, ?, 'owner', 'accepted', ?, ?, ?)",
        (member["id"], doc["id"], by, by, by, head(member)),
    )
    org = Org(doc["id"], doc["handle"], doc["tenant_id"], objects.WORKSPACE_LIMIT, "", head(doc), "owner")
    call.audit("org.create", org, (org.id, org.handle), call.body)
    return 201, _row(call, org.id)


@operation("GET", ORG, "org_get")
def org_get(call: Call) -> Reply:
    return 200, _row(call, call.org(missing=404).id)


@operation("PATCH", ORG, "org_update", body=bodies.UPDATE_ORG)
def org_update(call: Call) -> Reply:
    """A new handle renames: the id stays, the `host` of every workspace follows.

    Usage thresholds belong to whoever is billed (manual): in a custom tenant that is the tenant.
    """
    org = call.org("owner", missing=404)
    changes = dict(call.body)
    thresholds = sorted(key for key in changes if key.startswith("usage_"))
    if thresholds and org.tenant_id != PRIMARY_TENANT_ID:
        raise bad_request(f"body.{thresholds[0]}", f"the tenant pays for {org.handle}: set it there")
    token_min = call.moment("token_min_issued_at")
    if token_min is not None:
        changes["token_min_issued_at"] = token_min
    doc, text = call.edited(org.head, **changes)
    users.publish(call, doc, "org")
    call.db.execute(
        "UPDATE org SET handle = ?, token_min = coalesce(?, token_min), updated_by = ?, head = ? WHERE id = ?",
        (doc["handle"], token_min, call.actor.id, text, org.id),
    )
    call.audit("org.update", org, (org.id, doc["handle"]), call.difference(org.head, changes))
    return 200, _row(call, org.id)


@operation("DELETE", ORG, "org_delete")
def org_delete(call: Call) -> Reply:
    """Takes workspaces, members, grants and service accounts with it; the handle is free again."""
    org = call.org("owner", missing=404)
    doc, _ = call.edited(org.head)
    doc.update(deleted_at=call.now, deleted_by_id=call.actor.id)
    call.audit("org.delete", org, (org.id, org.handle), {})
    users.delete_service_accounts(call, org)
    call.db.execute("DELETE FROM org WHERE id = ?", (org.id,))
    call.db.execute("DELETE FROM identity WHERE id = ?", (org.id,))
    return 200, msgspec.json.encode(doc).decode()


@operation("GET", ORG + "/audit_log", "org_listAuditLogs")
def org_list_audit_logs(call: Call) -> Reply:
    """Newest first. For owners: it shows the addresses of actors."""
    return call.page(
        "SELECT -seq, row FROM audit WHERE org_id = :org AND seq < -:after ORDER BY seq DESC LIMIT :limit",
        org=call.org("owner").id,
    )


@operation("GET", ORG + "/constraint", "org_listConstraints")
def org_list_constraints(call: Call) -> Reply:
    """The limits that are enforced here: the numbers of workspaces and of connections."""
    org = call.org()
    used = call.db.execute("SELECT count(*) FROM workspace WHERE org_id = ?", (org.id,)).fetchone()[0]
    limits = {
        "workspace_count": ("Workspaces in the organization.", org.workspace_limit, used),
        "connection_count": ("Connections in the organization.", *connections.limits(call, org)),
    }
    return call.list_of(where(call, [
        {
            "name": name,
            "description": description,
            "type": "quota",
            "target": "org",
            "value": limit,
            "limit": limit,
            "value_from": org.id,
            "visibility": "public",
            "org_id": org.id,
            "tenant_id": org.tenant_id,
            "statistics": {"used": used},
        }
        for name, (description, limit, used) in limits.items()
    ]))  # fmt: skip


@operation("GET", ORG + "/usage", "org_listUsage")
def org_list_usage(call: Call) -> Reply:
    """Who is in and how much the databases hold, today (contract: UsageMetric)."""
    org = call.org("owner")
    day = call.now[:10] + "T00:00:00Z"
    people = call.db.execute(
        "SELECT count(*) FROM member WHERE org_id = ? AND status = 'accepted'", (org.id,)
    ).fetchone()[0]
    common = {
        "billing_mode": "billable",
        "identity_id": org.id,
        "tenant_id": org.tenant_id,
        "usage_date": day,
    }
    rows = [
        {
            **common,
            "dimension": "user",
            "metric": "user_count",
            "unit": "count",
            "value": people,
            "value_rounded": people,
        }
    ]
    rows.extend(
        {
            **common,
            "dimension": "storage",
            "metric": "db_volume_bytes",
            "unit": "byte",
            "workspace_id": id_,
            "instance_type": instance_type,
            "value": size,
            "value_rounded": size,
        }
        for id_, instance_type, size in call.db.execute(
            "SELECT id, (head || '}') ->> 'instance_type', (head || '}') ->> 'db_volume_size_bytes'"
            " FROM workspace WHERE org_id = ? ORDER BY seq",
            (org.id,),
        )
    )
    return call.list_of(where(call, rows))


@operation("POST", ORG + "/avatar", "org_createAvatar")
def org_create_avatar(call: Call) -> Reply:
    """One part of a multipart form holds the picture: PNG, JPEG, GIF or WebP. Its URL is another one each time."""
    org = call.org("owner", missing=404)
    image = _picture(call)
    media_type = next((kind for magic, kind in _IMAGES.items() if image.startswith(magic)), None)
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        media_type = "image/webp"
    if media_type is None:
        raise bad_request("body", "is neither a PNG nor a JPEG nor a GIF nor a WebP")
    call.db.execute("INSERT OR REPLACE INTO avatar VALUES (?, ?, ?)", (org.id, media_type, image))
    return _set_avatar(call, org, f"/avatar/{org.id}?v={document(org.head)['version_id'] + 1}")


@operation("DELETE", ORG + "/avatar", "org_deleteAvatar")
def org_delete_avatar(call: Call) -> Reply:
    """Back to the generated picture. The contract answers 201."""
    org = call.org("owner", missing=404)
    if call.db.execute("DELETE FROM avatar WHERE org_id = ?", (org.id,)).rowcount == 0:
        raise not_found(f"{org.handle} has no avatar of its own")
    return _set_avatar(call, org, objects.generated_avatar(org.id))


def _picture(call: Call) -> bytes:
    content_type = call.request.content_type or ""
    if not content_type.startswith("multipart/form-data"):
        raise bad_request("header.Content-Type", "must be multipart/form-data")
    for part in call.request.get_media():
        data: bytes = part.stream.read(IMAGE_BYTES + 1)
        if len(data) > IMAGE_BYTES:
            raise bad_request(f"body.{part.name}", f"is larger than {IMAGE_BYTES} bytes")
        if data:
            return data
    raise bad_request("body", "holds no picture")


def _set_avatar(call: Call, org: Org, url: str) -> Reply:
    doc, text = call.edited(org.head, avatar_url=url)
    users.publish(call, doc, "org")
    call.db.execute("UPDATE org SET updated_by = ?, head = ? WHERE id = ?", (call.actor.id, text, org.id))
    call.audit("org.update", org, (org.id, org.handle), call.difference(org.head, {"avatar_url": url}))
    return 201, msgspec.json.encode({"avatar_url": url}).decode()
