"""A sheet as GitHub's workflow commands, job summary and step outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.report.escaping import show_hidden
from reconciler.report.github import _command, _diagnostic, capped, within_summary
from reconciler.report.sheet import flat, line
from reconciler.report.sheet_formats import markdown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.report.sheet import Sheet

LEVELS = ("error", "warning", "notice")


def draw(sheet: Sheet) -> str:
    """One command on each line: errors, warnings, the summary, then each item with a level, the most serious first."""
    return "".join(f"{command}\n" for command in capped(_commands(sheet)))


def _commands(sheet: Sheet) -> Iterator[str]:
    yield from (_diagnostic(found) for found in sheet.errors)
    annotated = [(section, item) for section in sheet.sections for item in section.items if item.level]
    for level in LEVELS:
        if level == "warning":
            yield from (_diagnostic(found) for found in sheet.warnings)
        if level == "notice":
            yield _command("notice", f"reconciler {sheet.name}", " ".join(sheet.summary), None)
            if sheet.made is not None:
                yield _command("notice", f"reconciler {sheet.name}", flat(sheet.facts), None)
        for section, item in annotated:
            if item.level == level:
                message = "; ".join([line(item), *(flat(words) for words in item.below)])
                yield _command(level, section.title, message, item.source)


def summary(sheet: Sheet) -> str:
    """Markdown to append to the file named by `$GITHUB_STEP_SUMMARY`."""
    return within_summary(lambda limit: markdown.draw(sheet, limit=limit))


def outputs(sheet: Sheet) -> dict[str, str]:
    """The outputs of the step by name, each on one line, for the file named by `$GITHUB_OUTPUT`."""
    return {
        "summary": show_hidden(" ".join(sheet.summary)),
        "errors": str(len(sheet.errors)),
        "warnings": str(len(sheet.warnings)),
        **{name: show_hidden(value) for name, value in sheet.outputs.items()},
    }
