"""Shortens a large plan as text: alike changes together, nothing in the impact that a change says already. -v shows all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model import address as addresses
from reconciler.report import wording

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from reconciler.model.plan import Change, Effect

LARGE = 40  # changes from which alike ones are put together
ALIKE = 3  # at least as many alike ones
WIDTH = 100
PEOPLE = ("member", "grant")


def alike(changes: Sequence[Change]) -> Iterator[tuple[Change, ...]]:
    """The changes of a group: several that differ in nothing but their name and line together, others one by one."""
    found: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        no_details = not change.details and not change.because and change.previous_address in (None, change.address)
        below = addresses.depth(change.address) > 1
        attributes = tuple(map(str, wording.attributes(change)))
        same = (change.kind, change.action, attributes, change.reason, change.via, change.expires, change.then)
        found.setdefault(same if no_details and below else (change.address, change.action), []).append(change)
    for group in found.values():
        if len(group) >= ALIKE:
            yield tuple(group)
        else:
            yield from ((change,) for change in group)


def names(group: Iterable[Change]) -> list[str]:
    """The last name in the address of each change."""
    return [addresses.parts_of(change.address)[-1].partition(".")[2] for change in group]


def places(group: Sequence[Change]) -> str:
    """The lines behind the changes: `orgs.yaml:20-59`, or of several files the first and how many more."""
    lines: dict[str, list[int]] = {}
    for change in group:
        if change.source is not None:
            lines.setdefault(change.source.file, []).append(change.source.line)
    shown = [
        f"{file}:{min(found)}" + (f"-{max(found)}" if max(found) > min(found) else "")
        for file, found in list(lines.items())[:2]
    ]
    return ", ".join(shown) + (f" and {len(lines) - 2} more files" if len(lines) > 2 else "")


def wrapped(words: Iterable[str], indent: str) -> Iterator[str]:
    """The words as lines of at most WIDTH characters, with commas between them."""
    line = ""
    for word in words:
        if line and len(indent) + len(line) + len(word) + 2 > WIDTH:
            yield f"{indent}{line},"
            line = word
        else:
            line = f"{line}, {word}" if line else word
    if line:
        yield f"{indent}{line}"


def unsaid(effects: Sequence[Effect], changes: Iterable[Change]) -> tuple[Effect, ...]:
    """The effects that no change shows: those of a membership or grant are on its own line. Ownership always stays."""
    said = {
        _place_and_person(change): tuple((found or {}).get("role") for found in (change.before, change.after))
        for change in changes
    }
    return tuple(
        effect
        for effect in effects
        if wording.is_ownership(effect) or said.get((effect.object, effect.person)) != (effect.before, effect.after)
    )


def invited(effects: Iterable[Effect]) -> Collection[tuple[str, str]]:
    """Place and person of each effect that waits for an invitation to be accepted."""
    return {(effect.object, effect.person) for effect in effects if effect.invited}


def waits(change: Change, waiting: Collection[tuple[str, str]]) -> bool:
    """Whether a membership or grant takes effect only once the invitation is accepted."""
    return bool(waiting) and _place_and_person(change) in waiting


def why_access(change: Change, reasons: Mapping[tuple[str, str], str]) -> str:
    """Why somebody gains or loses what this membership or grant gives, where the change itself does not say it."""
    why = reasons.get(_place_and_person(change) or ("", ""), "")
    return "" if why == "direct" or why in wording.why(change) else why


def _place_and_person(change: Change) -> tuple[str, str] | None:
    if change.kind not in PEOPLE:
        return None
    *places, last = addresses.parts_of(change.address)
    return "/".join(part.partition(".")[2] for part in places), last.partition(".")[2]
