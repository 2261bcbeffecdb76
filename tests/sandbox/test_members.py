from __future__ import annotations

import pytest


def test_an_address_that_nobody_has_makes_a_pending_user_with_a_handle(acme):
    alice = acme.client()
    row = alice.ok("POST", "/org/acme/member/invite", {"email": "Dave.Doe@example.com", "role": "member"})
    assert (row["user_handle"], row["status"], row["role"], row["scope"]) == ("dave-doe", "invited", "member", "org")
    assert row["user"]["status"] == "pending"
    assert "email" not in str(row)
    assert alice.ok("GET", "/org/acme/member/dave-doe") == row
    assert alice.ok("GET", "/identity/dave-doe")["id"] == row["user_id"]


def test_the_handle_that_an_address_gets_is_free(acme):
    row = acme.client().ok("POST", "/org/acme/member/invite", {"email": "bob@elsewhere.example", "role": "member"})
    assert row["user_handle"] == "bob-2"


def test_an_address_that_somebody_has_invites_that_user(acme):
    acme.client("zoe").ok("POST", "/org", {"handle": "zoo"})
    row = acme.client("zoe").ok("POST", "/org/zoo/member/invite", {"email": "ALICE@example.com", "role": "owner"})
    assert row["user_handle"] == "alice"


def test_an_invited_person_sees_the_invitation_and_confirms_it(acme):
    zoe = acme.client("zoe")
    acme.client().ok("POST", "/org/acme/member/invite", {"handle": "zoe", "role": "owner"})
    [invitation] = zoe.all("/actor/org/invite")
    assert (invitation["org"]["handle"], invitation["status"], invitation["role"]) == ("acme", "pending", "owner")
    assert zoe.status("GET", "/org/acme") == 403, "not yet in"
    assert acme.store.accepted_owners("acme") == 1
    t = acme.store.invitation("acme", "zoe")
    assert acme.client("bob").status("GET", "/org/acme/member/invite/confirm", params={"t": t}) == 403
    confirmed = zoe.send("GET", "/org/acme/member/invite/confirm", params={"t": t})
    assert (confirmed.status_code, confirmed.content) == (201, b"")
    assert zoe.ok("GET", "/org/acme/member/zoe")["status"] == "accepted"
    assert acme.store.accepted_owners("acme") == 2
    assert zoe.all("/actor/org/invite") == []
    assert zoe.refused("GET", "/org/acme/member/invite/confirm", params={"t": t}) == (400, ["query.t"])


def test_somebody_invited_by_email_becomes_an_accepted_user_by_confirming(acme):
    acme.client().ok("POST", "/org/acme/member/invite", {"email": "dan@example.com", "role": "member"})
    dan = acme.client("dan")
    dan.ok("GET", "/org/acme/member/invite/confirm", params={"t": acme.store.invitation("acme", "dan")})
    assert dan.ok("GET", "/actor")["status"] == "accepted"
    assert [row["status"] for row in dan.all("/user/dan/email")] == ["verified"]


def test_whoever_declines_is_gone_and_can_be_invited_again(acme):
    alice = acme.client()
    t = acme.store.invitation("acme", "carol")
    before = alice.ok("GET", "/org/acme/member/carol")
    assert acme.client("carol").send("DELETE", "/org/acme/member/invite", params={"t": t}).status_code == 204
    assert alice.status("GET", "/org/acme/member/carol") == 404
    again = alice.ok("POST", "/org/acme/member/invite", {"email": "carol@example.com", "role": "member"})
    assert (again["user_id"], again["user_handle"]) == (before["user_id"], "carol")
    assert again["id"] != before["id"]


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"handle": "bob", "role": "member"}, ["body.handle"]),
        ({"handle": "carol", "role": "owner"}, ["body.handle"]),
        ({"email": "carol@example.com", "role": "owner"}, ["body.email"]),
        ({"handle": "nobody-here", "role": "member"}, ["body.handle"]),
        ({"handle": "acme", "role": "member"}, ["body.handle"]),
        ({"role": "member"}, ["body"]),
        ({"handle": "zoe", "email": "zoe@example.com", "role": "member"}, ["body"]),
        ({"handle": "zoe", "role": "admin"}, ["body.role"]),
        ({"email": "zoe", "role": "member"}, ["body.email"]),
    ],
)
def test_an_invitation_that_cannot_be_is_refused(acme, body, places):
    alice = acme.client()
    before = alice.all("/org/acme/member")
    assert alice.refused("POST", "/org/acme/member/invite", body) == (400, places)
    assert alice.all("/org/acme/member") == before


