"""The token's own user, and its organizations and workspaces (contract: actor_*)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.sandbox.call import operation

if TYPE_CHECKING:
    from reconciler.sandbox.call import Call, Reply


@operation("GET", "/actor", "actor_get")
def actor_get(call: Call) -> Reply:
    row = call.db.execute("SELECT head || '}' FROM user WHERE id = ?", (call.actor.id,)).fetchone()
    return 200, row[0]


@operation("GET", "/actor/org", "actor_listOrgs")
def actor_list_orgs(call: Call) -> Reply:
    """The orgs whose member list names the actor; those reached as a tenant's owner are not memberships.

    An org that no longer accepts the actor's token is still listed: the list belongs to the actor.
    """
    return call.page(
        "SELECT k, j FROM user_org_row WHERE user_id = :user AND status = 'accepted' AND k > :after"
        " ORDER BY k LIMIT :limit",
        user=call.actor.id,
    )


@operation("GET", "/actor/org/invite", "actor_listOrgInvites")
def actor_list_org_invites(call: Call) -> Reply:
    return call.page(
        "SELECT k, j FROM user_org_row WHERE user_id = :user AND status = 'invited' AND k > :after"
        " ORDER BY k LIMIT :limit",
        user=call.actor.id,
    )


@operation("GET", "/actor/workspace", "actor_listWorkspaces")
def actor_list_workspaces(call: Call) -> Reply:
    """Workspaces granted to the actor, and, with the role `owner`, all those of the orgs that it owns."""
    return call.page(_WORKSPACES, user=call.actor.id)


_WORKSPACES = """
SELECT w.k, '{"id":"' || w.id || '","workspace_id":"' || w.id || '","handle":"' || w.handle || '","host":"' || w.host
    || '","database_name":"' || substr(w.id, 3, 6) || '","identity_id":"' || o.id
    || '","role":' || json_quote(CASE WHEN m.role = 'owner' THEN 'owner' ELSE g.role END)
    || ',"identity":{"id":"' || o.id || '","handle":"' || o.handle || '","type":"org","tenant_id":"' || o.tenant_id
    || '"},"workspace":' || w.j || '}'
FROM member m
JOIN org o ON o.id = m.org_id
JOIN workspace_row w ON w.org_id = m.org_id
LEFT JOIN workspace_member g ON g.workspace_id = w.id AND g.user_id = m.user_id
WHERE m.user_id = :user AND m.status = 'accepted' AND (m.role = 'owner' OR g.role IS NOT NULL) AND w.k > :after
ORDER BY w.k LIMIT :limit
"""
