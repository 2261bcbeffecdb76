from __future__ import annotations

import pytest

CUSTOM = {
    "actor": "tess",
    "now": "2026-11-24T09:00:00Z",
    "tenant": {
        "handle": "acme-tenant",
        "members": {
            "tess": "owner",
            "alice": "member",
            "bob": "member",
            "ivy": {"role": "member", "status": "invited"},
        },
    },
    "users": {"out": {}},
    "orgs": {
        "acme": {"members": {"alice": "owner"}, "workspaces": {"prod": {}}},
        "oak": {"tenant": "turbot-pipes", "members": {"alice": "owner"}},
    },
}


@pytest.fixture
def custom(pipes):
    return pipes(CUSTOM)


def test_in_a_custom_tenant_members_are_added_and_in_at_once(custom):
    alice = custom.client("alice")
    row = alice.ok("POST", "/org/acme/member", {"handle": "bob", "role": "member"})
    assert (row["status"], row["scope"], row["user_handle"]) == ("accepted", "org", "bob")
    assert alice.refused("POST", "/org/acme/member", {"handle": "bob", "role": "owner"}) == (400, ["body.handle"])
    assert custom.client("bob").status("GET", "/org/acme") == 200


@pytest.mark.parametrize("handle", ["out", "ivy", "nobody-here"])
def test_whoever_is_not_in_the_tenant_cannot_be_added(custom, handle):
    alice = custom.client("alice")
    assert alice.refused("POST", "/org/acme/member", {"handle": handle, "role": "member"}) == (400, ["body.handle"])


def test_each_way_in_is_refused_in_the_other_kind_of_tenant(custom):
    alice = custom.client("alice")
    invite = {"email": "x@example.com", "role": "member"}
    assert alice.refused("POST", "/org/acme/member/invite", invite) == (400, ["path.org_handle"])
    assert alice.refused("POST", "/org/oak/member", {"handle": "bob", "role": "member"}) == (400, ["path.org_handle"])
    assert alice.status("POST", "/org/oak/member/invite", invite) == 201


def test_a_tenants_owners_control_its_orgs_and_show_with_their_scope(custom):
    tess = custom.client("tess")
    assert tess.handles("/org/acme/member") == [("alice", "owner", "org"), ("tess", "owner", "tenant")]
    assert tess.ok("GET", "/org/acme/member/tess")["scope"] == "tenant"
    assert tess.status("PATCH", "/org/acme", {"url": "https://acme.example"}) == 200
    assert tess.status("GET", "/org/oak") == 403, "another tenant's org"
    assert tess.status("DELETE", "/org/acme/member/tess") == 403
    assert custom.store.accepted_owners("acme") == 1
    assert [org["handle"] for org in tess.all("/org")] == ["acme"]
    assert tess.all("/actor/org") == []


def test_an_org_is_created_in_its_creators_tenant(custom):
    made = custom.client("tess").ok("POST", "/org", {"handle": "birch"})
    assert made["tenant_id"] == custom.client("alice").ok("GET", "/org/acme")["tenant_id"]
    for somebody in ("bob", "ivy"):
        assert custom.client(somebody).status("POST", "/org", {"handle": "ivory"}) == 403, "only owners of the tenant"


def test_a_tenants_members_carry_their_email_for_its_owners_only(custom):
    tess = custom.client("tess")
    rows = tess.all("/tenant/acme-tenant/member")
    assert [(row["user"]["handle"], row["role"], row["status"]) for row in rows] == [
        ("tess", "owner", "accepted"),
        ("alice", "member", "accepted"),
        ("bob", "member", "accepted"),
        ("ivy", "member", "invited"),
    ]
    assert all("@" in row["email"] for row in rows)
    assert custom.client("alice").status("GET", "/tenant/acme-tenant/member") == 403
    assert custom.client("alice").status("GET", "/tenant/acme-tenant") == 200
    assert custom.client("out").status("GET", "/tenant/acme-tenant") == 403


