"""The command on a terminal, and somebody who types when asked, or before."""

from __future__ import annotations

import os
import pty
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2e.bench import Bench

QUESTIONS = (b"confirm: ", b"applies them: ")


def on_a_terminal(bench: Bench, answers: Sequence[bytes], *args: str, ahead: bytes = b"") -> tuple[int, str]:
    """Run `apply` with a terminal as standard input: `ahead` is typed before anything is asked, and one of `answers`
    to each question. Returns the exit status and what was printed.
    """
    from e2e.bench import PROGRAM

    master, slave = pty.openpty()
    os.write(master, ahead)
    process = subprocess.Popen(
        [*PROGRAM, "apply", *bench.local, *args],
        cwd=bench.folder,
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **bench.environ},
    )
    os.close(slave)
    assert process.stdout is not None
    out, waiting = b"", list(answers)
    while chunk := os.read(process.stdout.fileno(), 4096):
        out += chunk
        if waiting and out.endswith(QUESTIONS):
            os.write(master, waiting.pop(0))
    status = process.wait(timeout=60)
    process.stdout.close()
    os.close(master)
    assert b"Traceback" not in out
    return status, out.decode()
