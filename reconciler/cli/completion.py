"""`reconciler completion`: the script that lets a shell complete commands, options and names."""

from __future__ import annotations

import click

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

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(program, {}, "reconciler", VARIABLE).source())
