"""Options and functions that several commands share: reading manifests, connecting to Pipes, writing results."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
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
    from reconciler.model.live import Lock, Snapshot
    from reconciler.model.plan import Plan, Shard
    from reconciler.pipes.client import Client
    from reconciler.pipes.settings import Settings
    from reconciler.report import Subject
    from reconciler.safeguards.allow import Allowance

    Command = TypeVar("Command", bound=Callable[..., Any])

FORMATS = ("text", "json", "markdown", "html", "github", "junit")  # reconciler.report.FORMATS, without importing it


ENDINGS = 12  # how many of the days on which entries end are looked ahead to


# --- options ----------------------------------------------------------------------------------------------------------


def paths_argument(command: Command) -> Command:
    return click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")(command)


def org_option(command: Command) -> Command:
    return click.option("--org", "orgs", multiple=True, metavar="HANDLE", help="Only this org. May be repeated.")(
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
        help="Only the Kth of N parts of the orgs, for runs in parallel.",
    )(command)


def allow_option(command: Command) -> Command:
    return click.option(
        "--allow",
        "allow",
        multiple=True,
        metavar="CODE[=ADDRESS]",
        help="Allow once what one safeguard refuses, as in mass-removal=org.acme. May be repeated.",
    )(command)


def day_option(command: Command) -> Command:
    return click.option(
        "--on",
        "day",
        type=click.DateTime(["%Y-%m-%d"]),
        metavar="DATE",
        default=None,
        help="The day that decides what has expired. Default: today (UTC).",
    )(command)


def _days(_ctx: click.Context, _param: click.Parameter, value: str) -> int:
    """`14d`, `2w`, or a number of days."""
    import re

    found = re.fullmatch(r"([0-9]{1,4})([dw]?)", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a number of days; write it like 14d or 2w")
    return int(found[1]) * (7 if found[2] == "w" else 1)


def expiring_option(command: Command) -> Command:
    return click.option(
        "--expiring",
        callback=_days,
        default="14d",
        show_default=True,
        metavar="DAYS",
        help="Show entries that end within this time; 0d shows none.",
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
        # the embedded Pipes answers in this process, so there is nothing to wait for: ten threads only make a plan
        # take 50% longer
        parallelism = 1 if read_only and settings.sandbox_path is not None else self.parallelism
        observers = Observers(trace=trace, notice=notice)
        return Client(settings, read_only=read_only, parallelism=parallelism, observers=observers, secrets=secrets)


def secrets(settings: Settings) -> Secrets:
    """Resolves references to secrets from this process's environment. The token itself is never one of them."""
    from reconciler.apply.secrets import Secrets

    return Secrets(os.environ, own=(settings.token,))


def pipes_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that connects to Pipes, passed on as one `pipes: PipesOptions`."""
    import functools

    @click.option("--host", metavar="HOST", help="The host or URL of Pipes, or sandbox[:PATH]. [env: PIPES_HOST]")
    @click.option(
        "--token-file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Read the token from FILE. [env: PIPES_TOKEN is the token itself]",
    )
    @click.option(
        "--parallelism",
        type=click.IntRange(1, 100),
        default=10,
        show_default=True,
        metavar="N",
        help="How many requests to send in parallel.",
    )
    @click.option("-v", "--verbose", is_flag=True, help="Show each request on standard error, and all details.")
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
        """Render and write `subject`; for `github`, also the job summary and step outputs."""
        from reconciler.report import render

        on_terminal = self.out is None and self.color and sys.stdout.isatty()
        text = render(subject, self.format, color=on_terminal, verbose=verbose)
        if self.format == "github":
            from reconciler.report.github import from_root

            text = from_root(text, _folder_in_repository())
        if self.out is not None:
            write_file(self.out, text, keep=True)
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


def _folder_in_repository() -> str:
    """The current folder from the root of the repository in a job of GitHub; empty for the root, and elsewhere."""
    for name in ("GIT_WORK_TREE", "GITHUB_WORKSPACE"):
        root = os.environ.get(name)
        if root and Path.cwd().is_relative_to(Path(root).resolve()):
            found = Path.cwd().relative_to(Path(root).resolve()).as_posix()
            return "" if found == "." else found
    return ""


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that prints a result, passed on as one `output: Output`."""
    import functools

    @click.option(
        "--format", "fmt", type=click.Choice(FORMATS), default="text", show_default=True, help="The output format."
    )
    @click.option(
        "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the report to FILE."
    )
    @click.option("--no-color", is_flag=True, help="Use no colours, like NO_COLOR.")
    @functools.wraps(command)
    def wrapped(fmt: str, out: Path | None, no_color: bool, **rest: Any) -> Any:
        return command(output=Output(fmt, out, not no_color and not os.environ.get("NO_COLOR")), **rest)

    return wrapped


PRIVATE = 0o600  # for what may hold people's addresses: plans, reports, patches
SHARED = 0o666  # for what is committed anyway; the umask narrows both


