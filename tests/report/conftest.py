from e2e.conftest import bare, bench

__all__ = ["bare", "bench"]
