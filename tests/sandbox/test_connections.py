from __future__ import annotations

import copy
import json

import pytest

from sandbox.conftest import ACME

AWS = {"handle": "aws", "plugin": "aws", "config": {"regions": ["us-east-1"], "secret_key": "s3cr3t-of-aws"}}


def cloudy(**org):
    """Acme with a tree of folders, one connection in it, one beside it, and two workspaces."""
    world = copy.deepcopy(ACME)
    world["orgs"]["acme"].update(
        {
            "connection_folders": {"cloud": {}, "emea": {"folder": "cloud"}},
            "connections": {
                "aws_emea": {"plugin": "aws", "folder": "emea", "config": {"regions": ["eu-west-1"]}},
                "github": {"plugin": "github", "config": {"token": "t0k3n"}},
            },
            **org,
        }
    )
    world["orgs"]["acme"]["workspaces"]["dev"] = {}
    return world


def folders(client):
    return {row["title"]: row["id"] for row in client.all("/org/acme/connection_folder")}


def schemas(client, workspace="prod"):
    return [(row["name"], row["state"]) for row in client.all(f"/org/acme/workspace/{workspace}/schema")]


def actions(client):
    return [row["action_type"] for row in client.all("/org/acme/audit_log")]


def permit(client, where="/org/acme/connection/github", **target):
    return client.ok("POST", where + "/permission", target)


# -- connections


def test_a_connection_is_created_read_changed_and_deleted(acme):
    alice = acme.client()
    made = alice.ok("POST", "/org/acme/connection", AWS)
    assert (made["handle"], made["plugin"], made["type"], made["version_id"]) == ("aws", "aws", "connection", 1)
    assert (made["parent_id"], made["trunk"]) == ("", [])
    assert made["identity_id"] == alice.ok("GET", "/org/acme")["id"]
    assert alice.ok("GET", "/org/acme/connection/aws") == alice.ok("GET", f"/org/acme/connection/{made['id']}") == made
    assert alice.all("/org/acme/connection") == [made]
    renamed = alice.ok("PATCH", "/org/acme/connection/aws", {"handle": "aws_2", "config": {"regions": ["*"]}})
    assert (renamed["id"], renamed["handle"], renamed["config"]) == (made["id"], "aws_2", {"regions": ["*"]})
    assert renamed["version_id"] == 2
    assert alice.status("GET", "/org/acme/connection/aws") == 404
    assert alice.ok("DELETE", "/org/acme/connection/aws_2")["deleted_at"]
    assert alice.status("GET", "/org/acme/connection/aws_2") == 404
    assert alice.status("DELETE", "/org/acme/connection/aws_2") == 404
    assert actions(alice) == ["connection.delete", "connection.update", "connection.create"]


@pytest.mark.parametrize(
    ("config", "shown", "path", "secret"),
    [
        ({"secret_key": "x-1", "regions": ["*"]}, {"regions": ["*"]}, "secret_key", "x-1"),
        ({"access_key": "x-2"}, {}, "access_key", "x-2"),
        ({"Password": "x-3"}, {}, "Password", "x-3"),
        ({"auth": {"token": "x-4", "user": "u"}}, {"auth": {"user": "u"}}, "auth.token", "x-4"),
        ({"keys": [{"private_key": "x-5"}]}, {"keys": [{}]}, "keys.0.private_key", "x-5"),
        ({"client_secrets": {"a": "x-6"}}, {}, "client_secrets", {"a": "x-6"}),
    ],
)
def test_what_looks_secret_is_never_given_back_nor_kept(sandboxes, config, shown, path, secret):
    sandbox = sandboxes()
    alice = sandbox.client()
    made = alice.ok("POST", "/org/acme/connection", {**AWS, "config": config})
    assert made["config"] == shown
    alice.ok("PATCH", "/org/acme/connection/aws", {"config": config})
    everything = json.dumps(
        [alice.all(f"/org/acme/{what}") for what in ("connection", "audit_log", "process")]
    ) + "".join(sandbox.store._memory.iterdump())
    needle = secret if isinstance(secret, str) else secret["a"]
    assert needle not in everything
    assert sandbox.store.holds_secret("acme", "aws", path, secret)
    assert not sandbox.store.holds_secret("acme", "aws", path, "another")


