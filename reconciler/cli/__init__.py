"""The command line: one module for each command; this file alone turns errors into exit statuses.

In: arguments and the environment. Out: reports, files, and one exit status.
Open `plan.py` first: a command has options and calls, nothing else. They share `options.py` and `manifests.py`.
"""

# ruff: noqa: E402 - garbage collection is set before anything is imported

from __future__ import annotations

import gc

# A large plan keeps a million objects: with the default thresholds, garbage collection takes a third of the time. Imports keep
# nearly all that they create, too.
gc.set_threshold(100_000, 1_000, 1_000)

import importlib
import keyword
import os
import sys
from typing import TYPE_CHECKING

import click

from reconciler.model.errors import ManifestError, PipesError, ReconcilerError, RefusedRunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.plan import Plan

DONE, ERROR, CHANGES, REFUSED, UNREACHABLE, PARTLY = range(6)
INTERRUPTED = 130

# The short help of each command, so that `--help` need not import them. A test compares the two.
COMMANDS = {
    "init": "Start here: list what to import, or write a first manifest.",
    "doctor": "Check the way to Pipes, the manifests and the lock file.",
    "validate": "Check the manifests, offline.",
    "plan": "Show what would change. Changes nothing.",
    "show": "Show a saved plan in any format.",
    "apply": "Change Pipes to match the manifests.",
    "drift": "Show what changed outside, and who changed it.",
    "review": "Show what a pull request changes, offline.",
    "approvals": "Show whose approval a pull request needs.",
    "codeowners": "Print the approvals as a CODEOWNERS file.",
    "access": "Show who has access to what, and why.",
    "history": "Show who had what when, by which commit.",
    "import": "Write manifests from live organizations.",
    "fmt": "Format manifests.",
    "grant": "Print a patch that gives a person a role.",
    "revoke": "Print a patch that takes a role away from a person.",
    "onboard": "Print a patch that lets somebody new in.",
    "move": "Print a patch that moves a person between teams.",
    "offboard": "Print a patch that removes a person everywhere.",
    "lock": "Rebuild the lock file from Pipes.",
    "schema": "Print the JSON Schema of manifests, plans or access.",
    "explain": "Explain a safeguard, an exit status, or a key of a manifest.",
    "completion": "Print the script for completion in bash, zsh or fish.",
    "sandbox": "A local Turbot Pipes for rehearsals and tests.",
}


def plan_status(plan: Plan, *, detailed: bool) -> int:
    """The exit status for a plan that was only shown."""
    if plan.refusals:
        return REFUSED
    if plan.errors:
        return ERROR
    return CHANGES if detailed and plan.changes else DONE


# What people type who know other tools, and what does the same here.
ELSEWHERE = {
    "audit": "history",
    "auth": "doctor",
    "check": "validate",
    "compare": "plan",
    "config": "doctor",
    "debug": "doctor",
    "deploy": "apply",
    "dump": "import",
    "export": "import",
    "format": "fmt",
    "lint": "validate",
    "list": "access",
    "ls": "access",
    "members": "access",
    "preview": "plan",
    "pull": "import",
    "push": "apply",
    "refresh": "drift",
    "run": "apply",
    "start": "init",
    "status": "drift",
    "sync": "apply",
    "test": "validate",
    "users": "access",
    "who": "access",
}
ANSWERS = {
    "login": "no token is ever stored: set PIPES_TOKEN, or name a file that holds the token with --token-file; "
    "`reconciler doctor` says whether it works",
    "logout": "no token is ever stored: unset PIPES_TOKEN, or remove the file that --token-file names; `reconciler doctor` says "
    "whether a token is still found",
    "whoami": "`reconciler doctor` says whose token it is",
    "version": "write `reconciler --version`",
    "diff": "write `reconciler plan`; for two revisions of the manifests, `reconciler review BASE`",
    "destroy": "state the removal in the manifests (`reconciler explain absent`), and run `reconciler apply`",
    "state": "there is no state file: every command reads Pipes again; `reconciler access --live` shows who has what",
    "rollback": "revert the commit in git, and run `reconciler apply`",
    "undo": "revert the commit in git, and run `reconciler apply`",
}


def module_of(name: str) -> str:
    """The module of a command. Python keywords, such as `import`, cannot name a module and get a `_`."""
    return f"reconciler.cli.{name}{'_' if keyword.iskeyword(name) else ''}"


