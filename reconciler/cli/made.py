"""The head of each report: when, where and from what it is made."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import reconciler
from reconciler import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.made import Made


def now(paths: Sequence[Path] = (), *, host: str = "", user: str = "") -> Made:
    """The head of a report that is made now from the manifests at `paths`; `host` and `user` where Pipes was asked."""
    from reconciler.kinds.secret import without_tokens
    from reconciler.model.made import Made

    head, dirty = revision(paths)
    return Made(_moment(), f"reconciler {version()}", host, without_tokens(user), head, dirty)


def show(head: Made) -> None:
    """Print the head on standard error, beside a format that has no place for it."""
    import click

    from reconciler.report import heading
    from reconciler.report.text import escape

    click.echo(escape(heading.line(head)), err=True)


def version() -> str:
    """The version of this tool."""
    return reconciler.__version__  # importlib.metadata would cost a tenth of a short run


def commit() -> str:
    """The git commit of this tool: noted when it was built, or by pip where it was installed from git (PEP 610)."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution

    noted = Path(__file__).parent.parent / "COMMIT"
    if noted.exists():
        return noted.read_text(encoding="ascii").strip()
    try:
        origin = json.loads(distribution("reconciler").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return ""
    found = origin.get("vcs_info", {}).get("commit_id", "")
    return found if isinstance(found, str) else ""


def revision(paths: Sequence[Path] = ()) -> tuple[str, bool]:
    """The git commit of the current folder, and whether the working tree differs from it; empty without a commit.

    A file that git does not track counts only among the manifests at `paths`, or the default ones: a saved plan or a
    report beside them changes nothing.
    """
    here = Path.cwd()
    if "GIT_DIR" not in os.environ and not any((folder / ".git").exists() for folder in (here, *here.parents)):
        return "", False  # without starting git
    from reconciler.history.git import run
    from reconciler.manifest.files import default_paths
    from reconciler.model.errors import UsageError

    try:
        head = run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except UsageError:  # no git
        return "", False
    found = head.stdout.decode("ascii", "replace").strip()
    if head.returncode != 0 or not found:
        return "", False
    status = run("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all").stdout.strip()
    chosen = [str(path) for path in paths] or list(default_paths())
    if not status and chosen:
        status = run("ls-files", "--others", "--exclude-standard", "--", *chosen).stdout.strip()
    return found, bool(status)


def _moment() -> str:
    """The moment in UTC; the one that SOURCE_DATE_EPOCH names, for builds that can be repeated (reproducible-builds.org)."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    try:
        at = datetime.fromtimestamp(int(epoch), UTC) if epoch else clock.now()
    except (ValueError, OverflowError, OSError):
        at = clock.now()
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
