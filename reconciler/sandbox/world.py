"""Worlds: who and what there is in a sandbox, as a readable YAML file or as a plain dict.

```yaml
actor: alice                   # whose token is used by default; else the first user named
now: 2026-11-24T09:00:00Z      # optional: the clock starts here and moves a second with every write
seed: demo                     # optional: ids and tokens are made from it
tenant: turbot-pipes           # or a custom one: {handle: acme-tenant, members: {alice: owner}}
users:                         # needed only for what is said of them, or for people who are in no org
  alice: {display_name: Alice, email: alice@example.com}
service_accounts: [deploy]     # users that are no people
orgs:
  acme:
    display_name: Acme
    url: https://acme.example
    tenant: turbot-pipes       # default: the world's
    workspace_limit: 10
    token_min_issued_at: 2026-01-01T00:00:00Z
    members:
      alice: owner
      carol: {role: member, status: invited, email: carol@example.com}
    workspaces:
      prod:
        instance_type: db1.small
        desired_state: enabled
        state: enabled
        search_path_prefix: [aws]
        db_volume_size_bytes: 21474836480
        members: {carol: reader}
        connections: {local: {plugin: net, config: {…}}}     # its own
        attached: [aws_prod, cloud]                           # of the org: handles, and titles of folders
    connection_limit: 1000
    connection_folders:        # by title, or by any name that is unique here
      cloud: {permitted: all}  # where it may be used: `all`, or a list of workspaces
      emea: {folder: cloud}
      emea2: {title: emea}
    connections:
      aws_prod:
        plugin: aws
        config: {regions: [us-east-1], secret_key: …}
        folder: emea
        permitted: [prod]
        test: {status: error, reason: …}                      # what a test of it answers
    audit_log:                 # in any order; the times sort it
      - {action_type: org_member.update, actor_handle: alice, target_handle: carol, created_at: …, data: {…},
         actor_ip: 192.0.2.1, workspace: prod}
tokens:                        # whoever has none here gets one, issued `now`
  - {user: alice, token: tpt_…, issued_at: 2026-10-01T00:00:00Z}
```
"""

from __future__ import annotations

import random
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import yaml

from reconciler.sandbox import clock, connections, objects
from reconciler.sandbox.bodies import CONNECTION_HANDLE, HANDLE, ORG_ROLES, TENANT_ROLES, WORKSPACE_HANDLE
from reconciler.sandbox.call import PUBLISH, Actor, Org, audit_row, identity_values
from reconciler.sandbox.problems import in_a_line
from reconciler.sandbox.store import PRIMARY_TENANT, PRIMARY_TENANT_ID, clear, head, opaque, timestamp

if TYPE_CHECKING:
    import os

    from reconciler.sandbox.store import Store

World = dict[str, Any]

_TOP = {"actor", "now", "seed", "tenant", "users", "service_accounts", "orgs", "tokens"}
_USER = {"display_name", "email", "url", "org_limit", "status"}
_TENANT = {"handle", "display_name", "members"}
_ORG = {
    "display_name", "url", "tenant", "workspace_limit", "token_min_issued_at", "members", "workspaces", "audit_log",
    "connection_limit", "connection_folders", "connections",
}  # fmt: skip
_MEMBER = {"role", "status", "email", "by", "since"}
_WORKSPACE = {
    "instance_type", "desired_state", "state", "search_path_prefix", "db_volume_size_bytes", "members", "connections",
    "attached",
}  # fmt: skip
_FOLDER = {"folder", "permitted", "title"}
_CONNECTION = {"plugin", "config", "folder", "permitted", "test"}
_OWN_CONNECTION = {"plugin", "config"}
_TOKEN = {"user", "token", "issued_at", "status"}
_AUDIT = {
    "action_type", "actor_handle", "actor_ip", "target_handle", "target_id", "created_at", "data", "workspace",
}  # fmt: skip


