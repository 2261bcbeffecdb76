"""`reconciler fmt`: manifests in their canonical form."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import CHANGES, DONE, common
from reconciler.model.errors import ManifestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.diagnostic import Diagnostic

STDIN = "-"


@click.command(short_help="Lay manifests out in their canonical form.")
@common.paths_argument
@click.option("--check", is_flag=True, help="Write nothing; exit 2 when a manifest is not in its canonical form.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change, as a patch.")
def command(paths: tuple[Path, ...], check: bool, diff: bool) -> int:
    """Lay out the manifests at PATH (files or folders; by default orgs.yaml, else orgs/) as `import` writes them.

    Keys come in the order of the schema, names are sorted, quotes stand where they are needed, and comments stay with
    what they belong to; what the manifests say is not changed. With - as the only PATH, standard input is laid out on
    standard output. Nothing is written while one of the files is wrong. Needs neither network nor token.
    """
    if STDIN in map(str, paths):
        return _standard_input(paths, check=check, diff=diff)
    from reconciler.manifest.files import read_all
    from reconciler.report.text import escape

    texts, problems = read_all(paths)
    made = _made(texts, problems)
    changed = [name for name in texts if made[name] != texts[name]]
    if diff:
        _print_diff({name: texts[name] for name in changed}, made)
    elif not changed:
        click.echo(f"Nothing to change: {len(texts)} manifest{'s' * (len(texts) != 1)} in canonical form.")
    for name in () if diff else changed:
        if not check:
            path = Path(name)
            common.write_file(path, made[name].decode(), mode=stat.S_IMODE(path.stat().st_mode))
        click.echo(f"{escape(name)}: {'not in canonical form' if check else 'formatted'}.")
    return CHANGES if check and changed else DONE


def _standard_input(paths: tuple[Path, ...], *, check: bool, diff: bool) -> int:
    if len(paths) > 1:
        raise UsageError("- is standard input, and stands alone")
    texts = {STDIN: sys.stdin.buffer.read()}
    made = _made(texts, [])
    if diff:
        _print_diff(texts, made)
    elif not check:
        click.echo(made[STDIN].decode(), nl=False)
    return CHANGES if check and made != texts else DONE


def _made(texts: Mapping[str, bytes], problems: list[Diagnostic]) -> dict[str, bytes]:
    """Each manifest in canonical form. Raises ManifestError with the problems of all."""
    from reconciler.editing.canonical import canonical
    from reconciler.manifest import in_order

    made: dict[str, bytes] = {}
    found = list(problems)
    for name, data in texts.items():
        try:
            made[name] = canonical(name, data)
        except ManifestError as error:
            found += error.diagnostics
    if found:
        raise ManifestError(in_order(found, {name: at for at, name in enumerate(texts)}))
    return made


def _print_diff(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    from reconciler.editing.unified_diff import unified

    names = {name: "stdin" if name == STDIN else common.from_here(name) for name in before}
    patch = unified({names[n]: before[n] for n in names}, {names[n]: after[n] for n in names})
    click.echo(patch, nl=False)
