"""A plan as data: it can be saved, compared, shown and applied, and does nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from reconciler.model.diagnostic import Diagnostic, Refusal, Source
    from reconciler.model.made import Made
    from reconciler.model.request import Request


# the address of a refusal that is about no one org
WHOLE = "plan"
# why a member changes whose invitation is cancelled and sent to the address that the manifests give now
READDRESSED = "readdressed"


class Change(msgspec.Struct, frozen=True):
    """One action on one address."""

    # What happens
    action: str  # create | update | rename | delete
    kind: str  # of the object
    address: str  # by the manifests' names
    before: Mapping[str, Any] | None  # None for a create
    after: Mapping[str, Any] | None  # None for a delete
    requests: tuple[Request, ...]  # exactly what apply will send, in order

    # Why
    source: Source | None = None  # the manifest line behind it
    reason: str | None = (
        None  # unlisted | absent | expired | everywhere | renamed | readdressed | parent-deleted; None: what differs says it
    )
    stated: bool = False  # a line of the manifest asks for exactly this loss

    # The live object; None for a create
    previous_address: str | None = None  # before a rename
    id: str | None = None  # what never changes
    version: int | None = None  # its `version_id` when it was read

    # For the reader
    via: str | None = None  # the team that the entry came from, such as `team/sre`
    details: tuple[str, ...] = ()  # how long lists differ, attribute by attribute, in words
    because: str | None = None  # the manifest's own `reason:`, as its author wrote it
    expires: date | None = None  # the first day on which the entry no longer counts
    then: str | None = None  # the role that the entry names from that day on


class Step(msgspec.Struct, frozen=True):
    """What apply does as one unit: some requests of one change."""

    number: int  # from 1, in the order of a sequential apply
    address: str  # of the change
    action: str  # the change's
    org: str  # the org's handle while the step runs
    requests: tuple[Request, ...]  # in order
    needs: tuple[int, ...] = ()  # numbers of the steps that must have succeeded before
    accepted_owners: int | None = (
        None  # how many people own the org after this step, only where an owner goes: the owner floor is
    )
    # checked there, in the plan and again on live just before it is sent


class Effect(msgspec.Struct, frozen=True):
    """One line of impact: what `person` may do on `object` before and after. None means no access."""

    # Who may do what
    person: str  # the manifests' name, with the handle behind it where that differs
    object: str  # `acme` for the membership, `acme/prod` for a workspace, `acme/connection.aws_prod`: `reached` or not
    before: str | None  # the role
    after: str | None  # the role

    # Why, and for how long
    why: str  # direct, team/sre, implicit as owner, no longer listed, ...
    invited: bool = False  # comes into force when the invitation is accepted
    expires: date | None = None  # the first day on which `after` no longer counts
    then: str | None = None  # the role that the entry names from that day on
    robot: bool = False  # whether it is a robot's account


class DnsChange(msgspec.Struct, frozen=True):
    """A workspace's DNS name that changes or goes (`after` None)."""

    workspace: str  # acme/prod, by its new handles
    before: str
    after: str | None


class MessageCounts(msgspec.Struct, frozen=True):
    """How many of a plan's errors, warnings and notes are about one org: they carry no address of their own."""

    errors: int = 0
    warnings: int = 0
    notes: int = 0


class Shard(msgspec.Struct, frozen=True):
    """Which part of the manifests' orgs a plan is about, where several runs share them."""

    number: int  # from 1
    of: int
    estate: str  # a fingerprint of the whole division and of the lock file: shards fit together only if it is the same
    host: str = ""  # where Pipes is
    actor: str = ""  # the id of the token's own user
    messages: Mapping[str, MessageCounts] = msgspec.field(
        default_factory=dict
    )  # by org address; without orgs that have none


class Plan(msgspec.Struct, frozen=True):
    """What would change, in what order, for whom, and what prevents it."""

    # What happens
    changes: tuple[Change, ...]  # by address
    steps: tuple[Step, ...]  # in the order of a sequential apply
    impact: tuple[Effect, ...]  # who gains and who loses what
    dns: tuple[DnsChange, ...]  # names of workspaces that change

    # What prevents it
    refusals: tuple[Refusal, ...]  # those that `--allow` did not lift
    lifted: tuple[Refusal, ...]  # those that `allowed` lifted
    allowed: tuple[tuple[str, str], ...]  # code and address
    errors: tuple[Diagnostic, ...]  # problems that only the live organization could show

    # What else to say
    warnings: tuple[Diagnostic, ...]  # about the manifests
    notes: tuple[str, ...]  # about what was read
    unmanaged: tuple[str, ...]  # addresses of live objects that no manifest lists

    # What it was made from
    orgs: tuple[str, ...]  # the org addresses that were compared
    day: date  # decides what has expired
    files: tuple[tuple[str, str], ...]  # path and SHA-256 of each manifest
    reads: Mapping[
        str, str
    ]  # ids and versions that it rests on, by address, and a fingerprint of each org's member list
    paths: tuple[str, ...] = ()  # the files and folders that the manifests were read from, for reading them again
    confirm_delete: tuple[str, ...] = ()  # handles of orgs that apply asks for before it deletes them
    shard: Shard | None = None  # None for a plan of everything
    host: str = ""  # where Pipes is; `sandbox` for an embedded one; empty if unknown
    made: Made | None = None  # where the plan comes from; not compared
    view: str = ""  # the summary of a plan of which only a part is shown; such a plan is never saved or applied

    @property
    def counts(self) -> dict[str, int]:
        """How many changes of each action, in the order that a summary names them."""
        found = dict.fromkeys(("create", "update", "rename", "delete"), 0)
        for change in self.changes:
            found[change.action] += 1
        return found
