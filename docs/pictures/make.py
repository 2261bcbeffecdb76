"""Draws the pictures of the README and of docs/examples.md. `make pictures` runs this.

The README's is a plan of `docs/tour`, as a terminal shows it. The same code and manifests give the same picture: the day and the
time are fixed, and the ids in the SVG, too. The others are screenshots of HTML reports; they need Chromium.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copy, which

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from reconciler.plan.document import loads
from reconciler.report import render

HERE = Path(__file__).parent
TOUR = Path(__file__).parents[1] / "tour"
DAY = "2026-11-24"
MOMENT = "1795510800"  # 2026-11-24 09:00 UTC


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
            subprocess.run(
                [sys.executable, "-m", "reconciler", *words], cwd=folder, env=environ, check=True, capture_output=True
            )
        plan = loads((Path(folder) / "plan.json").read_text(encoding="utf-8"))
    return render(plan, "text", color=True, made=plan.made)


def svg() -> str:
    """The picture. It loads nothing: the fonts that rich would fetch are left out."""
    shown = Text.from_ansi(f"\x1b[1m$ reconciler plan --host sandbox\x1b[0m\n{plan_text()}".rstrip())
    console = Console(record=True, width=max(line.cell_len for line in shown.split()), file=io.StringIO())
    console.print(shown)
    drawn = console.export_svg(title="reconciler plan", theme=MONOKAI, unique_id="plan")
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())


def screenshots(browser: str) -> None:
    """The top of each example report, in a window of 1200 x 800 pixels."""
    sys.path.insert(0, str(HERE.parent / "site"))
    import reports

    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,800"]
    with tempfile.TemporaryDirectory() as folder:
        for name, html in reports.made().items():
            page = Path(folder) / f"{name}.html"
            page.write_text(html, encoding="utf-8")
            picture = HERE / f"report-{name}.png"
            command = [browser, *options, f"--user-data-dir={folder}/profile", f"--screenshot={picture}", page.as_uri()]
            subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    (HERE / "plan.svg").write_text(svg(), encoding="utf-8")
    if found := which("chromium") or which("google-chrome"):
        screenshots(found)
    else:
        sys.exit("The screenshots were not drawn: there is no Chromium here.")
