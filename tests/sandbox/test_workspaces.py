from __future__ import annotations

import pytest


def test_a_workspace_takes_grants_at_once_and_is_enabled_after_two_reads(acme):
    alice = acme.client()
    made = alice.ok("POST", "/org/acme/workspace", {"handle": "dev", "instance_type": "db1.medium"})
    assert (made["state"], made["desired_state"], made["instance_type"]) == ("creating", "enabled", "db1.medium")
    assert made["host"].startswith("acme-dev.")
    assert alice.status("POST", "/org/acme/workspace/dev/member", {"handle": "bob", "role": "reader"}) == 201
    reads = [alice.ok("GET", "/org/acme/workspace/dev") for _ in range(3)]
    assert [read["state"] for read in reads] == ["enabling", "enabled", "enabled"]
    assert {read["version_id"] for read in reads} == {1}, "nobody changed it"


def test_a_list_is_a_read_too(acme):
    alice = acme.client()
    alice.ok("POST", "/org/acme/workspace", {"handle": "dev"})
    states = [[row["state"] for row in alice.all("/org/acme/workspace")] for _ in range(2)]
    assert states == [["enabled", "enabling"], ["enabled", "enabled"]]


@pytest.mark.parametrize(
    ("reads", "states"), [(0, []), (1, ["creating"]), (4, ["creating", "enabling", "enabling", "enabling"])]
)
def test_how_long_it_takes_can_be_chosen(sandboxes, reads, states):
    alice = sandboxes(settle_reads=reads).client()
    seen = [alice.ok("POST", "/org/acme/workspace", {"handle": "dev"})["state"]]
    while seen[-1] != "enabled":
        seen.append(alice.ok("GET", "/org/acme/workspace/dev")["state"])
    assert seen == [*states, "enabled"]


def test_disabling_and_resizing_pass_through_their_states(acme):
    alice = acme.client()

    def states(body):
        return [
            alice.ok("PATCH", "/org/acme/workspace/prod", body)["state"],
            *(alice.ok("GET", "/org/acme/workspace/prod")["state"] for _ in range(2)),
        ]

    assert states({"desired_state": "disabled"}) == ["disabling", "disabling", "disabled"]
    assert states({"desired_state": "enabled"}) == ["enabling", "enabling", "enabled"]
    assert states({"instance_type": "db1.medium"}) == ["enabling", "enabling", "enabled"]
    assert states({"search_path_prefix": ["aws"]}) == ["enabled"] * 3


def test_a_search_path_prefix_is_set_by_an_update_only(acme):
    alice = acme.client()
    assert alice.refused("POST", "/org/acme/workspace", {"handle": "dev", "search_path_prefix": ["a"]}) == (
        400,
        ["body"],
    )
    changed = alice.ok("PATCH", "/org/acme/workspace/prod", {"search_path_prefix": ["aws", "gcp"]})
    assert (changed["search_path_prefix"], changed["search_path"]) == (["aws", "gcp"], ["aws", "gcp", "public"])
    cleared = alice.ok("PATCH", "/org/acme/workspace/prod", {"search_path_prefix": []})
    assert "search_path_prefix" not in cleared
    assert cleared["version_id"] == 3


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_paused_is_not_yet_supported(acme, method):
    path = "/org/acme/workspace" + ("/prod" if method == "PATCH" else "")
    assert acme.client().refused(method, path, {"handle": "x", "desired_state": "paused"}) == (
        400,
        ["body.desired_state"],
    )


def test_a_rename_keeps_the_id_the_grants_and_moves_the_host(acme):
    alice = acme.client()
    before = alice.ok("GET", "/org/acme/workspace/prod")
    after = alice.ok("PATCH", "/org/acme/workspace/prod", {"handle": "live"})
    assert (after["id"], after["version_id"]) == (before["id"], 2)
    assert after["host"].startswith("acme-live.")
    grant = alice.ok("GET", "/org/acme/workspace/live/member/bob")
    assert (grant["workspace_handle"], grant["version_id"]) == ("live", 1)
    assert alice.status("GET", "/org/acme/workspace/prod") == 404


def test_a_handle_is_unique_in_its_org_only(acme):
    alice = acme.client()
    assert alice.refused("POST", "/org/acme/workspace", {"handle": "prod"}) == (409, ["body.handle"])
    alice.ok("POST", "/org/acme/workspace", {"handle": "dev"})
    assert alice.refused("PATCH", "/org/acme/workspace/dev", {"handle": "prod"}) == (409, ["body.handle"])
    alice.ok("POST", "/org", {"handle": "oak"})
    assert alice.status("POST", "/org/oak/workspace", {"handle": "prod"}) == 201


def test_a_deleted_workspace_is_gone_with_its_grants(acme):
    alice = acme.client()
    assert alice.ok("DELETE", "/org/acme/workspace/prod")["deleted_at"]
    for path in ("", "/member", "/member/bob"):
        assert alice.status("GET", "/org/acme/workspace/prod" + path) == 404
    assert alice.status("DELETE", "/org/acme/workspace/prod") == 404
    assert acme.client("bob").all("/actor/workspace") == []
    alice.ok("POST", "/org/acme/workspace", {"handle": "prod"})
    assert alice.handles("/org/acme/workspace/prod/member") == [("alice", "owner", "org")]