def test_a_configuration_is_replaced_as_a_whole(sandboxes):
    sandbox = sandboxes()
    alice = sandbox.client()
    alice.ok("POST", "/org/acme/connection", AWS)
    alice.ok("PATCH", "/org/acme/connection/aws", {"config": {"regions": []}})
    assert alice.ok("GET", "/org/acme/connection/aws")["config"] == {"regions": []}
    assert not sandbox.store.holds_secret("acme", "aws", "secret_key", "s3cr3t-of-aws")


@pytest.mark.parametrize(
    ("handle", "fine"),
    [("a", True), ("a_1", True), ("a" * 39, True), ("a" * 40, False), ("_a", False), ("a_", False), ("a__b", False),
     ("1a", False), ("A", False), ("a-b", False), ("", False)],
)  # fmt: skip
def test_a_handle_has_the_form_that_the_contract_gives(sandboxes, handle, fine):
    alice = sandboxes().client()
    body = {**AWS, "handle": handle}
    if fine:
        assert alice.ok("POST", "/org/acme/connection", body)["handle"] == handle
    else:
        assert alice.refused("POST", "/org/acme/connection", body) == (400, ["body.handle"])


def test_a_handle_is_taken_once_unless_any_will_do(acme):
    alice = acme.client()
    alice.ok("POST", "/org/acme/connection", AWS)
    assert alice.refused("POST", "/org/acme/connection", AWS) == (409, ["body.handle"])
    others = [alice.ok("POST", "/org/acme/connection?mode=available", AWS)["handle"] for _ in range(2)]
    assert others == ["aws_2", "aws_3"]
    assert alice.refused("PATCH", "/org/acme/connection/aws_3", {"handle": "aws"}) == (409, ["body.handle"])
    assert alice.ok("PATCH", "/org/acme/connection/aws_3", {"handle": "aws_3"})["handle"] == "aws_3"
    assert alice.refused("POST", "/org/acme/connection?mode=x", AWS)[0] == 400


def test_a_connection_changed_meanwhile_is_not_changed(acme):
    alice = acme.client()
    alice.ok("POST", "/org/acme/connection", AWS)
    alice.ok("PATCH", "/org/acme/connection/aws", {"config": {}})
    for method, body in (("PATCH", {"handle": "x"}), ("DELETE", None)):
        assert alice.status(method, "/org/acme/connection/aws", body, headers={"If-Match": "1"}) == 412
    assert alice.status("PATCH", "/org/acme/connection/aws", {"handle": "x"}, headers={"If-Match": "2"}) == 200


def test_only_an_owner_changes_and_a_member_looks(pipes):
    acme = pipes(cloudy())
    bob, zoe = acme.client("bob"), acme.client("zoe")
    for path in ("connection", "connection_folder", "process", "connection/github", "connection/github/permission",
                 "connection/github/workspace"):  # fmt: skip
        assert bob.status("GET", f"/org/acme/{path}") == 200
        assert zoe.status("GET", f"/org/acme/{path}") == 403
    writes = [
        ("POST", "connection", AWS),
        ("PATCH", "connection/github", {}),
        ("DELETE", "connection/github", None),
        ("POST", "connection/github/test", {"plugin": "github"}),
        ("POST", "connection/github/permission", {"identity_handle": "acme"}),
        ("POST", "connection_folder", {"title": "a"}),
        ("POST", "workspace/prod/schema", {"connection_handle": "github"}),
        ("POST", "workspace/prod/connection", AWS),
    ]
    assert {bob.status(method, f"/org/acme/{path}", body) for method, path, body in writes} == {403}


