"""One YAML file as it was read: its data with a place for every key and value, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds import secret
from reconciler.model.diagnostic import Diagnostic, Source
from reconciler.model.late_pattern import late_pattern

if TYPE_CHECKING:
    from reconciler.manifest.json_schema import KeyPath

MAX_PROBLEMS = 100  # at most this many errors of a file, and of a run, are reported; the rest is counted
MAX_TEXT = 200  # characters that a problem quotes of its line, from its column on
MAX_COLUMN = 2_000  # a problem further right quotes nothing: its line is probably one long line of JSON


# the key of a configuration, in which any value may be a secret
_CONFIG = late_pattern(r"""(?:^|[\s{,"'])config["']?\s*+:""")
_LINES_ABOVE = 500  # in which that key is looked for

BREAK = late_pattern("\r\n|[\n\r\x85\u2028\u2029]")  # what libyaml counts as the end of a line
_TOKEN = late_pattern(
    r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|(?:[^\s,:#\[\]{}]|:(?=\S)|[#](?<=\S#)|[ ](?=[^\s#:,\[\]{}]))+|\S"""
)


class Map(dict[str, Any]):
    """A mapping as written; `at[key]` is (line, column) of the key, then of the value, counted from 1."""

    __slots__ = ("at", "column", "line")

    def __init__(self, line: int, column: int) -> None:
        super().__init__()
        self.line = line
        self.column = column
        self.at: dict[str, tuple[int, int, int, int]] = {}


class Seq(list[Any]):
    """A list as written; `at[index]` is the line and column of the item."""

    __slots__ = ("at", "column", "line")

    def __init__(self, line: int, column: int) -> None:
        super().__init__()
        self.line = line
        self.column = column
        self.at: list[tuple[int, int]] = []


class Document(msgspec.Struct):
    """One file: its data, and what is wrong with it."""

    # What was read
    file: str  # its name
    data: bytes  # its bytes
    root: Any = None  # None where nothing could be built
    # paths of unquoted scalars that YAML reads as a null, boolean, number or date; True where that is the key
    specials: list[tuple[KeyPath, bool]] = msgspec.field(default_factory=list)
    values: int = 0  # how many keys and values it has, those that aliases repeat included
    lines: list[str] | None = None  # of the text, once a line was asked for

    # What is wrong with it
    problems: list[Diagnostic] = msgspec.field(default_factory=list)  # the first MAX_PROBLEMS
    more: int = 0  # how many there are beyond those
    cut: bool = False  # whether there may be still others: the check has ended

    def line(self, number: int) -> str:
        """The text of a line, counted from 1; empty beyond the end."""
        if self.lines is None:
            self.lines = BREAK.split(self.data.decode("utf-8", "replace").removeprefix("\ufeff"))
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def diagnostic(
        self,
        severity: str,
        summary: str,
        line: int,
        column: int,
        *,
        hint: str | None = None,
        also: Source | None = None,
    ) -> Diagnostic:
        """A problem at a place in this file. It quotes the line, unless that may show a secret."""
        text = self.line(line)
        found = _TOKEN.match(text, column - 1, column - 1 + MAX_TEXT)
        length = max(1, len(found.group().rstrip())) if found else 1
        # Never cut on the left: the caret is placed by the column.
        excerpt = text[: column - 1 + MAX_TEXT] if column <= MAX_COLUMN else None
        if excerpt is not None and self._may_show_a_secret(line, excerpt):
            excerpt = None
        return Diagnostic(severity, summary, Source(self.file, line, column), hint, length, also, excerpt)

    def problem(
        self, summary: str, line: int, column: int, *, hint: str | None = None, also: Source | None = None
    ) -> None:
        """Add an error; beyond MAX_PROBLEMS it is only counted."""
        if len(self.problems) >= MAX_PROBLEMS:
            self.more += 1
            return
        self.problems.append(self.diagnostic("error", summary, line, column, hint=hint, also=also))

    def _may_show_a_secret(self, number: int, excerpt: str) -> bool:
        """Whether a quote might show a secret: it ends up in logs, and in comments on pull requests."""
        above = self.line(number - 1)[-MAX_COLUMN:]
        return (
            secret.is_secret_text(excerpt)
            or secret.is_random(excerpt)
            # a text may begin on the line above
            or (secret.is_secret_text(f"{above.strip()} {excerpt.strip()}") and not secret.is_secret_text(above))
            or self._is_in_config(number, excerpt)
        )

    def _is_in_config(self, number: int, text: str) -> bool:
        """Whether a line is part of a `config:`, by the indentation of the lines above."""
        indent = len(text) - len(text.lstrip())
        for at in range(number, max(0, number - _LINES_ABOVE), -1):
            line = text if at == number else self.line(at)[:MAX_COLUMN]
            inner = line.lstrip()
            if at < number and (not inner or inner[0] == "#" or len(line) - len(inner) >= indent):
                continue
            indent = min(indent, len(line) - len(inner))
            if _CONFIG.search(line):
                return True
            if indent == 0:
                break
        return False


def shown(text: str, longest: int = 60) -> str:
    """Text from a manifest for use inside a message: on one line, control characters escaped, shortened, and no secret."""
    if secret.is_secret_text(text[:MAX_COLUMN]):
        return secret.SENSITIVE
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
