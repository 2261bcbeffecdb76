"""The values a world file may hold, checked one by one. Each function raises WorldError with the place of the mistake."""

from __future__ import annotations

import re
import reprlib
from datetime import UTC, date, datetime
from typing import Any

from reconciler.sandbox.bodies import HANDLE

World = dict[str, Any]

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 120

_MEMBER = {"role", "status", "email", "by", "since", "last_activity_at"}


class WorldError(Exception):
    """What is wrong with a world, and where; `load` puts the file's name before it."""


def quoted(value: Any) -> str:
    """A value as a message shows it, cut short: through YAML's aliases a small file can hold a value of any size."""
    return _SHORT.repr(value)


def mapping(value: Any, place: str, keys: set[str] | None = None) -> dict[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WorldError(f"{place} is {quoted(value)}, not a mapping")
    unknown = [key for key in value if keys is not None and key not in keys]
    if unknown:
        raise WorldError(f"{place}: unknown key {quoted(unknown[0])} (known: {', '.join(sorted(keys or ()))})")
    return value


def rows_of(value: Any, place: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise WorldError(f"{place} is {quoted(value)}, not a list")
    return value


def checked_handle(value: Any, place: str, pattern: str) -> None:
    if not isinstance(value, str):
        raise WorldError(f"{place}: the handle {quoted(value)} is not a text; quote it")
    if not re.fullmatch(pattern, value):
        raise WorldError(f"{place}: {quoted(value)} is not a handle")


def checked_member(handle: Any, given: Any, place: str, roles: tuple[str, ...] | None) -> dict[str, Any]:
    checked_handle(handle, place, HANDLE)
    entry = {"role": given} if isinstance(given, str) else mapping(given, place, _MEMBER)
    role = entry.get("role")
    if not isinstance(role, str) or (roles is not None and role not in roles):
        raise WorldError(f"{place}: the role is {quoted(role)}" + (f", not {' or '.join(roles)}" if roles else ""))
    if entry.get("status", "accepted") not in ("accepted", "invited"):
        raise WorldError(f"{place}: the status is {quoted(entry['status'])}, not accepted or invited")
    for key in ("since", "last_activity_at"):
        if key in entry:
            moment(entry[key], f"{place}.{key}")
    return entry


def moment(value: Any, place: str) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise WorldError(f"{place}: {quoted(value)} is not an ISO 8601 time") from error
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        raise WorldError(f"{place}: {quoted(value)} is not an ISO 8601 time")
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def named_users(world: World) -> set[str]:
    """The handles of all users that a world mentions, wherever it does."""
    return set(users_in_order(world))


def users_in_order(world: World) -> list[str]:
    found = dict.fromkeys(world.get("users") or {})
    tenant = world.get("tenant")
    if isinstance(tenant, dict):
        found.update(dict.fromkeys(tenant.get("members") or {}))
    for org in (world.get("orgs") or {}).values():
        found.update(dict.fromkeys((org or {}).get("members") or {}))
        found.update(dict.fromkeys((org or {}).get("service_accounts") or {}))
        for entry in (org or {}).get("audit_log") or []:
            if "actor_handle" in entry:
                found[entry["actor_handle"]] = None
    found.update(dict.fromkeys(world.get("service_accounts") or []))
    return list(found)
