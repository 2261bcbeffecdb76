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

    approval: Approval
    place: str  # an org, a workspace, or `rules`
    fact: str
    gains: tuple[str, ...] = ()  # names and keys of who gains by it: they cannot agree to it
    source: Source | None = None
    given: tuple[str, ...] = ()  # the logins of those who agreed and count

    @property
    def missing(self) -> int:
        """How many people have yet to agree."""
        return max(0, self.approval.count - len(self.given))


class Consents(msgspec.Struct, frozen=True):
    """What a pull request needs, and whether it is enough."""

    base: str
    head: str
    author: str
    needs: tuple[Need, ...]
    voices: tuple[Voice, ...]
    risk: str = "none"
    applies: bool = True  # False where BASE has no `approvals:`

    @property
    def missing(self) -> tuple[Need, ...]:
        return tuple(one for one in self.needs if one.missing)
