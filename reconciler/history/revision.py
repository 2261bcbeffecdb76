"""Reads manifests as they were at a git revision, or as they are in a folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.history.git import no_revision, resolves, run
from reconciler.history.git_tree import FOLDER, open_tree, problem_at
from reconciler.lockfile import file as lockfile
from reconciler.lockfile.find import Files, Sought, find, handles, on_disk
from reconciler.manifest import files, logos
from reconciler.manifest.document import shown
from reconciler.manifest.files import DEFAULT_FILE, DEFAULT_FOLDER, LOCK_FILE, lock_path, read_all
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.errors import ManifestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.history.git_tree import Entry, Tree
    from reconciler.model.desired import Desired
    from reconciler.model.live import Lock


_FIX = ", or name the folder that it is in with --path"
_IS_PATH = re.compile(r"^\.{0,2}/|^\.{1,2}$|/$")


def texts(revision_or_folder: str, paths: Sequence[Path] = (), *, missing_ok: bool = False) -> dict[str, bytes]:
    """The bytes of each manifest by its name.

    `paths` are files and folders as on the command line: relative to the current folder for a revision, and below the
    folder for a folder. Without paths: `orgs.yaml`, else `orgs/`, and in a folder that has neither the folder itself.
    With `missing_ok` what is not there holds nothing. Raises UsageError where there is no such revision or repository,
    ManifestError with every path that cannot be read.
    """
    if is_folder(revision_or_folder):
        return _in_folder(revision_or_folder, paths, missing_ok=missing_ok)
    with open_tree(revision_or_folder) as tree:
        return texts_in(tree, paths, missing_ok=missing_ok)[0]


def texts_in(
    tree: Tree, paths: Sequence[Path] = (), *, missing_ok: bool = False, read: Mapping[str, bytes] | None = None
) -> tuple[dict[str, bytes], dict[str, Entry]]:
    """The same of a tree that is open, and where each manifest is in it. `read` has bytes by id that need not be read again.

    Raises ManifestError with every path that cannot be read.
    """
    problems: list[Diagnostic] = []
    found: dict[str, bytes] = {}
    entries: dict[str, Entry] = {}
    chosen = tuple(paths) or tree.default()
    if not chosen and not missing_ok:
        fact = f"there are no manifests at {shown(tree.revision)}: neither `{DEFAULT_FILE}` nor `{DEFAULT_FOLDER}/`"
        problems.append(Diagnostic("error", fact, hint="name the files or folders with --path"))
    seen: set[str] = set()  # one file under two names is one file
    for path in chosen:
        for name, entry in tree.manifests(Path(path), problems, missing_ok=missing_ok):
            if entry.path in seen:
                continue
            seen.add(entry.path)
            entries[name] = entry
            known = read.get(entry.id) if read is not None else None
            data = known if known is not None and tree.bounds.file(len(known)) else tree.read(name, entry, problems)
            if data is not None:
                found[name] = data
            if tree.bounds.exceeded is not None:
                problems.append(problem_at(Path(name), tree.bounds.exceeded, "name the folder with --path"))
                raise ManifestError(problems)
    if problems:
        raise ManifestError(problems)
    return found, entries


def working(paths: Sequence[Path] = ()) -> dict[str, bytes]:
    """The same of the files as they are now. Raises ManifestError with every path that cannot be read."""
    found, problems = read_all(paths)
    if problems:
        raise ManifestError(problems)
    return found


def pictures(revision_or_folder: str) -> logos.Reader:
    """What reads the logos beside manifests that `texts` gave: as they stood there, and below their folders only."""
    if is_folder(revision_or_folder):
        return logos.read

    def read(manifest: str, path: str) -> bytes:
        with open_tree(revision_or_folder) as tree:
            return pictures_in(tree)(manifest, path)

    return read


def pictures_in(tree: Tree) -> logos.Reader:
    """The same for a tree that is open while they are read."""

    def read(manifest: str, path: str) -> bytes:
        folder = Path(manifest).parent
        problems: list[Diagnostic] = []
        base, entry = tree.find(folder), tree.find(folder / path)
        if entry is None or base is None:
            raise logos.PictureError(f"there is no such file at {shown(tree.revision)}, or it leads out of it")
        if base.path and not entry.path.startswith(f"{base.path}/"):
            raise logos.PictureError(logos.OUTSIDE)
        data = tree.read(path, entry, problems)
        if data is None:
            raise logos.PictureError(problems[0].summary)
        return data

    return read


def lock(revision_or_folder: str | None, paths: Sequence[Path] = (), desired: Desired | None = None) -> Lock:
    """The lock file of these manifests, as it stood there; empty where there was none. None is the working tree.

    `desired` is what they ask for, None if that is not known. Raises UsageError and ManifestError as `texts` does, and
    ManifestError for two lock files and for one that was passed over.
    """
    if revision_or_folder is None or is_folder(revision_or_folder):
        here = None if revision_or_folder is None else Path(revision_or_folder)
        chosen = tuple(paths) if here is None else _chosen_in(str(here), paths)
        default = lock_path(chosen)
        return lockfile.read(on_disk(_sought(default, chosen or (default.parent,), desired), here, _FIX))
    with open_tree(revision_or_folder) as tree:
        return lock_in(tree, paths, desired)


def lock_in(tree: Tree, paths: Sequence[Path] = (), desired: Desired | None = None) -> Lock:
    """The same of a tree that is open. Raises UsageError and ManifestError as `lock` does."""
    problems: list[Diagnostic] = []

    def read(path: Path) -> tuple[str, bytes] | None:
        entry = tree.find(path)
        if entry is None:
            return None
        data = tree.read(path.as_posix(), entry, problems)
        if data is None:
            raise ManifestError(problems)
        return entry.path, data

    def real(path: Path) -> Path | None:
        entry = tree.find(path)
        return tree.top / entry.path if entry is not None else None

    chosen = tuple(paths) or tree.default()
    folder = Path()
    if chosen:
        first = Path(chosen[0])
        entry = tree.find(first)
        folder = first if entry is not None and entry.mode == FOLDER else first.parent
    there = Files(read, real, lambda _: tree.top)
    path = find(_sought(folder / LOCK_FILE, chosen or (folder,), desired), there, _FIX)
    found = read(path)
    return lockfile.parse(path, found[1]) if found is not None else {}


def _sought(default: Path, given: Sequence[Path], desired: Desired | None) -> Sought:
    if desired is None:
        return Sought(default, given)
    return Sought(default, given, [name for name, _ in desired.files], handles(desired))


def is_folder(revision_or_folder: str) -> bool:
    """Whether a folder is meant: a path that shows it is one (`.`, `./old`, `/old`, `old/`), or no revision but a folder.

    Raises UsageError for what looks like an option.
    """
    if revision_or_folder.startswith("-"):
        raise UsageError(f"`{shown(revision_or_folder)}` looks like an option; a revision or a folder is wanted here")
    if not revision_or_folder or not Path(revision_or_folder).is_dir():
        return False
    if _IS_PATH.search(revision_or_folder):
        return True
    return shutil.which("git") is None or not resolves(revision_or_folder)


# --- folders ----------------------------------------------------------------------------------------------------------


def _chosen_in(folder: str, paths: Sequence[Path]) -> tuple[Path, ...]:
    here = Path(folder)
    if paths:
        return tuple(here / path for path in paths)
    if (here / DEFAULT_FILE).is_file():
        return (here / DEFAULT_FILE,)
    return (here / DEFAULT_FOLDER if (here / DEFAULT_FOLDER).is_dir() else here,)


def _in_folder(folder: str, paths: Sequence[Path], *, missing_ok: bool) -> dict[str, bytes]:
    chosen = _chosen_in(folder, paths)
    if missing_ok:
        chosen = tuple(path for path in chosen if path.is_symlink() or path.exists())
        if chosen == (Path(folder),) and not files.has_manifests(chosen[0]):
            chosen = ()
    if not chosen:
        return {}
    found, problems = read_all(chosen)
    if problems:
        raise ManifestError(problems)
    return found


# --- revisions --------------------------------------------------------------------------------------------------------


def merge_base(base: str, head: str) -> str:
    """The id of the commit where two revisions parted. Raises UsageError where there is none, and for folders."""
    for revision in (base, head):
        if is_folder(revision):
            raise UsageError(f"`{shown(revision)}` is a folder: only revisions have a merge base")
        if not resolves(revision):
            raise UsageError(no_revision(revision))
    found = run("merge-base", f"{base}^{{commit}}", f"{head}^{{commit}}")
    if found.returncode:
        raise UsageError(
            f"{shown(base)} and {shown(head)} have no commit in common; in CI, check out with `fetch-depth: 0`"
        )
    return found.stdout.decode().split("\n")[0]
