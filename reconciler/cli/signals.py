"""What Ctrl-C and SIGTERM do to an apply and to a server.

An apply ends while nothing is being written, and otherwise finishes what it has begun.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def terminable() -> Iterator[Callable[[], None]]:
    """Leave in good order on a SIGTERM too, while nothing is being applied: the journal's lock is given back.

    Gives a function that leaves now, where a signal should have ended it and did not: Python drops what is raised in a
    callback of its own, as in the middle of an import.
    """
    received: list[int] = []

    def leave() -> None:
        if received and received[0] == signal.SIGINT:
            raise KeyboardInterrupt
        if received:
            click.echo("Interrupted.", err=True)
            sys.exit(128 + received[0])

    def note(number: int, _: Any) -> None:
        received.append(number)
        leave()

    with _handled_by(note):
        yield leave


@contextmanager
def orderly_stop(end: Callable[[], None], notice: bytes = b"") -> Iterator[list[int]]:
    """Turn a first Ctrl-C or SIGTERM into an orderly stop; a second one ends the process at once.

    Nothing is raised: Python loses what is raised in a callback of its own, and a queue that is left in mid-step loses
    what was put into it.

    Args:
        end: Begins the orderly stop, or does all of it. It runs in a thread of its own.
        notice: Written to standard error once `end` has been called.

    Yields:
        The numbers of the signals so far.

    """
    received: list[int] = []

    def stop() -> None:
        end()
        with suppress(OSError):  # nobody may be there to read it
            os.write(2, notice)

    def note(number: int, _: Any) -> None:
        if received:
            os._exit(128 + number)
        received.append(number)
        # in a thread, without a lock of Python's: the main thread may hold the very lock that `end` needs
        _thread.start_new_thread(stop, ())

    with _handled_by(note):
        yield received


@contextmanager
def _handled_by(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Have Ctrl-C and SIGTERM handled by `handler`, and afterwards as before."""
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
