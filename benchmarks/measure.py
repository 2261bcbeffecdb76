"""Run a command as a process of its own and say what it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = (sys.executable, "-c", "from reconciler.cli import main; main()")
# ru_maxrss of children is the largest of all so far: each command runs below a process of its own, which reports it
_CHILD = """
import json, os, resource, signal, subprocess, sys, time
cap, *command = sys.argv[1:]
start = time.perf_counter()
process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0)
try:
    out, _ = process.communicate(timeout=float(cap))
except subprocess.TimeoutExpired:
    os.killpg(process.pid, signal.SIGKILL)
    out, _ = process.communicate()
    process.returncode = None
wall = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([process.returncode, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out[-20000:]]))
"""


@dataclass(frozen=True)
class Took:
    """`wall` and `cpu` in seconds (user and system, children included), `peak` in MB. `capped`: ended by us, unfinished."""

    wall: float
    cpu: float
    peak: float
    out: str
    capped: bool = False


def run(
    folder: Path, *command: str, cap: float = 3600, expect: str = "", environ: dict[str, str] | None = None
) -> Took:
    """One run. Ends the benchmark where the command fails, or does not print `expect`."""
    given = {**os.environ, "NO_COLOR": "1", "CHECKPOINT_DISABLE": "1", **(environ or {})}
    given.pop(
        "PYTHONDONTWRITEBYTECODE", None
    )  # with it, each run would compile our modules again: a third of a short one
    ran = subprocess.run(
        [sys.executable, "-I", "-c", _CHILD, str(cap), *command],
        cwd=folder, check=True, capture_output=True, text=True, env=given,
    )  # fmt: skip
    status, wall, cpu, peak, out = json.loads(ran.stdout)
    if status is None:
        return Took(wall, cpu, peak, out, capped=True)
    if status or expect not in out:
        sys.exit(f"{command} ended with {status} and without {expect!r}:\n{out[-2000:]}")
    return Took(wall, cpu, peak, out)


def several(times: int, folder: Path, *command: str, **options: object) -> Took:
    """The median of each figure over several runs; one that was capped is not run again."""
    found = []
    for _ in range(times):
        found.append(run(folder, *command, **options))  # type: ignore[arg-type]
        if found[-1].capped:
            return found[-1]
    return Took(
        median(t.wall for t in found), median(t.cpu for t in found), median(t.peak for t in found), found[-1].out
    )
