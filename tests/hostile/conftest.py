from e2e.conftest import bare, bench
from review.conftest import repository

__all__ = ["bare", "bench", "repository"]
