"""The Terraform provider's habits: what its acceptance tests for orgs, members, workspaces and grants do.

One GET per object at every plan, no list, no If-Match, no retry, https only; create, then read back; an import compares
every attribute with the state; destroy in the reverse order, then GET.
"""

from __future__ import annotations

from typing import Any

import pytest


class Provider:
    """Keeps a state as the provider does: for each resource its path and the attributes it was last read with."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.state: dict[str, Any] = {}

    def create(self, name: str, path: str, body: dict[str, Any], key: str, at: str = "") -> Any:
        made = self.client.ok("POST", path + at, body)
        where = f"{path}/{made[key]}"
        read = self.client.ok("GET", where)
        volatile = {"state"}
        assert {k: v for k, v in read.items() if k not in volatile} == {
            k: v for k, v in made.items() if k not in volatile
        }, "what was created reads back alike"
        self.state[name] = (where, read)
        return read

    def update(self, name: str, body: dict[str, Any], renamed: str | None = None) -> Any:
        where, _ = self.state[name]
        changed = self.client.ok("PATCH", where, body)
        where = renamed or where
        read = self.client.ok("GET", where)
        assert read == changed
        self.state[name] = (where, read)
        return read

    def plan(self) -> list[str]:
        """Which resources differ from the state: one GET each. The state takes over what was read."""
        drifted = []
        for name, (where, attributes) in list(self.state.items()):
            read = self.client.ok("GET", where)
            if read != attributes:
                drifted.append(name)
            self.state[name] = (where, read)
        return drifted

    def imported(self, name: str) -> bool:
        where, attributes = self.state[name]
        return bool(self.client.ok("GET", where) == attributes)

    def destroy(self, name: str) -> str:
        where, _ = self.state.pop(name)
        self.client.ok("DELETE", where)
        return str(where)


@pytest.fixture
def provider(acme):
    return Provider(acme.client())


def test_an_organization_is_created_imported_updated_renamed_and_destroyed(provider):
    made = provider.create("org", "/org", {"handle": "terraformtest", "display_name": "Terraform Test"}, "handle")
    assert (made["handle"], made["display_name"]) == ("terraformtest", "Terraform Test")
    assert made["created_by"]["handle"] == made["updated_by"]["handle"] == "alice"
    assert provider.plan() == []
    assert provider.imported("org")
    body = {"handle": "terraformtest", "display_name": "Terraform Test Org"}
    assert provider.update("org", body)["display_name"] == "Terraform Test Org"
    assert provider.plan() == []
    body["handle"] = "terraformtestorg"
    renamed = provider.update("org", body, "/org/terraformtestorg")
    assert (renamed["id"], renamed["handle"]) == (made["id"], "terraformtestorg")
    assert provider.plan() == []
    assert provider.client.status("GET", provider.destroy("org")) == 404


def test_a_member_and_a_grant_live_and_die_with_their_org(provider):
    provider.create("org", "/org", {"handle": "terraformabc"}, "handle")
    assert provider.client.ok("GET", "/org/terraformabc")["tenant_id"] == "t_00000000000000000000", "so it invites"
    provider.create("workspace", "/org/terraformabc/workspace", {"handle": "devabc"}, "handle")
    email = {"email": "user@domain.example", "role": "member"}
    member = provider.create("member", "/org/terraformabc/member", email, "user_handle", at="/invite")
    assert (member["role"], member["status"]) == ("member", "invited")
    grant = provider.create(
        "grant",
        "/org/terraformabc/workspace/devabc/member",
        {"handle": member["user_handle"], "role": "reader"},
        "user_handle",
    )
    assert grant["role"] == "reader"
    provider.plan()
    assert provider.plan() == [], "the workspace has settled"
    assert all(provider.imported(name) for name in ("org", "workspace", "member", "grant"))
    assert provider.update("grant", {"role": "owner"})["role"] == "owner"
    assert provider.update("member", {"role": "owner"})["role"] == "owner"
    assert provider.plan() == []
    gone = [provider.destroy(name) for name in ("grant", "member", "workspace", "org")]
    assert [provider.client.status("GET", where) for where in gone] == [403, 403, 403, 404]


def test_what_was_removed_by_hand_reads_as_gone_while_the_org_is_there(provider):
    provider.create("org", "/org", {"handle": "terraformabc"}, "handle")
    provider.create("workspace", "/org/terraformabc/workspace", {"handle": "devabc"}, "handle")
    invite = {"handle": "bob", "role": "member"}
    provider.create("member", "/org/terraformabc/member", invite, "user_handle", at="/invite")
    grant = {"handle": "bob", "role": "reader"}
    provider.create("grant", "/org/terraformabc/workspace/devabc/member", grant, "user_handle")
    gone = [provider.destroy(name) for name in ("grant", "member", "workspace")]
    # The provider takes a 404, and nothing else, for "create it again".
    assert [provider.client.status("GET", where) for where in gone[1:]] == [404, 404]
    assert provider.client.status("GET", "/org/terraformabc/workspace/devabc/member/bob") == 404


def test_a_workspace_is_created_imported_and_renamed(provider):
    body = {"handle": "workspaceabc", "instance_type": "db1.small", "db_volume_size_bytes": 6442450944}
    made = provider.create("workspace", "/org/acme/workspace", body, "handle")
    assert {key: made[key] for key in body} == body
    provider.plan()
    assert provider.imported("workspace")
    renamed = provider.update("workspace", {"handle": "workspaceabcd"}, "/org/acme/workspace/workspaceabcd")
    assert {**{key: renamed[key] for key in body}, "handle": "workspaceabc"} == body
    assert provider.client.status("GET", provider.destroy("workspace")) == 404
