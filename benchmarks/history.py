"""What `access --at` and `history` of one person cost over 1,000 commits, beside `access`.

    python benchmarks/history.py [NAME…]

The configurations are those of `shapes.py`. Each commit gives somebody another role, takes a grant, or gives it
back. Each command runs as a process of its own; times are the CPU's, in seconds, and medians of three.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMITS = 1_000
GRANT = re.compile(r"( +person-[0-9-]+: )(reader|operator)\b.*")


def edits(made: shapes.Shape) -> Iterator[str]:
    """Change a line of the manifests again and again: another role, or a grant that goes and comes back. Yields the file."""
    while True:
        file = made.chance.choice([name for name, lines in made.texts.items() if any(map(GRANT.fullmatch, lines))])
        lines = made.texts[file]
        number, found = made.chance.choice(
            [(n, found) for n, line in enumerate(lines) if (found := GRANT.fullmatch(line))]
        )
        if made.chance.random() < 0.5 or not GRANT.fullmatch(lines[number - 1]):
            lines[number] = found[1] + ("operator" if found[2] == "reader" else "reader")
            yield file
        else:
            lines.pop(number)
            yield file
            lines.insert(number, found[0])
            yield file


def repository(made: shapes.Shape, folder: Path) -> None:
    """Write the commits with one `git fast-import`: a thousand `git commit` take minutes."""
    stream, changes = [], edits(made)
    for number in range(COMMITS):
        changed = list(made.texts) if not number else [next(changes)]
        stream.append(
            b"commit refs/heads/main\ncommitter A <a@example.com> %d +0000\ndata 1\nx\n"
            % (1_700_000_000 + 20_000 * number)
        )
        for file in changed:
            data = ("\n".join(made.texts[file]) + "\n").encode()
            stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (file.encode(), len(data), data))
    for args, given in (
        ("init --quiet --initial-branch main", b""),
        ("fast-import --quiet", b"".join(stream)),
        ("reset --quiet --hard", b""),
    ):
        subprocess.run(["git", *args.split()], cwd=folder, input=given, check=True)


def measure(name: str, made: shapes.Shape) -> None:
    person = sorted(next(iter(made.orgs.values()))["members"])[3]
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        repository(made, folder)
        spent = {}
        for args in (("access",), ("access", "--at", "HEAD~500"), ("history", person)):
            runs = [shapes.timed(folder, *args) for _ in range(3)]
            if any(done.returncode for _, done in runs):
                sys.exit(runs[0][1].stderr)
            spent[args[:2]] = median(time for time, _ in runs)
    access, at, history = spent.values()
    print(
        f"{name}: access {access:.2f} s, at a commit {at:.2f} s ({at / access:.2f} times), history of {person} over {COMMITS:,} "
        f"commits {history:.2f} s ({history / access:.1f} times)"
    )


if __name__ == "__main__":
    for each in sys.argv[1:] or ("nested", "files", "wide"):
        measure(each, getattr(shapes, each)())
