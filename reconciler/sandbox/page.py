"""The page for people: the organizations and their audit logs, rendered here, without scripts or anything from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.sandbox.problems import Problem

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    import falcon

    from reconciler.sandbox.store import Store

AUDIT_ROWS = 50
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'"

_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ org.handle if org else "Sandbox" }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; width: 100%; margin-bottom: 2rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ddd }
td { overflow-wrap: anywhere } code { font-size: .9em } .empty { color: #666 }
</style>
</head>
<body>
{% if org %}
<p><a href="/">All organizations</a></p>
<h1>{{ org.handle }}</h1>
<p>{{ org.display_name }} <code>{{ org.id }}</code>, version {{ org.version_id }}</p>
<h2>Members</h2>
<table><tr><th>User</th><th>Role</th><th>Status</th><th>Scope</th><th>Invitation</th></tr>
{% for member in members %}<tr><td>{{ member.user_handle }}</td><td>{{ member.role }}</td><td>{{ member.status }}</td>
<td>{{ member.scope }}</td><td>{% if member.invite %}<code>{{ member.invite }}</code>{% endif %}</td></tr>
{% else %}<tr><td colspan="5" class="empty">nobody</td></tr>{% endfor %}
</table>
{% if accounts %}<h2>Service accounts</h2>
<table><tr><th>Handle</th><th>Title</th><th>Description</th><th>Tokens</th></tr>
{% for account in accounts %}<tr><td>{{ account.handle }}</td><td>{{ account.title }}</td><td>{{ account.description }}</td>
<td>{{ account.tokens }}</td></tr>{% endfor %}
</table>
{% endif %}<h2>Workspaces</h2>
{% for workspace in workspaces %}
<h3>{{ workspace.handle }}</h3>
<p>{{ workspace.state }} (wanted: {{ workspace.desired_state }}), {{ workspace.instance_type }}, <code>{{ workspace.host }}</code></p>
<table><tr><th>User</th><th>Role</th><th>Status</th><th>Scope</th></tr>
{% for grant in workspace.grants %}<tr><td>{{ grant.user_handle }}</td><td>{{ grant.role }}</td><td>{{ grant.status }}</td>
<td>{{ grant.scope }}</td></tr>
{% else %}<tr><td colspan="4" class="empty">nobody</td></tr>{% endfor %}
</table>
{% else %}<p class="empty">none</p>{% endfor %}
<h2>Connections</h2>
<table><tr><th>Connection</th><th>Plugin</th><th>Folder</th><th>May be used in</th><th>Attached in</th></tr>
{% for one in connections %}<tr><td>{{ one.name }}</td><td>{% if one.is_folder %}a folder{% else %}{{ one.plugin }}{% endif %}</td>
<td>{{ one.folder }}</td><td>{{ one.usable|join(", ") }}{% if one.own %} (its own){% endif %}</td>
<td>{{ one.attached|join(", ") }}</td></tr>
{% else %}<tr><td colspan="5" class="empty">none</td></tr>{% endfor %}
</table>
<h2>Audit log</h2>
<table><tr><th>When</th><th>Who</th><th>What</th><th>Whom</th><th>Details</th></tr>
{% for entry in entries %}<tr><td>{{ entry.created_at }}</td><td>{{ entry.actor_handle }} ({{ entry.actor_ip }})</td>
<td>{{ entry.action_type }}</td><td>{{ entry.target_handle }}</td><td><code>{{ entry.data }}</code></td></tr>
{% else %}<tr><td colspan="5" class="empty">nothing happened yet</td></tr>{% endfor %}
</table>
{% else %}
<h1>Sandbox</h1>
<p>A local Turbot Pipes. Nothing here is real; the API is below <code>/api/v0</code>.</p>
<table><tr><th>Organization</th><th>Name</th><th>Members</th><th>Workspaces</th></tr>
{% for row in orgs %}<tr><td><a href="/?org={{ row.handle|urlencode }}">{{ row.handle }}</a></td><td>{{ row.name }}</td>
<td>{{ row.members }}</td><td>{{ row.workspaces }}</td></tr>
{% else %}<tr><td colspan="4" class="empty">no organizations</td></tr>{% endfor %}
</table>
{% endif %}
</body>
</html>
"""


