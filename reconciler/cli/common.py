"""What several commands share: their options, reading manifests and Pipes, and writing results."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.model.errors import ManifestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import date

    from reconciler.access.expiring import Later
    from reconciler.apply.secrets import Secrets
    from reconciler.model.desired import Desired
    from reconciler.model.live import Lock
    from reconciler.model.plan import Plan, Shard
    from reconciler.pipes.client import Client
    from reconciler.pipes.settings import Settings
    from reconciler.report import Subject
    from reconciler.safeguards.allow import Allowance

    Command = TypeVar("Command", bound=Callable[..., Any])

FORMATS = ("text", "json", "markdown", "html", "github", "junit")  # reconciler.report.FORMATS, without importing it


ENDINGS = 12  # days on which entries end that are looked ahead to


# --- options ----------------------------------------------------------------------------------------------------------


def paths_argument(command: Command) -> Command:
    return click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")(command)


def org_option(command: Command) -> Command:
    return click.option("--org", "orgs", multiple=True, metavar="HANDLE", help="Only this org; may be repeated.")(
        command
    )


def _shard(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    from reconciler.plan.shard import parse

    try:
        return parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def shard_option(command: Command) -> Command:
    return click.option(
        "--shard",
        callback=_shard,
        metavar="K/N",
        help="Only the Kth of N shares of the orgs, for runs that go on side by side.",
    )(command)


def allow_option(command: Command) -> Command:
    return click.option(
        "--allow",
        "allow",
        multiple=True,
        metavar="CODE[=ADDRESS]",
        help="Lift one safeguard for this run, as in mass-removal=org.acme; may be repeated.",
    )(command)


def day_option(command: Command) -> Command:
    return click.option(
        "--on",
        "day",
        type=click.DateTime(["%Y-%m-%d"]),
        metavar="DATE",
        default=None,
        help="The day that decides what has expired; today by default (UTC).",
    )(command)


def _days(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    """`14d`, `2w`, or a number of days."""
    import re

    found = re.fullmatch(r"([0-9]{1,4})([dw]?)", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no number of days, such as 14d or 2w")
    return int(found[1]) * (7 if found[2] == "w" else 1)


def expiring_option(command: Command) -> Command:
    return click.option(
        "--expiring",
        callback=_days,
        default="14d",
        show_default=True,
        metavar="DAYS",
        help="Warn of entries that end within this time; 0d for no warning.",
    )(command)


@dataclass(frozen=True, slots=True)
class PipesOptions:
    """`--host`, `--token-file`, `--parallelism`, `-v`."""

    host: str | None
    token_file: Path | None
    parallelism: int
    verbose: bool

    def settings(self) -> Settings:
        """Where Pipes is. Raises UsageError, PipesError."""
        from reconciler.pipes.settings import resolve

        settings = resolve(self.host, self.token_file, os.environ, cwd=Path.cwd())
        for hint in settings.hints:
            click.echo(f"Note: {hint}", err=True)
        return settings

    def client(self, settings: Settings, *, read_only: bool, secrets: Secrets | None = None) -> Client:
        from reconciler.pipes.client import Client, Observers

        trace = (lambda line: click.echo(line, err=True)) if self.verbose else None
        notice = (lambda line: click.echo(line, err=True)) if sys.stderr.isatty() else None
        # the embedded Pipes answers in this process, where there is nothing to wait for: threads only get in each
        # other's way, and with ten of them a plan takes half as long again
        parallelism = 1 if read_only and settings.sandbox_path is not None else self.parallelism
        observers = Observers(trace=trace, notice=notice)
        return Client(settings, read_only=read_only, parallelism=parallelism, observers=observers, secrets=secrets)


def secrets(settings: Settings) -> Secrets:
    """What follows references to secrets, from this process's environment; the token is none of them."""
    from reconciler.apply.secrets import Secrets

    return Secrets(os.environ, own=(settings.token,))


def pipes_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of whatever talks to Pipes, handed over as one `pipes: PipesOptions`."""
    import functools

    @click.option("--host", metavar="HOST", help="Pipes' host or URL, or sandbox[:PATH]. [env: PIPES_HOST]")
    @click.option(
        "--token-file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Read the token from FILE. [env: PIPES_TOKEN holds the token itself]",
    )
    @click.option(
        "--parallelism",
        type=click.IntRange(1, 100),
        default=10,
        show_default=True,
        metavar="N",
        help="How many requests run side by side.",
    )
    @click.option("-v", "--verbose", is_flag=True, help="A line for each request on standard error, and all details.")
    @functools.wraps(command)
    def wrapped(host: str | None, token_file: Path | None, parallelism: int, verbose: bool, **rest: Any) -> Any:
        return command(pipes=PipesOptions(host, token_file, parallelism, verbose), **rest)

    return wrapped


@dataclass(frozen=True, slots=True)
class Output:
    """`--format`, `--out`, `--no-color`."""

    format: str
    out: Path | None
    color: bool

    def write(self, subject: Subject, *, verbose: bool = False) -> None:
        """Render and write; for `github` also the job's summary and outputs."""
        from reconciler.report import render

        on_terminal = self.out is None and self.color and sys.stdout.isatty()
        text = render(subject, self.format, color=on_terminal, verbose=verbose)
        if self.out is not None:
            write_file(self.out, text)
        else:
            click.echo(text, nl=False, color=on_terminal)
        if self.format == "github":
            self._job_files(subject)

    def _job_files(self, subject: Subject) -> None:
        from reconciler.report import outputs, summary

        if path := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(summary(subject))
        if path := os.environ.get("GITHUB_OUTPUT"):
            with Path(path).open("a", encoding="utf-8") as file:
                file.writelines(f"{name}={value}\n" for name, value in outputs(subject).items())


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of whatever prints a result, handed over as one `output: Output`."""
    import functools

    @click.option(
        "--format", "fmt", type=click.Choice(FORMATS), default="text", show_default=True, help="How to print it."
    )
    @click.option(
        "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Print to FILE instead."
    )
    @click.option("--no-color", is_flag=True, help="No colours, as with NO_COLOR set.")
    @functools.wraps(command)
    def wrapped(fmt: str, out: Path | None, no_color: bool, **rest: Any) -> Any:
        return command(output=Output(fmt, out, not no_color and not os.environ.get("NO_COLOR")), **rest)

    return wrapped


def write_file(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace `path` by `text` as a whole, or leave it as it is. What is no regular file is written to, not replaced."""
    import tempfile

    target = path.resolve()
    if target.exists() and not target.is_file():
        with path.open("w", encoding="utf-8") as device:
            device.write(text)
        return
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def from_here(name: str) -> str:
    """A manifest's path as `git apply` takes it in the current folder. Raises UsageError for one outside of it."""
    path = Path(os.path.relpath(name)).as_posix()
    if path.startswith("../"):
        raise UsageError(f"{name} is outside of the current folder, where no patch can reach it: run this above it")
    return path


