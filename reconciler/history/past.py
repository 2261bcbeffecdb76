"""The manifests of one commit after another, from one running git."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from reconciler.history import revision
from reconciler.history.git_tree import FOLDER, Entry, open_tree
from reconciler.history.other_people import is_line_by_line, others_between
from reconciler.manifest.files import LOCK_FILE, SUFFIXES
from reconciler.model.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from reconciler.history.git_tree import Tree
    from reconciler.manifest import logos
    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.history import Commit
    from reconciler.model.live import Lock

_FILES = ("100644", "100755", "100664")  # as git writes the mode of a file, the last one long ago


class Written(NamedTuple):
    """What a commit has: its manifests by name, its lock file, and what reads the pictures beside them."""

    texts: dict[str, bytes]
    lock: Lock
    pictures: logos.Reader


class _Seen(msgspec.Struct):
    """The commit that was looked at last."""

    root: str  # the id of its tree
    entries: dict[str, Entry]  # where each manifest is, by its name
    texts: dict[str, bytes]
    lock: Lock
    line_by_line: dict[str, bool] = msgspec.field(default_factory=dict)  # as far as it was asked


class Past:
    """Reads the manifests of commits, the oldest first."""

    def __init__(self, tree: Tree, paths: Sequence[Path]) -> None:
        self._tree = tree
        self._paths = paths
        self._seen: _Seen | None = None

    def read(self, commit: Commit) -> Written:
        """What a commit has. Raises ManifestError and UsageError for what cannot be read."""
        before, self._seen = self._seen, None
        known = {entry.id: before.texts[name] for name, entry in before.entries.items()} if before is not None else {}
        texts, entries = revision.texts_in(self._at(commit), self._paths, missing_ok=True, read=known)
        lock = revision.lock_in(self._at(commit), self._paths)
        if before is not None and lock == before.lock:
            lock = before.lock
        self._seen = _Seen(commit.tree, entries, texts, lock)
        return self._written(commit)

    def others_changed(self, commit: Commit, names: Collection[str]) -> frozenset[str] | None:
        """The people who are all that a commit is about, next to the one that was looked at last; None where it may be about
        `names`. The commit is then looked at, and `skipped` gives what it has.
        """
        seen = self._seen
        if seen is None:
            return None
        tree = self._at(commit)
        names_by_path = {entry.path: name for name, entry in seen.entries.items()}
        entries: dict[str, Entry] = {}
        texts: dict[str, bytes] = {}
        lock, others = seen.lock, frozenset[str]()
        for path, was, now in tree.changed(seen.root):
            name = names_by_path.get(path)
            regular = was[0] in _FILES and now[0] in _FILES
            if name is not None:
                found = self._others_in(tree, name, Entry(*now, path), names, texts) if regular else None
                if found is None:
                    return None
                others |= found
                entries[name] = Entry(*now, path)
            elif path.rpartition("/")[2] == LOCK_FILE:
                try:
                    lock = revision.lock_in(self._at(commit), self._paths)
                except ManifestError:
                    return None
                if _handles(lock) != _handles(seen.lock):
                    return None
            elif not regular and not _is_nothing(path, was[0], now[0]):
                return None  # it may be a manifest, or lead to one
        lines = {**seen.line_by_line, **dict.fromkeys(texts, True)}
        self._seen = _Seen(commit.tree, {**seen.entries, **entries}, {**seen.texts, **texts}, lock, lines)
        return others

    def skipped(self, commit: Commit) -> Written:
        """What a commit has that `others_changed` looked at just before."""
        return self._written(commit)

    def _written(self, commit: Commit) -> Written:
        assert self._seen is not None
        return Written(self._seen.texts, self._seen.lock, revision.pictures_in(self._at(commit)))

    def _others_in(
        self, tree: Tree, name: str, entry: Entry, names: Collection[str], texts: dict[str, bytes]
    ) -> frozenset[str] | None:
        seen = self._seen
        assert seen is not None
        before = seen.texts[name]
        if name not in seen.line_by_line:
            seen.line_by_line[name] = is_line_by_line(before)
        if not seen.line_by_line[name]:
            return None
        problems: list[Diagnostic] = []
        after = tree.read(name, entry, problems)
        if after is None:
            return None
        texts[name] = after
        return others_between(before, after, names)

    def _at(self, commit: Commit) -> Tree:
        return self._tree.at(commit.id, commit.tree)


def _is_nothing(path: str, *modes: str) -> bool:
    """Whether what comes or goes at a path is neither a manifest nor a link. What is in a folder is a path of its own."""
    return all(not mode or mode == FOLDER or (mode in _FILES and not path.endswith(SUFFIXES)) for mode in modes)


def _handles(lock: Lock) -> dict[str, tuple[str, str | None]]:
    """What a lock file says of who is who."""
    return {address: (entry.handle, entry.address) for address, entry in lock.items() if entry.handle is not None}


@contextmanager
def open_past(paths: Sequence[Path]) -> Iterator[Past]:
    """Open the repository that the current folder is in. Raises UsageError."""
    with open_tree("HEAD") as tree:
        yield Past(tree, paths)
