from __future__ import annotations

import pytest


def test_a_renamed_user_is_renamed_wherever_it_shows(acme):
    alice, bob = acme.client(), acme.client("bob")
    before = alice.ok("GET", "/org/acme/member/bob")
    renamed = bob.ok("PATCH", "/user/bob", {"handle": "robert", "display_name": "Robert"})
    assert (renamed["id"], renamed["version_id"]) == (before["user_id"], 2)
    assert alice.status("GET", "/org/acme/member/bob") == 404
    after = alice.ok("GET", "/org/acme/member/robert")
    assert (after["id"], after["user_handle"], after["version_id"]) == (before["id"], "robert", before["version_id"])
    assert after["user"] == renamed == alice.ok("GET", "/user/robert")
    assert alice.ok("GET", "/org/acme/workspace/prod/member/robert")["role"] == "reader"
    assert [row["user_handle"] for row in alice.ok("GET", "/org/acme/member", params={"q": "robert"})["items"]] == [
        "robert"
    ]


def test_a_user_cannot_take_an_orgs_handle(acme):
    assert acme.client("bob").refused("PATCH", "/user/bob", {"handle": "acme"}) == (409, ["body.handle"])


def test_a_deleted_user_leaves_every_org(acme):
    acme.client("bob").ok("DELETE", "/user/bob")
    alice = acme.client()
    assert alice.status("GET", "/identity/bob") == alice.status("GET", "/user/bob") == 404
    assert [row["user_handle"] for row in alice.all("/org/acme/member")] == ["alice", "carol"]
    assert alice.handles("/org/acme/workspace/prod/member") == [("alice", "owner", "org")]


def test_what_a_deleted_user_made_still_says_so(acme):
    zoe = acme.client("zoe")
    zoe.ok("POST", "/org", {"handle": "zoo"})
    zoe.ok("POST", "/org/zoo/member/invite", {"handle": "alice", "role": "owner"})
    alice = acme.client()
    alice.ok("GET", "/org/zoo/member/invite/confirm", params={"t": acme.store.invitation("zoo", "alice")})
    zoe.ok("DELETE", "/user/zoe")
    assert alice.ok("GET", "/org/zoo")["created_by"]["handle"] == "zoe"


def test_only_oneself_sees_ones_tokens_addresses_and_can_change_oneself(acme):
    alice = acme.client()
    for method, path, body in [
        ("GET", "/user/bob/token", None),
        ("POST", "/user/bob/token", None),
        ("GET", "/user/bob/email", None),
        ("PATCH", "/user/bob", {"url": "x"}),
        ("DELETE", "/user/bob", None),
    ]:
        assert alice.status(method, path, body) == 403, f"{method} {path}"
    assert alice.status("GET", "/user/bob") == 200, "shares an org"
    assert alice.status("GET", "/user/zoe") == 403
    assert [row["email"] for row in alice.all("/user/alice/email")] == ["alice@example.com"]


def test_a_client_finds_its_own_token_by_its_last_four_characters(acme):
    alice = acme.client()
    [row] = alice.all("/user/alice/token")
    assert row["last4"] == acme.store.default_token()[-4:]
    assert row["created_at"] == "2026-11-24T09:00:00Z"
    assert acme.store.default_token() not in str(row)


def test_tokens_are_made_switched_off_and_deleted(acme):
    alice = acme.client()
    made = alice.ok("POST", "/user/alice/token")
    other = acme.connect(made["token"])
    assert other.ok("GET", "/actor")["handle"] == "alice"
    for _ in range(3):
        alice.ok("POST", "/user/alice/token")
    assert alice.status("POST", "/user/alice/token") == 402, "five are the limit"
    path = f"/user/alice/token/{made['id']}"
    assert alice.ok("PATCH", path, {"status": "inactive", "title": "old"})["title"] == "old"
    assert other.status("GET", "/actor") == 401
    alice.ok("PATCH", path, {"status": "active"})
    assert other.status("GET", "/actor") == 200
    alice.ok("DELETE", path)
    assert other.status("GET", "/actor") == 401
    assert alice.status("GET", path) == 404


def test_a_user_can_end_all_its_older_tokens(acme):
    alice = acme.client()
    alice.ok("PATCH", "/user/alice", {"token_min_issued_at": "2026-11-24T09:00:01Z"})
    assert alice.status("GET", "/actor") == 401
    assert acme.client("bob").status("GET", "/actor") == 200


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer tpt_wrong", "Basic {token}", "{token}"])
def test_without_a_valid_token_everything_but_identities_is_unauthorised(acme, header):
    nobody = acme.connect(None)
    if header:
        nobody.session.headers["Authorization"] = header.format(token=acme.store.default_token())
    for path in ("/actor", "/org", "/org/acme", "/org/acme/member", "/tenant", "/user/alice"):
        assert nobody.refused("GET", path) == (401, [])
    assert nobody.status("POST", "/org", {"handle": "x"}) == 401
    assert nobody.ok("GET", "/identity/acme")["handle"] == "acme"


def test_identities_are_searched_literally(acme):
    found = acme.client().ok("GET", "/identity", params={"q": "ac"})["items"]
    assert [row["handle"] for row in found] == ["acme"]
    assert acme.client().ok("GET", "/identity", params={"q": "%"})["items"] == []
