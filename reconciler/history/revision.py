"""Reads manifests as they were at a git revision, or as they are in a folder.

A revision is read as data: `git rev-parse` finds its tree, one `git cat-file --batch` gives its objects by their ids, and
everything else (walking trees, following links inside them) is done here. So nothing of the reviewed tree is run or
obeyed: no hook, filter, textconv, attribute, submodule or configuration. Source: git-rev-parse(1), git-cat-file(1), and
Pro Git, "Git Objects", for what a tree holds.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import IO, TYPE_CHECKING

from reconciler.lockfile import file as lockfile
from reconciler.manifest import files, logos
from reconciler.manifest.document import shown
from reconciler.manifest.files import DEFAULT_FILE, DEFAULT_FOLDER, LOCK_FILE, SUFFIXES, Bounds, lock_path, read_all
from reconciler.model.diagnostic import Diagnostic, Source
from reconciler.model.errors import ManifestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.model.live import Lock

MAX_LINKS = 40  # as Linux has it for one path (path_resolution(7))

_IS_PATH = re.compile(r"^\.{0,2}/|^\.{1,2}$|/$")
MAX_SECONDS = 120  # for reading one revision
_FOLDER, _LINK, _MODULE = "40000", "120000", "160000"

# Whatever the repository is set up to do beyond giving its objects is switched off; the user's and the machine's own
# configuration stays, since `safe.directory` is there.
_SETTINGS = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "safe.bareRepository=explicit")
_ENVIRON = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",  # an object that a partial clone lacks is an error, not a connection
    "GIT_ALLOW_PROTOCOL": "",  # the same for a git that does not know the former
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


def texts(revision_or_folder: str, paths: Sequence[Path] = (), *, missing_ok: bool = False) -> dict[str, bytes]:
    """The bytes of each manifest by its name.

    `paths` are files and folders as on the command line: relative to the current folder for a revision, and below the
    folder for a folder. Without paths: `orgs.yaml`, else `orgs/`, and in a folder that has neither the folder itself.
    With `missing_ok` what is not there holds nothing. Raises UsageError where there is no such revision or repository,
    ManifestError with every path that cannot be read.
    """
    if is_folder(revision_or_folder):
        return _in_folder(revision_or_folder, paths, missing_ok=missing_ok)
    problems: list[Diagnostic] = []
    found: dict[str, bytes] = {}
    with _tree(revision_or_folder) as tree:
        chosen = tuple(paths) or tree.default()
        if not chosen and not missing_ok:
            fact = f"there are no manifests at {shown(revision_or_folder)}: neither `{DEFAULT_FILE}` nor `{DEFAULT_FOLDER}/`"
            problems.append(Diagnostic("error", fact, hint="name the files or folders with --path"))
        seen: set[str] = set()  # one file under two names is one file
        for path in chosen:
            for name, entry in tree.manifests(Path(path), problems, missing_ok=missing_ok):
                if entry.path in seen:
                    continue
                seen.add(entry.path)
                data = tree.read(name, entry, problems)
                if data is not None:
                    found[name] = data
                if tree.bounds.exceeded is not None:
                    problems.append(_at(Path(name), tree.bounds.exceeded, "name the folder with --path"))
                    raise ManifestError(problems)
    if problems:
        raise ManifestError(problems)
    return found


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
        folder = Path(manifest).parent
        problems: list[Diagnostic] = []
        with _tree(revision_or_folder) as tree:
            base, entry = tree.find(folder), tree.find(folder / path)
            if entry is None or base is None:
                raise logos.PictureError(f"there is no such file at {shown(revision_or_folder)}, or it leads out of it")
            if base.path and not entry.path.startswith(f"{base.path}/"):
                raise logos.PictureError(logos.OUTSIDE)
            data = tree.read(path, entry, problems)
        if data is None:
            raise logos.PictureError(problems[0].summary)
        return data

    return read


def lock(revision_or_folder: str, paths: Sequence[Path] = ()) -> Lock:
    """The lock file beside these manifests, as it stood there; empty where there was none.

    Raises UsageError and ManifestError as `texts` does.
    """
    if is_folder(revision_or_folder):
        return lockfile.read(lock_path(_chosen_in(revision_or_folder, paths)))
    with _tree(revision_or_folder) as tree:
        chosen = tuple(paths) or tree.default()
        folder = Path()
        if chosen:
            first = Path(chosen[0])
            entry = tree.find(first)
            folder = first if entry is not None and entry.mode == _FOLDER else first.parent
        name = folder / LOCK_FILE
        entry = tree.find(name)
        if entry is None:
            return {}
        problems: list[Diagnostic] = []
        data = tree.read(name.as_posix(), entry, problems)
        if data is None:
            raise ManifestError(problems)
    return lockfile.parse(name, data)


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
    return shutil.which("git") is None or not _resolves(revision_or_folder)


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


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a tree: its mode as git writes it, its id, and its path from the top with all links followed."""

    mode: str
    id: str
    path: str


