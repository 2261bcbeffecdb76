"""What a command says while it works: what it reads, a bar that only goes forward, and that it was interrupted."""

from __future__ import annotations

import re
import signal
from itertools import pairwise

import pytest

from reconciler.cli import progress

MANY = [f"p{n:02}" for n in range(12)]
WORLD = {
    "users": {name: {} for name in MANY},
    "orgs": {f"org{n}": {"members": {"alice": "owner"}, "workspaces": {"prod": {}}} for n in range(6)},
}


@pytest.fixture
def drifted(bench):
    bench.pipes(WORLD)
    by_hand = bench.client()
    for name in MANY:
        by_hand.ok("POST", "/org/org0/member/invite", {"handle": name, "role": "member"})
    orgs = ", ".join(
        f"org{n}: {{members: {{alice: owner}}, workspaces: {{prod: {{members: {{}}}}}}}}" for n in range(6)
    )
    bench.manifest(f"orgs: {{{orgs}}}")
    return bench


def test_it_says_how_much_it_has_read_of_lists_of_people_and_of_audit_logs(drifted, monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 0.0)
    monkeypatch.setattr(progress, "EVERY", 0.0)
    ran = drifted.run("drift", *drifted.local)
    assert ran.status == 2
    for what in ("Reading lists", "Reading audit logs"):
        counts = [int(number) for number in re.findall(rf"^{what}: (\d+), org", ran.err, re.MULTILINE)]
        assert counts == sorted(counts), "it never goes back"
        assert len(counts) >= 6
    assert "Reading audit logs: 12, org.org0" in ran.err
    drifted.manifest(f"orgs: {{org1: {{members: {{alice: owner, {', '.join(f'{who}: member' for who in MANY)}}}}}}}")
    assert "Looking up people: 12, p" in drifted.plan().err
    assert " of " not in ran.err, "how many lists there will be is not known"
    imported = drifted.run("import", "--all", *drifted.local, "--out", "all", "--split")
    counts = [int(number) for number in re.findall(r"^Reading lists: (\d+)", imported.err, re.MULTILINE)]
    assert sum(after < before for before, after in pairwise(counts)) == 1, "what could be imported, and the import"


def test_each_phase_has_one_bar_that_never_goes_back_and_is_never_blank(monkeypatch, capsys):
    monkeypatch.setattr(progress, "DELAY", 0.0)
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress.Progress() as shown:
        before = {}
        for kind, done, total in (("member", 1, 1), ("grant", 1, 30), ("identity", 5, 60), ("member", 4, 60)):
            shown.reading(kind, done, total, "org.acme")
            bars = {task.description: task.completed for task in shown._bars.tasks}
            assert all(bars[phase] >= count for phase, count in before.items())
            before = bars
        assert [(task.description, task.completed, task.total) for task in shown._bars.tasks] == [
            ("Reading lists", 3, 3),
            ("Looking up people", 1, None),
        ]
    drawn = capsys.readouterr().err
    lines = [line for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn).splitlines() if "\u2501" in line]
    assert lines
    assert [line for line in lines if not re.search("\u2501 +\\d", line)] == [], "a bar has its count from the start"


def test_the_log_of_an_apply_that_is_killed_shows_what_it_did(drifted):
    drifted.manifest("orgs: {org1: {display_name: A}, org2: {display_name: B}, org3: {display_name: C}}")
    with drifted.served({"kind": "latency", "ms": 60_000, "method": "PATCH", "after": 2}) as seen:
        process = drifted.start("apply", "--auto-approve", "--parallelism", "1", "--host", drifted.host)
        seen.wait_until_held()
        said = [process.stderr.readline(), process.stderr.readline()]
        process.kill()
        out, err = process.communicate(timeout=60)
        seen.released.set()
    assert said == ["  done 1: update org.org1\n", "  done 2: update org.org2\n"]
    assert err == ""
    assert "Applied" not in out


@pytest.mark.parametrize(
    ("args", "path", "number"),
    [
        (("plan",), "^/org/org0/member$", signal.SIGINT),
        (("plan", "--format", "json"), "^/actor$", signal.SIGINT),
        (("drift",), "/audit_log$", signal.SIGINT),
        (("import", "org0", "--out", "x.yaml"), "^/org/org0/workspace$", signal.SIGINT),
        (("apply", "--auto-approve"), "^/org/org0/member$", signal.SIGINT),
        (("apply", "--auto-approve"), "^/org/org0/member$", signal.SIGTERM),
    ],
)
def test_a_command_that_is_interrupted_while_it_reads_says_so(drifted, args, path, number):
    before = drifted.database()
    with drifted.served({"kind": "latency", "ms": 60_000, "method": "GET", "path": path}) as seen:
        process = drifted.start(*args, "--host", drifted.host)
        seen.wait_until_held()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        seen.released.set()
    assert process.returncode == (130 if number == signal.SIGINT else 143)
    assert out == ""
    assert err.splitlines()[-1:] == ["Interrupted."]
    assert "Traceback" not in err
    assert drifted.database() == before
