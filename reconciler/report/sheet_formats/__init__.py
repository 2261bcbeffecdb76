"""Sheets as text, Markdown, HTML, workflow commands and JUnit: one module for each format, with its own escapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.report.sheet import Sheet


def draw(sheet: Sheet, format: str, *, color: bool = False, verbose: bool = False) -> str:  # noqa: A002
    """`sheet` in one of text, markdown, html, github, junit, ending in a newline. KeyError for another format.

    In text, `verbose` shows the sections that are folded in other formats.
    """
    if format == "text":
        from reconciler.report.sheet_formats import text

        return text.draw(sheet, color=color, verbose=verbose)
    if format == "markdown":
        from reconciler.report.sheet_formats import markdown

        return markdown.draw(sheet)
    if format == "html":
        from reconciler.report.sheet_formats import html_page

        return html_page.draw(sheet)
    if format == "github":
        from reconciler.report.sheet_formats import github

        return github.draw(sheet)
    if format == "junit":
        from reconciler.report.sheet_formats import junit

        return junit.draw(sheet)
    raise KeyError(format)