class Commands(click.Group):
    """A group that imports a command only when it is used, so that start-up stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = importlib.import_module(module_of(cmd_name)).command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            raise click.UsageError(f"there is no command `{name}`{_instead(name, args[1:])}", ctx)
        found = super().resolve_command(ctx, args)
        _, command, rest = found
        if isinstance(command, click.Group) and rest and rest[0] in command.commands:
            command = command.commands[rest[0]]
        if command is not None:
            _refuse_single_dashes(rest, command, ctx)
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _refuse_single_dashes(args[:1], self, ctx)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _instead(name: str, rest: Sequence[str]) -> str:
    """What to run instead of a command that does not exist; a full stop where nothing is known."""
    from difflib import get_close_matches

    word = name.lower()
    if word == "help":
        about = f"{rest[0]} --help" if rest and rest[0] in COMMANDS else "--help"
        return f": write `reconciler {about}`"
    if word in ANSWERS:
        return f": {ANSWERS[word]}"
    if word in ELSEWHERE:
        return f": write `reconciler {ELSEWHERE[word]}`"
    near = get_close_matches(word, COMMANDS, n=1) or get_close_matches(
        word, [*ANSWERS, *ELSEWHERE, "help"], n=1, cutoff=0.8
    )
    if not near:
        return "."
    return f"; did you mean `{near[0]}`?" if near[0] in COMMANDS else _instead(near[0], rest)


def _refuse_single_dashes(args: Sequence[str], command: click.Command, ctx: click.Context) -> None:
    """Raise UsageError for a long word after a single dash: `-out=FILE` would be `-o` with the value `ut=FILE`."""
    import re

    options = [name for parameter in command.get_params(ctx) for name in (*parameter.opts, *parameter.secondary_opts)]
    flags = {
        name[1:]
        for parameter in command.get_params(ctx)
        if isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count)
        for name in parameter.opts
        if not name.startswith("--")
    }
    for arg in args:
        if arg == "--":
            return
        found = re.fullmatch(r"-([A-Za-z][\w-]+)(?:=.*)?", arg, re.DOTALL)
        if found is None or set(found[1]) <= flags:
            continue
        word = f"--{found[1]}"
        from difflib import get_close_matches

        long = [option[2:] for option in options if option[:2] == "--"]
        near = [found[1]] if word in options else get_close_matches(found[1], long, n=1)
        hint = f"; did you mean `--{near[0]}`?" if near else ""
        if "-o" in options and found[1][0] == "o":
            hint = "; to save a plan, write `-o FILE` or `--save FILE`, and to write the report to a file, `--out FILE`"
        raise click.UsageError(f"`-{found[1]}`: an option with a long name starts with two dashes{hint}", ctx)


def _version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    """Print the version, with the commit that it was built from where that is known, and exit."""
    if asked and not context.resilient_parsing:
        from reconciler.cli.made import commit, version

        built = commit()
        click.echo(f"reconciler {version()}" + (f" ({built[:12]})" if built else ""))
        context.exit()


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, or in sync; 1 error; 2 changes or drift; 3 refused by a safeguard; "
    "4 Pipes unreachable or not authorised; 5 applied in part.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version, and exit."
)
def program() -> None:
    """GitOps for Turbot Pipes organizations.

    YAML manifests describe your orgs, their members, and who has which role in each workspace. reconciler compares them
    with Pipes, plans and applies the changes, and reports drift. Safeguards refuse changes that could lock people out.
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    from reconciler.cli import streams

    streams.prepare()
    status = run(args)
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that the interpreter's own flush at exit does not fail
        click.echo(f"Error: standard output: {error.strerror}", err=True)
        status = status or ERROR
    gc.freeze()  # the process ends, so that no memory needs to be searched for what can be freed
    sys.exit(status)


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line, print errors to standard error, and return the exit status."""
    if "_RECONCILER_COMPLETE" in os.environ:
        from reconciler.cli.completion import prepare

        prepare()
    try:
        status = program.main(args=args, prog_name="reconciler", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return ERROR
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return ERROR
    except ManifestError as error:
        from reconciler.report import render_diagnostics

        click.echo(render_diagnostics(error.diagnostics), nl=False, err=True)
        return ERROR
    except ReconcilerError as error:
        return _say(error)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"Error: {where}{error.strerror or error}", err=True)
        return ERROR
    return status if isinstance(status, int) else DONE


def _say(error: ReconcilerError) -> int:
    from reconciler.kinds.secret import without_tokens
    from reconciler.report.text import escape

    if isinstance(error, RefusedRunError):
        from reconciler.report.text import render_refusals

        click.echo(render_refusals([error.refusal]), nl=False, err=True)
        return REFUSED
    click.echo(f"Error: {escape(without_tokens(str(error)))}", err=True)
    if isinstance(error, PipesError):
        return UNREACHABLE
    if type(error).__name__ == "TamperedPlanError":
        return REFUSED
    return ERROR
