"""Whose consent a pull request needs, and what it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from reconciler.model.diagnostic import Source
    from reconciler.model.policy import Approval


class Voice(msgspec.Struct, frozen=True):
    """One approval."""

    login: str
    name: str | None  # whose it is, by BASE; None where that is unknown
    why_not: str = ""  # why it never counts

    @property
    def counts(self) -> bool:
        return not self.why_not


class Need(msgspec.Struct, frozen=True):
    """One change and one approval that it needs."""

    approval: Approval  # the key of BASE's `approvals:`
    place: str  # an org, a workspace, or `rules`
    fact: str  # what changes, in words
    gains: tuple[str, ...] = ()  # names and keys of who gains by it: they cannot agree to it
    source: Source | None = None  # the line of HEAD
    given: tuple[str, ...] = ()  # the logins of those who agreed and count

    @property
    def missing(self) -> int:
        """How many people have yet to agree."""
        return max(0, self.approval.count - len(self.given))


class Consents(msgspec.Struct, frozen=True):
    """What a pull request needs, and whether it is enough."""

    base: str  # as it was asked for
    head: str  # as it was asked for
    author: str  # the login
    needs: tuple[Need, ...]  # each change with each approval that it needs
    voices: tuple[Voice, ...]  # everyone who approved
    risk: str = "none"  # of the review
    applies: bool = True  # False if BASE has no `approvals:`

    @property
    def missing(self) -> tuple[Need, ...]:
        return tuple(one for one in self.needs if one.missing)
