"""Questions on a terminal."""

from __future__ import annotations

import sys
from contextlib import suppress

import click


def ask(question: str) -> str:
    """What somebody types as an answer to `question`, which goes to standard error."""
    _drop_typed_ahead()
    answer: str = click.prompt(question, err=True, default="", show_default=False)
    return answer


def _drop_typed_ahead() -> None:
    """Forget what was typed before the question was asked: it cannot be the answer to it."""
    try:
        import termios
    except ImportError:  # Windows
        import msvcrt

        while msvcrt.kbhit():  # type: ignore[attr-defined, unused-ignore]
            msvcrt.getwch()  # type: ignore[attr-defined, unused-ignore]
        return
    with suppress(termios.error, OSError, ValueError):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
