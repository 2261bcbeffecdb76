"""org.<org>/service_account.<key>: an account of an organization that no person logs in with (contract: orgServiceAccount_*).

Pipes chooses its handle, and its title need not be unique: the key is the manifest's, and it means the live account that has
the `handle` written under it, else the lock file's id, else its title. Its role and grants are a member's.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds.kind import KEPT_BY_PIPES, READ_ONLY, Attribute, Kind, Place
from reconciler.model.live import Resource
from reconciler.model.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.desired import Node

NAME = "service_account"
TITLE, HANDLE, RESPONSIBLE = "title", "handle", "responsible"


class Row(msgspec.Struct):
    """The contract's User where it is a service account, as far as it is used."""

    id: str
    handle: str
    title: str | None = None
    description: str | None = None
    version_id: int | None = None
    created_by_id: str | None = None


ATTRIBUTES = (
    Attribute(TITLE, on_create=True, on_update=True),
    Attribute("description", on_create=True, on_update=True, clear=""),
    Attribute(HANDLE),
    Attribute(RESPONSIBLE),
)

NOT_WRITTEN = {
    **KEPT_BY_PIPES,
    "role": "written in `members:`, as `service/NAME: ROLE`",
    "token": "never written: create tokens in the console",
    "tokens": "never written: create tokens in the console",
    **dict.fromkeys(("identity_id", "tenant_id", "status", "type", "last_activity_at"), READ_ONLY),
}


def resource(row: Row) -> Resource:
    """Under its id, until `name_live` has found its key."""
    attrs = {TITLE: row.title or "", "description": row.description or "", HANDLE: row.handle, "by": row.created_by_id}
    return Resource(NAME, row.id, row.id, row.version_id, attrs)


def title_of(name: str, want: Node) -> str:
    """The title of a wanted account: its key, if none is written."""
    return str(want.attrs.get(TITLE) or name)


def name_live(
    live: Mapping[str, Resource],
    wanted: Mapping[str, Node],
    known: Mapping[str, str],
    top: str,  # noqa: ARG001 -- as every kind's
) -> dict[str, str]:
    """The key of each live account by its id: the manifest's, or a free one if no manifest has the account.

    A written handle comes first, then the lock file's id (`known`), then the title. Of several that fit, none gets the key.
    """
    names: dict[str, str] = {}
    by_handle = {one.attrs[HANDLE]: one.id for one in live.values()}
    for name, want in wanted.items():
        handle = want.attrs.get(HANDLE)
        found = by_handle.get(handle, "") if handle else known.get(name, "")
        if found in live and found not in names:
            names[found] = name
    for name, want in wanted.items():
        if name not in names.values() and not want.attrs.get(HANDLE):
            fitting = [
                one.id for one in live.values() if one.attrs[TITLE] == title_of(name, want) and one.id not in names
            ]
            others = [n for n, w in wanted.items() if n != name and title_of(n, w) == title_of(name, want)]
            if len(fitting) == 1 and all(other in names.values() for other in others):
                names[fitting[0]] = name
    _call_the_rest(names, live, {identifier: name for name, identifier in known.items()}, wanted)
    return names


def _call_the_rest(
    names: dict[str, str], live: Mapping[str, Resource], former: Mapping[str, str], wanted: Mapping[str, Node]
) -> None:
    """Keys for accounts that no manifest has: from the lock file, the title, or the handle."""
    rest = [one for one in live.values() if one.id not in names]
    taken = {*names.values(), *wanted}
    slugs = {one.id: re.sub(r"[^a-z0-9_]+", "-", str(one.attrs[TITLE]).lower()).strip("-_")[:39] for one in rest}
    times = Counter(slugs.values())
    for one in sorted(rest, key=lambda one: one.id):
        slug = slugs[one.id].strip("-_")
        choices = [former.get(one.id), slug if times[slugs[one.id]] == 1 else None, str(one.attrs[HANDLE])]
        names[one.id] = next((n for n in choices if n and n not in taken and is_key(n)), one.id)
        taken.add(names[one.id])


# a key of a manifest: what is allowed in an address
is_key = re.compile(r"[a-z0-9][a-z0-9_-]{0,38}").fullmatch


def matches_create(live: Resource, body: Mapping[str, Any]) -> bool:
    """Whether a live account may be what a create with `body` made: there was none with that title at the time of the plan."""
    return bool(live.attrs[TITLE] == body.get(TITLE))


def list_path(place: Place) -> str:
    return f"/org/{place.org}/service_account"


def object_path(place: Place, handle: str) -> str:
    """By its id only."""
    return f"{list_path(place)}/{handle}"


def create(place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """orgServiceAccount_create. It has no idempotency key: after a lost answer it is looked for by its title."""
    body = {TITLE: attrs.get(TITLE) or handle, **KIND.body(attrs, create=True)}
    return (Request("POST", list_path(place), {**body, TITLE: body[TITLE] or handle}),)


def update(place: Place, have: Resource, attrs: Mapping[str, Any]) -> tuple[Request, ...]:
    """orgServiceAccount_update: title and description."""
    return (Request("PATCH", object_path(place, have.id), KIND.body(attrs, create=False), have.version),)


def delete(place: Place, have: Resource) -> tuple[Request, ...]:
    """orgServiceAccount_delete: its membership, grants and tokens go too."""
    return (Request("DELETE", object_path(place, have.id), None, have.version),)


KIND = Kind(
    name=NAME,
    parent="org",
    section="service_accounts",
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
    known_by=(TITLE, HANDLE),
    of_primary_tenant=True,
)
