"""Everything side by side in one run: reconciler, Terraform's core, octoDNS, and a Pipes that takes 50 ms an answer.

    python benchmarks/run.py [--sizes 100 1000 10000 100000] [--repeat 3] [--cap 120] [--orgs 1000]

Prints the tables of docs/performance.md, which says what is measured and what of it can be compared. Figures are medians;
CPU is user and system time of the process and its children. Where Terraform or octoDNS is not installed, it says so.
`--cap` ends a peer's run after so many seconds: its ratio is then "more than", and it is not run at larger sizes.
`--orgs 0` leaves the latency run out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from measure import PROGRAM, Took, run, several

import worlds

ROOT = Path(__file__).parents[1]
PLAN = (*PROGRAM, "plan", "--host", "sandbox:pipes.db")
LATENCY = 50  # ms
# The program, telling at its end how much CPU the threads spent in transport: from the prepared request to a body's bytes.
# What is left is our own: manifests, pages into rows, comparing, the report; and the interpreter's start.
WITHOUT_TRANSPORT = """
import atexit, sys, time
from reconciler.cli import main
from reconciler.pipes.transport import Http
spent, exchange = [0.0], Http._exchange
def timed(*args):
    begun = time.thread_time()
    try:
        return exchange(*args)
    finally:
        spent.append(time.thread_time() - begun)
