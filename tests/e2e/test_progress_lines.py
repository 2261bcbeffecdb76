"""Without a terminal: a line every few seconds, and the steps that have ended since the last one."""

from __future__ import annotations

import time

import pytest

from reconciler.cli import progress
from reconciler.cli.progress import Progress
from reconciler.model.result import Outcome


@pytest.fixture
def moments(monkeypatch):
    """The clock that measures progress, which only the test moves."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_steps_are_named_with_the_next_line_and_once(moments, capsys):
    shown = Progress("Applying", 5)
    for number in range(1, 5):
        moments[0] += 2.0
        shown.ended(Outcome(number, f"org.acme/member.user-{number}", "create", "done"))
    assert capsys.readouterr().err.splitlines() == [
        "Applying: 3 of 5, org.acme/member.user-3",
        "  done 1: create org.acme/member.user-1",
        "  done 2: create org.acme/member.user-2",
        "  done 3: create org.acme/member.user-3",
    ]
    moments[0] += progress.EVERY
    shown.ended(Outcome(5, "org.acme/member.\x1b[31m", "delete", "failed"))
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  done 4: create org.acme/member.user-4",
        "  failed 5: delete org.acme/member.\\x1b[31m",
    ]


def test_quick_work_says_nothing(moments, capsys):
    shown = Progress("Applying", 2)
    for number in (1, 2):
        shown.ended(Outcome(number, "org.acme", "update", "done"))
    assert capsys.readouterr().err == ""


def test_reading_says_a_line_every_few_seconds(moments, capsys):
    shown = Progress("Reading")
    for number in range(1, 13):
        moments[0] += 1.0
        shown.reading("member", number, 20, f"org.acme/{number}")
    assert len(capsys.readouterr().err.splitlines()) == 2
