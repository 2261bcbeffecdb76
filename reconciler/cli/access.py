"""`reconciler access`: shows who has access to what, and why."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import clock
from reconciler.cli import made, manifests, names, options, output_files
from reconciler.model.errors import ManifestError, PipesError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date, datetime

    from reconciler.cli.progress import Progress
    from reconciler.model.access import Access
    from reconciler.model.desired import Desired
    from reconciler.model.history import Commit
    from reconciler.model.live import Lock, Snapshot
    from reconciler.model.made import Made
    from reconciler.model.policy import Verdict
    from reconciler.pipes.client import Client

FORMATS = ("text", "json", "csv", "markdown", "html")  # reconciler.report.access.FORMATS, without importing it


def _inactive(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    from reconciler.cli.editing import days_of

    return None if value is None else days_of(value)


@click.command(short_help="Show who has access to what, and why.")
@options.paths_argument
@click.option(
    "--person",
    "people",
    shell_complete=names.people,
    multiple=True,
    metavar="NAME",
    help="Only this person. May be repeated.",
)
@click.option(
    "--workspace",
    "workspaces",
    shell_complete=names.workspaces,
    multiple=True,
    metavar="ORG/WORKSPACE",
    help="Only this workspace. May be repeated.",
)
@click.option(
    "--connection",
    "connections",
    shell_complete=names.connections,
    multiple=True,
    metavar="ORG/CONNECTION",
    help="Only people who can use this connection, through a workspace. May be repeated.",
)
@options.org_option
@click.option("--live", is_flag=True, help="Read Pipes instead of the manifests.")
@click.option(
    "--at",
    "moment",
    metavar="REV|DAY",
    help="The manifests of a git revision, or as they were written on a day (YYYY-MM-DD) and counted then.",
)
@click.option(
    "--policies", "judged", is_flag=True, help="Judge the policies of the manifests; exits 1 if one is broken."
)
@click.option(
    "--inactive",
    callback=_inactive,
    metavar="DAYS",
    help="With --live: only people who were not active for this time, such as 90d, and are in for as long.",
)
@click.option(
    "--fix-up",
    is_flag=True,
    help="With --inactive: print a patch that takes the entries of these people out of the manifests.",
)
@options.day_option
@options.pipes_options
@options.report_options(FORMATS)
def command(
    paths: tuple[Path, ...],
    people: tuple[str, ...],
    workspaces: tuple[str, ...],
    connections: tuple[str, ...],
    orgs: tuple[str, ...],
    live: bool,
    moment: str | None,
    inactive: int | None,
    judged: bool,
    fix_up: bool,
    day: datetime | None,
    pipes: options.PipesOptions,
    fmt: str,
    out: Path | None,
    no_color: bool,
) -> int:
    """Show who has access to which org, workspace and connection, with which role, and why: directly, through a team, or
    as an owner.

    Reads the manifests at PATH, offline and without a token. With --live, it reads the orgs in the manifests, or those
    given with --org, from Pipes. With --at, it reads the manifests of a commit of this repository.
    """
    from reconciler.access.maps import narrowed

    if live and moment is not None:
        raise UsageError("--live reads Pipes as it is now, so it cannot be combined with --at")
    if inactive is not None and not live:
        raise UsageError("--inactive needs --live: only Pipes knows when somebody was active")
    if judged and moment is not None:
        raise UsageError("--policies judges the access of today, so it cannot be combined with --at")
    if fix_up and inactive is None:
        raise UsageError("--fix-up takes out who was not active, so it needs --inactive")
    if fix_up and fmt != "text":
        raise UsageError("--fix-up prints a patch, so it cannot be combined with --format")
    when = day.date() if day else clock.today()
    verdict = None
    if moment is not None:
        found, head = _at(paths, moment, day.date() if day else None), made.now(paths)
    else:
        found, head, verdict = (
            _live(paths, orgs, when, pipes, judged=judged) if live else _written(paths, when, judged=judged)
        )
    _known(found, people, workspaces, orgs, connections)
    chosen = narrowed(found, people=people, objects=workspaces, orgs=orgs, connections=connections)
    if inactive is not None:
        from reconciler.access.activity import inactive as not_active

        chosen = not_active(chosen, inactive)
    if fix_up:
        return _fix_up(paths, when, chosen, out)
    _write(chosen, fmt, out, no_color, pipes.verbose, head, verdict)
    return 1 if verdict is not None and verdict.errors else 0


def _write(
    access: Access, fmt: str, out: Path | None, no_color: bool, verbose: bool, head: Made, verdict: Verdict | None
) -> None:
    import sys

    from reconciler.report.access import render

    color = out is None and not no_color and not os.environ.get("NO_COLOR") and sys.stdout.isatty()
    text = render(access, fmt, color=color, verbose=verbose, made=head, verdict=verdict)
    if fmt == "csv" and head is not None:
        made.show(head)  # a table has no place for it
    if out is not None:
        output_files.write_file(out, text)
    else:
        click.echo(text, nl=False, color=color)


def _fix_up(paths: Sequence[Path], day: date, unused: Access, out: Path | None) -> int:
    """Print a patch without the entries that were not used, and on standard error what it leaves, and why."""
    from reconciler.cli.editing import Files
    from reconciler.editing.unused import drop_unused
    from reconciler.manifest.files import default_paths, read_all
    from reconciler.report.text import escape

    if not paths and not default_paths():
        raise UsageError("--fix-up changes manifests, and there are none here")
    found = manifests.load(paths, day)
    texts, _ = read_all(paths)
    for note in unused.notes:
        click.echo(f"Note: {escape(note)}", err=True)
    return Files(found, texts, write=False, out=out).make(
        lambda: drop_unused(texts, found.desired, found.lock, unused.assignments)
    )


def _written(paths: Sequence[Path], day: date, *, judged: bool) -> tuple[Access, Made, Verdict | None]:
    from reconciler.access.maps import of_desired

    found = manifests.load(paths, day)
    verdict = None
    if judged:
        from reconciler.policy import judge

        verdict = judge.of_desired(found.desired, found.lock)
    return of_desired(found.desired, found.lock), made.now(paths), verdict


def _at(paths: Sequence[Path], moment: str, day: date | None) -> Access:
    """What the manifests of a revision say today, or what those of the last commit of a day said on that day."""
    import re
    from datetime import date as days

    import msgspec

    from reconciler import manifest
    from reconciler.access.maps import of_desired
    from reconciler.history import commits, revision

    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", moment):
        if day is not None:
            raise UsageError("--at DAY says on which day the manifests count, so it cannot be combined with --on")
        try:
            when = days.fromisoformat(moment)
        except ValueError:
            raise UsageError(f"--at {moment}: there is no such day") from None
        until = commits.until_day(when)
    else:
        when, until = day or clock.today(), [commits.at(moment)]

    def read(commit: Commit, today: date) -> Desired:
        texts = revision.texts(commit.id, paths)
        return manifest.load_texts(texts, today=today, pictures=revision.pictures(commit.id))

    commit, passed = until[0], []
    while True:
        try:
            desired = read(commit, when)
            break
        except ManifestError as error:
            why = commits.passed_over(commit, error)
            if _can_be_used(read, commit) or not revision.texts(commit.id, paths, missing_ok=True):
                raise  # it says nothing on that day, or there was none
            passed.append(why)
            if len(passed) == len(until):
                raise
            commit = until[len(passed)]
    access = of_desired(desired, revision.lock(commit.id, paths, desired))
    note = f"as written in commit {commit.id[:10]} of {commit.day.isoformat()} by {commit.author}: {commit.subject}"
    return msgspec.structs.replace(access, notes=(note, *passed, *access.notes))


def _can_be_used(read: Callable[[Commit, date], Desired], commit: Commit) -> bool:
    """Whether the manifests of a commit could be used on the commit's own day."""
    try:
        read(commit, commit.day)
    except ManifestError:
        return False
    return True


