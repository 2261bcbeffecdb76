"""Folders of a workspace's own connections, from the manifest to Pipes and back. Those of an organization: test_folders.py."""

from __future__ import annotations

import json

import pytest
import yaml

from e2e.bench import LOCK
from reconciler.pipes import retry

WORLD = """
users: {bob: {}}
orgs:
  acme:
    members: {alice: owner, bob: member}
    connection_folders: {cloud: {permitted: [prod]}}
    workspaces:
      prod: {members: {bob: reader}, attached: [cloud], connections: {gcp: {plugin: gcp}}}
"""
MANIFEST = """version: 1
orgs:
  acme:
    workspaces:
      prod:
        connection_folders:
          cloud: {title: "Cloud: all of it"}
          aws: {folder: cloud}
        connections:
          own_aws: {plugin: aws, folder: aws}
          gcp: {folder: cloud}
"""
PATH = "/org/acme/workspace/prod"
PLACE = "org.acme/workspace.prod"
FILLED = {"Cloud: all of it", "Cloud: all of it/aws", "Cloud: all of it/aws/own_aws", "Cloud: all of it/gcp"}


@pytest.fixture
def here(bench, monkeypatch):
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    return bench


def tree(bench, workspace="prod"):
    """The path of each folder and connection that is the workspace's own."""
    client = bench.client()
    path = f"/org/acme/workspace/{workspace}"
    links = [row["connection"] for row in client.all(f"{path}/connection")]
    rows = [*client.all(f"{path}/connection_folder"), *(one for one in links if one.get("workspace_id"))]
    names = {row["id"]: row.get("title") or row["handle"] for row in rows}
    above = {row["id"]: row["parent_id"] for row in rows}

    def path_of(identifier):
        parent = above[identifier]
        return f"{path_of(parent)}/{names[identifier]}" if parent in names else names[identifier]

    return {path_of(row["id"]) for row in rows}


def folder_id(bench, title):
    return next(row["id"] for row in bench.client().all(f"{PATH}/connection_folder") if row["title"] == title)


def test_they_are_made_filled_and_remembered_and_then_nothing_is_left_to_do(here):
    org = here.client().all("/org/acme/connection_folder")
    ran = here.apply()
    assert ran.status == 0, ran.out + ran.err
    assert tree(here) == FILLED
    assert here.client().all("/org/acme/connection_folder") == org
    assert here.plan("--detailed-exitcode").status == 0
    assert here.run("drift", *here.local).status == 0
    entries = json.loads((here.folder / LOCK).read_text())["entries"]
    assert entries[f"{PLACE}/workspace_connection_folder.aws"] == {"id": folder_id(here, "aws")}
    (here.folder / LOCK).unlink()
    assert here.plan("--detailed-exitcode").status == 0  # by title and place


@pytest.mark.parametrize("path", ["/connection_folder$", "/workspace/prod/connection$"])
@pytest.mark.parametrize("kind", ["drop-after", "drop-before"])
def test_a_create_whose_answer_is_lost_is_not_made_twice(here, kind, path):
    with here.served({"kind": kind, "method": "POST", "path": path, "times": 1}):
        ran = here.apply()
    assert ran.status == 0, ran.out + ran.err
    assert tree(here) == FILLED
    assert here.plan("--detailed-exitcode").status == 0


def test_everything_moves_and_the_workspace_is_renamed_and_what_is_empty_by_then_goes(here):
    here.apply()
    here.manifest(
        MANIFEST.replace("      prod:\n", "      live:\n        renamed_from: prod\n")
        .replace("aws: {folder: cloud}", "aws: {}")
        .replace("gcp: {folder: cloud}", "gcp: {folder: null}")
        .replace('{title: "Cloud: all of it"}', "{absent: true}")
    )
    ran = here.apply()
    assert ran.status == 0, ran.out + ran.err
    assert tree(here, "live") == {"aws", "aws/own_aws", "gcp"}
    assert here.plan("--detailed-exitcode").status == 0
    assert list(json.loads((here.folder / LOCK).read_text())["entries"]) == [
        "org.acme",
        "org.acme/workspace.live",
        "org.acme/workspace.live/workspace_connection.gcp",
        "org.acme/workspace.live/workspace_connection.own_aws",
        "org.acme/workspace.live/workspace_connection_folder.aws",
    ]


def test_one_that_somebody_fills_before_its_deletion_is_not_deleted(here):
    here.apply()
    here.manifest(
        MANIFEST.replace("aws: {folder: cloud}", "aws: {absent: true}").replace(
            "own_aws: {plugin: aws, folder: aws}", "own_aws: {folder: null}"
        )
    )
    with here.served({"kind": "latency", "ms": 60_000, "method": "PATCH"}) as seen:
        process = here.start("apply", "--auto-approve", "--host", here.host)
        seen.wait_until_held()
        body = {"handle": "theirs", "plugin": "net", "parent_id": folder_id(here, "aws")}
        here.client().ok("POST", f"{PATH}/connection", body)
        seen.released.set()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 5, out + err
    assert "it holds a workspace connection that was not there when this was planned" in out + err
    assert "Cloud: all of it/aws/theirs" in tree(here)


