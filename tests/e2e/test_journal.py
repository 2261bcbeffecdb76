"""The journal is evidence: it decides nothing that live does not confirm, and a broken one is told and lost nothing of."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from pathlib import Path

import pytest

from e2e.bench import PROGRAM

WORLD = {
    "users": {name: {} for name in ("mallory", "carol-c", "bob")},
    "orgs": {"acme": {"members": {"alice": "owner", "bob": "member"}, "workspaces": {"prod": {}}}},
}
MANIFEST = """people: {carol: {email: carol@example.com}}
orgs: {acme: {members: {alice: owner, bob: member, carol: owner}}}
"""


@pytest.fixture
def acme(bench):
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    return bench


def ids(bench):
    return {name.removeprefix("user "): identifier for identifier, name in bench.names().items()}


def journal(bench, *lines):
    folder = bench.folder / ".reconciler"
    folder.mkdir(exist_ok=True)
    path = folder / "journal.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def intent(**more):
    return {
        "intent": 1, "step": 1, "address": "org.acme/member.carol", "action": "create", "method": "POST",
        "path": "/org/acme/member/invite", "body": {"email": "carol@example.com", "role": "owner"}, "known": [],
        "changes": True, "at": "2026-11-24T08:59:00+00:00", **more,
    }  # fmt: skip


def outcome(user_id, handle="mallory"):
    return {"outcome": 1, "status": "201", "user_id": user_id, "user_handle": handle}


def invite(bench, handle, role="member", by=None):
    bench.client(by).ok("POST", "/org/acme/member/invite", {"handle": handle, "role": role})


def accepted(bench):
    invite(bench, "mallory", "member")
    bench.accept("acme", "mallory")


def other_role(bench):
    invite(bench, "mallory", "member")


def by_somebody_else(bench):
    bench.client().ok("PATCH", "/org/acme/member/bob", {"role": "owner"})
    invite(bench, "mallory", "owner", by="bob")


@pytest.mark.parametrize("scene", [accepted, other_role, by_somebody_else])
def test_what_live_does_not_confirm_is_nobody(acme, scene):
    scene(acme)
    journal(acme, intent(), outcome(ids(acme)["mallory"]))
    before = acme.members("acme")
    ran = acme.apply("--format", "json", "--allow", "mass-removal=org.acme", "--allow", "owner-removal=org.acme")
    if ran.status == 1:  # an allowance for what the plan does not touch
        ran = acme.apply("--format", "json")
    after = acme.members("acme")
    assert "mallory" not in after or after["mallory"] == before["mallory"]
    assert ids(acme)["mallory"] not in (acme.lock_text() or "")


def test_an_invitation_from_before_the_intent_is_not_it(acme):
    invite(acme, "mallory", "owner")
    journal(acme, intent(at="2026-11-24T10:00:00+00:00"), outcome(ids(acme)["mallory"]))
    ran = acme.apply("--format", "json")
    assert (ran.status, ran.codes) == (3, ["who-is-this"])


def test_an_invitation_that_live_confirms_is_it(acme):
    invite(acme, "carol-c", "owner")
    journal(acme, intent(), outcome(ids(acme)["carol-c"], "carol-c"))
    ran = acme.apply()
    assert ran.status == 0
    assert "by the journal, the last apply invited carol@example.com for org.acme/member.carol" in ran.err
    assert acme.members("acme")["carol-c"] == "owner?"
    assert ids(acme)["carol-c"] in acme.lock_text()


def test_what_is_taken_from_the_journal_is_told_where_it_cancels_somebodys_invitation(acme):
    """A forged line gives mallory's invitation the address of nobody, as if it had been corrected since."""
    invite(acme, "mallory", "owner")
    journal(acme, intent(body={"email": "x@example.org\x1b[2J", "role": "owner"}), outcome(ids(acme)["mallory"]))
    ran = acme.apply()
    assert ran.status == 0
    assert "the last apply invited x@example.org" in ran.err
    assert "Pipes shows an invitation that fits, as mallory, and it is taken for that one" in ran.err
    assert "\x1b" not in ran.out + ran.err
    assert "new address: the invitation is cancelled and sent again" in ran.out


