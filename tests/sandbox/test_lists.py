"""Pages, versions, If-Match and the audit log."""

from __future__ import annotations

import pytest

from reconciler.sandbox import world


def test_pages_hold_25_rows_unless_told_otherwise_and_miss_nothing(pipes):
    sandbox = pipes(world.generate(orgs=1, members=60, workspaces=1, grants=40))
    admin = sandbox.client()
    first = admin.ok("GET", "/org/org-0000/member")
    assert len(first["items"]) == 25
    whole = admin.all("/org/org-0000/member", limit=100)
    assert len(whole) == len({row["id"] for row in whole}) == 60
    for limit in (1, 7, 59, 60):
        assert admin.all("/org/org-0000/member", limit=limit) == whole
    grants = admin.all("/org/org-0000/workspace/ws0/member", limit=9)
    assert [row["scope"] for row in grants] == ["workspace"] * 40 + ["org"] * 2


@pytest.mark.parametrize("limit", [59, 60, 61])
def test_a_full_last_page_promises_no_other(sandboxes, limit):
    admin = sandboxes(world.generate(orgs=1, members=60)).client()
    page = admin.ok("GET", "/org/org-0000/member", params={"limit": limit})
    assert ("next_token" in page) == (limit < 60)


def test_rows_that_come_and_go_meanwhile_neither_repeat_nor_hide_others(sandboxes):
    admin = sandboxes(world.generate(orgs=1, members=10)).client()
    path = "/org/org-0000/member"
    whole = [row["user_handle"] for row in admin.all(path)]
    page = admin.ok("GET", path, params={"limit": 5})
    admin.ok("DELETE", f"{path}/{whole[2]}")
    rest = admin.ok("GET", path, params={"limit": 100, "next_token": page["next_token"]})
    assert [row["user_handle"] for row in page["items"] + rest["items"]] == whole


def test_a_version_counts_the_changes_of_its_own_object_only(acme):
    alice = acme.client()
    for number in range(2, 5):
        assert alice.ok("PATCH", "/org/acme", {"url": f"https://{number}.example"})["version_id"] == number
    assert alice.ok("PATCH", "/org/acme/member/bob", {"role": "member"})["version_id"] == 2
    assert alice.ok("GET", "/org/acme")["version_id"] == 4
    assert alice.ok("GET", "/org/acme/workspace/prod")["version_id"] == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/org/acme", {"url": "x"}),
        ("DELETE", "/org/acme", None),
        ("PATCH", "/org/acme/member/bob", {"role": "owner"}),
        ("DELETE", "/org/acme/member/bob", None),
        ("PATCH", "/org/acme/workspace/prod", {"handle": "x"}),
        ("DELETE", "/org/acme/workspace/prod", None),
        ("PATCH", "/org/acme/workspace/prod/member/bob", {"role": "owner"}),
        ("DELETE", "/org/acme/workspace/prod/member/bob", None),
        ("PATCH", "/user/alice", {"url": "x"}),
    ],
)
def test_if_match_is_honoured(acme, method, path, body):
    alice = acme.client()
    before = alice.ok("GET", path)
    for tag in ("2", '"2"', "0", "nonsense", ""):
        assert alice.refused(method, path, body, headers={"If-Match": tag}) == (412, [])
    assert alice.ok("GET", path) == before
    for tag in ("1",):
        assert alice.status(method, path, body, headers={"If-Match": tag}) == 200


@pytest.mark.parametrize("tag", ["*", '"1"', 'W/"1"', '"7", "1"'])
def test_if_match_takes_each_form_of_a_tag(sandboxes, tag):
    assert sandboxes().client().status("PATCH", "/org/acme", {"url": "x"}, headers={"If-Match": tag}) == 200


def test_if_match_can_be_switched_off(sandboxes):
    alice = sandboxes(if_match=False).client()
    assert alice.status("PATCH", "/org/acme", {"url": "x"}, headers={"If-Match": "7"}) == 200


