"""One request as an operation sees it: who asks, what for, and the helpers that all operations share."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.sandbox import objects
from reconciler.sandbox.problems import Problem, bad_request, forbidden, not_found
from reconciler.sandbox.store import document, head, next_moment, next_opaque, numbered, timestamp

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    import falcon

    from reconciler.sandbox.bodies import Body

Reply = tuple[int, str | None]
"""Status and JSON text; None for no content."""

_FIRST = -(2**62)
_ALL = 2**62
_KEPT_EMPTY = {"parent_id"}
"""Attributes that every object of their kind has: an empty text does not take them away."""


class Operation(msgspec.Struct, frozen=True):
    """One operation of the contract: where it is, what it is called there, what does it."""

    method: str  # of the request
    path: str  # with `{names}` for its parameters
    name: str  # the contract's operationId
    run: Callable[[Call], Reply]  # answers it
    body: Body | None  # what its body may hold; None for no body
    writes: bool  # it changes something
    public: bool  # it needs no token


OPERATIONS: dict[str, Operation] = {}


def operation(
    method: str, path: str, name: str, *, body: Body | None = None, writes: bool | None = None, public: bool = False
) -> Callable[[Callable[[Call], Reply]], Callable[[Call], Reply]]:
    """Register a function as an operation of the contract. `writes` defaults to what the method says."""

    def register(run: Callable[[Call], Reply]) -> Callable[[Call], Reply]:
        OPERATIONS[name] = Operation(
            method, path, name, run, body, method != "GET" if writes is None else writes, public
        )
        return run

    return register


class NeedsWriteError(Exception):
    """A read turned out to change something, so it is repeated in a transaction that may write."""


class Actor(msgspec.Struct, frozen=True):
    """The user behind the request's token."""

    id: str
    handle: str
    display_name: str
    tenant_id: str
    service: bool
    issued_at: str


