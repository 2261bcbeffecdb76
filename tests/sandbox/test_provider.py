"""The Terraform provider's habits, for each kind of object that it manages in an organization.

One GET per object at every plan, no list, no If-Match, no retry, https only; create, then read back; an import compares
every attribute with the state; destroy in the reverse order, then GET. Which of the provider's own tests pass is in
docs/sandbox.md.
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


def test_connections_folders_and_permissions_are_created_updated_moved_and_destroyed(provider):
    provider.create("org", "/org", {"handle": "terraformabc"}, "handle")
    for name in ("deva", "devb"):
        provider.create(name, "/org/terraformabc/workspace", {"handle": name}, "handle")
    there = "/org/terraformabc/connection"
    folder = provider.create("folder", f"{there}_folder", {"title": "My Test Connection Folder"}, "id")
    assert (folder["title"], folder["parent_id"], folder["trunk"]) == ("My Test Connection Folder", "", [])
    inner = {"title": "DevOps", "parent_id": folder["id"]}
    inner = provider.create("inner", f"{there}_folder", inner, "id")
    body = {"handle": "aws_abc", "plugin": "aws", "config": {"regions": ["us-east-1"]}, "parent_id": inner["id"]}
    made = provider.create("connection", there, body, "handle")
    assert {key: made[key] for key in body} == body
    assert [item["id"] for item in made["trunk"]] == [folder["id"], inner["id"]]
    both = {"identity_handle": "terraformabc", "workspace_handle": "deva"}
    permission = provider.create("permission", f"{there}/aws_abc/permission", both, "id")
    whole = {"identity_handle": "terraformabc"}
    provider.create("folder permission", f"{there}_folder/{folder['id']}/permission", whole, "id")
    assert permission["workspace"]["handle"] == "deva"
    provider.plan()
    assert provider.plan() == [], "the workspaces have settled"
    assert all(provider.imported(name) for name in provider.state)

    assert provider.update("folder", {"title": "My Updated Test Connection Folder"})["version_id"] == 2
    renamed = provider.update("connection", {"handle": "aws_abcd", "config": {"regions": ["*"]}}, f"{there}/aws_abcd")
    assert (renamed["id"], renamed["config"]) == (made["id"], {"regions": ["*"]})
    where, known = provider.state["permission"]
    provider.state["permission"] = (where.replace("aws_abc/", "aws_abcd/"), known)
    assert provider.update("connection", {"parent_id": ""})["trunk"] == []
    # The title is in what the state has of the folder inside.
    assert provider.plan() == ["inner"]
    assert provider.plan() == []
    for space in ("deva", "devb"):
        at = f"/org/terraformabc/workspace/{space}/connection_folder/{inner['id']}"
        assert provider.client.ok("GET", at)["id"] == inner["id"], "permitted through the folder above it"
    names = ["folder permission", "permission", "connection", "inner", "folder"]
    gone = [provider.destroy(name) for name in names]
    assert [provider.client.status("GET", where) for where in gone] == [404] * 5
    provider.destroy("org")
    assert [provider.client.status("GET", where) for where in gone] == [404] * 5, "after the organization, too"


def test_a_schema_follows_a_permission_and_moves_to_another_workspace(provider):
    client = provider.client
    provider.create("org", "/org", {"handle": "terraformabc"}, "handle")
    for name in ("deva", "devb"):
        provider.create(name, "/org/terraformabc/workspace", {"handle": name}, "handle")
    body = {"handle": "aws_abc", "plugin": "aws", "config": {"regions": ["us-east-1"]}}
    connection = provider.create("connection", "/org/terraformabc/connection", body, "handle")
    path = "/org/terraformabc/connection/aws_abc/permission"
    provider.create("permission", path, {"identity_handle": "terraformabc"}, "id")
    for space in ("deva", "devb"):
        at = f"/org/terraformabc/workspace/{space}/schema"
        schema = provider.create("schema", at, {"connection_handle": "aws_abc"}, "name")
        assert (schema["name"], schema["state"], schema["type"]) == ("aws_abc", "direct", "connection")
        assert schema["connection_id"] == connection["id"]
        provider.plan()
        assert provider.plan() == []
        assert provider.imported("schema")
        where = provider.destroy("schema")
        assert client.ok("GET", where)["state"] == "granted", "it may be attached again"
    provider.destroy("permission")
    assert client.status("GET", where) == 404
    provider.destroy("org")
    assert client.status("GET", where) == 404


def test_a_workspaces_own_connection_and_folder_live_and_die_with_it(provider):
    provider.create("org", "/org", {"handle": "terraformabc"}, "handle")
    provider.create("workspace", "/org/terraformabc/workspace", {"handle": "dev"}, "handle")
    at = "/org/terraformabc/workspace/dev/connection"
    folder = provider.create("folder", f"{at}_folder", {"title": "My Org Workspace test connection folder"}, "id")
    assert (folder["parent_id"], folder["trunk"]) == ("", [])
    body = {"handle": "aws_abc", "plugin": "aws", "config": {"regions": ["us-east-1"]}, "parent_id": folder["id"]}
    provider.create("connection", at, body, "handle")
    provider.plan()
    assert provider.plan() == []
    assert all(provider.imported(name) for name in provider.state)
    assert provider.update("folder", {"title": "Another"})["title"] == "Another"
    assert provider.plan() == ["connection"], "its trunk has the title"
    assert provider.update("connection", {"config": {"regions": ["*"]}})["config"] == {"regions": ["*"]}
    assert provider.plan() == []
    gone = [provider.destroy(name) for name in ("connection", "folder", "workspace")]
    assert [provider.client.status("GET", where) for where in gone] == [404] * 3
    provider.destroy("org")
    assert [provider.client.status("GET", where) for where in gone[:2]] == [404] * 2


def test_a_tenant_member_is_invited_by_email_changed_and_removed(pipes):
    custom = pipes({"actor": "tess", "tenant": {"handle": "acme-tenant", "members": {"tess": "owner"}}})
    provider = Provider(custom.client())
    tenant = provider.client.ok("GET", "/tenant/acme-tenant")
    email = {"email": "user@domain.example", "role": "member"}
    made = provider.client.ok("POST", "/tenant/acme-tenant/member/invite", email)
    where = f"/tenant/acme-tenant/member/{made['user']['handle']}"
    read = provider.client.ok("GET", where)
    assert read == made
    assert (read["email"], read["role"], read["tenant_id"]) == ("user@domain.example", "member", tenant["id"])
    provider.state["member"] = (where, read)
    assert provider.plan() == []
    assert provider.update("member", {"role": "owner"})["role"] == "owner"
    assert provider.plan() == []
    assert provider.client.status("GET", provider.destroy("member")) == 404


def test_what_the_data_sources_read_is_there_and_stays_the_same(provider):
    client = provider.client
    paths = ["/actor", "/org/acme", "/org/acme/workspace/prod", "/tenant/turbot-pipes", "/user/alice"]
    first = [client.ok("GET", path) for path in paths]
    assert [client.ok("GET", path) for path in paths] == first
    actor, org, workspace, tenant, user = first
    assert (actor, actor["type"]) == (user, "user")
    assert (tenant["id"], tenant["state"]) == ("t_00000000000000000000", "created")
    assert workspace["identity_id"] == org["id"]
    assert client.status("GET", "/org/nowhere") == 404
    assert client.status("GET", "/user/alice/workspace/dev") == 501
