"""Drift as data: how live differs from the manifests, and who changed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from reconciler.model.access import AccountToken
    from reconciler.model.diagnostic import Refusal, Source
    from reconciler.model.expiring import Expiring
    from reconciler.model.plan import Change, Plan
    from reconciler.model.policy import BrokenOutside

OUTSIDE, NOT_APPLIED = "outside", "not-applied"


class Logged(Protocol):
    """One line of an audit log, as far as a search needs it (contract: AuditRecord)."""

    @property
    def id(self) -> str: ...
    @property
    def at(self) -> datetime | None: ...
    @property
    def actor(self) -> str: ...
    @property
    def ip(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def target_id(self) -> str: ...
    @property
    def target_handle(self) -> str: ...
    @property
    def data(self) -> Any: ...


class Doer(msgspec.Struct, frozen=True):
    """Who did it, as the audit log has it. `at` is None where the log's moment cannot be read; `action` is an open set.

    `certain` is False where the log's entry is about the object and does not say that it made this very difference.
    """

    actor: str
    at: datetime | None
    ip: str
    action: str
    entry: str  # the id of the log's entry
    certain: bool = True


class Difference(msgspec.Struct, frozen=True):
    """One way in which live differs from the manifests. Each attribute of an object is a difference of its own."""

    # What differs, seen from the manifests
    what: str  # added (live, not wanted) | removed (wanted, not live) | changed (one attribute) | renamed | replaced
    # (another object under the same handle)
    kind: str  # of the object
    address: str  # by the manifests' names
    wanted: Any = None  # a role, an attribute's value, a handle; None where the manifests have none
    live: Any = None  # the same on the other side
    attribute: str | None = None  # for `changed`

    # What the manifests say
    source: Source | None = None  # the line that says so
    reason: str | None = None  # unlisted | absent | expired
    via: str | None = None  # the team that the entry came from

    # The live object
    id: str | None = None  # of the live object, or as the lock file knows it; a person's user id
    handle: str = ""  # what Pipes calls it: a person's handle where the manifests use another name
    status: str | None = None  # of a live member or grant: invited | accepted

    # How it counts
    standing: str = OUTSIDE  # or `not-applied`: the manifests that were applied last did not say so yet
    follows: str | None = None  # the address of the difference that causes this one
    below: int = 0  # how many objects are missing together with this one
    note: str = ""  # more about it, for the reader

    # Who did it
    by: Doer | None = None  # None where the audit log does not say
    why_unknown: str = ""  # why `by` is None


class Unmanaged(msgspec.Struct, frozen=True):
    """A live object that no manifest covers. `attrs` are a person's role and status, empty for others."""

    kind: str
    address: str
    attrs: Mapping[str, Any]


class Drift(msgspec.Struct, frozen=True):
    """What one look at Pipes found."""

    # What was compared
    differences: tuple[Difference, ...]  # in the order of the report
    orgs: tuple[str, ...]  # the addresses that were compared
    day: date  # the day that decides what has expired
    applied: str | None = None  # the revision that was applied last; None where it was not given

    # What could not be compared, and what else there is to say
    refusals: tuple[Refusal, ...] = ()  # orgs and objects that could not be compared
    forbidden: tuple[str, ...] = ()  # addresses of orgs that the token may not read
    notes: tuple[str, ...] = ()  # what to tell the reader
    expiring: tuple[Expiring, ...] = ()  # entries that end soon
    unmanaged: tuple[Unmanaged, ...] | None = None  # None where nobody asked for it
    tokens: tuple[AccountToken, ...] | None = None  # of the service accounts; None where no org manages any
    violations: tuple[BrokenOutside, ...] = ()  # policies that break in Pipes and not in the manifests

    @property
    def outside(self) -> tuple[Difference, ...]:
        """What counts as drift."""
        return tuple(d for d in self.differences if d.standing != NOT_APPLIED)

    @property
    def not_applied(self) -> tuple[Difference, ...]:
        return tuple(d for d in self.differences if d.standing == NOT_APPLIED)


HERE, BEFORE, BOTH, UNKNOWN = "changed here", "drifted before", "changed here and drifted before", "unknown"


class Since(msgspec.Struct, frozen=True):
    """A plan, divided into what the manifests changed since `base` and what had drifted before.

    `marks` gives one of HERE, BEFORE, BOTH, UNKNOWN for the address of each change, and is empty where `base` could not
    be planned, which `notes` then say. `settled` are the changes that `base` needs and the plan does not any more.
    """

    plan: Plan
    base: str
    marks: Mapping[str, str]
    settled: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
