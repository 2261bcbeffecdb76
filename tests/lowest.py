"""Write what `make test-lowest` installs: each dependency at its lower bound, and the tools that the suite needs.

schemathesis is left out, since it needs newer versions itself: its test is skipped.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

LEFT_OUT = ("reconciler", "schemathesis")


def main(folder: Path) -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    bounds = {re.sub(r"\s*;.*", "", one).replace(">=", "==") for one in project["dependencies"]}
    bounds |= {one.replace(">=", "==") for one in extras["sandbox"] + extras["html"]}
    tools = [one for one in extras["test"] if not one.startswith(LEFT_OUT)]
    (folder / "constraints.txt").write_text("\n".join(sorted(bounds)), encoding="utf-8")
    (folder / "tools.txt").write_text("\n".join(tools), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
