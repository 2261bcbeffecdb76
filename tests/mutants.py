"""Which mistakes in the code that decides no test would notice: `make mutants`. Hours; SAMPLE=150 takes some at random.

A mutant is one small change, such as `<` for `<=`, made by cosmic-ray in a copy of the checkout. `TESTS` run once without a
change, and what they reach is noted line by line. Against a mutant only the tests that reach its line run, one case of each
function first and the quick before the slow, until one fails. A mutant that survives is printed. Try a wider test by hand
before you call it a hole: tests that start the command as a process of its own are not among these.

    mutants.py PYTHON [SAMPLE] [SEED]    PYTHON has cosmic-ray; `coverage` is on PYTHONPATH
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".mutants"
COPY = PLACE / "checkout"
REACHED, SECONDS = PLACE / "reached", PLACE / "seconds.json"  # which test reached which line, and how long each took
ROOMS = (
    *(f"reconciler/{room}/**/*.py" for room in ("plan", "safeguards", "policy", "lockfile")),
    "reconciler/apply/perform.py",
)
TESTS = (  # those that are about the rooms, without the few that try thousands of cases
    *("tests/plan", "tests/policy", "tests/lock", "tests/identity", "--deselect=tests/identity/test_forgeries.py"),
    *(f"tests/apply/test_{name}.py" for name in ("exit_status", "due", "converges")),
    *(f"tests/e2e/test_{name}.py" for name in ("safeguards", "shards", "renames", "reviewed_plan", "expiry")),
)
QUICK = "tests/plan/test_cases.py::test_a_manifest_and_what_is_live_give_exactly_this_plan[nothing-to-do]"
LOG = PLACE / "log"
AT_MOST = 300.0  # seconds of tests against one mutant
PYTEST = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist")


def main() -> int:
    python, *numbers = sys.argv[1:]
    sample, seed = int(numbers[0]) if numbers and numbers[0] else None, int(numbers[1]) if numbers[1:] else 0
    digest = copied()
    wanted = json.dumps([ROOMS, sample, seed])
    command = (Path(python).absolute(), __file__, "--make", wanted)
    made = subprocess.run(command, cwd=COPY, check=True, stdout=subprocess.PIPE, text=True)
    mutants = json.loads(made.stdout)
    if not SECONDS.exists() or json.loads(SECONDS.read_text())["of"] != digest:
        reach(digest)
    # valid by what is in a module, not by its time: two mutants may be written in one second
    compiled = ("-m", "compileall", "-q", "-f", "--invalidation-mode", "checked-hash", "reconciler")
    subprocess.run([sys.executable, *compiled], cwd=COPY, check=True)
    os.environ["PYTHONDONTWRITEBYTECODE"], sys.dont_write_bytecode = "1", True
    os.chdir(COPY)
    sys.path[:0] = [str(COPY)]
    warm_up()
    if fails([QUICK]):
        sys.exit(f"{QUICK} fails without a change: see {LOG}")

    survived = 0
    for number, mutant in enumerate(mutants, 1):
        path, code = COPY / mutant["module"], mutant["code"]
        original = path.read_text(encoding="utf-8")
        tests = against(path, original, code)
        path.write_text(code, encoding="utf-8")
        noticed = bool(tests) and fails(tests)
        path.write_text(original, encoding="utf-8")
        survived += not noticed
        if not noticed:
            change = difflib.unified_diff(
                original.splitlines(), code.splitlines(), mutant["module"], mutant["operator"], n=2, lineterm=""
            )
            print("", *change, sep="\n")
        print(f"{number} of {len(mutants)}: {len(tests)} tests, {'noticed' if noticed else 'survived'}", flush=True)
    print(f"\n{len(mutants)} mutants: {len(mutants) - survived} noticed, {survived} survived")
    return 0


def copied() -> str:
    """Copy what git knows or does not ignore, and return a digest of it."""
    shutil.rmtree(COPY, ignore_errors=True)
    digest = hashlib.sha256()
    command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    for name in sorted(name for name in set(listed.stdout.split("\0")) if (ROOT / name).is_file()):
        (COPY / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, COPY / name)
        digest.update(f"{name}\0".encode() + (ROOT / name).read_bytes())
    return digest.hexdigest()


def make(rooms: list[str], sample: int | None, seed: int) -> list[dict[str, str]]:
    """All mutants of the rooms or a random sample, the same for the same code and seed. Those of `|` are left out: most are in annotations."""
    import cosmic_ray.plugins
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code

    operators = {
        name: kind() for name in sorted(cosmic_ray.plugins.operator_names())
        if "Operator_BitOr_" not in name and not (kind := cosmic_ray.plugins.get_operator(name)).arguments()
    }  # fmt: skip
    found = []
    for path in sorted(file for room in rooms for file in Path().glob(room)):
        nodes = list(ast_nodes(get_ast(path.read_text(encoding="utf-8"))))
        for name, operator in operators.items():
            places = sum(1 for node in nodes for _ in operator.mutation_positions(node))
            found += [(path, name, place) for place in range(places)]
    chosen = found if sample is None else random.Random(seed).sample(found, min(sample, len(found)))
    print(f"{len(chosen)} of {len(found)} mutants", file=sys.stderr)
    return [
        {"module": str(path), "operator": name, "code": mutate_code(path.read_text("utf-8"), operators[name], place)}
        for path, name, place in chosen
    ]


# --- what a test reaches ----------------------------------------------------------------------------------------------


def reach(digest: str) -> None:
    """Run `TESTS` without a change. One that fails already could say nothing about a mutant, so it is left out."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(COPY), str(COPY / "tests"), os.environ["PYTHONPATH"]])}
    coverage = ("-m", "coverage", "run", f"--data-file={REACHED}", "--include=reconciler/*")
    command = (sys.executable, *coverage, "-m", "pytest", *PYTEST, "-p", "reached", *TESTS)
    SECONDS.unlink(missing_ok=True)
    subprocess.run(command, cwd=COPY, env={**environ, "RECONCILER_SECONDS": str(SECONDS)}, check=False)
    SECONDS.write_text(json.dumps({"of": digest, "seconds": json.loads(SECONDS.read_text())}))


