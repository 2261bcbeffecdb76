"""Reports: a plan, a result or a validation as text, JSON, Markdown, HTML, workflow commands or JUnit. No I/O.

A format is a module with `render(subject, ...)` and an escape function of its own; what they all say is in `words`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.plan import Plan
    from reconciler.model.result import Result

FORMATS = ("text", "json", "markdown", "html", "github", "junit")


@dataclass(frozen=True, slots=True)
class Validation:
    """What `validate` found in `files` manifests with `orgs` organizations."""

    diagnostics: tuple[Diagnostic, ...]
    files: int
    orgs: int

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(found for found in self.diagnostics if found.severity == "error")

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        return tuple(found for found in self.diagnostics if found.severity != "error")


def render(subject: Plan | Result | Validation, format: str, *, color: bool = False, verbose: bool = False) -> str:  # noqa: A002
    """`subject` in one of FORMATS, ending in a newline. Colours, and more of the detail, are for text only.

    Raises UsageError for an unknown format, and for html where Jinja2 is not installed.
    """
    if format == "text":
        from reconciler.report import text

        return text.render(subject, color=color, verbose=verbose)
    if format == "json":
        from reconciler.report import data

        return data.render(subject)
    if format == "markdown":
        from reconciler.report import markdown

        return markdown.render(subject)
    if format == "html":
        from reconciler.report import page

        return page.render(subject)
    if format == "github":
        from reconciler.report import github

        return github.render(subject)
    if format == "junit":
        from reconciler.report import junit

        return junit.render(subject)
    raise UsageError(f"unknown format `{format}`; there are {', '.join(FORMATS)}")


def render_diagnostics(diagnostics: Sequence[Diagnostic], color: bool = False) -> str:
    """`file:line:column: error: …` with the line and a caret for each of `diagnostics`; empty for none."""
    from reconciler.report import text

    return text.render_diagnostics(diagnostics, color=color)
