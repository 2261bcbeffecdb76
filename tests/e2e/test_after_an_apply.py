"""What an apply says of what it did: only what a second reading shows, and nothing about others that it did not see."""

from __future__ import annotations

import signal

import pytest

from e2e.between import answer

WORLD = {
    "users": {name: {} for name in ("bob", "carol", "dave")},
    "orgs": {
        "acme": {"members": {"alice": "owner", "carol": "member"}, "workspaces": {"prod": {}}},
        "beta": {"members": {"alice": "owner", "bob": "member"}},
        "gamma": {
            "members": {"alice": "owner", "bob": "member"},
            "workspaces": {"prod": {"members": {"bob": "reader"}}},
        },
    },
}


@pytest.fixture
def orgs(bench):
    bench.pipes(WORLD)
    return bench


def statuses(ran):
    return [outcome["status"] for outcome in ran.json["outcomes"]]


@pytest.mark.parametrize(
    "others",
    [
        "beta: {members: {alice: owner, bob: member}}",
        "gamma: {members: {alice: owner, bob: member}, workspaces: {prod: {members: {bob: reader}}}}",
        "beta: {members: {alice: owner, bob: member}}, gamma: {display_name: Gamma}",
    ],
)
def test_an_org_with_nothing_to_do_was_not_changed_by_anybody(orgs, others):
    orgs.manifest(f"orgs: {{acme: {{members: {{alice: owner, carol: member, dave: member}}}}, {others}}}")
    ran = orgs.apply("--format", "json")
    assert (ran.status, ran.json["remaining"]) == (0, [])
    assert "somebody else" not in ran.out


META = {
    "role": lambda client: client.ok("PATCH", "/org/acme/member/carol", {"role": "owner"}),
    "gone": lambda client: client.ok("DELETE", "/org/acme/member/carol"),
    "new": lambda client: client.ok("POST", "/org/acme/member/invite", {"handle": "bob", "role": "member"}),
}


@pytest.mark.parametrize(("deed", "who"), [("role", "carol"), ("gone", "carol"), ("new", "bob")])
def test_what_somebody_else_changes_meanwhile_is_named_as_theirs(orgs, monkeypatch, deed, who):
    orgs.manifest("orgs: {acme: {members: {alice: owner, carol: member, dave: member}}}")
    other, done = orgs.client(), []

    def meddle(method, _path):
        if method == "POST" and not done:
            done.append(deed)
            META[deed](other)

    answer(monkeypatch, lambda _method, _path: None, meddle)
    ran = orgs.apply("--format", "json")
    assert done == [deed]
    assert ran.status == 0
    assert any("changed by somebody else" in n and f"member.{who}" in n for n in ran.json["outcome_notes"])
    assert orgs.planned().addresses == [f"org.acme/member.{who}"]


def lying(then, writes=1):
    """A server that says 200 to every write, does nothing, and whose lists are not whole after some writes."""
    wrote = []

    def answering(method, path):
        if method != "GET":
            wrote.append(path)
            return "200 OK", {"id": "x", "user_id": "u_00000000000000000000", "user_handle": "dave"}
        return then(path) if len(wrote) >= writes else None

    return answering


@pytest.mark.parametrize(
    "then",
    [
        pytest.param(lambda p: ("200 OK", {"items": []}) if p == "/org/acme/member" else None, id="empty"),
        pytest.param(lambda p: ("403 Forbidden", {}) if p == "/org/acme/member" else None, id="forbidden"),
        pytest.param(lambda p: ("403 Forbidden", {}) if p == "/actor" else None, id="no token any more"),
        pytest.param(lambda p: ("200 OK", {"items": 7}) if p == "/actor/org" else None, id="no list"),
    ],
)
def test_what_cannot_be_read_again_is_not_confirmed(orgs, monkeypatch, then):
    orgs.manifest("orgs: {acme: {members: {alice: owner, carol: member, dave: member}}}")
    answer(monkeypatch, lying(then))
    ran = orgs.apply("--format", "json")
    assert (ran.status, statuses(ran)) == (5, ["unconfirmed"])
    assert any("could not be read again" in note for note in ran.json["outcome_notes"])


def test_an_apply_that_ends_its_own_access_is_done_all_the_same(orgs):
    orgs.client().ok("PATCH", "/org/beta/member/bob", {"role": "owner"})
    orgs.manifest("orgs: {beta: {members: {bob: owner, alice: {absent: true}}}}")
    ran = orgs.apply("--format", "json", "--allow", "self-removal=org.beta")
    assert (ran.status, set(statuses(ran))) == (0, {"done"})
    assert any("ended its own access to beta" in note for note in ran.json["outcome_notes"])


@pytest.mark.parametrize("wanted", ["member", "{absent: true}"])
@pytest.mark.parametrize(
    "then",
    [
        pytest.param(lambda p: ("200 OK", {"items": []}) if p == "/org/beta/member" else None, id="empty"),
        pytest.param(lambda p: ("403 Forbidden", {}) if p == "/org/beta/member" else None, id="forbidden"),
        pytest.param(lambda p: ("200 OK", {"items": [], "next_token": "x"}) if p == "/org/beta/member" else None, id="no end"),
        pytest.param(lambda _: None, id="whole"),
    ],
)  # fmt: skip
def test_an_apply_that_was_to_end_its_own_access_and_did_not_is_not_done(orgs, monkeypatch, wanted, then):
    """Every write is answered with success, the one of the token's own row too, and alice still owns beta."""
    orgs.client().ok("PATCH", "/org/beta/member/bob", {"role": "owner"})
    orgs.manifest(f"orgs: {{beta: {{members: {{bob: owner, alice: {wanted}}}}}}}")
    answer(monkeypatch, lying(then, writes=2))  # the first one is to the owner who stays
    ran = orgs.apply("--format", "json", "--allow", "self-removal=org.beta")
    assert ran.status == 5
    assert set(statuses(ran)) <= {"unconfirmed", "failed"}
    assert not any("ended its own access" in note for note in ran.json["outcome_notes"])