def test_a_plan_has_room_for_so_many_connections(sandboxes):
    alice = sandboxes(cloudy(connection_limit=3)).client()
    alice.ok("POST", "/org/acme/connection", AWS)
    assert alice.status("POST", "/org/acme/connection", {**AWS, "handle": "b"}) == 402
    assert alice.status("POST", "/org/acme/workspace/prod/connection", {**AWS, "handle": "b"}) == 402
    [row] = [row for row in alice.all("/org/acme/constraint") if row["name"] == "connection_count"]
    assert (row["limit"], row["statistics"]) == (3, {"used": 3})


@pytest.mark.parametrize(
    ("test", "answer"), [({}, {"status": "ok"}), ({"test": {"status": "error", "reason": "no route"}}, None)]
)
def test_a_test_answers_what_the_world_says(sandboxes, test, answer):
    alice = sandboxes(cloudy(connections={"github": {"plugin": "github", **test}})).client()
    before = actions(alice)
    body = {"plugin": "github", "config": {"token": "x"}}
    assert alice.ok("POST", "/org/acme/connection/github/test", body) == (answer or test["test"])
    assert alice.ok("POST", "/org/acme/connection/not_there_yet/test", body) == {"status": "ok"}
    assert alice.refused("POST", "/org/acme/connection/No-Handle/test", body) == (400, ["path.connection_handle"])
    assert actions(alice) == before


def test_creating_and_changing_leave_processes_behind(acme):
    alice = acme.client()
    made = alice.ok("POST", "/org/acme/connection", AWS)
    changed = alice.ok("PATCH", "/org/acme/connection/aws", {"config": {}})
    rows = alice.all("/org/acme/process")
    assert [(row["type"], row["state"], row["connection_id"]) for row in rows] == [
        ("connection.update", "completed", made["id"]),
        ("connection.create", "completed", made["id"]),
    ]
    assert changed["last_successful_update_process_id"] == rows[0]["id"]
    assert alice.ok("GET", f"/org/acme/process/{rows[1]['id']}") == rows[1]
    assert alice.status("GET", "/org/acme/process/p_" + "0" * 20) == 404
    params = {"where": "type = 'connection.update'"}
    assert alice.ok("GET", "/org/acme/process", params=params)["items"] == rows[:1]


def test_nothing_is_inherited_without_an_integration(acme):
    alice = acme.client()
    alice.ok("POST", "/org/acme/connection", AWS)
    body = {"config_source": "inherited"}
    assert alice.refused("PATCH", "/org/acme/connection/aws", body) == (400, ["body.config_source"])
    assert alice.ok("PATCH", "/org/acme/connection/aws", {"config_source": "self"})["config_source"] == "self"


# -- folders


def test_folders_make_a_tree_and_everything_says_where_it_is(pipes):
    alice = pipes(cloudy()).client()
    ids = folders(alice)
    [aws] = [row for row in alice.all("/org/acme/connection") if row["handle"] == "aws_emea"]
    assert (aws["parent_id"], [item["title"] for item in aws["trunk"]]) == (ids["emea"], ["cloud", "emea"])
    alice.ok("PATCH", f"/org/acme/connection_folder/{ids['cloud']}", {"title": "clouds"})
    assert alice.ok("GET", "/org/acme/connection/aws_emea")["trunk"][0] == {
        "id": ids["cloud"],
        "title": "clouds",
        "type": "connection-folder",
    }
    moved = alice.ok("PATCH", f"/org/acme/connection_folder/{ids['emea']}", {"parent_id": ""})
    assert (moved["parent_id"], moved["trunk"]) == ("", [])
    assert [item["title"] for item in alice.ok("GET", "/org/acme/connection/aws_emea")["trunk"]] == ["emea"]
    assert alice.ok("GET", "/org/acme/connection/aws_emea")["version_id"] == 1, "it was not changed itself"


def test_a_folder_does_not_go_into_itself(pipes):
    alice = pipes(cloudy()).client()
    ids = folders(alice)
    path = f"/org/acme/connection_folder/{ids['cloud']}"
    for inside in (ids["cloud"], ids["emea"], "c_" + "0" * 20, "w_" + "0" * 20):
        assert alice.refused("PATCH", path, {"parent_id": inside}) == (400, ["body.parent_id"])
    aws = alice.ok("GET", "/org/acme/connection/aws_emea")["id"]
    assert alice.refused("PATCH", path, {"parent_id": aws}) == (400, ["body.parent_id"]), "no folder"


