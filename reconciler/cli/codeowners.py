"""`reconciler codeowners`: the manifests' approvals as a CODEOWNERS file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import clock
from reconciler.cli import manifests, options
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDERS = (".github", "", "docs")  # where GitHub looks, in this order


@click.command(short_help="Print the approvals as a CODEOWNERS file.")
@options.paths_argument
@click.option("--check", is_flag=True, help="Exit 2 if the file does not have these lines.")
@click.option("--write", is_flag=True, help="Put the lines into the file, between two marks.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The CODEOWNERS file. Default: the one that GitHub finds, else .github/CODEOWNERS.",
)
def command(paths: tuple[Path, ...], check: bool, write: bool, path: Path | None) -> int:
    """Print who owns which manifest by the `approvals:`, for a forge that checks by file.

    This is less exact than `approvals`: a forge sees that a file changed, not what the change does.
    """
    from reconciler.cli import CHANGES, DONE
    from reconciler.policy import codeowners

    if check and write:
        raise UsageError("--check and --write do not go together")
    found = manifests.load(paths, clock.today())
    root = _root()
    files = {name: _from_root(name, root) for name, _ in found.desired.files}
    block = list(codeowners.lines(found.desired, files))
    if not (check or write):
        for line in block:
            click.echo(line)
        return DONE
    target = path if path is not None else _there(root)
    text = target.read_text(encoding="utf-8") if target.exists() else ""
    try:
        wanted = codeowners.written(text, block)
    except ValueError as error:
        raise UsageError(f"{target}: {error}") from None
    if wanted == text:
        click.echo(f"{target} is up to date.", err=True)
        return DONE
    if check:
        click.echo(f"{target} is not what the approvals say. To write it: reconciler codeowners --write", err=True)
        return CHANGES
    from reconciler.cli.output_files import SHARED, write_file

    target.parent.mkdir(parents=True, exist_ok=True)
    write_file(target, wanted, mode=SHARED, keep=True)
    click.echo(f"Wrote {target}.", err=True)
    return DONE


def _root() -> Path:
    """The root of the repository around the current folder; outside of a repository, the current folder."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)


def _there(root: Path) -> Path:
    found: Sequence[Path] = [root / folder / "CODEOWNERS" for folder in FOLDERS]
    return next((path for path in found if path.exists()), found[0])


def _from_root(name: str, root: Path) -> str:
    path = Path(name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise UsageError(f"{name} is outside the repository, so CODEOWNERS cannot name it")
    return path.relative_to(root.resolve()).as_posix()
