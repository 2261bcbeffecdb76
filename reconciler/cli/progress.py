"""Progress on standard error: a bar for each phase on a terminal, otherwise a line every few seconds."""

from __future__ import annotations

import sys
import time
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from reconciler.model.result import Outcome

EVERY = 5.0  # seconds between plain lines
DELAY = 0.5  # seconds before anything is shown, so that quick work shows no bar

LISTS, PEOPLE = "Reading lists", "Looking up people"
AUDIT_LOGS = "Reading audit logs"
APPLYING, WAITING, CHECKING = "Applying", "Waiting for workspaces", "Reading again"


class Progress:
    """A context manager. Its methods are callbacks for reading and for applying; each counts in a phase.

    A phase has one bar, which only goes forward. How much there is to read is known at its end only, so such a bar has
    no end that could move away. A thread shows where the work stands while an answer is slow.
    """

    def __init__(self, phase: str = LISTS, total: int | None = None) -> None:
        self._phase = phase
        self._totals = {phase: total}
        self._done = {phase: 0}
        self._current = ""
        self._ended: list[Outcome] = []  # steps that have not been printed yet
        self._terminal = sys.stderr.isatty()
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._started = self._said = time.monotonic()
        self._lock = RLock()
        self._left = Event()
        self._ticking: Thread | None = None

    def __enter__(self) -> Self:
        self._ticking = Thread(target=self._tick, name="progress", daemon=True)
        self._ticking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        if self._ticking is not None:
            self._ticking.join()
        if self._bars is not None:
            self._bars.stop()

    def reading(self, kind: str, done: int, total: int, address: str) -> None:  # noqa: ARG002
        """A list or somebody's identity has been read; `address` says of what."""
        self._count(PEOPLE if kind == "identity" else LISTS, address or kind)

    def counted(self, current: str) -> None:
        """One more thing of the first phase was read, such as an entry of an audit log."""
        self._count(next(iter(self._totals)), current)

    def ended(self, outcome: Outcome) -> None:
        """One step of an apply has ended."""
        with self._lock:
            if not self._terminal:
                self._ended.append(outcome)
            self._count(APPLYING, outcome.address)

    def waiting(self, address: str) -> None:
        """A workspace was looked at that has not reached its state yet."""
        self._count(WAITING, address)

    def checking(self, kind: str, done: int, total: int, address: str) -> None:  # noqa: ARG002
        """After an apply, a list has been read again."""
        self._count(CHECKING, address or kind)

    def _count(self, phase: str, current: str) -> None:
        with self._lock:
            self._phase, self._current = phase, current
            self._totals.setdefault(phase, None)
            self._done[phase] = self._done.get(phase, 0) + 1
            self._show()

    def _tick(self) -> None:
        pause = DELAY
        while not self._left.wait(pause):
            with self._lock:
                self._show()
                pause = max(0.1, EVERY - (time.monotonic() - self._said))

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._started < DELAY:
            return
        if self._terminal:
            self._draw()
        elif self._ended:
            self._said = now
            self._print_steps()
        elif now - self._said >= EVERY:
            self._said = now
            self._print_line()

    def _print_line(self) -> None:
        from reconciler.report.text import escape

        parts = (self._count_text(self._phase), escape(self._current))
        if not self._done[self._phase]:
            parts = ("no answer yet", "")
        click.echo(f"{self._phase}: {', '.join(part for part in parts if part)}", err=True)

    def _count_text(self, phase: str) -> str:
        if phase == WAITING:
            return ""  # how often they were looked at says nothing
        total = self._totals[phase]
        return f"{self._done[phase]} of {total}" if total else f"{self._done[phase]}"

    def _print_steps(self) -> None:
        """Print the steps that have ended, so that the log of a job that is killed shows what it did."""
        from reconciler.report.text import escape

        for outcome in self._ended:
            why = f": {escape(outcome.detail)}" if outcome.detail and outcome.status != "done" else ""
            click.echo(
                f"  {outcome.status} {outcome.number}: {outcome.action} {escape(outcome.address)}{why}", err=True
            )
        self._ended.clear()

    def _draw(self) -> None:
        from reconciler.report.text import escape

        if self._bars is None:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bars

            self._bars = Bars(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[count]}", markup=False),
                TextColumn("{task.fields[current]}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
        newest = next(reversed(self._totals))
        for phase in self._totals:
            done, total = self._done[phase], self._totals[phase]
            current = escape(self._current) if phase == self._phase else ""
            if phase != newest and total is None:
                total = done  # a full bar, as of what has ended
            text = self._count_text(phase)
            if phase not in self._tasks:
                self._tasks[phase] = self._bars.add_task(
                    phase, total=total, completed=done, count=text, current=current
                )
            else:
                self._bars.update(self._tasks[phase], total=total, completed=done, count=text, current=current)
        self._bars.start()
