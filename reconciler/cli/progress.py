"""Progress on standard error: a bar on a terminal, otherwise a line every few seconds."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from reconciler.model.result import Outcome

EVERY = 5.0  # seconds between plain lines
DELAY = 0.5  # seconds before anything is shown, so that quick work shows no bar


class Progress:
    """A context manager. `reading` and `ended` are callbacks for reading and for applying."""

    def __init__(self, what: str, total: int | None = None) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._ended: list[Outcome] = []  # steps that no printed line has named yet
        self._terminal = sys.stderr.isatty()
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._started = self._said = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def reading(self, kind: str, done: int, total: int, address: str) -> None:  # noqa: ARG002
        """`done` lists have been read; `address` is the latest. How many there will be is known at the end only, so the
        bar has no end that could move away.
        """
        self._done = max(self._done, done)
        self._show(self._done, None, address or kind)

    def counted(self, current: str) -> None:
        """Count one more thing that was read, such as an entry of an audit log."""
        self._done += 1
        self._show(self._done, self._total, current)

    def ended(self, outcome: Outcome) -> None:
        """One step of an apply has ended."""
        self._done += 1
        if not self._terminal:
            self._ended.append(outcome)
        self._show(self._done, self._total, outcome.address)

    def _show(self, done: int, total: int | None, current: str) -> None:
        now = time.monotonic()
        if now - self._started < DELAY:
            return
        if self._terminal:
            self._draw(done, total, current)
        elif now - self._said >= EVERY:
            self._said = now
            of = f" of {total}" if total else ""
            click.echo(f"{self._what}: {done}{of}, {current}", err=True)
            self._say_steps()

    def _say_steps(self) -> None:
        """Name the steps that have ended since the last line, so that the log of a job that is killed shows what it did."""
        from reconciler.report.text import escape

        for outcome in self._ended:
            click.echo(f"  {outcome.status} {outcome.number}: {outcome.action} {escape(outcome.address)}", err=True)
        self._ended.clear()

    def _draw(self, done: int, total: int | None, current: str) -> None:
        from reconciler.report.text import escape

        if self._bar is None or self._task is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[count]}", markup=False),
                TextColumn("{task.fields[current]}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(self._what, total=total, current="", count="")
            self._bar.start()
        count = f"{done}/{total}" if total else str(done)
        self._bar.update(self._task, completed=done, total=total, current=escape(current), count=count)