class Call(msgspec.Struct):
    """A request being answered, inside one transaction."""

    # What is asked, and by whom
    request: falcon.Request  # as it came
    db: sqlite3.Connection  # with its transaction open
    name: str  # the operation's
    params: dict[str, str]  # of the path
    body: dict[str, Any]  # checked
    actor: Actor  # whose token it is

    # How the sandbox is set up
    clock: Callable[[], datetime] | None  # None for the sandbox's own
    if_match: bool  # whether `If-Match` is honoured
    settle_reads: int  # how many reads a workspace takes to get ready
    writing: bool  # the operation changes something
    _now: str = ""  # the moment of the call, once it was asked for

    # -- time, ids, versions

    @property
    def now(self) -> str:
        """The moment of this request; the same for all that it changes."""
        if not self._now:
            moment = next_moment(self.db, tick=self.writing)
            self._now = timestamp(self.clock() if self.clock else moment)
        return self._now

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{next_opaque(self.db, 20)}"

    def expect_version(self, version: int) -> None:
        """Honour If-Match: 412 unless it is `*` or names the object's current `version_id`.

        The contract asks for the header ("Pass this version ID via an If-Match header") and documents no status.
        """
        wanted = self.request.get_header("If-Match")
        if wanted is None or not self.if_match:
            return
        tags = [tag.strip().removeprefix("W/").strip('"') for tag in wanted.split(",")]
        if "*" not in tags and str(version) not in tags:
            raise Problem(412, f"version_id is {version}, If-Match asked for {wanted}")

    def edited(self, text: str, **changes: Any) -> tuple[dict[str, Any], str]:
        """A stored head with changes, the next version and who made it: as an object, and as a head again.

        An empty text or list takes the attribute away, as Pipes leaves empty attributes out.
        """
        doc = document(text)
        self.expect_version(doc["version_id"])
        for key, value in changes.items():
            if value in ("", []) and key not in _KEPT_EMPTY:
                doc.pop(key, None)
            else:
                doc[key] = value
        doc["version_id"] += 1
        doc["updated_at"] = self.now
        if "updated_by_id" in doc:
            doc["updated_by_id"] = self.actor.id
        return doc, head(doc)

    def difference(self, text: str, changes: dict[str, Any]) -> dict[str, Any]:
        """What an audit entry says of an update: the changed attributes as they were and as they are."""
        before = document(text)
        return {"old": {key: before[key] for key in changes if key in before}, "new": changes}

    # -- pages

    def page(self, sql: str, *more: str, **params: Any) -> Reply:
        """One page of a list. `sql` yields (k, JSON text) for keys above `:after`, in order, at most `:limit`.

        `more` are queries of the same form whose keys are all greater: their rows follow.
        """
        limit = self._limit()
        after = self._cursor()
        if self.request.env.get("sandbox.empty"):
            return 200, '{"items":[]}'
        queries = (sql, *more)
        skip = 0
        shift = self.request.env.get("sandbox.shift", 0) if after != _FIRST else 0
        if shift > 0:
            skip = shift
        elif shift < 0:
            keys = [row[0] for row in self._rows(queries, params, _FIRST, _ALL) if row[0] <= after]
            after = keys[shift - 1] if len(keys) > -shift else _FIRST
        rows = self._rows(queries, params, after, limit + 1 + skip)[skip:]
        items = ",".join([row[1] for row in rows[:limit]])
        if len(rows) <= limit:
            return 200, f'{{"items":[{items}]}}'
        cursor = msgspec.json.encode([self.name, rows[limit - 1][0]])
        token = base64.urlsafe_b64encode(cursor).decode().rstrip("=")
        return 200, f'{{"items":[{items}],"next_token":"{token}"}}'

    def _rows(self, queries: tuple[str, ...], params: dict[str, Any], after: int, limit: int) -> list[Any]:
        rows: list[Any] = []
        for sql in queries:
            rows += self.db.execute(sql, {**params, "after": after, "limit": limit - len(rows)})
            if len(rows) >= limit:
                break
        return rows

    def list_of(self, items: list[dict[str, Any]]) -> Reply:
        """One page of a list that is made rather than stored; the cursor counts."""
        limit = self._limit()
        start = max(self._cursor(), 0)
        if start:
            start = max(start + self.request.env.get("sandbox.shift", 0), 0)
        body: dict[str, Any] = {"items": items[start : start + limit]}
        if len(items) > start + limit:
            cursor = msgspec.json.encode([self.name, start + limit])
            body["next_token"] = base64.urlsafe_b64encode(cursor).decode().rstrip("=")
        return 200, msgspec.json.encode(body).decode()

    def _limit(self) -> int:
        text = self.request.get_param("limit")
        if text is None:
            return 25
        if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= 100:
            raise bad_request("query.limit", f"{text!r} is not a whole number from 1 to 100")
        return int(text)

    def _cursor(self) -> int:
        text = self.request.get_param("next_token")
        if not text:
            return _FIRST
        try:
            raw = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
            name, key = msgspec.json.decode(raw, type=tuple[str, int])
        except (msgspec.DecodeError, binascii.Error, UnicodeError, ValueError) as error:
            raise bad_request("query.next_token", "is not a cursor of this API") from error
        if name != self.name or not _FIRST <= key <= -_FIRST:
            raise bad_request("query.next_token", "is the cursor of another list")
        return key

    def query(self) -> str:
        """The free-text search `q` as a LIKE pattern."""
        text = self.request.get_param("q") or ""
        return "%" + re.sub(r"([%_\\])", r"\\\1", text) + "%"

    # -- who may do what

    def org(self, need: str = "member", *, missing: int = 403) -> Org:
        """The org of the path, for an actor with the role `need` in it.

        Raises Problem: `missing` where there is no such org (observed of deleted ones: 404 for the org itself and for
        its connections, folders, permissions and schemas, 403 for its members), 403 for an outsider or a lower role,
        401 for a token older than the org's `token_min_issued_at`.
        """
        asked = self.params["org_handle"]
        row = self.db.execute(_ORG, {"user": self.actor.id, "asked": asked}).fetchone()
        if row is None:
            raise not_found(f"no organization {asked}") if missing == 404 else forbidden(f"no access to {asked}")
        found = Org(*row)
        if self.actor.issued_at < found.token_min:
            raise Problem(401, f"{asked} accepts only tokens issued after {found.token_min}")
        if found.role is None:
            raise forbidden(f"no access to {asked}")
        if need == "owner" and found.role != "owner":
            raise forbidden(f"only an owner of {asked} can do this")
        return found

    def workspace(self, need: str = "reader", *, missing: int = 403) -> tuple[Org, Workspace]:
        """The workspace of the path, for an actor who has access (`owner`: who may change it).

        `missing` is the answer where there is no such org. An org's owners own all its workspaces; a member has access to those that were granted.
        """
        org = self.org(missing=missing)
        asked = self.params["workspace_handle"]
        row = self.db.execute(
            "SELECT w.id, w.handle, w.state, w.steps, w.head, g.role FROM workspace w"
            " LEFT JOIN workspace_member g ON g.workspace_id = w.id AND g.user_id = :user"
            " WHERE w.org_id = :org AND (w.handle = :asked OR w.id = :asked)",
            {"user": self.actor.id, "org": org.id, "asked": asked},
        ).fetchone()
        if row is None:
            raise not_found(f"no workspace {asked} in {org.handle}")
        found = Workspace(*row)
        role = "owner" if org.role == "owner" else found.role
        if role is None:
            raise forbidden(f"no access to the workspace {asked} of {org.handle}")
        if need == "owner" and role not in ("owner", "admin"):
            raise forbidden(f"only an owner of the workspace {asked} can do this")
        return org, found

    def user_id(self, asked: str) -> str | None:
        """The id of the user that a path or a body names, by handle or by id."""
        row = self.db.execute(
            "SELECT id FROM identity WHERE (handle = ?1 OR id = ?1) AND type = 'user'", numbered(asked)
        ).fetchone()
        return row[0] if row else None

    def handle_of(self, user_id: str) -> str:
        return str(self.db.execute("SELECT handle FROM user WHERE id = ?", (user_id,)).fetchone()[0])

    def moment(self, key: str) -> str | None:
        """A time of the body in the form that the store compares; empty clears it, None when it was not given."""
        text = self.body.get(key)
        if not text:
            return None if text is None else ""
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise bad_request(f"body.{key}", f"{text!r} is not an ISO 8601 time") from error
        if moment.tzinfo is None:
            raise bad_request(f"body.{key}", f"{text!r} has no time zone")
        return timestamp(moment)

    # -- writing

    def advance(self, org_id: str, workspace_id: str = "") -> None:
        """Let the workspaces that a read is about to show (all of the org, without an id) reach their next state.

        Time passes with reads and not with a clock, so that nobody has to wait. Versions stay: nobody changed anything.
        """
        if not self.db.execute(
            "SELECT 1 FROM workspace WHERE org_id = ? AND steps <> '' LIMIT 1", (org_id,)
        ).fetchone():
            return
        if not self.writing:
            raise NeedsWriteError
        self.db.execute(
            "UPDATE workspace SET state = CASE instr(steps, ',') WHEN 0 THEN steps"
            " ELSE substr(steps, 1, instr(steps, ',') - 1) END,"
            " steps = CASE instr(steps, ',') WHEN 0 THEN '' ELSE substr(steps, instr(steps, ',') + 1) END"
            " WHERE org_id = ?1 AND steps <> '' AND (?2 = '' OR id = ?2)",
            numbered(org_id, workspace_id),
        )

    def audit(
        self, action: str, org: Org, target: tuple[str, str], data: dict[str, Any], workspace_id: str = ""
    ) -> None:
        """Enter a change in the org's audit log (contract: AuditRecord). `target` is an id and a handle."""
        row = audit_row(
            self.new_id("e"),
            action,
            at=self.now,
            ip=self.request.remote_addr,
            actor=self.actor,
            org=org,
            target=target,
            data=data,
        )
        self.db.execute("INSERT INTO audit (org_id, workspace_id, row) VALUES (?, ?, ?)", (org.id, workspace_id, row))


