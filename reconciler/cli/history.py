"""`reconciler history`: who had what when, by which commit."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import clock
from reconciler.cli import DONE, made, names, options, output_files
from reconciler.model.errors import ManifestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from reconciler.access.timeline import Load
    from reconciler.model.desired import Desired
    from reconciler.model.history import Commit, Event, History
    from reconciler.model.live import Lock

FORMATS = ("text", "json", "csv", "markdown", "html")  # reconciler.report.history.FORMATS, without importing it


@click.command(short_help="Show who had what when, by which commit.")
@click.argument("person", required=False, shell_complete=names.people)
@click.option(
    "--in",
    "place",
    metavar="ORG[/WORKSPACE]",
    shell_complete=names.places,
    help="Only this organization, or this workspace.",
)
@click.option(
    "--path",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The manifests. Default: orgs.yaml, else orgs/. May be repeated.",
)
@options.report_options(FORMATS)
def command(
    person: str | None, place: str | None, paths: tuple[Path, ...], fmt: str, out: Path | None, no_color: bool
) -> int:
    """Show who gained and lost which access when, by which commit of the current branch, or by the end of an entry.

    Reads the manifests of each commit from git, along its first parents; nothing of them is run. PERSON is a name from any
    of them, a Pipes handle, or an address; new names and handles are followed. Needs neither network nor token.
    """
    from reconciler.report.history import render

    found = _history(paths, person, place)
    color = out is None and not no_color and not os.environ.get("NO_COLOR") and sys.stdout.isatty()
    text = render(found, fmt, color=color, made=made.now(paths))
    if out is not None:
        output_files.write_file(out, text)
    else:
        click.echo(text, nl=False, color=color)
    return DONE


def _history(paths: Sequence[Path], person: str | None, place: str | None) -> History:
    from reconciler.access.timeline import Timeline
    from reconciler.history import commits
    from reconciler.model.history import History

    reader = _Reader(paths)
    timeline = Timeline(reader.on_day)
    events: list[Event] = []
    read = commits.of_manifests(paths)
    for commit in read:
        texts, lock = reader.read(commit)
        if texts is not None:
            events += timeline.commit(commit, texts, lock)
    today = clock.today()
    events += timeline.until(today)
    if person is not None:
        events = _of_person(events, person)
    if place is not None:
        events = _in(events, place)
    return History(today, tuple(events), len(read), tuple(reader.notes))


class _Reader:
    """Reads the manifests of commits; one that cannot be read gets a note and is skipped."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.notes: list[str] = []
        self._commit: Commit | None = None

    def read(self, commit: Commit) -> tuple[Load | None, Lock]:
        from reconciler import manifest
        from reconciler.history import revision

        self._commit = commit
        try:
            texts = revision.texts(commit.id, self.paths, missing_ok=True)
            lock = revision.lock(commit.id, self.paths)
        except (ManifestError, UsageError) as error:
            self._passed_over(error)
            return None, {}
        pictures = revision.pictures(commit.id)

        def load(day: date) -> Desired:
            return manifest.load_texts(texts, today=day, pictures=pictures)

        return load, lock

    def on_day(self, load: Load, day: date) -> Desired | None:
        try:
            return load(day)
        except ManifestError as error:
            self._passed_over(error)
            return None

    def _passed_over(self, error: ManifestError | UsageError) -> None:
        assert self._commit is not None
        why = str(error)
        if isinstance(error, ManifestError):
            first = next((one for one in error.diagnostics if one.severity == "error"), error.diagnostics[0])
            why = f"{first.source}: {first.summary}" if first.source is not None else first.summary
        note = f"the manifests of {self._commit.id[:10]} ({self._commit.day}) are passed over: {why}"
        if note not in self.notes:
            self.notes.append(note)


def _of_person(events: Sequence[Event], person: str) -> list[Event]:
    """The events of one person, under whatever name and account they had. Raises UsageError, with near names."""
    from difflib import get_close_matches

    names: dict[str, set[str]] = {}  # a name, handle or address -> what it stood for anywhere

    def join(*words: str) -> None:
        both = set(words).union(*(names.get(word, set()) for word in words))
        for word in both:
            names[word] = both

    for event in events:
        for assignment in (event.change.before, event.change.after):
            if assignment is not None:
                join(f"name {assignment.person.lower()}", f"key {assignment.key.lower()}")
    found = [names[word] for word in (f"name {person.lower()}", f"key {person.lower()}") if word in names]
    theirs = found[0] if found else None
    if len(found) > 1 and found[0] is not found[1]:
        raise UsageError(
            f"{person} is the name of one person and the handle of another; say which one by the handle or address, or by the "
            "name of the other"
        )
    if theirs is None:
        near = get_close_matches(person.lower(), sorted({word.partition(" ")[2] for word in names}), n=3, cutoff=0.5)
        meant = f"; did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""
        raise UsageError(f"{person} is nowhere in the manifests of this branch, by name, handle or address{meant}")
    return [event for event in events if f"key {event.change.key.lower()}" in theirs]


def _in(events: Sequence[Event], place: str) -> list[Event]:
    """The events in one place. Raises UsageError, with near names."""
    from difflib import get_close_matches

    there = {event.change.object for event in events}
    known = there | {where.partition("/")[0] for where in there}
    if place not in known and events:
        near = get_close_matches(place, sorted(known), n=3, cutoff=0.5)
        meant = f"; did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""
        raise UsageError(f"--in {place}: nobody's access there ever changed in the manifests of this branch{meant}")
    return [event for event in events if event.change.object == place or event.change.object.startswith(f"{place}/")]
