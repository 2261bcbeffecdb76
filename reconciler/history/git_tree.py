"""The tree of a git revision, read object by object as data.

`git rev-parse` finds the tree, one `git cat-file --batch` gives its objects by their ids, and everything else (walking trees,
following links inside them) is done here. So nothing of the reviewed tree is run or obeyed: no hook, filter, textconv,
attribute, submodule or configuration. Source: git-rev-parse(1), git-cat-file(1), and Pro Git, "Git Objects", for what a tree
holds.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import IO, TYPE_CHECKING

from reconciler.history.git import ENVIRON, command, lacking, no_repository, no_revision, resolves, run
from reconciler.manifest import files
from reconciler.manifest.document import shown
from reconciler.manifest.files import DEFAULT_FILE, DEFAULT_FOLDER, SUFFIXES, Bounds
from reconciler.model.diagnostic import Diagnostic, Source
from reconciler.model.errors import ManifestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_LINKS = 40  # as Linux has it for one path (path_resolution(7))
MAX_SECONDS = 120  # for reading one revision
MAX_COPIES = 100  # places of one folder: more of them say the same again, or are a tree that names itself
FOLDER = "40000"
LINK = "120000"
SUBMODULE = "160000"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree: its mode as git writes it, its id, and its path from the top with all links followed."""

    mode: str
    id: str
    path: str


class _LeadsOutError(Exception):
    pass


class _CircleError(Exception):
    pass


