"""The reports that docs/examples.md shows: a plan, a review and an access matrix, as HTML.

They are made by the command itself from examples/, against the embedded Pipes, with a fixed day and time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copy, copytree

EXAMPLES = Path(__file__).parents[2] / "examples"
DAY = "2026-11-24"
MOMENT = "1795510800"  # 2026-11-24 09:00 UTC

# what the pull request of the example changes: erin leaves, and heidi may work on prod for a while
CHANGES = {
    "      erin: {role: owner, expires: 2027-01-31, reason: on call for INC-42}\n": "      erin: {absent: true, reason: moved to sales}\n"
    "      heidi: {role: member, expires: 2026-12-10}\n",
    "          carol: reader ": "          heidi: {role: operator, expires: 2026-12-10, reason: INC-42}\n          carol: reader ",
}


def made() -> dict[str, str]:
    """The HTML of each report, by its name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copytree(EXAMPLES / "images", folder / "images")
        for file in ("orgs.yaml", "pipes.yaml", "not-a-secret.txt"):
            copy(EXAMPLES / file, folder)
        copytree(folder, folder / "head")
        manifest = folder / "head" / "orgs.yaml"
        text = manifest.read_text(encoding="utf-8")
        for old, new in CHANGES.items():
            if text.count(old) != 1:
                raise ValueError(f"examples/orgs.yaml no longer has this line once: {old}")
            text = text.replace(old, new)
        manifest.write_text(text, encoding="utf-8")
        _run(folder, "sandbox", "seed", "pipes.yaml")
        _run(folder, "plan", "--host", "sandbox", "--on", DAY, "--format", "html", "--out", "plan.html")
        _run(
            folder,
            "review",
            ".",
            "head",
            "--path",
            "orgs.yaml",
            "--on",
            DAY,
            "--format",
            "html",
            "--out",
            "review.html",
        )
        _run(folder, "access", "--on", DAY, "--format", "html", "--out", "access.html")
        return {file.stem: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.html"))}


def _run(folder: Path, *words: str) -> None:
    environ = {**os.environ, "SOURCE_DATE_EPOCH": MOMENT}
    subprocess.run(
        [sys.executable, "-m", "reconciler", *words], cwd=folder, env=environ, check=True, capture_output=True
    )