def write_file(path: Path, text: str, *, mode: int = PRIVATE, follow: bool = False, keep: bool = False) -> None:
    """Replace `path` by `text` as a whole, or leave it as it is. Devices and pipes are written to.

    The umask narrows `mode`; with `keep` an existing file keeps its own. Raises UsageError for a symbolic link, unless
    `follow` says that the file behind it is meant: in a shared folder, a link could have us replace another file.
    """
    import secrets

    if Path("/dev") in path.absolute().parents or (path.exists() and not path.is_file()):
        with path.open("w", encoding="utf-8") as device:
            device.write(text)
        return
    if path.is_symlink() and not follow:
        raise UsageError(f"{path} is a symbolic link; name the file itself")
    target = path.resolve()
    temporary = target.parent / f".{target.name[:200]}.{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if keep and target.exists():
                os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def from_here(name: str) -> str:
    """The path of a manifest for `git apply` in the current folder. Raises UsageError for a path outside of it."""
    path = Path(os.path.relpath(name)).as_posix()
    if path.startswith("../"):
        raise UsageError(
            f"{name} is outside the current folder, so no patch can change it. Run this in a folder above it"
        )
    return path


# --- manifests --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Manifests:
    """The manifests of one run, limited to the requested orgs, and their lock file."""

    desired: Desired
    lock: Lock
    lock_path: Path
    narrowed: bool
    shard: Shard | None = None
    key: str = ""  # what seals the lock file
    sealed: bool = False  # whether the lock file has a seal, whoever wrote it
    forged: str = ""  # why the lock file is not believed, where this run has a key


def load(
    paths: Sequence[Path],
    day: date,
    orgs: Collection[str] = (),
    output: Output | None = None,
    *,
    shard: tuple[int, int] | None = None,
) -> Manifests:
    """Read the manifests and the lock file.

    Raises ManifestError for invalid manifests, and UsageError for an org that they do not have. With an `output` whose
    format is not text, the problems of the manifests are also written to it.
    """
    from reconciler import manifest
    from reconciler.lockfile import file as lockfile
    from reconciler.lockfile import find, seal

    key = seal.key_of(os.environ)
    try:
        desired = manifest.load(paths, today=day)
        lock_path = find.of_run(
            paths, manifest.lock_path(paths), [name for name, _ in desired.files], desired.orgs.keys()
        )
        lock, written = lockfile.read_sealed(lock_path)
    except ManifestError as error:
        if output is not None and output.format != "text":
            from reconciler.report import Validation

            output.write(Validation(error.diagnostics, error.files or len(paths), 0))
        raise
    found = Manifests(
        desired,
        lock,
        lock_path,
        narrowed=False,
        key=key,
        sealed=bool(written),
        forged=seal.why_not_believed(lock, written, key),
    )
    if shard is not None:
        if orgs:
            raise UsageError("--shard divides all orgs in the manifests, so it cannot be combined with --org")
        from reconciler.plan.shard import of_desired

        names, part = of_desired(desired, lock, *shard)
        return replace(found, desired=narrow(desired, names), narrowed=True, shard=part)
    return replace(found, desired=narrow(desired, orgs), narrowed=True) if orgs else found


def drop_typed_ahead() -> None:
    """Forget what was typed before the question was asked: it cannot be the answer to it."""
    try:
        import termios
    except ImportError:  # Windows
        import msvcrt

        while msvcrt.kbhit():  # type: ignore[attr-defined, unused-ignore]
            msvcrt.getwch()  # type: ignore[attr-defined, unused-ignore]
        return
    with suppress(termios.error, OSError, ValueError):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def unless_forged(plan: Plan, found: Manifests, live: Snapshot) -> Plan:
    """The plan, refused as `lock-forged` where this run has a key and the lock file is not sealed with it."""
    if not found.forged:
        return plan
    from reconciler.safeguards.lock_forged import refusals

    return replace(plan, refusals=(*refusals(found.forged, found.desired, live, found.lock), *plan.refusals))


def later(days: Sequence[date], load: Callable[[date], Desired]) -> dict[date, Later]:
    """The manifests on later days, as `load` reads them, or why they are not valid then. Only for the first ENDINGS days."""
    found: dict[date, Later] = {}
    for day in days[:ENDINGS]:
        try:
            found[day] = load(day)
        except ManifestError as error:
            found[day] = error.diagnostics
    return found


def narrow(desired: Desired, orgs: Collection[str]) -> Desired:
    """Desired with only these orgs. Raises UsageError for an org that the manifests do not have."""
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
    """A Desired that makes a reader fetch whole orgs; for reading only.

    It asks for the workspaces, connections and folders of `orgs`. For those named in `spaces`, `connections` and (by id)
    `folders`, it also asks for members, grants, own connections, permissions and attachments.
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
    """The exit status for a plan that was only shown."""
    from reconciler.cli import CHANGES, DONE, ERROR, REFUSED

    if plan.refusals:
        return REFUSED
    if plan.errors:
        return ERROR
    return CHANGES if detailed and plan.changes else DONE
