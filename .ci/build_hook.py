# ruff: noqa: INP001 - a script of the build, in no package
"""Puts the git commit that a wheel or sdist is built from into the package, for `reconciler --version`."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):  # type: ignore[type-arg,misc]
    """Adds `reconciler/COMMIT`. An sdist has it already, so a wheel that is built from one keeps its commit."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or (Path(self.root) / "reconciler" / "COMMIT").exists():
            return
        git = ["git", "-C", self.root]
        try:
            inside = _output(*git, "rev-parse", "--show-toplevel")
            head = _output(*git, "rev-parse", "--verify", "HEAD")
        except (OSError, subprocess.CalledProcessError):
            return
        if Path(inside.strip()).resolve() == Path(self.root).resolve():  # not of a repository around it
            file = Path(mkdtemp()) / "COMMIT"
            file.write_text(head)
            build_data["force_include"][str(file)] = "reconciler/COMMIT"


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 fixed words and our root
