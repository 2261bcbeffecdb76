"""The page for people: organizations, users, who reaches what, and audit logs.

It loads nothing from outside. Its one script is a filter, which the Content-Security-Policy allows by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import pkgutil
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.sandbox.problems import Problem

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    import falcon

    from reconciler.sandbox.store import Store

AUDIT_ROWS = 50
SHOWN = 500  # users, and members of an organization: a browser does not draw a table of ten thousand
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'"
STRONGER = ("reader", "member", "operator", "owner")  # a later role is the stronger one


class Page:
    """`/`: organizations, users and what was done; `/?org=HANDLE` and `/?user=HANDLE`: one of them, and who reaches what."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        # Needed for this page alone: the API works without it.
        try:
            import jinja2
        except ModuleNotFoundError as error:
            raise Problem(501, "the page needs Jinja2, which comes with the extra reconciler[sandbox]") from error
        import markupsafe

        files = {name: _file(name) for name in ("sandbox.html", "matrix.html")}
        environment = jinja2.Environment(
            loader=jinja2.DictLoader(files), autoescape=True, undefined=jinja2.ChainableUndefined
        )
        script = _file("filter.js")
        org, user = request.get_param("org"), request.get_param("user")
        with self.store.read() as db:
            found = _org(db, org) if org is not None else _user(db, user) if user is not None else _all(db)
        response.content_type = "text/html; charset=utf-8"
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        response.set_header("Content-Security-Policy", f"{POLICY}; script-src 'sha256-{digest}'")
        response.set_header("X-Content-Type-Options", "nosniff")
        response.text = environment.get_template("sandbox.html").render(
            style=markupsafe.Markup(_file("style.css") + _file("matrix.css")),  # noqa: S704  (ours)
            script=markupsafe.Markup(script),  # noqa: S704  (ours)
            **found,
        )


def _file(name: str) -> str:
    """A file of `reconciler/pages`, which the reports in HTML use, too."""
    return (pkgutil.get_data("reconciler", f"pages/{name}") or b"").decode()


def _all(db: sqlite3.Connection) -> dict[str, Any]:
    orgs = [
        {
            "handle": handle,
            "name": name or "",
            "owners": owners,
            "members": members,
            "invited": invited,
            "workspaces": of,
        }
        for handle, name, owners, members, invited, of in db.execute(
            "SELECT o.handle, (o.head || '}') ->> 'display_name',"
            " (SELECT count(*) FROM member m WHERE m.org_id = o.id AND m.role = 'owner' AND m.status = 'accepted'),"
            " (SELECT count(*) FROM member m WHERE m.org_id = o.id),"
            " (SELECT count(*) FROM member m WHERE m.org_id = o.id AND m.status <> 'accepted'),"
            " (SELECT count(*) FROM workspace w WHERE w.org_id = o.id) FROM org o ORDER BY o.handle"
        )
    ]
    users = [
        {"handle": handle, "name": name, "kind": KINDS[service], "orgs": roles or ""}
        for handle, name, service, roles in db.execute(
            "SELECT u.handle, u.display_name, u.service, (SELECT group_concat(one, ', ') FROM (SELECT"
            " o.handle || ' (' || m.role || CASE m.status WHEN 'accepted' THEN ')' ELSE ', invited)' END AS one"
            " FROM member m JOIN org o ON o.id = m.org_id WHERE m.user_id = u.id ORDER BY o.handle))"
            " FROM user u WHERE u.deleted = 0 ORDER BY u.handle LIMIT ?",
            (SHOWN,),
        )
    ]
    (people, robots), (spaces,) = (
        db.execute(query).fetchone()
        for query in (
            "SELECT count(*) - sum(service), sum(service) FROM user WHERE deleted = 0",
            "SELECT count(*) FROM workspace",
        )
    )
    return {
        "orgs": orgs,
        "users": users,
        "left": (people or 0) + (robots or 0) - len(users),
        "entries": _entries(db, "1 = 1", ()),
        "tiles_of": [
            (len(orgs), "organization"), (people or 0, "person"), (robots or 0, "service account"), (spaces, "workspace"),
        ],
    }  # fmt: skip


KINDS = ("person", "service account")


