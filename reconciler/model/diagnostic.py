"""What is wrong, where, and how to fix it; formatted last, by the reports."""

from __future__ import annotations

import msgspec


class Source(msgspec.Struct, frozen=True, gc=False):
    """A place in a manifest, never changed. Line and column count from 1; column counts characters."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Diagnostic(msgspec.Struct, frozen=True):
    """One problem: a fact, its place, and how to fix it."""

    # What is wrong, where, and how to fix it
    severity: str  # error | warning
    summary: str  # the fact
    source: Source | None = None  # None if it has no single place
    hint: str | None = None  # what was probably meant, or how to fix it

    # How the place is shown
    length: int = 1  # how many characters the caret line underlines
    also: Source | None = None  # a second place: the other of two definitions
    text: str | None = None  # the manifest's own line, to show it without reading the file again
    also_is: str = "also here"  # what the second place is
    below: tuple[str, ...] = ()  # lines to copy, each on its own


class Refusal(msgspec.Struct, frozen=True):
    """One refusal by a safeguard."""

    code: str  # of the safeguard
    address: str  # what it is about
    fact: str  # with the limit, where there is one
    fix: str  # what to do instead
    source: Source | None = None
    liftable: bool = True  # by --allow CODE=ADDRESS
