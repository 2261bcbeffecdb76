"""Which files a run is about: the paths as given, folders searched, and nothing read that is not a regular file."""

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
MAX_BYTES = 256 * 1024 * 1024  # about four million rows; beyond it something else was named by mistake

_SUFFIXES = (".yaml", ".yml")


def lock_path(paths: Sequence[str | Path]) -> Path:
    """Where the lock file of these manifests is: in the folder of the first path, inside it where that is a folder."""
    chosen = tuple(paths) or _default()
    if not chosen:
        return Path(LOCK_FILE)
    first = Path(chosen[0])
    return (first if first.is_dir() else first.parent) / LOCK_FILE


def read_all(paths: Sequence[str | Path]) -> tuple[dict[str, bytes], list[Diagnostic]]:
    """The bytes of each manifest by its name (the path as given, joined below a given folder), and what went wrong."""
    problems: list[Diagnostic] = []
    texts: dict[str, bytes] = {}
    chosen = tuple(paths) or _default()
    if not chosen:
        fact = f"there are no manifests: neither `{DEFAULT_FILE}` nor `{DEFAULT_FOLDER}/` is in the current folder"
        problems.append(Diagnostic("error", fact, hint="name the files or folders"))
    seen: set[str] = set()  # one file under two names is one file
    for path in chosen:
        for file in _files(Path(path), problems):
            real = os.path.realpath(file)
            if real in seen:
                continue
            seen.add(real)
            data = _read(file, problems)
            if data is not None:
                texts[file.as_posix()] = data
    return texts, problems


def _default() -> tuple[str, ...]:
    if Path(DEFAULT_FILE).is_file():
        return (DEFAULT_FILE,)
    return (DEFAULT_FOLDER,) if Path(DEFAULT_FOLDER).is_dir() else ()


def _files(path: Path, problems: list[Diagnostic]) -> Iterator[Path]:
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError) as error:
        problems.append(_problem(path, error))
        return
    if not is_folder:
        yield path
        return
    before = len(problems)
    found = sorted(_below(path, (), set(), problems), key=lambda file: file.relative_to(path).parts)
    if not found and len(problems) == before:
        problems.append(
            _at(path, "the folder holds no manifest", "manifests are named *.yaml or *.yml; hidden ones are skipped")
        )
    yield from found


def _below(folder: Path, above: tuple[str, ...], visited: set[str], problems: list[Diagnostic]) -> Iterator[Path]:
    """The manifests in a folder and its folders. Links to folders are followed, except to one that holds the link."""
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
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if os.path.isdir(entry):  # noqa: PTH112 - Path.is_dir raises where the folder above may not be entered
            yield from _below(entry, (*above, real), visited, problems)
        elif entry.name.endswith(_SUFFIXES):
            yield entry


def _read(path: Path, problems: list[Diagnostic]) -> bytes | None:
    try:
        status = path.stat()
        # Asked before opening: opening a pipe would wait for a writer.
        if not stat.S_ISREG(status.st_mode):
            problems.append(
                _at(path, "this is not a regular file", "manifests are files; a pipe or a device is not read")
            )
            return None
        if status.st_size > MAX_BYTES:
            problems.append(_at(path, f"the file has {status.st_size:,} bytes; the bound is {MAX_BYTES:,}", None))
            return None
        return path.read_bytes()
    except OSError as error:
        problems.append(_problem(path, error))
        return None


def _problem(path: Path, error: OSError | ValueError) -> Diagnostic:
    if isinstance(error, FileNotFoundError):
        return _at(path, "there is no such file or folder", None)
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return _at(path, f"this cannot be read: {words}", None)


def _at(path: Path, fact: str, hint: str | None) -> Diagnostic:
    return Diagnostic("error", fact, Source(shown(path.as_posix(), 4096), 1, 1), hint)
