import os
from pathlib import Path

import pytest

from e2e.conftest import bare, bench
from review.conftest import repository

__all__ = ["bare", "bench", "repository"]

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def golden():
    """Compare with a golden file, or with RECONCILER_ACCEPT=1 write it."""

    def compare(name, text):
        path = GOLDEN / name
        if os.environ.get("RECONCILER_ACCEPT"):
            path.write_text(text)
        assert text == path.read_text()

    return compare
