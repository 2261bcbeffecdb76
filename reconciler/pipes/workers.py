"""Threads that read side by side, and hand over their results one after the other.

A callback runs in the thread that has a result for it, not in one that would have to be woken for each answer: with
thousands of short answers, waking cost more than the callbacks did. Callbacks still run one at a time, and only while `run`
waits, so what they touch needs no lock. The threads are daemons: a read that is abandoned (Ctrl-C, or an error elsewhere)
leaves nothing half done and must not hold up the end of the process.
"""

from __future__ import annotations

import threading
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self, TypeVar

from reconciler.model.errors import PipesError

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[], Any]
    Then = Callable[[Any], None]  # takes the work's result, or the PipesError that it raised


Result = TypeVar("Result")

WAKE = 0.2  # seconds after which a waiting thread looks whether it was interrupted


class Workers:
    """`count` threads. Leaving the context drops what was not begun, and what nobody has taken."""

    def __init__(self, count: int) -> None:
        self._waiting: deque[tuple[Work, Then]] = deque()  # the next one on the left
        self._tickets: SimpleQueue[bool] = SimpleQueue()  # True for each job; False ends a thread
        self._ended: deque[tuple[Then, Any, BaseException | None]] = deque()
        self._taking = threading.Lock()  # whoever holds it may touch what follows, and what callbacks touch
        self._taking.acquire()
        self._open = 0
        self._failed: BaseException | None = None
        self._settled = threading.Event()  # nothing is under way, or something failed
        self._stopped = False
        self._count = max(1, count)
        self._started = 0

    def submit(self, work: Work, then: Then, *, next_page: bool = False) -> None:
        """Have `work` done by a thread; `then` gets its result, or the PipesError that it raised, inside `run`.

        The next page of a list goes before everything that waits: pages come one after the other, so a long list that
        waits its turn for each of them is still being read when all others have been. For callbacks, and for the thread
        that calls `run`.
        """
        self._expect_one()
        (self._waiting.appendleft if next_page else self._waiting.append)((work, then))
        self._tickets.put(True)

    def _expect_one(self) -> None:
        """Count one job more, and start a thread for it unless there are enough."""
        self._open += 1
        if self._started < min(self._count, self._open):
            self._started += 1
            threading.Thread(target=self._loop, name=f"reading-{self._started}", daemon=True).start()

    def run(self) -> None:
        """Wait until nothing is under way. Raises an error that is not a PipesError, which ends all of it."""
        if self._open and self._failed is None:
            self._settled.clear()
            self._expect_one()
            self._taking.release()
            try:
                # so that a thread looks at what ended before now; while the lock was held, it would have looked in vain.
                # This thread takes no lock that an interruption could leave locked: Ctrl-C is raised here, between any two
                # instructions
                self._waiting.append((_nothing, _ignored))
                self._tickets.put(True)
                # a signal that comes in the instant before a wait begins does not end it, so no wait is long
                while not self._settled.wait(WAKE):
                    pass
            except BaseException as error:
                self._failed = error
                raise
            self._taking.acquire()
        if self._failed is not None:
            raise self._failed

    def _loop(self) -> None:
        while self._tickets.get():
            work, then = self._waiting.popleft()
            if self._stopped:
                continue
            try:
                self._ended.append((then, work(), None))
            except PipesError as error:
                self._ended.append((then, error, None))
            except BaseException as error:  # noqa: BLE001 - it is raised again, by the thread that waits for it
                self._ended.append((then, None, error))
            self._take()

    def _take(self) -> None:
        """Call back for all that has ended, unless another thread is doing that already, and will take these results too."""
        # asked again after the lock was let go: what came while it was held may have been left to us
        while self._ended and self._taking.acquire(blocking=False):
            try:
                while self._ended:
                    self._take_one(*self._ended.popleft())
            finally:
                self._taking.release()

    def _take_one(self, then: Then, result: Any, error: BaseException | None) -> None:
        self._open -= 1
        if self._failed is not None:
            return
        self._failed = error
        if error is None:
            try:
                then(result)
            except BaseException as failed:  # noqa: BLE001 - as above
                self._failed = failed
        if self._failed is not None or not self._open:
            self._settled.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        for _thread in range(self._started):
            self._tickets.put(False)


def interruptible(work: Callable[[], Result]) -> Result:
    """Do `work` where Ctrl-C ends the wait for it: in another thread, if this is the main one.

    A signal that comes in the instant before a socket waits does not end that wait, and the main thread alone handles
    signals. Raises what `work` raises.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    found: list[Result | PipesError] = []
    with Workers(1) as workers:
        workers.submit(work, found.append)
        workers.run()
    (result,) = found
    if isinstance(result, PipesError):
        raise result
    return result


def _nothing() -> None:
    return None


def _ignored(_: object) -> None:
    return None