class _LeadsOutError(Exception):
    pass


class _CircleError(Exception):
    pass


@dataclass(slots=True)
class _Tree:
    """A revision's tree, read object by object."""

    # Which tree
    revision: str  # as asked for
    root: str  # the id of the tree
    top: Path  # the folder of the working tree
    prefix: str  # the current folder, below that

    # The running `git cat-file`
    ask: IO[bytes]
    answer: IO[bytes]
    known: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)  # trees that were read, by id

    # What may still be read
    bounds: Bounds = field(default_factory=Bounds)
    barren: set[str] = field(default_factory=set)  # ids of trees without manifests, problems and links below
    until: float = field(default_factory=lambda: monotonic() + MAX_SECONDS)

    def default(self) -> tuple[Path, ...]:
        """What a run without paths is about."""
        for name, is_folder_ in ((DEFAULT_FILE, False), (DEFAULT_FOLDER, True)):
            entry = self.find(Path(name))
            if entry is not None and (entry.mode == _FOLDER) == is_folder_:
                return (Path(name),)
        return ()

    def find(self, path: Path) -> _Entry | None:
        """What is at `path`; None for nothing, or for what cannot be followed."""
        try:
            return self._resolve(self._from_top(path), MAX_LINKS)
        except (_LeadsOutError, _CircleError):
            return None

    def manifests(self, path: Path, problems: list[Diagnostic], *, missing_ok: bool) -> Iterator[tuple[str, _Entry]]:
        """The manifests at or below `path`, with the names that they have in the working tree's run."""
        entry = self._follow(path, self._from_top(path), problems)
        if entry is None:
            return
        if not entry.mode:
            if not missing_ok:
                problems.append(_at(path, f"there is no such file or folder at {shown(self.revision)}", None))
            return
        if entry.mode != _FOLDER:
            yield path.as_posix(), entry
            return
        before = len(problems)
        found = sorted(
            self._below(path, entry, (), set(), problems), key=lambda item: Path(item[0]).relative_to(path).parts
        )
        if not found and not missing_ok and len(problems) == before:
            hint = "manifests are named *.yaml or *.yml; hidden ones are skipped"
            problems.append(_at(path, "the folder holds no manifest", hint))
        yield from found

    def _below(
        self, path: Path, folder: _Entry, above: tuple[str, ...], visited: set[str], problems: list[Diagnostic]
    ) -> Iterator[tuple[str, _Entry]]:
        """As `files` walks the working tree: links to folders are followed, except to one that holds the link."""
        if folder.path in above:
            problems.append(_at(path, "this link leads back to a folder that holds it", "remove the link"))
            return
        if folder.path in visited or folder.id in self.barren:
            return
        if len(above) > files.MAX_FOLDERS:
            problems.append(_at(path, files.TOO_DEEP, "name the folder with --path"))
            return
        visited.add(folder.path)
        entries = self._entries(folder.id)
        if not self.bounds.entries(len(entries)):
            problems.append(_at(path, self.bounds.exceeded or "", "name the folder with --path"))
            raise ManifestError(problems)
        before, is_barren = len(problems), True
        for name in sorted(entries):
            if name.startswith("."):
                continue
            here = path / name
            is_barren = is_barren and entries[name][0] != _LINK and not name.endswith(SUFFIXES)
            entry = self._follow(here, f"{folder.path}/{name}", problems, only=name.endswith(SUFFIXES))
            if entry is None:
                continue
            if entry.mode == _FOLDER:
                yield from self._below(here, entry, (*above, folder.path), visited, problems)
                is_barren = is_barren and entry.id in self.barren
            elif entry.mode == _MODULE:
                fact = "this is a submodule; its manifests cannot be read at a revision of this repository"
                problems.append(_at(here, fact, "keep manifests in the repository itself"))
            elif name.endswith(SUFFIXES):
                if entry.mode:
                    yield here.as_posix(), entry
                else:
                    problems.append(_at(here, "this link leads nowhere", None))
        if is_barren and len(problems) == before:
            self.barren.add(folder.id)

    def _follow(self, path: Path, place: str, problems: list[Diagnostic], *, only: bool = True) -> _Entry | None:
        """The entry at `place`, one without a mode where there is nothing, None where a problem was noted.

        Without `only` a link that cannot be followed is passed over: it has no name of a manifest.
        """
        try:
            found = self._resolve(place, MAX_LINKS)
        except _LeadsOutError:
            fact, hint = "this leads out of the repository, where no revision tells what there was", "name a path in it"
        except _CircleError:
            fact, hint = "this link leads to itself", "remove the link"
        else:
            return found if found is not None else _Entry("", "", place)
        if only:
            problems.append(_at(path, fact, hint))
        return None

    def read(self, name: str, entry: _Entry, problems: list[Diagnostic]) -> bytes | None:
        """A file's bytes; None where a problem was noted."""
        if entry.mode in (_FOLDER, _MODULE):
            problems.append(_at(Path(name), "this is not a regular file", None))
            return None
        size = self._header(entry.id, "blob")
        if size > files.MAX_BYTES or not self.bounds.file(size):
            for at in range(0, size, 1 << 20):
                self.answer.read(min(1 << 20, size - at))
            self.answer.read(1)
            if self.bounds.exceeded is None:
                problems.append(_at(Path(name), files.too_large(size), None))
            return None
        return self._body(size)

    def _from_top(self, path: Path) -> str:
        if not path.is_absolute():
            return f"{self.prefix}{path.as_posix()}"
        try:
            return path.relative_to(self.top).as_posix()
        except ValueError:
            # The top that git names has its links resolved, the path as given may not.
            try:
                return (path.parent.resolve() / path.name).relative_to(self.top).as_posix()
            except ValueError:
                return ".."

    def _resolve(self, place: str, links: int) -> _Entry | None:
        """The entry at `place`, a path from the top, with links followed as the kernel does, inside the tree only."""
        done: list[_Entry] = [_Entry(_FOLDER, self.root, "")]
        todo = [part for part in reversed(place.split("/")) if part not in ("", ".")]
        while todo:
            part = todo.pop()
            if part == "..":
                if len(done) == 1:
                    raise _LeadsOutError
                done.pop()
                continue
            if done[-1].mode != _FOLDER:
                return None
            mode, found = self._entries(done[-1].id).get(part, ("", ""))
            if not mode:
                return None
            if mode != _LINK:
                above = done[-1].path
                done.append(_Entry(mode, found, f"{above}/{part}" if above else part))
                continue
            links -= 1
            if links < 0:
                raise _CircleError
            target = os.fsdecode(self._body(self._header(found, "blob")))
            if target.startswith("/"):
                raise _LeadsOutError
            todo.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
        return done[-1]

    def _entries(self, tree: str) -> Mapping[str, tuple[str, str]]:
        """Each name's mode and id. A tree object is a row of `MODE NAME NUL ID`."""
        found = self.known.get(tree)
        if found is None:
            found = self.known[tree] = {}
            data, at, width = self._body(self._header(tree, "tree")), 0, len(tree) // 2
            while at < len(data):
                end = data.index(0, at)
                mode, _, name = data[at:end].partition(b" ")
                found[os.fsdecode(name)] = (mode.decode(), data[end + 1 : end + 1 + width].hex())
                at = end + 1 + width
        return found

    def _header(self, wanted: str, kind: str) -> int:
        """Ask for an object; its size. Raises UsageError if the repository does not have it, or when time is up."""
        if monotonic() > self.until:
            raise UsageError(
                f"reading {shown(self.revision)} takes more than {MAX_SECONDS} seconds; name the folder with --path"
            )
        try:
            self.ask.write(f"{wanted}\n".encode())
            self.ask.flush()
            words = self.answer.readline().split()
        except BrokenPipeError:
            words = []
        if len(words) != 3 or words[1].decode() != kind:
            raise UsageError(_lacking(self.revision))
        return int(words[2])

    def _body(self, size: int) -> bytes:
        data = self.answer.read(size)
        self.answer.read(1)  # the newline behind it
        return data


