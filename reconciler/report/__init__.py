"""Turns what a command found (a plan, a result, a validation, a review, drift, access) into a report.

In: one of these values. Out: text, JSON, Markdown, HTML, GitHub's workflow commands or JUnit XML. Pure: no I/O.
Open `wording.py` first for what reports say, and `sheet.py` for reports that share one layout.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.made import Made
    from reconciler.model.policy import Verdict
    from reconciler.report.sheet import Sheet

FORMATS = ("text", "json", "markdown", "html", "github", "junit")

# The class of each subject that becomes a sheet, and the module here that has its `to_sheet(subject)` and its
# `document(subject)` (the JSON).
SHEETS: dict[str, str] = {"Consents": "approvals", "Review": "review", "Drift": "drift", "Since": "plan_since"}


class Validation(msgspec.Struct, frozen=True):
    """What `validate` found. `files` and `orgs` count the manifests and the organizations in them."""

    diagnostics: tuple[Diagnostic, ...]
    files: int
    orgs: int
    verdict: Verdict | None = None  # what the policies say; their violations are among `diagnostics` too

    @property
    def notes(self) -> tuple[str, ...]:
        return self.verdict.notes if self.verdict is not None else ()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(found for found in self.diagnostics if found.severity == "error")

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        return tuple(found for found in self.diagnostics if found.severity != "error")


Subject = Any  # a Plan, a Result, a Validation, or a class in SHEETS


def render(
    subject: Subject,
    format: str,  # noqa: A002
    *,
    color: bool = False,
    verbose: bool = False,
    made: Made | None = None,
) -> str:
    """`subject` in one of FORMATS, ending in a newline. `color` and `verbose` have an effect on text only.

    `made` says where the report comes from; with None, the report does not say.

    Raises UsageError for an unknown format, and for html when Jinja2 is not installed.
    """
    if format not in FORMATS:
        raise UsageError(f"unknown format `{format}`; the formats are {', '.join(FORMATS)}")
    module = _sheets_of(subject)
    if module is not None:
        return _drawn(module, subject, format, color=color, verbose=verbose, made=made)
    if format == "text":
        from reconciler.report import text

        return text.render(subject, color=color, verbose=verbose, made=made)
    if format == "json":
        from reconciler.report import json_document

        return json_document.render(subject, made)
    if format == "markdown":
        from reconciler.report import markdown

        return markdown.render(subject, made=made)
    if format == "html":
        from reconciler.report import html_page

        return html_page.render(subject, made)
    if format == "github":
        from reconciler.report import github

        return github.render(subject, made)
    from reconciler.report import junit

    return junit.render(subject, made)


def summary(subject: Subject, made: Made | None = None) -> str:
    """Markdown to append to the file named by `$GITHUB_STEP_SUMMARY`."""
    module = _sheets_of(subject)
    if module is None:
        from reconciler.report import github

        return github.summary(subject, made)
    from reconciler.report.sheet_formats import github as sheet_github

    return sheet_github.summary(headed(module.to_sheet(subject), made))


def outputs(subject: Subject) -> dict[str, str]:
    """The outputs of the step by name, each on one line, for the file named by `$GITHUB_OUTPUT`."""
    module = _sheets_of(subject)
    if module is None:
        from reconciler.report import github

        return github.outputs(subject)
    from reconciler.report.sheet_formats import github as sheet_github

    return sheet_github.outputs(module.to_sheet(subject))


def _sheets_of(subject: Subject) -> ModuleType | None:
    name = SHEETS.get(type(subject).__name__)
    return None if name is None else importlib.import_module(f"reconciler.report.{name}")


def headed(sheet: Sheet, made: Made | None) -> Sheet:
    """The sheet, whose facts also say where it comes from."""
    if made is None:
        return sheet
    from msgspec.structs import replace

    from reconciler.report import heading

    return replace(sheet, facts=(*sheet.facts, *("; ",)[: len(sheet.facts)], heading.line(made)), made=made)


def _drawn(
    module: ModuleType,
    subject: Subject,
    format: str,  # noqa: A002
    *,
    color: bool,
    verbose: bool,
    made: Made | None,
) -> str:
    if format == "json":
        from reconciler.plan.document import made_document, write

        return write({**module.document(subject), **({} if made is None else {"made": made_document(made)})})
    from reconciler.report.sheet_formats import draw

    return draw(headed(module.to_sheet(subject), made), format, color=color, verbose=verbose)


def render_diagnostics(diagnostics: Sequence[Diagnostic], color: bool = False) -> str:
    """`file:line:column: error: …` with the line and a caret for each of `diagnostics`; empty when there are none."""
    from reconciler.report import text

    return text.render_diagnostics(diagnostics, color=color)
