"""What a pull request changes, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from reconciler.model.access import Reach
    from reconciler.model.diagnostic import Diagnostic, Source
    from reconciler.model.expiring import Expiring
    from reconciler.model.plan import Change


@dataclass(frozen=True, slots=True)
class AccessChange:
    """What one person may do on one object, before and after; None is no access at all.

    `why` says how it is gained, or why it is lost. `unknown` is `before` or `after` where that side is not in the
    manifests: there, whoever is in stays in. `invited` is True where the person comes into the org by it.
    """

    person: str  # with the Pipes handle or address in parentheses, where the name is another one
    key: str
    object: str
    before: Reach | None
    after: Reach | None
    why: str
    unknown: str = ""
    invited: bool = False
    source: Source | None = None

    @property
    def had(self) -> str | None:
        return self.before.role if self.before is not None else None

    @property
    def has(self) -> str | None:
        return self.after.role if self.after is not None else None

    @property
    def owns(self) -> bool:
        """Whether an org gains or loses an owner by it."""
        return "/" not in self.object and (self.had == "owner") != (self.has == "owner")


@dataclass(frozen=True, slots=True)
class Statement:
    """Something dangerous, lasting or odd that the pull request states; its report says in words what it means.

    `kind` is one of `rename`, `absent`, `expires`, `expired`, `tokens`, `managed`, `unmanaged`, `left-alone`,
    `safeguard`, `resend`, `reinvite`, `person`, `lock`, `attached`, `detached`, `opened`, `closed`, `usable`,
    `unusable`, `reads`, `rotate`. `before` and `after` are
    values, `names` who or what it concerns; `day` is set for
    `expires`, where `after` is the role that remains (None: none, `?`: not known).
    """

    kind: str
    address: str
    before: str | None = None
    after: str | None = None
    names: tuple[str, ...] = ()
    day: date | None = None
    reason: str | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class TeamChange:
    """Who is in a team, nested teams included, only after or only before."""

    team: str
    joined: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """Everything that HEAD changes over BASE.

    `access` holds each change of a role on an object; `rerouted` what stays the same for another reason. `changes` are
    the manifests' own, without requests. `errors` are HEAD's, of which `inherited` stood in BASE already; with errors
    nothing was compared. `base_errors` is set where BASE could not be read: then all of HEAD is shown as new.
    `expiring` is what ends soon in HEAD, whoever wrote it.
    """

    base: str
    head: str
    day: date
    access: tuple[AccessChange, ...] = ()
    rerouted: tuple[AccessChange, ...] = ()
    statements: tuple[Statement, ...] = ()
    teams: tuple[TeamChange, ...] = ()
    changes: tuple[Change, ...] = ()
    errors: tuple[Diagnostic, ...] = ()
    inherited: tuple[Diagnostic, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    base_errors: tuple[Diagnostic, ...] = ()
    notes: tuple[str, ...] = ()
    expiring: tuple[Expiring, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the pull request changes nothing that the manifests say."""
        return not (self.access or self.rerouted or self.statements or self.teams or self.changes)
