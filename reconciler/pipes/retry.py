"""What is sent again, when, and how often: the one place that decides it.

A GET is repeated on lost connections, 429 and the 5xx of overload. A write is repeated only where it surely did nothing:
on 429, and where it never left. Everything else about a write is for apply, which looks at what became of it first.
"""

from __future__ import annotations

import random
import threading
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from reconciler.model.errors import PipesError
from reconciler.pipes.errors import LostAnswerError, NotSentError, StatusError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

OVERLOADED = frozenset({500, 502, 503, 504})
TOO_MANY = 429

ATTEMPTS = 6
PATIENCE = 120.0  # a failed request is repeated for this long after its first attempt, in seconds
# a request to wait is not a failure: limits are often a minute long, and ten workers share one
ATTEMPTS_WHEN_TOLD = 30
PATIENCE_WHEN_TOLD = 300.0
FIRST_WAIT = 0.5
LONGEST_WAIT = 20.0

T = TypeVar("T")


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds to wait by a `Retry-After` header (RFC 9110: seconds, or an HTTP-date). None where it says neither.

    `now` is the time of day in seconds since the epoch.
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])  # a number with more digits is longer than anybody waits, and may not fit a float
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)


def backoff(attempt: int, asked: float | None) -> float:
    """Seconds before the attempt after `attempt` (from 1): exponential with jitter, and never less than `asked`."""
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
    return wait if asked is None else asked + wait * 0.1


def run(
    attempt: Callable[[], T],
    *,
    reading: bool,
    clock: Callable[[], float],
    sleep: Callable[[float], object],
) -> T:
    """Run `attempt` until it succeeds or the policy gives up; then its last answer is returned, or its error raised."""
    started = clock()
    # nearly always this is enough; a policy object costs more than all other work for a page of 30 rows
    ended: T | None = None
    failed: PipesError | None = None
    try:
        ended = attempt()
    except PipesError as error:
        failed = error
    if failed is None and getattr(ended, "status", None) != TOO_MANY:
        return cast("T", ended)
    import tenacity  # with asyncio, which most runs do without

    known = True

    def first_or_next() -> T:
        nonlocal known
        if not known:
            return attempt()
        known = False
        if failed is not None:
            raise failed
        return cast("T", ended)

    def again(state: RetryCallState) -> bool:
        assert state.outcome is not None
        error = state.outcome.exception()
        if error is None:
            return getattr(state.outcome.result(), "status", None) == TOO_MANY
        if isinstance(error, StatusError):
            # raised for reads alone: a write's status is returned
            return error.status == TOO_MANY or error.status in OVERLOADED
        if isinstance(error, LostAnswerError):
            return reading and error.repeatable
        return isinstance(error, NotSentError) and error.repeatable

    def wait(state: RetryCallState) -> float:
        return backoff(state.attempt_number, _asked(state))

    def stop(state: RetryCallState) -> bool:
        waiting = _status(state) == TOO_MANY
        attempts = ATTEMPTS_WHEN_TOLD if waiting else ATTEMPTS
        patience = PATIENCE_WHEN_TOLD if waiting else PATIENCE
        return state.attempt_number >= attempts or clock() - started + state.upcoming_sleep > patience

    def pause(seconds: float) -> None:
        sleep(seconds)

    policy = tenacity.Retrying(retry=again, wait=wait, stop=stop, sleep=pause, retry_error_callback=_give_up)
    return policy(first_or_next)


def _ending(state: RetryCallState) -> Any:
    """The answer or the error that an attempt ended with."""
    assert state.outcome is not None
    return state.outcome.exception() or state.outcome.result()


def _asked(state: RetryCallState) -> float | None:
    return getattr(_ending(state), "retry_after", None)


def _status(state: RetryCallState) -> int | None:
    return getattr(_ending(state), "status", None)


def _give_up(state: RetryCallState) -> Any:
    assert state.outcome is not None
    return state.outcome.result()  # raises what the last attempt raised


class Gate:
    """Slows all workers of a client down together when Pipes says 429, and lets them speed up again.

    `pass_through` blocks until the caller may send, and returns that moment (by `clock`). After a 429 nobody sends until
    the time that Pipes named is over; from then on requests start at least `interval` seconds apart, which shrinks with
    every success. Without the spacing all would start in the same instant and be refused again.
    """

    _LEAST = 0.02
    _MOST = 0.25

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], object]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._opens = float("-inf")
        self._slot = float("-inf")
        self._slowed = float("-inf")
        self._interval = 0.0

    def pass_through(self) -> float:
        waited_for = float("-inf")
        while True:
            with self._lock:
                now = self._clock()
                opens = self._opens
                # another 429 may have moved the moment on while we slept
                if opens <= now or opens == waited_for:
                    start = max(now, self._slot)
                    self._slot = start + self._interval
                    break
            waited_for = opens
            self._sleep(opens - now)
        if start > now:
            self._sleep(start - now)
        return start

    def refused(self, sent: float, asked: float | None) -> None:
        """A 429 came for a request that was sent at `sent`, with `asked` seconds to wait."""
        if asked is not None and asked > PATIENCE_WHEN_TOLD:
            return  # nobody waits that long: the others get the same answer, and give up as well
        with self._lock:
            now = self._clock()
            self._opens = max(self._opens, now + (FIRST_WAIT if asked is None else asked))
            # what was in flight already when the others were slowed down says nothing about the new pace
            if sent >= self._slowed:
                self._slowed = now
                self._interval = min(self._MOST, max(self._LEAST, self._interval * 1.5))

    def accepted(self, sent: float) -> None:
        """A request that was sent at `sent` was not refused."""
        if self._interval and sent > self._slowed:
            with self._lock:
                self._interval *= 0.8
                if self._interval < self._LEAST / 2:
                    self._interval = 0.0
