"""What ends soon, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from reconciler.model.diagnostic import Source

UNKNOWN = "?"


def until(expires: date | None, then: str | None) -> str:
    """`until 2027-01-31, then member`; empty for what does not end."""
    if expires is None:
        return ""
    return f"until {expires.isoformat()}" + (f", then {then}" if then else "")


@dataclass(frozen=True, slots=True)
class Expiring:
    """An entry that ends soon: of one person, or with `team/…` in `name` of the `people` of a team.

    `then` is the role that they have from `expires` on, by `then:` or by another entry: None for none, `?` where it is
    not known.
    """

    address: str  # of the org or workspace whose section has the entry
    name: str
    role: str
    expires: date
    reason: str | None
    source: Source
    then: str | None = UNKNOWN
    people: tuple[str, ...] = ()
