"""`reconciler revoke`: a patch that takes a role away from one person."""

from __future__ import annotations

import click

from reconciler.cli import editing, names


@click.command(short_help="Print a patch that takes a role away from a person.")
@click.argument("person", shell_complete=names.people)
@click.argument("place", shell_complete=names.places, metavar="ORG[/WORKSPACE]")
@editing.edit_options
def command(person: str, place: str, files: editing.Files) -> int:
    """Print a patch to the manifests at PATH that takes PERSON's entry out of a workspace, or out of an organization and its
    workspaces.

    An owner's removal is stated with `absent: true`. Apply the patch with `git apply`. Needs neither network nor token.

    Exits 0 without a patch if PERSON has no role there, and 3 if a team or the ownership of the organization gives it, or
    if nobody else would own the organization.
    """
    from reconciler.editing.edit import place_called
    from reconciler.editing.grant import take

    desired = files.found.desired
    where = place_called(place, desired)
    somebody = editing.who_is(person, files)
    return files.make(
        lambda: take(files.texts, desired, files.found.lock, somebody, where, files.reason),
        editing.called(somebody, files),
    )
