"""A sheet: the content of a report in reading order, independent of the format. `sheet_formats` turns it into each format.

Nothing in a sheet is escaped. A `str` is prose, ours or from outside. A `Name` is a handle, an address or a value that
stands out (a code span, if the format has one). Each format passes both through its own escape function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.diagnostic import Diagnostic, Source
    from reconciler.model.made import Made
    from reconciler.model.policy import Verdict


class Name(str):
    """A name or a value, as opposed to prose."""

    __slots__ = ()


Words = tuple[str, ...]

# How important a section is when a report must be short. KEPT always stays, if necessary as names only. SHOWN is visible,
# and is shortened when there is too much. FOLDED is hidden detail, and the first to be dropped.
KEPT, SHOWN, FOLDED = "kept", "shown", "folded"
MANIFEST_CHANGES = "Manifest changes for "  # starts the title of each section with an org's changes in the manifests


class Brief(NamedTuple):
    """What remains of an item when only names fit: `bob` at `acme/prod` as `reader`."""

    place: str | tuple[str, ...]  # one, or several that the item is about
    name: str
    roles: tuple[str, ...] = ()  # of two, the one before comes first


class Item(msgspec.Struct, frozen=True):
    """One line of a section."""

    # What it says
    words: Words  # with their styles
    symbol: str = ""  # `+`, `-`, `~`, `>` (as for create, delete, update, rename), `!`, or none
    why: Words = ()  # the reason, shown after the words in a less prominent style
    source: Source | None = None  # the manifest line that it is about
    below: tuple[Words, ...] = ()  # more lines, indented below it

    # What machines make of it
    level: str = ""  # notice, warning or error: it also becomes an annotation in GitHub, at `source`
    fails: bool = False  # whether it is a failing test in JUnit
    brief: Brief | None = None  # for when only names fit


class Table(msgspec.Struct, frozen=True):
    """Rows of cells below a head. Each row has as many cells as the head."""

    head: tuple[str, ...]
    rows: tuple[tuple[Words, ...], ...]


class Cell(msgspec.Struct, frozen=True):
    """What one person may do in one place."""

    role: str
    why: str
    pending: bool = False  # an invitation that is not accepted yet


class Matrix(msgspec.Struct, frozen=True):
    """People and the places that they reach: a row for each person, with as many cells as there are places."""

    places: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]


class Section(msgspec.Struct, frozen=True):
    """A list, a table or a matrix with a title."""

    title: str  # without a colon at its end
    items: tuple[Item, ...] = ()  # one line each
    table: Table | None = None  # where lines have columns
    matrix: Matrix | None = None  # people and places; not in JUnit and Markdown, which get the list
    weight: str = SHOWN  # KEPT, SHOWN or FOLDED
    about: Words = ()  # a line of prose below the title
    tone: str = ""  # `alarm`, `care` or none
    by_org: bool = False  # in HTML, a long list is divided by organization, which each item's `brief` places in


class Sheet(msgspec.Struct, frozen=True):
    """A whole report."""

    # What it says
    name: str  # one word for machines, such as `review`
    title: str  # one word for people, such as `Review`
    summary: tuple[str, ...]  # the lines that sum it up
    sections: tuple[Section, ...] = ()  # in the order of the report
    facts: Words = ()  # what was compared, for which day, and the head as a line
    problems: tuple[Diagnostic, ...] = ()  # errors and warnings, shown with their manifest lines
    notes: tuple[Words, ...] = ()  # one line each
    tiles: tuple[tuple[str, str, bool], ...] = ()  # a number, what it counts, and whether it is bad news

    # What follows from it
    bad: bool = False  # whether the summary is shown as an alarm
    outputs: Mapping[str, str] = msgspec.field(
        default_factory=dict
    )  # for `$GITHUB_OUTPUT`, beside summary, errors, warnings
    verdict: Verdict | None = None  # what the policies say: a test case for each in JUnit

    # Where it comes from
    made: Made | None = None  # the head, for formats with fields for it

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(found for found in self.problems if found.severity == "error")

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        return tuple(found for found in self.problems if found.severity != "error")


LETTERS = {"owner": "O", "member": "M", "operator": "P", "reader": "R"}  # `P` as in oPerator: `O` is taken


def letter(role: str) -> str:
    """One letter for a role; `?` for one that nobody here knows."""
    return LETTERS.get(role, "?")


def flat(words: Iterable[str]) -> str:
    """The words as plain text, for formats that do not mark names."""
    return "".join(words)


def line(item: Item) -> str:
    """An item on one line with its reason in parentheses. Nothing is escaped."""
    return flat(item.words) + (f" ({flat(item.why)})" if item.why else "")


def listed(names: Iterable[str], *, last: str = "and") -> Words:
    """`a, b and c`, each a Name."""
    found = [Name(name) for name in names]
    pieces: list[str] = []
    for at, name in enumerate(found):
        if at:
            pieces.append(f" {last} " if at == len(found) - 1 else ", ")
        pieces.append(name)
    return tuple(pieces)
