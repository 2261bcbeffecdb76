"""What the manifests ask for: teams expanded, expired entries dropped, positions kept."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import msgspec

from reconciler.model.address import SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from reconciler.model.diagnostic import Diagnostic, Source
    from reconciler.model.policy import Approval, Policy, Waiver


class Person(msgspec.Struct, frozen=True, gc=False):
    """Who a name in the manifests is in Pipes: by handle, or by the email that an invitation goes to."""

    name: str  # in the manifests
    handle: str | None  # in Pipes, where it is known
    email: str | None = None  # as it is written
    source: Source | None = None  # the line in `people:`
    reinvite: date | None = None  # asks for one more invitation, if the last one was sent before that day and is gone
    robot: bool = False  # an ordinary account that no person uses
    github: str | None = None  # the login there, for approvals
    gitlab: str | None = None  # the login there


def is_robot(name: str, people: Mapping[str, Person]) -> bool:
    """Whether `people` marks a name as an account that no person uses, or it names a service account."""
    found = people.get(name)
    return found.robot if found is not None else name.startswith(SERVICE)


class Rules(msgspec.Struct, frozen=True):
    """The manifest's `safeguards:`."""

    min_owners: int = 1
    max_removals_count: int = 10
    max_removals_percent: int = 25


class Ignored(msgspec.Struct, frozen=True, gc=False):
    """Rows of an org that another team or tool owns: never touched, never drift."""

    handle: str  # a pattern, in which `*` stands for anything
    reason: str
    source: Source
    until: date | None = None  # the last day that counts

    def covers(self, handle: str) -> bool:
        """Whether a live row of that handle is meant."""
        from fnmatch import fnmatchcase

        return fnmatchcase(handle, self.handle)


class Node(msgspec.Struct, gc=False):
    """One wanted object (an org, a member, a workspace, a grant), or with `absent` one that must not exist."""

    # What it is
    kind: str  # org, member, workspace, ...
    name: str  # the handle or the person's name, as the manifest writes it
    attrs: dict[str, Any]  # only what is written; None means "clear"
    source: Source  # the line of its key

    # What the manifest states about it
    absent: bool = False  # it must not exist
    renamed_from: str | None = None  # the handle that it had
    via: str | None = None  # the team (`team/sre`) that the entry came from; None for a direct entry
    expires: date | None = None  # the first day on which the entry no longer counts
    then: str | None = None  # the weaker role that it counts as from that day on; None: it counts as not written
    reason: str | None = None  # the manifest's `reason:`
    everywhere: bool | None = (
        None  # of a connection or folder: whether every workspace of the org may use it; None: left alone
    )

    # Where that is written, and what is below it
    sources: dict[str, Source] | None = None  # the line of each attribute where it differs from the object's own
    children: dict[str, dict[str, Node]] = msgspec.field(default_factory=dict)  # by kind; a missing kind is not managed
    expired: dict[str, dict[str, Node]] | None = None  # entries whose day has come, by kind: they state a removal

    # What becomes of rows that no line lists
    keeps_unlisted: bool = False  # `unlisted: keep`
    ignored: tuple[Ignored, ...] = ()  # of an org, whose day has not passed

    # Secrets in a configuration (`reconciler.apply.secrets`)
    rotate: date | None = None  # from that day on, the configuration with its secrets is sent once more
    rewrite: str | None = None  # why it is sent although live shows no difference
    unknown: str | None = None  # why it is unknown whether live has the secrets


# the children of every person's entry: a dict for each would be a tenth of the memory of a large manifest
NO_CHILDREN = cast("dict[str, dict[str, Node]]", MappingProxyType({}))


class Desired(msgspec.Struct):
    """All manifests of one run, merged."""

    # What is wanted
    orgs: dict[str, Node]  # by handle
    people: dict[str, Person]  # every name that `people:` defines; any other name is its own handle
    rules: Rules  # `safeguards:`
    day: date  # decides what has expired

    # What it was read from
    files: tuple[tuple[str, str], ...] = ()  # path and SHA-256 of each manifest, sorted by path
    paths: tuple[str, ...] = ()  # the files and folders that were asked for

    # What to tell the reader
    warnings: tuple[Diagnostic, ...] = ()  # about the manifests
    ended: tuple[Diagnostic, ...] = ()  # entries whose day has come, for whoever looks after the manifests

    # Rules and names beyond the orgs of this run
    host: tuple[str, Source] | None = None  # where Pipes is that the manifests are for; never chosen by this
    resend_after: int | None = None  # days after which an invitation by email that is gone is sent again
    teams: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)  # team -> names, sorted, in nested ones too
    nested: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)  # as written: team -> names and `team/…`
    team_ends: dict[str, dict[str, date]] = msgspec.field(
        default_factory=dict
    )  # team -> name or `team/…` -> the first day on which its entry does not count; also those that are over
    policies: dict[str, Policy] = msgspec.field(default_factory=dict)  # by name
    waivers: tuple[Waiver, ...] = ()  # in the order written
    approvals: dict[str, Approval] = msgspec.field(default_factory=dict)  # by key: a place, `default`, `rules`, ...
    team_logins: dict[str, str] = msgspec.field(default_factory=dict)  # team -> the team on GitHub
    elsewhere: dict[str, Node] = msgspec.field(default_factory=dict)  # orgs of the manifests that this run leaves out

    def person(self, name: str) -> Person:
        """Who `name` is: as `people:` says, else the Pipes user of that handle."""
        found = self.people.get(name)
        return found if found is not None else Person(name, name)

    def is_robot(self, name: str) -> bool:
        """Whether the manifests mark `name` as an account that no person uses, or it names a service account."""
        return is_robot(name, self.people)

    def handle(self, name: str) -> str | None:
        """The handle of `person(name)`, None for one who is known by an email only."""
        found = self.people.get(name)
        return found.handle if found is not None else name
