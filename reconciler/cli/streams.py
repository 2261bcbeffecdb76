"""Standard streams that never end a command: closed ones, readers that have gone, and characters that do not fit.

What a command did decides its exit status, not whether somebody still reads what it prints.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

    from _typeshed import ReadableBuffer


class Output(io.FileIO):
    """A file descriptor that swallows writes once nobody can read them any more."""

    lost = False  # whether something that was written did not arrive

    def __init__(self, descriptor: int, *, swallow: type[OSError], lost: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._swallow = swallow
        self.lost = lost

    def write(self, data: ReadableBuffer, /) -> int:
        """Write `data`; when nobody reads any more, say that all of it was written."""
        try:
            return super().write(data)
        except self._swallow:
            self.lost = True
            return memoryview(data).nbytes


def prepare() -> None:
    """Replace the standard streams of this process by ones that do not fail. Call it once, before anything is opened.

    A closed stream is opened on the null device, so that no other file takes its number. Standard output ignores only
    readers that have gone: a full disk stays an error. Standard error ignores every error, since there is nowhere left to
    report one. A character that the encoding does not have is written as an escape.
    """
    closed = []
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
            closed.append(descriptor)
    if sys.stdin is None or 0 in closed:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  (a descriptor, kept until the end)
    sys.stdout = _guarded(1, sys.stdout, BrokenPipeError, lost=1 in closed)
    sys.stderr = _guarded(2, sys.stderr, OSError, lost=2 in closed)


def _guarded(descriptor: int, before: TextIO | None, swallow: type[OSError], *, lost: bool) -> TextIO:
    raw = Output(descriptor, swallow=swallow, lost=lost)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=raw.isatty() or descriptor == 2,
    )


def output_lost() -> bool:
    """Whether something that was printed on standard output did not reach anybody."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return isinstance(raw, Output) and raw.lost