def test_every_change_is_in_the_audit_log_newest_first(acme):
    alice = acme.client()
    alice.ok("PATCH", "/org/acme", {"display_name": "Apex"})
    alice.ok("POST", "/org/acme/member/invite", {"handle": "zoe", "role": "member"})
    acme.client("zoe").ok("GET", "/org/acme/member/invite/confirm", params={"t": acme.store.invitation("acme", "zoe")})
    alice.ok("PATCH", "/org/acme/member/zoe", {"role": "owner"})
    alice.ok("POST", "/org/acme/workspace", {"handle": "dev"})
    alice.ok("POST", "/org/acme/workspace/dev/member", {"handle": "zoe", "role": "reader"})
    alice.ok("PATCH", "/org/acme/workspace/dev/member/zoe", {"role": "owner"})
    alice.ok("DELETE", "/org/acme/workspace/dev/member/zoe")
    alice.ok("PATCH", "/org/acme/workspace/dev", {"instance_type": "db1.small"})
    alice.ok("DELETE", "/org/acme/workspace/dev")
    alice.ok("DELETE", "/org/acme/member/zoe")
    rows = alice.all("/org/acme/audit_log", limit=4)
    assert [(row["action_type"], row["actor_handle"], row["target_handle"]) for row in reversed(rows)] == [
        ("org.update", "alice", "acme"),
        ("org_member.invite", "alice", "zoe"),
        ("org_member.confirm", "zoe", "zoe"),
        ("org_member.update", "alice", "zoe"),
        ("workspace.create", "alice", "dev"),
        ("workspace_member.create", "alice", "zoe"),
        ("workspace_member.update", "alice", "zoe"),
        ("workspace_member.delete", "alice", "zoe"),
        ("workspace.update", "alice", "dev"),
        ("workspace.delete", "alice", "dev"),
        ("org_member.delete", "alice", "zoe"),
    ]
    assert {row["actor_ip"] for row in rows} == {"127.0.0.1"}
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)
    assert rows[-1]["data"] == {"old": {"display_name": "Acme"}, "new": {"display_name": "Apex"}}
    grant = next(row for row in rows if row["action_type"] == "workspace_member.update")
    assert grant["data"] == {
        "workspace_id": grant["data"]["workspace_id"],
        "workspace_handle": "dev",
        "old": {"role": "reader"},
        "new": {"role": "owner"},
    }


def test_what_was_refused_is_not_in_the_audit_log(acme):
    alice = acme.client()
    alice.refused("PATCH", "/org/acme", {"handle": "bob"})
    alice.refused("PATCH", "/org/acme/member/bob", {"role": "owner"}, headers={"If-Match": "9"})
    acme.client("bob").refused("PATCH", "/org/acme", {"url": "x"})
    assert alice.all("/org/acme/audit_log") == []


def test_a_workspaces_audit_log_holds_what_is_about_it(acme):
    alice = acme.client()
    alice.ok("PATCH", "/org/acme", {"url": "x"})
    alice.ok("PATCH", "/org/acme/workspace/prod", {"handle": "live"})
    alice.ok("POST", "/org/acme/workspace/live/member", {"handle": "carol", "role": "reader"})
    rows = alice.all("/org/acme/workspace/live/audit_log")
    assert [row["action_type"] for row in rows] == ["workspace_member.create", "workspace.update"]


@pytest.mark.parametrize("path", ["/org/org-0000/member", "/org/org-0000/workspace/ws0/member"])
def test_a_page_of_a_long_list_costs_what_a_page_of_a_short_one_costs(sandboxes, path):
    def steps(members):
        """SQLite's steps for a page in the middle of the list."""
        box = sandboxes(world.generate(orgs=1, members=members, workspaces=1, grants=members))
        client = box.client()
        cursor = client.ok("GET", path, params={"limit": 50})["next_token"]
        counted = [0]

        def count():
            counted[0] += 1

        box.store._memory.set_progress_handler(count, 10)
        assert len(client.ok("GET", path, params={"limit": 20, "next_token": cursor})["items"]) == 20
        box.store._memory.set_progress_handler(None, 10)
        return counted[0]

    assert steps(1600) < 1.5 * steps(200)
