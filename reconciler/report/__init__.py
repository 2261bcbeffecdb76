"""Reports in every format. No I/O.

In: a plan, a result, a review or another subject. Out: its text in the format asked for (`render`).
Open `wording.py` first: the sentences that all formats share. A format is a module with its own escape function.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from reconciler.model.diagnostic import Diagnostic

FORMATS = ("text", "json", "markdown", "html", "github", "junit")

# A subject that becomes a sheet, by its class, and the module beside this one with its `to_sheet(subject)` and its
# `document(subject)`, the JSON.
SHEETS: dict[str, str] = {"Review": "review", "Drift": "drift", "Since": "plan_since"}


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


Subject = Any  # a Plan, a Result, a Validation, or what SHEETS lists


def render(subject: Subject, format: str, *, color: bool = False, verbose: bool = False) -> str:  # noqa: A002
    """`subject` in one of FORMATS, ending in a newline. Colours, and more of the detail, are for text only.

    Raises UsageError for an unknown format, and for html where Jinja2 is not installed.
    """
    if format not in FORMATS:
        raise UsageError(f"unknown format `{format}`; there are {', '.join(FORMATS)}")
    module = _sheets_of(subject)
    if module is not None:
        return _drawn(module, subject, format, color=color, verbose=verbose)
    if format == "text":
        from reconciler.report import text

        return text.render(subject, color=color, verbose=verbose)
    if format == "json":
        from reconciler.report import json_document

        return json_document.render(subject)
    if format == "markdown":
        from reconciler.report import markdown

        return markdown.render(subject)
    if format == "html":
        from reconciler.report import html_page

        return html_page.render(subject)
    if format == "github":
        from reconciler.report import github

        return github.render(subject)
    from reconciler.report import junit

    return junit.render(subject)


def summary(subject: Subject) -> str:
    """Markdown for the file that `$GITHUB_STEP_SUMMARY` names; to be appended."""
    module = _sheets_of(subject)
    if module is None:
        from reconciler.report import github

        return github.summary(subject)
    from reconciler.report.sheet_formats import github as drawing

    return drawing.summary(module.to_sheet(subject))


def outputs(subject: Subject) -> dict[str, str]:
    """A step's outputs by name, each on one line, for the file that `$GITHUB_OUTPUT` names."""
    module = _sheets_of(subject)
    if module is None:
        from reconciler.report import github

        return github.outputs(subject)
    from reconciler.report.sheet_formats import github as drawing

    return drawing.outputs(module.to_sheet(subject))


def _sheets_of(subject: Subject) -> ModuleType | None:
    name = SHEETS.get(type(subject).__name__)
    return None if name is None else importlib.import_module(f"reconciler.report.{name}")


def _drawn(module: ModuleType, subject: Subject, format: str, *, color: bool, verbose: bool) -> str:  # noqa: A002
    if format == "json":
        from reconciler.plan.document import write

        return write(module.document(subject))
    from reconciler.report.sheet_formats import draw

    return draw(module.to_sheet(subject), format, color=color, verbose=verbose)


def render_diagnostics(diagnostics: Sequence[Diagnostic], color: bool = False) -> str:
    """`file:line:column: error: …` with the line and a caret for each of `diagnostics`; empty for none."""
    from reconciler.report import text

    return text.render_diagnostics(diagnostics, color=color)
