# ruff: noqa: INP001 - a script of an action, in no package
"""Write the manifests and the lock file of a git revision below a folder, as plain files.

    at_revision.py REVISION FOLDER [PATH...]

For a workflow that has a token and handles somebody else's pull request. A checkout would follow what the pull request
says about itself: links (an error message would quote a manifest that links to /proc/self/environ), filters,
attributes. Here git's objects are read as data, and each manifest is written under its own name.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from reconciler.cli import options
from reconciler.history import revision
from reconciler.lockfile import file as lockfile
from reconciler.manifest.files import lock_path
from reconciler.model.errors import ManifestError, UsageError
from reconciler.report import Validation
from reconciler.report.text import escape


def write(at: str, folder: Path, paths: list[Path]) -> None:
    """The files of `paths` at revision `at`. Raises ManifestError, UsageError."""
    folder = folder.resolve()
    for name, data in revision.texts(at, paths).items():
        file = (folder / name).resolve()
        if not file.is_relative_to(folder):
            raise UsageError(f"{name} is outside of the folder that the paths start from")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    lock = revision.lock(at, paths)
    os.chdir(folder)
    if lock:
        lockfile.write(lock_path(paths), lock)


def main() -> int:
    at, folder, *paths = sys.argv[1:]
    try:
        write(at, Path(folder), [Path(path) for path in paths])
    except ManifestError as error:
        options.Output("github", None, color=False).write(Validation(error.diagnostics, len(paths), 0))
        return 1
    except UsageError as error:
        click.echo(f"Error: {escape(str(error))}", err=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
