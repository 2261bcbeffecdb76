"""A sheet for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.report.sheet import FOLDED, flat, line
from reconciler.report.text import CODES, WIDEST, escape, render_diagnostics
from reconciler.report.wording import place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.report.sheet import Item, Section, Sheet, Table

    Paint = Callable[[str, str], str]

BY_SYMBOL = {"+": "green", "-": "red", "~": "yellow", ">": "cyan", "!": "alarm"}
BY_TONE = {"alarm": "alarm", "care": "yellow"}


def draw(sheet: Sheet, *, color: bool, verbose: bool) -> str:
    """The sheet as lines; what is folded in other formats is here with `verbose` only, and said to be left out."""

    def paint(style: str, raw: str) -> str:
        return f"\x1b[{CODES[style]}m{raw}\x1b[0m" if color and raw else raw

    return "\n".join(_sheet(sheet, paint, color=color, verbose=verbose)) + "\n"


def _sheet(sheet: Sheet, paint: Paint, *, color: bool, verbose: bool) -> Iterator[str]:
    if sheet.facts:
        yield escape(flat(sheet.facts))
        yield ""
    for section in sheet.sections:
        if section.weight != FOLDED or verbose:
            yield from _section(section, paint)
    folded = [section.title for section in sheet.sections if section.weight == FOLDED]
    if folded and not verbose:
        yield paint("dim", f"Left out here: {escape(', '.join(_few(folded)))}; -v shows it.")
        yield ""
    if sheet.problems:
        yield from render_diagnostics(sheet.problems, color=color).splitlines()
        yield ""
    for note in sheet.notes:
        yield f"Note: {escape(flat(note))}"
    if sheet.notes:
        yield ""
    for words in sheet.summary:
        yield paint("alarm" if sheet.bad else "bold", escape(words))


def _few(titles: list[str]) -> list[str]:
    return titles if len(titles) <= 3 else [*titles[:3], f"{len(titles) - 3} more"]


def _section(section: Section, paint: Paint) -> Iterator[str]:
    yield paint(BY_TONE.get(section.tone, "bold"), f"{escape(section.title)}:")
    if section.about:
        yield f"  {escape(flat(section.about))}"
    for item in section.items:
        yield from _item(item, paint)
    if section.table is not None:
        yield from _table(section.table, paint)
    yield ""


def _item(item: Item, paint: Paint) -> Iterator[str]:
    symbol = paint(BY_SYMBOL.get(item.symbol, "dim"), item.symbol) + " " if item.symbol else ""
    where = f"  {paint('dim', '# ' + escape(place(item.source)))}" if item.source else ""
    yield f"  {symbol}{escape(line(item))}{where}"
    yield from (f"      {escape(flat(words))}" for words in item.below)


def _table(table: Table, paint: Paint) -> Iterator[str]:
    head = [escape(title) for title in table.head]
    rows = [[escape(flat(cell)) for cell in row] for row in table.rows]
    wide = [min(WIDEST, max(map(len, column))) for column in zip(head, *rows, strict=True)]
    yield f"  {paint('dim', '  '.join(f'{cell:{width}}' for cell, width in zip(head, wide, strict=True)).rstrip())}"
    for row in rows:
        yield f"  {'  '.join(f'{cell:{width}}' for cell, width in zip(row, wide, strict=True))}".rstrip()
