"""A sheet as workflow commands, and as what a job's summary and outputs say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.report.escaping import visible
from reconciler.report.github import SUMMARY_LIMIT, _command, _diagnostic
from reconciler.report.sheet import flat, line
from reconciler.report.sheet_formats import markdown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.report.sheet import Sheet

LEVELS = ("error", "warning", "notice")


def draw(sheet: Sheet) -> str:
    """Commands, one a line: errors, warnings, the summary, then every item that has a level, the gravest first."""
    return "".join(f"{command}\n" for command in _commands(sheet))


def _commands(sheet: Sheet) -> Iterator[str]:
    yield from (_diagnostic(found) for found in sheet.errors)
    annotated = [(section, item) for section in sheet.sections for item in section.items if item.level]
    for level in LEVELS:
        if level == "warning":
            yield from (_diagnostic(found) for found in sheet.warnings)
        if level == "notice":
            yield _command("notice", f"reconciler {sheet.name}", " ".join(sheet.summary), None)
        for section, item in annotated:
            if item.level == level:
                message = "; ".join([line(item), *(flat(words) for words in item.below)])
                yield _command(level, section.title, message, item.source)


def summary(sheet: Sheet) -> str:
    """Markdown for the file that `$GITHUB_STEP_SUMMARY` names; to be appended."""
    return markdown.draw(sheet, limit=SUMMARY_LIMIT // 4)  # a character is at most four bytes


def outputs(sheet: Sheet) -> dict[str, str]:
    """A step's outputs by name, each on one line, for the file that `$GITHUB_OUTPUT` names."""
    return {
        "summary": visible(" ".join(sheet.summary)),
        "errors": str(len(sheet.errors)),
        "warnings": str(len(sheet.warnings)),
        **{name: visible(value) for name, value in sheet.outputs.items()},
    }
