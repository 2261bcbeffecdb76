"""What was probably meant: the nearest of the existing names, within a budget of comparisons.

difflib compares a name with every candidate, so a thousand misspelt names among a thousand teams are a million comparisons.
The first mistakes get a suggestion; once the budget is spent, the others are reported without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

COMPARISONS = 10_000  # in one run, about half a second
_LONGEST = 100  # characters of a name that are compared
_CUTOFF = 0.6


class Speller:
    """Suggests names for one run; `left` is how many comparisons it may still make."""

    __slots__ = ("left",)

    def __init__(self, comparisons: int = COMPARISONS) -> None:
        self.left = comparisons

    def nearest(self, text: str, known: Collection[str]) -> str | None:
        """The one of `known` that was probably meant; None without one, or once the budget is spent."""
        if len(known) > self.left:
            return None
        self.left -= len(known)
        return _nearest(text, known)


def nearest_key(text: str, known: Collection[str]) -> str | None:
    """The key or word of the schema that was probably meant. There are few of them, so this needs no budget."""
    return _nearest(text.replace("-", "_"), known)


def _nearest(text: str, known: Collection[str]) -> str | None:
    from difflib import get_close_matches

    found = get_close_matches(text[:_LONGEST].lower(), tuple(known), n=1, cutoff=_CUTOFF)
    return found[0] if found else None
