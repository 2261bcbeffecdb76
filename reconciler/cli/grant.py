"""`reconciler grant`: a patch that gives one person a role."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli import editing, names

if TYPE_CHECKING:
    from datetime import date


@click.command(short_help="Print a patch that gives a person a role.")
@click.argument("person", shell_complete=names.people)
@click.argument("role", shell_complete=names.roles)
@click.argument("place", shell_complete=names.places, metavar="ORG[/WORKSPACE]")
@editing.until_options
@editing.edit_options
def command(person: str, role: str, place: str, expires: date | None, files: editing.Files) -> int:
    """Print a patch to the manifests at PATH that gives PERSON a role in an organization or a workspace.

    PERSON is a name from the manifests, a Pipes handle, or an address. PERSON joins a team instead if one there gives
    exactly that. Whoever is not in the organization yet becomes
    a member. Apply the patch with `git apply`. Needs neither network nor token.

    Exits 0 without a patch if PERSON has the role already, and 3 if the manifests do not list the people of that place.
    """
    from reconciler.editing.edit import place_called, role_called
    from reconciler.editing.grant import give

    desired = files.found.desired
    where = place_called(place, desired)
    what = role_called(role, where)
    somebody = editing.who_is(person, files, new=True)
    return files.make(
        lambda: give(
            files.texts, desired, files.found.lock, somebody, where, what, expires=expires, reason=files.reason
        ),
        editing.called(somebody, files),
    )
