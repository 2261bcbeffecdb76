"""What a pull request changes, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from datetime import date

    from reconciler.model.access import Assignment
    from reconciler.model.diagnostic import Diagnostic, Source
    from reconciler.model.expiring import Expiring
    from reconciler.model.plan import Change
    from reconciler.model.policy import RuleChange, ViolationChanges


class AccessChange(msgspec.Struct, frozen=True):
    """What one person may do on one object, before and after; None means no access."""

    # Who may do what
    person: str  # with the Pipes handle or address in parentheses, if that differs
    key: str  # as `Assignment.key`
    object: str  # `acme` for the membership, `acme/prod` for a workspace
    before: Assignment | None  # in BASE
    after: Assignment | None  # in HEAD

    # Why
    why: str  # how it is gained, or why it is lost
    unknown: str = ""  # `before` or `after`, if the manifests do not manage that side: whoever is in stays in
    invited: bool = False  # whether the person joins the org by it
    source: Source | None = None  # the line of HEAD that says so

    @property
    def had(self) -> str | None:
        return self.before.role if self.before is not None else None

    @property
    def has(self) -> str | None:
        return self.after.role if self.after is not None else None

    @property
    def robot(self) -> bool:
        """Whether it is a robot's access."""
        return any(side is not None and side.robot for side in (self.before, self.after))

    @property
    def owns(self) -> bool:
        """Whether an org gains or loses an owner by it."""
        return "/" not in self.object and (self.had == "owner") != (self.has == "owner")


class Statement(msgspec.Struct, frozen=True):
    """Something dangerous, lasting or odd that the pull request states; its report says what it means."""

    kind: str  # a key of `reconciler.report.review_statements.SAYINGS`
    address: str  # of the object, or the key of a rule
    before: str | None = None  # what it was
    after: str | None = None  # for `expires`, the role that remains (None: none, `?`: unknown)
    names: tuple[str, ...] = ()  # who or what it concerns
    day: date | None = None  # for `expires`
    reason: str | None = None  # the manifest's `reason:`
    source: Source | None = None  # the line of HEAD that states it


class IdentityChange(msgspec.Struct, frozen=True):
    """A name that is somebody else in HEAD than in BASE, or whose account the lock file changes."""

    what: str  # address | handle | account | id (of anything but a person)
    name: str  # as the manifests write it, or the lock file's address
    entry: str = ""  # the lock file's address, for an account or an id
    before: str | None = None  # who it was, None for nobody known
    after: str | None = None  # who it is now, None for nobody known
    former: tuple[str, ...] = ()  # the other names that have, or had, this account or id
    error: bool = False  # it was, or is, another one's
    source: Source | None = None  # the line in `people:`


class TeamChange(msgspec.Struct, frozen=True):
    """Who is in a team, nested teams included, only after or only before."""

    team: str
    joined: tuple[str, ...]
    left: tuple[str, ...]


class Review(msgspec.Struct, frozen=True):
    """Everything that HEAD changes over BASE."""

    # What was compared
    base: str  # as asked for
    head: str  # as asked for
    day: date  # decides what has expired

    # What changes
    access: tuple[AccessChange, ...] = ()  # each change of a role on an object
    rerouted: tuple[AccessChange, ...] = ()  # access that stays the same for another reason
    statements: tuple[Statement, ...] = ()  # dangerous, lasting or odd
    teams: tuple[TeamChange, ...] = ()  # who joins and who leaves each
    changes: tuple[Change, ...] = ()  # the manifests' own, without requests

    # What is wrong; with errors in HEAD nothing was compared
    errors: tuple[Diagnostic, ...] = ()  # HEAD's
    inherited: tuple[Diagnostic, ...] = ()  # those of them that BASE has already
    warnings: tuple[Diagnostic, ...] = ()  # HEAD's that BASE does not have
    base_errors: tuple[Diagnostic, ...] = ()  # why BASE could not be read: then all of HEAD is shown as new

    # What else to say
    notes: tuple[str, ...] = ()  # about what was read
    expiring: tuple[Expiring, ...] = ()  # what ends soon in HEAD, whoever wrote it
    identities: tuple[IdentityChange, ...] = ()  # names that are somebody else, shown first
    one_person: tuple[Diagnostic, ...] = ()  # two names of one account in HEAD, as the lock file knows

    # What it means for the rules
    rules: tuple[RuleChange, ...] = ()  # those that allow more first
    violations: ViolationChanges | None = None  # None if neither side has policies
    risk: str = "none"  # one of `reconciler.policy.risk.RISKS`

    @property
    def identity_errors(self) -> int:
        """How many identities make this review fail."""
        return sum(one.error for one in self.identities) + sum(one.severity == "error" for one in self.one_person)

    @property
    def is_empty(self) -> bool:
        """Whether the pull request changes nothing that the manifests say."""
        return not (
            self.identities
            or self.access
            or self.rerouted
            or self.statements
            or self.teams
            or self.changes
            or self.rules
            or self.risk != "none"
        )