# --- manifests --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Manifests:
    """The manifests of one run, narrowed to the orgs asked for, and the lock file beside them."""

    desired: Desired
    lock: Lock
    lock_path: Path
    narrowed: bool
    shard: Shard | None = None


def load(
    paths: Sequence[Path],
    day: date,
    orgs: Collection[str] = (),
    output: Output | None = None,
    *,
    shard: tuple[int, int] | None = None,
) -> Manifests:
    """Read manifests and lock file. Raises ManifestError, UsageError for an org that they do not have.

    Problems are written in the asked-for format where that is not text; the error is raised all the same.
    """
    from reconciler import manifest
    from reconciler.lockfile import file as lockfile

    try:
        desired = manifest.load(paths, today=day)
        lock_path = manifest.lock_path(paths)
        lock = lockfile.read(lock_path)
    except ManifestError as error:
        if output is not None and output.format != "text":
            from reconciler.report import Validation

            output.write(Validation(error.diagnostics, len(paths), 0))
        raise
    if shard is not None:
        if orgs:
            raise UsageError("--shard shares out all orgs of the manifests, so it does not go with --org")
        from reconciler.plan.shard import of_desired

        names, found = of_desired(desired, lock, *shard)
        return Manifests(narrow(desired, names), lock, lock_path, narrowed=True, shard=found)
    if not orgs:
        return Manifests(desired, lock, lock_path, narrowed=False)
    return Manifests(narrow(desired, orgs), lock, lock_path, narrowed=True)


def later(days: Sequence[date], load: Callable[[date], Desired]) -> dict[date, Later]:
    """The manifests on days to come, as `load` reads them, or why they cannot be used then; the first few days only."""
    found: dict[date, Later] = {}
    for day in days[:ENDINGS]:
        try:
            found[day] = load(day)
        except ManifestError as error:
            found[day] = error.diagnostics
    return found


def narrow(desired: Desired, orgs: Collection[str]) -> Desired:
    """Desired with these orgs only. Raises UsageError for one that the manifests do not have."""
    unknown = [org for org in orgs if org not in desired.orgs]
    if unknown:
        raise UsageError(
            f"--org {unknown[0]}: the manifests have no such org; they have {', '.join(sorted(desired.orgs))}"
        )
    chosen = {name: node for name, node in desired.orgs.items() if name in orgs}
    return replace(desired, orgs=chosen, elsewhere={n: node for n, node in desired.orgs.items() if n not in chosen})


def everything(
    orgs: Sequence[str],
    spaces: Mapping[str, Iterable[str]],
    day: date,
    connections: Mapping[str, Iterable[str]] | None = None,
    folders: Mapping[str, Iterable[str]] | None = None,
) -> Desired:
    """For reading only: orgs whose workspaces, connections and folders of them, and where `spaces`, `connections` and (by
    id) `folders` name those, whose members, grants, own connections, permissions and attachments are asked for.
    """
    from reconciler.model.desired import Desired, Node, Rules
    from reconciler.model.diagnostic import Source

    nowhere = Source("", 1)

    def org(name: str) -> Node:
        inside: dict[str, dict[str, Node]] = {"grant": {}, "workspace_connection": {}}
        below = {space: Node("workspace", space, {}, nowhere, children=inside) for space in spaces.get(name, ())}
        people: dict[str, dict[str, Node]] = {"member": {}} if name in spaces else {}
        used: dict[str, dict[str, Node]] = {"permission": {}, "attachment": {}}
        there = (connections or {}).get(name, ())
        links = {one: Node("connection", one, {}, nowhere, children=used) for one in there}
        opened: dict[str, dict[str, Node]] = {"folder_permission": {}}
        ids = (folders or {}).get(name, ())
        tree = {one: Node("connection_folder", one, {}, nowhere, children=opened) for one in ids}
        listed = {"workspace": below, "connection_folder": tree, "connection": links}
        return Node("org", name, {}, nowhere, children={**people, **listed})

    return Desired({name: org(name) for name in orgs}, {}, Rules(), day)


def allowances(texts: Sequence[str]) -> list[Allowance]:
    """The `--allow` options. Raises UsageError."""
    from reconciler.safeguards.allow import parse

    return [parse(text) for text in texts]


def plan_status(plan: Plan, *, detailed: bool) -> int:
    """The exit status that a plan asks for by itself."""
    from reconciler.cli import CHANGES, DONE, ERROR, REFUSED

    if plan.refusals:
        return REFUSED
    if plan.errors:
        return ERROR
    return CHANGES if detailed and plan.changes else DONE
