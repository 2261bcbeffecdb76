"""How long `review` takes for 1,000 orgs of 100 members, of whom one team has changed. Wanted: under 10 s on 2 cores.

    taskset -c 0,1 python benchmarks/review.py [ORGS [MEMBERS]]

Writes a git repository into a temporary folder (a manifest an org, five workspaces each, a team of ten in every org),
commits it, puts one person out of the team and another in, and times the command as a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPACES = 5
COMMAND = (sys.executable, "-c", "from reconciler.cli import main; main()")


def manifest(org: int, members: int) -> str:
    people = "".join(f"      user-{org}-{n}: {'owner' if n < 3 else 'member'}\n" for n in range(members - 10))
    spaces = "".join(
        f"      w{n}:\n        members: {{team/sre: operator, user-{org}-{5 + n}: reader}}\n" for n in range(SPACES)
    )
    return f"version: 1\norgs:\n  org-{org}:\n    members:\n{people}      team/sre: member\n    workspaces:\n{spaces}"


def main(orgs: int = 1000, members: int = 100) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "orgs").mkdir()
        for org in range(orgs):
            (folder / f"orgs/org-{org}.yaml").write_text(manifest(org, members))
        teams = folder / "orgs/teams.yaml"
        team = [f"sre-{n}" for n in range(10)]
        teams.write_text(f"version: 1\nteams: {{sre: [team/inner], inner: [{', '.join(team)}]}}\n")
        for args in (
            ["init", "-q"],
            ["add", "-A"],
            ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
        ):
            subprocess.run(["git", *args], cwd=folder, check=True)
        teams.write_text(teams.read_text().replace("sre-9", "sre-new"))
        for format_ in ("text", "json", "markdown", "github"):
            begun = time.perf_counter()
            done = subprocess.run(
                [*COMMAND, "review", "HEAD", "--format", format_],
                cwd=folder,
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, "PYTHONHASHSEED": "0"},
            )
            took = time.perf_counter() - begun
            last = done.stdout.splitlines()[-1][:100] if format_ == "text" else f"{len(done.stdout):,} characters"
            print(f"{orgs} orgs x {members} members, {format_}: {took:.1f} s; {last}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