@contextmanager
def _tree(revision: str) -> Iterator[_Tree]:
    """Open a revision of the repository that the current folder is in. Raises UsageError."""
    where = _git("rev-parse", "--show-prefix", "--show-toplevel")
    if where.returncode:
        raise UsageError(_no_repository(revision, where.stderr))
    prefix, top = os.fsdecode(where.stdout).split("\n")[:2]
    if not _resolves(revision):
        raise UsageError(_no_revision(revision))
    root = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}^{{tree}}")
    if root.returncode:
        raise UsageError(_lacking(revision))
    with subprocess.Popen(  # noqa: S603 - no shell, and nothing of the revision is an argument
        _command("cat-file", "--batch"),
        env={**os.environ, **_ENVIRON},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield _Tree(revision, root.stdout.decode().strip(), Path(top), prefix, process.stdin, process.stdout)
        finally:
            process.kill()


def merge_base(base: str, head: str) -> str:
    """The id of the commit where two revisions parted. Raises UsageError where there is none, and for folders."""
    for revision in (base, head):
        if is_folder(revision):
            raise UsageError(f"`{shown(revision)}` is a folder: only revisions have a merge base")
        if not _resolves(revision):
            raise UsageError(_no_revision(revision))
    found = _git("merge-base", f"{base}^{{commit}}", f"{head}^{{commit}}")
    if found.returncode:
        raise UsageError(
            f"{shown(base)} and {shown(head)} have no commit in common; in CI, check out with `fetch-depth: 0`"
        )
    return found.stdout.decode().split("\n")[0]


def _command(*args: str) -> list[str]:
    program = shutil.which("git")
    if program is None:
        raise UsageError("reading a revision needs git, which is not installed; two folders can be compared without")
    return [program, *(word for setting in _SETTINGS for word in ("-c", setting)), *args]


def _git(*args: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603 - no shell, and a revision never begins with a dash
        _command(*args),
        env={**os.environ, **_ENVIRON},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def _resolves(revision: str) -> bool:
    # git takes nothing at all before `^{commit}` for HEAD
    return bool(revision) and _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").returncode == 0


def _no_repository(revision: str, said: bytes) -> str:
    words = said.decode("utf-8", "replace")
    if "dubious ownership" in words:
        return (
            "git does not read this repository: its folder belongs to somebody else;"
            f" if you trust it: git config --global --add safe.directory {shown(str(Path.cwd()), 4096)}"
        )
    if "not a git repository" in words:
        return f"`{shown(revision)}` is no folder, and the current folder is in no git repository"
    lines = [line for line in words.splitlines() if line.strip()]
    return f"git cannot read this repository: {shown(lines[0], 400) if lines else 'it does not say why'}"


def _no_revision(revision: str) -> str:
    if ".." in revision:
        return f"`{shown(revision)}` names no single revision; write BASE and HEAD as two words"
    if _resolves(f"origin/{revision}"):
        return f"`{shown(revision)}` is no revision here; did you mean `origin/{shown(revision)}`?"
    return (
        f"`{shown(revision)}` is neither a revision of this repository nor a folder; if it exists elsewhere, `git fetch` it;"
        " in CI, check out with `fetch-depth: 0`"
    )


def _lacking(revision: str) -> str:
    return f"the repository lacks a part of {shown(revision)}: fetch it whole, without --filter"


def _at(path: Path, fact: str, hint: str | None) -> Diagnostic:
    return Diagnostic("error", fact, Source(shown(path.as_posix(), 4096), 1, 1), hint)
