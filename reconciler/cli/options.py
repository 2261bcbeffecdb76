"""Options that several commands have, and what they become: paths, Pipes, the output."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from reconciler.cli import names
from reconciler.cli.output_files import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.apply.secrets import Secrets
    from reconciler.model.made import Made
    from reconciler.pipes.client import Client
    from reconciler.pipes.settings import Settings
    from reconciler.report import Subject
    from reconciler.safeguards.allow import Allowance

    Command = TypeVar("Command", bound=Callable[..., Any])

FORMATS = ("text", "json", "markdown", "html", "github", "junit")  # reconciler.report.FORMATS, without importing it


def paths_argument(command: Command) -> Command:
    return click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")(command)


def compared_options(command: Command) -> Command:
    """Which manifests of two revisions are compared, and with which BASE."""
    command = click.option(
        "--merge-base", is_flag=True, help="Compare with where HEAD left BASE, not with what BASE has become."
    )(command)
    return click.option(
        "--path",
        "paths",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Manifests to compare, on both sides; by default orgs.yaml, else orgs/. May be repeated.",
    )(command)


def org_option(command: Command) -> Command:
    return click.option(
        "--org",
        "orgs",
        shell_complete=names.orgs,
        multiple=True,
        metavar="HANDLE",
        help="Only this org. May be repeated.",
    )(command)


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
        shell_complete=names.allowances,
        multiple=True,
        metavar="CODE[=ADDRESS]",
        help="Allow once what one safeguard refuses, as in mass-removal=org.acme. May be repeated.",
    )(command)


def allowances(texts: Sequence[str]) -> list[Allowance]:
    """The `--allow` options. Raises UsageError."""
    from reconciler.safeguards.allow import parse

    return [parse(text) for text in texts]


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
    return _expiring("Show entries that end within this time; 0d shows none.")(command)


def token_expiring_option(command: Command) -> Command:
    return _expiring("Warn if the token in use ends within this time; 0d does not ask.")(command)


def _expiring(text: str) -> Callable[[Command], Command]:
    return click.option("--expiring", callback=_days, default="14d", show_default=True, metavar="DAYS", help=text)


class PipesOptions(NamedTuple):
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


class Output(NamedTuple):
    """`--format`, `--out`, `--no-color`."""

    format: str
    out: Path | None
    color: bool

    def write(self, subject: Subject, *, verbose: bool = False, made: Made | None = None) -> None:
        """Render and write `subject`, headed by where it comes from; for `github`, also the job summary and step outputs."""
        from reconciler.report import render

        on_terminal = self.out is None and self.color and sys.stdout.isatty()
        text = render(subject, self.format, color=on_terminal, verbose=verbose, made=made)
        if self.format == "github":
            from reconciler.report.github import from_root

            text = from_root(text, _folder_in_repository())
        if self.out is not None:
            write_file(self.out, text, keep=True)
        else:
            click.echo(text, nl=False, color=on_terminal)
        if self.format == "github":
            self._job_files(subject, made)

    def _job_files(self, subject: Subject, made: Made | None) -> None:
        from reconciler.report import outputs, summary

        if path := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(summary(subject, made))
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


def dotenv_option(command: Command) -> Command:
    return click.option(
        "--dotenv",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write the step outputs to FILE as RECONCILER_NAME=VALUE, for GitLab's reports:dotenv.",
    )(command)


def write_dotenv(path: Path | None, subject: Subject) -> None:
    """Write the outputs of `subject`, such as RECONCILER_RISK, one a line."""
    if path is not None:
        from reconciler.cli.output_files import write_file
        from reconciler.report import outputs

        found = outputs(subject).items()
        write_file(path, "".join(f"RECONCILER_{name.upper()}={value}\n" for name, value in found), keep=True)


def report_options(formats: Sequence[str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options that say in which format, where to and how a report is written: `fmt`, `out` and `no_color`."""

    def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
        command = click.option("--no-color", is_flag=True, help="Use no colours, like NO_COLOR.")(command)
        command = click.option(
            "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the report to FILE."
        )(command)
        return click.option(
            "--format", "fmt", type=click.Choice(formats), default="text", show_default=True, help="The output format."
        )(command)

    return with_options


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that prints a result, passed on as one `output: Output`."""
    import functools

    @report_options(FORMATS)
    @functools.wraps(command)
    def wrapped(fmt: str, out: Path | None, no_color: bool, **rest: Any) -> Any:
        return command(output=Output(fmt, out, not no_color and not os.environ.get("NO_COLOR")), **rest)

    return wrapped