def test_only_an_empty_folder_is_deleted(pipes):
    alice = pipes(cloudy()).client()
    ids = folders(alice)
    for title in ("cloud", "emea"):
        assert alice.refused("DELETE", f"/org/acme/connection_folder/{ids[title]}") == (409, [])
    alice.ok("PATCH", "/org/acme/connection/aws_emea", {"parent_id": alice.ok("GET", "/org/acme")["id"]})
    for title in ("emea", "cloud"):
        assert alice.ok("DELETE", f"/org/acme/connection_folder/{ids[title]}")["title"] == title
    assert folders(alice) == {}
    assert alice.status("GET", f"/org/acme/connection_folder/{ids['emea']}") == 404


def test_a_title_is_taken_once_in_its_folder(pipes):
    alice = pipes(cloudy()).client()
    ids = folders(alice)
    assert alice.refused("POST", "/org/acme/connection_folder", {"title": "cloud"}) == (409, ["body.title"])
    twin = alice.ok("POST", "/org/acme/connection_folder", {"title": "emea"})
    path = f"/org/acme/connection_folder/{twin['id']}"
    assert alice.refused("PATCH", path, {"parent_id": ids["cloud"]}) == (409, ["body.parent_id"])
    other = alice.ok("POST", "/org/acme/connection_folder?mode=available", {"title": "cloud"})
    assert other["title"] == "cloud 2"
    assert alice.ok("PATCH", path, {"title": "apac", "parent_id": ids["cloud"]})["parent_id"] == ids["cloud"]


# -- permissions


@pytest.mark.parametrize("kind", ["connection", "folder"])
def test_permissions_are_kept_for_connections_and_folders_alike(pipes, kind):
    alice = pipes(cloudy()).client()
    owner = "connection/github" if kind == "connection" else f"connection_folder/{folders(alice)['cloud']}"
    path = f"/org/acme/{owner}/permission"
    made = alice.ok("POST", path, {"identity_handle": "acme", "workspace_handle": "prod"})
    assert made["workspace"]["handle"] == "prod"
    assert made["identity"]["handle"] == "acme"
    assert made["connection_id"] == alice.ok("GET", f"/org/acme/{owner}")["id"]
    assert alice.all(path) == [alice.ok("GET", f"{path}/{made['id']}")] == [made]
    changed = alice.ok("PATCH", f"{path}/{made['id']}", {"identity_handle": "acme"})
    assert ("workspace_id" in changed, "workspace" in changed, changed["version_id"]) == (False, False, 2)
    assert alice.status("DELETE", f"{path}/{made['id']}", headers={"If-Match": "1"}) == 412
    alice.ok("DELETE", f"{path}/{made['id']}")
    assert alice.all(path) == []
    assert alice.status("GET", f"{path}/{made['id']}") == 404
    prefix = "connection_permission" if kind == "connection" else "connection_folder_permission"
    assert actions(alice) == [f"{prefix}.delete", f"{prefix}.update", f"{prefix}.create"]


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, ["body"]),
        ({"tenant_handle": "turbot-pipes"}, ["body.tenant_handle"]),
        ({"identity_handle": "bob"}, ["body.identity_handle"]),
        ({"identity_handle": "acme", "workspace_handle": "nope"}, ["body.workspace_handle"]),
        ({"workspace_handle": "dev"}, ["body"]),
    ],
)
def test_a_permission_that_cannot_be_is_refused(pipes, body, places):
    alice = pipes(cloudy()).client()
    permit(alice, workspace_handle="dev")
    assert alice.refused("POST", "/org/acme/connection/github/permission", body) == (400, places)


