"""org.<org>/connection_folder.<key>: the tree of folders of an organization's connections (contract:
orgConnectionFolder_*).

A folder has no handle, and its title is unique in its own folder at most: the key is the manifest's, and which live
folder it means follows from the lock file's id, else from its title and the folder that it is in.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds.kind import KEPT_BY_PIPES, READ_ONLY, Attribute, Kind, Place
from reconciler.model.late_pattern import late_pattern
from reconciler.model.live import Resource
from reconciler.model.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.desired import Node

NAME = "connection_folder"
# Free text: Pipes does not enforce the contract's format (observed). A manifest cannot write control characters, nor spaces at
# the ends, which a server may trim.
TITLE = late_pattern(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?")


class Row(msgspec.Struct):
    """The contract's Connection where it is a folder, as far as it is used."""

    id: str
    title: str | None = None
    version_id: int | None = None
    parent_id: str | None = None
    identity_id: str | None = None
    workspace_id: str | None = None


ATTRIBUTES = (
    Attribute("title", on_create=True, on_update=True),
    Attribute("folder", on_create=True, on_update=True, refers_to=NAME, api_field="parent_id"),
    Attribute("parent_id", hidden=True),
    Attribute("top_id", hidden=True),
)

NOT_WRITTEN = {
    **KEPT_BY_PIPES,
    "handle": "its key, which is the manifest's own",
    "parent_id": "written as `folder`, the key of the folder that it is in",
    **dict.fromkeys(("identity_id", "tenant_id", "trunk", "type", "workspace_id"), READ_ONLY),
}


def resource(row: Row) -> Resource:
    """Under its id, until `name_live` has found its name."""
    return in_tree(NAME, row, row.identity_id)


def in_tree(kind: str, row: Row, top_id: str | None) -> Resource:
    """A folder in the tree of the org or workspace with the id `top_id`."""
    attrs = {
        "title": row.title or "",
        "parent_id": row.parent_id or top_id,  # contract: of what it is stored in, a folder or the org itself
        "top_id": top_id,
    }
    return Resource(kind, row.id, row.id, row.version_id, attrs)


def defaults(name: str) -> dict[str, Any]:
    """Title and place identify a folder. Left out, they are the key and the top level."""
    return {"title": name, "folder": None}


def name_live(
    live: Mapping[str, Resource], wanted: Mapping[str, Node], known: Mapping[str, str], top: str
) -> dict[str, str]:
    """The name of each live folder by its id: the manifest's key, or a free one if no manifest has the folder.

    The lock file's id (`known`) comes first, then the title in the folder that it is wanted in. Of two that fit,
    neither gets the key.
    """
    names = {identifier: name for name, identifier in known.items() if name in wanted and identifier in live}
    keys = {name: identifier for identifier, name in names.items()}
    for name, want in from_the_top(wanted):
        inside = want.attrs.get("folder")
        parent = top if inside is None else keys.get(inside)
        if name in keys or parent is None or "title" not in want.attrs:
            continue
        fitting = [
            one.id
            for one in live.values()
            if one.attrs["title"] == want.attrs.get("title") and _parent(one, top) == parent and one.id not in names
        ]
        if len(fitting) == 1:
            names[fitting[0]], keys[name] = name, fitting[0]
    _call_the_rest(names, live, {identifier: name for name, identifier in known.items()}, wanted)
    return names


def _parent(folder: Resource, top: str) -> str | None:
    """The id of the folder that a live one is in, or of the org or workspace whose tree it is."""
    found: str | None = folder.attrs["parent_id"]
    return top if found is None else found


def from_the_top(wanted: Mapping[str, Node]) -> Iterator[tuple[str, Node]]:
    """Wanted folders, each after the one that contains it. Those in a circle are left out."""
    done: set[str | None] = {None}
    waiting = dict(wanted)
    while waiting:
        ready = [name for name, want in waiting.items() if want.attrs.get("folder") in done]
        if not ready:
            return
        for name in ready:
            yield name, waiting.pop(name)
        done.update(ready)


def _call_the_rest(
    names: dict[str, str], live: Mapping[str, Resource], former: Mapping[str, str], wanted: Mapping[str, Node]
) -> None:
    """Keys for folders that no manifest has: from the lock file, the title, the titles down to it, or the id."""
    rest = [one for one in live.values() if one.id not in names]
    taken = {*names.values(), *wanted}
    short = {one.id: _key(one.attrs["title"]) for one in rest}
    times = Counter(short.values())
    for one in sorted(rest, key=lambda one: one.id):
        path = "-".join(map(_key, _path(one, live)))
        choices = [former.get(one.id), short[one.id] if times[short[one.id]] == 1 else None, path]
        found = next((name for name in choices if name and name not in taken and is_key(name)), one.id)
        names[one.id] = found
        taken.add(found)


def _key(title: str) -> str:
    """A title as a key: `EMEA accounts` gives `emea-accounts`. Empty if no character of it is allowed in a key."""
    return re.sub(r"[^a-z0-9_]+", "-", title.lower()).strip("-_")


# a key of a manifest: what is allowed in an address
is_key = re.compile(r"[a-z0-9][a-z0-9_-]{0,38}").fullmatch


def _path(folder: Resource, live: Mapping[str, Resource]) -> list[str]:
    """The titles from the top down to a live folder."""
    titles: list[str] = []
    at: Resource | None = folder
    while at is not None and len(titles) <= len(live):
        titles.insert(0, at.attrs["title"])
        at = live.get(at.attrs["parent_id"] or "")
    return titles


def matches_create(live: Resource, body: Mapping[str, Any]) -> bool:
    """Whether a live folder is what a create with `body` makes: of that title, in that folder."""
    return bool(
        live.attrs["title"] == body.get("title")
        and live.attrs["parent_id"] == body.get("parent_id", live.attrs["top_id"])
    )


def list_path(place: Place) -> str:
    return f"/org/{place.org}/connection_folder"


def object_path(place: Place, handle: str) -> str:
    """By its id only."""
    return f"{list_path(place)}/{handle}"


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:  # noqa: ARG001
    """orgConnectionFolder_create."""
    body = KIND.body(attrs, create=True, place=place)
    return (Request("POST", list_path(place), body, None, KIND.waits_for(attrs, place)),)


def update(place: Place, have: Resource, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """orgConnectionFolder_update: another title, or with `parent_id` another place, with all that is in it."""
    body = KIND.body(attrs, create=False, place=place)
    return (Request("PATCH", object_path(place, have.id), body, have.version, KIND.waits_for(attrs, place)),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """orgConnectionFolder_delete, for an empty folder. The contract does not say what happens to the content of another."""
    return (Request("DELETE", object_path(place, have.id), None, have.version),)


KIND = Kind(
    name=NAME,
    parent="org",
    section="connection_folders",
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
    not_written=NOT_WRITTEN,
    found_in_list=True,
    name_live=name_live,
    matches_create=matches_create,
    defaults=defaults,
    known_by=("title", "folder"),
)
