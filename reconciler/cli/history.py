"""`reconciler history`: who had what when, by which commit."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from reconciler import clock
from reconciler.cli import DONE, made, names, options, output_files
from reconciler.model.errors import ManifestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from reconciler.access.timeline import Load
    from reconciler.history.past import Written
    from reconciler.model.desired import Desired
    from reconciler.model.history import Commit, Event, History, Rename

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
    head = made.now(paths)
    text = render(found, fmt, color=color, made=head)
    if fmt == "csv":
        made.show(head)  # a table has no place for it
    if out is not None:
        output_files.write_file(out, text)
    else:
        click.echo(text, nl=False, color=color)
    return DONE


def _history(paths: Sequence[Path], person: str | None, place: str | None) -> History:
    from reconciler.history import commits
    from reconciler.model.history import History

    read = commits.of_manifests(paths)
    today = clock.today()
    followed = _followed(paths, read, today, frozenset() if person is None else frozenset([person.lower()]))
    events: Sequence[Event] = followed.events
    if person is not None:
        events = _of_person(followed, person)
    if place is not None:
        events = _in(events, place, followed.renames, followed.places)
    return History(today, tuple(events), len(read), tuple(followed.renames), tuple(followed.notes))


class _Followed(NamedTuple):
    """What came of following a branch."""

    events: list[Event]
    renames: list[Rename]
    places: set[str]  # every org and workspace that there was
    notes: list[str]
    identities: set[tuple[str, str, str]]  # as `Timeline.identities`
    others: set[str]  # people whose changes were passed over


def _followed(paths: Sequence[Path], read: Sequence[Commit], today: date, names: frozenset[str]) -> _Followed:
    """Every change; with `names` those of these people, and whatever else they are called, and perhaps some of other people."""
    from reconciler.access.timeline import Step, Timeline
    from reconciler.history import commits
    from reconciler.history.past import open_past

    notes: list[str] = []
    timeline = Timeline(names)
    events: list[Event] = []
    others: set[str] = set()
    with open_past(paths) as past:
        for commit in read:
            passed = past.others_changed(commit, timeline.names) if names else None
            if passed is not None:
                found = past.skipped(commit)
                if timeline.skip(Step(commit, _loader(commit, found, notes), found.lock), passed):
                    others |= passed
                    continue
            try:
                found = past.read(commit)
            except (ManifestError, UsageError) as error:
                notes.append(commits.passed_over(commit, error))
                timeline.broken()
                continue
            events += timeline.commit(Step(commit, _loader(commit, found, notes), found.lock))
            if timeline.names & others:  # somebody turns out to be the same person, and was not looked at
                return _followed(paths, read, today, frozenset(timeline.names))
        events += timeline.until(today)
    return _Followed(events, timeline.renames, timeline.places, list(dict.fromkeys(notes)), timeline.identities, others)


def _loader(commit: Commit, found: Written, notes: list[str]) -> Load:
    """What reads the manifests of a commit as they count on a day; it notes why they cannot be used."""
    from reconciler import manifest
    from reconciler.history import commits

    def load(day: date) -> Desired | None:
        try:
            return manifest.load_texts(found.texts, today=day, pictures=found.pictures)
        except ManifestError as error:
            notes.append(commits.passed_over(commit, error))
            return None

    return load


def _of_person(followed: _Followed, person: str) -> list[Event]:
    """The events of one person, under whatever name and account they had. Raises UsageError, with near names."""
    from reconciler.model.near import did_you_mean

    names: dict[str, set[str]] = {}  # a name, handle or address -> what it stood for anywhere

    def join(*words: str) -> None:
        both = set(words).union(*(names.get(word, set()) for word in words))
        for word in both:
            names[word] = both

    for name, key, address in followed.identities:
        join(f"name {name}", f"key {key}", *((f"key {address}",) if address else ()))
    for event in followed.events:
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
        known = {word.partition(" ")[2] for word in names} | followed.others
        meant = did_you_mean(person, known)
        raise UsageError(f"{person} is nowhere in the manifests of this branch, by name, handle or address{meant}")
    return [event for event in followed.events if f"key {event.change.key.lower()}" in theirs]


def _in(events: Sequence[Event], place: str, renames: Sequence[Rename], places: set[str]) -> list[Event]:
    """The events in one place, under whatever name it had. Raises UsageError, with near names."""
    from reconciler.model.near import did_you_mean

    names = {place}
    for _ in renames:  # until nothing is new
        names |= {name for one in renames for name in (one.before, one.after) if {one.before, one.after} & names}
    if not names & places:
        raise UsageError(f"--in {place}: the manifests of this branch never had that{did_you_mean(place, places)}")
    inside = tuple(f"{name}/" for name in names)
    return [one for one in events if one.change.object in names or one.change.object.startswith(inside)]
