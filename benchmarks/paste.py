"""Run the benchmarks, and put their tables into the pages that show them.

    python benchmarks/paste.py [NAME…]

Without names it runs all. A table replaces the one with the same head in docs/performance.md or benchmarks/README.md. Run it on
a machine that does nothing else: figures of one table are compared with each other.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).parent
PAGES = (HERE.parent / "docs" / "performance.md", HERE / "README.md")
NAMES = ("run", "parts", "growth", "shapes", "apply")


def main() -> None:
    for name in sys.argv[1:] or NAMES:
        lines = []
        with subprocess.Popen(
            [sys.executable, str(HERE / f"{name}.py")], stdout=subprocess.PIPE, text=True, encoding="utf-8"
        ) as ran:
            assert ran.stdout is not None
            for line in ran.stdout:
                print(line, end="", flush=True)
                lines.append(line.rstrip())
        if ran.returncode:
            sys.exit(f"{name} ended with {ran.returncode}: none of its tables was pasted")
        for table in tables(lines):
            for page in PAGES:
                page.write_text(pasted(page.read_text(encoding="utf-8"), table), encoding="utf-8")


def tables(lines: Sequence[str]) -> Iterator[list[str]]:
    """Each run of lines that are rows of a table."""
    found: list[str] = []
    for line in (*lines, ""):
        if line.startswith("|"):
            found.append(line)
        elif found:
            yield found
            found = []


def pasted(text: str, table: Sequence[str]) -> str:
    """A page with this table in place of the one that has the same head; the page as it is where none has."""
    for before in tables(text.splitlines()):
        if before[0] == table[0]:
            return text.replace("\n".join(before), "\n".join(table))
    return text


if __name__ == "__main__":
    main()
