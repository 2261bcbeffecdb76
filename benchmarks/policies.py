"""What policies and approvals cost at 10,000 members: CPU time of the command, paired runs, medians.

    python benchmarks/policies.py

Beside it, where regopy is installed: the JSON of `access`, and one rule over it in Rego.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MEMBERS, SPACES, RUNS = 10_000, 20, 5
PROGRAM = [sys.executable, "-c", "from reconciler.cli import main; main()"]
POLICIES = """\
policies:
  owners-few: {in: "*", role: owner, people: {min: 2, max: 4}}
  owners-on-loan: {in: "*", role: owner, unless: team/founders, expires_within: 30d, reason: required}
  prod-is-sre: {in: "*/ws1", role: [operator, owner], only: [team/sre, owners], level: warn}
  four-eyes: {in: "acme/*", apart: [team/deployers, team/approvers]}
  no-robot-owns: {in: "*", role: owner, robots: never}
  our-people: {in: "*", email_domains: [acme.example], level: warn}
  few-readers: {in: "*/*", people: {max: 100}}
  say-why: {in: "*/ws2", unless: owners, reason: required, level: warn}
"""
TEAMS = "teams: {founders: [user00000, user00001, user00002, user00003], sre: [user00070], deployers: [user00071], approvers: [user00072]}\n"
APPROVALS = "approvals: {default: {of: team/founders}, acme/ws1: {of: team/sre}}\n"


def manifest(rules: str) -> str:
    people = "".join(f"      user{n:05}: {'owner' if n < 4 else 'member'}\n" for n in range(MEMBERS))
    spaces = "".join(
        f"      ws{at}:\n        members:\n"
        + "".join(
            f"          user{n:05}: {'operator' if n % 7 == 0 else 'reader'}\n"
            for n in range(at * 50 + 10, at * 50 + 60)
        )
        for at in range(SPACES)
    )
    return f"version: 1\n{TEAMS}{rules}orgs:\n  acme:\n    members:\n{people}    workspaces:\n{spaces}"


def cpu(folder: Path, *args: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*PROGRAM, *args], cwd=folder, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = manifest(POLICIES + APPROVALS)
        head = base.replace("user00071: reader", "user00071: operator")
        for number in range(5000, 5100):
            head = head.replace(f"      user{number:05}: member\n", "", 1)
        for place, text in (("none", manifest("")), ("base", base), ("head", head)):
            (folder / place).mkdir()
            (folder / place / "orgs.yaml").write_text(text)
        runs = [
            (
                cpu(folder, "validate", "none"),
                cpu(folder, "validate", "base"),
                cpu(folder, "review", "base", "head"),
                cpu(folder, "approvals", "base", "head", "--author", "zoe"),
            )
            for _ in range(RUNS)
        ]
        print(f"validate, 8 policies more: {statistics.median(b - a for a, b, _, _ in runs):.3f} s")
        print(f"approvals, of a review: {statistics.median(d / c for _, _, c, d in runs):.2f}")
        _rego(folder, statistics.median(b for _, b, _, _ in runs))


def _rego(folder: Path, validated: float) -> None:
    try:
        import regopy
    except ImportError:
        print("regopy is not installed")
        return
    shown = cpu(folder, "access", "base", "--format", "json")
    done = subprocess.run([*PROGRAM, "access", "base", "--format", "json"], cwd=folder, capture_output=True, check=True)
    engine = regopy.Interpreter()
    rules = Path(__file__).parents[1] / "examples" / "policies" / "access.rego"
    engine.add_module("access", rules.read_text())
    start = time.process_time()
    engine.set_input(json.loads(done.stdout))
    engine.query("data.main.deny")
    whole = shown + time.process_time() - start
    print(f"access and one rule in Rego, of validate with 8 policies: {whole / validated:.1f}")


if __name__ == "__main__":
    main()
