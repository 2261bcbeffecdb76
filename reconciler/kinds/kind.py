"""What a kind is: a resource's attributes, how a row of the API becomes one, and the requests that change it.

A kind is declared once, in one file beside this one, as data and pure functions; `reconciler.kinds.KINDS` lists them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from reconciler.kinds import secret
from reconciler.model.address import join, split
from reconciler.model.request import LATE_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.model.address import Address
    from reconciler.model.desired import Node, Person
    from reconciler.model.live import Resource
    from reconciler.model.request import Request


READ_ONLY = "read-only: Pipes sets it"
# what Pipes keeps of every object, and no request sets
KEPT_BY_PIPES = dict.fromkeys(
    ("id", "version_id", "created_at", "created_by", "created_by_id", "updated_at", "updated_by", "updated_by_id",
     "deleted_at", "deleted_by", "deleted_by_id"),
    READ_ONLY,
)  # fmt: skip


def same_value(have: Any, want: Any) -> bool:
    """Whether both are equal. Empty, null and missing are the same: an empty value clears an attribute."""
    return have == want or (_is_empty(have) and _is_empty(want))


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


class Attribute(msgspec.Struct, frozen=True):
    """One attribute of a kind."""

    name: str  # in manifests and plans

    # How it is written
    on_create: bool = False  # the create request can set it
    on_update: bool = False  # the update request can set it; with neither, it is read-only
    own_request: bool = False  # set by requests of its own (the logo); no row of the API has it
    required: bool = False  # an object cannot be created without it
    clear: Any = None  # what is sent to clear it; None where it cannot be cleared
    sent_last: bool = False  # takes effect after everything else in its org

    # How it is compared and shown
    same: Callable[[Any, Any], bool] = same_value  # same(have, want): live needs no change
    rank: tuple[str, ...] = ()  # roles, from the weakest
    hidden: bool = False  # read-only and changes by itself, so plans do not show it
    secret: bool = False  # may hold references to secrets; reports show the reference, and live does not show the value

    # What it refers to
    refers_to: str | None = None  # the sibling kind whose object it names, as the manifest does
    api_field: str = (
        ""  # the field of rows and requests that holds that object's id; the id of what both lie below: none
    )

    @property
    def settable(self) -> bool:
        return self.on_create or self.on_update or self.own_request


class Place(msgspec.Struct, frozen=True):
    """Where a request goes: the handles that the parents have when it is sent, and what else its body needs."""

    # The path
    org: str = ""  # the org's handle
    org_child: str = (
        ""  # handle (or id, for a kind without handles) of the org's child that the object is or lies below
    )

    # Who is meant
    custom_tenant: bool = False  # people are added (orgMember_create), not invited (orgMember_invite)
    person: Person | None = None  # for kinds that name people
    late: str | None = None  # address of what must be created first: its answer has the handle or id that is missing

    # Ids that bodies need
    top_id: str = ""  # of what the object lies below: the org, or the workspace
    sibling_ids: Mapping[str, str] = msgspec.field(
        default_factory=dict
    )  # by address, for attributes that refer to them

    @staticmethod
    def of(address: Address) -> Place:
        """The place of the object at `address`."""
        (_, org), *below = split(address)
        return Place(org=org, org_child=below[0][1] if below else "")


class Create(Protocol):
    def __call__(self, place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]: ...


class Update(Protocol):
    def __call__(self, place: Place, have: Resource, attrs: Mapping[str, Any]) -> tuple[Request, ...]: ...


def no_update(place: Place, have: Resource, attrs: Mapping[str, Any]) -> tuple[Request, ...]:  # noqa: ARG001
    """The update of a kind whose objects cannot change."""
    return ()


class Rename(Protocol):
    def __call__(self, place: Place, have: Resource, handle: str) -> tuple[Request, ...]: ...


class Delete(Protocol):
    def __call__(self, place: Place, have: Resource) -> tuple[Request, ...]: ...


class Test(Protocol):
    def __call__(self, place: Place, handle: str, attrs: Mapping[str, Any]) -> Request: ...


class NameLive(Protocol):
    def __call__(
        self, live: Mapping[str, Resource], wanted: Mapping[str, Node], known: Mapping[str, str], top: str
    ) -> dict[str, str]:
        """The key of each live object, by its id. `live` is by id, `known` the lock file's ids by key, `top` the id of
        what they lie below.
        """


class Kind(msgspec.Struct, frozen=True):
    """One kind of resource: what it is called, how it is read, and which requests change it."""

    # What it is
    name: str  # in addresses: org.acme/member.bob is a `member`
    parent: str | None  # the kind that it lies below; None for an org
    section: str  # its key in the parent's mapping of a manifest
    attributes: tuple[Attribute, ...]  # the attributes that a manifest or a row has
    names_people: bool  # its names are people of the manifest

    # Who may be removed
    authoritative: bool  # a row that the section does not list is removed; otherwise only `absent: true` removes
    own_scope: str | None  # the API's `scope` of rows that can be changed here; None where the API has no scope

    # How it is read
    row: type[msgspec.Struct]  # the API's row, as far as it is used
    resource: Callable[[Any], Resource]  # turns such a row into a resource
    list_path: Callable[[Place], str]  # the path of its list
    object_path: Callable[[Place, str], str]  # the path of one object, by its handle or id

    # How it is written: requests as data, in the order in which they are sent
    create: Create  # (place, handle, attributes) -> requests
    update: Update  # (place, live object, attributes) -> requests
    delete: Delete  # (place, live object) -> requests
    rename: Rename | None = None  # None where it cannot be renamed
    test: Test | None = None  # asks Pipes to test what was just written

    # What else must be read or kept
    read_for_impact: bool = (
        False  # read also where the org is deleted or renamed, since the plan says what becomes of it
    )
    found_in_list: bool = False  # `object_path` wants an id, so a lost create is looked for in the list
    is_own_row: Callable[[Any], bool] | None = None  # False for rows that belong elsewhere; they count as inherited
    in_lock_file: bool = True  # the lock file keeps its ids

    # What a manifest may write
    not_written: Mapping[str, str] = msgspec.field(default_factory=dict)  # API field -> why a manifest does not take it
    lists_handles_of: str | None = None  # it is a list of that kind's handles, and its objects have the ids of those
    needs_sibling: str | None = None  # the sibling kind of the same handle that must exist before it and outlive it
    must_differ_from: str | None = None  # its handles must not be those of the org's objects of that kind: a request by
    # such a handle could mean either

    # A kind whose objects have no handles: a manifest knows them by a key of its own
    name_live: NameLive | None = None  # finds the key of each live object
    matches_create: Callable[[Resource, Mapping[str, Any]], bool] | None = None  # (live, body): that create made it
    defaults: Callable[[str], Mapping[str, Any]] | None = None  # by key: what attributes that are left out count as
    known_by: tuple[str, ...] = ()  # attributes that say which object is meant: they may be beside `absent: true`
    of_primary_tenant: bool = False  # in a custom tenant the tenant has them, and an org can only refer to one

    @property
    def has_handles(self) -> bool:
        """Whether Pipes knows its objects by handles; False where only the manifest has names for them."""
        return self.name_live is None

    @property
    def takes_secrets(self) -> bool:
        """Whether one of its attributes may hold references to secrets."""
        return any(a.secret for a in self.attributes)

    @property
    def nests(self) -> bool:
        """Whether its objects can contain each other: a tree of folders."""
        return any(a.refers_to == self.name for a in self.attributes)

    def sibling(self, place: Place, kind: str, name: str) -> Address:
        """The address of the object `name` of a kind that lies beside this one."""
        above = join(None, "org", place.org)
        if self.parent != "org":
            above = join(above, self.parent or "", place.org_child)
        return join(above, kind, name)

    @property
    def noun(self) -> str:
        """The word for one of these in a sentence: `connection folder`."""
        return self.name.replace("_", " ")

    def attribute(self, name: str) -> Attribute:
        """The declaration of `name`; KeyError for one that the kind does not have."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        raise KeyError(name)

    def differences(self, have: Mapping[str, Any], want: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes of `want` that live does not have yet, in the order in which the kind declares them."""
        # true for nearly every row of a plan; not for a configuration, where true and 1 differ but Python calls them equal
        if secret.FIELD not in want and want.items() <= have.items():
            return {}
        return {
            a.name: want[a.name]
            for a in self.attributes
            if a.name in want and a.settable and not a.same(have.get(a.name), want[a.name])
        }

    def shown(self, attrs: Mapping[str, Any]) -> dict[str, Any]:
        """What a plan shows of `attrs`: declared, not hidden, not empty."""
        return {
            a.name: secret.described(attrs[a.name]) if a.secret else secret.unless_token(attrs[a.name])
            for a in self.attributes
            if not a.hidden and a.name in attrs and not same_value(attrs[a.name], None)
        }

    def body(self, attrs: Mapping[str, Any], *, create: bool, place: Place | None = None) -> dict[str, Any]:
        """The request body for `attrs`: only what that request can set, with None sent as the attribute's `clear`.

        An attribute that refers to a sibling needs `place`; `waits_for` says when the sibling's id is not known there yet.
        """
        body: dict[str, Any] = {}
        for a in self.attributes:
            if a.name not in attrs or not (a.on_create if create else a.on_update):
                continue
            value = attrs[a.name]
            if value is None and create:
                continue
            if a.refers_to is not None:
                assert place is not None
                body[a.api_field] = (
                    place.top_id
                    if value is None
                    else place.sibling_ids.get(self.sibling(place, a.refers_to, value), LATE_ID)
                )
                continue
            body[a.name] = a.clear if value is None else value
        return body

    def waits_for(self, attrs: Mapping[str, Any], place: Place) -> str | None:
        """The address of a sibling that must be created first, because a request for `attrs` needs its id; or None."""
        found = (
            self.sibling(place, a.refers_to, attrs[a.name])
            for a in self.attributes
            if a.refers_to is not None and attrs.get(a.name)
        )
        return next((address for address in found if address not in place.sibling_ids), None)


def weaker(attribute: Attribute, have: Any, want: Any) -> bool:
    """Whether `want` is a lower role than `have`. An unknown live role counts as the strongest, so that no loss goes unnoticed."""
    rank = attribute.rank
    return (rank.index(want) if want in rank else -1) < (rank.index(have) if have in rank else len(rank))