def test_an_invited_member_can_be_promoted_granted_and_cancelled(acme):
    alice = acme.client()
    assert alice.ok("PATCH", "/org/acme/member/carol", {"role": "owner"})["status"] == "invited"
    grant = alice.ok("POST", "/org/acme/workspace/prod/member", {"handle": "carol", "role": "operator"})
    assert (grant["status"], grant["scope"]) == ("pending", "workspace")
    assert alice.ok("DELETE", "/org/acme/member/carol")["status"] == "invited"
    assert alice.status("GET", "/org/acme/member/carol") == 404


def test_a_removed_member_loses_every_grant(acme):
    alice = acme.client()
    assert alice.ok("DELETE", "/org/acme/member/bob")["user_handle"] == "bob"
    assert alice.handles("/org/acme/workspace/prod/member") == [("alice", "owner", "org")]
    assert alice.status("DELETE", "/org/acme/workspace/prod/member/bob") == 404
    assert acme.client("bob").status("GET", "/org/acme") == 403
    alice.ok("POST", "/org/acme/member/invite", {"handle": "bob", "role": "member"})
    assert alice.handles("/org/acme/workspace/prod/member") == [("alice", "owner", "org")], "no grant comes back"


def test_the_last_owner_can_go_so_that_no_mistake_of_a_client_is_hidden(acme):
    alice = acme.client()
    assert alice.ok("PATCH", "/org/acme/member/alice", {"role": "member"})["role"] == "member"
    assert acme.store.accepted_owners("acme") == 0
    assert alice.status("PATCH", "/org/acme/member/alice", {"role": "owner"}) == 403


def test_a_user_is_named_by_handle_or_by_id(acme):
    alice = acme.client()
    bob = alice.ok("GET", "/org/acme/member/bob")
    assert alice.ok("GET", f"/org/acme/member/{bob['user_id']}") == bob
    assert alice.ok("PATCH", f"/org/acme/member/{bob['user_id']}", {"role": "owner"})["role"] == "owner"


def test_q_searches_handles_and_display_names_literally(acme):
    alice = acme.client()

    def found(q):
        return [row["user_handle"] for row in alice.ok("GET", "/org/acme/member", params={"q": q})["items"]]

    assert found("bo") == ["bob"]
    assert found("LIC") == ["alice"]
    assert found("%") == found("_") == found("\\") == []


def test_roles_are_enforced(acme):
    bob, zoe, carol = acme.client("bob"), acme.client("zoe"), acme.client("carol")
    assert bob.status("GET", "/org/acme") == bob.status("GET", "/org/acme/member") == 200
    for method, path, body in [
        ("PATCH", "/org/acme", {"url": "x"}),
        ("DELETE", "/org/acme", None),
        ("POST", "/org/acme/member/invite", {"handle": "zoe", "role": "member"}),
        ("PATCH", "/org/acme/member/bob", {"role": "owner"}),
        ("DELETE", "/org/acme/member/alice", None),
        ("POST", "/org/acme/workspace", {"handle": "dev"}),
        ("DELETE", "/org/acme/workspace/prod", None),
        ("PATCH", "/org/acme/workspace/prod", {"handle": "x"}),
        ("POST", "/org/acme/workspace/prod/member", {"handle": "carol", "role": "reader"}),
        ("GET", "/org/acme/audit_log", None),
        ("GET", "/org/acme/usage", None),
    ]:
        assert bob.status(method, path, body) == 403, f"{method} {path} as a member"
        assert zoe.status(method, path, body) == 403, f"{method} {path} as an outsider"
        assert carol.status(method, path, body) == 403, f"{method} {path} as invited"
    for path in ("/org/acme", "/org/acme/member", "/org/acme/workspace/prod", "/org/acme/constraint"):
        assert zoe.status("GET", path) == 403, path
    assert bob.ok("DELETE", "/org/acme/member/bob")["user_handle"] == "bob", "anybody may leave"


def test_a_service_account_cannot_change_other_service_accounts_that_are_owners(acme, pipes):
    sandbox = pipes(
        {
            "service_accounts": ["deploy", "audit"],
            "orgs": {"acme": {"members": {"alice": "owner", "deploy": "owner", "audit": "owner"}}},
        }
    )
    deploy = sandbox.client("deploy")
    assert deploy.status("PATCH", "/org/acme/member/audit", {"role": "member"}) == 403
    assert deploy.status("DELETE", "/org/acme/member/audit") == 403
    assert deploy.status("PATCH", "/org/acme/member/alice", {"role": "member"}) == 200
    assert sandbox.client("deploy").status("PATCH", "/org/acme/member/deploy", {"role": "member"}) == 200