def test_an_invitation_of_which_a_fresh_plan_says_another_account_is_not_done(orgs, monkeypatch):
    """The answer names an account that dave is not: the next plan would refuse it."""
    orgs.manifest("orgs: {acme: {members: {alice: owner, carol: member, dave: member}}}")
    answer(monkeypatch, lying(lambda _: None))
    ran = orgs.apply("--format", "json")
    assert (ran.status, statuses(ran)) == (5, ["failed"])
    assert "a plan made now is refused" in ran.json["outcomes"][0]["detail"]


# --- stopped ----------------------------------------------------------------------------------------------------------


def started(bench, *args):
    return bench.start("apply", "--auto-approve", "--host", bench.host, "--format", "json", "-v", *args)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("parallelism", ["1", "4"])
def test_after_a_stop_nothing_that_pipes_asked_to_repeat_is_sent(orgs, number, parallelism):
    import json

    names = [f"n{i}" for i in range(8)]
    with_users = {**WORLD, "users": {**WORLD["users"], **{name: {} for name in names}}}
    orgs.db.unlink()
    orgs.pipes(with_users)
    orgs.manifest(
        f"orgs: {{acme: {{members: {{alice: owner, carol: member, {', '.join(f'{n}: member' for n in names)}}}}}}}"
    )
    busy = {"kind": "status", "status": 429, "retry_after": 250, "method": "POST"}
    with orgs.served(busy) as seen:
        process = started(orgs, "--parallelism", parallelism)
        for line in process.stderr:
            if "all requests wait" in line:
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    asked = len([one for one in seen if one[0] == "POST"])
    assert "Traceback" not in err
    assert asked <= int(parallelism)
    assert [o["status"] for o in json.loads(out)["outcomes"]] == ["skipped"] * len(names)
    assert process.returncode == 128 + number


def test_a_workspace_that_is_still_coming_up_when_it_is_stopped_is_not_confirmed(orgs):
    import json

    orgs.manifest("orgs: {acme: {workspaces: {prod: {}, next: {desired_state: enabled}}}}")
    with orgs.served({"kind": "latency", "ms": 60_000, "method": "GET", "path": "/workspace/next$"}) as seen:
        process = started(orgs)
        seen.wait_until_held()
        process.send_signal(signal.SIGINT)
        process.stderr.readline()
        while "Stopping" not in process.stderr.readline():
            pass
        seen.released.set()
        out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    found = json.loads(out)["outcomes"]
    assert {o["status"] for o in found if o["address"].endswith("next")} <= {"unconfirmed", "done"}
    assert not [o for o in found if o["status"] == "failed"]
    assert process.returncode in (0, 5)


BUSY = {
    "reading": {"status": 429, "method": "GET"},
    "a step's own look": {"status": 429, "method": "GET", "path": "/member/carol$"},
    "a write that failed": {"status": 503, "method": "PATCH"},
    "a removal": {"status": 429, "method": "DELETE"},
    "reading again": {"status": 429, "method": "GET", "path": "/org/acme/member$", "after": 1},
}


@pytest.mark.parametrize("where", BUSY)
def test_a_stop_ends_every_wait_and_no_write_begins_after_it(orgs, where):
    """Pipes asks to wait for minutes; the signal comes while the apply waits."""
    import json

    orgs.manifest(
        "orgs: {acme: {members: {alice: owner, carol: owner}}, gamma: {members: {alice: owner, bob: {absent: true}}}}"
    )
    with orgs.served({"kind": "status", "retry_after": 250, **BUSY[where]}) as seen:
        process = started(orgs, "--parallelism", "1")
        for line in process.stderr:
            if "all requests wait" in line or " 503 " in line:
                break
        written = [one for one in seen if one[0] != "GET"]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert [one for one in seen if one[0] != "GET"] == written
    done = [one for one in written if one[2] < 300]
    assert process.returncode == (5 if done else 128 + signal.SIGTERM)
    if where != "reading":
        found = {outcome["status"] for outcome in json.loads(out)["outcomes"]}
        assert found <= ({"done", "unconfirmed", "skipped"} if done else {"skipped"})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_during_the_last_write_does_not_say_that_all_is_done(orgs, number):
    """Every step was answered with success, and nothing was read again: whether it took effect is not known."""
    import json

    orgs.manifest("orgs: {acme: {members: {alice: owner, carol: owner}}}")
    with orgs.served({"kind": "latency", "ms": 60_000, "method": "PATCH"}) as seen:
        process = started(orgs)
        seen.wait_until_held()
        process.send_signal(number)
        while "Stopping" not in process.stderr.readline():
            pass
        seen.released.set()
        out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    report = json.loads(out)
    assert ([one["status"] for one in report["outcomes"]], report["interrupted"]) == (["done"], True)
    assert any("what it did was not read again" in note for note in report["outcome_notes"])
    assert process.returncode == 5