def test_the_permission_of_one_connection_is_not_found_at_another(pipes):
    alice = pipes(cloudy()).client()
    id_ = permit(alice, identity_handle="acme")["id"]
    assert alice.status("DELETE", f"/org/acme/connection/aws_emea/permission/{id_}") == 404


# -- schemas


def attach(client, workspace="prod", **what):
    return client.ok("POST", f"/org/acme/workspace/{workspace}/schema", what)


def test_a_permission_alone_attaches_nothing_and_without_one_nothing_is_attached(pipes):
    alice = pipes(cloudy()).client()
    path = "/org/acme/workspace/prod/schema"
    assert schemas(alice) == []
    assert alice.refused("POST", path, {"connection_handle": "github"}) == (400, ["body.connection_handle"])
    permit(alice, workspace_handle="prod")
    assert (schemas(alice), schemas(alice, "dev")) == ([("github", "granted")], [])
    made = attach(alice, connection_handle="github")
    assert (made["name"], made["type"], made["state"]) == ("github", "connection", "direct")
    assert alice.ok("GET", f"{path}/github") == made
    assert alice.refused("POST", path, {"connection_handle": "github"}) == (409, ["body.connection_handle"])
    [row] = alice.all("/org/acme/connection/github/workspace")
    assert (row["workspace_id"], row["connection"]["handle"]) == (made["workspace_id"], "github")
    alice.ok("DELETE", f"{path}/github")
    assert schemas(alice) == [("github", "granted")]
    assert alice.status("DELETE", f"{path}/github") == 404
    assert actions(alice)[:2] == ["workspace_schema.detach", "workspace_schema.attach"]


def test_a_folder_permits_and_attaches_all_that_is_in_it_and_what_comes_later(pipes):
    alice = pipes(cloudy()).client()
    cloud = folders(alice)["cloud"]
    permit(alice, f"/org/acme/connection_folder/{cloud}", identity_handle="acme")
    assert schemas(alice) == schemas(alice, "dev") == [("aws_emea", "granted")]
    attach(alice, connection_folder=cloud)
    assert schemas(alice) == [("cloud", "direct"), ("aws_emea", "indirect")]
    path = "/org/acme/workspace/prod/schema"
    assert alice.refused("DELETE", f"{path}/aws_emea") == (400, ["path.schema_name"])
    alice.ok("POST", "/org/acme/connection", {**AWS, "parent_id": cloud})
    assert schemas(alice) == [("cloud", "direct"), ("aws", "indirect"), ("aws_emea", "indirect")]
    assert len({row["id"] for row in alice.all(path)}) == 3
    [row] = alice.all(f"/org/acme/connection_folder/{cloud}/workspace")
    assert row["connection"]["title"] == "cloud"
    assert alice.all("/org/acme/connection/aws_emea/workspace") == []
    alice.ok("DELETE", f"{path}/cloud")
    assert schemas(alice) == [("aws", "granted"), ("aws_emea", "granted")]


@pytest.mark.parametrize("how", ["deleted", "moved elsewhere", "left the folder"])
def test_what_may_no_longer_be_used_is_detached(pipes, how):
    alice = pipes(cloudy()).client()
    cloud = f"/org/acme/connection_folder/{folders(alice)['cloud']}"
    id_ = permit(alice, cloud, workspace_handle="prod")["id"]
    attach(alice, connection_handle="aws_emea")
    if how == "deleted":
        alice.ok("DELETE", f"{cloud}/permission/{id_}")
    elif how == "moved elsewhere":
        alice.ok("PATCH", f"{cloud}/permission/{id_}", {"workspace_handle": "dev"})
    else:
        alice.ok("PATCH", "/org/acme/connection/aws_emea", {"parent_id": ""})
    assert schemas(alice) == []
    assert "workspace_schema.detach" in actions(alice)[:2]