class Page:
    """`/`: all orgs; `/?org=HANDLE`: one of them with members, grants, pending invitations, connections and its audit log."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        # Needed for this page alone: the API works without it.
        try:
            import jinja2
        except ModuleNotFoundError as error:
            raise Problem(501, "the page needs Jinja2, which comes with the extra reconciler[sandbox]") from error
        template = jinja2.Environment(autoescape=True, undefined=jinja2.ChainableUndefined).from_string(_TEMPLATE)
        handle = request.get_param("org")
        response.content_type = "text/html; charset=utf-8"
        response.set_header("Content-Security-Policy", POLICY)
        response.set_header("X-Content-Type-Options", "nosniff")
        response.text = template.render(**(self._orgs() if handle is None else self._org(handle)))

    def _orgs(self) -> dict[str, Any]:
        with self.store.read() as db:
            rows = db.execute(
                "SELECT o.handle, (o.head || '}') ->> 'display_name',"
                " (SELECT count(*) FROM member m WHERE m.org_id = o.id),"
                " (SELECT count(*) FROM workspace w WHERE w.org_id = o.id) FROM org o ORDER BY o.handle"
            ).fetchall()
        return {
            "orgs": [
                {"handle": handle, "name": name or "", "members": members, "workspaces": workspaces}
                for handle, name, members, workspaces in rows
            ]
        }

    def _org(self, handle: str) -> dict[str, Any]:
        with self.store.read() as db:
            row = db.execute("SELECT id, j FROM org_row WHERE handle = ?", (handle,)).fetchone()
            if row is None:
                raise Problem(404, f"no organization {handle}")
            org_id = row[0]
            members = [
                {**_object(text), "invite": invite}
                for text, invite in db.execute(
                    "SELECT r.j, m.invite FROM member_row r LEFT JOIN member m"
                    " ON m.org_id = r.org_id AND m.user_id = r.user_id AND r.scope = 'org'"
                    " WHERE r.org_id = ? ORDER BY r.handle",
                    (org_id,),
                )
            ]
            workspaces = [
                {
                    **_object(text),
                    "grants": [
                        _object(grant)
                        for (grant,) in db.execute(
                            "SELECT j FROM workspace_member_row WHERE workspace_id = ? ORDER BY handle", (id_,)
                        )
                    ],
                }
                for id_, text in db.execute(
                    "SELECT id, j FROM workspace_row WHERE org_id = ? ORDER BY handle", (org_id,)
                ).fetchall()
            ]
            entries = [
                {**entry, "data": msgspec.json.encode(entry["data"]).decode()}
                for entry in map(
                    _object,
                    [
                        text
                        for (text,) in db.execute(
                            "SELECT row FROM audit WHERE org_id = ? ORDER BY seq DESC LIMIT ?", (org_id, AUDIT_ROWS)
                        )
                    ],
                )
            ]
            connections = _connections(db, org_id, handle)
            accounts = [
                {**_object(text), "tokens": count}
                for text, count in db.execute(
                    "SELECT u.head || '}', (SELECT count(*) FROM token t WHERE t.user_id = u.id) FROM user u"
                    " WHERE u.org_id = ? AND u.deleted = 0 ORDER BY u.handle",
                    (org_id,),
                )
            ]
        return {
            "org": _object(row[1]), "members": members, "workspaces": workspaces, "connections": connections,
            "entries": entries, "accounts": accounts,
        }  # fmt: skip


def _connections(db: sqlite3.Connection, org_id: str, org: str) -> list[dict[str, Any]]:
    """An org's connections and folders, and those of its workspaces, without configurations: a secret may be in them.

    What is permitted for a folder is permitted for all that is in it.
    """
    found = db.execute(
        "SELECT n.id, n.name, n.folder, n.parent, (n.head || '}') ->> 'plugin', w.handle FROM connection n"
        " LEFT JOIN workspace w ON w.id = n.workspace_id WHERE n.org_id = ? ORDER BY n.name, n.id",
        (org_id,),
    ).fetchall()
    above = {id_: (parent, name) for id_, name, _, parent, _, _ in found}
    usable: dict[str, set[str]] = {}
    for id_, space in db.execute(
        "SELECT p.connection_id, w.handle FROM connection_permission p"
        " LEFT JOIN workspace w ON w.id = p.workspace_id WHERE p.org_id = ?",
        (org_id,),
    ):
        usable.setdefault(id_, set()).add(space or f"all of {org}")
    attached: dict[str, list[str]] = {}
    for id_, space in db.execute(
        "SELECT s.connection_id, w.handle FROM workspace_schema s JOIN workspace w ON w.id = s.workspace_id"
        " WHERE w.org_id = ? ORDER BY w.handle",
        (org_id,),
    ):
        attached.setdefault(id_, []).append(space)

    def chain(id_: str | None) -> Iterator[str]:
        while id_ is not None:
            yield id_
            id_ = above[id_][0]

    return [
        {
            "name": name,
            "is_folder": bool(folder),
            "plugin": plugin or "",
            "folder": " / ".join(above[one][1] for one in reversed([*chain(parent)])),
            "own": own is not None,
            "usable": [own] if own is not None else sorted(set().union(*(usable.get(one, ()) for one in chain(id_)))),
            "attached": [own] if own is not None else attached.get(id_, []),
        }
        for id_, name, folder, parent, plugin, own in found
    ]


class Avatar:
    """`/avatar/{org_id}`: the picture that an org uploaded."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def on_get(self, _request: falcon.Request, response: falcon.Response, org_id: str) -> None:
        with self.store.read() as db:
            row = db.execute("SELECT media_type, image FROM avatar WHERE org_id = ?", (org_id,)).fetchone()
        if row is None:
            raise Problem(404, "no such picture")
        response.content_type, response.data = row
        response.set_header("X-Content-Type-Options", "nosniff")


def _object(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any])
