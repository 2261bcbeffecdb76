"""What a release is made of, built once a session from this checkout."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("build", "hatchling", "twine", "check_wheel_contents")
MISSING = [name for name in TOOLS if importlib.util.find_spec(name) is None]


def python(*args, cwd, **environ):
    done = subprocess.run(
        [sys.executable, *map(str, args)], cwd=cwd, env={**os.environ, **environ}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def only(folder, pattern):
    (found,) = folder.glob(pattern)
    return found


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    """The sdist of this checkout, and the wheel that is built from that, as `python -m build` does it."""
    if MISSING:
        pytest.skip(f"not installed: {', '.join(MISSING)}")
    folder = tmp_path_factory.mktemp("dist")
    python("-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder
