"""The command line: one module a command; every way to end becomes an exit status here.

In: arguments and the environment. Out: reports, files, and one exit status (`run`).
Open `common.py` first: what the commands share. A command module has options and calls, nothing else.
"""

from __future__ import annotations

import gc
import importlib
import keyword
import os
import sys
from typing import TYPE_CHECKING

import click

from reconciler.model.errors import ManifestError, PipesError, ReconcilerError

if TYPE_CHECKING:
    from collections.abc import Sequence

DONE, ERROR, CHANGES, REFUSED, UNREACHABLE, PARTLY = range(6)
INTERRUPTED = 130

# each command with its short help, so that `--help` need not import them; a test holds the two together
COMMANDS = {
    "validate": "Check the manifests, offline.",
    "plan": "Show what would change. Changes nothing.",
    "show": "Show a saved plan again, in any format.",
    "apply": "Make live what the manifests say.",
    "drift": "Show what changed outside, and who did it.",
    "review": "Show what a pull request changes, offline.",
    "access": "Show who reaches what, and why.",
    "import": "Write manifests from live organizations.",
    "fmt": "Format manifests.",
    "offboard": "Print a patch that removes a person everywhere.",
    "lock": "Make the lock file anew from what is live.",
    "schema": "Print the JSON Schema of manifests or plans.",
    "sandbox": "A local Turbot Pipes for rehearsals and tests.",
}


def module_of(name: str) -> str:
    """The module of a command; Python's own words, such as `import`, can name none, and get a `_`."""
    return f"reconciler.cli.{name}{'_' if keyword.iskeyword(name) else ''}"


class Commands(click.Group):
    """A group whose commands are imported when they are asked for: start-up is part of the interface."""

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
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, n=1)
            raise click.UsageError(
                f"no command is called `{name}`" + (f"; did you mean `{near[0]}`?" if near else "."), ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, or in sync; 1 an error; 2 changes or drift; 3 refused by a safeguard; "
    "4 Pipes unreachable or not authorised; 5 applied in part.",
)
@click.version_option(package_name="reconciler", message="%(prog)s %(version)s")
def program() -> None:
    """GitOps for Turbot Pipes organizations.

    YAML manifests say which orgs there are, who is in them and who may do what in each workspace; reconciler plans,
    applies and watches the difference to what is live, with safeguards so that nobody is ever locked out.
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status."""
    # a plan makes a million objects that stay, and circles that are gone at once: whoever looks for those among all that
    # is there spends a third of the time on it with the usual thresholds, a tenth with a higher first one alone
    gc.set_threshold(10_000, 1_000, 1_000)
    status = run(args)
    try:
        sys.stdout.flush()
    except OSError:
        _hush(sys.stdout.fileno())
    sys.exit(status)


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, and prints what went wrong on standard error."""
    try:
        status = program.main(args=args, prog_name="reconciler", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return ERROR
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.exceptions.Abort:
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
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _hush(1)
        return ERROR
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"Error: {where}{error.strerror or error}", err=True)
        return ERROR
    return status if isinstance(status, int) else DONE


def _say(error: ReconcilerError) -> int:
    from reconciler.report.text import escape

    click.echo(f"Error: {escape(str(error))}", err=True)
    if isinstance(error, PipesError):
        return UNREACHABLE
    if type(error).__name__ == "TamperedPlanError":
        return REFUSED
    return ERROR


def _hush(descriptor: int) -> None:
    """Nobody reads any more: the interpreter's own flush at exit must not fail over it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
