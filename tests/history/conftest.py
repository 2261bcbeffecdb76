from drift.conftest import scene
from e2e.conftest import bare, bench

__all__ = ["bare", "bench", "scene"]
