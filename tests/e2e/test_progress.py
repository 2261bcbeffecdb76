"""What a command says while it works: what it reads, a bar that only goes forward, and that it was interrupted."""

from __future__ import annotations

import re
import signal

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


def test_it_says_how_much_it_has_read_of_lists_and_of_audit_logs(drifted, monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 0.0)
    monkeypatch.setattr(progress, "EVERY", 0.0)
    ran = drifted.run("drift", *drifted.local)
    assert ran.status == 2
    for what in ("Reading", "Reading audit logs"):
        counts = [int(number) for number in re.findall(rf"^{what}: (\d+), org", ran.err, re.MULTILINE)]
        assert counts == sorted(counts), "it never goes back"
        assert len(counts) >= 6
    assert "Reading audit logs: 12, org.org0" in ran.err
    assert " of " not in ran.err, "how many lists there will be is not known"


def test_a_bar_never_goes_back_and_has_no_end_that_moves(monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 0.0)
    with progress.Progress("Reading") as shown:
        shown._terminal = True
        for done, total in ((1, 1), (1, 30), (5, 30), (4, 60), (60, 60)):
            before = shown._bar.tasks[0].completed if shown._bar else 0
            shown.reading("member", done, total, "org.acme")
            assert shown._bar.tasks[0].total is None
            assert shown._bar.tasks[0].completed >= before
        assert len(shown._bar.tasks) == 1
        assert shown._bar.tasks[0].completed == 60


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
