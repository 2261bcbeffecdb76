"""Which tests could feel the day on which they run: the plugin that notes them, and the one that runs only those.

The suite's clock stands still in every Python process (`tests/stopped`), and `tests/test_clock.py` finds code that reads
another one. What is left to feel the day is what such a process meets: a program that is not Python, or a certificate. So a
test is noted when it starts such a program or encrypts a connection.

`NOTE` names the file that a run writes them into; `ONLY` names one whose tests are to be run. A test's line is its id as
JSON: ids hold any character.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTE = "RECONCILER_NOTE_DAYS"
ONLY = "RECONCILER_ONLY_DAYS"
PROGRAMS = {"subprocess.Popen", "os.posix_spawn", "os.spawn", "os.system", "os.exec"}

# with these the clock of a process is moved; who builds an environment from nothing takes them along
MOVES = ("LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC", "FAKETIME_FORCE_MONOTONIC_FIX", "NO_FAKE_STAT")

_felt = False


def _listen(event: str, args: tuple[object, ...]) -> None:
    global _felt  # noqa: PLW0603 -- an audit hook is for the whole process, and for ever
    if event in PROGRAMS and args[0] != sys.executable:
        _felt = True


if NOTE in os.environ:
    sys.addaudithook(_listen)
    _encrypt = ssl.SSLContext.wrap_socket

    def _encrypting(*args: Any, **options: Any) -> ssl.SSLSocket:
        global _felt  # noqa: PLW0603
        _felt = True
        return _encrypt(*args, **options)

    ssl.SSLContext.wrap_socket = _encrypting


@contextmanager
def noted(name: str) -> Iterator[None]:
    """Note the test that runs in this block, where it could feel the day."""
    global _felt  # noqa: PLW0603
    _felt = False
    yield
    if _felt and NOTE in os.environ:
        with Path(os.environ[NOTE]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(name) + "\n")


def chosen() -> set[str] | None:
    """The ids of the tests to run; None for all."""
    if ONLY not in os.environ:
        return None
    return set(read(Path(os.environ[ONLY])))


def read(file: Path) -> list[str]:
    """The ids of tests in a file."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def write(file: Path, names: list[str]) -> None:
    """Write a file of ids."""
    file.write_text("".join(json.dumps(name) + "\n" for name in names), encoding="utf-8")


def clock_variables() -> dict[str, str]:
    """The variables that move the clock of this process, for an environment that is built from nothing."""
    return {name: os.environ[name] for name in MOVES if name in os.environ}


def is_moved() -> bool:
    """Whether the clock of this process is moved."""
    return "FAKETIME" in os.environ