@pytest.mark.parametrize(
    "line",
    [
        intent(address="org.zulu", path="/org", body={"handle": "zulu"}),
        intent(address="org.acme/workspace.dev", path="/org/acme/workspace", body={"handle": "dev"}),
        intent(address="org.acme/service_account.ci", path="/org/acme/service_account", body={"title": "CI"}),
        intent(address="org.acme/connection.c1", path="/org/acme/connection", body={"handle": "c1", "plugin": "net"}),
        intent(address="org.acme/connection_folder.f0", path="/org/acme/connection_folder", body={"title": "f0"}),
        intent(address="org.acme/workspace.prod/grant.bob", path="/org/acme/workspace/prod/member", body={"handle": "bob"}),
    ],
)  # fmt: skip
def test_no_line_of_another_kind_makes_anything_or_says_that_it_will(acme, line):
    accounts = ids(acme)
    answer = {"outcome": 1, "status": "201", "id": accounts["mallory"], "user_id": accounts["mallory"]}
    for lines in ([line], [line, answer]):
        journal(acme, *lines)
        acme.manifest("orgs: {acme: {members: {alice: owner, bob: member}}}")
        before = acme.database()
        ran = acme.apply()
        assert ran.status == 0
        assert ("did not take effect; it is planned again where it is still needed" in ran.err) == (len(lines) == 1)
        assert acme.database() == before
        assert accounts["mallory"] not in (acme.lock_text() or "")


BROKEN = [
    "123", "null", "[[[[]]]]", "[" * 100_000, '"text"', "{}", "not json", '{"intent": 1}', '{"end": 5}', "\x00",
    json.dumps(intent(address="org.acme/member." + "x" * 100_000)), json.dumps(intent(address="org.acme/ghost.carol")), json.dumps(intent(address="nothing")),
    json.dumps(intent(address="org.acme/workspace.prod/member.carol/grant.x")), json.dumps(intent(body=[1])),
    json.dumps(intent(method="GET")), json.dumps(intent(path=None)), json.dumps(intent(known=7)),
    json.dumps(intent(at="soon")), json.dumps(intent(at="0001-01-01T00:00:00+23:59")), json.dumps(intent(at="9999-12-31T23:59:59-23:59")),
    json.dumps(intent(body={"email": None, "role": "owner"})), json.dumps(intent(body={"email": ["x"]})), json.dumps(intent(body={"handle": 7})), json.dumps({"outcome": "1", "status": 201}),
]  # fmt: skip


