"""org.<org>/connection.<handle>: how an organization reaches a cloud account (contract: orgConnection_*)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds import connection_folder, secret
from reconciler.kinds.kind import Attribute, Kind, Place
from reconciler.model.live import Resource
from reconciler.model.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping


class Row(msgspec.Struct):
    """The contract's Connection, as far as it is used."""

    id: str
    handle: str
    version_id: int | None = None
    plugin: str | None = None
    config: dict[str, Any] | None = None
    parent_id: str | None = None
    identity_id: str | None = None


# what every connection has, an organization's or a workspace's
PLUGIN = Attribute("plugin", on_create=True, required=True)
CONFIG = Attribute("config", on_create=True, on_update=True, clear={}, same=secret.same_config, secret=True)

ATTRIBUTES = (
    PLUGIN,
    CONFIG,
    Attribute("folder", on_create=True, on_update=True, refers_to=connection_folder.KIND.name, api_field="parent_id"),
    Attribute("parent_id", hidden=True),
)


def attributes(plugin: str | None, config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Those attributes of a row. If a server gives back secrets, they go no further than here."""
    return {PLUGIN.name: plugin, CONFIG.name: secret.masked(config)}


def resource(row: Row) -> Resource:
    # contract: of what it is stored in, a folder or the org itself
    attrs = {**attributes(row.plugin, row.config), "parent_id": row.parent_id or row.identity_id}
    return Resource("connection", row.handle, row.id, row.version_id, attrs)


def list_path(place: Place) -> str:
    return f"/org/{place.org}/connection"


def object_path(place: Place, handle: str) -> str:
    return f"/org/{place.org}/connection/{handle}"


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """orgConnection_create. It can be used nowhere until it is permitted somewhere."""
    body = {"handle": handle, **KIND.body(attrs, create=True, place=place)}
    return (Request("POST", list_path(place), body, None, KIND.waits_for(attrs, place)),)


def update(place: Place, have: Resource, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """orgConnection_update. It replaces the configuration as a whole, secrets included; with `parent_id` it moves."""
    body = KIND.body(attrs, create=False, place=place)
    return (Request("PATCH", object_path(place, place.org_child), body, have.version, KIND.waits_for(attrs, place)),)


def rename(place: Place, have: Resource, handle: str) -> tuple[Request, ...]:
    """orgConnection_update with a new handle; the id stays, and its schemas get the new name."""
    return (Request("PATCH", object_path(place, have.handle), {"handle": handle}, have.version),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """orgConnection_delete: what is permitted and attached goes too."""
    return (Request("DELETE", object_path(place, have.handle), None, have.version),)


def test(place: Place, handle: str, attrs: Mapping[str, Any]) -> Request:
    """orgConnection_test, of what was just written."""
    body = {name: attrs[name] for name in ("plugin", "config") if attrs.get(name)}
    return Request("POST", f"{object_path(place, handle)}/test", body)


KIND = Kind(
    name="connection",
    parent="org",
    section="connections",
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
    test=test,
)
