"""A sheet as Markdown for one pull-request comment. A longer one loses detail first; KEPT sections always stay."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from msgspec.structs import replace

from reconciler.report import text
from reconciler.report.escaping import show_hidden
from reconciler.report.markdown import (
    LIMIT,
    LONGEST,
    SHORTEST,
    _diagnostic,
    _folded,
    _html,
    _Parts,
    _remarks,
    by_place,
    code,
    escape,
    fenced,
    fitted,
    inline,
)
from reconciler.report.sheet import FOLDED, KEPT, Name, flat, line
from reconciler.report.wording import count, place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.report.sheet import Item, Section, Sheet, Table, Words

SYMBOLS = {"+": "➕ ", "-": "➖ ", "~": "✏️ ", ">": "➡️ ", "!": "⚠️ "}
FENCED = {"~": "!", ">": "!"}  # GitHub colours a line of a diff by its first character


def draw(sheet: Sheet, *, limit: int = LIMIT) -> str:
    """The sheet in at most `limit` characters.

    One that would be longer loses, in this order: the folded sections, from the longest; of the shown ones everything but
    place, role and name, or all but ten lines where they are about something else; the reasons in the sections that are
    kept; and their words, of which place, role and name stay. It says at the top what it left out. Only where these alone
    are too many does it stop among them, in the shown sections first, and says how many more lines there are.
    """
    return fitted(lambda level: _parts(sheet, level), limit)


def _parts(sheet: Sheet, level: int) -> _Parts:
    first, *more = sheet.summary
    parts = _Parts([f"### {escape(first)}"])
    for words in more:
        parts.head += ["", escape(words)]
    if sheet.facts:
        parts.head += ["", _prose(sheet.facts)]
    longest = LONGEST if level < 2 else SHORTEST
    errors = [_diagnostic(found, longest) for found in sheet.errors]
    if errors:
        parts.must += ["", "> [!CAUTION]", *(f"> {words}" for words in errors)]
    sections = sheet.sections
    if level > 2:  # whoever owns something comes before everybody else
        start = next((n for n, one in enumerate(sections) if any(item.brief for item in one.items)), 0)
        divided = [_divided(section) for section in sections[start:]]
        found = (*sections[:start], *(owners for owners, _ in divided), *(others for _, others in divided))
        sections = tuple(filter(None, found))
    for section in sections:
        _section(parts, section, level)
    warnings = [_diagnostic(found) for found in sheet.warnings]
    _remarks(parts, "Warnings", warnings, level)
    _remarks(parts, "Notes", [f"- {_prose(note)}" for note in sheet.notes], level)
    if sheet.problems and level == 0:
        lines = text.render_diagnostics(sheet.problems).rstrip("\n").split("\n")
        parts.details.append(_folded("the manifests' lines", "The lines", lines))
    return parts


def _section(parts: _Parts, section: Section, level: int) -> None:
    if section.weight == FOLDED:
        if level == 0:
            parts.details.append(_details(section))
        elif "the details" not in parts.left_out:
            parts.left_out.insert(0, "the details")
        return
    number = len(section.items) + (len(section.table.rows) if section.table else 0)
    kept = section.weight == KEPT
    named = bool(section.items) and all(item.brief is not None for item in section.items)
    if not kept and not named and level > 1:
        parts.left_out.append(f"{section.title} ({number})")
        return
    lines: list[str] = []
    if section.about and level < 3:
        lines += [_prose(section.about), ""]
    few = not kept and not named and level > 0
    items = section.items[:10] if few else section.items
    if level > 2 or (level > 0 and named and not kept and number > 10):
        lines += _bare(items)
    else:
        lines += [words for item in items for words in _item(item, bare=level > 1)]
    if section.table is not None:
        lines += _table(section.table, 10 if few else None)
    if few and number > 10:
        lines += ["", f"and {number - 10} more"]
    title = f"**{escape(section.title).strip() or '(empty)'}**"
    target = parts.must if kept else parts.rest
    target += ["", title, "", *lines]


def _divided(section: Section) -> tuple[Section | None, Section | None]:
    """What a section says of owners, which then is kept, and the rest of it."""
    if section.weight == FOLDED:
        return None, section
    owners = tuple(item for item in section.items if item.brief is not None and "owner" in item.brief.roles)
    others = tuple(item for item in section.items if item.brief is None or "owner" not in item.brief.roles)
    if not owners:
        return None, section
    if not others and section.table is None:
        return replace(section, weight=KEPT), None
    return replace(section, title=f"{section.title}: owners", items=owners, weight=KEPT), replace(section, items=others)


def _item(item: Item, *, bare: bool) -> list[str]:
    words = f"- {SYMBOLS.get(item.symbol, '')}{_prose(item.words)}"
    if bare:
        return [words]
    if item.why:
        words += f" ({_prose(item.why)})"
    if item.source:
        words += f" {code(place(item.source))}"
    return [words, *(f"  - {_prose(below)}" for below in item.below)]


def _bare(items: Sequence[Item]) -> list[str]:
    lines = []
    by_symbol: dict[str, list[tuple[tuple[tuple[str, ...], tuple[str, ...]], str]]] = {}
    for item in items:
        if item.brief is None:
            lines.append(f"- {escape(flat(item.words), SHORTEST)}")
        else:
            place, name, roles = item.brief
            places = (place,) if isinstance(place, str) else place
            by_symbol.setdefault(item.symbol, []).append(((places, roles), name))
    return lines + [one for symbol, found in by_symbol.items() for one in by_place(SYMBOLS.get(symbol, ""), found)]


def _table(table: Table, most: int | None) -> list[str]:
    rows = table.rows if most is None else table.rows[:most]
    return [
        f"| {' | '.join(_cell((Name(title),) if not title else (title,)) for title in table.head)} |",
        f"|{'-|' * len(table.head)}",
        *(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows),
    ]


def _cell(words: Words) -> str:
    # In a cell a code span cannot hold every `|`, prose can.
    return _joined([code(w) if isinstance(w, Name) and "|" not in w else inline(w) for w in _runs(words)]).strip()


def _prose(words: Words) -> str:
    runs = list(_runs(words))
    pieces = [code(w) if isinstance(w, Name) else inline(w) for w in runs]
    if runs and not isinstance(runs[0], Name):
        pieces[0] = escape(runs[0])
    return _joined(pieces)


def _runs(words: Words) -> Iterator[str]:
    """Pieces of prose in one sentence, as one: what is harmless in each may not be in both."""
    for is_name, group in groupby(words, lambda w: isinstance(w, Name)):
        if is_name:
            yield from group
        else:
            yield "".join(group)


def _joined(pieces: Sequence[str]) -> str:
    """Pieces side by side; two code spans that touched would be another one."""
    found = ""
    for piece in pieces:
        found += f" {piece}" if found.endswith("`") and piece.startswith("`") else piece
    return found


def _details(section: Section) -> tuple[str, list[str]]:
    lines = [show_hidden(flat(section.about))] if section.about else []
    for item in section.items:
        where = f"  # {place(item.source)}" if item.source else ""
        symbol = FENCED.get(item.symbol, item.symbol) or " "
        lines.append(f"{symbol} {show_hidden(line(item) + where)}")
        lines += [f"      {show_hidden(flat(words))}" for words in item.below]
    if section.table is not None:
        lines += [show_hidden("  ".join(section.table.head))]
        lines += [show_hidden("  ".join(flat(cell) for cell in row)) for row in section.table.rows]
    number = len(section.items) + (len(section.table.rows) if section.table else 0)
    summary = f"<code>{_html(section.title)}</code>: {count(number, 'line')}"
    block = [f"<details><summary>{summary}</summary>", "", *fenced(lines), "", "</details>"]
    return code(section.title, SHORTEST), block
