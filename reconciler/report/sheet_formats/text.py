"""A sheet for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.report.compact import wrapped
from reconciler.report.sheet import FOLDED, MANIFEST_CHANGES, flat, letter, line
from reconciler.report.text import CODES, WIDEST, escape, render_diagnostics, with_summary_first
from reconciler.report.wording import place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.report.sheet import Cell, Item, Matrix, Section, Sheet, Table

    Paint = Callable[[str, str], str]

BY_SYMBOL = {"+": "green", "-": "red", "~": "yellow", ">": "cyan", "!": "alarm"}
WIDE = 90  # characters that the names of the places may take
LEGEND = "O owner, M member, P operator, R reader; a small letter: invited, not accepted yet"
BY_TONE = {"alarm": "alarm", "care": "yellow"}


def draw(sheet: Sheet, *, color: bool, verbose: bool) -> str:
    """The sheet as lines. Folded sections are shown only with `verbose`; otherwise a line says that they are hidden."""

    def paint(style: str, raw: str) -> str:
        return f"\x1b[{CODES[style]}m{raw}\x1b[0m" if color and raw else raw

    lines = list(_sheet(sheet, paint, color=color, verbose=verbose))
    return "\n".join(with_summary_first(lines, len(sheet.summary))) + "\n"


def _sheet(sheet: Sheet, paint: Paint, *, color: bool, verbose: bool) -> Iterator[str]:
    if sheet.facts:
        yield escape(flat(sheet.facts))
        yield ""
    for section in sheet.sections:
        if section.weight != FOLDED or verbose:
            yield from _section(section, paint)
    folded = [section.title for section in sheet.sections if section.weight == FOLDED]
    if folded and not verbose:
        yield paint("dim", f"{escape(_joined(folded))} are hidden; use -v to show them.")
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


def _joined(titles: list[str]) -> str:
    """`Steps and manifest changes for org.acme, org.beta and 2 more`; all titles of folded sections are in the plural."""
    orgs = [title.removeprefix(MANIFEST_CHANGES) for title in titles if title.startswith(MANIFEST_CHANGES)]
    parts = [title for title in titles if not title.startswith(MANIFEST_CHANGES)]
    if orgs:
        parts.append(MANIFEST_CHANGES + _listed(orgs))
    found = _listed([part if at == 0 else part[:1].lower() + part[1:] for at, part in enumerate(parts)])
    return found[:1].upper() + found[1:]


def _listed(names: list[str]) -> str:
    shown = names if len(names) <= 3 else [*names[:3], f"{len(names) - 3} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _section(section: Section, paint: Paint) -> Iterator[str]:
    yield paint(BY_TONE.get(section.tone, "bold"), f"{escape(section.title)}:")
    if section.about:
        yield f"  {escape(flat(section.about))}"
    for item in section.items:
        yield from _item(item, paint)
    if section.matrix is not None:
        yield from _matrix(section.matrix, paint)
    if section.table is not None:
        yield from _table(section.table, paint)
    yield ""


def _item(item: Item, paint: Paint) -> Iterator[str]:
    symbol = paint(BY_SYMBOL.get(item.symbol, "dim"), item.symbol) + " " if item.symbol else ""
    where = f"  {paint('dim', '# ' + escape(place(item.source)))}" if item.source else ""
    yield f"  {symbol}{escape(line(item))}{where}"
    yield from (f"      {escape(flat(words))}" for words in item.below)


def _matrix(matrix: Matrix, paint: Paint) -> Iterator[str]:
    """A letter for each role. Places are columns by name, or by number where the names are too wide."""
    places = [escape(place) for place in matrix.places]
    numbered = sum(len(place) + 1 for place in places) > WIDE
    heads = [str(number) for number in range(1, len(places) + 1)] if numbered else places
    who = [escape(name) for name, _ in matrix.rows]
    first = min(WIDEST, max(map(len, who), default=0))
    if numbered:
        yield from wrapped((f"{number} {place}" for number, place in enumerate(places, 1)), "  ")
    yield f"  {paint('dim', (' ' * first + ' ' + ' '.join(heads)).rstrip())}"
    for name, (_, cells) in zip(who, matrix.rows, strict=True):
        row = " ".join(f"{_letter(cell):{len(head)}}" for head, cell in zip(heads, cells, strict=True))
        yield f"  {name:{first}} {row}".rstrip()
    yield f"  {paint('dim', LEGEND)}"


def _letter(cell: Cell | None) -> str:
    if cell is None:
        return "."
    return letter(cell.role).lower() if cell.pending else letter(cell.role)


def _table(table: Table, paint: Paint) -> Iterator[str]:
    head = [escape(title) for title in table.head]
    rows = [[escape(flat(cell)) for cell in row] for row in table.rows]
    wide = [min(WIDEST, max(map(len, column))) for column in zip(head, *rows, strict=True)]
    yield f"  {paint('dim', '  '.join(f'{cell:{width}}' for cell, width in zip(head, wide, strict=True)).rstrip())}"
    for row in rows:
        yield f"  {'  '.join(f'{cell:{width}}' for cell, width in zip(row, wide, strict=True))}".rstrip()
