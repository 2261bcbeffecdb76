"""Which of the names that are there was probably meant. Upper and lower case count as the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def near(name: str, there: Iterable[str], *, most: int = 3, cutoff: float = 0.5) -> list[str]:
    """At most `most` of `there` that resemble `name`, the nearest first; `cutoff` is difflib's."""
    from difflib import get_close_matches

    by_lower: dict[str, str] = {}
    for one in sorted(there):
        by_lower.setdefault(one.lower(), one)
    return [by_lower[found] for found in get_close_matches(name.lower(), by_lower, n=most, cutoff=cutoff)]


def did_you_mean(name: str, there: Iterable[str]) -> str:
    """`; did you mean `acme`?` for the end of a message; empty where nothing resembles `name`."""
    return asked(near(name, there))


def asked(found: Iterable[str]) -> str:
    """The same for names that are found; empty for none."""
    names = " or ".join(f"`{one}`" for one in found)
    return f"; did you mean {names}?" if names else ""
