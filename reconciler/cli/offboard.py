"""`reconciler offboard`: a patch that removes one person from all manifests."""

from __future__ import annotations

import click

from reconciler.cli import editing, names


@click.command(short_help="Print a patch that removes a person everywhere.")
@click.argument("person", shell_complete=names.people)
@editing.edit_options
def command(person: str, files: editing.Files) -> int:
    """Print a patch to the manifests at PATH that removes PERSON from all teams, organizations and workspaces.

    PERSON is a name from the manifests, a Pipes handle, or the address of an invitation. Apply the patch with `git apply`;
    Pipes changes once it is merged and `reconciler apply` has run. Needs neither network nor token.

    Exits 3 if PERSON is the last owner of an organization, or could mean two people.
    """
    from reconciler.editing.offboard import take_out

    somebody = editing.who_is(person, files)
    return files.make(
        lambda: take_out(files.texts, files.found.desired, somebody, files.reason), editing.called(somebody, files)
    )
