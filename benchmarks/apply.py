"""An apply of many independent creates against a Pipes with latency: how close is it to what the network allows?

    python benchmarks/apply.py [--creates 1000] [--latency 20] [--parallelism 10]

The sandbox is served by a process of its own, with a latency before every answer. The bound is requests x latency /
parallelism, with every request of the whole run counted: reading, looking names up, writing, and reading again.
Prints the wall time of the whole process (start-up included), its CPU time, and the ratio to the bound.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = (sys.executable, "-c", "from reconciler.cli import main; main()")
TOKEN = "tpt_benchmark_of_an_apply_0000"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--creates", type=int, default=1000)
    options.add_argument("--latency", type=float, default=20, help="milliseconds")
    options.add_argument("--parallelism", type=int, default=10)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run(Path(name), given.creates, given.latency / 1000, given.parallelism)


def run(folder: Path, creates: int, latency: float, parallelism: int) -> None:
    people = [f"p{number:05}" for number in range(creates)]
    users = "".join(f"  {person}: {{}}\n" for person in people)
    (folder / "pipes.yaml").write_text(
        f"actor: alice\nusers:\n{users}orgs: {{acme: {{members: {{alice: owner}}}}}}\n"
        f"tokens: [{{user: alice, token: {TOKEN}}}]\n"
    )
    members = "".join(f"      {person}: member\n" for person in people)
    (folder / "orgs.yaml").write_text(f"version: 1\norgs:\n  acme:\n    members:\n      alice: owner\n{members}")
    (folder / "faults.yaml").write_text(f"- {{kind: latency, ms: {latency * 1000:g}}}\n")
    (folder / "token").write_text(TOKEN)
    subprocess.run([*PROGRAM, "sandbox", "seed", "pipes.yaml"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    serve = [*PROGRAM, "sandbox", "serve", "--port", "0", "--faults", "faults.yaml"]
    with subprocess.Popen(serve, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = next(found[0] for line in server.stdout if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
            apply = [*PROGRAM, "apply", "--auto-approve", "--host", url, "--token-file", "token", "-v",
                     "--parallelism", str(parallelism), "--out", "applied.txt"]  # fmt: skip
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            started = time.perf_counter()
            ran = subprocess.run(
                apply, check=False, cwd=folder, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}
            )
            wall = time.perf_counter() - started
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        finally:
            server.terminate()
    if ran.returncode:
        sys.exit(f"the apply ended with {ran.returncode}:\n{ran.stderr[-2000:]}")
    requests = len(re.findall(r"^(?:GET|POST|PATCH|DELETE) /", ran.stderr, re.MULTILINE))
    bound = requests * latency / parallelism
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print("| creates | ms an answer | parallelism | requests | bound s | wall s | wall, of the bound | CPU s |")
    print("|-|-|-|-|-|-|-|-|")
    print(
        f"| {creates:,} | {latency * 1000:g} | {parallelism} | {requests:,} | {bound:.2f} | {wall:.2f} | {wall / bound:.2f} "
        f"| {cpu:.2f} |"
    )


if __name__ == "__main__":
    main()