def _known(
    access: Access,
    people: Iterable[str],
    workspaces: Iterable[str],
    orgs: Iterable[str],
    connections: Iterable[str],
) -> None:
    """Raise UsageError, with similar names, for a person, workspace, org or connection that does not exist."""
    names = {name for assignment in access.assignments for name in (assignment.person, assignment.key)}
    spaces = {place for place in access.objects if "/" in place}
    for option, asked, there in (
        ("--org", orgs, set(access.objects) - spaces),
        ("--workspace", workspaces, spaces),
        ("--connection", connections, {*(use.connection for use in access.connection_uses), *access.open_connections}),
        ("--person", people, names),
    ):
        for name in asked:
            if name not in there:
                raise UsageError(f"{option} {name}: not found{_near(name, there)}")


def _near(name: str, there: Iterable[str]) -> str:
    from reconciler.model.near import did_you_mean

    listed = sorted(there)
    if meant := did_you_mean(name, listed):
        return meant
    return f"; known names: {', '.join(listed[:5])}{' and others' if len(listed) > 5 else ''}" if listed else ""


# --- live -------------------------------------------------------------------------------------------------------------


def _live(
    paths: Sequence[Path], orgs: Sequence[str], day: date, pipes: options.PipesOptions, *, judged: bool
) -> tuple[Access, Made, Verdict | None]:
    from reconciler.access.maps import of_live
    from reconciler.cli.progress import Progress
    from reconciler.pipes.reading.tokens import account_tokens
    from reconciler.pipes.settings import has_token

    desired, lock = _manifests(paths, day)
    wanted = list(orgs) if orgs or desired is None else [node.name for node in desired.orgs.values() if not node.absent]
    if desired is None and not has_token(pipes.host, pipes.token_file, os.environ, cwd=Path.cwd()):
        raise PipesError(
            "there is no token, and there are no manifests here: set PIPES_TOKEN, or name a file that holds a token with "
            "--token-file; `reconciler init` starts without one"
        )
    settings = pipes.settings()
    if desired is not None:
        manifests.check_host(desired, settings)
    notes: list[str] = []
    with pipes.client(settings, read_only=True) as client, Progress() as progress:
        if desired is None and not orgs:
            wanted = _owned(client, notes, progress)
        found = _snapshot(client, wanted, lock, progress)
        tokens, closed = account_tokens(client, found)
    notes += [f"{address}: its tokens cannot be read with this token" for address in closed]
    if found.unreadable:
        first = found.unreadable[0]
        raise PipesError(f"org {first.org} could not be read completely: {first.why}")
    missing = [name for name in wanted if name not in found.orgs]
    if missing and orgs:
        raise UsageError(
            f"--org {missing[0]}: {found.actor.handle} cannot see such an org in Pipes"
            + _near(missing[0], [*found.orgs, *found.others])
        )
    access = of_live(found, day, desired, lock)
    from msgspec.structs import replace

    whole = replace(
        access,
        tokens=tuple(tokens),
        notes=(
            *access.notes,
            *notes,
            *(f"{found.actor.handle} cannot see the org {name} in Pipes" for name in missing),
        ),
    )
    verdict = None
    if judged:
        if desired is None:
            raise UsageError("--policies judges by the policies of the manifests, and there are none here")
        from reconciler.policy import judge

        verdict = judge.of_live(found, desired, lock)
    return whole, made.now(paths, host=settings.pipes, user=found.actor.handle), verdict


