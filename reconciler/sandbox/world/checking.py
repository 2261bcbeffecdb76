"""Checks a world, and names the first thing in it that cannot be seeded. docs/sandbox.md shows a world with every key."""

from __future__ import annotations

import re
from typing import Any

from reconciler.sandbox.bodies import CONNECTION_HANDLE, HANDLE, ORG_ROLES, TENANT_ROLES, WORKSPACE_HANDLE
from reconciler.sandbox.store import PRIMARY_TENANT
from reconciler.sandbox.world.fields import (
    WorldError,
    checked_handle,
    checked_member,
    mapping,
    moment,
    named_users,
    quoted,
    rows_of,
)

_TOP = {"actor", "now", "seed", "tenant", "users", "service_accounts", "orgs", "tokens"}
_USER = {"display_name", "email", "url", "org_limit", "status"}
_TENANT = {"handle", "display_name", "members"}
_ORG = {
    "display_name", "url", "tenant", "workspace_limit", "token_min_issued_at", "members", "workspaces", "audit_log",
    "connection_limit", "connection_folders", "connections", "service_accounts",
}  # fmt: skip
_WORKSPACE = {
    "instance_type", "desired_state", "state", "search_path_prefix", "db_volume_size_bytes", "members", "connections",
    "attached", "asleep", "connection_folders",
}  # fmt: skip
_FOLDER = {"folder", "permitted", "title"}
_CONNECTION = {"plugin", "config", "folder", "permitted", "test"}
_OWN_FOLDER = {"folder", "title"}
_OWN_CONNECTION = {"plugin", "config", "folder"}
_SERVICE_ACCOUNT = {"title", "description", "role"}
_TOKEN = {"user", "token", "issued_at", "expires_at", "status", "title", "description"}
_AUDIT = {
    "action_type", "actor_handle", "actor_ip", "target_handle", "target_id", "created_at", "data", "workspace",
}  # fmt: skip


def check(world: Any) -> None:
    """Raise WorldError for the first thing in a world that `seed` could not take."""
    _Check(world).run()