def test_deleting_a_connection_or_a_workspace_takes_permissions_and_schemas_along(pipes):
    alice = pipes(cloudy()).client()
    for workspace in ("prod", "dev"):
        permit(alice, workspace_handle=workspace)
        attach(alice, workspace, connection_handle="github")
    alice.ok("POST", "/org/acme/workspace/dev/connection", AWS)
    alice.ok("DELETE", "/org/acme/workspace/dev")
    assert [row["workspace"]["handle"] for row in alice.all("/org/acme/connection/github/permission")] == ["prod"]
    assert len(alice.all("/org/acme/connection/github/workspace")) == 1
    alice.ok("DELETE", "/org/acme/connection/github")
    assert schemas(alice) == []
    again = alice.ok("POST", "/org/acme/connection", {**AWS, "handle": "github"})
    assert alice.all("/org/acme/connection/github/permission") == []
    assert alice.ok("GET", "/org/acme/connection/github")["id"] == again["id"]
    assert alice.ok("DELETE", "/org/acme")["deleted_at"]


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, ["body"]),
        ({"connection_handle": "github", "connection_folder": "x"}, ["body"]),
        ({"connection_handle": "nope"}, ["body.connection_handle"]),
        ({"connection_folder": "nope"}, ["body.connection_folder"]),
        ({"aggregator_handle": "all_aws"}, ["body.aggregator_handle"]),
    ],
)
def test_an_attachment_that_cannot_be_is_refused(pipes, body, places):
    alice = pipes(cloudy()).client()
    assert alice.refused("POST", "/org/acme/workspace/prod/schema", body) == (400, places)


def test_schemas_and_their_lists_come_in_pages(sandboxes):
    names = [f"c{number}" for number in range(7)]
    world = cloudy(connections={name: {"plugin": "net", "permitted": "all"} for name in names})
    world["orgs"]["acme"]["workspaces"]["prod"]["attached"] = names
    alice = sandboxes(world).client()
    for path in ("connection", "workspace/prod/schema", "workspace/prod/connection"):
        assert len(alice.all(f"/org/acme/{path}", limit=2)) == 7


# -- a workspace's own


def test_a_workspace_has_connections_of_its_own(pipes):
    acme = pipes(cloudy())
    alice, bob = acme.client(), acme.client("bob")
    path = "/org/acme/workspace/prod/connection"
    made = alice.ok("POST", path, AWS)
    assert (made["parent_id"], made["trunk"]) == ("", [])
    assert made["workspace_id"] == alice.ok("GET", "/org/acme/workspace/prod")["id"]
    [row] = bob.all(path)
    assert (row["connection"], row["connection_id"]) == (made, made["id"])
    assert "association" not in bob.ok("GET", f"{path}/aws")
    assert alice.status("GET", "/org/acme/connection/aws") == 404, "it is the workspace's, not the org's"
    assert alice.ok("PATCH", f"{path}/aws", {"handle": "local"})["handle"] == "local"
    assert alice.refused("POST", path, {**AWS, "handle": "local"}) == (409, ["body.handle"])
    assert alice.refused("POST", path, {**AWS, "handle": "github"}) == (409, ["body.handle"])
    assert alice.refused("PATCH", f"{path}/local", {"parent_id": made["identity_id"]}) == (400, ["body.parent_id"])
    assert alice.ok("DELETE", f"{path}/local")["handle"] == "local"
    assert (alice.all(path), alice.status("GET", f"{path}/local")) == ([], 404)
    assert actions(alice)[:3] == [f"workspace_connection.{verb}" for verb in ("delete", "update", "create")]


def test_a_connection_of_the_org_is_associated_by_its_handle(pipes):
    alice = pipes(cloudy()).client()
    path = "/org/acme/workspace/prod/connection"
    body = {"handle": "github", "plugin": "github"}
    assert alice.refused("POST", path, body) == (400, ["body.connection_handle"]), "it is not permitted there"
    permit(alice, identity_handle="acme")
    assert alice.refused("POST", path, {**body, "plugin": "aws"}) == (400, ["body.plugin"])
    assert alice.ok("POST", path, body)["handle"] == "github"
    assert schemas(alice) == [("github", "direct")]
    assert alice.ok("GET", f"{path}/github")["association"]["workspace_id"].startswith("w_")
    assert alice.refused("PATCH", f"{path}/github", {"handle": "x"}) == (400, ["path.connection_handle"])
    assert alice.ok("DELETE", f"{path}/github")["handle"] == "github"
    assert schemas(alice) == [("github", "granted")]
    assert alice.status("GET", "/org/acme/connection/github") == 200


