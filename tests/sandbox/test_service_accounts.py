"""Service accounts of an organization: what they are, who may change them, and their tokens."""

from __future__ import annotations

import copy

import pytest

from sandbox.conftest import ACME

PATH = "/org/acme/service_account"


def staffed(**tokens):
    """Acme with a service account that owns it and one that does not, and a second owner of that sort."""
    world = copy.deepcopy(ACME)
    world["orgs"]["acme"]["service_accounts"] = {
        "sa-boss": {"title": "Boss", "role": "owner"},
        "sa-other": {"title": "Other boss", "role": "owner"},
        "sa-ci": {"title": "CI", "description": "plans and applies"},
    }
    world["tokens"] = [{"user": user, **given} for user, given in tokens.items()]
    return world


def test_an_account_is_a_member_from_the_start_and_pipes_chooses_its_handle(acme):
    alice = acme.client()
    made = alice.ok("POST", PATH, {"title": "CI pipelines", "description": "plans"})
    org = alice.ok("GET", "/org/acme")
    assert (made["type"], made["title"], made["description"]) == ("service_account", "CI pipelines", "plans")
    assert (made["identity_id"], made["tenant_id"]) == (org["id"], org["tenant_id"])
    assert alice.ok("GET", f"{PATH}/{made['id']}") == alice.ok("GET", f"{PATH}/{made['handle']}") == made
    assert alice.all(PATH) == [made]
    row = alice.ok("GET", f"/org/acme/member/{made['handle']}")
    assert (row["role"], row["status"], row["scope"], row["user"]) == ("member", "accepted", "org", made)
    assert alice.ok("GET", f"/identity/{made['handle']}")["type"] == "user"
    assert alice.refused("POST", PATH, {"handle": "ci"}) == (400, ["body"])


def test_an_account_is_promoted_granted_changed_and_deleted_like_anybody(acme):
    alice = acme.client()
    id_ = alice.ok("POST", PATH, {"title": "CI"})["id"]
    alice.ok("PATCH", f"/org/acme/member/{id_}", {"role": "owner"})
    alice.ok("POST", "/org/acme/workspace/prod/member", {"handle": id_, "role": "operator"})
    changed = alice.ok("PATCH", f"{PATH}/{id_}", {"title": "CI, nightly"})
    assert (changed["title"], changed["version_id"]) == ("CI, nightly", 2)
    assert alice.status("PATCH", f"{PATH}/{id_}", {"title": "x"}, headers={"If-Match": "1"}) == 412
    token = alice.ok("POST", f"{PATH}/{id_}/token", {})["token"]
    assert acme.connect(token).ok("GET", "/actor")["id"] == id_
    assert alice.send("DELETE", f"{PATH}/{id_}").content == b""
    assert acme.connect(token).status("GET", "/actor") == 401
    assert alice.status("GET", f"{PATH}/{id_}") == alice.status("GET", f"/org/acme/member/{id_}") == 404
    assert [row["user_id"] for row in alice.all("/org/acme/workspace/prod/member") if row["user_id"] == id_] == []
    assert [row["action_type"] for row in alice.all("/org/acme/audit_log")] == [
        "service_account.delete",
        "service_account_token.create",
        "service_account.update",
        "workspace_member.create",
        "org_member.update",
        "service_account.create",
    ]


def test_without_its_membership_an_account_is_still_there(acme):
    alice = acme.client()
    made = alice.ok("POST", PATH, {"title": "CI"})
    alice.ok("DELETE", f"/org/acme/member/{made['handle']}")
    assert alice.all(PATH) == [made]
    assert alice.status("GET", f"/org/acme/member/{made['handle']}") == 404


def test_an_account_has_two_tokens_whose_values_are_told_once(acme):
    alice = acme.client()
    id_ = alice.ok("POST", PATH, {})["id"]
    made = alice.ok("POST", f"{PATH}/{id_}/token", {"title": "nightly", "description": "cron", "expiration": 3600})
    other = alice.ok("POST", f"{PATH}/{id_}/token", {"expiration": 0})
    assert (made["title"], made["description"], made["status"]) == ("nightly", "cron", "active")
    assert (made["created_at"], made["expires_at"]) == ("2026-11-24T09:00:02Z", "2026-11-24T10:00:02Z")
    assert (made["last4"], "expires_at" in other) == (made["token"][-4:], False)
    assert alice.status("POST", f"{PATH}/{id_}/token", {}) == 400, "a third one"
    rows = alice.all(f"{PATH}/{id_}/token")
    assert [row["id"] for row in rows] == [made["id"], other["id"]]
    assert all("token" not in row for row in rows)
    path = f"{PATH}/{id_}/token/{made['id']}"
    assert alice.ok("GET", path) == rows[0]
    assert alice.ok("PATCH", path, {"status": "inactive", "title": "old"})["title"] == "old"
    assert acme.connect(made["token"]).status("GET", "/actor") == 401
    alice.ok("DELETE", path)
    assert alice.status("GET", path) == 404
    assert made["token"] not in str(alice.all("/org/acme/audit_log"))