def test_people_come_into_a_tenant_by_email_and_leave_it_with_all_its_orgs(custom):
    tess, alice = custom.client("tess"), custom.client("alice")
    row = tess.ok("POST", "/tenant/acme-tenant/member/invite", {"email": "new@example.com", "role": "member"})
    assert (row["status"], row["email"], row["user"]["handle"]) == ("invited", "new@example.com", "new")
    again = {"email": "new@example.com", "role": "owner"}
    assert tess.refused("POST", "/tenant/acme-tenant/member/invite", again) == (400, ["body.email"])
    new = custom.client("new")
    t = custom.store.tenant_invitation("acme-tenant", "new")
    new.ok("GET", "/tenant/acme-tenant/member/invite/confirm", params={"t": t})
    alice.ok("POST", "/org/acme/member", {"handle": "new", "role": "member"})
    assert tess.ok("PATCH", "/tenant/acme-tenant/member/new", {"role": "owner"})["role"] == "owner"
    assert tess.ok("GET", "/tenant/acme-tenant/member/new")["version_id"] == 3
    tess.ok("DELETE", "/tenant/acme-tenant/member/new")
    assert tess.status("GET", "/tenant/acme-tenant/member/new") == 404
    assert tess.handles("/org/acme/member") == [("alice", "owner", "org"), ("tess", "owner", "tenant")]


def test_an_invitation_to_a_tenant_can_be_declined(custom):
    t = custom.store.tenant_invitation("acme-tenant", "ivy")
    assert custom.client("bob").status("DELETE", "/tenant/acme-tenant/member/invite", params={"t": t}) == 403
    assert custom.client("ivy").status("DELETE", "/tenant/acme-tenant/member/invite", params={"t": t}) == 204
    assert custom.client("tess").status("GET", "/tenant/acme-tenant/member/ivy") == 404


def test_a_tenant_can_be_created_renamed_and_deleted_while_it_is_empty(custom):
    bob = custom.client("bob")
    made = bob.ok("POST", "/tenant", {"handle": "bobs"})
    assert bob.refused("POST", "/tenant", {"handle": "bobs"}) == (409, ["body.handle"])
    assert [tenant["handle"] for tenant in bob.all("/tenant")] == ["acme-tenant", "bobs"]
    assert bob.ok("PATCH", "/tenant/bobs", {"handle": "bobby"})["id"] == made["id"]
    assert bob.ok("DELETE", "/tenant/bobby")["deleted_at"]
    assert bob.status("GET", "/tenant/bobby") == 404
    assert custom.client("tess").refused("DELETE", "/tenant/acme-tenant") == (400, ["path.tenant_handle"])


def test_resetting_a_tenants_authentication_ends_older_tokens_for_all_its_orgs(custom):
    custom.client("tess").ok("PATCH", "/tenant/acme-tenant", {"token_min_issued_at": "2026-11-24T10:00:00Z"})
    alice = custom.client("alice")
    assert alice.status("GET", "/org/acme") == 401
    assert alice.status("GET", "/org/oak") == 200


def test_everybody_is_in_the_primary_tenant_and_nobody_owns_it(acme):
    alice = acme.client()
    assert [tenant["handle"] for tenant in alice.all("/tenant")] == ["turbot-pipes"]
    primary = alice.ok("GET", "/tenant/turbot-pipes")
    assert (primary["id"], primary["state"]) == ("t_00000000000000000000", "created")
    assert alice.status("GET", "/tenant/turbot-pipes/member") == 403
    assert alice.status("DELETE", "/tenant/turbot-pipes") == 403


def test_usage_thresholds_belong_to_whoever_pays(custom):
    tess, alice = custom.client("tess"), custom.client("alice")
    body = {"usage_compute_threshold": 5, "usage_compute_action": "warn"}
    assert tess.refused("PATCH", "/org/acme", body) == (400, ["body.usage_compute_action"])
    assert tess.ok("PATCH", "/tenant/acme-tenant", body)["usage_compute_threshold"] == 5
    assert alice.ok("PATCH", "/org/oak", body)["usage_compute_action"] == "warn", "it pays for itself"


def test_last_activity_stands_in_every_list_of_members(pipes):
    at = "2026-11-20T08:00:00Z"
    world = {
        "actor": "tess",
        "tenant": {"handle": "t", "members": {"tess": {"role": "owner", "last_activity_at": at}, "ann": "member"}},
        "orgs": {
            "acme": {
                "members": {"ann": {"role": "member", "last_activity_at": at}},
                "workspaces": {"prod": {"members": {"ann": {"role": "reader", "last_activity_at": at}}}},
            }
        },
    }
    tess = pipes(world).client()
    seen = {
        path: [row.get("last_activity_at") for row in tess.all(path)]
        for path in ("/tenant/t/member", "/org/acme/member", "/org/acme/workspace/prod/member")
    }
    assert seen == {
        "/tenant/t/member": [at, None],
        "/org/acme/member": [at, at],
        "/org/acme/workspace/prod/member": [at],
    }
