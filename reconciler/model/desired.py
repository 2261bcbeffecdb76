"""What the manifests ask for: teams expanded, expired entries dropped, positions kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from datetime import date

    from reconciler.model.diagnostic import Diagnostic, Source


class Person(msgspec.Struct, frozen=True, gc=False):
    """Who a name in the manifests is in Pipes: by handle, or by the email that an invitation goes to."""

    name: str
    handle: str | None
    email: str | None = None
    source: Source | None = None
    reinvite: date | None = None  # states a new invitation by email for one of before that day which is gone


@dataclass(frozen=True, slots=True)
class Rules:
    """The manifest's `safeguards:`."""

    min_owners: int = 1
    max_removals_count: int = 10
    max_removals_percent: int = 25


class Node(msgspec.Struct, gc=False):
    """One wanted object (an org, a member, a workspace, a grant), or with `absent` one that must not be.

    `attrs` holds only what is written; None in it means "clear". `sources` gives the line of each attribute where it
    differs from the object's own. `children[kind]` is there only where the manifest has that section: a missing kind is
    not managed. `via` is the team (`team/sre`) that the entry came from, None for a direct one. `then` is the weaker role
    that the entry counts as from `expires` on, None where it then counts as not written.
    """

    kind: str
    name: str  # the handle or the person's name, as the manifest writes it
    attrs: dict[str, Any]
    source: Source
    absent: bool = False
    renamed_from: str | None = None
    via: str | None = None
    expires: date | None = None
    then: str | None = None
    reason: str | None = None
    sources: dict[str, Source] | None = None
    children: dict[str, dict[str, Node]] = msgspec.field(default_factory=dict)
    expired: dict[str, dict[str, Node]] | None = None  # entries whose time is up: they state a removal
    rotate: date | None = None  # what refers to secrets is to be sent again once, from that day on
    rewrite: str | None = None  # why it is sent although live does not tell a difference (`reconciler.apply.secrets`)
    unknown: str | None = None  # why it cannot be told whether live has the secrets


@dataclass(slots=True)
class Desired:
    """All manifests of one run, merged.

    `people` holds every name that `people:` defines; any other name is its own handle. `files` is the path and the
    SHA-256 of each manifest that was read, sorted by path, for binding a saved plan to them; `paths` are the files and
    folders that were asked for.
    """

    orgs: dict[str, Node]
    people: dict[str, Person]
    rules: Rules
    day: date
    files: tuple[tuple[str, str], ...] = ()
    paths: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    resend_after: int | None = None  # days after which a gone invitation by email is sent again
    ended: tuple[Diagnostic, ...] = ()  # entries whose day has come, for whoever looks after the manifests
    teams: dict[str, tuple[str, ...]] = field(default_factory=dict)  # flattened: team -> names, sorted
    elsewhere: dict[str, Node] = field(default_factory=dict)  # orgs of the manifests that this run was narrowed past
    nested: dict[str, tuple[str, ...]] = field(default_factory=dict)  # as written: team -> names and `team/…`

    def person(self, name: str) -> Person:
        """Who `name` is: as `people:` says, else the Pipes user of that handle."""
        found = self.people.get(name)
        return found if found is not None else Person(name, name)

    def handle(self, name: str) -> str | None:
        """The handle of `person(name)`, None for one who is known by an email only."""
        found = self.people.get(name)
        return found.handle if found is not None else name
