"""A sheet: what a report says, neutral and in reading order. A subject becomes one once; `sheets` draws it in each format.

Nothing in a sheet is escaped. A `str` is prose, of ours or from outside; a `Name` is a handle, an address or a value that
stands out (a code span, where the format has one). Every writer passes both through its own escape function.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.diagnostic import Diagnostic, Source


class Name(str):
    """A piece of text that is a name or a value rather than prose."""

    __slots__ = ()


Words = tuple[str, ...]

# How much a section matters where a report must be short: KEPT always stays, if need be as bare names; SHOWN stands in the
# open and is cut when there is too much; FOLDED is detail, folded away and the first to go.
KEPT, SHOWN, FOLDED = "kept", "shown", "folded"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a section.

    `symbol` is `+`, `-`, `~`, `>` (as for create, delete, update, rename) or none. `why` stands faint behind it, `below`
    on lines of their own. `level` (notice, warning, error) makes it an annotation as well, at `source`; `fails` makes it
    a failing test in JUnit. `brief` is (place, name) for where only bare names fit, such as ("acme/prod", "bob").
    """

    words: Words
    symbol: str = ""
    why: Words = ()
    source: Source | None = None
    below: tuple[Words, ...] = ()
    level: str = ""
    fails: bool = False
    brief: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells below a head; a row has as many cells as the head."""

    head: tuple[str, ...]
    rows: tuple[tuple[Words, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A titled list, or a table. `about` is a line of prose below the title; `tone` is `alarm`, `care` or none."""

    title: str
    items: tuple[Item, ...] = ()
    table: Table | None = None
    weight: str = SHOWN
    about: Words = ()
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole report.

    `name` is one word for machines (`review`); `summary` are the lines that say it all, of which `bad` ones are
    alarming; `facts` say what was compared; `problems` are shown with their manifest lines; `outputs` are the values for
    `$GITHUB_OUTPUT`, beside `summary`, `errors` and `warnings`, which every sheet has.
    """

    name: str
    title: str
    summary: tuple[str, ...]
    sections: tuple[Section, ...] = ()
    facts: Words = ()
    problems: tuple[Diagnostic, ...] = ()
    notes: tuple[Words, ...] = ()
    bad: bool = False
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(found for found in self.problems if found.severity == "error")

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        return tuple(found for found in self.problems if found.severity != "error")


def flat(words: Iterable[str]) -> str:
    """The words as they are, for a writer that marks no names."""
    return "".join(words)


def line(item: Item) -> str:
    """An item on one line, its reason in parentheses, unescaped."""
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
