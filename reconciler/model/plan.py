"""A plan is data: it can be saved, compared, shown and applied, and it performs nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from reconciler.model.diagnostic import Diagnostic, Refusal, Source
    from reconciler.model.request import Request


# why a member changes whose invitation is cancelled and sent to the address that the manifests give now
READDRESSED = "readdressed"


@dataclass(frozen=True, slots=True)
class Change:
    """One action on one address; `before` is None for a create, `after` for a delete.

    `reason` says why: `unlisted`, `absent`, `expired`, `renamed`, `readdressed`, `parent-deleted`, or None where the difference says it
    all. `stated` is True where a line of the manifest asks for exactly this loss. `requests` is what apply will send,
    in order. `id` and `version` are those of the live object, None for a create. `details` explains changed lists,
    attribute by attribute, in words.
    """

    action: str  # create | update | rename | delete
    kind: str
    address: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    requests: tuple[Request, ...]
    source: Source | None = None
    reason: str | None = None
    stated: bool = False
    previous_address: str | None = None
    id: str | None = None
    version: int | None = None
    via: str | None = None
    details: tuple[str, ...] = ()
    because: str | None = None  # the manifest's own `reason:`, as its author wrote it


@dataclass(frozen=True, slots=True)
class Step:
    """What apply does as one unit: some requests of one change, after the steps in `needs` have succeeded.

    `accepted_owners` is how many accepted owners the org has after this step, given only where the step lowers the
    number: the owner floor is checked there, in the plan and again on live just before it is sent.
    """

    number: int  # from 1, in the order of a sequential apply
    address: str
    action: str
    org: str  # the org's handle while the step runs
    requests: tuple[Request, ...]
    needs: tuple[int, ...] = ()
    accepted_owners: int | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """One line of impact: what `person` may do on `object` before and after. None is no access at all."""

    person: str
    object: str  # `acme` for the membership, `acme/prod` for a workspace, `acme/connection.aws_prod`: `reached` or not
    before: str | None
    after: str | None
    why: str  # direct, team/sre, implicit as owner, no longer listed, ...
    invited: bool = False  # comes into force when the invitation is accepted


@dataclass(frozen=True, slots=True)
class DnsChange:
    """A workspace's DNS name that changes or goes (`after` None)."""

    workspace: str  # acme/prod, by its new handles
    before: str
    after: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """How many of a plan's errors, warnings and notes are about one org: they carry no address of their own."""

    errors: int = 0
    warnings: int = 0
    notes: int = 0


@dataclass(frozen=True, slots=True)
class Shard:
    """Which part of the manifests' orgs a plan is about, where several runs share them.

    `estate` is a fingerprint of the whole division and of the lock file: shards with another one do not fit together.
    `host` is where Pipes is, `actor` the id of the token's own user. `told` is by org address, and has what there is.
    """

    number: int  # from 1
    of: int
    estate: str
    host: str = ""
    actor: str = ""
    told: Mapping[str, Told] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would change, in what order, for whom, and what speaks against it.

    `refusals` still stand; `lifted` are those that `allowed` (code, address) lifted. `errors` are problems that only the
    live organization could show. `outside` are objects that were renamed outside. `unmanaged` are addresses of live
    workspaces that no manifest lists. `orgs` are the org addresses that were compared. `reads` are the ids and versions
    that the plan rests on, by address, and one fingerprint for each org's member list. `shard` is None for a plan of
    everything.
    """

    changes: tuple[Change, ...]
    steps: tuple[Step, ...]
    impact: tuple[Effect, ...]
    dns: tuple[DnsChange, ...]
    refusals: tuple[Refusal, ...]
    lifted: tuple[Refusal, ...]
    allowed: tuple[tuple[str, str], ...]
    errors: tuple[Diagnostic, ...]
    warnings: tuple[Diagnostic, ...]
    notes: tuple[str, ...]
    unmanaged: tuple[str, ...]
    orgs: tuple[str, ...]
    day: date
    files: tuple[tuple[str, str], ...]
    reads: Mapping[str, str]
    paths: tuple[str, ...] = ()  # the files and folders that were named; shown, and never read from a saved plan
    confirm_delete: tuple[str, ...] = ()  # handles of orgs that apply wants typed
    shard: Shard | None = None
    host: str = ""  # where Pipes is; `sandbox` for an embedded one; empty where nobody said it

    @property
    def counts(self) -> dict[str, int]:
        """How many changes of each action, in the order that a summary names them."""
        found = dict.fromkeys(("create", "update", "rename", "delete"), 0)
        for change in self.changes:
            found[change.action] += 1
        return found
