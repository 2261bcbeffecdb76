"""Without a terminal: a line every few seconds, and each step of an apply as it ends."""

from __future__ import annotations

import io
import sys
import threading
import time

import pytest

from reconciler.cli import progress
from reconciler.cli.progress import APPLYING, Progress
from reconciler.model.result import Outcome


@pytest.fixture
def moments(monkeypatch):
    """The clock that measures progress, which only the test moves."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_steps_are_printed_as_they_end_and_once(moments, capsys):
    shown = Progress(APPLYING, 4)
    shown.ended(Outcome(1, "org.acme/member.user-1", "create", "done"))
    assert capsys.readouterr().err == "", "quick work says nothing"
    moments[0] += progress.DELAY
    shown.ended(Outcome(3, "org.acme/member.user-3", "create", "done", "goes with org.acme"))
    assert capsys.readouterr().err.splitlines() == [
        "  done 1: create org.acme/member.user-1",
        "  done 3: create org.acme/member.user-3",
    ]
    shown.ended(Outcome(2, "org.acme/member.\x1b[31m", "delete", "failed", "HTTP 500\x1b[31m"))
    assert capsys.readouterr().err.splitlines() == ["  failed 2: delete org.acme/member.\\x1b[31m: HTTP 500\\x1b[31m"]
    for phase in (shown.waiting, lambda address: shown.checking("member", 1, 1, address)):
        moments[0] += progress.EVERY
        phase("org.acme/workspace.prod")
    assert capsys.readouterr().err.splitlines() == [
        "Waiting for workspaces: org.acme/workspace.prod",
        "Reading again: 1, org.acme/workspace.prod",
    ]


def test_reading_prints_a_line_every_few_seconds_and_counts_people_apart(moments, capsys):
    shown = Progress()
    for number in range(1, 13):
        moments[0] += 1.0
        shown.reading("identity" if number > 8 else "member", number, 20, f"name-{number}")
    assert capsys.readouterr().err.splitlines() == ["Reading lists: 5, name-5", "Looking up people: 2, name-10"]


class Heard(io.StringIO):
    """Standard error that says when a line has come."""

    def __init__(self):
        super().__init__()
        self.came = threading.Event()

    def write(self, text):
        try:
            return super().write(text)
        finally:
            self.came.set()


def test_a_slow_answer_prints_a_line_too(monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 0.001)
    monkeypatch.setattr(progress, "EVERY", 0.001)
    monkeypatch.setattr(sys, "stderr", Heard())
    with Progress():
        assert sys.stderr.came.wait(60)
    assert sys.stderr.getvalue().splitlines()[0] == "Reading lists: no answer yet"
