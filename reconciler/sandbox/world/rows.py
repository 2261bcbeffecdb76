"""A world as rows of the store: ids and tokens are made here, and everything is inserted in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.sandbox import clock, connections, objects, tokens
from reconciler.sandbox.call import Actor, Org, audit_row
from reconciler.sandbox.store import PRIMARY_TENANT, PRIMARY_TENANT_ID, clear, head, opaque, timestamp
from reconciler.sandbox.users import PUBLISH, identity_values
from reconciler.sandbox.world.checking import check
from reconciler.sandbox.world.fields import World, moment, users_in_order

if TYPE_CHECKING:
    from reconciler.sandbox.store import Store


def seed(store: Store, world: World) -> None:
    """Replace everything in a store by a world. Raises WorldError and leaves the store alone when it cannot be read."""
    check(world)
    build = _Build(world)
    build.run()
    with store.write() as db:
        clear(db)
        for statement, rows in build.rows.items():
            db.executemany(statement, rows)
        connections.write_trunks(db)
        db.execute(_INSERT_META, ("ids", str(build.ids)))
        db.execute(_INSERT_META, ("seed", build.seed))
        if "now" in world:
            db.execute(_INSERT_META, ("clock", str(int(build.now.timestamp()))))
        if build.actor is not None:
            db.execute(_INSERT_META, ("default_token", build.tokens[build.actor]))


_INSERT_META = "INSERT INTO meta VALUES (?, ?)"
_INSERT_TENANT = "INSERT INTO tenant (id, handle, created_by, updated_by, head) VALUES (?, ?, ?, ?, ?)"
_INSERT_USER = (
    "INSERT INTO user (id, handle, tenant_id, display_name, service, org_id, org_limit, head)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_EMAIL = "INSERT INTO email (user_id, email, head) VALUES (?, ?, ?)"
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
        self.now = moment(world["now"], "now") if "now" in world else clock.now()
        self.at = timestamp(self.now)
        self.ids = 0
        self.user_ids: dict[str, str] = {}
        self.org_ids: dict[str, str] = {}
        self.users: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, str] = {}
        self.emails: dict[str, str] = {}
        named = users_in_order(world)
        self.actor: str | None = world.get("actor", named[0] if named else None)
        self.rows: dict[str, list[tuple[Any, ...]]] = {
            statement: []
            for statement in (
                PUBLISH,
                _INSERT_TENANT,
                _INSERT_USER,
                _INSERT_EMAIL,
                tokens.INSERT,
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
        named = users_in_order(self.world)
        accounts = self._service_accounts()
        for handle in named:
            self._user(handle, accounts.get(handle))
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

    def _service_accounts(self) -> dict[str, dict[str, Any]]:
        """Each service account's entry: a tenant's, and an org's with the key `org`."""
        given = self.world.get("service_accounts") or {}
        found = {handle: dict(given[handle] or {}) if isinstance(given, dict) else {} for handle in given}
        for org, entry in (self.world.get("orgs") or {}).items():
            for handle, account in ((entry or {}).get("service_accounts") or {}).items():
                found[handle] = {**(account or {}), "org": org}
                # The account names its org's id before the org is written.
                self.org_ids.setdefault(org, self.new_id("o"))
        return found

    def _user(self, handle: str, account: dict[str, Any] | None) -> None:
        given = (self.world.get("users") or {}).get(handle) or {}
        tenant_id = self.tenant_ids[PRIMARY_TENANT if account and "org" in account else self.home]
        org_id = self.org_ids[account["org"]] if account and "org" in account else ""
        id_ = self.user_ids[handle] = self.new_id("u")
        doc = self.users[handle] = objects.user(
            id_,
            handle,
            tenant_id=tenant_id,
            at=self.at,
            type_=objects.USER if account is None else objects.SERVICE_ACCOUNT,
            display_name=given.get("display_name", ""),
            url=given.get("url", ""),
            status=given.get("status", "accepted"),
            org_id=org_id,
            title=(account or {}).get("title", ""),
            description=(account or {}).get("description", ""),
        )
        name = doc.get("display_name", "")
        service = int(account is not None)
        self.add(PUBLISH, *identity_values(doc, "user"))
        self.add(_INSERT_USER, id_, handle, tenant_id, name, service, org_id, given.get("org_limit"), head(doc))
        if handle in self.emails:
            status = "verified" if doc["status"] == "accepted" else "pending"
            email = objects.email(
                self.new_id("up"), self.emails[handle], tenant_id=tenant_id, at=self.at, status=status
            )
            self.add(_INSERT_EMAIL, id_, self.emails[handle], head(email))

    def _tokens(self, named: list[str]) -> None:
        for given in self.world.get("tokens") or []:
            self._token(given["user"], given)
        for handle in named:
            if handle not in self.tokens:
                self._token(handle, {})

    def _token(self, handle: str, given: dict[str, Any]) -> None:
        user_id = self.user_ids[handle]
        secret, status = given.get("token") or tokens.new_secret(), given.get("status", "active")
        at, expires_at = self._time(given, "issued_at", self.at), self._time(given, "expires_at", "")
        doc = objects.token(
            self.new_id("k"),
            user_id,
            secret,
            by=user_id,
            at=at,
            expires_at=expires_at,
            title=given.get("title", ""),
            description=given.get("description", ""),
            status=status,
        )
        self.tokens.setdefault(handle, secret)
        self.add(tokens.INSERT, doc["id"], user_id, secret, at, expires_at, status, user_id, user_id, head(doc))

    def _time(self, given: dict[str, Any], key: str, otherwise: str) -> str:
        return timestamp(moment(given[key], key)) if key in given else otherwise

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
            at=self._time(entry, "since", self.at),
            last_activity_at=self._time(entry, "last_activity_at", ""),
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
        for account, entry in (given.get("service_accounts") or {}).items():
            members[account] = {"role": (entry or {}).get("role", "member")}
        owners = [u for u, e in members.items() if e["role"] == "owner" and e.get("status", "accepted") == "accepted"]
        by = self.user_ids[owners[0]] if owners else founder
        tenant_id = self.tenant_ids[given.get("tenant", self.home)]
        doc = objects.org(
            self.org_ids.get(handle) or self.new_id("o"),
            handle,
            tenant_id=tenant_id,
            by=by,
            at=self.at,
            display_name=given.get("display_name", ""),
            url=given.get("url", ""),
        )
        token_min = ""
        if "token_min_issued_at" in given:
            token_min = self._time(given, "token_min_issued_at", "")
            doc["token_min_issued_at"] = token_min
        limit = given.get("workspace_limit", objects.WORKSPACE_LIMIT)
        self.add(PUBLISH, *identity_values(doc, "org"))
        self.add(_INSERT_ORG, doc["id"], handle, tenant_id, limit, token_min, by, by, head(doc))
        org = Org(doc["id"], handle, tenant_id, limit, token_min, "", None)
        for user, entry in members.items():
            status = entry.get("status", "accepted")
            maker = self.user_ids[entry["by"]] if "by" in entry else by
            row = objects.member(
                self.new_id("m"),
                org.id,
                self.user_ids[user],
                role=entry["role"],
                by=maker,
                at=self._time(entry, "since", self.at),
                last_activity_at=self._time(entry, "last_activity_at", ""),
            )
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
            own_folders = (entry or {}).get("connection_folders") or {}
            inside = {title: self.new_id("c") for title in own_folders}
            for title, own in own_folders.items():
                above = inside.get((own or {}).get("folder"))
                name = (own or {}).get("title", title)
                self._connection(inside[title], name, own or {}, org, by, parent=above, workspace_id=at)
            for handle, own in ((entry or {}).get("connections") or {}).items():
                above = inside.get(own.get("folder"))
                self._connection(self.new_id("c"), handle, own, org, by, parent=above, workspace_id=at)
            for name in (entry or {}).get("attached") or []:
                id_ = ids["folder" if name in folders else "connection", name]
                doc = objects.association(self.new_id("s"), org.id, at, id_, by=by, at=self.at)
                self.add(_INSERT_SCHEMA, doc["id"], at, id_, by, by, head(doc))

    def _connection(self, id_: str, name: str, given: dict[str, Any], org: Org, by: str, *,
                    parent: str | None = None, workspace_id: str | None = None) -> None:  # fmt: skip
        config, secrets = connections.split(given.get("config") or {}, id_)
        doc = objects.connection(
            id_,
            name,
            tenant_id=org.tenant_id,
            org_id=org.id,
            parent_id=parent or "",
            by=by,
            at=self.at,
            plugin=given.get("plugin"),
            workspace_id=workspace_id,
            config=config,
        )
        tested = msgspec.json.encode(given["test"]).decode() if "test" in given else ""
        folder = int("plugin" not in given)
        self.add(
            _INSERT_CONNECTION, id_, org.id, workspace_id, folder, name, parent, secrets, tested, by, by, head(doc)
        )

    def _workspace(self, handle: str, given: dict[str, Any], org: Org, by: str) -> str:
        desired, asleep = given.get("desired_state", "enabled"), bool(given.get("asleep"))
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
            asleep=asleep,
        )
        state = given.get("state", "disabled" if asleep else desired)
        self.add(_INSERT_WORKSPACE, doc["id"], org.id, handle, state, by, by, head(doc))
        for user, entry in (given.get("members") or {}).items():
            said = {"role": entry} if isinstance(entry, str) else entry
            role, user_id = said["role"], self.user_ids[user]
            row = objects.workspace_member(
                self.new_id("p"),
                org.id,
                doc["id"],
                user_id,
                role=role,
                by=by,
                at=self._time(said, "since", self.at),
                last_activity_at=self._time(said, "last_activity_at", ""),
            )
            self.add(_INSERT_GRANT, row["id"], doc["id"], org.id, user_id, role, by, by, head(row))
        return str(doc["id"])

    def _audit_log(self, entries: list[dict[str, Any]], org: Org, workspace_ids: dict[str, str]) -> None:
        dated = [(self._time(entry, "created_at", self.at), entry) for entry in entries]
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
