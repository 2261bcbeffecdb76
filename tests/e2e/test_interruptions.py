"""An apply that is stopped, killed, doubled, or cannot write down or print what it does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.terminal import on_a_terminal
from reconciler.apply.journal import Journal

MANY = [f"p{n:02}" for n in range(12)]
LIVE = {
    "users": {name: {} for name in MANY},
    "orgs": {"acme": {"members": {"alice": "owner"}, "workspaces": {"prod": {}}}},
}
WANTED = (
    "orgs: {acme: {members: {alice: owner, " + ", ".join(f"{name}: member" for name in MANY) + "},"
    " workspaces: {prod: {members: {" + ", ".join(f"{name}: reader" for name in MANY) + "}}}}}"
)
STEPS = 2 * len(MANY)
SLOW = {"kind": "latency", "ms": 60_000, "method": "POST", "after": 3}


@pytest.fixture
def acme(bench):
    bench.pipes(LIVE)
    bench.manifest(WANTED)
    return bench


def start(bench, *args):
    return bench.start("apply", "--auto-approve", "--parallelism", "1", "--host", bench.host, "--format", "json", *args)


def finished(bench):
    """What was left is finished by running it again, and nothing was done twice."""
    ran = bench.apply()
    assert ran.status == 0
    assert bench.plan("--detailed-exitcode").status == 0
    # a second invitation would have been refused as a duplicate, and a log of its own tells
    log = [(e["action_type"], e["target_handle"]) for e in bench.client().all("/org/acme/audit_log")]
    assert sorted(log) == sorted(set(log))
    assert len(log) >= STEPS
    return ran


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_ends_what_is_in_flight_starts_nothing_more_and_says_what_is_left(acme, number):
    with acme.served(SLOW) as seen:
        process = start(acme)
        seen.wait_until_held()
        process.send_signal(number)
        told = next(line for line in process.stderr if "Stopping" in line)
        seen.released.set()  # the request in flight is answered now
        out, err = process.communicate(timeout=60)
    assert "requests in flight are finished, no more are started" in told
    assert "Traceback" not in out + err
    assert process.returncode == 5
    statuses = [outcome["status"] for outcome in json.loads(out)["outcomes"]]
    assert len(statuses) == STEPS
    assert set(statuses) == {"done", "skipped"}
    assert 3 <= statuses.count("done") <= 5
    finished(acme)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_anything_was_written_leaves_everything_as_it_was(acme, number, status):
    before = acme.database()
    with acme.served({"kind": "latency", "ms": 60_000, "method": "GET", "after": 1}) as seen:
        process = start(acme)
        seen.wait_until_held()
        process.send_signal(number)
        process.stderr.readline()
        process.stderr.readline()
        seen.released.set()
        out, err = process.communicate(timeout=60)
    assert "Traceback" not in out + err
    assert process.returncode == status
    assert acme.database() == before


# Python drops what a callback of the collector raises, as it does in the middle of an import
DROPPED = """
import gc, signal, sys, threading
from reconciler import cli

def once(phase, info):
    ready = signal.getsignal(NUMBER) not in (signal.default_int_handler, signal.SIG_DFL)
    if ready and threading.current_thread() is threading.main_thread():
        gc.callbacks.remove(once)
        signal.raise_signal(NUMBER)  # to this thread, so that it is handled here

