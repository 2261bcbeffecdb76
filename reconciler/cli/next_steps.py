"""The commands to run next, as they are printed: complete, with the options that the user gave, ready to be pasted."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.cli.options import PipesOptions


def command(*words: object, pipes: PipesOptions | None = None) -> str:
    """`reconciler WORDS`, quoted for a shell, with the `--host` and `--token-file` of this run."""
    repeated: list[str] = []
    if pipes is not None and pipes.host is not None:
        repeated += ["--host", pipes.host]
    if pipes is not None and pipes.token_file is not None:
        repeated += ["--token-file", str(pipes.token_file)]
    return shlex.join(["reconciler", *map(str, words), *repeated])


def show(steps: Iterable[tuple[str, str]]) -> None:
    """Print `Next:`, and each command with what it does below it.

    Not as a comment on its line: zsh, as it comes, takes a `#` that is pasted for an argument.
    """
    from reconciler.report.text import escape

    click.echo("\nNext:")
    for line, what in steps:
        click.echo(f"  {escape(line)}")
        if what:
            click.echo(f"      {escape(what)}")