def against(path: Path, original: str, code: str) -> list[str]:
    """The tests that reach what was changed: one case of each function first, the quick before the slow."""
    from coverage import CoverageData

    data = CoverageData(str(REACHED))
    data.read()
    held = {line: {name for name in names if name} for line, names in data.contexts_by_lineno(str(path)).items()}
    functions = [node for node in ast.walk(ast.parse(original)) if isinstance(node, ast.FunctionDef)]
    inside = {line for node in functions for line in range(node.body[0].lineno, node.end_lineno + 1)}
    matcher = difflib.SequenceMatcher(None, original.splitlines(), code.splitlines(), autojunk=False)
    different = [(start, max(start + 1, end)) for tag, start, end, *_ in matcher.get_opcodes() if tag != "equal"]
    changed = {line + 1 for start, end in different for line in range(start, end)}
    if changed <= inside:
        names = set()
        for line in changed:  # a statement counts as reached at its first lines
            names |= next((held[above] for above in range(line, 0, -1) if held.get(above)), set())
    else:  # a test that imports the module first is the only one that reaches such a line
        names = set().union(*held.values())

    seconds = json.loads(SECONDS.read_text())["seconds"]
    cases: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names & seconds.keys(), key=seconds.__getitem__):
        cases[name.partition("[")[0]].append(name)
    turns = sorted((turn, seconds[name], name) for many in cases.values() for turn, name in enumerate(many))
    spent, chosen = 0.0, []
    for _, takes, name in turns:
        if spent + takes <= AT_MOST:
            spent += takes
            chosen.append(name)
    return chosen


# --- the tests against one mutant --------------------------------------------------------------------------------------


def warm_up() -> None:
    """Import what a test imports, and forget the modules of the copy: each mutant's process is a fork of this one."""
    import pytest

    pytest.main([*PYTEST, QUICK])
    for name, module in list(sys.modules.items()):
        if name != "__main__" and str(getattr(module, "__file__", None) or "").startswith(str(COPY)):
            del sys.modules[name]


def fails(tests: list[str]) -> bool:
    """Whether one of the tests fails now, or hangs."""
    import pytest

    listed = PLACE / "tests.txt"
    listed.write_text("\n".join(tests))
    child = os.fork()
    if not child:
        os.setsid()
        with LOG.open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            os._exit(int(pytest.main([*PYTEST, "-x", f"@{listed}"])))
    until = time.monotonic() + 10 * AT_MOST
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status != 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


if __name__ == "__main__":
    if sys.argv[1] == "--make":
        json.dump(make(*json.loads(sys.argv[2])), sys.stdout)
        sys.exit(0)
    sys.exit(main())
