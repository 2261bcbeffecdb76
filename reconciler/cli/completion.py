"""`reconciler completion`: the script that lets a shell complete commands, options and names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SHELLS = {
    "bash": ("~/.bashrc", 'eval "$(reconciler completion bash)"'),
    "zsh": ("~/.zshrc", 'eval "$(reconciler completion zsh)"'),
    "fish": ("~/.config/fish/config.fish", "reconciler completion fish | source"),
}
VARIABLE = "_RECONCILER_COMPLETE"  # click asks the command for completions by it


@click.command(short_help="Print the script for completion in bash, zsh or fish.")
@click.argument("shell", type=click.Choice(list(SHELLS)))
def command(shell: str) -> None:
    """Print the script that completes commands, options and names in SHELL. Put one line into the shell's start-up file:

    \b
    bash  ~/.bashrc                   eval "$(reconciler completion bash)"
    zsh   ~/.zshrc                    eval "$(reconciler completion zsh)"
    fish  ~/.config/fish/config.fish  reconciler completion fish | source

    Orgs, people, teams and workspaces come from the manifests in the current folder. A Tab sends no request.
    """  # noqa: D301 - click's mark for lines that stay as they are
    from click.shell_completion import get_completion_class

    from reconciler.cli import program

    prepare()
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(program, {}, "reconciler", VARIABLE).source())


def prepare() -> None:
    """Make click's completion do what it leaves out: an option with its value after a `=`, and values that hold one.

    Each shell divides such a word in its own way: bash at every `=`, `:` and `@`, zsh and fish not at all.
    """
    from click import shell_completion

    class Bash(shell_completion.BashComplete):
        # bash alone knows the line before it divided it
        source_template = shell_completion.BashComplete.source_template.replace(
            "env COMP_WORDS=", 'env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDS=', 1
        )

        def get_completion_args(self) -> tuple[list[str], str]:
            args, last = super().get_completion_args()
            line = os.environ.get("COMP_LINE", "")
            self._before = ""  # what bash leaves in front of a completion
            if line:
                words = shell_completion.split_arg_string(line)
                incomplete = "" if line[-1].isspace() else words.pop()
                args = words[1:]
                last = "" if last in ("=", ":", "@") else last
                if incomplete.endswith(last):
                    self._before, last = incomplete.removesuffix(last), incomplete
            return args, last

        def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
            found = _whole(super().get_completions(args, incomplete), incomplete)
            for item in found:
                item.value = item.value.removeprefix(self._before)
            return found

    class Zsh(shell_completion.ZshComplete):
        source_template = shell_completion.ZshComplete.source_template.replace(
            "_path_files", "compset -P '--*='; _path_files"
        )

        def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
            return _whole(super().get_completions(args, incomplete), incomplete)

    class Fish(shell_completion.FishComplete):
        def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
            return _whole(super().get_completions(args, incomplete), incomplete)

    for one in (Bash, Zsh, Fish):
        shell_completion.add_completion_class(one)


def _whole(found: list[CompletionItem[str]], incomplete: str) -> list[CompletionItem[str]]:
    """The completions of `--option=value` with the option, which click leaves out."""
    option, sign, _ = incomplete.partition("=")
    if sign and option.startswith("--"):
        for item in found:
            if item.type == "plain":
                item.value = f"{option}={item.value}"
    return found
