"""A plan that finds nothing to do, by size, beside Terraform's core in its most favourable shape.

    python benchmarks/run.py [--sizes 100 1000 10000 100000] [--terraform-up-to 1000]

Sizes are member rows: orgs of 100 members, each with three workspaces of 30 grants. Ours is the whole process on the
embedded Pipes, whose own work is in the figures. Terraform gets one string a row in `terraform_data`, a local state, no
provider and no API: it compares rows with its own state, which is less than reading a service. Its cost grows faster
than the rows, so it is left out above `--terraform-up-to`, and any ratio belongs to its size. CPU is user and system time
of the process and its children. On a busy machine compare CPU within one run, and nothing below a factor of two.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from reconciler.sandbox import world as worlds
from reconciler.sandbox.store import Store

PROGRAM = (sys.executable, "-c", "from reconciler.cli import main; main()")
# ru_maxrss of children is the largest of all so far: each command runs below a process of its own, which reports it
MEASURE = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
ran = subprocess.run(sys.argv[1:], capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([ran.returncode, time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024,
                  ran.stdout[-500:], ran.stderr]))
"""
MAIN_TF = """
locals { rows = yamldecode(file("rows.yaml")) }
resource "terraform_data" "row" {
  for_each = local.rows
  input    = each.value
}
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000, 100_000])
    options.add_argument("--terraform-up-to", type=int, default=1000)
    given = options.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'members':>8}  {'what':<22}{'wall s':>8}{'CPU s':>8}{'MB':>7}{'GETs':>7}{'CPU ratio':>11}")
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as name:
            one_size(Path(name), size, terraform=size <= given.terraform_up_to)


def one_size(folder: Path, size: int, *, terraform: bool) -> None:
    world = make(folder, size)
    ours = measure(folder, *PROGRAM, "plan", "--host", "sandbox:pipes.db", "-v")
    assert "No changes" in ours[4], ours
    row(size, "validate", measure(folder, *PROGRAM, "validate"))
    row(size, "plan", ours, len(re.findall(r"^GET /", ours[5], re.MULTILINE)))
    if terraform and shutil.which("terraform"):
        rows(folder, world)
        for command in (("init",), ("apply", "-auto-approve")):
            subprocess.run(["terraform", *command, "-no-color"], cwd=folder, check=True, capture_output=True)
        theirs = measure(folder, "terraform", "plan", "-no-color")
        assert "No changes" in theirs[4], theirs
        row(size, "terraform plan", theirs, ratio=theirs[2] / ours[2])


def make(folder: Path, size: int) -> dict:
    """A world of `size` member rows in `pipes.db`, and the manifest that asks for exactly it; returns the world."""
    world = worlds.generate(orgs=-(-size // 100), members=min(size, 100))
    with Store(folder / "pipes.db") as store:
        worlds.seed(store, world)
    lines = ["version: 1", "orgs:"]
    for handle, org in world["orgs"].items():
        lines += [f"  {handle}:", "    members:", *(f"      {who}: {role}" for who, role in org["members"].items())]
        lines.append("    workspaces:")
        for name, space in org["workspaces"].items():
            lines += [f"      {name}:", "        members:"]
            lines += [f"          {who}: {role}" for who, role in space["members"].items()]
    (folder / "orgs.yaml").write_text("\n".join(lines) + "\n")
    return world


def rows(folder: Path, world: dict) -> None:
    """The same memberships and grants as Terraform's rows: address and role, both strings."""
    lines = []
    for handle, org in world["orgs"].items():
        lines += [f"{handle}/{who}: {role}" for who, role in org["members"].items()]
        for name, space in org["workspaces"].items():
            lines += [f"{handle}/{name}/{who}: {role}" for who, role in space["members"].items()]
    (folder / "rows.yaml").write_text("\n".join(lines) + "\n")
    (folder / "main.tf").write_text(MAIN_TF)


def measure(folder: Path, *command: str) -> list:
    """Exit status, wall seconds, CPU seconds, peak MB, the end of standard output, standard error."""
    environ = {**os.environ, "NO_COLOR": "1", "CHECKPOINT_DISABLE": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], cwd=folder, check=True, capture_output=True, text=True, env=environ
    )
    found = json.loads(ran.stdout)
    if found[0]:
        sys.exit(f"{command} ended with {found[0]}:\n{found[5][-2000:]}")
    return found


def row(size: int, what: str, found: list, gets: int | str = "", *, ratio: float | None = None) -> None:
    print(
        f"{size:>8}  {what:<22}{found[1]:>8.2f}{found[2]:>8.2f}{found[3]:>7.0f}{gets:>7}"
        f"{f'{ratio:.1f} x plan' if ratio else '':>11}",
        flush=True,
    )


if __name__ == "__main__":
    main()