sys.unraisablehook = lambda _: print("dropped")
gc.callbacks.append(once)
gc.set_threshold(50)
sys.exit(cli.run(sys.argv[1:]))
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_python_drops_still_ends_it_before_anything_is_written(acme, number, status):
    before = acme.database()
    program = DROPPED.replace("NUMBER", str(int(number)))
    command = [sys.executable, "-c", program, "apply", "--auto-approve", "--host", acme.host]
    done = subprocess.run(command, cwd=acme.folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.startswith("dropped\n")
    assert done.returncode == status, done.stderr
    assert acme.database() == before


def test_a_second_signal_stops_at_once_and_the_next_apply_says_what_was_in_flight(acme):
    with acme.served(SLOW) as seen:
        process = start(acme)
        seen.wait_until_held()
        process.send_signal(signal.SIGINT)
        process.stderr.readline()
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert "was in flight when the last apply ended" in finished(acme).err


def test_a_kill_is_survived(acme):
    with acme.served(SLOW) as seen:
        process = start(acme)
        seen.wait_until_held()
        process.kill()
        process.communicate(timeout=30)
    assert "was in flight when the last apply ended" in finished(acme).err


def test_two_applies_in_one_folder_do_not_run_at_once(acme):
    with acme.served(SLOW) as seen:
        process = start(acme)
        seen.wait_until_held()
        second = acme.run("apply", "--auto-approve", "--host", acme.host)
        seen.released.set()
        process.communicate(timeout=60)
    assert second.status == 1
    assert "another apply is at work" in second.err
    assert process.returncode == 0
    assert acme.plan("--detailed-exitcode").status == 0


def test_the_lock_of_an_apply_that_was_killed_holds_nobody_up(acme):
    with Journal(acme.folder / ".reconciler"):
        assert acme.apply().status == 1
    assert acme.apply().status == 0


# --- what cannot be written -------------------------------------------------------------------------------------------


def test_a_lock_file_that_cannot_be_kept_is_said_and_the_apply_is_done(acme):
    (acme.folder / "reconciler.lock.json").symlink_to("missing/lock.json")
    ran = acme.apply()
    assert ran.status == 0
    assert "the lock file reconciler.lock.json was not kept" in ran.out
    assert len(acme.members("acme")) == 1 + len(MANY)
    assert acme.plan("--detailed-exitcode").status == 0


@pytest.mark.parametrize("args", [(), ("--journal", "orgs.yaml"), ("--journal", "/proc/nowhere/journal")])
def test_without_a_journal_nothing_is_sent(acme, args):
    if not args:
        (acme.folder / ".reconciler").write_text("a file where a folder belongs")
    before = acme.database()
    ran = acme.apply(*args)
    assert ran.status == 1
    assert len(ran.err.splitlines()) <= 4
    assert acme.database() == before


def test_the_journal_is_for_its_owner_only_and_holds_no_token(acme):
    assert acme.apply("--journal", "journal").status == 0
    path = acme.folder / "journal" / "journal.jsonl"
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    assert len(path.read_text().splitlines()) >= 2 * STEPS
    assert "tpt_" not in path.read_text()
    assert not (acme.folder / ".reconciler").exists()


def crowd(bench):
    names = [f"member-{n:04}" for n in range(1500)]
    bench.pipes({"users": {name: {} for name in names}, "orgs": {"acme": {"members": {"alice": "owner"}}}})
    bench.manifest("orgs: {acme: {members: {alice: owner, " + ", ".join(f"{name}: member" for name in names) + "}}}")


def test_a_reader_that_has_seen_enough_of_a_plan_gets_no_traceback(bench):
    crowd(bench)
    with bench.start("plan", *bench.local) as process:
        assert "Plan: 1500 to create" in process.stdout.readline() + process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
    assert err == ""
    assert process.returncode in (0, 1)  # 0 where the pipe had room for all of it


@pytest.mark.parametrize("command", [("plan",), ("--help",), ("schema",), ("validate",)], ids=lambda c: c[0])
def test_a_reader_that_was_never_there_gets_no_traceback(acme, command):
    reader, writer = os.pipe()
    os.close(reader)
    host = acme.local if command[0] == "plan" else []
    ran = acme.spawn(*command, *host, stdout=writer)
    os.close(writer)
    assert (ran.status, ran.err) == (0, "")


def test_a_report_that_nobody_reads_changes_nothing_of_the_apply(acme):
    reader, writer = os.pipe()
    os.close(reader)
    assert acme.plan("-o", "plan.json").status == 0
    ran = acme.spawn("apply", "plan.json", *acme.local, stdout=writer)
    os.close(writer)
    assert (ran.status, ran.err) == (0, "")
    assert acme.plan("--detailed-exitcode").status == 0


def full():
    return open("/dev/full", "w")  # noqa: PTH123 - handed to a process, closed by the test


def test_a_full_disk_for_standard_output(acme):
    with full() as stdout:
        ran = acme.spawn("plan", *acme.local, stdout=stdout)
    assert ran.status == 1
    assert "No space left on device" in ran.err
    with full() as stdout:
        assert acme.plan("-o", "plan.json").status == 0
        ran = acme.spawn("apply", "plan.json", *acme.local, stdout=stdout)
    assert ran.status == 1
    assert "No space left on device" in ran.err
    assert acme.plan("--detailed-exitcode").status == 0


@pytest.mark.parametrize("option", ["--out", "-o"])
def test_a_full_disk_for_a_file_leaves_the_device_what_it_is(acme, option):
    ran = acme.plan(option, "/dev/full")
    assert ran.status == 1
    assert "No space left on device" in ran.err
    assert not Path("/dev/full").is_file()
    assert acme.plan(option, "/dev/null").status == 0
    assert not Path("/dev/null").is_file()


def test_a_full_disk_for_the_report_of_an_apply_changes_nothing_of_it(acme):
    ran = acme.apply("--out", "/dev/full", "--format", "json")
    assert ran.status == 1
    assert "the apply itself has ended. Applied: " in ran.err
    assert "done       1  " in ran.out  # what became of each step is not lost with the file
    assert acme.plan("--detailed-exitcode").status == 0


@pytest.mark.parametrize("name", ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"])
def test_a_full_disk_for_a_jobs_files_changes_nothing_of_an_apply(acme, monkeypatch, name):
    monkeypatch.setenv(name, "/dev/full")
    ran = acme.apply("--format", "github")
    assert ran.status == 1
    assert "the apply itself has ended. Applied: " in ran.err
    assert acme.plan("--detailed-exitcode").status == 0


def test_a_file_in_a_folder_that_is_not_there_leaves_nothing_behind(acme):
    names = {path.name for path in acme.folder.iterdir()}
    ran = acme.plan("-o", "missing/plan.json")
    assert ran.status == 1
    assert "missing" in ran.err
    assert {path.name for path in acme.folder.iterdir()} == names


@pytest.mark.parametrize("fmt", ["json", "github", "junit"])
def test_whoever_is_asked_has_seen_the_plan_whatever_the_format_of_the_report(acme, fmt):
    before = acme.database()
    status, out = on_a_terminal(acme, [b"no\n"], "--format", fmt)
    assert status == 1
    assert out.index("+ org.acme/member.p00") < out.index("Only `yes` applies them")
    assert acme.database() == before


@pytest.mark.parametrize("ahead", [b"", b"yes\n", b"y\nyes\nyes\n"])
def test_a_terminal_that_says_no_applies_nothing(acme, ahead):
    before = acme.database()
    status, out = on_a_terminal(acme, [b"y\n"], ahead=ahead)
    assert status == 1
    assert "the answer was not `yes`" in out
    assert acme.database() == before
