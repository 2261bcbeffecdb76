"""Who had what when, as a sheet, as JSON and as CSV."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from reconciler.report import headed, wording
from reconciler.report.access import Lines, escape
from reconciler.report.sheet import KEPT, Name, Section, Sheet, Table, Words

if TYPE_CHECKING:
    from reconciler.model.history import Event, History, Rename
    from reconciler.model.made import Made

FORMATS = ("text", "json", "csv", "markdown", "html")
FORMAT_VERSION = "1.0"
COLUMNS = ("day", "person", "handle", "object", "before", "after", "why", "ended", "commit", "author", "subject")
SHORT = 10  # characters of a commit's id for people


def render(history: History, format: str, *, color: bool = False, made: Made | None = None) -> str:  # noqa: A002
    """`history` in one of FORMATS. Raises UsageError when html needs Jinja2 and it is not installed."""
    if format == "json":
        from reconciler.plan.document import made_document, write

        return write({**document(history), **({} if made is None else {"made": made_document(made)})})
    if format == "csv":
        return table(history)
    from reconciler.report.sheet_formats import draw

    return draw(headed(to_sheet(history), made), format, color=color, verbose=False)


def to_sheet(history: History) -> Sheet:
    """The report for people: a line for each change, the oldest first."""
    rows = tuple(
        (
            (Name(event.day.isoformat()),), (Name(event.change.person),), (Name(event.change.object),),
            (_roles(event),), (event.change.why,),
            (*(("its own end, written in ",) if event.ended else ()), Name(event.commit.id[:SHORT])),
            (event.commit.author,), (event.commit.subject,),
        )
        for event in history.events
    )  # fmt: skip
    head = ("Day", "Who", "What", "Role", "Why", "By", "Author", "Subject")
    sections = (Section("Who gained and lost what", table=Table(head, rows), weight=KEPT),) if rows else ()
    commits = wording.count(history.commits, "commit")
    return Sheet(
        "history",
        "History of access",
        (f"{wording.count(len(history.events), 'change')} in {commits}.",),
        sections,
        ("From the manifests of this branch", f", as written until {history.day.isoformat()}"),
        notes=(*(_renamed(one) for one in history.renames), *((note,) for note in history.notes)),
    )


def _renamed(rename: Rename) -> Words:
    return (
        Name(rename.before), " is called ", Name(rename.after),
        f" since {rename.day.isoformat()}, by {rename.commit.id[:SHORT]}",
    )  # fmt: skip


def _roles(event: Event) -> str:
    return f"{event.change.had or 'none'} -> {event.change.has or 'none'}"


def document(history: History) -> dict[str, Any]:
    """The JSON: one entry in `events` for each change. Keys are only ever added to it."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "history",
        "day": history.day.isoformat(),
        "commits": history.commits,
        "events": [dict(zip(COLUMNS, _row(event), strict=True)) for event in history.events],
        "renames": [
            {"day": one.day.isoformat(), "before": one.before, "after": one.after, "commit": one.commit.id}
            for one in history.renames
        ],
        "notes": list(history.notes),
    }


def _row(event: Event) -> tuple[Any, ...]:
    change, commit = event.change, event.commit
    side = change.after or change.before
    return (
        event.day.isoformat(), side.person if side is not None else change.person, change.key, change.object, change.had, change.has, change.why, event.ended,
        commit.id, commit.author, commit.subject,
    )  # fmt: skip


def table(history: History) -> str:
    """CSV as in RFC 4180, with a header and Unix newlines."""
    lines = Lines()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(COLUMNS)
    for event in history.events:
        cells = ("" if cell is None else str(cell).lower() if isinstance(cell, bool) else cell for cell in _row(event))
        writer.writerow([escape(cell) for cell in cells])
    return "".join(lines)