class WorldError(Exception):
    """What is wrong with a world, and where; `load` puts the file's name before it."""


def load(path: str | os.PathLike[str]) -> World:
    """Read and check a world file. Raises WorldError (`file: what`); a missing file raises it too."""
    try:
        world = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        check(world)
    except WorldError as error:
        raise WorldError(f"{path}: {error}") from error
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise WorldError(f"{path}: {in_a_line(error)}") from error
    return cast("World", world)


def check(world: Any) -> None:
    """Raise WorldError for the first thing in a world that `seed` could not take."""
    _Check(world).run()


class _Check:
    def __init__(self, world: Any) -> None:
        self.world = world

    def run(self) -> None:
        world = _mapping(self.world, "the world", _TOP)
        if "now" in world:
            _moment(world["now"], "now")
        users = _mapping(world.get("users"), "users")
        for handle, given in users.items():
            _handle(handle, f"users.{handle}", HANDLE)
            _mapping(given, f"users.{handle}", _USER)
        services = world.get("service_accounts") or []
        for handle in _list(services, "service_accounts"):
            _handle(handle, f"service_accounts: {handle}", HANDLE)
        tenants = {PRIMARY_TENANT}
        tenant = world.get("tenant", PRIMARY_TENANT)
        if isinstance(tenant, dict):
            _mapping(tenant, "tenant", _TENANT)
            _handle(tenant.get("handle"), "tenant.handle", HANDLE)
            tenants.add(tenant["handle"])
            for handle, given in _mapping(tenant.get("members"), "tenant.members").items():
                _member(handle, given, f"tenant.members.{handle}", TENANT_ROLES)
        elif tenant != PRIMARY_TENANT:
            raise WorldError(f"tenant: {tenant!r} has no members; write {{handle: {tenant}, members: {{…}}}}")
        emails: dict[str, str] = {}
        for handle, given in users.items():
            self._email(emails, handle, (given or {}).get("email"))
        orgs = _mapping(world.get("orgs"), "orgs")
        for handle, given in orgs.items():
            if handle in users or handle in services:
                raise WorldError(f"orgs.{handle}: a user has this handle")
            self._org(handle, given, tenants, emails)
        known = named_users(world)
        both = sorted(known & set(orgs))
        if both:
            raise WorldError(f"orgs.{both[0]}: a user has this handle")
        if "actor" in world and world["actor"] not in known:
            raise WorldError(f"actor: {world['actor']!r} is not among the users and members")
        self._makers(orgs, known)
        for number, given in enumerate(_list(world.get("tokens"), "tokens"), 1):
            place = f"tokens[{number}]"
            _mapping(given, place, _TOKEN)
            if given.get("user") not in known:
                raise WorldError(f"{place}: {given.get('user')!r} is not among the users and members")
            if not isinstance(given.get("token"), str) or not re.fullmatch(r"[\x21-\x7e]+", given["token"]):
                raise WorldError(f"{place}: token is {given.get('token')!r}, not a text without spaces")
            if "issued_at" in given:
                _moment(given["issued_at"], f"{place}.issued_at")

    def _makers(self, orgs: dict[str, Any], known: set[str]) -> None:
        """Who let a member in is one of the world's users."""
        for handle, org in orgs.items():
            for user, member in ((org or {}).get("members") or {}).items():
                if isinstance(member, dict) and member.get("by", user) not in known:
                    raise WorldError(
                        f"orgs.{handle}.members.{user}.by: {member['by']!r} is not among the users and members"
                    )

    def _email(self, emails: dict[str, str], handle: str, address: Any) -> None:
        if address is None:
            return
        if not isinstance(address, str) or "@" not in address:
            raise WorldError(f"{handle}: {address!r} is no email address")
        if emails.setdefault(address.lower(), handle) != handle:
            raise WorldError(f"{handle}: {address} is the address of {emails[address.lower()]} too")

    def _org(self, handle: Any, given: Any, tenants: set[str], emails: dict[str, str]) -> None:
        place = f"orgs.{handle}"
        _handle(handle, place, HANDLE)
        org = _mapping(given, place, _ORG)
        if org.get("tenant", PRIMARY_TENANT) not in tenants:
            raise WorldError(f"{place}.tenant: {org['tenant']!r} is neither {PRIMARY_TENANT} nor the world's tenant")
        if "token_min_issued_at" in org:
            _moment(org["token_min_issued_at"], f"{place}.token_min_issued_at")
        members = _mapping(org.get("members"), f"{place}.members")
        for user, given_member in members.items():
            member = _member(user, given_member, f"{place}.members.{user}", ORG_ROLES)
            self._email(emails, user, member.get("email"))
            if "since" in member:
                _moment(member["since"], f"{place}.members.{user}.since")
        for name, entry in _mapping(org.get("workspaces"), f"{place}.workspaces").items():
            where = f"{place}.workspaces.{name}"
            _handle(name, where, WORKSPACE_HANDLE)
            workspace = _mapping(entry, where, _WORKSPACE)
            for user, granted in _mapping(workspace.get("members"), f"{where}.members").items():
                # Any role: what nobody here knows is shown as it is.
                _member(user, granted, f"{where}.members.{user}", None)
                if user not in members:
                    raise WorldError(f"{where}.members.{user}: is not a member of {handle}")
        self._connections(org, place)
        for number, entry in enumerate(_list(org.get("audit_log"), f"{place}.audit_log"), 1):
            where = f"{place}.audit_log[{number}]"
            _mapping(entry, where, _AUDIT)
            if "action_type" not in entry:
                raise WorldError(f"{where}: action_type is missing")
            if "created_at" in entry:
                _moment(entry["created_at"], f"{where}.created_at")
            if "workspace" in entry and entry["workspace"] not in (org.get("workspaces") or {}):
                raise WorldError(f"{where}.workspace: {handle} has no workspace {entry['workspace']!r}")

    def _connections(self, org: dict[str, Any], place: str) -> None:
        workspaces = org.get("workspaces") or {}
        folders = _mapping(org.get("connection_folders"), f"{place}.connection_folders")
        shared = _mapping(org.get("connections"), f"{place}.connections")
        for section, entries, keys in (("connection_folders", folders, _FOLDER), ("connections", shared, _CONNECTION)):
            for name, entry in entries.items():
                where = f"{place}.{section}.{name}"
                _handle(name, where, CONNECTION_HANDLE)
                given = _mapping(entry, where, keys)
                if "title" in given and not (isinstance(given["title"], str) and given["title"]):
                    raise WorldError(f"{where}.title: {given['title']!r} is not a title")
                if "folder" in given and given["folder"] not in folders:
                    raise WorldError(f"{where}.folder: {given['folder']!r} is not among the connection_folders")
                if given.get("permitted", "all") != "all":
                    for workspace in _list(given["permitted"], f"{where}.permitted"):
                        if workspace not in workspaces:
                            raise WorldError(f"{where}.permitted: no workspace {workspace!r}")
        for name in folders:
            seen, at = {name}, (folders[name] or {}).get("folder")
            while at is not None:
                if at in seen:
                    raise WorldError(f"{place}.connection_folders.{name}: is inside itself")
                seen.add(at)
                at = (folders[at] or {}).get("folder")
        for name, entry in shared.items():
            _plugin(entry, f"{place}.connections.{name}")
        for workspace, entry in workspaces.items():
            where = f"{place}.workspaces.{workspace}"
            own = _mapping((entry or {}).get("connections"), f"{where}.connections")
            for name, given in own.items():
                _handle(name, f"{where}.connections.{name}", CONNECTION_HANDLE)
                _plugin(_mapping(given, f"{where}.connections.{name}", _OWN_CONNECTION), f"{where}.connections.{name}")
            for name in _list((entry or {}).get("attached"), f"{where}.attached"):
                if (name in folders) + (name in shared) != 1:
                    raise WorldError(f"{where}.attached: {name!r} is not one of the connections or connection_folders")


