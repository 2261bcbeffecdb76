"""Golden files beside these tests, as `report.golden` keeps them; RECONCILER_ACCEPT=1 rewrites them."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def assert_golden(name, found):
    path = FOLDER / name
    if os.environ.get("RECONCILER_ACCEPT") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8", newline="")
    assert path.exists(), f"{name} is missing: RECONCILER_ACCEPT=1 writes it"
    assert found == path.read_bytes().decode("utf-8")