class Org(msgspec.Struct, frozen=True):
    """An org, and the actor's role in it."""

    id: str  # of the org
    handle: str  # of the org
    tenant_id: str  # of its tenant
    workspace_limit: int  # how many workspaces it may have
    token_min: str  # tokens issued before it are refused
    head: str  # what all rows have, as JSON text
    role: str | None  # the actor's: owner | member | None for somebody who is not in it or has not accepted


class Workspace(msgspec.Struct, frozen=True):
    """A workspace with the role that was granted to the actor, if any."""

    id: str
    handle: str
    state: str
    steps: str
    head: str
    role: str | None


# A tenant's owners have full control of every org in it.
_ORG = """
SELECT o.id, o.handle, o.tenant_id, o.workspace_limit, max(o.token_min, tt.token_min), o.head,
    CASE WHEN t.role = 'owner' THEN 'owner' ELSE m.role END
FROM org o
JOIN tenant tt ON tt.id = o.tenant_id
LEFT JOIN member m ON m.org_id = o.id AND m.user_id = :user AND m.status = 'accepted'
LEFT JOIN tenant_member t
    ON t.tenant_id = o.tenant_id AND t.user_id = :user AND t.status = 'accepted' AND t.role = 'owner'
WHERE o.handle = :asked OR o.id = :asked
"""


def audit_row(id_: str, action: str, *, at: str, ip: str, actor: Actor, org: Org, target: tuple[str, str],
              data: dict[str, Any]) -> str:  # fmt: skip
    """An entry of an audit log as JSON text (contract: AuditRecord)."""
    return msgspec.json.encode(
        {
            "id": id_,
            "action_type": action,
            "actor_id": actor.id,
            "actor_handle": actor.handle,
            "actor_display_name": actor.display_name,
            "actor_avatar_url": objects.generated_avatar(actor.id),
            "actor_ip": ip,
            "created_at": at,
            "data": data,
            "identity_handle": org.handle,
            "identity_id": org.id,
            "target_handle": target[1],
            "target_id": target[0],
            "tenant_id": org.tenant_id,
        }
    ).decode()
