"""`reconciler offboard`: a patch that removes one person from all manifests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import clock
from reconciler.cli import DONE, ERROR, REFUSED, manifests, options, output_files
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from reconciler.editing.offboard import Somebody
    from reconciler.model.desired import Desired
    from reconciler.model.diagnostic import Refusal
    from reconciler.model.live import Lock


@click.command(short_help="Print a patch that removes a person everywhere.")
@click.argument("person")
@options.paths_argument
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write to FILE instead.")
def command(person: str, paths: tuple[Path, ...], out: Path | None) -> int:
    """Print a patch to the manifests at PATH that removes PERSON from all teams, organizations and workspaces.

    PERSON is a name from the manifests, a Pipes handle, or the address of an invitation. Apply the patch with `git apply`;
    Pipes changes once it is merged and `reconciler apply` has run. Needs neither network nor token.

    Exits 3 if PERSON is the last owner of an organization, or could mean two people.
    """
    from reconciler.editing.in_place import CannotEditError
    from reconciler.editing.offboard import take_out
    from reconciler.editing.unified_diff import unified
    from reconciler.manifest.files import read_all
    from reconciler.model.diagnostic import Refusal
    from reconciler.report.text import escape, render_refusals

    found = manifests.load(paths, clock.today())
    somebody = _who(person, found.desired, found.lock)
    if isinstance(somebody, Refusal):
        click.echo(render_refusals([somebody]), nl=False, err=True)
        return REFUSED
    texts, _ = read_all(paths)
    try:
        made = take_out(texts, found.desired, somebody)
    except CannotEditError as error:
        click.echo(f"Error: no patch can be made: {escape(str(error))}", err=True)
        return ERROR
    if made.refusals:
        click.echo(render_refusals(made.refusals), nl=False, err=True)
        return REFUSED
    names = {name: output_files.from_here(name) for name in made.texts}
    patch = unified({names[n]: texts[n] for n in names}, {names[n]: data for n, data in made.texts.items()})
    if out is not None:
        output_files.write_file(out, patch)
    else:
        click.echo(patch.encode(), nl=False)
    if not made.texts:
        click.echo("Note: there is nothing to remove; the manifests only state that they are absent", err=True)
    for note in made.notes:
        click.echo(f"Note: {escape(note)}", err=True)
    return DONE


def _who(person: str, desired: Desired, lock: Lock) -> Somebody | Refusal:
    """Whom the manifests mean. Raises UsageError, with near names, for nobody."""
    from difflib import get_close_matches

    from reconciler.editing.offboard import everyone, people_called
    from reconciler.model.diagnostic import Refusal

    found = people_called(person, desired, lock)
    if not found:
        near = get_close_matches(person, sorted(everyone(desired)), n=3, cutoff=0.5)
        meant = f"; did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else ""
        raise UsageError(f"{person} is nowhere in the manifests, by name, handle or address{meant}")
    if len(found) == 1:
        return found[0]
    names = [min(one.names) for one in found]
    return Refusal(
        "who-is-this",
        person,
        f"{person} is the name of one person here and the handle of another: {' and '.join(names)}",
        f"say which one by another word: the handle or address of {names[0]}, or the name {names[1]}",
        liftable=False,
    )
