"""Which mistakes in the code that decides no test would notice: `make mutants`, with cosmic-ray. Hours; SAMPLE=40 takes some at random.

Each mutant is one small change, such as `<` for `<=`, in a copy of the checkout. First the tests of its room run against it; if they
pass, it is named as a survivor. That a wider test would kill it remains possible: try it by hand before you call it a hole.

    mutants.py COSMIC_RAY [SAMPLE] [SEED]
"""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".mutants"
ROOMS = {  # what is changed, and the tests that run against it, the quickest first
    "reconciler/plan": "tests/plan tests/identity/test_one_person_one_name.py",
    "reconciler/safeguards": "tests/plan tests/identity/test_one_person_one_name.py",
    "reconciler/policy": "tests/policy",
    "reconciler/lockfile": "tests/lock tests/identity/test_forged_lock_file.py",
    "reconciler/apply/perform.py": "tests/apply/test_exit_status.py tests/apply/test_converges.py",
}


def main() -> int:
    cosmic_ray, *numbers = sys.argv[1:]
    cosmic_ray = str(Path(cosmic_ray).absolute())
    sample, seed = int(numbers[0]) if numbers and numbers[0] else None, int(numbers[1]) if numbers[1:] else 0
    copy = PLACE / "checkout"
    shutil.rmtree(copy, ignore_errors=True)
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
        "\n"
    )
    for name in filter(None, tracked):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)

    sessions = [session(cosmic_ray, copy, room, tests) for room, tests in ROOMS.items()]
    narrow(sessions, sample, seed)
    # the copy's modules before the checkout's, and a journal of nobody's
    environ = {**os.environ, "PYTHONPATH": str(copy), "PYTEST_ADDOPTS": "-x -p no:cacheprovider -p no:xdist"}
    for config, database in sessions:
        with closing(sqlite3.connect(database)) as held:
            if not held.execute("SELECT 1 FROM work_items").fetchone():
                continue
        # if the tests fail without a change, no mutant says anything
        subprocess.run([cosmic_ray, "baseline", config], cwd=copy, env=environ, check=True)
        subprocess.run([cosmic_ray, "exec", config, database], cwd=copy, env=environ, check=True)
    return report(sessions)


def session(cosmic_ray: str, copy: Path, room: str, tests: str) -> tuple[Path, Path]:
    """The configuration and the database of one room, with all its mutants."""
    name = room.removesuffix(".py").replace("/", "-")
    config, database = PLACE / f"{name}.toml", PLACE / f"{name}.sqlite"
    database.unlink(missing_ok=True)
    command = f"{shlex.quote(sys.executable)} -m pytest -q {tests}"
    config.write_text(
        f"[cosmic-ray]\nmodule-path = {json.dumps(room)}\ntimeout = 900.0\nexcluded-modules = []\n"
        f"test-command = {json.dumps(command)}\n[cosmic-ray.distributor]\nname = 'local'\n"
    )
    subprocess.run([cosmic_ray, "init", config, database], cwd=copy, check=True)
    return config, database


def narrow(sessions: list[tuple[Path, Path]], sample: int | None, seed: int) -> None:
    """Leave a random sample, the same for the same code and seed, or all but those of `|`, which is mostly in annotations."""
    every = []
    for _, database in sessions:
        with closing(sqlite3.connect(database)) as held:
            query = "SELECT job_id, operator_name FROM mutation_specs ORDER BY module_path, operator_name, occurrence"
            every += [(database, job, "Operator_BitOr_" in operator) for job, operator in held.execute(query)]
    wanted = [(database, job) for database, job, passed_over in every if not passed_over]
    kept = set(wanted if sample is None else random.Random(seed).sample(wanted, min(sample, len(wanted))))
    print(f"{len(kept)} of {len(wanted)} mutants", flush=True)
    for _, database in sessions:
        rows = [(job,) for held_by, job, _ in every if held_by == database and (database, job) not in kept]
        with closing(sqlite3.connect(database)) as held, held:
            for table in ("mutation_specs", "work_items"):
                held.executemany(f"DELETE FROM {table} WHERE job_id = ?", rows)


def report(sessions: list[tuple[Path, Path]]) -> int:
    """Print the survivors with their changes, and the score: the share that a test noticed."""
    outcomes: list[str] = []
    for _, database in sessions:
        with closing(sqlite3.connect(database)) as held:
            for outcome, module, diff in held.execute(
                "SELECT test_outcome, module_path, diff FROM work_results JOIN mutation_specs USING (job_id)"
            ):
                outcomes.append(outcome)
                if "SURVIVED" in outcome.upper():
                    print(f"\n{module}\n{diff}")
    survived = sum("SURVIVED" in outcome.upper() for outcome in outcomes)
    killed = sum("KILLED" in outcome.upper() for outcome in outcomes)
    print(
        f"\n{len(outcomes)} mutants: {killed} noticed, {survived} survived, {len(outcomes) - killed - survived} neither"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
