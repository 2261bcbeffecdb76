"""What Pipes holds: rows as resources, those that can be changed here apart from inherited ones."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.model.address import covers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Resource(msgspec.Struct, gc=False):
    """One live object."""

    # Which one
    kind: str  # org, member, workspace, ...
    handle: str  # of the object, or of the person
    id: str  # what never changes: the object's own id; for members and grants the user's
    version: int | None  # its `version_id`

    # What it holds
    attrs: dict[
        str, Any
    ]  # every attribute of the kind that the row has; rows that have the same share it: never change it
    children: dict[str, dict[str, Resource]] | None = None  # by kind and handle; a kind that is missing was not read
    inherited: dict[str, dict[str, Resource]] | None = None  # the same for rows that another level owns (contract:
    # `scope`): they cannot be changed here

    # Of a person's row: what no plan compares
    display_name: str | None = None  # where it is not the handle
    since: str | None = None  # when the row was made
    last_activity_at: str | None = None  # when the person did something there

    def of(self, kind: str) -> dict[str, Resource]:
        """The changeable children of `kind` by handle; empty where there are none or they were not read."""
        return (self.children or {}).get(kind, {})

    def inherited_of(self, kind: str) -> dict[str, Resource]:
        """The inherited rows of `kind` by handle."""
        return (self.inherited or {}).get(kind, {})

    def was_read(self, kind: str) -> bool:
        """Whether the list of `kind` below this object was read at all."""
        return self.children is not None and kind in self.children


class Actor(msgspec.Struct, frozen=True):
    """The token's own user (actor_get). `token_issued_at` is None where it could not be known or was not needed."""

    id: str
    handle: str
    tenant_id: str
    token_issued_at: datetime | None = None
    robot: bool = False  # it is a service account


class Identity(msgspec.Struct, frozen=True):
    """Who holds a handle (identity_get): a `user` or an `org`."""

    handle: str
    id: str
    type: str


class TenantMember(msgspec.Struct, frozen=True):
    """Who has an email in a custom tenant (tenantMember_list): the only place where Pipes gives emails back."""

    id: str  # the user's
    handle: str
    status: str


class Unreadable(msgspec.Struct, frozen=True):
    """An org that could not be read as a whole. `code` is `empty-read` if the answer itself cannot be trusted."""

    org: str
    code: str
    why: str


class Snapshot(msgspec.Struct):
    """One reading of Pipes, as far as a plan needs it."""

    # The organizations
    actor: Actor  # the token's own user
    orgs: dict[str, Resource]  # the managed orgs, by their live handle
    others: dict[str, Resource] = msgspec.field(default_factory=dict)  # the actor's remaining orgs, without children
    workspace_limits: dict[str, int] = msgspec.field(
        default_factory=dict
    )  # by org, where one was found (org_listConstraints)

    # Who has a handle or an email
    identities: dict[str, Identity | None] = msgspec.field(
        default_factory=dict
    )  # looked-up new handles; None: nobody has it
    near: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)  # handles that resemble an unknown one
    tenants: dict[str, dict[str, tuple[TenantMember, ...]] | None] = msgspec.field(
        default_factory=dict
    )  # by tenant id and email
    # in lower case; None where the token may not see it; read only where an email must be matched

    # What could not be read
    forbidden: frozenset[str] = frozenset()  # org handles that exist and answer 403
    hidden: frozenset[str] = frozenset()  # ids of orgs of the lock file that answer 403, whatever their handle is now
    unreadable: tuple[Unreadable, ...] = ()  # orgs whose lists may be incomplete

    def owned(self, org: Resource) -> bool:
        """Whether the token's user owns `org`, by itself or through the tenant; True where the members were not read.

        Pipes shows everything to owners only: to a member, workspaces without a grant look missing.
        """
        if not org.was_read("member"):
            return True
        rows = [*org.of("member").values(), *org.inherited_of("member").values()]
        return any(row.id == self.actor.id and row.attrs.get("role") == "owner" for row in rows)


# key in `more`: for each place in the configuration, which reference was sent last, and its fingerprint
SENT = "secrets"
# key in place of `secrets`: the configuration was imported, and Pipes may have secrets that it lacks
UNTOLD = "untold"
# key in `more`: the day of the `rotate:` that was done last
ROTATED = "rotated"
# key in `more`: the day (UTC) on which an invitation by email was sent, while it is pending
INVITED_ON = "sent"
# key in `more`: the digest of the address that an invitation by email went to
ADDRESS = "email"


def address_digest(email: str) -> str:
    """The digest by which the lock file knows an email address: SHA-256 of it in NFC and lower case, 128 bits in hex."""
    normal = unicodedata.normalize("NFC", email.strip()).lower()
    return hashlib.sha256(normal.encode()).hexdigest()[:32]


class LockEntry(msgspec.Struct, frozen=True):
    """What `reconciler.lock.json` knows of an address: the id, and for a person invited by email the handle.

    `more` holds the other fields of the entry: those of some kinds, and those that a newer version wrote. It belongs to the id.
    """

    id: str
    handle: str | None = None
    more: Mapping[str, Any] = msgspec.field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.id, self.handle))

    @property
    def address(self) -> str | None:
        """The digest of the email address that this account was invited at; None where the entry does not say."""
        found = self.more.get(ADDRESS)
        return found if isinstance(found, str) else None

    def of(self, id: str, handle: str | None = None) -> LockEntry:  # noqa: A002
        """The entry for `id`: with another id it is another object, and nothing of the old entry remains."""
        return LockEntry(id, handle, self.more if id == self.id else {})


Lock = dict[str, LockEntry]


def carry(lock: Lock, old: str, new: str) -> None:
    """Put what is known of `old`, and of what lies below it, under the address `new` as well, where nothing is yet."""
    for known, entry in list(lock.items()):
        if covers(old, known):
            lock.setdefault(new + known[len(old) :], entry)


def entry_of(lock: Lock, address: str, id: str, handle: str | None = None) -> LockEntry:  # noqa: A002
    """The entry of an object that was seen as `id`, with what `lock` keeps about it beyond that."""
    before = lock.get(address)
    return LockEntry(id, handle) if before is None else before.of(id, handle)