def test_faults_reach_the_new_paths(sandboxes):
    from reconciler.sandbox.faults import Faults

    names = [f"c{number}" for number in range(4)]
    world = cloudy(connections={name: {"plugin": "net", "permitted": "all"} for name in names})
    world["orgs"]["acme"]["workspaces"]["prod"]["attached"] = names
    alice = sandboxes(
        world,
        faults=Faults(
            [
                {
                    "kind": "status",
                    "status": 503,
                    "method": "POST",
                    "path": "/connection$",
                    "applied": True,
                    "times": 1,
                },
                {"kind": "shift-page", "path": "/schema$", "rows": 1},
            ]
        ),
    ).client()
    assert alice.status("POST", "/org/acme/connection", AWS) == 503
    assert alice.status("GET", "/org/acme/connection/aws") == 200, "it took effect all the same"
    rows = alice.all("/org/acme/workspace/prod/schema", limit=2)
    assert [row["name"] for row in rows] == ["c0", "c1", "c3"], "a list that is computed can skip a row too"


# -- what the provider's tests observed, and the manual's rules


@pytest.mark.parametrize("title", ["DevOps", "EMEA accounts", "Überwachung / Ost", "c", "a" * 200])
@pytest.mark.parametrize("where", ["/org/acme", "/org/acme/workspace/prod"])
def test_a_folders_title_is_any_text(pipes, title, where):
    alice = pipes().client()
    made = alice.ok("POST", f"{where}/connection_folder", {"title": title})
    assert (made["title"], made["parent_id"], made["trunk"]) == (title, "", [])
    path = f"{where}/connection_folder/{made['id']}"
    assert alice.ok("PATCH", path, {"title": f"{title}!"})["title"] == f"{title}!"
    assert alice.refused("PATCH", path, {"title": ""}) == (400, ["body.title"])


def test_folders_of_a_workspace_are_its_own(pipes):
    acme = pipes(cloudy())
    alice, bob = acme.client(), acme.client("bob")
    path = "/org/acme/workspace/prod/connection_folder"
    top = alice.ok("POST", path, {"title": "Lab"})
    inner = alice.ok("POST", path, {"title": "Lab", "parent_id": top["id"]})
    assert (top["workspace_id"], inner["parent_id"]) == (alice.ok("GET", "/org/acme/workspace/prod")["id"], top["id"])
    assert [item["id"] for item in inner["trunk"]] == [top["id"]]
    assert bob.all(path) == [alice.ok("GET", f"{path}/{one['id']}") for one in (top, inner)]
    assert alice.all("/org/acme/workspace/dev/connection_folder") == []
    assert len(alice.all("/org/acme/connection_folder")) == 2, "the org's"
    for other in (f"/org/acme/connection_folder/{top['id']}", f"/org/acme/workspace/dev/connection_folder/{top['id']}"):
        assert alice.status("GET", other) == alice.status("DELETE", other) == 404
    made = alice.ok("POST", "/org/acme/workspace/prod/connection", {**AWS, "parent_id": inner["id"]})
    assert [item["id"] for item in made["trunk"]] == [top["id"], inner["id"]]
    assert bob.all("/org/acme/workspace/prod/connection")[0]["connection"] == made
    alice.ok("PATCH", f"{path}/{top['id']}", {"title": "Laboratory"})
    assert alice.ok("GET", "/org/acme/workspace/prod/connection/aws")["trunk"][0]["title"] == "Laboratory"
    assert alice.refused("DELETE", f"{path}/{inner['id']}") == (409, [])
    assert alice.refused("PATCH", f"{path}/{top['id']}", {"parent_id": inner["id"]}) == (400, ["body.parent_id"])
    foreign = folders(alice)["cloud"]
    for place, body in ((path, {"title": "x"}), ("/org/acme/workspace/prod/connection", {**AWS, "handle": "x"})):
        refused = alice.refused("POST", place, {**body, "parent_id": foreign})
        assert refused == (400, ["body.parent_id"]), "a folder of the org holds nothing of a workspace"
    assert alice.refused("PATCH", "/org/acme/connection/github", {"parent_id": top["id"]}) == (400, ["body.parent_id"])
    moved = alice.ok("PATCH", "/org/acme/workspace/prod/connection/aws", {"parent_id": ""})
    assert (moved["parent_id"], moved["trunk"]) == ("", [])
    for one in (inner, top):
        alice.ok("DELETE", f"{path}/{one['id']}")
    assert alice.all(path) == []
    assert actions(alice)[0] == "workspace_connection_folder.delete"