def test_an_actors_workspaces_are_those_granted_and_those_of_its_orgs(acme):
    alice, bob = acme.client(), acme.client("bob")
    alice.ok("POST", "/org/acme/workspace", {"handle": "dev"})
    assert [(row["handle"], row["role"]) for row in alice.all("/actor/workspace")] == [
        ("prod", "owner"),
        ("dev", "owner"),
    ]
    [row] = bob.all("/actor/workspace")
    assert (row["handle"], row["role"], row["identity"]["handle"]) == ("prod", "reader", "acme")
    assert row["workspace"] == bob.ok("GET", "/org/acme/workspace/prod")
    assert [row["handle"] for row in bob.all("/org/acme/workspace")] == ["prod"]
    assert bob.status("GET", "/org/acme/workspace/dev") == 403


def test_org_owners_show_in_a_workspace_and_cannot_be_changed_there(acme):
    alice = acme.client()
    assert alice.handles("/org/acme/workspace/prod/member") == [
        ("bob", "reader", "workspace"),
        ("alice", "owner", "org"),
    ]
    assert alice.ok("GET", "/org/acme/workspace/prod/member/alice")["scope"] == "org"
    for method, body in (("PATCH", {"role": "reader"}), ("DELETE", None)):
        path = "/org/acme/workspace/prod/member/alice"
        assert alice.refused(method, path, body) == (400, ["path.user_handle"])


def test_a_grant_survives_a_promotion_to_owner(acme):
    alice = acme.client()
    alice.ok("PATCH", "/org/acme/member/bob", {"role": "owner"})
    assert alice.handles("/org/acme/workspace/prod/member") == [
        ("bob", "reader", "workspace"),
        ("alice", "owner", "org"),
        ("bob", "owner", "org"),
    ]
    assert alice.ok("GET", "/org/acme/workspace/prod/member/bob")["role"] == "reader"
    alice.ok("PATCH", "/org/acme/member/bob", {"role": "member"})
    assert alice.ok("DELETE", "/org/acme/workspace/prod/member/bob")["role"] == "reader"


def test_an_owner_of_a_workspace_grants_and_changes_it_but_cannot_delete_it(acme):
    alice, bob = acme.client(), acme.client("bob")
    alice.ok("PATCH", "/org/acme/workspace/prod/member/bob", {"role": "owner"})
    assert bob.status("POST", "/org/acme/workspace/prod/member", {"handle": "carol", "role": "operator"}) == 201
    assert bob.status("PATCH", "/org/acme/workspace/prod", {"instance_type": "db1.shared"}) == 200
    assert bob.status("DELETE", "/org/acme/workspace/prod") == 403


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"handle": "zoe", "role": "reader"}, ["body.handle"]),
        ({"handle": "nobody-here", "role": "reader"}, ["body.handle"]),
        ({"handle": "bob", "role": "operator"}, ["body.handle"]),
        ({"handle": "carol", "role": "king"}, ["body.role"]),
        ({"handle": "carol"}, ["body"]),
    ],
)
def test_a_grant_that_cannot_be_is_refused(acme, body, places):
    assert acme.client().refused("POST", "/org/acme/workspace/prod/member", body) == (400, places)


def test_a_volume_only_grows_and_a_shared_instance_has_none(acme):
    alice = acme.client()
    path = "/org/acme/workspace/prod"
    have = alice.ok("GET", path)["db_volume_size_bytes"]
    assert alice.refused("PATCH", path, {"db_volume_size_bytes": have - 1}) == (400, ["body.db_volume_size_bytes"])
    assert alice.ok("PATCH", path, {"db_volume_size_bytes": have})["db_volume_size_bytes"] == have
    assert alice.ok("PATCH", path, {"db_volume_size_bytes": have + 1})["db_volume_size_bytes"] == have + 1
    shared = {"handle": "shared", "instance_type": "db1.shared"}
    body = {**shared, "db_volume_size_bytes": have}
    assert alice.refused("POST", "/org/acme/workspace", body) == (400, ["body.db_volume_size_bytes"])
    alice.ok("POST", "/org/acme/workspace", shared)
    body = {"db_volume_size_bytes": 10 * have}
    assert alice.refused("PATCH", "/org/acme/workspace/shared", body) == (400, ["body.db_volume_size_bytes"])
    both = {**body, "instance_type": "db1.small"}
    assert alice.ok("PATCH", "/org/acme/workspace/shared", both)["db_volume_size_bytes"] == 10 * have


@pytest.mark.parametrize("desired", ["enabled", "disabled"])
def test_a_workspace_falls_asleep_and_wakes_when_it_is_asked_to_be_enabled(sandboxes, desired):
    asleep = {"asleep": True, "desired_state": desired}
    alice = sandboxes({"orgs": {"acme": {"members": {"alice": "owner"}, "workspaces": {"prod": asleep}}}}).client()
    path = "/org/acme/workspace/prod"
    found = alice.ok("GET", path)
    assert (found["state"], found["desired_state"]) == ("disabled", desired)
    assert "inactivity" in found["state_reason"]
    assert alice.ok("PATCH", path, {"search_path_prefix": ["aws"]})["state"] == "disabled", "only enabling wakes it"
    woken = alice.ok("PATCH", path, {"desired_state": "enabled"})
    assert (woken["state"], "state_reason" in woken) == ("enabling", False)
    assert [alice.ok("GET", path)["state"] for _ in range(2)][-1] == "enabled"