@dataclass(slots=True)
class Tree:
    """A revision's tree, read object by object."""

    # Which tree
    revision: str  # as asked for
    root: str  # the id of the tree
    top: Path  # the folder of the working tree
    prefix: str  # the current folder, below that

    # The running `git cat-file`, and what is known from it whatever the revision
    ask: IO[bytes]  # its standard input
    answer: IO[bytes]  # its standard output
    known: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)  # trees that were read, by id
    barren: set[str] = field(default_factory=set)  # ids of trees without manifests, problems and links below

    # What may still be read
    bounds: Bounds = field(default_factory=Bounds)  # on files and bytes
    copies: Counter[str] = field(default_factory=Counter)  # how often a tree was visited, by its id
    until: float = field(
        default_factory=lambda: monotonic() + MAX_SECONDS
    )  # when reading has to end, by the monotonic clock

    def at(self, revision: str, root: str) -> Tree:
        """The tree of another revision of the same repository, by the tree's id; its bounds and its time begin again."""
        return Tree(revision, root, self.top, self.prefix, self.ask, self.answer, self.known, self.barren)

    def default(self) -> tuple[Path, ...]:
        """What a run without paths is about."""
        for name, is_folder_ in ((DEFAULT_FILE, False), (DEFAULT_FOLDER, True)):
            entry = self.find(Path(name))
            if entry is not None and (entry.mode == FOLDER) == is_folder_:
                return (Path(name),)
        return ()

    def find(self, path: Path) -> Entry | None:
        """What is at `path`; None for nothing, or for what cannot be followed."""
        try:
            return self._resolve(self._from_top(path), MAX_LINKS)
        except (_LeadsOutError, _CircleError):
            return None

    def manifests(self, path: Path, problems: list[Diagnostic], *, missing_ok: bool) -> Iterator[tuple[str, Entry]]:
        """The manifests at or below `path`, with the names that they have in the working tree's run."""
        entry = self._follow(path, self._from_top(path), problems)
        if entry is None:
            return
        if not entry.mode:
            if not missing_ok:
                problems.append(problem_at(path, f"there is no such file or folder at {shown(self.revision)}", None))
            return
        if entry.mode != FOLDER:
            yield path.as_posix(), entry
            return
        before = len(problems)
        found = sorted(
            self._below(path, entry, (), set(), problems), key=lambda item: Path(item[0]).relative_to(path).parts
        )
        if not found and not missing_ok and len(problems) == before:
            hint = "manifests are named *.yaml or *.yml; hidden ones are skipped"
            problems.append(problem_at(path, "the folder holds no manifest", hint))
        yield from found

    def _below(
        self, path: Path, folder: Entry, above: tuple[str, ...], visited: set[str], problems: list[Diagnostic]
    ) -> Iterator[tuple[str, Entry]]:
        """As `files` walks the working tree: links to folders are followed, except to one that holds the link."""
        if folder.path in above:
            problems.append(problem_at(path, "this link leads back to a folder that holds it", "remove the link"))
            return
        if folder.path in visited or folder.id in self.barren:
            return
        if len(above) > files.MAX_FOLDERS:
            problems.append(problem_at(path, files.TOO_DEEP, "name the folder with --path"))
            return
        visited.add(folder.path)
        self.copies[folder.id] += 1
        if self.copies[folder.id] > MAX_COPIES:
            problems.append(
                problem_at(path, f"the same folder is at more than {MAX_COPIES} places", "name the folder with --path")
            )
            raise ManifestError(problems)
        entries = self._entries(folder.id)
        if not self.bounds.entries(len(entries)):
            problems.append(problem_at(path, self.bounds.exceeded or "", "name the folder with --path"))
            raise ManifestError(problems)
        before, is_barren = len(problems), True
        for name in sorted(entries):
            if name.startswith("."):
                continue
            here = path / name
            is_barren = is_barren and entries[name][0] != LINK and not name.endswith(SUFFIXES)
            entry = self._follow(here, f"{folder.path}/{name}", problems, only=name.endswith(SUFFIXES))
            if entry is None:
                continue
            if entry.mode == FOLDER:
                yield from self._below(here, entry, (*above, folder.path), visited, problems)
                is_barren = is_barren and entry.id in self.barren
            elif entry.mode == SUBMODULE:
                fact = "this is a submodule; its manifests cannot be read at a revision of this repository"
                problems.append(problem_at(here, fact, "keep manifests in the repository itself"))
            elif name.endswith(SUFFIXES):
                if entry.mode:
                    yield here.as_posix(), entry
                else:
                    problems.append(problem_at(here, "this link leads nowhere", None))
        if is_barren and len(problems) == before:
            self.barren.add(folder.id)

    def _follow(self, path: Path, place: str, problems: list[Diagnostic], *, only: bool = True) -> Entry | None:
        """The entry at `place`, one without a mode where there is nothing, None where a problem was noted.

        Without `only` a link that cannot be followed is passed over: it has no name of a manifest.
        """
        try:
            found = self._resolve(place, MAX_LINKS)
        except _LeadsOutError:
            fact, hint = (
                "this leads out of the repository, and a revision does not say what is there",
                "name a path in it",
            )
        except _CircleError:
            fact, hint = "this link leads to itself", "remove the link"
        else:
            return found if found is not None else Entry("", "", place)
        if only:
            problems.append(problem_at(path, fact, hint))
        return None

    def read(self, name: str, entry: Entry, problems: list[Diagnostic]) -> bytes | None:
        """A file's bytes; None where a problem was noted."""
        if entry.mode in (FOLDER, SUBMODULE):
            problems.append(problem_at(Path(name), "this is not a regular file", None))
            return None
        size = self._header(entry.id, "blob")
        if size > files.MAX_BYTES or not self.bounds.file(size):
            for at in range(0, size, 1 << 20):
                self.answer.read(min(1 << 20, size - at))
            self.answer.read(1)
            if self.bounds.exceeded is None:
                problems.append(problem_at(Path(name), files.too_large(size), None))
            return None
        return self._body(size)

    def changed(self, before: str) -> Iterator[tuple[str, tuple[str, str], tuple[str, str]]]:
        """Each path from the top that is not the same in the tree `before`: its mode and id there, and here.

        A path that is not there has an empty mode, and is listed with what is below it.
        """
        todo = [("", before, self.root)]
        while todo:
            above, old, new = todo.pop()
            had, has = (self._entries(tree) if tree else {} for tree in (old, new))
            for name in {**had, **has}:
                was, now = had.get(name, ("", "")), has.get(name, ("", ""))
                if was == now:
                    continue
                there, here = (found[1] if found[0] == FOLDER else "" for found in (was, now))
                if there or here:
                    todo.append((f"{above}{name}/", there, here))
                if not (there and here):
                    yield f"{above}{name}", was, now

    def blob(self, wanted: str) -> bytes:
        """The bytes of a file by its id, which a tree names. Raises UsageError."""
        return self._body(self._header(wanted, "blob"))

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

    def _resolve(self, place: str, links: int) -> Entry | None:
        """The entry at `place`, a path from the top, with links followed as the kernel does, inside the tree only."""
        done: list[Entry] = [Entry(FOLDER, self.root, "")]
        todo = [part for part in reversed(place.split("/")) if part not in ("", ".")]
        while todo:
            part = todo.pop()
            if part == "..":
                if len(done) == 1:
                    raise _LeadsOutError
                done.pop()
                continue
            if done[-1].mode != FOLDER:
                return None
            mode, found = self._entries(done[-1].id).get(part, ("", ""))
            if not mode:
                return None
            if mode != LINK:
                above = done[-1].path
                done.append(Entry(mode, found, f"{above}/{part}" if above else part))
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
            header = self.answer.readline().split()
        except BrokenPipeError:
            header = []
        if len(header) != 3 or header[1].decode() != kind:
            raise UsageError(lacking(self.revision))
        return int(header[2])

    def _body(self, size: int) -> bytes:
        data = self.answer.read(size)
        self.answer.read(1)  # the newline behind it
        return data


@contextmanager
def open_tree(revision: str) -> Iterator[Tree]:
    """Open a revision of the repository that the current folder is in. Raises UsageError."""
    where = run("rev-parse", "--show-prefix", "--show-toplevel")
    if where.returncode:
        raise UsageError(no_repository(revision, where.stderr))
    prefix, top = os.fsdecode(where.stdout).split("\n")[:2]
    root = run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}^{{tree}}") if revision else None
    if root is None or root.returncode:
        raise UsageError(lacking(revision) if resolves(revision) else no_revision(revision))
    with subprocess.Popen(  # noqa: S603 - no shell, and nothing of the revision is an argument
        command("cat-file", "--batch"),
        env={**os.environ, **ENVIRON},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Tree(revision, root.stdout.decode().strip(), Path(top), prefix, process.stdin, process.stdout)
        finally:
            process.kill()


def problem_at(path: Path, fact: str, hint: str | None) -> Diagnostic:
    return Diagnostic("error", fact, Source(shown(path.as_posix(), 4096), 1, 1), hint)