def test_resetting_an_accounts_authentication_ends_its_older_tokens(acme):
    alice = acme.client()
    id_ = alice.ok("POST", PATH, {})["id"]
    client = acme.connect(alice.ok("POST", f"{PATH}/{id_}/token", {})["token"])
    assert client.status("GET", "/actor") == 200
    alice.ok("PATCH", f"{PATH}/{id_}", {"token_min_issued_at": "2027-01-01T00:00:00Z"})
    assert client.status("GET", "/actor") == 401


def test_the_log_of_an_account_has_what_it_did_and_what_was_done_to_it(pipes):
    acme = pipes(staffed())
    alice, boss = acme.client(), acme.client("sa-boss")
    alice.ok("PATCH", f"{PATH}/sa-boss", {"title": "The boss"})
    alice.ok("PATCH", "/org/acme", {"url": "https://acme.example"})
    boss.ok("PATCH", "/org/acme", {"url": ""})
    rows = alice.all(f"{PATH}/sa-boss/audit_log")
    assert [(row["actor_handle"], row["action_type"]) for row in rows] == [
        ("sa-boss", "org.update"),
        ("alice", "service_account.update"),
    ]
    assert acme.client("bob").status("GET", f"{PATH}/sa-boss/audit_log") == 403


@pytest.mark.parametrize(
    ("who", "whom", "change", "token"),
    [
        pytest.param("alice", "sa-boss", 200, 201, id="a person who owns the org changes all"),
        pytest.param("bob", "sa-ci", 403, 403, id="a member changes none"),
        pytest.param("sa-boss", "sa-ci", 200, 201, id="an owner account changes those that do not own it"),
        pytest.param("sa-boss", "sa-boss", 403, 201, id="an owner account has its own tokens only"),
        pytest.param("sa-boss", "sa-other", 403, 403, id="an owner account leaves other owner accounts alone"),
        pytest.param("sa-ci", "sa-ci", 403, 403, id="one that does not own the org changes not even itself"),
        pytest.param("zoe", "sa-ci", 403, 403, id="a stranger sees nothing"),
    ],
)
def test_who_may_change_an_account(pipes, who, whom, change, token):
    client = pipes(staffed()).client(who)
    path = f"{PATH}/{whom}"
    assert client.status("POST", f"{path}/token", {}) == token
    if token == 201:
        made = client.all(f"{path}/token")[-1]["id"]
        assert client.status("PATCH", f"{path}/token/{made}", {"status": "inactive"}) == 200
        assert client.status("DELETE", f"{path}/token/{made}") == 200
    assert client.status("PATCH", path, {"title": "x"}) == change
    assert client.status("DELETE", path) == (204 if change == 200 else 403)
    assert client.status("POST", PATH, {}) == (201 if who in ("alice", "sa-boss") else 403)


def test_an_account_sees_its_own_tokens_and_changes_itself_nowhere_else(pipes):
    client = pipes(staffed()).client("sa-ci")
    [row] = client.all(f"{PATH}/sa-ci/token")
    assert client.all("/user/sa-ci/token") == [row]
    assert client.status("GET", f"{PATH}/sa-boss/token") == 403
    for method, path, body in [
        ("POST", "/user/sa-ci/token", None),
        ("PATCH", "/user/sa-ci", {"display_name": "x"}),
        ("DELETE", "/user/sa-ci", None),
        ("DELETE", f"/user/sa-ci/token/{row['id']}", None),
        ("POST", "/org", {"handle": "mine"}),
    ]:
        assert client.status(method, path, body) == 403, f"{method} {path}"


def test_in_a_custom_tenant_the_org_makes_none_and_adds_the_tenants(pipes):
    custom = pipes(
        {
            "actor": "tess",
            "tenant": {"handle": "acme-tenant", "members": {"tess": "owner", "deploy": "member"}},
            "service_accounts": {"deploy": {"title": "Deployments"}},
            "orgs": {"acme": {"members": {"tess": "owner"}}},
        }
    )
    tess = custom.client()
    assert tess.refused("POST", PATH, {"title": "x"}) == (400, ["path.org_handle"])
    user = tess.ok("POST", "/org/acme/member", {"handle": "deploy", "role": "member"})["user"]
    assert (user["type"], user["title"], "identity_id" in user) == ("service_account", "Deployments", False)
    assert tess.all(PATH) == []


def test_with_the_org_its_accounts_are_gone(pipes):
    acme = pipes(staffed(**{"sa-ci": {"token": "tpt_ci"}}))
    acme.client("sa-boss").ok("DELETE", "/org/acme")
    assert acme.client().status("GET", "/identity/sa-ci") == acme.client().status("GET", PATH) == 404
    assert acme.connect("tpt_ci").status("GET", "/actor") == 401


def test_an_expired_token_is_told_apart_from_a_wrong_one(pipes):
    acme = pipes(
        staffed(
            alice={"token": "tpt_old", "expires_at": "2026-11-24T09:00:00Z"},
            bob={"token": "tpt_new", "expires_at": "2026-11-24T09:00:01Z"},
        )
    )
    old, wrong, new = (acme.connect(token).send("GET", "/actor") for token in ("tpt_old", "tpt_wrong", "tpt_new"))
    assert [answer.status_code for answer in (old, wrong, new)] == [401, 401, 200]
    assert old.json()["detail"] == "the token expired at 2026-11-24T09:00:00Z"
    assert wrong.json()["detail"] == "no valid token"
