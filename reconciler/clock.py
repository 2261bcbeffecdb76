"""The one place from which this package takes the time of day.

Everything else asks here, as `clock.now()` or `clock.today()`, so that a test can stop all of it at once. There is no
switch for it: what has expired decides who keeps access, so no variable, file or flag of a run may move the clock that
`apply` goes by. The embedded Pipes imports nothing of this package and has `reconciler.sandbox.clock`.

How long something takes is not read here: that is `time.monotonic`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)


def today() -> date:
    """The day, in UTC: the same everywhere, whatever the time zone of the machine."""
    return now().date()