def test_what_is_permitted_in_a_workspace_is_readable_there_attached_or_not(pipes):
    acme = pipes(cloudy())
    alice, bob = acme.client(), acme.client("bob")
    ids = folders(alice)
    space = "/org/acme/workspace/prod"
    paths = [f"{space}/connection_folder/{ids['emea']}", f"{space}/connection/aws_emea"]
    assert [bob.status("GET", path) for path in paths] == [404, 404]
    permit(alice, f"/org/acme/connection_folder/{ids['cloud']}", workspace_handle="prod")
    assert [bob.ok("GET", path) for path in paths] == [
        alice.ok("GET", f"/org/acme/connection_folder/{ids['emea']}"),
        alice.ok("GET", "/org/acme/connection/aws_emea"),
    ]
    assert [alice.status("GET", path.replace("prod", "dev")) for path in paths] == [404, 404]
    assert alice.status("DELETE", paths[0]) == alice.status("DELETE", paths[1]) == 404, "nothing is attached"
    assert bob.all(f"{space}/connection") == bob.all(f"{space}/connection_folder") == []


def test_a_workspaces_owner_changes_and_attaches_connections_and_adds_none(pipes):
    acme = pipes(cloudy())
    alice, bob = acme.client(), acme.client("bob")
    alice.ok("PATCH", "/org/acme/workspace/prod/member/bob", {"role": "owner"})
    permit(alice, workspace_handle="prod")
    alice.ok("POST", "/org/acme/workspace/prod/connection", AWS)
    assert bob.status("POST", "/org/acme/workspace/prod/connection", {**AWS, "handle": "other"}) == 403
    bob.ok("PATCH", "/org/acme/workspace/prod/connection/aws", {"handle": "other"})
    bob.ok("DELETE", "/org/acme/workspace/prod/connection/other")
    bob.ok("POST", "/org/acme/workspace/prod/schema", {"connection_handle": "github"})
    bob.ok("DELETE", "/org/acme/workspace/prod/connection/github")


def test_after_an_org_is_deleted_its_connections_are_missing_and_its_members_forbidden(pipes):
    acme = pipes(cloudy())
    alice = acme.client()
    permission = permit(alice, workspace_handle="prod")["id"]
    attach(alice, connection_handle="github")
    folder = folders(alice)["cloud"]
    alice.ok("DELETE", "/org/acme")
    space = "/org/acme/workspace/prod"
    missing = [
        *("/org/acme", "/org/acme/connection", "/org/acme/connection/github", f"/org/acme/connection_folder/{folder}"),
        *(f"/org/acme/connection/github/permission{more}" for more in ("", f"/{permission}")),
        *(f"/org/acme/connection_folder/{folder}/permission", f"{space}/connection", f"{space}/connection/github"),
        *(f"{space}/connection_folder/{folder}", f"{space}/schema", f"{space}/schema/github"),
    ]
    assert {path: alice.status("GET", path) for path in missing} == dict.fromkeys(missing, 404)
    for path in ("/org/acme/member", "/org/acme/member/bob", f"{space}/member", f"{space}/member/bob"):
        assert alice.status("GET", path) == 403, path