def _owned(client: Client, notes: list[str], progress: Progress) -> list[str]:
    """The orgs that the token's user owns, for a folder without manifests. Adds to `notes` what else there is."""
    from reconciler.pipes.reading.visible_orgs import read_actor, read_visible_orgs

    actor, _ = read_actor(client)
    orgs = read_visible_orgs(client, progress.reading)
    others = [one.handle for one in orgs if not one.can_import]
    if others:
        notes.append(
            f"{actor.handle} does not own {', '.join(others)}, so Pipes shows only a part of them; "
            f"--org {others[0]} shows that part"
        )
    notes.append(
        "there are no manifests here, so these are all organizations that the token's user owns; `reconciler init` starts "
        "managing them"
    )
    return [one.handle for one in orgs if one.can_import]


def _manifests(paths: Sequence[Path], day: date) -> tuple[Desired | None, Lock]:
    """The manifests and the lock file, for names and orgs. Without a PATH they need not exist."""
    from reconciler.manifest.files import default_paths

    if not paths and not default_paths():
        return None, {}
    found = manifests.load(paths, day)
    return found.desired, found.lock


def _snapshot(client: Client, orgs: Sequence[str], lock: Lock, progress: Progress) -> Snapshot:
    """Pipes with the grants of every workspace: reads first which workspaces exist, then everything below them."""
    from reconciler.pipes.reading import snapshot

    first = snapshot(client, manifests.everything(orgs, {}, clock.today()), lock, progress=progress.reading)
    spaces = {org.handle: list(org.of("workspace")) for org in first.orgs.values()}
    if first.unreadable:
        return first
    connections = {org.handle: list(org.of("connection")) for org in first.orgs.values()}
    folders = {org.handle: [one.id for one in org.of("connection_folder").values()] for org in first.orgs.values()}
    to_read = manifests.everything(orgs, spaces, clock.today(), connections, folders)
    return snapshot(client, to_read, lock, progress=progress.reading)
