"""The bench of the end-to-end tests."""

from e2e.conftest import bare, bench  # noqa: F401
