"""Draws the picture of the README: a plan of `docs/tour`, as a terminal shows it. `make pictures` runs this.

The same code and manifests give the same picture: the day and the time are fixed, and the ids in the SVG, too.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copy

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from reconciler.plan.document import loads
from reconciler.report import render

TOUR = Path(__file__).parents[1] / "tour"
DAY = "2026-11-24"
MOMENT = "1795510800"  # 2026-11-24 09:00 UTC
WIDTH = 132


def plan_text() -> str:
    """The plan of the tour, with colours."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("orgs.yaml", "pipes.yaml"):
            copy(TOUR / name, folder)
        environ = {**os.environ, "SOURCE_DATE_EPOCH": MOMENT}
        for words in (
            ("sandbox", "seed", "pipes.yaml"),
            ("plan", "--host", "sandbox", "--on", DAY, "-o", "plan.json"),
        ):
            subprocess.run(  # noqa: S603 - our own program
                [sys.executable, "-m", "reconciler", *words], cwd=folder, env=environ, check=True, capture_output=True
            )
        plan = loads((Path(folder) / "plan.json").read_text(encoding="utf-8"))
    return render(plan, "text", color=True, made=plan.made)


def svg() -> str:
    """The picture. It loads nothing: the fonts that rich would fetch are left out."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.from_ansi(f"\x1b[1m$ reconciler plan --host sandbox\x1b[0m\n{plan_text()}"))
    drawn = console.export_svg(title="reconciler plan", theme=MONOKAI, unique_id="plan")
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())


if __name__ == "__main__":
    (Path(__file__).parent / "plan.svg").write_text(svg(), encoding="utf-8")
