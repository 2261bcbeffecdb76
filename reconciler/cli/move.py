"""`reconciler move`: a patch that moves one person from a team to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli import editing, names
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from datetime import date


@click.command(short_help="Print a patch that moves a person between teams.")
@click.argument("person", shell_complete=names.people)
@click.option("--from", "leave", shell_complete=names.teams, metavar="TEAM", help="The team to leave.")
@click.option("--to", "join", shell_complete=names.teams, metavar="TEAM", help="The team to join.")
@editing.overlap_option
@editing.until_options
@editing.edit_options
def command(
    person: str,
    leave: str | None,
    join: str | None,
    overlap: date | None,
    expires: date | None,
    files: editing.Files,
) -> int:
    """Print a patch to the manifests at PATH that takes PERSON out of one team and puts them into another; with --from or
    --to alone, only one of the two.

    Whoever stops owning an organization by that gets a line that says so. Apply the patch with `git apply`. Needs neither
    network nor token.

    Exits 0 without a patch if PERSON has moved already, and 3 if nobody else would own an organization.
    """
    from reconciler.editing.edit import team_called
    from reconciler.editing.teams import move

    desired = files.found.desired
    if leave is None and join is None:
        raise UsageError("name the team to leave with --from, and the team to join with --to")
    teams = [team_called(name, desired) if name is not None else None for name in (leave, join)]
    if teams[0] == teams[1]:
        raise UsageError("--from and --to name the same team")
    if overlap is not None and (leave is None or join is None):
        raise UsageError("--overlap is for a move: it needs --from and --to")
    if expires is not None and join is None:
        raise UsageError("--until and --for say how long they are in the team of --to, so they need it")
    somebody = editing.who_is(person, files, new=leave is None)
    return files.make(
        lambda: move(
            files.texts, desired, files.found.lock, somebody, *teams,
            expires=expires, overlap=overlap, reason=files.reason,
        ),
        editing.called(somebody, files),
    )  # fmt: skip
