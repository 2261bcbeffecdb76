"""Lists of names in messages: a few of them, and how many more there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MANY = 5


def some(names: Iterable[str]) -> str:
    """A few names, and how many more."""
    listed = list(names)
    return first_of(listed[:MANY], len(listed))


def first_of(names: list[str], number: int) -> str:
    listed = ", ".join(names)
    return listed if number <= len(names) else f"{listed} and {number - len(names)} more"


def circle_of(names: list[str]) -> str:
    """A circle of names; of a long one the beginning and the end."""
    shown = names if len(names) <= 2 * MANY else [*names[:MANY], "…", *names[-MANY:]]
    return " → ".join(shown)
