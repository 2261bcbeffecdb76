"""Run the tests that could feel the day on other days: `make days`.

The clock of every process is moved by libfaketime (https://github.com/wolfcw/libfaketime), which the PyPI package of that
name brings along. How long something takes stays real: threads wait by the monotonic clock, which is left alone. Files keep
their real times, too: Python would compile every module again.

The tests are those that the last run of the suite has noted (`RECONCILER_NOTE_DAYS`, see `days.py`), or all where there is
no such list. Those with the marker `unshifted` are skipped, and listed with their reasons. As many days are run at a time as
there are processors.
"""

from __future__ import annotations

import argparse
import atexit
import ctypes
import functools
import importlib.util
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from pathlib import Path

import days

ROOT = Path(__file__).parents[1]
DAYS = 4
HANGING = ("-o", "faulthandler_timeout=120")  # a test that takes so long prints where it is


def shifts(now: datetime) -> dict[str, datetime]:
    """The moments at which the suite is started, by name."""
    year = now.year
    while not leap(year) or datetime(year, 2, 29, tzinfo=UTC) <= now:
        year += 1
    return {
        "1 day later": now + timedelta(days=1),
        "29 February": datetime(year, 2, 29, 12, tzinfo=UTC),
        "last seconds of the year": datetime(now.year, 12, 31, 23, 59, 50, tzinfo=UTC),
        "500 days later": now + timedelta(days=500),
    }


def leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def library() -> Path | None:
    """Where libfaketime is; None where it is not installed."""
    found = importlib.util.find_spec("libfaketime")
    if found is None or not found.submodule_search_locations:
        return None
    file = Path(found.submodule_search_locations[0]) / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    return file if file.exists() else None


@functools.cache
def shared() -> str:
    """A semaphore and a piece of memory for libfaketime in all processes, as long as this process lives: `FAKETIME_SHARED`.

    Every process waits for the semaphore as it starts. Those that libfaketime makes itself are held by one process at a
    time, named after a process id, and left behind by who is killed: one killed at that moment stops all that start after
    it, and one that gets the id of a dead one ends. Ours lets everybody in and has a name of its own. The memory is for
    clocks that go faster, which these do not.
    """
    name = f"days-{os.getpid()}-{time.monotonic_ns()}"
    libc = ctypes.CDLL(None, use_errno=True)
    libc.sem_open.restype = ctypes.c_void_p
    if not libc.sem_open(f"/{name}".encode(), os.O_CREAT | os.O_EXCL, ctypes.c_uint(0o600), ctypes.c_uint(2**30)):
        raise OSError(ctypes.get_errno(), "no semaphore")
    memory = Path("/dev/shm") / name
    memory.touch(mode=0o600)
    os.truncate(memory, 4096)

    owner = os.getpid()

    def end() -> None:
        if os.getpid() != owner:  # a fork of this process ends as well
            return
        libc.sem_unlink(f"/{name}".encode())
        memory.unlink()

    atexit.register(end)
    return f"/{name} /{name}"


def moved(to: datetime) -> dict[str, str]:
    """The environment in which a process that is started now, and all that it starts, begin at `to`."""
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME": f"{(to - datetime.now(UTC)).total_seconds():+.0f}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # without it, what waits on a condition by the monotonic clock waits for no time at all: Python's lock spins
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        "FAKETIME_SHARED": shared(),
        "NO_FAKE_STAT": "1",
    }


def takes() -> bool:
    """Whether the clock of a process can be moved on this machine."""
    if days.is_moved():
        return True
    if library() is None:
        return False
    try:
        environ = {**os.environ, **moved(datetime(2000, 2, 29, 12, tzinfo=UTC))}
    except OSError:  # no shared memory
        return False
    done = subprocess.run(["date", "-u", "+%F"], env=environ, capture_output=True, text=True, check=False)
    return done.stdout == "2000-02-29\n"


def share(noted: list[str], day: int, turn: int) -> list[str]:
    """The part of the tests that the shift of this number runs in CI: one case of every fourth test function.

    The other days have the other functions, so that each is run on one of the days. With the next `turn` it is the next day, and
    after all of them another case, as far as there are so many.
    """
    cases: dict[str, list[str]] = {}
    for name in sorted(set(noted)):
        cases.setdefault(name.partition("[")[0], []).append(name)
    return [
        found[turn // DAYS % len(found)]
        for place, found in enumerate(cases.values())
        if (place + day + turn) % DAYS == 0
    ]


def turn() -> int:
    """A number that changes with each commit; 0 where there is none."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return int(done.stdout[:8], 16) if done.returncode == 0 else 0


def run(number: int, moment: datetime, noted: list[str], file: Path) -> tuple[int, str]:
    """Run these tests, or all where there are none, as if it were another moment: the exit status and what pytest said.

    `file` is written: the tests to run.
    """
    environ = {**os.environ, **moved(moment)}
    if noted:
        days.write(file, noted)
        environ[days.ONLY] = str(file.resolve())
    files = sorted({name.partition("::")[0] for name in noted})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", "-rfs", *HANGING, *files],
        env=environ, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(errors="replace")


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the tests that could feel the day on other days.")
    parser.add_argument("--noted", type=Path, help="the list of tests that the last run of the suite wrote")
    parser.add_argument("--share", action="store_true", help="run one case of each test function on two of the days")
    parser.add_argument("--day", type=int, choices=range(DAYS), help="run one of the days only")
    args = parser.parse_args()
    if not takes():
        print("NOT RUN: the clock cannot be moved here. libfaketime is needed, which is for Linux on x86-64.")
        return int(sys.platform == "linux" and os.uname().machine == "x86_64")
    noted: list[str] = []
    if args.noted is not None and args.noted.exists():
        noted = days.read(args.noted)
        print(f"{len(set(noted))} tests could feel the day; the clock of the others stands still.", flush=True)
    else:
        print("No list of tests that could feel the day: all are run.", flush=True)
    started, worst = {}, 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (name, moment) in enumerate(shifts(datetime.now(UTC)).items()):
            if args.day in {None, number}:
                tests = share(noted, number, turn()) if args.share else noted
                file = Path(f"{args.noted or '.days'}.{number}")
                started[pool.submit(run, number, moment, tests, file)] = f"{name}, {moment:%F %T} UTC"
        begun = time.monotonic()
        for future in as_completed(started):
            status, said = future.result()
            print(f"--- {started[future]}: {'passed' if status == 0 else 'FAILED'}, {time.monotonic() - begun:.0f} s")
            print(said, flush=True)
            worst = max(worst, status)
    return worst


if __name__ == "__main__":
    sys.exit(main())
