"""What a kind is: a resource's attributes, how a row of the API becomes one, and the requests that change it.

A kind is declared once, in one file beside this one, as data and pure functions; `reconciler.kinds.KINDS` lists them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from reconciler.kinds import secret
from reconciler.model.address import join, split
from reconciler.model.request import LATE_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import msgspec

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
    """Equal, where empty, null and missing count as one: an attribute is cleared by an empty value."""
    return have == want or (_is_empty(have) and _is_empty(want))


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a kind.

    `on_create` and `on_update` say which request of the contract can set it; neither means read-only. `clear` is what
    is sent to clear it, None where it cannot be cleared. `rank` orders roles from the weakest. `same(have, want)` is
    true where live needs no change. `last` marks what must take effect after everything else in its org. `hidden`
    keeps a read-only value out of plans: it moves by itself. `secret` says that references to secrets may stand in it
    (`reconciler.kinds.secret`): reports say where they come from, and live does not tell whether it has them. `refers`
    is the sibling kind whose object it names as the manifest does: rows and requests have that object's id, in `field`,
    and where it is None the parent's own.
    """

    name: str
    on_create: bool = False
    on_update: bool = False
    clear: Any = None
    rank: tuple[str, ...] = ()
    same: Callable[[Any, Any], bool] = same_value
    last: bool = False
    hidden: bool = False
    apart: bool = False  # set by requests of its own; no row of the API tells it
    secret: bool = False
    required: bool = False  # there is no creating without it
    refers: str | None = None
    field: str = ""  # of rows and requests, where it is called differently there

    @property
    def settable(self) -> bool:
        return self.on_create or self.on_update or self.apart


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes: the handles that the parents have when it is sent, and how people get in there.

    `inner` is the handle of the org's child that the request is about or that its object lies below: a workspace's; of a
    kind without handles it is the id. `ids` are by address.
    """

    org: str = ""
    inner: str = ""
    custom_tenant: bool = False  # people are added (orgMember_create), not invited (orgMember_invite)
    person: Person | None = None  # for kinds that name people
    late: str | None = None  # the address whose create tells the handle (a member's), or the id that `inner` is to be
    above: str = ""  # the org's id
    ids: Mapping[str, str] = field(default_factory=dict, hash=False)  # those of siblings that attributes may refer to

    @staticmethod
    def of(address: Address) -> Place:
        """The place of the object at `address`."""
        (_, org), *below = split(address)
        return Place(org=org, inner=below[0][1] if below else "")

    def beside(self, kind: str, name: str) -> Address:
        """The address of a sibling in the same org."""
        return join(join(None, "org", self.org), kind, name)


class Create(Protocol):
    def __call__(self, place: Place, handle: str, attrs: Mapping[str, Any]) -> tuple[Request, ...]: ...


class Update(Protocol):
    def __call__(self, place: Place, have: Resource, attrs: Mapping[str, Any]) -> tuple[Request, ...]: ...


def unchanging(place: Place, have: Resource, attrs: Mapping[str, Any]) -> tuple[Request, ...]:  # noqa: ARG001
    """The update of a kind in which there is nothing to change."""
    return ()


class Rename(Protocol):
    def __call__(self, place: Place, have: Resource, handle: str) -> tuple[Request, ...]: ...


class Delete(Protocol):
    def __call__(self, place: Place, have: Resource) -> tuple[Request, ...]: ...


class Test(Protocol):
    def __call__(self, place: Place, handle: str, attrs: Mapping[str, Any]) -> Request: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource.

    `section` is its key in the parent's mapping of a manifest. `authoritative` kinds lose whoever a present section
    does not list; the others are removed only by `absent: true`. `level` is the `scope` of rows that can be changed
    here, None where the API has no scope. `find(place, handle)` is the path that reads one object again. `told` says
    that its list is read also where its org is renamed or deleted, since the plan tells what becomes of it.
    `remembered` says that the lock file keeps its ids. `names` is the kind whose handles it bears, for one that is
    a list of those in the manifest; its live objects have the id of what they name. `follows` is the sibling of the
    same handle that must be there before it, and may go only after it. `belongs(row)` is false for rows that are not
    what the kind is about: they are read as inherited ones. `listed` says that `find` wants an id, so that one is looked
    for in its list. A kind whose objects have no handles is known in a manifest by a key of the manifest's own:
    `called(live by id, wanted, ids of the lock file, the parent's id)` finds the names of live objects, `made(live, body)`
    tells whether it is what a create made, and `complete(name)` is what attributes that are left out count as.
    `not_written` are the fields of its rows and requests that a manifest does not take, each with what it is instead.
    `test` is the request that has Pipes try what was just written, where there is one. `apart_from` is the kind of the
    org's own objects whose handles it must not bear: by those, a request may mean the other.
    """

    name: str
    parent: str | None
    section: str
    attributes: tuple[Attribute, ...]
    authoritative: bool
    names_people: bool
    level: str | None
    row: type[msgspec.Struct]
    resource: Callable[[Any], Resource]
    collection: Callable[[Place], str]
    find: Callable[[Place, str], str]
    create: Create
    update: Update
    delete: Delete
    rename: Rename | None = None
    told: bool = False
    remembered: bool = True
    not_written: Mapping[str, str] = field(default_factory=dict)
    names: str | None = None
    follows: str | None = None
    belongs: Callable[[Any], bool] | None = None
    listed: bool = False
    called: Callable[[Mapping[str, Resource], Mapping[str, Node], Mapping[str, str], str], dict[str, str]] | None = None
    made: Callable[[Resource, Mapping[str, Any]], bool] | None = None
    complete: Callable[[str], Mapping[str, Any]] | None = None
    test: Test | None = None
    apart_from: str | None = None

    @property
    def configured(self) -> bool:
        """Whether references to secrets may stand in one of its attributes."""
        return any(a.secret for a in self.attributes)

    @property
    def words(self) -> str:
        """What a sentence calls one of it."""
        return self.name.replace("_", " ")

    def attribute(self, name: str) -> Attribute:
        """The declaration of `name`; KeyError for one that the kind does not have."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        raise KeyError(name)

    def differences(self, have: Mapping[str, Any], want: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes of `want` that live does not have yet, in the order in which the kind declares them."""
        # nearly every row of nearly every plan; for Python, what a configuration tells apart may be equal: true and 1
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
            a.name: secret.described(attrs[a.name]) if a.secret else attrs[a.name]
            for a in self.attributes
            if not a.hidden and a.name in attrs and not same_value(attrs[a.name], None)
        }

    def body(self, attrs: Mapping[str, Any], *, create: bool, place: Place | None = None) -> dict[str, Any]:
        """The request body for `attrs`: only what that request can set, with None sent as the attribute's `clear`.

        What refers to a sibling needs the `place`; `waits` tells whether its id is not known there yet.
        """
        body: dict[str, Any] = {}
        for a in self.attributes:
            if a.name not in attrs or not (a.on_create if create else a.on_update):
                continue
            value = attrs[a.name]
            if value is None and create:
                continue
            if a.refers is not None:
                assert place is not None
                body[a.field] = place.above if value is None else place.ids.get(place.beside(a.refers, value), LATE_ID)
                continue
            body[a.name] = a.clear if value is None else value
        return body

    def waits(self, attrs: Mapping[str, Any], place: Place) -> str | None:
        """The address whose create has to tell its id before a request for `attrs` can be sent."""
        found = (
            place.beside(a.refers, attrs[a.name]) for a in self.attributes if a.refers is not None and attrs.get(a.name)
        )
        return next((address for address in found if address not in place.ids), None)


def weaker(attribute: Attribute, have: Any, want: Any) -> bool:
    """Whether `want` is a lower role than `have`. An unknown live role counts as the strongest, so nothing is lost unseen."""
    rank = attribute.rank
    return (rank.index(want) if want in rank else -1) < (rank.index(have) if have in rank else len(rank))
