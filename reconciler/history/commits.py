"""The commits of the current branch that changed manifests: the first parents of HEAD, without what was merged into them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from reconciler.history import git
from reconciler.manifest.files import DEFAULT_FILE, DEFAULT_FOLDER, LOCK_FILE
from reconciler.model.errors import ManifestError, UsageError
from reconciler.model.history import Commit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FORMAT = "--format=%H%x00%ct%x00%an%x00%s%x00%T%x00"


def of_manifests(paths: Sequence[Path] = ()) -> list[Commit]:
    """The commits that changed the manifests at these paths, or their lock file; the oldest first. Raises UsageError.

    Without paths: those that changed `orgs.yaml`, `orgs/` or the lock file in the current folder.
    """
    chosen = [path.as_posix() for path in paths] or [DEFAULT_FILE, DEFAULT_FOLDER]
    beside = [(path.parent / LOCK_FILE).as_posix() for path in paths] or [LOCK_FILE]
    return _log("--reverse", "HEAD", "--", *dict.fromkeys([*chosen, *beside]))


def until_day(day: date) -> list[Commit]:
    """The commits of the current branch by the end of a day (UTC), by their committers' clocks; the last one first, and at
    least one. Raises UsageError.
    """
    found = [one for one in _log("HEAD") if one.day <= day]
    if not found:
        raise UsageError(f"--at {day.isoformat()}: this branch has no commit by that day")
    return found


def passed_over(commit: Commit, error: ManifestError | UsageError) -> str:
    """The note that the manifests of a commit cannot be used."""
    why = error.first if isinstance(error, ManifestError) else str(error)
    return f"the manifests of {commit.id[:10]} ({commit.day}) are passed over: {why}"


def at(revision: str) -> Commit:
    """The commit of a revision. Raises UsageError where there is none."""
    where = git.run("rev-parse", "--git-dir")
    if where.returncode:
        raise UsageError(git.no_repository(None, where.stderr))
    if revision.startswith("-") or not git.resolves(revision):
        raise UsageError(f"--at {revision}: {git.no_revision(revision)}")
    return _log("-1", revision, "--")[0]


def _log(*args: str) -> list[Commit]:
    ran = git.run(
        "--literal-pathspecs", "log", "--first-parent", "--no-show-signature", "--no-color", "-z", _FORMAT, *args
    )
    if ran.returncode:
        if not git.resolves("HEAD"):
            said = ran.stderr.decode("utf-8", "replace")
            if "does not have any commits" in said or "bad revision" in said:
                raise UsageError("this branch has no commits yet")
        raise UsageError(git.no_repository(None, ran.stderr))
    parts = ran.stdout.decode("utf-8", "replace").split("\0")
    return [
        Commit(
            parts[n].strip("\n"),
            datetime.fromtimestamp(int(parts[n + 1]), UTC).date(),
            parts[n + 2],
            parts[n + 3],
            parts[n + 4],
        )
        for n in range(0, len(parts) - 5, 6)
    ]