Http._exchange = timed
atexit.register(lambda: print(f"without transport: {time.process_time() - sum(spent):.3f}", file=sys.stderr))
main()
"""


@dataclass
class Peers:
    """Where the peers are, and why one is not."""

    terraform: str | None
    octodns: str | None
    terraform_version: str = ""
    octodns_version: str = ""
    capped: set[str] = field(default_factory=set)  # whom a smaller size was too large for


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000, 100_000])
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--cap", type=float, default=120, help="seconds that one run of a peer may take")
    options.add_argument("--orgs", type=int, default=1000, help="of the latency run")
    given = options.parse_args()
    peers = found_peers()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"Terraform {peers.terraform_version or 'is not installed: left out'}")
    print(
        f"octoDNS {peers.octodns_version or 'is not installed: left out (make bench installs it where it can be had)'}"
    )
    start(given.repeat)
    by_size = {}
    print("\n| members | rows | what | wall s | CPU s | peak MB | GETs | wall, of our plan's | CPU, of our plan's |")
    print("|-|-|-|-|-|-|-|-|-|")
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as name:
            by_size[size] = one_size(Path(name), size, given.repeat, given.cap, peers)
    growth(by_size)
    if given.orgs:
        with tempfile.TemporaryDirectory() as name:
            over_http(Path(name), given.orgs)
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


def found_peers() -> Peers:
    terraform = shutil.which("terraform")
    beside = ROOT / ".bench" / "bin" / "octodns-sync"
    octodns = str(beside) if beside.exists() else shutil.which("octodns-sync")
    peers = Peers(terraform, octodns)
    if terraform:
        said = subprocess.run([terraform, "version", "-json"], check=True, capture_output=True, text=True).stdout
        peers.terraform_version = json.loads(said)["terraform_version"]
    if octodns:
        said = subprocess.run([octodns, "--version"], check=True, capture_output=True, text=True).stdout
        peers.octodns_version = said.split()[-1]
    return peers


def start(repeat: int) -> None:
    """What starting costs, beside an interpreter that does nothing."""
    print("\n| start | wall ms | CPU ms | CPU, of `python -c pass` |")
    print("|-|-|-|-|")
    here = Path()
    nothing = several(5 * repeat, here, sys.executable, "-c", "pass")
    help_ = several(5 * repeat, here, *PROGRAM, "--help")
    for what, took in (("`python -c pass`", nothing), ("`reconciler --help`", help_)):
        print(f"| {what} | {took.wall * 1000:.0f} | {took.cpu * 1000:.0f} | {took.cpu / nothing.cpu:.1f} |", flush=True)


def one_size(folder: Path, size: int, repeat: int, cap: float, peers: Peers) -> Took:
    world = worlds.ours(folder, size)
    rows = sum(1 for _ in worlds.rows(world))
    few = max(1, repeat // 3) if size >= 100_000 else repeat
    plan = several(repeat, folder, *PLAN, expect="No changes.")
    table = [("validate", several(repeat, folder, *PROGRAM, "validate"), ""), ("plan", plan, f"{counted(folder):,}")]
    if peers.octodns and "octoDNS, sync" not in peers.capped:
        worlds.octodns(folder, world)
        sync = [peers.octodns, "--config-file", "octodns.yaml"]
        table.append(("octoDNS, sync", several(few, folder, *sync, cap=cap, expect="No changes were planned"), ""))
    if peers.terraform and "Terraform, plan" not in peers.capped:
        worlds.terraform(folder, world, peers.terraform_version)
        subprocess.run([peers.terraform, "init", "-no-color"], cwd=folder, check=True, capture_output=True)
        command = [peers.terraform, "plan", "-no-color"]
        table.append(("Terraform, plan", several(few, folder, *command, cap=cap, expect="No changes."), ""))
    for what, took, count in table:
        more = "> " if took.capped else ""
        peers.capped.update([what] if took.capped else [])
        ratios = "" if took is plan else f"{more}{took.wall / plan.wall:.1f} | {more}{took.cpu / plan.cpu:.1f}"
        print(
            f"| {size:,} | {rows:,} | {what} | {more}{took.wall:.2f} | {more}{took.cpu:.2f} | {took.peak:.0f} | {count} "
            f"| {ratios or ' | '} |",
            flush=True,
        )
    return plan


def counted(folder: Path) -> int:
    """How many GETs a plan sends, by its own trace."""
    trace = [*PLAN, "-v", "--out", "x"]
    done = subprocess.run(trace, cwd=folder, check=True, capture_output=True, text=True)
    return len(re.findall(r"^GET /", done.stderr, re.MULTILINE))


def growth(by_size: dict[int, Took]) -> None:
    """What ten times the size costs."""
    print("\n| plan | wall | CPU | peak |")
    print("|-|-|-|-|")
    for small, large in zip(by_size, list(by_size)[1:], strict=False):
        one, other = by_size[small], by_size[large]
        print(
            f"| from {small:,} to {large:,} members | x {other.wall / one.wall:.1f} | x {other.cpu / one.cpu:.1f} "
            f"| x {other.peak / one.peak:.1f} |"
        )


def over_http(folder: Path, orgs: int) -> None:
    """A plan over HTTP, from a Pipes that answers after 50 ms and costs next to nothing itself."""
    worlds.ours(folder, orgs * 100)
    token = folder / "token"
    token.write_text("tpt_benchmark_over_http_0000")
    gets = counted(folder)
    print(f"\n{orgs:,} orgs x 100 members x 3 workspaces over HTTP, {LATENCY} ms an answer, {gets:,} GETs\n")
    print("| parallelism | bound s | wall s | wall, of the bound | CPU s | CPU without transport s | peak MB |")
    print("|-|-|-|-|-|-|-|")
    answers = [sys.executable, str(Path(__file__).with_name("answers.py")), str(folder), str(LATENCY)]
    with subprocess.Popen(answers, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            host = f"http://127.0.0.1:{server.stdout.readline().split()[1]}"
            for parallelism in (10, 40):
                plan = ("plan", "--host", host, "--token-file", "token", "--parallelism", str(parallelism))
                took = run(folder, sys.executable, "-c", WITHOUT_TRANSPORT, *plan, expect="No changes.")
                own = re.search(r"^without transport: ([\d.]+)$", took.out, re.MULTILINE)
                assert own is not None
                bound = gets * LATENCY / 1000 / parallelism
                print(
                    f"| {parallelism} | {bound:.2f} | {took.wall:.2f} | {took.wall / bound:.2f} | {took.cpu:.2f} "
                    f"| {own[1]} | {took.peak:.0f} |",
                    flush=True,
                )
        finally:
            assert server.stdin is not None
            server.stdin.close()


if __name__ == "__main__":
    main()
