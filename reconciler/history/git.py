"""Runs git with everything switched off that a repository could make it do, and explains why it did not answer."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from reconciler.manifest.document import shown
from reconciler.model.errors import UsageError

# Whatever the repository is set up to do beyond giving its objects is switched off; the user's and the machine's own
# configuration stays, since `safe.directory` is there.
SETTINGS = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "safe.bareRepository=explicit")
ENVIRON = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",  # an object that a partial clone lacks is an error, not a connection
    "GIT_ALLOW_PROTOCOL": "",  # the same for a git that does not know the former
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


def command(*args: str) -> list[str]:
    program = shutil.which("git")
    if program is None:
        raise UsageError("reading a revision needs git, which is not installed; two folders can be compared without")
    return [program, *(word for setting in SETTINGS for word in ("-c", setting)), *args]


def run(*args: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603 - no shell, and a revision never begins with a dash
        command(*args),
        env={**os.environ, **ENVIRON},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def resolves(revision: str) -> bool:
    # git takes nothing at all before `^{commit}` for HEAD
    return bool(revision) and run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").returncode == 0


def no_repository(revision: str | None, said: bytes) -> str:
    """What is wrong where git reads no repository, as it `said`. `revision` might have been a folder, too, if it is given."""
    message = said.decode("utf-8", "replace")
    if "dubious ownership" in message:
        return (
            "git does not read this repository: its folder belongs to somebody else;"
            f" if you trust it: git config --global --add safe.directory {shown(str(Path.cwd()), 4096)}"
        )
    if "not a git repository" in message:
        start = f"`{shown(revision)}` is not a folder, and " if revision is not None else ""
        return f"{start}the current folder is not in a git repository"
    lines = [line for line in message.splitlines() if line.strip()]
    return f"git cannot read this repository: {shown(lines[0], 400) if lines else 'it does not say why'}"


def no_revision(revision: str) -> str:
    if ".." in revision:
        return f"`{shown(revision)}` names no single revision; write BASE and HEAD as two words"
    if resolves(f"origin/{revision}"):
        return f"`{shown(revision)}` is not a revision here; did you mean `origin/{shown(revision)}`?"
    return (
        f"`{shown(revision)}` is neither a revision of this repository nor a folder; if it exists elsewhere, `git fetch` it;"
        " in CI, check out with `fetch-depth: 0`"
    )


def lacking(revision: str) -> str:
    return f"the repository lacks a part of {shown(revision)}: fetch it whole, without --filter"
