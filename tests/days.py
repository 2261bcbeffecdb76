"""Which tests could feel the day on which they run: the plugin that notes them, and the one that runs only those.

The suite's clock stands still in every Python process and in git's commits (`tests/stopped`), and `tests/test_clock.py`
finds code that reads another one. What is left to feel the day is what such a process meets: a program that is not Python,
or a certificate. So a test is noted when it, or a Python process that it started, starts such a program or relies on a
certificate that does not outlast every shift.

`NOTE` names the file that a run writes them into; `ONLY` names one whose tests are to be run. A line is JSON, since ids hold
any character: the id and what was met.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTE = "RECONCILER_NOTE_DAYS"
ONLY = "RECONCILER_ONLY_DAYS"
FELT = "RECONCILER_FELT"  # the file into which this process and those that it starts write what they meet

if NOTE in os.environ:
    _file = tempfile.NamedTemporaryFile(prefix="reconciler-felt-")  # noqa: SIM115 -- it goes with the process
    os.environ[FELT] = _file.name

# with these the clock of a process is moved, what it meets is noted, and git commits at the suite's moment; who builds an
# environment from nothing takes them along
MOVES = (
    FELT, "LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC", "FAKETIME_FORCE_MONOTONIC_FIX", "FAKETIME_SHARED",
    "NO_FAKE_STAT", "GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE",
)  # fmt: skip


@contextmanager
def noted(name: str) -> Iterator[None]:
    """Note the test that runs in this block, where it could feel the day."""
    if NOTE not in os.environ:
        yield
        return
    felt = Path(os.environ[FELT])
    felt.write_text("", encoding="utf-8")
    yield
    if met := sorted(set(felt.read_text(encoding="utf-8").splitlines())):
        with Path(os.environ[NOTE]).open("a", encoding="utf-8") as file:
            file.write(json.dumps([name, met]) + "\n")


def chosen() -> set[str] | None:
    """The ids of the tests to run; None for all."""
    if ONLY not in os.environ:
        return None
    return set(read(Path(os.environ[ONLY])))


def read(file: Path) -> list[str]:
    """The ids of tests in a file."""
    return [json.loads(line)[0] for line in file.read_text(encoding="utf-8").splitlines()]


def write(file: Path, names: list[str]) -> None:
    """Write a file of ids."""
    file.write_text("".join(json.dumps([name, []]) + "\n" for name in names), encoding="utf-8")


def clock_variables() -> dict[str, str]:
    """The variables of this process that move or stop a clock, or note what it meets, for an environment built from nothing."""
    return {name: os.environ[name] for name in MOVES if name in os.environ}


def is_moved() -> bool:
    """Whether the clock of this process is moved."""
    return "FAKETIME" in os.environ
