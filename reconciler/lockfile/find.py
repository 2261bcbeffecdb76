"""Which lock file belongs to the manifests that a run reads: the one beside them. Two, or one passed over, are an error."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from reconciler.manifest.document import shown
from reconciler.manifest.files import LOCK_FILE
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from reconciler.model.desired import Desired

FIX = (
    "keep the one that is right (`git log` shows which is newer), delete the other, and run `reconciler lock`: it adds what "
    "it can find in Pipes"
)


class Sought(msgspec.Struct, frozen=True):
    """The manifests whose lock file is wanted."""

    default: Path  # where a new lock file goes
    given: Sequence[Path]  # the files and folders that were named, or the default ones
    files: Iterable[str] = ()  # every manifest that was read there
    orgs: Collection[str] = ()  # the handles of their orgs


class Files(msgspec.Struct, frozen=True):
    """Where the manifests and lock files are: on disk, or in a revision."""

    # the bytes of a file, with its name once all links are followed; None where there is no file
    read: Callable[[Path], tuple[str, bytes] | None]
    real: Callable[[Path], Path | None]  # an absolute path once all links are followed; None where there is nothing
    top: Callable[[Path], Path]  # up to which folder a lock file in a folder, or above it, may have been passed over


def find(sought: Sought, files: Files, fix: str = ", or name the folder that it is in as PATH") -> Path:
    """Where the lock file is, or would be.

    Raises ManifestError, which names both, for two lock files, and for one that was passed over: it knows the orgs, and is
    above the manifests, or beside or above what a link among them leads to. `fix` is what helps there beside moving it.
    """
    read = files.read
    beside = _once(_beside(sought), read)
    above = {real: at for real, at in _once(_above(sought, files), read).items() if real not in beside}
    knowing = [path for path, data in above.values() if _knows(data, sought.orgs)]
    there = [path for path, _ in beside.values()]
    if len(there) + len(knowing) > 1:
        first, second = [*there, *knowing][:2]
        fact = f"these manifests have two lock files, {_said(first)} and {_said(second)}: only one can say who is who"
        raise ManifestError([Diagnostic("error", fact, hint=FIX)])
    if knowing:
        wanted, passed = _said(sought.default), _said(knowing[0])
        fact = f"the lock file of these manifests would be {wanted}, which is not there; {passed} knows them"
        raise ManifestError([Diagnostic("error", fact, hint=f"move {passed} to {wanted}{fix}")])
    return there[0] if there else sought.default


def _once(paths: Iterable[Path], read: Callable[[Path], tuple[str, bytes] | None]) -> dict[str, tuple[Path, bytes]]:
    """The files that are there, each once however many paths lead to it."""
    found: dict[str, tuple[Path, bytes]] = {}
    for path in dict.fromkeys(paths):
        there = read(path)
        if there is not None:
            found.setdefault(there[0], (path, there[1]))
    return found


def _beside(sought: Sought) -> Iterator[Path]:
    """The places of a lock file from each path that was given down to the manifests that were read there."""
    yield sought.default
    tops = {Path(os.path.normpath(path)) for path in sought.given}
    for folder in dict.fromkeys(Path(os.path.dirname(os.path.normpath(file))) for file in sought.files):  # noqa: PTH120
        places = []
        for place in (folder, *folder.parents):
            places.append(place / LOCK_FILE)
            if place in tops:
                break
        else:
            places = places[:1]
        yield from places


def _above(sought: Sought, files: Files) -> Iterator[Path]:
    """The places of a lock file above the paths that were given, and above what the manifests are once links are followed."""
    named: list[str | Path] = [*sought.given, *sought.files]
    starts = [Path(os.path.abspath(path)) for path in sought.given]  # noqa: PTH100 - links stay as they are named
    starts += [real for path in named if (real := files.real(Path(path))) is not None]
    folders: dict[Path, None] = {}
    for below in dict.fromkeys(start.parent for start in starts):
        top = files.top(below)
        for folder in (below, *below.parents) if top == below or top in below.parents else ():
            folders[folder] = None
            if folder == top:
                break
    yield from (_short(folder / LOCK_FILE) for folder in folders)


def _short(path: Path) -> Path:
    """The path from the current folder where it is below it."""
    return path.relative_to(Path.cwd()) if Path.cwd() in path.parents else path


def _knows(data: bytes, orgs: Collection[str]) -> bool:
    return any(f'"org.{org}"'.encode() in data or f'"org.{org}/'.encode() in data for org in orgs)


def _said(path: Path) -> str:
    return shown(path.as_posix(), 4096)


def on_disk(sought: Sought, here: Path | None = None, fix: str = ", or name the folder that it is in as PATH") -> Path:
    """The same for manifests on disk; with `here`, for those in that folder and not in the current one."""

    def real(path: Path) -> Path | None:
        found = os.path.realpath(path)
        return Path(found) if here is None or found.startswith(os.path.realpath(here) + os.sep) else None

    def top(path: Path) -> Path:
        above = path if here is None else Path(os.path.abspath(here))  # noqa: PTH100 - links stay as they are named
        return next(
            (folder for folder in (above, *above.parents) if (folder / ".git").exists()),
            Path(above.anchor) if here is None else above,
        )

    def read(path: Path) -> tuple[str, bytes] | None:
        try:
            return os.path.realpath(path), path.read_bytes()
        except OSError:
            return (os.path.realpath(path), b"") if path.is_symlink() or path.exists() else None

    return find(sought, Files(read, real, top), fix)


def of_run(paths: Sequence[Path], default: Path, desired: Desired) -> Path:
    """The lock file of the manifests at the paths of a command line. Raises ManifestError."""
    given = [Path(path) for path in paths] or [default.parent]
    return on_disk(Sought(default, given, [name for name, _ in desired.files], handles(desired)))


def handles(desired: Desired) -> set[str]:
    """The handles by which a lock file may know the orgs of the manifests: what they are called, and were."""
    return {*desired.orgs, *(node.renamed_from for node in desired.orgs.values() if node.renamed_from)}
