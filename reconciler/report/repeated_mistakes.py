"""Many mistakes of one kind, such as a role that is misspelt in forty lines: shown once, with their number and places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.late_pattern import late_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.model.diagnostic import Diagnostic

FEW = 3  # so many of a kind are shown each for itself
PLACES = 12  # of the others, that are named

# what differs between messages of one kind: quoted words, the names of objects, paths, numbers
_NAMES = late_pattern(
    r"`[^`]*`|(?<=\b(?:member|person|policy) )\S+|(?<=\borg )\S+|(?<=\bteam )\S+|(?<=\bworkspace )\S+|(?<=\bconnection )\S+"
    r"|(?<!\S)[^\s/]++/\S+|-?[0-9][0-9,]*|^[^\s`]+(?= (?:owns|has|and|is) )"
)


def grouped(diagnostics: Iterable[Diagnostic]) -> list[tuple[Diagnostic, tuple[Diagnostic, ...]]]:
    """The diagnostics in their order; where more than FEW are of one kind, the first one with the others beside it."""
    kinds: dict[tuple[str, str, str], list[Diagnostic]] = {}
    found: list[tuple[Diagnostic, list[Diagnostic]]] = []  # each with all of its kind
    for one in diagnostics:
        alike = kinds.setdefault(_kind(one), [])
        alike.append(one)
        found.append((one, alike))
    shown: list[tuple[Diagnostic, tuple[Diagnostic, ...]]] = []
    for one, alike in found:
        if len(alike) <= FEW:
            shown.append((one, ()))
        elif one is alike[0]:
            shown.append((one, tuple(alike[1:])))
    return shown


def others(first: Diagnostic, more: tuple[Diagnostic, ...]) -> str:
    """`and 11 more like it: b (orgs.yaml:7:7), c (orgs.yaml:8:7), … and 9 others`, not escaped."""
    named = [_name(first, one) for one in more[:PLACES]]
    left = len(more) - PLACES
    rest = f" and {left:,} other{'s' if left > 1 else ''}" if left > 0 else ""
    return f"and {len(more):,} more like it: {', '.join(named)}{rest}"


def _kind(one: Diagnostic) -> tuple[str, str, str]:
    if one.source is None or one.below:
        return one.severity, one.summary, "as it is"
    return one.severity, _NAMES.sub("…", one.summary), _NAMES.sub("…", one.hint or "")


def _name(first: Diagnostic, one: Diagnostic) -> str:
    """What only this one names, and where it is."""
    known = {word.rstrip(",.;:") for word in _NAMES.findall(first.summary)}
    new = [word for word in _NAMES.findall(one.summary) if word.rstrip(",.;:") not in known]
    return f"{new[0].rstrip(',.;:')} ({one.source})" if new else str(one.source)
