"""Finds and reads the manifests of a run: the paths as given, folders searched, and only regular files read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.manifest.document import shown
from reconciler.model.diagnostic import Diagnostic, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEFAULT_FILE = "orgs.yaml"
DEFAULT_FOLDER = "orgs"
LOCK_FILE = "reconciler.lock.json"
# All manifests of a run together: a million rows, and less than a gigabyte of memory, of which each byte here takes about 25.
MAX_BYTES = 32 * 1024 * 1024
MAX_FILES = 10_000
MAX_ENTRIES = 200_000  # names in the folders that are searched, manifests or not
MAX_FOLDERS = 64  # depth of nested folders

SUFFIXES = (".yaml", ".yml")
TOO_DEEP = f"folders are nested more than {MAX_FOLDERS} deep here"


def too_large(size: int) -> str:
    """The error for a manifest of this size."""
    return f"the file has {size:,} bytes; at most {MAX_BYTES:,} are allowed"


def lock_path(paths: Sequence[str | Path]) -> Path:
    """Where the lock file of these manifests is: beside the first path, or in it if it is a folder."""
    chosen = tuple(paths) or default_paths()
    if not chosen:
        return Path(LOCK_FILE)
    first = Path(chosen[0])
    return (first if first.is_dir() else first.parent) / LOCK_FILE


def read_all(paths: Sequence[str | Path]) -> tuple[dict[str, bytes], list[Diagnostic]]:
    """The bytes of each manifest by its name (the path as given, joined below a given folder), and what went wrong."""
    problems: list[Diagnostic] = []
    texts: dict[str, bytes] = {}
    chosen = tuple(paths) or default_paths()
    if not chosen:
        fact = f"there are no manifests: the current folder has neither `{DEFAULT_FILE}` nor `{DEFAULT_FOLDER}/`"
        problems.append(Diagnostic("error", fact, hint="`reconciler init` starts here; or name the files or folders"))
    seen: set[str] = set()  # one file under two names is one file
    bounds = Bounds()
    for path in chosen:
        for file in _files(Path(path), problems, bounds):
            real = os.path.realpath(file)
            if real in seen:
                continue
            seen.add(real)
            data = _read(file, problems, bounds)
            if data is not None:
                texts[file.as_posix()] = data
            if bounds.exceeded is not None:
                problems.append(_at(file, bounds.exceeded, "name the folder that holds the manifests"))
                return texts, problems
    return texts, problems


class Bounds:
    """How much one run may still read; `exceeded` says what it read too much of."""

    def __init__(self) -> None:
        self.exceeded: str | None = None
        self._entries = self._files = self._bytes = 0

    def entries(self, number: int) -> bool:
        """Count names in a folder; False if there are too many."""
        self._entries += number
        if self._entries > MAX_ENTRIES:
            self.exceeded = f"the folders hold more than {MAX_ENTRIES:,} names"
        return self.exceeded is None

    def file(self, size: int) -> bool:
        """Count a manifest; False if it is one too many, or if all together are too large."""
        self._files += 1
        self._bytes += size
        if self._files > MAX_FILES:
            self.exceeded = f"these are more than {MAX_FILES:,} manifests"
        elif self._bytes > MAX_BYTES:
            self.exceeded = f"the manifests have more than {MAX_BYTES:,} bytes together"
        return self.exceeded is None


def has_manifests(folder: Path) -> bool:
    """Whether a folder holds a manifest, or something that keeps it from being searched."""
    problems: list[Diagnostic] = []
    return next(_below(folder, (), set(), problems, Bounds()), None) is not None or bool(problems)


def default_paths() -> tuple[str, ...]:
    """What is read if no path is given: `orgs.yaml`, else `orgs/`, in the current folder; empty without either."""
    if Path(DEFAULT_FILE).is_file():
        return (DEFAULT_FILE,)
    return (DEFAULT_FOLDER,) if Path(DEFAULT_FOLDER).is_dir() else ()


def _files(path: Path, problems: list[Diagnostic], bounds: Bounds) -> Iterator[Path]:
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError) as error:
        problems.append(_problem(path, error))
        return
    if not is_folder:
        yield path
        return
    before = len(problems)
    found = sorted(_below(path, (), set(), problems, bounds), key=lambda file: file.relative_to(path).parts)
    if bounds.exceeded is not None:
        problems.append(_at(path, bounds.exceeded, "name the folder that holds the manifests"))
    elif not found and len(problems) == before:
        problems.append(
            _at(path, "the folder holds no manifest", "manifests are named *.yaml or *.yml; hidden ones are skipped")
        )
    yield from found


def _below(
    folder: Path, above: tuple[str, ...], visited: set[str], problems: list[Diagnostic], bounds: Bounds
) -> Iterator[Path]:
    """The manifests in a folder and its folders. Links to folders are followed, except to one that holds the link."""
    if len(above) > MAX_FOLDERS:
        problems.append(_at(folder, TOO_DEEP, "name the folder that holds the manifests"))
        return
    real = os.path.realpath(folder)
    if real in above:
        problems.append(_at(folder, "this link leads back to a folder that holds it", "remove the link"))
        return
    # Links that fan out would otherwise be followed twice as often at each level.
    if real in visited:
        return
    visited.add(real)
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        problems.append(_problem(folder, error))
        return
    if not bounds.entries(len(entries)):
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if os.path.isdir(entry):  # noqa: PTH112 - Path.is_dir raises where the folder above may not be entered
            yield from _below(entry, (*above, real), visited, problems, bounds)
        elif entry.name.endswith(SUFFIXES):
            yield entry


def _read(path: Path, problems: list[Diagnostic], bounds: Bounds) -> bytes | None:
    try:
        status = path.stat()
        # Checked before opening: opening a pipe would wait for a writer.
        if not stat.S_ISREG(status.st_mode):
            problems.append(
                _at(path, "this is not a regular file", "manifests are files; a pipe or a device is not read")
            )
            return None
        if status.st_size > MAX_BYTES:
            problems.append(_at(path, too_large(status.st_size), None))
            return None
        return path.read_bytes() if bounds.file(status.st_size) else None
    except OSError as error:
        problems.append(_problem(path, error))
        return None


def _problem(path: Path, error: OSError | ValueError) -> Diagnostic:
    if isinstance(error, FileNotFoundError):
        return _at(path, "there is no such file or folder", None)
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _at(path, f"this cannot be read: {message}", None)


def _at(path: Path, fact: str, hint: str | None) -> Diagnostic:
    return Diagnostic("error", fact, Source(shown(path.as_posix(), 4096), 1, 1), hint)
