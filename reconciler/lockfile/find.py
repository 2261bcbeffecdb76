"""Which lock file belongs to the manifests that a run reads: the one beside them. Two, or one passed over, are an error."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.manifest.document import shown
from reconciler.manifest.files import LOCK_FILE
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

FIX = (
    "keep the one that is right (`git log` shows which is newer), delete the other, and run `reconciler lock`: it adds what "
    "it can find in Pipes"
)


def find(
    default: Path,
    given: Sequence[Path],
    files: Iterable[str],
    orgs: Collection[str],
    read: Callable[[Path], bytes | None],
    top: Path | None,
) -> Path:
    """Where the lock file of `files` is, or would be.

    `given` are the paths of the command line, `default` where a new lock file goes. `read` gives a file's bytes, None where
    there is none. `top` is the folder up to which a lock file may have been passed over, None for nowhere. Raises
    ManifestError, which names both, for two lock files, and for one above the manifests that knows their orgs.
    """
    beside = [path for path in _once(_beside(default, given, files)) if read(path) is not None]
    near = {os.path.realpath(path) for path in beside}
    above = [p for p in _once(_above(given, top)) if os.path.realpath(p) not in near and _knows(read(p), orgs)]
    if len(beside) + len(above) > 1:
        first, second = [*beside, *above][:2]
        fact = f"these manifests have two lock files, {_said(first)} and {_said(second)}: only one can say who is who"
        raise ManifestError([Diagnostic("error", fact, hint=FIX)])
    if above:
        fact = f"the lock file of these manifests would be {_said(default)}, which is not there; {_said(above[0])} knows them"
        hint = f"move {_said(above[0])} to {_said(default)}, or name the folder that it is in as PATH"
        raise ManifestError([Diagnostic("error", fact, hint=hint)])
    return beside[0] if beside else default


def _once(paths: Iterable[Path]) -> list[Path]:
    """The paths without those that lead to a file that an earlier one leads to."""
    found: dict[str, Path] = {}
    for path in paths:
        found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _beside(default: Path, given: Sequence[Path], files: Iterable[str]) -> Iterator[Path]:
    """The places of a lock file from each path that was given down to the manifests that were read there."""
    yield default
    tops = {Path(os.path.normpath(path)) for path in given}
    for file in files:
        folder = Path(os.path.normpath(file)).parent
        places = []
        for place in (folder, *folder.parents):
            places.append(place / LOCK_FILE)
            if place in tops:
                break
        else:
            places = places[:1]
        yield from places


def _above(given: Sequence[Path], top: Path | None) -> Iterator[Path]:
    """The places of a lock file above the paths that were given, up to `top`."""
    for path in given if top is not None else ():
        here = Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are named
        for folder in here.parents if top in here.parents else ():
            yield _short(folder / LOCK_FILE)
            if folder == top:
                break


def _short(path: Path) -> Path:
    """The path from the current folder where it is below it."""
    return path.relative_to(Path.cwd()) if Path.cwd() in path.parents else path


def _knows(data: bytes | None, orgs: Collection[str]) -> bool:
    return data is not None and any(f'"org.{org}"'.encode() in data or f'"org.{org}/'.encode() in data for org in orgs)


def _said(path: Path) -> str:
    return shown(path.as_posix(), 4096)


def of_run(paths: Sequence[Path], default: Path, files: Iterable[str], orgs: Collection[str]) -> Path:
    """The same for manifests in the working tree. Raises ManifestError."""
    given = [Path(path) for path in paths] or [default.parent]
    here = Path.cwd()
    top = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)

    def read(path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except OSError:
            return b"" if path.is_symlink() or path.exists() else None

    return find(default, given, files, orgs, read, top)
