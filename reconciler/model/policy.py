"""Rules about who may have which access, as the manifests write them, and what breaks them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from datetime import date

    from reconciler.model.diagnostic import Source

ERROR, WARN = "error", "warn"
OWNERS = "owners"  # the word for whoever reaches a place as an owner of its org
NONE = "none"  # in `approvals`: nobody has to agree

# the values of a violation's `rule`: the policy's own keys
MIN, MAX = "people.min", "people.max"
ONLY, EXPIRES, REASON, APART, ROBOTS, DOMAINS = (
    "only", "expires_within", "reason", "apart", "robots", "email_domains",
)  # fmt: skip
ABOUT_PEOPLE = (ONLY, EXPIRES, REASON, APART, ROBOTS, DOMAINS)  # rules that one person breaks


class Side(msgspec.Struct, frozen=True):
    """One of the duties that `apart` separates: a team, or whoever has a role somewhere."""

    team: str = ""  # `team/deployers`
    places: tuple[str, ...] = ()  # patterns; empty: the places of the policy itself
    roles: tuple[str, ...] = ()  # empty: any role

    def __str__(self) -> str:
        if self.team:
            return self.team
        where = f" on {', '.join(self.places)}" if self.places else ""
        return (" or ".join(self.roles) or "any role") + where


class Policy(msgspec.Struct, frozen=True):
    """One rule of `policies:`."""

    name: str  # its key
    source: Source  # the line of its key

    # What it is about
    places: tuple[str, ...] = ()  # patterns of `in`
    connections: tuple[str, ...] = ()  # patterns of `connection`
    roles: tuple[str, ...] = ()  # empty: any role
    unless: tuple[str, ...] = ()  # people, teams, and the word `owners`: its limits spare them

    # What it asks for; None or empty: nothing
    min: int | None = None  # people at least
    max: int | None = None  # people at most
    only: tuple[str, ...] | None = None  # who alone may
    expires_within: int | None = None  # in days
    reason: bool = False  # whether each entry needs one
    apart: tuple[Side, ...] = ()  # duties that one person may not have together
    robots: bool = False  # whether robots are refused
    email_domains: tuple[str, ...] | None = None  # in lower case

    # How it is reported
    level: str = ERROR  # error | warn
    message: str = ""  # what to say of a violation, in its author's words
    help: str = ""  # where to read more

    @property
    def about_people(self) -> bool:
        """Whether a person can break it, and not only a number."""
        return bool(
            self.only is not None
            or self.expires_within is not None
            or self.reason
            or self.apart
            or self.robots
            or self.email_domains is not None
        )

    @property
    def teams(self) -> frozenset[str]:
        """The teams that it names, without `team/`."""
        named = (*self.unless, *(self.only or ()), *(side.team for side in self.apart))
        return frozenset(name.removeprefix("team/") for name in named if name.startswith("team/"))


class Waiver(msgspec.Struct, frozen=True):
    """An exception to a policy that ends."""

    policy: str
    until: date  # the last day on which it counts
    reason: str
    source: Source
    who: str | None = None  # a name of the manifests; None: the numbers of people, not a person
    place: str | None = None  # None: every place of the policy


class Approval(msgspec.Struct, frozen=True):
    """Who has to agree to changes: one key of `approvals:`."""

    key: str  # `default`, `losing`, `rules`, `role/owner`, or the pattern of a place
    of: tuple[str, ...]  # people, teams, and the word `owners`; empty for `none`
    source: Source
    count: int = 1


class Violation(msgspec.Struct, frozen=True):
    """One policy that does not hold, for a person or for a place."""

    # Which rule
    policy: str  # the policy's name
    rule: str  # people.max, only, ...
    level: str  # error | warn
    policy_source: Source  # the line of its key

    # Who and where
    place: str  # the org or workspace
    fact: str  # the violation in one sentence
    person: str | None = None  # None where a number of people is what is wrong
    key: str | None = None  # identifies the person, whatever the name
    role: str | None = None  # that the person has there
    why: str | None = None  # how the person has the role
    source: Source | None = None  # the manifest line that gives it
    names: tuple[str, ...] = ()  # everyone who counts, if a number is wrong; for `apart`, which duties and where
    number: int = 0  # how many they are
    limit: int = 0  # how many they may be

    # What to say and do
    message: str = ""  # the policy's own
    help: str = ""  # the policy's own
    waivers: tuple[str, ...] = ()  # the lines that would allow it for a while

    @property
    def at(self) -> tuple[str, str, str, str | None]:
        """What identifies the violation when two states of access are compared."""
        return self.policy, self.rule, "" if self.rule == APART else self.place, self.key

    def is_worse_than(self, before: Violation) -> bool:
        """Whether the same violation became worse: a number further off, or duties combined in more places."""
        if self.rule == MAX:
            return self.number > before.number
        if self.rule == MIN:
            return self.number < before.number
        return not set(self.names) <= set(before.names)


class Verdict(msgspec.Struct, frozen=True):
    """What the policies say of one state of access."""

    policies: tuple[Policy, ...] = ()  # those that were judged
    violations: tuple[Violation, ...] = ()  # errors first
    waived: tuple[tuple[Violation, Waiver], ...] = ()  # what a waiver allows
    unused: tuple[Waiver, ...] = ()  # waivers that allow nothing
    ended: tuple[Waiver, ...] = ()  # waivers whose last day is over
    ending: tuple[Waiver, ...] = ()  # waivers in use that end soon
    notes: tuple[str, ...] = ()  # what could not be judged

    @property
    def errors(self) -> int:
        return sum(one.level == ERROR for one in self.violations)


@lru_cache(maxsize=512)
def pattern_of(text: str) -> re.Pattern[str]:
    """The pattern of a place, where `*` stands for any characters but `/`; use `fullmatch`."""
    return re.compile("[^/]*".join(re.escape(part) for part in text.split("*")))


class BrokenOutside(msgspec.Struct, frozen=True):
    """A policy that breaks in Pipes and not in the manifests."""

    violation: Violation
    by: tuple[str, ...] = ()  # who changed that, as far as the audit log says


class RuleChange(msgspec.Struct, frozen=True):
    """What a pull request changes in the rules themselves."""

    kind: str  # policy | waiver | approval | team
    name: str  # of a waiver: the policy, for whom, and where
    change: str  # added | removed | loosened | tightened | changed
    loosens: bool  # whether it may allow something new: any change that is not clearly stricter counts
    details: tuple[str, ...] = ()  # which fields, or until when
    source: Source | None = None  # its line in HEAD, or in BASE if it is removed
    who: str | None = None  # whom a waiver is for
    names: tuple[str, ...] = ()  # who comes into a team


class ViolationChanges(msgspec.Struct, frozen=True):
    """Which violations a change adds, and which it ends."""

    verdict: Verdict  # of the state after it
    new: tuple[Violation, ...] = ()  # or worse than before
    ended: tuple[Violation, ...] = ()
    standing: tuple[Violation, ...] = ()
