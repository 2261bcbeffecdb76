"""The one place from which the embedded Pipes takes the time of day, where its world does not fix it (`now:`)."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)
