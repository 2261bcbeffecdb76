"""What is wrong, where, and the way on; formatted last, by the reports."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec


class Source(msgspec.Struct, frozen=True, gc=False):
    """A place in a manifest, never changed. Line and column count from 1; column counts characters."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem: the fact (`summary`), its place, and what was probably meant or helps (`hint`).

    `length` is how many characters the caret line underlines, `also` a second place (the other of two definitions),
    `text` the manifest's own line, for showing it without reading the file again.
    """

    severity: str  # error | warning
    summary: str
    source: Source | None = None
    hint: str | None = None
    length: int = 1
    also: Source | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A safeguard's no: which (`code`), for what (`address`), the fact with its limit, and the way on."""

    code: str
    address: str
    fact: str
    fix: str
    source: Source | None = None
    liftable: bool = True  # by --allow CODE=ADDRESS
