"""org.<org>/workspace.<handle>: a workspace and its database (contract: orgWorkspace_*)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds.kind import KEPT_BY_PIPES, READ_ONLY, Attribute, Kind, Place
from reconciler.model.late_pattern import late_pattern
from reconciler.model.live import Resource
from reconciler.model.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARED = "db1.shared"
VOLUME = "db_volume_size_bytes"
INACTIVE = late_pattern(r"(?i)inactiv|idle|asleep|sleep|unused|not (?:been )?used")

# a workspace in one of these states is on its way to another (contract: WorkspaceState)
MOVING = frozenset({"pending", "creating", "enabling", "disabling", "pausing", "shutting-down", "stopping"})


class Row(msgspec.Struct):
    """The contract's Workspace, as far as it is used."""

    id: str
    handle: str
    version_id: int | None = None
    instance_type: str | None = None
    desired_state: str | None = None
    db_volume_size_bytes: int | None = None
    search_path_prefix: list[str] | None = None
    state: str | None = None
    state_reason: str | None = None
    host: str | None = None


ATTRIBUTES = (
    Attribute("instance_type", on_create=True, on_update=True),
    Attribute("desired_state", on_create=True, on_update=True),
    Attribute("db_volume_size_bytes", on_create=True, on_update=True),
    Attribute("search_path_prefix", on_update=True, clear=[]),
    Attribute("state", hidden=True),
    Attribute("state_reason", hidden=True),
    Attribute("host", hidden=True),
)


NOT_WRITTEN = {
    **KEPT_BY_PIPES,
    "handle": "its key; `renamed_from` states a rename",
    "host": "read-only: Pipes makes it of the handles of the organization and the workspace",
    "search_path": "read-only: Pipes makes it of `search_path_prefix`",
    "state": "read-only: Pipes brings it to `desired_state`",
    **dict.fromkeys(
        ("identity_id", "api_version", "cli_version", "database_name", "hive", "notices", "powerpipe_version",
         "public_key", "state_reason"),
        READ_ONLY,
    ),
}  # fmt: skip


def is_asleep(attrs: Mapping[str, Any]) -> bool:
    """Whether Pipes put a live workspace to sleep because nobody used it (API page, "Rules of the service").

    It is disabled then. Whether `desired_state` shows that is unknown, so it is asleep if that says `enabled` still, or
    if the reason that Pipes gives speaks of it.
    """
    if attrs.get("state") != "disabled":
        return False
    return attrs.get("desired_state") == "enabled" or INACTIVE.search(str(attrs.get("state_reason") or "")) is not None


def volume_problem(have: Mapping[str, Any], want: Mapping[str, Any]) -> str | None:
    """What is wrong with a wanted volume; `have` is empty for a workspace that does not exist yet."""
    size = want.get(VOLUME)
    if size is None or size == have.get(VOLUME):
        return None
    if want.get("instance_type", have.get("instance_type")) == SHARED:
        return f"{SHARED} has no volume of its own, so {VOLUME} cannot be set"
    if have.get(VOLUME) is not None and size < have[VOLUME]:
        return f"{VOLUME} is {have[VOLUME]} and can only grow, so it cannot become {size}"
    return None


def resource(row: Row) -> Resource:
    attrs = {a.name: getattr(row, a.name) for a in ATTRIBUTES}
    return Resource("workspace", row.handle, row.id, row.version_id, attrs)


def list_path(place: Place) -> str:
    return f"/org/{place.org}/workspace"


def object_path(place: Place, handle: str) -> str:
    return f"/org/{place.org}/workspace/{handle}"


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """orgWorkspace_create, and orgWorkspace_update for the search path prefix, which the former does not take."""
    first = Request("POST", list_path(place), {"handle": handle, **KIND.body(attrs, create=True)})
    rest = {name: value for name, value in attrs.items() if value is not None and not KIND.attribute(name).on_create}
    body = KIND.body(rest, create=False)
    return (first, Request("PATCH", object_path(place, handle), body)) if body else (first,)


def update(place: Place, have: Resource, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """orgWorkspace_update."""
    return (Request("PATCH", object_path(place, place.org_child), KIND.body(attrs, create=False), have.version),)


def rename(place: Place, have: Resource, handle: str) -> tuple[Request, ...]:
    """orgWorkspace_update with a new handle; the id stays, the DNS name changes."""
    return (Request("PATCH", object_path(place, have.handle), {"handle": handle}, have.version),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """orgWorkspace_delete: the database goes too."""
    return (Request("DELETE", object_path(place, have.handle), None, have.version),)


KIND = Kind(
    name="workspace",
    parent="org",
    section="workspaces",
    attributes=ATTRIBUTES,
    authoritative=False,
    names_people=False,
    own_scope=None,
    row=Row,
    resource=resource,
    list_path=list_path,
    object_path=object_path,
    create=create,
    update=update,
    delete=delete,
    rename=rename,
    not_written=NOT_WRITTEN,
    read_for_impact=True,
)
