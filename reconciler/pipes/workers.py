"""Threads that read side by side, and one thread that takes what they bring.

The callbacks all run in the thread that calls `run`, so what they touch needs no lock. The threads are daemons: a read
that is abandoned (Ctrl-C, or an error elsewhere) leaves nothing half done and must not hold up the end of the process.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from reconciler.model.errors import PipesError

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[], Any]
    Then = Callable[[Any], None]  # takes the work's result, or the PipesError that it raised


class Workers:
    """`count` threads. Leaving the context drops what was not begun."""

    def __init__(self, count: int) -> None:
        self._jobs: SimpleQueue[tuple[Work, Then] | None] = SimpleQueue()
        self._ended: SimpleQueue[tuple[Then, Any, BaseException | None]] = SimpleQueue()
        self._open = 0
        self._stopped = False
        self._count = max(1, count)
        self._started = 0

    def submit(self, work: Work, then: Then) -> None:
        """Have `work` done by a thread; `then` gets its result, or the PipesError that it raised, inside `run`."""
        self._open += 1
        if self._started < min(self._count, self._open):
            self._started += 1
            threading.Thread(target=self._loop, name=f"reading-{self._started}", daemon=True).start()
        self._jobs.put((work, then))

    def run(self) -> None:
        """Take results until nothing is under way. An error that is not a PipesError is raised here."""
        while self._open:
            then, result, error = self._ended.get()
            self._open -= 1
            if error is not None:
                raise error
            then(result)

    def _loop(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, then = job
            if self._stopped:
                continue
            try:
                self._ended.put((then, work(), None))
            except PipesError as error:
                self._ended.put((then, error, None))
            except BaseException as error:  # noqa: BLE001 - it is raised again, by the thread that waits for it
                self._ended.put((then, None, error))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        for _thread in range(self._started):
            self._jobs.put(None)