@pytest.mark.parametrize("line", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_line_is_named_and_nothing_is_lost(acme, line):
    path = journal(acme, intent(), line)
    was, before = path.read_bytes(), acme.database()
    ran = acme.apply()
    assert ran.status == 1
    assert "journal.jsonl, line 2, is not what an apply writes" in ran.err
    assert "move it away" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert (path.read_bytes(), acme.database()) == (was, before)
    path.unlink()
    assert acme.apply().status == 0


@pytest.mark.parametrize("what", ["a folder", "a pipe", "a device"])
@pytest.mark.parametrize("command", ["apply", "lock"])
def test_a_journal_that_is_not_a_file_is_named_and_not_waited_for(acme, what, command):
    path = acme.folder / ".reconciler" / "journal.jsonl"
    path.parent.mkdir()
    if what == "a device":
        path.symlink_to("/dev/zero")
    else:
        {"a folder": Path.mkdir, "a pipe": os.mkfifo}[what](path)
    before = acme.database()
    ran = acme.apply() if command == "apply" else acme.run("lock", *acme.local)
    assert ran.status == 1
    assert "journal.jsonl is not what an apply writes" in ran.err
    assert acme.database() == before


WRONG = (
    None,
    7,
    -1,
    1.5,
    True,
    [],
    {},
    [["x"]],
    {"a": {"b": [1]}},
    "",
    "x",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59Z",
)


@pytest.mark.parametrize(
    ("field", "inside"),
    [
        *((name, None) for name in ("intent", "address", "action", "path", "body", "known", "changes", "at")),
        ("body", "email"),
        ("body", "role"),
        ("body", "handle"),
    ],
)
def test_any_value_in_any_field_is_taken_as_it_stands_or_named_and_invites_nobody(acme, field, inside):
    """Without an invitation that live confirms, a journal line changes what an apply does only by stopping it."""
    invite(acme, "mallory", "member")
    before, lock = acme.database(), acme.lock_text()
    for value in WRONG:
        content = {**intent()["body"], inside: value} if inside is not None else value
        path = journal(acme, intent(**{field: content}), outcome(ids(acme)["mallory"]))
        ran = acme.apply()
        assert ran.status in (1, 3), (value, ran.out + ran.err)
        assert ran.status == 3 or "journal.jsonl, line 1, is not what an apply writes" in ran.err
        assert (acme.database(), acme.lock_text()) == (before, lock), value
        path.unlink()


ODD = [
    intent(body=None), intent(method="PATCH", path="/org/acme/member/bob", body={"ghost": 1}),
    intent(method="PATCH", address="org.acme", path="/org/acme", body={"token_min_issued_at": 7}),
    intent(method="PATCH", address="org.acme/workspace.prod", path="/org/acme/workspace/prod", body={"handle": 7}),
    intent(method="DELETE", path="/org/acme/../beta"), intent(path="/actor"), intent(path="/org/acme/member/\n"),
]  # fmt: skip


@pytest.mark.parametrize("line", ODD, ids=range(len(ODD)))
def test_a_line_of_the_right_form_with_odd_content_is_no_traceback(acme, line):
    journal(acme, line)
    ran = acme.apply()
    assert "was in flight when the last apply ended" in ran.err
    assert ran.status in (0, 3)


def test_a_line_that_was_cut_off_does_not_swallow_the_next(acme):
    path = journal(acme, intent(address="org.acme/member.bob", method="PATCH", path="/org/acme/member/bob", body={}))
    with path.open("a") as file:
        file.write('{"intent": 2, "addr')
    acme.manifest("orgs: {acme: {members: {alice: owner, bob: member, mallory: member}}}")
    with acme.served({"kind": "latency", "ms": 60_000, "method": "POST"}) as seen:
        process = acme.start("apply", "--auto-approve", "--host", acme.host)
        seen.wait_until_held()
        process.kill()
        process.communicate(timeout=60)
    ran = acme.apply()
    assert ran.status == 0
    assert "org.acme/member.bob was in flight" in ran.err
    assert "org.acme/member.mallory was in flight" in ran.err


def test_a_disk_that_fills_up_in_mid_apply_is_reported(acme):
    names = [f"n{n}" for n in range(30)]
    acme.db.unlink()
    acme.pipes({**WORLD, "users": {**WORLD["users"], **{name: {} for name in names}}})
    acme.manifest(
        f"orgs: {{acme: {{members: {{alice: owner, bob: member, {', '.join(f'{n}: member' for n in names)}}}}}}}"
    )
    (acme.folder / "elsewhere").mkdir()
    with acme.served():
        # the bound on the size of a file stands for the disk: the journal alone grows in this process
        done = subprocess.run(
            [*PROGRAM, "apply", "--auto-approve", "--parallelism", "1", "--host", acme.host, "--format", "json"],
            cwd=acme.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            preexec_fn=small_files,
        )
    assert "Traceback" not in done.stderr, done.stderr
    report = json.loads(done.stdout)
    statuses = [one["status"] for one in report["outcomes"]]
    assert done.returncode == 5
    assert 0 < statuses.count("done") < len(names)
    assert any("the journal cannot be written" in one["detail"] for one in report["outcomes"])
    assert acme.apply().status == 0
    assert acme.plan("--detailed-exitcode").status == 0


def small_files():
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))
