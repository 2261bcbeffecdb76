"""`reconciler fmt`: rewrites manifests in their canonical form."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import CHANGES, DONE, options, output_files
from reconciler.model.errors import ManifestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.diagnostic import Diagnostic

STDIN = "-"


@click.command(short_help="Format manifests.")
@options.paths_argument
@click.option("--check", is_flag=True, help="Write nothing; exit 2 if a manifest is not formatted.")
@click.option("--diff", is_flag=True, help="Write nothing; print the changes as a patch.")
def command(paths: tuple[Path, ...], check: bool, diff: bool) -> int:
    """Format the manifests at PATH (files or folders; by default orgs.yaml, else orgs/) as `import` writes them.

    Keys are put in the order of the schema and names are sorted; quotes stay only where they are needed, and comments stay
    with their entries. The meaning does not change. With - as the only PATH, standard input is formatted to standard
    output. If one file has an error, no file is written. Needs neither network nor token.
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
        click.echo(f"Nothing to change: {len(texts)} manifest{'s' * (len(texts) != 1)} formatted already.")
    for name in () if diff else changed:
        if not check:
            output_files.write_file(Path(name), made[name].decode(), follow=True, keep=True)
        click.echo(f"{escape(name)}: {'not formatted' if check else 'formatted'}.")
    return CHANGES if check and changed else DONE


def _standard_input(paths: tuple[Path, ...], *, check: bool, diff: bool) -> int:
    if len(paths) > 1:
        raise UsageError("- means standard input and cannot be combined with other paths")
    texts = {STDIN: sys.stdin.buffer.read()}
    made = _made(texts, [])
    if diff:
        _print_diff(texts, made)
    elif not check:
        click.echo(made[STDIN], nl=False)
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

    names = {name: "stdin" if name == STDIN else output_files.from_here(name) for name in before}
    patch = unified({names[n]: before[n] for n in names}, {names[n]: after[n] for n in names})
    click.echo(patch.encode(), nl=False)
