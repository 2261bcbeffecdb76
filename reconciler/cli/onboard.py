"""`reconciler onboard`: a patch that lets somebody new in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli import editing, names
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from datetime import date


@click.command(short_help="Print a patch that lets somebody new in.")
@click.argument("email")
@click.option("--as", "name", metavar="NAME", required=True, help="What the manifests call them.")
@click.option(
    "--like",
    shell_complete=names.people,
    metavar="PERSON",
    help="Copy the teams and roles of PERSON, but no ownership and nothing that ends.",
)
@click.option(
    "--team",
    "teams",
    shell_complete=names.teams,
    multiple=True,
    metavar="TEAM",
    help="Put them into TEAM. May be repeated.",
)
@editing.until_options
@editing.edit_options
def command(
    email: str, name: str, like: str | None, teams: tuple[str, ...], expires: date | None, files: editing.Files
) -> int:
    """Print a patch to the manifests at PATH that gives somebody new a name in `people:`, and teams or roles.

    EMAIL is the address that the invitation goes to, or their Pipes handle. Apply the patch with `git apply`. Needs neither
    network nor token.

    Exits 0 without a patch if the manifests say all of that already.
    """
    from reconciler.editing.edit import team_called
    from reconciler.editing.teams import let_in
    from reconciler.manifest import json_schema

    desired, defs = files.found.desired, json_schema.schema()["$defs"]
    address = defs["person"]["properties"]["email"] if "@" in email else defs["handle"]
    if not json_schema.matches(address, email):
        raise UsageError(f"{email} is neither an email address nor a Pipes handle")
    if not json_schema.matches(defs["name"], name):
        raise UsageError(f"--as {name}: this cannot be a name in the manifests")
    if expires is not None and like is None and not teams:
        raise UsageError("--until and --for say how long a team or a role counts: name one with --team or --like")
    joined = [team_called(team, desired) for team in teams]
    model = editing.who_is(like, files) if like is not None else None
    return files.make(
        lambda: let_in(
            files.texts, desired, files.found.lock, name, email,
            like=model, teams=joined, expires=expires, reason=files.reason,
        ),
        name,
    )  # fmt: skip