class _Check:
    def __init__(self, world: Any) -> None:
        self.world = world

    def run(self) -> None:
        world = mapping(self.world, "the world", _TOP)
        if "now" in world:
            moment(world["now"], "now")
        users = mapping(world.get("users"), "users")
        for handle, given in users.items():
            checked_handle(handle, f"users.{handle}", HANDLE)
            mapping(given, f"users.{handle}", _USER)
        services = world.get("service_accounts") or []
        for handle in services if isinstance(services, dict) else rows_of(services, "service_accounts"):
            checked_handle(handle, f"service_accounts: {handle}", HANDLE)
            if isinstance(services, dict):
                mapping(services[handle], f"service_accounts.{handle}", _SERVICE_ACCOUNT - {"role"})
        tenants = [PRIMARY_TENANT]
        tenant = world.get("tenant", PRIMARY_TENANT)
        if isinstance(tenant, dict):
            mapping(tenant, "tenant", _TENANT)
            checked_handle(tenant.get("handle"), "tenant.handle", HANDLE)
            tenants.append(tenant["handle"])
            for handle, given in mapping(tenant.get("members"), "tenant.members").items():
                checked_member(handle, given, f"tenant.members.{handle}", TENANT_ROLES)
        elif tenant != PRIMARY_TENANT:
            raise WorldError(f"tenant: {quoted(tenant)} has no members; write {{handle: {tenant}, members: {{…}}}}")
        emails: dict[str, str] = {}
        for handle, given in users.items():
            self._email(emails, handle, (given or {}).get("email"))
        orgs = mapping(world.get("orgs"), "orgs")
        for handle, given in orgs.items():
            if handle in users or handle in services:
                raise WorldError(f"orgs.{handle}: a user has this handle")
            self._org(handle, given, tenants, emails)
        known = named_users(world)
        both = sorted(known & set(orgs))
        if both:
            raise WorldError(f"orgs.{both[0]}: a user has this handle")
        if "actor" in world and world["actor"] not in known:
            raise WorldError(f"actor: {quoted(world['actor'])} is not among the users and members")
        self._makers(orgs, known)
        for number, given in enumerate(rows_of(world.get("tokens"), "tokens"), 1):
            place = f"tokens[{number}]"
            mapping(given, place, _TOKEN)
            if given.get("user") not in known:
                raise WorldError(f"{place}: {quoted(given.get('user'))} is not among the users and members")
            secret = given.get("token", "tpt_made")
            if not isinstance(secret, str) or not re.fullmatch(r"[\x21-\x7e]+", secret):
                raise WorldError(f"{place}: token is {quoted(secret)}, not a text without spaces")
            for key in ("issued_at", "expires_at"):
                if key in given:
                    moment(given[key], f"{place}.{key}")

    def _makers(self, orgs: dict[str, Any], known: set[str]) -> None:
        """Check that whoever let a member in is one of the world's users."""
        for handle, org in orgs.items():
            for user, member in ((org or {}).get("members") or {}).items():
                if isinstance(member, dict) and member.get("by", user) not in known:
                    raise WorldError(
                        f"orgs.{handle}.members.{user}.by: {quoted(member['by'])} is not among the users and members"
                    )

    def _email(self, emails: dict[str, str], handle: str, address: Any) -> None:
        if address is None:
            return
        if not isinstance(address, str) or "@" not in address:
            raise WorldError(f"{handle}: {quoted(address)} is not an email address")
        if emails.setdefault(address.lower(), handle) != handle:
            raise WorldError(f"{handle}: {address} is the address of {emails[address.lower()]} too")

    def _org(self, handle: Any, given: Any, tenants: list[str], emails: dict[str, str]) -> None:
        place = f"orgs.{handle}"
        checked_handle(handle, place, HANDLE)
        org = mapping(given, place, _ORG)
        if org.get("tenant", PRIMARY_TENANT) not in tenants:
            raise WorldError(
                f"{place}.tenant: {quoted(org['tenant'])} is neither {PRIMARY_TENANT} nor the world's tenant"
            )
        if "token_min_issued_at" in org:
            moment(org["token_min_issued_at"], f"{place}.token_min_issued_at")
        members = mapping(org.get("members"), f"{place}.members")
        accounts = mapping(org.get("service_accounts"), f"{place}.service_accounts")
        for account, given_account in accounts.items():
            where = f"{place}.service_accounts.{account}"
            checked_handle(account, where, HANDLE)
            role = mapping(given_account, where, _SERVICE_ACCOUNT).get("role", "member")
            if role not in ORG_ROLES or account in members:
                raise WorldError(f"{where}: its role, {' or '.join(ORG_ROLES)}, belongs here and not in members")
            if org.get("tenant", tenants[-1]) != PRIMARY_TENANT:
                raise WorldError(f"{where}: {handle} is in a custom tenant; write it in the world's service_accounts")
        for user, given_member in members.items():
            member = checked_member(user, given_member, f"{place}.members.{user}", ORG_ROLES)
            self._email(emails, user, member.get("email"))
        for name, entry in mapping(org.get("workspaces"), f"{place}.workspaces").items():
            where = f"{place}.workspaces.{name}"
            checked_handle(name, where, WORKSPACE_HANDLE)
            workspace = mapping(entry, where, _WORKSPACE)
            for user, granted in mapping(workspace.get("members"), f"{where}.members").items():
                # Any role: an unknown one is shown as it is.
                checked_member(user, granted, f"{where}.members.{user}", None)
                if user not in members and user not in accounts:
                    raise WorldError(f"{where}.members.{user}: is not a member of {handle}")
        self._connections(org, place)
        for number, entry in enumerate(rows_of(org.get("audit_log"), f"{place}.audit_log"), 1):
            where = f"{place}.audit_log[{number}]"
            mapping(entry, where, _AUDIT)
            if "action_type" not in entry:
                raise WorldError(f"{where}: action_type is missing")
            if "created_at" in entry:
                moment(entry["created_at"], f"{where}.created_at")
            if "workspace" in entry and entry["workspace"] not in (org.get("workspaces") or {}):
                raise WorldError(f"{where}.workspace: {handle} has no workspace {quoted(entry['workspace'])}")

    def _connections(self, org: dict[str, Any], place: str) -> None:
        workspaces = org.get("workspaces") or {}
        folders = mapping(org.get("connection_folders"), f"{place}.connection_folders")
        shared = mapping(org.get("connections"), f"{place}.connections")
        _tree(folders, shared, place, (_FOLDER, _CONNECTION))
        for section, entries in (("connection_folders", folders), ("connections", shared)):
            for name, entry in entries.items():
                where = f"{place}.{section}.{name}.permitted"
                permitted = (entry or {}).get("permitted", "all")
                for workspace in [] if permitted == "all" else rows_of(permitted, where):
                    if workspace not in workspaces:
                        raise WorldError(f"{where}: no workspace {quoted(workspace)}")
        for workspace, entry in workspaces.items():
            where = f"{place}.workspaces.{workspace}"
            given = entry or {}
            own_folders = mapping(given.get("connection_folders"), f"{where}.connection_folders")
            own = mapping(given.get("connections"), f"{where}.connections")
            _tree(own_folders, own, where, (_OWN_FOLDER, _OWN_CONNECTION))
            for name in rows_of(given.get("attached"), f"{where}.attached"):
                if (name in folders) + (name in shared) != 1:
                    raise WorldError(
                        f"{where}.attached: {quoted(name)} is not one of the connections or connection_folders"
                    )


def _tree(folders: dict[Any, Any], connections: dict[Any, Any], place: str, keys: tuple[set[str], set[str]]) -> None:
    """The folders and connections of an org or a workspace: names, keys, and which folder each lies in."""
    for section, entries, known in (("connection_folders", folders, keys[0]), ("connections", connections, keys[1])):
        for name, entry in entries.items():
            where = f"{place}.{section}.{name}"
            given = mapping(entry, where, known)
            if section == "connections":
                checked_handle(name, where, CONNECTION_HANDLE)
                _plugin(given, where)
            title = given.get("title", name)
            if not isinstance(title, str) or not title:
                raise WorldError(f"{where}: the title {quoted(title)} is not a text; quote it")
            if "folder" in given and given["folder"] not in folders:
                raise WorldError(f"{where}.folder: {quoted(given['folder'])} is not among the connection_folders")
    for name, entry in folders.items():
        seen, at = {name}, (entry or {}).get("folder")
        while at is not None:
            if at in seen:
                raise WorldError(f"{place}.connection_folders.{name}: is inside itself")
            seen.add(at)
            at = (folders[at] or {}).get("folder")


def _plugin(given: dict[str, Any], place: str) -> None:
    if not isinstance(given, dict) or not isinstance(given.get("plugin"), str):
        raise WorldError(f"{place}: plugin is missing")
    mapping(given.get("config"), f"{place}.config")
