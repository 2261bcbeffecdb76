"""Entries that end soon, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from datetime import date

    from reconciler.model.diagnostic import Source

UNKNOWN = "?"


def until(expires: date | None, then: str | None) -> str:
    """`until 2027-01-31, then member`; empty for what does not end."""
    if expires is None:
        return ""
    return f"until {expires.isoformat()}" + (f", then {then}" if then else "")


class Expiring(msgspec.Struct, frozen=True):
    """An entry that ends soon."""

    address: str  # of the org or workspace whose section has the entry
    name: str  # a person, or `team/…`
    role: str  # until then
    expires: date  # the first day without it
    reason: str | None  # the manifest's `reason:`
    source: Source  # the line of the entry
    then: str | None = UNKNOWN  # the role from `expires` on; None if none is left, UNKNOWN if it cannot be known
    people: tuple[str, ...] = ()  # the members of the team
