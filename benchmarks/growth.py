"""How the cost of each command grows with the size: the exponent between one size and the next.

    python benchmarks/growth.py [--sizes 100 1000 10000 20000 40000] [--repeat 3]

The exponent is that from 10,000 rows on, where starting no longer counts: 1.0 is linear, and 1.15 is the limit that we set
ourselves. CPU is user and system time of the whole process, less that of `--help`. The `floor` is the same YAML and JSON
parsed by the same libraries and nothing else: what a machine cannot do without. Each command's figure is also a ratio to it,
which says more than seconds do, since machines differ.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from pathlib import Path

from measure import PROGRAM, run, several

import worlds

LIMIT = 1.15
LARGE = 10_000
HERE = ("--host", "sandbox:pipes.db")
COMMANDS = {
    "validate": ("validate",),
    "access": ("access", "--out", "access.txt"),
    "review": ("review", "base", ".", "--path", "orgs.yaml"),
    "fmt": ("fmt", "--check"),
    "plan": ("plan", *HERE),
    "drift": ("drift", *HERE),
    "lock": ("lock", *HERE),
    "import": ("import", "--all", *HERE, "--out", "fresh.yaml"),
    "import into a file": ("import", "--all", *HERE),
}
FLOOR = """
import json, yaml, msgspec
for _ in yaml.parse(open("orgs.yaml", "rb"), Loader=yaml.CLoader):
    pass
msgspec.json.decode(open("rows.json", "rb").read())
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000, 20_000, 40_000])
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    given = options.parse_args()
    spent: dict[str, list[float]] = {name: [] for name in ("floor", *given.only)}
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as name:
            one_size(Path(name), given.repeat, size, given.only, spent)
    print(f"| CPU s at | {' | '.join(f'{size:,}' for size in given.sizes)} | of the floor | exponent |")
    print(f"|-|{'-|' * (len(given.sizes) + 2)}")
    over = []
    start = next((place for place, size in enumerate(given.sizes[:-1]) if size >= LARGE), 0)
    for name, found in spent.items():
        grown = math.log(found[-1] / found[start]) / math.log(given.sizes[-1] / given.sizes[start])
        ratio = found[-1] / spent["floor"][-1]
        print(f"| {name} | {' | '.join(f'{cpu:.2f}' for cpu in found)} | {ratio:.1f} | {grown:.2f} |")
        over += [name] if grown > LIMIT else []
    print(f"\nOver {LIMIT}: {', '.join(over) or 'none'}")


def one_size(folder: Path, repeat: int, size: int, names: list[str], spent: dict[str, list[float]]) -> None:
    world = worlds.ours(folder, size)
    (folder / "base").mkdir()
    (folder / "base" / "orgs.yaml").write_text((folder / "orgs.yaml").read_text().replace(": owner", ": member"))
    answer = ",".join(f'{{"handle":"{name}","role":"{role}"}}' for name, role in worlds.rows(world))
    (folder / "rows.json").write_text(f"[{answer}]")
    run(folder, *PROGRAM, "fmt")
    nothing = several(repeat, folder, *PROGRAM, "--help").cpu
    spent["floor"].append(several(repeat, folder, sys.executable, "-c", FLOOR).cpu)
    for name in names:
        took = several(repeat, folder, *PROGRAM, *COMMANDS[name])
        spent[name].append(max(took.cpu - nothing, 0.001))


if __name__ == "__main__":
    main()
