"""Is this a world? Finds the first thing in it that cannot be seeded. docs/sandbox.md shows a world with every key."""

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
    rows_of,
)

_TOP = {"actor", "now", "seed", "tenant", "users", "service_accounts", "orgs", "tokens"}
_USER = {"display_name", "email", "url", "org_limit", "status"}
_TENANT = {"handle", "display_name", "members"}
_ORG = {
    "display_name", "url", "tenant", "workspace_limit", "token_min_issued_at", "members", "workspaces", "audit_log",
    "connection_limit", "connection_folders", "connections",
}  # fmt: skip
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
        for handle in rows_of(services, "service_accounts"):
            checked_handle(handle, f"service_accounts: {handle}", HANDLE)
        tenants = {PRIMARY_TENANT}
        tenant = world.get("tenant", PRIMARY_TENANT)
        if isinstance(tenant, dict):
            mapping(tenant, "tenant", _TENANT)
            checked_handle(tenant.get("handle"), "tenant.handle", HANDLE)
            tenants.add(tenant["handle"])
            for handle, given in mapping(tenant.get("members"), "tenant.members").items():
                checked_member(handle, given, f"tenant.members.{handle}", TENANT_ROLES)
        elif tenant != PRIMARY_TENANT:
            raise WorldError(f"tenant: {tenant!r} has no members; write {{handle: {tenant}, members: {{…}}}}")
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
            raise WorldError(f"actor: {world['actor']!r} is not among the users and members")
        self._makers(orgs, known)
        for number, given in enumerate(rows_of(world.get("tokens"), "tokens"), 1):
            place = f"tokens[{number}]"
            mapping(given, place, _TOKEN)
            if given.get("user") not in known:
                raise WorldError(f"{place}: {given.get('user')!r} is not among the users and members")
            if not isinstance(given.get("token"), str) or not re.fullmatch(r"[\x21-\x7e]+", given["token"]):
                raise WorldError(f"{place}: token is {given.get('token')!r}, not a text without spaces")
            if "issued_at" in given:
                moment(given["issued_at"], f"{place}.issued_at")

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
        checked_handle(handle, place, HANDLE)
        org = mapping(given, place, _ORG)
        if org.get("tenant", PRIMARY_TENANT) not in tenants:
            raise WorldError(f"{place}.tenant: {org['tenant']!r} is neither {PRIMARY_TENANT} nor the world's tenant")
        if "token_min_issued_at" in org:
            moment(org["token_min_issued_at"], f"{place}.token_min_issued_at")
        members = mapping(org.get("members"), f"{place}.members")
        for user, given_member in members.items():
            member = checked_member(user, given_member, f"{place}.members.{user}", ORG_ROLES)
            self._email(emails, user, member.get("email"))
            if "since" in member:
                moment(member["since"], f"{place}.members.{user}.since")
        for name, entry in mapping(org.get("workspaces"), f"{place}.workspaces").items():
            where = f"{place}.workspaces.{name}"
            checked_handle(name, where, WORKSPACE_HANDLE)
            workspace = mapping(entry, where, _WORKSPACE)
            for user, granted in mapping(workspace.get("members"), f"{where}.members").items():
                # Any role: what nobody here knows is shown as it is.
                checked_member(user, granted, f"{where}.members.{user}", None)
                if user not in members:
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
                raise WorldError(f"{where}.workspace: {handle} has no workspace {entry['workspace']!r}")

    def _connections(self, org: dict[str, Any], place: str) -> None:
        workspaces = org.get("workspaces") or {}
        folders = mapping(org.get("connection_folders"), f"{place}.connection_folders")
        shared = mapping(org.get("connections"), f"{place}.connections")
        for section, entries, keys in (("connection_folders", folders, _FOLDER), ("connections", shared, _CONNECTION)):
            for name, entry in entries.items():
                where = f"{place}.{section}.{name}"
                checked_handle(name, where, CONNECTION_HANDLE)
                given = mapping(entry, where, keys)
                if "title" in given and not (isinstance(given["title"], str) and given["title"]):
                    raise WorldError(f"{where}.title: {given['title']!r} is not a title")
                if "folder" in given and given["folder"] not in folders:
                    raise WorldError(f"{where}.folder: {given['folder']!r} is not among the connection_folders")
                if given.get("permitted", "all") != "all":
                    for workspace in rows_of(given["permitted"], f"{where}.permitted"):
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
            own = mapping((entry or {}).get("connections"), f"{where}.connections")
            for name, given in own.items():
                checked_handle(name, f"{where}.connections.{name}", CONNECTION_HANDLE)
                _plugin(mapping(given, f"{where}.connections.{name}", _OWN_CONNECTION), f"{where}.connections.{name}")
            for name in rows_of((entry or {}).get("attached"), f"{where}.attached"):
                if (name in folders) + (name in shared) != 1:
                    raise WorldError(f"{where}.attached: {name!r} is not one of the connections or connection_folders")


def _plugin(given: dict[str, Any], place: str) -> None:
    if not isinstance(given, dict) or not isinstance(given.get("plugin"), str):
        raise WorldError(f"{place}: plugin is missing")
    mapping(given.get("config"), f"{place}.config")