def _plugin(given: dict[str, Any], place: str) -> None:
    if not isinstance(given, dict) or not isinstance(given.get("plugin"), str):
        raise WorldError(f"{place}: plugin is missing")
    _mapping(given.get("config"), f"{place}.config")


def _mapping(value: Any, place: str, keys: set[str] | None = None) -> dict[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WorldError(f"{place} is {value!r}, not a mapping")
    unknown = [key for key in value if keys is not None and key not in keys]
    if unknown:
        raise WorldError(f"{place}: unknown key {unknown[0]!r} (known: {', '.join(sorted(keys or ()))})")
    return value


def _list(value: Any, place: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise WorldError(f"{place} is {value!r}, not a list")
    return value


def _handle(value: Any, place: str, pattern: str) -> None:
    if not isinstance(value, str):
        raise WorldError(f"{place}: the handle {value!r} is not a text; quote it")
    if not re.fullmatch(pattern, value):
        raise WorldError(f"{place}: {value!r} is no handle")


def _member(handle: Any, given: Any, place: str, roles: tuple[str, ...] | None) -> dict[str, Any]:
    _handle(handle, place, HANDLE)
    entry = {"role": given} if isinstance(given, str) else _mapping(given, place, _MEMBER)
    role = entry.get("role")
    if not isinstance(role, str) or (roles is not None and role not in roles):
        raise WorldError(f"{place}: the role is {role!r}" + (f", not {' or '.join(roles)}" if roles else ""))
    if entry.get("status", "accepted") not in ("accepted", "invited"):
        raise WorldError(f"{place}: the status is {entry['status']!r}, not accepted or invited")
    return entry


def _moment(value: Any, place: str) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise WorldError(f"{place}: {value!r} is not an ISO 8601 time") from error
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        raise WorldError(f"{place}: {value!r} is not an ISO 8601 time")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def named_users(world: World) -> set[str]:
    """The handles of all users that a world mentions, wherever it does."""
    return set(_users_in_order(world))


def _users_in_order(world: World) -> list[str]:
    found = dict.fromkeys(world.get("users") or {})
    tenant = world.get("tenant")
    if isinstance(tenant, dict):
        found.update(dict.fromkeys(tenant.get("members") or {}))
    for org in (world.get("orgs") or {}).values():
        found.update(dict.fromkeys((org or {}).get("members") or {}))
        for entry in (org or {}).get("audit_log") or []:
            if "actor_handle" in entry:
                found[entry["actor_handle"]] = None
    found.update(dict.fromkeys(world.get("service_accounts") or []))
    return list(found)


def seed(store: Store, world: World) -> None:
    """Replace everything in a store by a world. Raises WorldError and leaves the store alone when it cannot be read."""
    check(world)
    build = _Build(world)
    build.run()
    with store.write() as db:
        clear(db)
        for statement, rows in build.rows.items():
            db.executemany(statement, rows)
        for org_id in build.trees:
            connections.write_trunks(db, org_id)
        db.execute(_INSERT_META, ("ids", str(build.ids)))
        db.execute(_INSERT_META, ("seed", build.seed))
        if "now" in world:
            db.execute(_INSERT_META, ("clock", str(int(build.now.timestamp()))))
        if build.actor is not None:
            db.execute(_INSERT_META, ("default_token", build.tokens[build.actor]))


_INSERT_META = "INSERT INTO meta VALUES (?, ?)"
_INSERT_TENANT = "INSERT INTO tenant (id, handle, created_by, updated_by, head) VALUES (?, ?, ?, ?, ?)"
_INSERT_USER = (
    "INSERT INTO user (id, handle, tenant_id, display_name, service, org_limit, head) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_EMAIL = "INSERT INTO email (user_id, email, head) VALUES (?, ?, ?)"
_INSERT_KEY = (
    "INSERT INTO token (id, user_id, secret, issued_at, status, created_by, updated_by, head)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_TENANT_MEMBER = (
    "INSERT INTO tenant_member (id, tenant_id, user_id, role, status, invite, version, created_at, updated_at,"
    " created_by, updated_by, head) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)"
)
_INSERT_ORG = (
    "INSERT INTO org (id, handle, tenant_id, workspace_limit, token_min, created_by, updated_by, head)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_MEMBER = (
    "INSERT INTO member (id, org_id, user_id, role, status, invite, created_by, updated_by, head)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_WORKSPACE = (
    "INSERT INTO workspace (id, org_id, handle, state, created_by, updated_by, head) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_GRANT = (
    "INSERT INTO workspace_member (id, workspace_id, org_id, user_id, role, created_by, updated_by, head)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_LIMIT_CONNECTIONS = "UPDATE org SET connection_limit = ? WHERE id = ?"
_INSERT_CONNECTION = (
    "INSERT INTO connection (id, org_id, workspace_id, folder, name, parent, secrets, tested, created_by, updated_by,"
    " head) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_PERMISSION = (
    "INSERT INTO connection_permission (id, org_id, connection_id, workspace_id, created_by, updated_by, head)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_SCHEMA = (
    "INSERT INTO workspace_schema (id, workspace_id, connection_id, created_by, updated_by, head)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
_INSERT_AUDIT = "INSERT INTO audit (org_id, workspace_id, row) VALUES (?, ?, ?)"


class _Build:
    """A world turned into rows, statement by statement, parents first."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seed = str(world.get("seed", ""))
        self.now = _moment(world["now"], "now") if "now" in world else clock.now()
        self.at = timestamp(self.now)
        self.ids = 0
        self.user_ids: dict[str, str] = {}
        self.users: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, str] = {}
        self.emails: dict[str, str] = {}
        self.trees: list[str] = []
        named = _users_in_order(world)
        self.actor: str | None = world.get("actor", named[0] if named else None)
        self.rows: dict[str, list[tuple[Any, ...]]] = {
            statement: []
            for statement in (
                PUBLISH,
                _INSERT_TENANT,
                _INSERT_USER,
                _INSERT_EMAIL,
                _INSERT_KEY,
                _INSERT_TENANT_MEMBER,
                _INSERT_ORG,
                _INSERT_MEMBER,
                _INSERT_WORKSPACE,
                _INSERT_GRANT,
                _LIMIT_CONNECTIONS,
                _INSERT_CONNECTION,
                _INSERT_PERMISSION,
                _INSERT_SCHEMA,
                _INSERT_AUDIT,
            )
        }

    def add(self, statement: str, *values: Any) -> None:
        self.rows[statement].append(values)

    def new_id(self, prefix: str) -> str:
        self.ids += 1
        return f"{prefix}_{opaque(self.seed, self.ids, 20)}"

    def secret(self) -> str:
        self.ids += 1
        return opaque(self.seed, self.ids, 40)

    def run(self) -> None:
        tenant = self.world.get("tenant", PRIMARY_TENANT)
        self.tenant_ids = {PRIMARY_TENANT: PRIMARY_TENANT_ID}
        self.home = PRIMARY_TENANT
        if isinstance(tenant, dict):
            self.home = tenant["handle"]
            self.tenant_ids[self.home] = self.new_id("t")
        self._find_emails()
        named = _users_in_order(self.world)
        for handle in named:
            self._user(handle)
        founder = self.user_ids[self.actor] if self.actor else "u_00000000000000000000"
        if self.actor is None:
            return
        for handle, id_ in self.tenant_ids.items():
            name = tenant.get("display_name", "") if isinstance(tenant, dict) and handle == self.home else ""
            doc = objects.tenant(id_, handle, by=founder, at=self.at, display_name=name)
            self.add(_INSERT_TENANT, id_, handle, founder, founder, head(doc))
        if isinstance(tenant, dict):
            for handle, given in (tenant.get("members") or {}).items():
                self._tenant_member(handle, given, founder)
        self._tokens(named)
        for handle, given in (self.world.get("orgs") or {}).items():
            self._org(handle, given or {}, founder)

    def _find_emails(self) -> None:
        for handle, given in (self.world.get("users") or {}).items():
            if given and "email" in given:
                self.emails[handle] = given["email"]
        for org in (self.world.get("orgs") or {}).values():
            for handle, given in ((org or {}).get("members") or {}).items():
                if isinstance(given, dict) and "email" in given:
                    self.emails[handle] = given["email"]

    def _user(self, handle: str) -> None:
        given = (self.world.get("users") or {}).get(handle) or {}
        service = handle in (self.world.get("service_accounts") or [])
        tenant_id = self.tenant_ids[self.home]
        id_ = self.user_ids[handle] = self.new_id("u")
        doc = self.users[handle] = objects.user(
            id_,
            handle,
            tenant_id=tenant_id,
            at=self.at,
            display_name=given.get("display_name", ""),
            url=given.get("url", ""),
            status=given.get("status", "accepted"),
        )
        name = doc.get("display_name", "")
        self.add(PUBLISH, *identity_values(doc, "user"))
        self.add(_INSERT_USER, id_, handle, tenant_id, name, int(service), given.get("org_limit"), head(doc))
        if handle in self.emails:
            status = "verified" if doc["status"] == "accepted" else "pending"
            email = objects.email(
                self.new_id("up"), self.emails[handle], tenant_id=tenant_id, at=self.at, status=status
            )
            self.add(_INSERT_EMAIL, id_, self.emails[handle], head(email))

    def _tokens(self, named: list[str]) -> None:
        for given in self.world.get("tokens") or []:
            at = timestamp(_moment(given["issued_at"], "issued_at")) if "issued_at" in given else self.at
            self._token(given["user"], given["token"], at, given.get("status", "active"))
        for handle in named:
            if handle not in self.tokens:
                self._token(handle, f"tpt_{self.secret()}", self.at, "active")

    def _token(self, handle: str, secret: str, at: str, status: str) -> None:
        user_id = self.user_ids[handle]
        doc = objects.token(self.new_id("k"), user_id, secret, by=user_id, at=at)
        doc["status"] = status
        self.tokens.setdefault(handle, secret)
        self.add(_INSERT_KEY, doc["id"], user_id, secret, at, status, user_id, user_id, head(doc))

    def _tenant_member(self, handle: str, given: Any, founder: str) -> None:
        entry = {"role": given} if isinstance(given, str) else given
        status = entry.get("status", "accepted")
        doc = objects.tenant_member(
            self.new_id("m"),
            self.tenant_ids[self.home],
            self.user_ids[handle],
            address=entry.get("email") or self.emails.get(handle, objects.unknown_email(handle)),
            role=entry["role"],
            by=founder,
            at=self.at,
        )
        self.add(
            _INSERT_TENANT_MEMBER,
            doc["id"],
            doc["tenant_id"],
            doc["user_id"],
            doc["role"],
            status,
            self.secret() if status == "invited" else None,
            self.at,
            self.at,
            founder,
            founder,
            head(doc),
        )

    def _org(self, handle: str, given: dict[str, Any], founder: str) -> None:
        members = {
            user: {"role": entry} if isinstance(entry, str) else entry
            for user, entry in (given.get("members") or {}).items()
        }
        owners = [u for u, e in members.items() if e["role"] == "owner" and e.get("status", "accepted") == "accepted"]
        by = self.user_ids[owners[0]] if owners else founder
        tenant_id = self.tenant_ids[given.get("tenant", self.home)]
        doc = objects.org(
            self.new_id("o"),
            handle,
            tenant_id=tenant_id,
            by=by,
            at=self.at,
            display_name=given.get("display_name", ""),
            url=given.get("url", ""),
        )
        token_min = ""
        if "token_min_issued_at" in given:
            token_min = timestamp(_moment(given["token_min_issued_at"], "token_min_issued_at"))
            doc["token_min_issued_at"] = token_min
        limit = given.get("workspace_limit", objects.WORKSPACE_LIMIT)
        self.add(PUBLISH, *identity_values(doc, "org"))
        self.add(_INSERT_ORG, doc["id"], handle, tenant_id, limit, token_min, by, by, head(doc))
        org = Org(doc["id"], handle, tenant_id, limit, token_min, "", None)
        for user, entry in members.items():
            status = entry.get("status", "accepted")
            maker = self.user_ids[entry["by"]] if "by" in entry else by
            since = timestamp(_moment(entry["since"], "since")) if "since" in entry else self.at
            row = objects.member(self.new_id("m"), org.id, self.user_ids[user], role=entry["role"], by=maker, at=since)
            invite = self.secret() if status == "invited" else None
            self.add(
                _INSERT_MEMBER, row["id"], org.id, row["user_id"], row["role"], status, invite, maker, maker, head(row)
            )
        workspace_ids = {
            name: self._workspace(name, entry or {}, org, by) for name, entry in (given.get("workspaces") or {}).items()
        }
        if "connection_limit" in given:
            self.add(_LIMIT_CONNECTIONS, given["connection_limit"], org.id)
        self._connections(given, org, workspace_ids, by)
        self._audit_log(given.get("audit_log") or [], org, workspace_ids)

    def _connections(self, given: dict[str, Any], org: Org, workspace_ids: dict[str, str], by: str) -> None:
        folders, shared = given.get("connection_folders") or {}, given.get("connections") or {}
        # A connection and a folder may have the same name: handles and titles are not one namespace.
        ids = {("folder", title): self.new_id("c") for title in folders}
        ids.update({("connection", handle): self.new_id("c") for handle in shared})
        for (kind, name), id_ in ids.items():
            entry = (folders if kind == "folder" else shared)[name] or {}
            self._connection(
                id_, entry.get("title", name), entry, org, by, parent=ids.get(("folder", entry.get("folder")))
            )
            permitted = entry.get("permitted") or []
            for workspace_id in [None] if permitted == "all" else [workspace_ids[one] for one in permitted]:
                doc = objects.permission(self.new_id("perm"), id_, org.id, workspace_id, by=by, at=self.at)
                self.add(_INSERT_PERMISSION, doc["id"], org.id, id_, workspace_id, by, by, head(doc))
        for workspace, entry in (given.get("workspaces") or {}).items():
            at = workspace_ids[workspace]
            for handle, own in ((entry or {}).get("connections") or {}).items():
                self._connection(self.new_id("c"), handle, own, org, by, workspace_id=at)
            for name in (entry or {}).get("attached") or []:
                id_ = ids["folder" if name in folders else "connection", name]
                doc = objects.association(self.new_id("s"), org.id, at, id_, by=by, at=self.at)
                self.add(_INSERT_SCHEMA, doc["id"], at, id_, by, by, head(doc))
        if ids:
            self.trees.append(org.id)

    def _connection(self, id_: str, name: str, given: dict[str, Any], org: Org, by: str, *,
                    parent: str | None = None, workspace_id: str | None = None) -> None:  # fmt: skip
        visible, secrets = connections.split(given.get("config") or {}, id_)
        doc = objects.connection(
            id_,
            name,
            tenant_id=org.tenant_id,
            org_id=org.id,
            parent_id=parent or workspace_id or org.id,
            by=by,
            at=self.at,
            plugin=given.get("plugin"),
            workspace_id=workspace_id,
            config=visible,
        )
        tested = msgspec.json.encode(given["test"]).decode() if "test" in given else ""
        folder = int("plugin" not in given)
        self.add(
            _INSERT_CONNECTION, id_, org.id, workspace_id, folder, name, parent, secrets, tested, by, by, head(doc)
        )

    def _workspace(self, handle: str, given: dict[str, Any], org: Org, by: str) -> str:
        desired = given.get("desired_state", "enabled")
        doc = objects.workspace(
            self.new_id("w"),
            handle,
            org_id=org.id,
            by=by,
            at=self.at,
            instance_type=given.get("instance_type", "db1.shared"),
            desired_state=desired,
            volume_bytes=given.get("db_volume_size_bytes"),
            search_path_prefix=given.get("search_path_prefix"),
        )
        self.add(_INSERT_WORKSPACE, doc["id"], org.id, handle, given.get("state", desired), by, by, head(doc))
        for user, entry in (given.get("members") or {}).items():
            role = entry if isinstance(entry, str) else entry["role"]
            user_id = self.user_ids[user]
            row = objects.workspace_member(self.new_id("p"), org.id, doc["id"], user_id, role=role, by=by, at=self.at)
            self.add(_INSERT_GRANT, row["id"], doc["id"], org.id, user_id, role, by, by, head(row))
        return str(doc["id"])

    def _audit_log(self, entries: list[dict[str, Any]], org: Org, workspace_ids: dict[str, str]) -> None:
        dated = [
            (timestamp(_moment(entry["created_at"], "created_at")) if "created_at" in entry else self.at, entry)
            for entry in entries
        ]
        for at, entry in sorted(dated, key=lambda pair: pair[0]):
            actor_handle = str(entry.get("actor_handle", self.actor))
            actor = self.users[actor_handle]
            target = entry.get("target_handle", "")
            row = audit_row(
                self.new_id("e"),
                entry["action_type"],
                at=at,
                ip=entry.get("actor_ip", "192.0.2.1"),
                actor=Actor(
                    actor["id"],
                    actor_handle,
                    actor.get("display_name", ""),
                    actor["tenant_id"],
                    service=False,
                    issued_at="",
                ),
                org=org,
                target=(entry.get("target_id") or self.user_ids.get(target) or workspace_ids.get(target, ""), target),
                data=entry.get("data") or {},
            )
            self.add(_INSERT_AUDIT, org.id, workspace_ids.get(entry.get("workspace", ""), ""), row)


def generate(*, orgs: int, members: int, workspaces: int = 3, grants: int = 30, seed: int = 0) -> World:
    """A world of a given size, the same for the same arguments.

    Each org has `members` members, of whom the first two are owners (`admin`, the actor, always is one), `workspaces`
    workspaces, and up to `grants` grants in each of them. People are in several orgs.
    """
    draw = random.Random(seed)  # noqa: S311 -- reproducible, not secret
    people = [f"user-{number:05}" for number in range(max(members - 1, 0) * max(1, orgs // 5))]
    world_orgs: dict[str, Any] = {}
    for number in range(orgs):
        chosen = draw.sample(people, max(members - 1, 0))
        entries = {"admin": "owner", **dict.fromkeys(chosen, "member")}
        if chosen:
            entries[chosen[0]] = "owner"
        granted = chosen[1 : grants + 1]
        world_orgs[f"org-{number:04}"] = {
            "display_name": f"Organization {number}",
            "url": f"https://org-{number:04}.example",
            "workspace_limit": max(objects.WORKSPACE_LIMIT, workspaces),
            "members": entries,
            "workspaces": {
                f"ws{index}": {
                    "instance_type": objects.INSTANCE_TYPES[index % 3],
                    "members": {user: draw.choice(("reader", "operator", "owner")) for user in granted},
                }
                for index in range(workspaces)
            },
        }
    return {
        "actor": "admin",
        "now": "2026-11-24T09:00:00Z",
        "seed": f"generated-{seed}",
        "users": {"admin": {"display_name": "Admin"}},
        "orgs": world_orgs,
    }
