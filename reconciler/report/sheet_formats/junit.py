"""A sheet as JUnit XML: a test for each section, a failing one for each error and each item that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.report import text
from reconciler.report.junit import _Cases, _problem, add_properties, escape, policy_cases
from reconciler.report.sheet import flat, line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.report.sheet import Section, Sheet


def draw(sheet: Sheet) -> str:
    import xml.etree.ElementTree as ET

    cases = _Cases()
    cases.name = f"reconciler.{sheet.name}"
    for section in sheet.sections:
        cases.add("section", section.title, output=list(_lines(section)))
        for item in section.items:
            if item.fails:
                cases.add(
                    "item",
                    flat(item.words),
                    end="failure",
                    message=line(item),
                    sort=section.title,
                    body=[escape(line(item)), *(escape(flat(words)) for words in item.below)],
                    file=item.source.file if item.source else None,
                    line=item.source.line if item.source else None,
                )
    if sheet.verdict is not None:
        policy_cases(cases, sheet.verdict)
    for error in sheet.errors:
        _problem(cases, error)
    output = [escape(flat(sheet.facts))] if sheet.facts else []
    output += [escape(words) for words in sheet.summary]
    output += text.render_diagnostics(sheet.warnings).splitlines()
    output += [f"Note: {escape(flat(note))}" for note in sheet.notes]
    cases.add(sheet.name, "summary", output=output)
    root = ET.Element("testsuites", {"name": "reconciler", **cases.counts()})
    suite = ET.SubElement(root, "testsuite", {"name": cases.name, **cases.counts()})
    add_properties(suite, sheet.made)
    suite.extend(cases.elements)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _lines(section: Section) -> Iterator[str]:
    if section.about:
        yield escape(flat(section.about))
    for item in section.items:
        yield escape(f"{item.symbol} {line(item)}" if item.symbol else line(item))
        yield from (f"    {escape(flat(words))}" for words in item.below)
    if section.table is not None:
        yield escape("  ".join(section.table.head))
        yield from (escape("  ".join(flat(cell) for cell in row)) for row in section.table.rows)