def _user(db: sqlite3.Connection, handle: str) -> dict[str, Any]:
    row = db.execute(
        "SELECT id, display_name, service FROM user WHERE handle = ? AND deleted = 0", (handle,)
    ).fetchone()
    if row is None:
        raise Problem(404, f"no user {handle}")
    id_, name, service = row
    reached = [
        {"org": org, "place": org, "role": role, "why": _why("org", scope, status)}
        for org, role, scope, status in db.execute(
            "SELECT o.handle, r.j ->> 'role', r.scope, r.j ->> 'status' FROM member_row r JOIN org o ON o.id = r.org_id"
            " WHERE r.user_id = ?",
            (id_,),
        )
    ] + [
        {"org": org, "place": f"{org}/{space}", "role": role, "why": _why("workspace", scope, status)}
        for org, space, role, scope, status in db.execute(
            "SELECT o.handle, w.handle, r.j ->> 'role', r.scope, r.j ->> 'status' FROM workspace_member_row r"
            " JOIN workspace w ON w.id = r.workspace_id JOIN org o ON o.id = w.org_id WHERE r.user_id = ?",
            (id_,),
        )
    ]
    (tokens,) = db.execute("SELECT count(*) FROM token WHERE user_id = ?", (id_,)).fetchone()
    orgs = {one["org"] for one in reached}
    return {
        "user": {"handle": handle, "id": id_, "display_name": name, "kind": KINDS[service]},
        "reached": sorted(reached, key=lambda one: one["place"]),
        "entries": _entries(db, "? IN (row ->> 'actor_handle', row ->> 'target_handle')", (handle,)),
        "tiles_of": [
            (len(orgs), "organization"), (len({one["place"] for one in reached} - orgs), "workspace"),
            (sum(1 for one in reached if one["place"] in orgs and one["role"] == "owner"), "owned"), (tokens, "token"),
        ],
    }  # fmt: skip


def _entries(db: sqlite3.Connection, where: str, values: tuple[str, ...]) -> list[dict[str, Any]]:
    """The latest entries of the audit logs, the newest first. `where` is a condition of ours."""
    rows = db.execute(
        f"SELECT a.row, coalesce(o.handle, '') FROM audit a LEFT JOIN org o ON o.id = a.org_id WHERE {where}"  # noqa: S608
        " ORDER BY a.seq DESC LIMIT ?",
        (*values, AUDIT_ROWS),
    )
    return [
        {**entry, "data": msgspec.json.encode(entry["data"]).decode(), "org": org}
        for entry, org in ((_object(text), org) for text, org in rows)
    ]


def _org(db: sqlite3.Connection, handle: str) -> dict[str, Any]:
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
    accounts = [
        {**_object(text), "tokens": count}
        for text, count in db.execute(
            "SELECT u.head || '}', (SELECT count(*) FROM token t WHERE t.user_id = u.id) FROM user u"
            " WHERE u.org_id = ? AND u.deleted = 0 ORDER BY u.handle",
            (org_id,),
        )
    ]
    places, rows = _matrix(members, workspaces)
    accepted = [member for member in members if member["status"] == "accepted"]
    return {
        "org": _object(row[1]),
        "places": places,
        "rows": rows[:SHOWN],
        "members": members[:SHOWN],
        "left": max(len(members) - SHOWN, 0),
        "workspaces": workspaces,
        "connections": (connections := _connections(db, org_id, handle)),
        "entries": _entries(db, "a.org_id = ?", (org_id,)),
        "accounts": accounts,
        "tiles_of": [
            (len({one["user_id"] for one in accepted if one["role"] == "owner"}), "owner"),
            (len({one["user_id"] for one in members}), "member"), (len(members) - len(accepted), "invited"),
            (len(workspaces), "workspace"), (len(connections), "connection"),
        ],
    }  # fmt: skip


def _matrix(members: list[dict[str, Any]], workspaces: list[dict[str, Any]]) -> tuple[list[str], list[Any]]:
    """The places, and for each user their access in each: None, or the strongest of the roles with its reason."""
    found: dict[str, list[dict[str, Any] | None]] = {}
    for at, rows in enumerate((members, *(workspace["grants"] for workspace in workspaces))):
        for row in rows:
            cells = found.setdefault(row["user_handle"], [None] * (1 + len(workspaces)))
            before = cells[at]
            if before is None or _strength(before["role"]) < _strength(row["role"]):
                why = _why("workspace" if at else "org", row["scope"], row["status"])
                pending = row["status"] != "accepted"
                cells[at] = {"role": row["role"], "why": why, "pending": pending}
    return ["the org", *(workspace["handle"] for workspace in workspaces)], sorted(found.items())


def _strength(role: str) -> int:
    return STRONGER.index(role) if role in STRONGER else -1


def _why(own: str, scope: str, status: str) -> str:
    """Why a row of a list is there: it is the list's `own`, or inherited from the organization or the tenant."""
    why = "direct" if scope == own else f"owner of the {'organization' if scope == 'org' else scope}"
    return why if status == "accepted" else f"{why}; invited"


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


class Favicon:
    """`/favicon.ico`: none. A browser that got a 404 would complain in its console."""

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        response.status = "204 No Content"


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
