"""Three configurations as real ones are: how long each command takes, beside `plan`.

    python benchmarks/shapes.py [NAME…]

`nested`: 8 orgs with 2,666 memberships and 766 teams in teams. `files`: 6 orgs in 1,089 files. `wide`: one file with 252 people
and 2,679 grants. Handles are invented; sizes, nesting and the share of comment lines are those of public configurations.
Each command runs as a process of its own against a sandbox that has drifted in 40 places; times are the CPU's, in seconds.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from reconciler.sandbox.store import Store
from reconciler.sandbox.world import seed

COMMAND = (sys.executable, "-c", "from reconciler.cli import main; main()")
TOKEN = "tpt_shapes0never0shown"
DIFFERENCES = 40


class Shape:
    """Texts of manifests by name, and the world that they describe."""

    def __init__(self) -> None:
        self.chance = random.Random(15)
        self.texts: dict[str, list[str]] = {}
        self.orgs: dict[str, Any] = {}

    def line(self, file: str, text: str, *, comments: float = 0.15) -> None:
        lines = self.texts.setdefault(file, ["version: 1"])
        margin = " " * (len(text) - len(text.lstrip()))
        if self.chance.random() < comments:
            lines += [f"{margin}# see TICKET-{self.chance.randrange(10_000)}"] * self.chance.randint(1, 2)
        lines.append(text + ("  # reviewed" if self.chance.random() < comments / 3 else ""))

    @property
    def world(self) -> dict[str, Any]:
        people = {name for org in self.orgs.values() for name in org["members"]}
        return {
            "seed": "shapes", "now": "2026-11-24T09:00:00Z", "actor": "root", "users": {name: {} for name in sorted(people)},
            "tokens": [{"user": "root", "token": TOKEN, "issued_at": "2026-06-01T00:00:00Z"}], "orgs": self.orgs,
        }  # fmt: skip


def nested() -> Shape:
    made = Shape()
    made.line("orgs.yaml", "teams:")
    people = [f"person-{n}" for n in range(900)]
    flat: list[set[str]] = []
    for n in range(766):
        inner = made.chance.sample(range(n), min(n, made.chance.choice([0, 0, 1, 2]))) if n < 760 else []
        inner = [one for one in inner if len(flat[one]) < 60]
        own = made.chance.sample(people, made.chance.randint(1, 6))
        flat.append(set(own).union(*(flat[one] for one in inner)))
        made.line("orgs.yaml", f"  team-{n}:")
        for name in [*own, *(f"team/team-{one}" for one in inner)]:
            made.line("orgs.yaml", f"    - {name}")
    made.line("orgs.yaml", "orgs:")
    for o in range(8):
        size = 333 + (2 if o < 2 else 0)
        members = made.chance.sample(people, size)
        made.line("orgs.yaml", f"  org-{o}:")
        made.line("orgs.yaml", "    members:")
        made.line("orgs.yaml", "      root: owner")
        for name in members:
            made.line("orgs.yaml", f"      {name}: member")
        made.line("orgs.yaml", "    workspaces:")
        spaces = {}
        for w in range(10):
            fitting = [n for n in range(766) if flat[n] <= set(members)][:3]
            made.line("orgs.yaml", f"      w{w}:")
            made.line("orgs.yaml", "        members:")
            granted = {}
            for n in fitting:
                made.line("orgs.yaml", f"          team/team-{n}: reader")
                granted |= dict.fromkeys(flat[n], "reader")
            for name in made.chance.sample(members, 5):
                made.line("orgs.yaml", f"          {name}: operator")
                granted[name] = "operator"
            spaces[f"w{w}"] = {"members": granted}
        made.orgs[f"org-{o}"] = {"members": {"root": "owner", **dict.fromkeys(members, "member")}, "workspaces": spaces}
    return made


def files() -> Shape:
    made = Shape()
    for o in range(6):
        people = [f"person-{o}-{n}" for n in range(60)]
        top = f"orgs/org-{o}/org.yaml"
        for text in ("orgs:", f"  org-{o}:", "    members:", "      root: owner"):
            made.line(top, text)
        for name in people:
            made.line(top, f"      {name}: member")
        spaces = {}
        for w in range(180 + (3 if o < 3 else 0)):
            file = f"orgs/org-{o}/workspaces/w{w}.yaml"
            for text in ("orgs:", f"  org-{o}:", "    workspaces:", f"      w{w}:", "        members:"):
                made.line(file, text, comments=0.05)
            granted = {name: made.chance.choice(["reader", "operator"]) for name in made.chance.sample(people, 4)}
            for name, role in granted.items():
                made.line(file, f"          {name}: {role}")
            spaces[f"w{w}"] = {"members": granted}
        made.orgs[f"org-{o}"] = {"members": {"root": "owner", **dict.fromkeys(people, "member")}, "workspaces": spaces}
    return made


def wide() -> Shape:
    made = Shape()
    people = [f"person-{n}" for n in range(251)]
    for text in ("orgs:", "  acme:", "    members:", "      root: owner"):
        made.line("orgs.yaml", text)
    for name in people:
        made.line("orgs.yaml", f"      {name}: member")
    made.line("orgs.yaml", "    workspaces:")
    spaces, left = {}, 2_679
    for w in range(60):
        size = min(left, 45 if w < 59 else left)
        made.line("orgs.yaml", f"      w{w}:")
        made.line("orgs.yaml", "        members:")
        granted = {name: made.chance.choice(["reader", "operator"]) for name in made.chance.sample(people, size)}
        for name, role in granted.items():
            made.line("orgs.yaml", f"          {name}: {role}")
        spaces[f"w{w}"] = {"members": granted}
        left -= size
    made.orgs["acme"] = {"members": {"root": "owner", **dict.fromkeys(people, "member")}, "workspaces": spaces}
    return made


def drifted(world: dict[str, Any]) -> dict[str, Any]:
    """The world after people changed it by hand: some grants are gone, some are other ones."""
    chance = random.Random(77)
    spaces = [space for org in world["orgs"].values() for space in org["workspaces"].values() if space["members"]]
    for n, space in enumerate(chance.sample(spaces, min(DIFFERENCES, len(spaces)))):
        name = chance.choice(sorted(space["members"]))
        if n % 2:
            del space["members"][name]
        else:
            space["members"][name] = "owner"
    return world


def timed(folder: Path, *args: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*COMMAND, *args],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PIPES_TOKEN": TOKEN},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done


def measure(name: str, made: Shape) -> list[str]:
    """Print the times of one shape; what took more than twice the time of `plan`, or went wrong."""
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        next(iter(made.texts.values())).insert(1, "safeguards: {max_removals: {count: 100, percent: 100}}")
        for file, lines in made.texts.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n")
        with Store(folder / "pipes.sqlite3") as store:
            seed(store, drifted(yaml.safe_load(yaml.safe_dump(made.world))))
        kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        host, orgs = ("--host", "sandbox:pipes.sqlite3"), sorted(made.orgs)
        lines = sum(len(lines) for lines in made.texts.values())
        leaver = next(one for one in made.orgs[orgs[0]]["members"] if one != "root")
        bound, row, over = 0.0, [f"{name}: {len(made.texts):,} files, {lines:,} lines"], []
        for title, args, statuses in commands(orgs, leaver, host):
            for path, data in kept.items():
                path.write_bytes(data)
            shutil.rmtree(folder / ".reconciler", ignore_errors=True)
            spent, done = timed(folder, *args)
            bound = bound or 2 * spent
            row.append(f"{spent:.2f}")
            if done.returncode not in statuses:
                over.append(f"{name}: {title} ended with {done.returncode}: {(done.stderr or done.stdout)[-300:]}")
            elif spent > bound:
                over.append(f"{name}: {title} takes more than twice as long as plan")
        print(f"| {' | '.join(row)} |", flush=True)
    return over


def commands(orgs: list[str], leaver: str, host: tuple[str, ...]) -> list[tuple[str, tuple[str, ...], tuple[int, ...]]]:
    """Each command: what the table calls it, its arguments, and the exit statuses that are right."""
    return [
        ("plan", ("plan", *host), (0,)),
        ("validate", ("validate",), (0,)),
        ("fmt", ("fmt",), (0,)),
        ("offboard", ("offboard", leaver), (0,)),
        ("drift --fix-up", ("drift", *host, "--fix-up", "--out", "patch"), (0, 2)),
        ("import", ("import", *orgs, *host), (0,)),
        ("apply", ("apply", "--auto-approve", *host), (0,)),
    ]


if __name__ == "__main__":
    titles = [title for title, _, _ in commands([], "", ())]
    print(f"| CPU s | {' | '.join(titles)} |\n|{'-|' * (len(titles) + 1)}")
    shapes = {"nested": nested, "files": files, "wide": wide}
    wrong = [one for name in sys.argv[1:] or shapes for one in measure(name, shapes[name]())]
    print("", *wrong, sep="\n")
    sys.exit(1 if any(" ended with " in one for one in wrong) else 0)
