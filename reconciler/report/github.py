"""GitHub Actions: workflow commands that annotate the manifests, the job summary, and step outputs.

Source: "Workflow commands for GitHub Actions" (docs.github.com) and the runner's ActionCommand.cs for the escapes.
GitHub shows ten annotations of each level for a step, so the most important come first.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from typing import TYPE_CHECKING

from reconciler.model.expiring import until
from reconciler.model.result import Result
from reconciler.plan.risk import of_plan
from reconciler.report import Validation, heading, markdown, wording
from reconciler.report.escaping import show_hidden
from reconciler.report.repeated_mistakes import grouped, others

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.model.diagnostic import Diagnostic, Source
    from reconciler.model.made import Made
    from reconciler.model.plan import Change, Plan

SUMMARY_LIMIT = 1_000_000  # bytes; GitHub takes 1 MiB a step
SHOWN = 10  # annotations of a level that GitHub shows for a step
COMMAND_LEVEL = re.compile(r"::(\w+)")
FIRST = ("delete", "rename", "update", "create")
LEVELS = {"error": "error", "warning": "warning"}


def escape(raw: str) -> str:
    """`raw` as the message of a command: on one line, percent signs as `%25`."""
    # `show_hidden` has replaced line breaks by \n, so no %0A is needed.
    return show_hidden(raw).replace("%", "%25")


def escape_property(raw: str) -> str:
    """`raw` as the value of a property, which a colon or a comma would end."""
    return escape(raw).replace(":", "%3A").replace(",", "%2C")


def render(subject: Plan | Result | Validation, made: Made | None = None) -> str:
    """One command on each line: refusals and errors, warnings, the summary, then each change that has a manifest line."""
    if isinstance(subject, Validation):
        lines = list(_validation(subject))
    elif isinstance(subject, Result):
        lines = list(_result(subject))
    else:
        lines = list(_plan(subject))
    if made is not None:  # next to the summary, which is the first notice
        at = next((n for n, line in enumerate(lines) if line.startswith("::notice ")), len(lines))
        lines.insert(at + 1, _command("notice", "reconciler", heading.line(made), None))
    return "".join(line + "\n" for line in capped(lines))


def capped(commands: Iterable[str]) -> list[str]:
    """Commands in their order, of each level at most as many as GitHub shows; the last one counts those that are left out."""
    found = list(commands)
    by_level = Counter(COMMAND_LEVEL.match(command)[1] for command in found)  # type: ignore[index]  # every one has a level
    kept: list[str] = []
    seen: Counter[str] = Counter()
    for command in found:
        level = COMMAND_LEVEL.match(command)[1]  # type: ignore[index]
        seen[level] += 1
        if by_level[level] <= SHOWN or seen[level] < SHOWN:
            kept.append(command)
        elif seen[level] == SHOWN:
            more = wording.count(by_level[level] - SHOWN + 1, f"more {level}")
            kept.append(_command(level, "reconciler", f"{more}: see the job summary", None))
    return kept


def from_root(commands: str, folder: str) -> str:
    """Rendered commands whose files are named from the repository's root, where GitHub looks for them.

    `folder` is where the command ran, such as `access`; empty for the root itself.
    """
    if not folder:
        return commands
    place = escape_property(folder)

    def named(match: re.Match[str]) -> str:
        return match[1] + posixpath.normpath(f"{place}/{match[2]}")

    return re.sub(r"^(::(?:error|warning|notice) file=)(?!/)([^,:\n]+)", named, commands, flags=re.MULTILINE)


def summary(subject: Plan | Result | Validation, made: Made | None = None) -> str:
    """Markdown to append to the file named by `$GITHUB_STEP_SUMMARY`."""
    return within_summary(lambda limit: markdown.render(subject, limit=limit, made=made))


def within_summary(render: Callable[[int], str]) -> str:
    """The longest report that fits a job summary, whose limit is in bytes. `render` takes a limit in characters."""
    limit = SUMMARY_LIMIT
    while True:
        found = render(limit)
        size = len(found.encode())
        if size <= SUMMARY_LIMIT:
            return found
        # most reports are ASCII, so this rarely takes more than one more try; a character has at most four bytes
        limit = max(min(limit - 1, len(found) * SUMMARY_LIMIT // size), SUMMARY_LIMIT // 4)


def outputs(subject: Plan | Result | Validation) -> dict[str, str]:
    """The outputs of the step by name, each on one line; append them as `name=value` to the file in `$GITHUB_OUTPUT`.

    Every subject has `summary`, `errors` and `warnings`. A plan and a result also have `changes` (the number), a count
    for each action (`create`, `update`, `rename`, `delete`), `refusals`, `codes` (of the refusals, comma-separated) and
    `confirm_delete` (handles, comma-separated). A result also has a count for each status (`done`, `already`, `failed`,
    `skipped`). A validation also has `files` and `orgs`.
    """
    if isinstance(subject, Validation):
        return {
            "summary": show_hidden(wording.validation_summary(subject)),
            "errors": str(len(subject.errors)),
            "warnings": str(len(subject.warnings)),
            "files": str(subject.files),
            "orgs": str(subject.orgs),
        }
    if isinstance(subject, Result):
        return {
            **outputs(subject.plan),
            "summary": show_hidden(wording.result_summary(subject)),
            **{status: str(number) for status, number in subject.counts.items()},
        }
    return {
        "summary": show_hidden(" ".join(wording.summary(subject))),
        "risk": of_plan(subject),
        "changes": str(len(subject.changes)),
        **{action: str(number) for action, number in subject.counts.items()},
        "refusals": str(len(subject.refusals)),
        "codes": show_hidden(",".join(dict.fromkeys(refusal.code for refusal in subject.refusals))),
        "errors": str(len(subject.errors)),
        "warnings": str(len(subject.warnings)),
        "confirm_delete": show_hidden(",".join(subject.confirm_delete)),
    }


def _command(level: str, title: str, message: str, source: Source | None, length: int | None = None) -> str:
    properties = []
    if source is not None:
        properties += [f"file={escape_property(source.file)}", f"line={source.line}", f"col={source.column}"]
        if length:
            properties.append(f"endColumn={source.column + length}")
    properties.append(f"title={escape_property(title)}")
    return f"::{level} {','.join(properties)}::{escape(message)}"


def _plan(plan: Plan) -> Iterator[str]:
    for refusal in plan.refusals:
        option = wording.allow_option(refusal)
        to_fix = f"To fix: {wording.sentence(refusal.fix)}" + (f" To allow it once: {option}" if option else "")
        yield _command(
            "error",
            f"Refused: {refusal.code}",
            f"{refusal.address}: {wording.sentence(refusal.fact)} {to_fix}",
            refusal.source,
        )
    yield from (_diagnostic(*error) for error in grouped(plan.errors))
    for handle in plan.confirm_delete:
        yield _command("warning", "An organization is deleted", wording.confirmation(handle), None)
    for refusal in plan.lifted:
        yield _command(
            "warning", f"Allowed by --allow: {refusal.code}", f"{refusal.address}: {refusal.fact}", refusal.source
        )
    yield from (_diagnostic(warning) for warning in plan.warnings)
    yield _command("notice", "reconciler", " ".join(wording.summary(plan)), None)
    for note in plan.notes:
        yield _command("notice", "reconciler", note, None)
    placed = [change for change in plan.changes if change.source is not None]
    yield from (_change(change) for change in sorted(placed, key=lambda change: FIRST.index(change.action)))


def _change(change: Change) -> str:
    attributes = ", ".join(str(attribute) for attribute in wording.attributes(change))
    reason = wording.REASONS.get(change.reason or "", change.reason)
    parts = [
        f"{wording.SYMBOLS[change.action]} {wording.title(change)}",
        attributes,
        reason,
        change.via and f"via {change.via}",
        until(change.expires, change.then),
    ]
    return _command(
        "notice", f"{change.action} {change.address}", "; ".join(part for part in parts if part), change.source
    )


def _result(result: Result) -> Iterator[str]:
    sources = {change.address: change.source for change in result.plan.changes}
    for status, level in (("failed", "error"), ("unconfirmed", "error"), ("skipped", "warning")):
        for outcome in result.outcomes:
            if outcome.status == status:
                title = f"{status}: {outcome.action} {outcome.address}"
                yield _command(level, title, wording.outcome(outcome) or status, sources.get(outcome.address))
    yield _command("notice", "reconciler", wording.result_summary(result), None)
    for note in result.notes:
        yield _command("notice", "reconciler", note, None)
    yield from (_change(change) for change in result.plan.changes if change.expires)


def _validation(validation: Validation) -> Iterator[str]:
    yield from (_diagnostic(*error) for error in grouped(validation.errors))
    yield from (_diagnostic(warning) for warning in validation.warnings)
    yield from (_command("notice", "reconciler", note, None) for note in validation.notes)
    yield _command("notice", "reconciler", wording.validation_summary(validation), None)


def _diagnostic(found: Diagnostic, more: tuple[Diagnostic, ...] = ()) -> str:
    message = found.summary + (f" ({found.hint})" if found.hint else "")
    message += "".join(f" {line}" for line in found.below)
    if found.also:
        message += f"; {found.also_is}: {found.also}"
    if more:
        message += f"; {others(found, more)}"
    level = LEVELS.get(found.severity, "notice")
    return _command(level, found.severity, message, found.source, found.length)
