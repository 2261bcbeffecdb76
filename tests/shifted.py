"""Run the tests that could feel the day on other days: `make days`.

The clock of every process is moved by libfaketime (https://github.com/wolfcw/libfaketime), which the PyPI package of that
name brings along. How long something takes stays real: threads wait by the monotonic clock, which is left alone. Files keep
their real times, too: Python would compile every module again.

The tests are those that the last run of the suite has noted (`RECONCILER_NOTE_DAYS`, see `days.py`), or all where there is
no such list. Those with the marker `unshifted` are skipped, and listed with their reasons.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import days

ROOT = Path(__file__).parents[1]


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


def moved(to: datetime) -> dict[str, str]:
    """The environment in which a process that is started now, and all that it starts, begin at `to`."""
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME": f"{(to - datetime.now(UTC)).total_seconds():+.0f}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # without it, what waits on a condition by the monotonic clock waits for no time at all: Python's lock spins
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        "NO_FAKE_STAT": "1",
    }


def takes() -> bool:
    """Whether the clock of a process can be moved on this machine."""
    if days.is_moved():
        return True
    if library() is None:
        return False
    environ = {**os.environ, **moved(datetime(2000, 2, 29, 12, tzinfo=UTC))}
    done = subprocess.run(["date", "-u", "+%F"], env=environ, capture_output=True, text=True, check=False)
    return done.stdout == "2000-02-29\n"


def share(noted: list[str], number: int, of: int) -> list[str]:
    """The part of the tests that the shift of this number runs: each test function on one day at least.

    Of a function with several cases each day runs another one, so that as many are tried as there are days.
    """
    cases: dict[str, list[str]] = {}
    for name in sorted(set(noted)):
        cases.setdefault(name.partition("[")[0], []).append(name)
    chosen = []
    for place, found in enumerate(cases.values()):
        turn = (number - place) % of
        few = min(len(found), of)
        if turn < few:
            chosen.append(found[turn * len(found) // few])
    return chosen


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the tests that could feel the day on other days.")
    parser.add_argument("--noted", type=Path, help="the list of tests that the last run of the suite wrote")
    parser.add_argument("--share", action="store_true", help="run each test function on one of the days only")
    args = parser.parse_args()
    if not takes():
        print("NOT RUN: the clock cannot be moved here. libfaketime is needed, which is for Linux on x86-64.")
        return int(sys.platform == "linux" and os.uname().machine == "x86_64")
    environ = dict(os.environ)
    noted: list[str] = []
    if args.noted is not None and args.noted.exists():
        noted = days.read(args.noted)
        print(f"{len(noted)} tests could feel the day; the clock of the others stands still.")
    else:
        print("No list of tests that could feel the day: all are run.")
    files: list[str] = []
    said, worst = [], 0
    moments = shifts(datetime.now(UTC))
    for number, (name, moment) in enumerate(moments.items()):
        begun = time.monotonic()
        print(f"--- {name}: {moment:%F %T} UTC", flush=True)
        if noted:
            file = args.noted.with_suffix(".now")
            names = share(noted, number, len(moments)) if args.share else noted
            days.write(file, names)
            files = sorted({name.partition("::")[0] for name in names})
            environ[days.ONLY] = str(file.resolve())
        status = subprocess.run(
            [sys.executable, "-m", "pytest", "-n", "auto", "-rfs", "-p", "no:cacheprovider", *files],
            env={**environ, **moved(moment)},
            cwd=ROOT,
            check=False,
        ).returncode
        said.append(f"{name}: {'passed' if status == 0 else 'FAILED'} in {time.monotonic() - begun:.0f} s")
        worst = max(worst, status)
    print("\n".join(said))
    return worst


if __name__ == "__main__":
    sys.exit(main())
