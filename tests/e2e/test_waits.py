"""What Pipes asks to repeat later is not sent as it was: an apply looks at the object again after the wait."""

from __future__ import annotations

import re

import pytest

from e2e.between import answer
from reconciler.pipes import retry

WORLD = """
users: {bob: {}, carol: {}, dave: {}}
orgs:
  acme:
    display_name: Acme
    members: {alice: owner, bob: member, carol: owner, dave: owner}
    workspaces: {prod: {members: {bob: reader}}, dev: {}}
    connection_folders: {cloud: {}}
    connections: {aws: {plugin: aws, permitted: [prod]}, gcp: {plugin: gcp}}
"""
REST = "bob: member, carol: owner, dave: owner"
FOLDER = "/org/acme/connection_folder/{cloud}"
# what is planned, the request that is told to wait, what somebody else does in that time, and what is said of it
CASES = {
    "a role": (f"members: {{alice: owner, {REST.replace('bob: member', 'bob: owner')}}}",
               "PATCH /org/acme/member/bob", [("DELETE", "/org/acme/member/bob", None)], "it is not there any more"),
    "a removal": ("members: {alice: owner, bob: {absent: true}, carol: owner, dave: owner}", "DELETE /org/acme/member/bob",
                  [("PATCH", "/org/acme/member/bob", {"role": "owner"})], "role was changed by somebody else"),
    "a removal of another one under that handle": (
        "members: {alice: owner, bob: {absent: true}, carol: owner, dave: owner}", "DELETE /org/acme/member/bob", [("swap", "bob", "bobby")],
        "another object has this handle now"),
    "an owner's removal": (
        "members: {alice: owner, bob: member, carol: owner, dave: {absent: true}}", "DELETE /org/acme/member/dave",
        [("PATCH", "/org/acme/member/alice", {"role": "member"})], "owner-floor: 1 person would own acme"),
    "an owner who is held": (
        "members: {alice: owner, bob: member, carol: owner, dave: member}", "PATCH /org/acme/member/alice",
        [("PATCH", "/org/acme/member/alice", {"role": "member"})], "owner-floor: alice"),
    "a name": ("display_name: Acme Corp", "PATCH /org/acme", [("PATCH", "/org/acme", {"display_name": "Theirs"})],
               "display_name was changed by somebody else"),
    "a grant": ("workspaces: {prod: {members: {bob: owner}}}", "PATCH /org/acme/workspace/prod/member/bob",
                [("PATCH", "/org/acme/workspace/prod/member/bob", {"role": "operator"})], "role was changed by somebody else"),
    "a workspace": ("workspaces: {dev: {absent: true}}", "DELETE /org/acme/workspace/dev",
                    [("PATCH", "/org/acme/workspace/dev", {"desired_state": "disabled"})], "was changed by somebody else"),
    "a folder": ("connection_folders: {cloud: {title: cloud, absent: true}}", f"DELETE {FOLDER}",
                 [("PATCH", "/org/acme/connection/gcp", {"parent_id": "{cloud}"})], "it holds a connection that was not there"),
    "a connection": ("connections: {gcp: {absent: true}}", "DELETE /org/acme/connection/gcp",
                     [("PATCH", "/org/acme/connection/gcp", {"parent_id": "{cloud}"})], "folder was changed by somebody else"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_somebody_else_changed_during_a_wait_is_left_as_they_made_it(bench, monkeypatch, case):
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    planned, told, deeds, says = CASES[case]
    bench.pipes(WORLD)
    bench.manifest(f"safeguards: {{min_owners: 2}}\norgs: {{acme: {{{planned}}}}}")
    carol = bench.client("carol")
    cloud = carol.all("/org/acme/connection_folder")[0]["id"]
    told = told.format(cloud=cloud)
    sent, after = [], []

    def meddle(method, path):
        if method == "GET":
            return None
        sent.append(f"{method} {path}")
        if f"{method} {path}" != told or after:
            return None
        for verb, place, body in deeds:
            if verb == "swap":
                bench.client(place).ok("PATCH", f"/user/{place}", {"handle": body})
                bench.client("dave").ok("PATCH", "/user/dave", {"handle": place})
            else:
                carol.ok(verb, place, {k: v.format(cloud=cloud) for k, v in (body or {}).items()} or None)
        after.append(carol.all("/org/acme/audit_log"))
        return "429 Too Many Requests", {"title": "Too Many Requests", "status": 429}

    answer(monkeypatch, meddle)
    ran = bench.apply("--format", "json")
    failed = [one["detail"] for one in ran.json["outcomes"] if one["status"] == "failed"]
    assert [detail for detail in failed if says in detail], ran.out + ran.err
    assert ran.status in (1, 3)
    assert sent.count(told) == 1
    assert carol.all("/org/acme/audit_log") == after[0]


def test_what_somebody_else_did_during_a_wait_is_not_done_twice(bench, monkeypatch):
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    bench.pipes(WORLD)
    bench.manifest("orgs: {acme: {members: {alice: owner, bob: {absent: true}, carol: owner, dave: owner}}}")
    carol, sent = bench.client("carol"), []

    def meddle(method, path):
        if method != "DELETE":
            return None
        sent.append(path)
        carol.ok("DELETE", "/org/acme/member/bob")
        return "429 Too Many Requests", {}

    answer(monkeypatch, meddle)
    ran = bench.apply("--format", "json")
    assert (ran.status, sent) == (0, ["/org/acme/member/bob"])
    assert [one["status"] for one in ran.json["outcomes"]] == ["already"]


@pytest.mark.parametrize("status", [403, 500])
def test_what_cannot_be_read_again_after_a_wait_is_not_sent(bench, monkeypatch, status):
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    bench.pipes(WORLD)
    bench.manifest("orgs: {acme: {members: {alice: owner, bob: {absent: true}, carol: owner, dave: owner}}}")
    sent = []

    def meddle(method, path):
        if method == "DELETE":
            sent.append(path)
            return "429 Too Many Requests", {}
        return (f"{status} Not Now", {}) if sent and re.search("/member/bob$", path) else None

    before = bench.database()
    answer(monkeypatch, meddle)
    ran = bench.apply("--format", "json")
    (found,) = ran.json["outcomes"]
    assert (ran.status, found["status"], len(sent)) == (4, "failed", 1)
    assert "not sent again after a wait, because it could not be read again" in found["detail"]
    assert bench.database() == before
