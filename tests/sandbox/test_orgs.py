from __future__ import annotations

import pytest


def test_whoever_creates_an_org_is_its_accepted_owner(acme):
    zoe = acme.client("zoe")
    made = zoe.ok("POST", "/org", {"handle": "zoo", "display_name": "Zoo"})
    assert (made["handle"], made["display_name"], made["version_id"]) == ("zoo", "Zoo", 1)
    assert zoe.handles("/org/zoo/member") == [("zoe", "owner", "org")]
    assert acme.store.accepted_owners("zoo") == 1


def test_the_same_org_reads_alike_wherever_it_is_shown(acme):
    alice = acme.client()
    made = alice.ok("POST", "/org", {"handle": "oak", "url": "https://oak.example"})
    assert alice.ok("GET", "/org/oak") == made
    assert alice.ok("GET", f"/org/{made['id']}") == made
    assert alice.all("/org")[-1] == made
    assert alice.all("/actor/org")[-1]["org"] == made


@pytest.mark.parametrize("handle", ["bob", "acme"])
def test_users_and_orgs_share_one_namespace_of_handles(acme, handle):
    assert acme.client("zoe").refused("POST", "/org", {"handle": handle}) == (409, ["body.handle"])


def test_a_free_handle_is_nobodys_identity(acme):
    alice = acme.client()
    assert alice.status("GET", "/identity/oak") == 404
    assert alice.ok("GET", "/identity/acme")["type"] == "org"
    assert alice.ok("GET", "/identity/bob")["type"] == "user"


def test_a_rename_keeps_the_id_and_moves_every_host(acme):
    alice = acme.client()
    before = alice.ok("GET", "/org/acme")
    workspace = alice.ok("GET", "/org/acme/workspace/prod")
    renamed = alice.ok("PATCH", "/org/acme", {"handle": "apex"})
    assert (renamed["id"], renamed["handle"], renamed["version_id"]) == (before["id"], "apex", 2)
    moved = alice.ok("GET", "/org/apex/workspace/prod")
    assert moved["host"] == workspace["host"].replace("acme", "apex") != workspace["host"]
    assert moved["version_id"] == workspace["version_id"]
    assert alice.status("GET", "/org/acme") == 404
    assert alice.status("GET", "/identity/acme") == 404


def test_a_rename_to_a_taken_handle_changes_nothing(acme):
    alice = acme.client()
    assert alice.refused("PATCH", "/org/acme", {"handle": "bob", "display_name": "x"}) == (409, ["body.handle"])
    assert alice.ok("GET", "/org/acme")["display_name"] == "Acme"


def test_an_update_that_keeps_the_handle_is_no_rename(acme):
    assert acme.client().ok("PATCH", "/org/acme", {"handle": "acme", "url": "https://a.example"})["version_id"] == 2


def test_an_empty_text_clears_an_attribute(acme):
    alice = acme.client()
    assert "display_name" not in alice.ok("PATCH", "/org/acme", {"display_name": ""})
    assert "display_name" not in alice.ok("GET", "/org/acme")


def test_after_its_deletion_an_org_is_not_found_and_its_members_are_forbidden(acme):
    alice = acme.client()
    deleted = alice.ok("DELETE", "/org/acme")
    assert deleted["deleted_by_id"] == alice.ok("GET", "/actor")["id"]
    assert alice.status("GET", "/org/acme") == 404
    assert alice.status("DELETE", "/org/acme") == 404
    for path in ("/member", "/member/alice", "/workspace/prod/member/bob", "/audit_log", "/constraint"):
        assert alice.status("GET", "/org/acme" + path) == 403, path
    assert alice.status("POST", "/org/acme/workspace", {"handle": "dev"}) == 403
    assert alice.ok("POST", "/org", {"handle": "acme"})["id"] != deleted["id"]


def test_resetting_authentication_ends_older_tokens_for_that_org_only(acme):
    alice = acme.client()
    alice.ok("POST", "/org", {"handle": "oak"})
    alice.ok("PATCH", "/org/acme", {"token_min_issued_at": "2026-11-24T10:00:00+01:00"})
    assert alice.status("GET", "/org/acme") == 200, "a token issued at that very second still works"
    changed = alice.ok("PATCH", "/org/acme", {"token_min_issued_at": "2026-11-24T09:00:01Z"})
    assert changed["token_min_issued_at"] == "2026-11-24T09:00:01Z"
    assert alice.status("GET", "/org/acme") == 401
    assert alice.status("PATCH", "/org/acme", {"url": "x"}) == 401
    assert alice.status("GET", "/org/acme/workspace/prod/member") == 401
    assert alice.status("GET", "/org/oak") == 200
    token = alice.ok("POST", "/user/alice/token")["token"]
    assert acme.connect(token).status("GET", "/org/acme") == 200


def test_an_avatar_can_be_uploaded_and_taken_back(acme):
    alice = acme.client()
    generated = alice.ok("GET", "/org/acme")["avatar_url"]
    picture = b"\x89PNG\r\n\x1a\n" + bytes(100)
    made = alice.ok("POST", "/org/acme/avatar", files={"file": ("a.png", picture, "image/png")})
    org = alice.ok("GET", "/org/acme")
    assert org["avatar_url"] == made["avatar_url"] != generated
    shown = alice.session.get(alice.base + org["avatar_url"], timeout=60)
    assert (shown.content, shown.headers["Content-Type"]) == (picture, "image/png")
    assert alice.send("DELETE", "/org/acme/avatar").status_code == 201
    assert alice.ok("GET", "/org/acme")["avatar_url"] == generated
    assert alice.status("DELETE", "/org/acme/avatar") == 404
    assert alice.refused("POST", "/org/acme/avatar", files={"file": ("a.html", b"<b>", "image/png")}) == (400, ["body"])


def test_the_workspace_quota_is_a_constraint_and_is_enforced(sandboxes):
    alice = sandboxes({"orgs": {"acme": {"workspace_limit": 1, "members": {"alice": "owner"}}}}).client()
    [quota] = [row for row in alice.all("/org/acme/constraint") if "workspace" in row["name"]]
    assert (quota["type"], quota["value"]) == ("quota", 1)
    assert alice.status("POST", "/org/acme/workspace", {"handle": "one"}) == 201
    assert alice.status("POST", "/org/acme/workspace", {"handle": "two"}) == 402


def test_whoever_may_own_no_more_orgs_gets_a_402(sandboxes):
    alice = sandboxes({"users": {"alice": {"org_limit": 1}}}).client()
    assert alice.status("POST", "/org", {"handle": "one"}) == 201
    assert alice.status("POST", "/org", {"handle": "two"}) == 402


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("", ["user_count", "db_volume_bytes"]),
        ("metric = 'user_count'", ["user_count"]),
        ("value > 5 and not unit in ('count')", ["db_volume_bytes"]),
        ("dimension like 'stor%' or metric is null", ["db_volume_bytes"]),
        ("metric = 'x''y'", []),
    ],
)
def test_where_filters_usage_by_its_columns(sandboxes, where, found):
    rows = sandboxes().client().ok("GET", "/org/acme/usage", params={"where": where})["items"]
    assert [row["metric"] for row in rows] == found


@pytest.mark.parametrize(
    "where", ["1; drop table org", "(select 1)", "secret = 'x'", "metric =", "'open", "abs(value) > 1"]
)
def test_where_takes_nothing_but_a_filter(sandboxes, where):
    alice = sandboxes().client()
    assert alice.refused("GET", "/org/acme/usage", params={"where": where}) == (400, ["query.where"])
    assert alice.status("GET", "/org/acme") == 200
