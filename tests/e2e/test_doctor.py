"""`doctor`: each failure of docs/how-it-fails.md is named, with its fix, and the exit status says where it lies."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock

from reconciler.apply.journal import FILE, FOLDER
from reconciler.pipes import retry

WORLD = """
orgs:
  acme: {members: {alice: owner, bob: member}, workspaces: {prod: {members: {bob: reader}}}}
  beta: {members: {bob: owner, alice: member}}
  gamma: {members: {bob: owner}}
"""
ACME = "orgs: {acme: {members: {alice: owner, bob: member}}}"


@pytest.fixture
def acme(bench, monkeypatch):
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(retry, "ATTEMPTS_WHEN_TOLD", 3)
    bench.pipes(WORLD)
    bench.manifest(ACME)
    bench.lock(**{"org.acme": "org acme"})
    subprocess.run(["git", "init", "--quiet"], cwd=bench.folder, check=True)
    subprocess.run(["git", "add", "orgs.yaml", "reconciler.lock.json"], cwd=bench.folder, check=True)
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *who, "commit", "--quiet", "-m", "a"], cwd=bench.folder, check=True)
    return bench


def doctor(bench, *args, host=None):
    """The exit status, and the checks by name as (status, found, fix)."""
    ran = bench.run("doctor", "--format", "json", "--host", host or bench.host, *args)
    return ran.status, {c["name"]: (c["status"], c["found"], c["fix"]) for c in ran.json["checks"]}


def failing(bench, name, *args, status, host=None):
    """The found and the fix of the one check that is not ok."""
    left, checks = doctor(bench, *args, host=host)
    assert left == status
    wrong = {key: check for key, check in checks.items() if check[0] != "ok"}
    assert list(wrong) == [name]
    state, found, fix = wrong[name]
    assert state == ("warn" if status == 0 else "fail")
    assert fix
    return found, fix


def test_all_is_well(acme):
    status, checks = doctor(acme)
    assert status == 0
    assert {check[0] for check in checks.values()} == {"ok"}
    assert list(checks) == [
        "version", "manifests", "lock file", "journal", "git", "host", "user", "token", "org.acme"
    ]  # fmt: skip
    assert checks["user"][1] == "alice, a person's account"
    assert checks["org.acme"][1] == "alice owns it"


def test_it_prints_one_line_for_each_check_with_its_fix(acme):
    acme.manifest("orgs: {acme: {members: {alice: {rolle: owner}}}}")
    ran = acme.run("doctor", *acme.local)
    lines = ran.out.splitlines()
    assert all(re.match(r"(ok  |warn|fail)  \S", line) for line in lines)
    broken = next(line for line in lines if line.startswith("fail"))
    assert "orgs.yaml:2:33: unknown key `rolle`" in broken
    assert "To fix: did you mean `role`? `reconciler validate` shows all of it" in broken
    assert ran.status == 1


def test_it_sends_nothing_but_reads(acme):
    before = acme.database()
    doctor(acme)
    assert acme.database() == before


def test_it_works_in_an_empty_folder_without_a_token(bare):
    ran = bare.run("doctor", "--format", "json")
    found = {check["name"]: check for check in ran.json["checks"]}
    assert ran.status == 4
    assert found["manifests"]["fix"] == "run `reconciler init`"
    assert found["token"]["status"] == "fail"
    assert "PIPES_TOKEN" in found["token"]["fix"]


# --- the failures of docs/how-it-fails.md -----------------------------------------------------------------------------


def test_a_mistake_in_a_manifest(acme):
    acme.manifest("orgs: {acme: {members: {alice: {rolle: owner}, bob: team/x}}}")
    status, checks = doctor(acme)
    state, found, fix = checks["manifests"]
    assert (status, state) == (1, "fail")
    assert "unknown key `rolle`" in found
    assert "and 1 more" in found
    assert "reconciler validate" in fix


def test_a_wrong_token(acme, monkeypatch):
    monkeypatch.setenv("PIPES_TOKEN", "tpt_wrong")
    with acme.served():
        found, fix = failing(acme, "token", status=4)
    assert "does not accept the token" in found
    assert "PIPES_TOKEN" in fix


def test_a_missing_token(acme, monkeypatch):
    monkeypatch.delenv("PIPES_TOKEN")
    found, fix = failing(acme, "token", status=4, host="pipes.example")
    assert "no token" in found
    assert "PIPES_TOKEN" in fix


@pytest.mark.parametrize(
    ("name", "text"),
    [("missing", None), ("empty", ""), ("lines", "tpt_a\ntpt_b\n"), ("spaces", "tpt a"), ("letters", "tpt_\u00e9")],
)
def test_a_file_that_holds_no_token(acme, name, text):
    if text is not None:
        (acme.folder / name).write_text(text)
    with acme.served():
        left, checks = doctor(acme, "--token-file", name)
    state, found, fix = checks["token"]
    assert left in (1, 4)
    assert state == "fail"
    assert name in found
    assert "the network" not in fix
    assert "nothing else" in fix


def test_a_token_that_ends_soon_is_warned_of(bench):
    ends = "2026-11-30T09:00:00Z"
    bench.pipes(
        {
            "orgs": {"acme": {"members": {"alice": "owner"}}},
            "tokens": [{"user": "alice", "token": "tpt_e2e0never0shown0anywhere", "expires_at": ends}],
        }
    )
    bench.manifest("orgs: {acme: {members: {alice: owner}}}")
    status, checks = doctor(bench)
    assert status == 0
    assert checks["token"][0] == "warn"
    assert "ends on 2026-11-30, in 6 days" in checks["token"][1]


def test_the_older_name_of_the_token_is_pointed_out(acme, monkeypatch):
    monkeypatch.delenv("PIPES_TOKEN")
    monkeypatch.setenv("STEAMPIPE_CLOUD_TOKEN", "tpt_older")
    with acme.served():
        _, checks = doctor(acme)
    assert "STEAMPIPE_CLOUD_TOKEN" in "".join(checks["token"])


def test_nothing_listens(acme):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        found, fix = failing(acme, "pipes", status=4, host=f"http://127.0.0.1:{held.getsockname()[1]}")
    assert "Connection refused" in found
    assert "--host" in fix


def test_plain_http_to_another_machine(acme):
    found, fix = failing(acme, "host", status=1, host="http://pipes.example")
    assert "plain http" in found
    assert "https://pipes.example" in fix


def test_a_certificate_that_is_not_trusted(acme):
    with acme.served(tls=True):
        found, fix = failing(acme, "certificates", status=4)
    assert "not trusted" in found
    assert "REQUESTS_CA_BUNDLE" in fix


def test_a_file_of_certificates_that_is_none(acme, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "orgs.yaml")
    found, fix = failing(acme, "certificates", status=4, host="pipes.example")
    assert "holds no certificate" in found
    assert "REQUESTS_CA_BUNDLE" in fix


def test_a_proxy_that_cannot_be_used(acme, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:secret@proxy.example")
    acme.hidden.add("secret")
    found, fix = failing(acme, "proxy", status=4, host="pipes.example")
    assert "HTTPS_PROXY" in found
    assert "http://proxy.example:3128" in fix


def test_a_proxys_page_instead_of_pipes(acme):
    with acme.served({"kind": "html", "status": 200}):
        found, _ = failing(acme, "pipes", status=4)
    assert "instead of JSON" in found


def test_pipes_asks_to_slow_down(acme):
    with acme.served({"kind": "status", "status": 429, "retry_after": 0}):
        found, fix = failing(acme, "pipes", status=4)
    assert "429" in found
    assert "--parallelism" in fix


@pytest.mark.parametrize("status", [500, 503])
def test_pipes_fails(acme, status):
    with acme.served({"kind": "status", "status": status}):
        found, fix = failing(acme, "pipes", status=4)
    assert str(status) in found
    assert "a problem of its own" in fix


@pytest.mark.parametrize("kind", ["drop-before", "drop-after", "truncate"])
def test_an_answer_is_lost(acme, kind):
    with acme.served({"kind": kind, "method": "GET"}):
        failing(acme, "pipes", status=4)


@pytest.mark.parametrize(
    "fault", [{"kind": "empty-members"}, {"kind": "status", "status": 500, "path": "/acme/member"}]
)
def test_a_list_that_cannot_be_read_whole(acme, fault):
    with acme.served(fault):
        found, _ = failing(acme, "org.acme", status=4)
    assert found.startswith("empty-read: ")


def test_an_apply_is_at_work(acme):
    folder = acme.folder / FOLDER
    folder.mkdir()
    with FileLock(folder / "apply.lock"):
        found, fix = failing(acme, "journal", status=0)
    assert "an apply is at work" in found
    assert "wait" in fix


def test_an_apply_that_was_killed(acme):
    acme.manifest("orgs: {acme: {display_name: Acme, members: {alice: owner, bob: member}}}")
    with acme.served({"kind": "latency", "ms": 60_000, "method": "PATCH"}) as seen:
        process = acme.start("apply", "--auto-approve", "--host", acme.host)
        seen.wait_until_held()
        process.kill()
        process.communicate(timeout=60)
    subprocess.run(["git", "checkout", "--quiet", "orgs.yaml"], cwd=acme.folder, check=True)
    found, fix = failing(acme, "journal", status=0)
    assert "update org.acme was in flight" in found
    assert "reconciler apply" in fix


def test_a_journal_that_is_none(acme):
    (acme.folder / FOLDER).mkdir()
    (acme.folder / FOLDER / FILE).write_text("what\n")
    found, _ = failing(acme, "journal", status=1)
    assert "line 1" in found


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(acme):
    (acme.folder / FOLDER).mkdir()
    (acme.folder / FOLDER / FILE).touch()
    (acme.folder / FOLDER).chmod(0o500)
    try:
        found, fix = failing(acme, "journal", status=1)
    finally:
        (acme.folder / FOLDER).chmod(0o700)
    assert "cannot be written" in found
    assert "--journal" in fix


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="there is no read-only file system to try")
def test_a_disk_that_is_read_only(acme, monkeypatch):
    # the one thing that a test cannot arrange without being root: what the kernel says of the folder
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, 9, 9, 9, 9, 9, 9, os.ST_RDONLY, 255)))
    _, checks = doctor(acme)
    assert checks["lock file"][0] == checks["journal"][0] == "fail"
    assert "the disk is read-only" in checks["journal"][1]
    assert "--journal" in checks["journal"][2]


def test_a_disk_that_is_full(acme, monkeypatch):
    (acme.folder / FOLDER).mkdir()
    (acme.folder / FOLDER / FILE).touch()
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, 9, 0, 0, 9, 9, 9, 0, 255)))
    found, fix = failing(acme, "journal", status=1)
    assert "is full" in found
    assert "make room" in fix


def test_a_lost_lock_file(acme):
    (acme.folder / "reconciler.lock.json").unlink()
    _, checks = doctor(acme)
    assert checks["lock file"][0] == "warn"
    assert "restore it from git" in checks["lock file"][2]


@pytest.mark.parametrize("text", ["{", "<<<<<<< a\n=======\n>>>>>>> b\n", '{"version": 9}'])
def test_a_broken_lock_file(acme, text):
    (acme.folder / "reconciler.lock.json").write_text(text)
    status, checks = doctor(acme)
    assert (status, checks["lock file"][0]) == (1, "fail")
    assert checks["lock file"][2]


def test_a_forged_lock_file(acme, monkeypatch):
    monkeypatch.setenv("RECONCILER_FINGERPRINT_KEY", "k" * 40)
    acme.hidden.add("k" * 40)
    found, fix = failing(acme, "lock file", status=1)
    assert "seal" in found
    assert "--seal" in fix


def test_without_git(acme):
    (acme.folder / ".git").rename(acme.folder / "elsewhere")
    found, _ = failing(acme, "git", status=0)
    assert "no git repository" in found


def test_a_machine_without_git(acme, monkeypatch):
    monkeypatch.setenv("PATH", str(acme.folder))
    found, fix = failing(acme, "git", status=0)
    assert "not installed" in found
    assert fix == "install git"


def test_a_path_that_does_not_exist(acme):
    _, checks = doctor(acme, "orgs.yml")
    state, found, fix = checks["manifests"]
    assert (state, found) == ("fail", "there is no file or folder `orgs.yml`")
    assert "check the path" in fix


def test_an_apply_that_was_interrupted(acme):
    acme.manifest("orgs: {acme: {display_name: Acme, members: {alice: owner, bob: member}}}")
    with acme.served({"kind": "latency", "ms": 60_000, "method": "PATCH"}) as seen:
        process = acme.start("apply", "--auto-approve", "--host", acme.host)
        seen.wait_until_held()
        process.send_signal(signal.SIGINT)
        seen.released.set()
        process.communicate(timeout=60)
    assert process.returncode in (0, 5), "the request in flight was finished"
    subprocess.run(["git", "checkout", "--quiet", "orgs.yaml"], cwd=acme.folder, check=True)
    _, checks = doctor(acme)
    assert checks["journal"][0] == "ok"
    assert "came to its end" in checks["journal"][1]


def test_an_apply_that_was_ended_at_once_by_a_second_ctrl_c(acme):
    acme.manifest("orgs: {acme: {display_name: Acme, members: {alice: owner, bob: member}}}")
    with acme.served({"kind": "latency", "ms": 60_000, "method": "PATCH"}) as seen:
        process = acme.start("apply", "--auto-approve", "--host", acme.host)
        seen.wait_until_held()
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)
        process.communicate(timeout=60)
    subprocess.run(["git", "checkout", "--quiet", "orgs.yaml"], cwd=acme.folder, check=True)
    found, fix = failing(acme, "journal", status=0)
    assert "update org.acme was in flight" in found
    assert "reconciler apply" in fix


def test_changes_that_are_not_committed(acme):
    acme.manifest(ACME + "\nteams: {a: [bob]}\n")
    _, checks = doctor(acme)
    assert checks["git"][1].endswith(", with uncommitted changes")


def test_a_file_that_git_does_not_track_counts_only_among_the_manifests(acme):
    (acme.folder / "plan.json").write_text("{}")
    assert "uncommitted" not in doctor(acme)[1]["git"][1]


# --- rights -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("org", "state", "says"),
    [
        ("beta", "fail", "alice does not own it"),
        ("gamma", "fail", "alice may not read it"),
        ("delta", "warn", "`apply` would create it"),
    ],
)
def test_the_rights_in_each_organization(acme, org, state, says):
    acme.manifest(f"orgs: {{acme: {{}}, {org}: {{members: {{alice: owner}}}}}}")
    status, checks = doctor(acme)
    assert status == (4 if state == "fail" else 0)
    assert checks["org.acme"][0] == "ok"
    assert checks[f"org.{org}"][0] == state
    assert says in checks[f"org.{org}"][1]


def test_a_service_account_is_said_to_be_one(bench):
    bench.pipes(
        {
            "actor": "sa-ci",
            "orgs": {"acme": {"members": {"alice": "owner"}, "service_accounts": {"sa-ci": {"role": "owner"}}}},
        }
    )
    _, checks = doctor(bench)
    assert "a service account" in checks["user"][1]


def test_hostile_text_is_escaped(acme):
    acme.manifest('orgs: {"a\\e[31m": {}}')
    ran = acme.run("doctor", *acme.local)
    assert "\x1b" not in ran.out
    assert json.loads(acme.run("doctor", "--format", "json", *acme.local).out)