def test_drift_tells_what_was_renamed_moved_and_added_outside_and_its_patch_takes_it_over(here):
    here.apply()
    client = here.client()
    client.ok("PATCH", f"{PATH}/connection_folder/{folder_id(here, 'Cloud: all of it')}", {"title": "clouds"})
    client.ok("PATCH", f"{PATH}/connection_folder/{folder_id(here, 'aws')}", {"parent_id": ""})
    client.ok("PATCH", f"{PATH}/connection/gcp", {"parent_id": folder_id(here, "aws")})
    client.ok("POST", f"{PATH}/connection_folder", {"title": "Theirs"})
    ran = here.run("drift", *here.local, "--unmanaged", "--format", "json")
    assert ran.status == 2
    assert {(one["address"], one["attribute"], one["by"]["actor"]) for one in ran.json["differences"]} == {
        (f"{PLACE}/workspace_connection_folder.cloud", "title", "alice"),
        (f"{PLACE}/workspace_connection_folder.aws", "folder", "alice"),
        (f"{PLACE}/workspace_connection.gcp", "folder", "alice"),
    }
    assert f"{PLACE}/workspace_connection_folder.theirs" in {one["address"] for one in ran.json["unmanaged"]}
    patch = here.run("drift", *here.local, "--fix-up").out
    added = [line for line in patch.splitlines() if line.startswith("+ ")]
    assert added == [
        '+          cloud: {title: "clouds"}',
        "+          aws: {}",
        "+          gcp: {folder: aws}",
    ]
    assert here.apply().status == 0
    assert tree(here) == FILLED | {"Theirs"}


def test_a_review_tells_what_becomes_of_them(bench):
    def compared(head):
        bench.manifest(MANIFEST, "base/orgs.yaml")
        bench.manifest(head, "head/orgs.yaml")
        ran = bench.run("review", "base", "head", "--format", "json")
        for form in ("text", "markdown", "html", "github", "junit"):
            assert bench.run("review", "base", "head", "--format", form).status == 0
        said = {(one["kind"], one["text"]) for one in ran.json["statements"]}
        return said, {(one["address"], one["action"]) for one in ran.json["changes"]}

    moved = MANIFEST.replace("gcp: {folder: cloud}", "gcp: {folder: aws}")
    assert compared(moved) == (set(), {(f"{PLACE}/workspace_connection.gcp", "update")})
    gone = MANIFEST.replace("aws: {folder: cloud}", "aws: {absent: true}").replace(", folder: aws", "")
    said, changes = compared(gone)
    assert ("absent", "deletes the folder acme/prod/aws, which must be empty") in said
    assert (f"{PLACE}/workspace_connection_folder.aws", "delete") in changes
    forgotten = MANIFEST.replace("          aws: {folder: cloud}\n", "").replace("folder: aws", "folder: cloud")
    said, _ = compared(forgotten)
    assert {kind for kind, _ in said} == {"left-alone"}
    said, changes = compared(MANIFEST.replace("cloud", "sky"))
    assert (said, {address for address, _ in changes}) == (set(), {f"{PLACE}/workspace_connection.gcp", f"{PLACE}/workspace_connection_folder.aws"})  # fmt: skip


LIVE = """
orgs:
  acme:
    members: {alice: owner}
    connection_folders: {shared: {title: lab}}
    workspaces:
      prod:
        connection_folders: {lab: {}, inner: {title: "EU: 1", folder: lab}, twin: {title: "EU: 1"}}
        connections: {own: {plugin: net, folder: inner}, top: {plugin: net}}
      dev: {}
"""


def test_an_import_writes_them_and_a_plan_is_empty(bench):
    bench.pipes(LIVE)
    ran = bench.run("import", *bench.local, "acme")
    assert ran.status == 0, ran.err
    written = yaml.safe_load((bench.folder / "orgs" / "acme.yaml").read_text())["orgs"]["acme"]["workspaces"]
    assert written["prod"]["connection_folders"] == {
        "eu-1": {"title": "EU: 1"}, "lab": {}, "lab-eu-1": {"title": "EU: 1", "folder": "lab"},
    }  # fmt: skip
    assert written["prod"]["connections"] == {"own": {"plugin": "net", "folder": "lab-eu-1"}, "top": {"plugin": "net"}}
    assert "connection_folders" not in written["dev"]
    assert bench.plan("orgs", "--detailed-exitcode").status == 0
    assert bench.run("drift", "orgs", *bench.local, "--unmanaged").status == 0


def test_an_import_adds_those_that_no_manifest_has_under_the_keys_that_it_has(bench):
    bench.pipes(LIVE)
    bench.manifest(
        "version: 1\n# ours\norgs:\n  acme:\n    workspaces:\n      prod:\n"
        "        connection_folders: {sky: {title: lab}}\n        connections: {own: {folder: null}}\n",
        "orgs/acme.yaml",
    )
    assert bench.run("import", *bench.local, "acme").status == 0
    text = (bench.folder / "orgs" / "acme.yaml").read_text()
    assert "# ours" in text
    prod = yaml.safe_load(text)["orgs"]["acme"]["workspaces"]["prod"]
    assert prod["connection_folders"]["sky"] == {"title": "lab"}
    assert {one.get("folder") for one in prod["connection_folders"].values()} == {None, "sky"}
    assert prod["connections"]["own"]["folder"] in prod["connection_folders"]
    assert bench.plan("orgs", "--detailed-exitcode").status == 0
