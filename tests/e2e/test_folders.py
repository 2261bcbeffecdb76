"""Folders of connections, from the manifest to Pipes and back: made, filled, moved, emptied, whatever happens on the way."""

from __future__ import annotations

import json
import signal

import pytest
import yaml

from e2e.bench import LOCK
from e2e.test_killed import deadly
from reconciler.pipes import retry

WORLD = """
users: {bob: {}, carol: {}}
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member}
    workspaces: {prod: {members: {bob: reader}}, dev: {members: {carol: operator}}}
    connections: {gcp: {plugin: gcp}}
"""
MANIFEST = """version: 1
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member}
    workspaces: {prod: {members: {bob: reader}}, dev: {members: {carol: operator}}}
    connection_folders:
      cloud: {}
      cloud-aws: {title: aws, folder: cloud, workspaces: [prod]}
    connections:
      aws_prod: {plugin: aws, folder: cloud-aws}
      gcp: {folder: cloud}
"""
WRITES = 5


@pytest.fixture
def here(bench, monkeypatch):
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    return bench


def tree(bench):
    """The path of each folder and connection, and what may be used where."""
    client = bench.client()
    rows = [*client.all("/org/acme/connection_folder"), *client.all("/org/acme/connection")]
    names = {row["id"]: row.get("title") or row["handle"] for row in rows}
    above = {row["id"]: row["parent_id"] for row in rows}

    def path(identifier):
        parent = above[identifier]
        return f"{path(parent)}/{names[identifier]}" if parent in names else names[identifier]

    found = {}
    for row in rows:
        kind, name = (
            ("connection_folder", row["id"]) if row["type"] == "connection-folder" else ("connection", row["handle"])
        )
        permissions = client.all(f"/org/acme/{kind}/{name}/permission")
        found[path(row["id"])] = sorted(one["workspace"]["handle"] for one in permissions)
    return found


FILLED = {"cloud": [], "cloud/aws": ["prod"], "cloud/aws/aws_prod": [], "cloud/gcp": []}


def folder_id(bench, title):
    return next(row["id"] for row in bench.client().all("/org/acme/connection_folder") if row["title"] == title)


def test_folders_are_made_filled_and_remembered_and_then_nothing_is_left_to_do(here):
    ran = here.apply()
    assert ran.status == 0, ran.out + ran.err
    assert tree(here) == FILLED
    assert here.plan("--detailed-exitcode").status == 0
    assert here.run("drift", *here.local).status == 0
    entries = json.loads((here.folder / LOCK).read_text())["entries"]
    assert entries["org.acme/connection_folder.cloud-aws"] == {"id": folder_id(here, "aws")}


def test_without_a_lock_file_folders_are_known_by_title_and_place(here):
    here.apply()
    (here.folder / LOCK).unlink()
    assert here.plan("--detailed-exitcode").status == 0


def test_a_saved_plan_waits_for_ids_that_nobody_knows_yet(here):
    assert here.plan("-o", "saved.json").status == 0
    assert (
        "{id}: from the response that creates org.acme/connection_folder.cloud"
        in here.run("show", "saved.json", "-v").out
    )
    assert here.run("apply", *here.local, "saved.json").status == 0
    assert tree(here) == FILLED
    assert here.run("apply", *here.local, "saved.json").status == 3  # stale: it is done


@pytest.mark.parametrize("kind", ["drop-after", "drop-before"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("path", ["/connection_folder$", "/permission$"])
def test_a_create_whose_answer_is_lost_is_looked_for_and_not_made_twice(here, kind, times, path):
    with here.served({"kind": kind, "method": "POST", "path": path, "times": times}):
        ran = here.apply()
    assert ran.status == 0, ran.out + ran.err
    assert tree(here) == FILLED
    done = [one["action_type"] for one in here.client().all("/org/acme/audit_log")]
    assert (done.count("connection_folder.create"), done.count("connection_folder_permission.create")) == (2, 1)
    assert here.plan("--detailed-exitcode").status == 0


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(1, WRITES + 1))
def test_wherever_it_is_killed_the_next_apply_finishes_and_makes_nothing_twice(here, at, after):
    with deadly(here, at, after=after) as (killer, host):
        process = here.start("apply", "--auto-approve", "--host", host)
        killer.pid = process.pid
        process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    ran = here.apply()
    assert ran.status == 0, ran.out + ran.err
    assert tree(here) == FILLED
    assert here.plan("--detailed-exitcode").status == 0


def test_a_title_is_changed_by_its_key_and_a_key_by_what_it_means(here):
    here.apply()
    here.manifest(MANIFEST.replace("cloud: {}", "cloud: {title: clouds}"))
    assert here.planned().addresses == ["org.acme/connection_folder.cloud"]
    assert here.apply().status == 0
    here.manifest(MANIFEST.replace("cloud-aws", "amazon").replace("cloud: {}", "cloud: {title: clouds}"))
    assert here.plan("--detailed-exitcode").status == 0


def test_a_key_and_a_title_that_change_at_once_look_like_another_folder(here):
    here.apply()
    here.manifest(
        MANIFEST.replace("cloud-aws: {title: aws", "amazon: {title: amazon").replace(
            "folder: cloud-aws", "folder: amazon"
        )
    )
    ran = here.planned()
    assert ran.codes == ["looks-like-rename"]
    assert "keep the key cloud-aws" in here.plan().out


def test_everything_moves_and_what_is_empty_by_then_goes(here):
    here.apply()
    here.client().ok("POST", "/org/acme/workspace/prod/schema", {"connection_handle": "aws_prod"})
    here.manifest(
        MANIFEST.replace("cloud: {}", "cloud: {absent: true}")
        .replace("folder: cloud, workspaces: [prod]", "folder: top, workspaces: [prod]")
        .replace("connections:", "  top: {folder: null}\n    connections:")
        .replace("gcp: {folder: cloud}", "gcp: {folder: null}")
    )
    ran = here.apply()
    assert ran.status == 0, ran.out + ran.err
    assert tree(here) == {"top": [], "top/aws": ["prod"], "top/aws/aws_prod": [], "gcp": []}
    assert [row["name"] for row in here.client().all("/org/acme/workspace/prod/schema")] == ["aws_prod"]
    assert here.plan("--detailed-exitcode").status == 0


def test_a_connection_moves_only_once_its_new_folder_lets_in_whom_the_old_one_did(here):
    here.apply()
    here.client().ok("POST", "/org/acme/workspace/prod/schema", {"connection_handle": "aws_prod"})
    head = MANIFEST.replace("connections:", "  new: {workspaces: [prod]}\n    connections:")
    here.manifest(head.replace("folder: cloud-aws}", "folder: new}"))
    assert "may use" not in here.plan().out
    assert here.apply().status == 0
    states = {row["name"]: row["state"] for row in here.client().all("/org/acme/workspace/prod/schema")}
    assert states == {"aws_prod": "direct"}


@pytest.mark.parametrize(("method", "sent"), [("PATCH", 0), ("DELETE", 1)])
def test_a_folder_that_somebody_fills_before_its_deletion_is_not_deleted(here, method, sent):
    folders = "    connection_folders: {old: {}, other: {}}\n    connections: {net: {plugin: net, folder: old}, "
    here.pipes(WORLD.replace("    connections: {", folders))
    here.manifest(
        "version: 1\norgs: {acme: {connection_folders: {old: {absent: true, title: old}, other: {}}, connections: {net: {folder: other}}}}"
    )
    old = folder_id(here, "old")
    with here.served({"kind": "latency", "ms": 60_000, "method": method}) as seen:
        process = here.start("apply", "--auto-approve", "--host", here.host)
        seen.wait_until_held()
        here.client().ok("PATCH", "/org/acme/connection/gcp", {"parent_id": old})
        seen.released.set()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 5, out + err
    assert ("nothing is deleted along with it" if sent == 0 else "not empty") in out + err
    assert len([one for one, _, _ in seen if one == "DELETE"]) == sent
    assert tree(here) == {"old": [], "old/gcp": [], "other": [], "other/net": []}


def test_a_folder_that_was_moved_outside_since_the_plan_is_left_as_they_made_it(here):
    here.apply()
    here.manifest(MANIFEST.replace("gcp: {folder: cloud}", "gcp: {folder: cloud-aws}"))
    here.plan("-o", "saved.json")
    here.client().ok("PATCH", "/org/acme/connection/gcp", {"parent_id": ""})
    assert here.run("apply", *here.local, "saved.json").status == 3


def test_what_somebody_moves_while_an_apply_runs_is_left_as_they_made_it(here):
    here.pipes(WORLD.replace("    connections", "    connection_folders: {theirs: {}}\n    connections"))
    with here.served({"kind": "latency", "ms": 60_000, "method": "POST"}) as seen:
        process = here.start("apply", "--auto-approve", "--host", here.host)
        seen.wait_until_held()
        here.client().ok("PATCH", "/org/acme/connection/gcp", {"parent_id": folder_id(here, "theirs")})
        seen.released.set()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 5, out + err
    assert "folder was changed by somebody else since it was read" in out + err
    assert "theirs/gcp" in tree(here)


def test_drift_tells_what_was_renamed_moved_and_let_in_outside(here):
    here.apply()
    client = here.client()
    client.ok("PATCH", f"/org/acme/connection_folder/{folder_id(here, 'cloud')}", {"title": "clouds"})
    client.ok("PATCH", f"/org/acme/connection_folder/{folder_id(here, 'aws')}", {"parent_id": ""})
    client.ok("POST", f"/org/acme/connection_folder/{folder_id(here, 'aws')}/permission", {"workspace_handle": "dev"})
    client.ok("PATCH", "/org/acme/connection/gcp", {"parent_id": ""})
    ran = here.run("drift", *here.local, "--format", "json")
    assert ran.status == 2
    assert {(one["what"], one["address"], one["attribute"]) for one in ran.json["differences"]} == {
        ("changed", "org.acme/connection_folder.cloud", "title"),
        ("changed", "org.acme/connection_folder.cloud-aws", "folder"),
        ("added", "org.acme/connection_folder.cloud-aws/folder_permission.dev", None),
        ("changed", "org.acme/connection.gcp", "folder"),
    }
    assert "alice" in here.run("drift", *here.local).out
    assert here.apply().status == 0
    assert tree(here) == FILLED


# --- access, review, import -------------------------------------------------------------------------------------------

LIVE = """
users: {bob: {}, carol: {}}
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member}
    workspaces: {prod: {members: {bob: reader}, attached: [gcp]}, dev: {members: {carol: operator}}}
    connection_folders:
      cloud: {permitted: [dev]}
      inner: {title: aws, folder: cloud, permitted: [prod]}
      second: {title: aws}
    connections:
      aws_prod: {plugin: aws, folder: inner}
      gcp: {plugin: gcp, folder: cloud, permitted: [prod]}
      net: {plugin: net}
"""
WRITTEN = """version: 1
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member}
    workspaces: {prod: {members: {bob: reader}}, dev: {members: {carol: operator}}}
    connection_folders:
      cloud: {workspaces: [dev]}
      inner: {title: aws, folder: cloud, workspaces: [prod]}
    connections:
      aws_prod: {folder: inner, workspaces: []}
      gcp: {folder: cloud, workspaces: [prod]}
      net: {folder: null, workspaces: []}
"""


def through(ran):
    return {(one["connection"], one["workspace"], one["folder"], one["person"]) for one in ran.json["connections"]}


REACHED = {
    ("acme/aws_prod", "acme/prod", "inner", "alice"),
    ("acme/aws_prod", "acme/prod", "inner", "bob"),
    ("acme/aws_prod", "acme/dev", "cloud", "alice"),
    ("acme/aws_prod", "acme/dev", "cloud", "carol"),
    ("acme/gcp", "acme/prod", None, "alice"),
    ("acme/gcp", "acme/prod", None, "bob"),
    ("acme/gcp", "acme/dev", "cloud", "alice"),
    ("acme/gcp", "acme/dev", "cloud", "carol"),
}


@pytest.mark.parametrize("live", [False, True])
def test_access_tells_who_reaches_a_connection_by_the_folders_that_it_is_in(bench, live):
    bench.pipes(LIVE)
    bench.manifest(WRITTEN)
    options = ["--live", *bench.local] if live else []
    ran = bench.run("access", *options, "--format", "json")
    # live without a lock file knows no keys: titles, and where that is not enough the path of titles
    called = {"inner": "cloud-aws"} if live else {}
    assert through(ran) == {(link, space, called.get(folder, folder), who) for link, space, folder, who in REACHED}
    assert ran.json["connections_open"] == []
    assert "acme/dev, which may use the folder cloud" in bench.run("access", *options).out


def test_access_says_of_which_connections_it_does_not_know_the_folder_or_who_may_use_it(bench):
    bench.manifest(WRITTEN.replace("net: {folder: null, ", "net: {").replace("cloud: {workspaces: [dev]}", "cloud: {}"))
    assert bench.run("access", "--format", "json").json["connections_open"] == ["acme/aws_prod", "acme/gcp", "acme/net"]


def test_a_folder_that_is_permitted_everywhere_lets_every_workspace_in(bench):
    bench.pipes(LIVE.replace("permitted: [dev]", "permitted: all"))
    bench.manifest(WRITTEN)
    ran = bench.run("access", "--live", *bench.local, "--format", "json")
    assert ("acme/gcp", "acme/dev", "cloud", "carol") in through(ran)
    plan = bench.planned()
    assert plan.addresses == ["org.acme/connection_folder.cloud/folder_permission.dev"]
    assert "cloud is permitted in all of acme as well" in bench.plan().err + bench.plan().out


@pytest.fixture
def review(bench):
    def compare(head, base=WRITTEN):
        bench.manifest(base, "base/orgs.yaml")
        bench.manifest(head, "head/orgs.yaml")
        ran = bench.run("review", "base", "head", "--format", "json")
        for form in ("text", "markdown", "html", "github", "junit"):
            assert bench.run("review", "base", "head", "--format", form).status == 0
        return {(one["kind"], one["text"]) for one in ran.json["statements"]}, {
            (one["address"], one["action"]) for one in ran.json["changes"]
        }

    return compare


def test_a_review_tells_whom_a_folder_lets_in_and_whom_no_longer(review):
    said, changes = review(WRITTEN.replace("cloud: {workspaces: [dev]}", "cloud: {workspaces: [prod]}"))
    assert said == {
        (
            "opened",
            "lets acme/prod use every connection in the folder acme/cloud, including later ones; people there: alice and bob",
        ),
        (
            "closed",
            "no longer lets acme/dev use the folder acme/cloud; people there: alice and carol",
        ),
    }
    assert changes == {
        ("org.acme/connection_folder.cloud/folder_permission.prod", "create"),
        ("org.acme/connection_folder.cloud/folder_permission.dev", "delete"),
    }


def test_a_review_tells_who_loses_and_who_wins_a_connection_that_moves(review):
    said, changes = review(
        WRITTEN.replace("gcp: {folder: cloud", "gcp: {folder: null").replace(
            "net: {folder: null", "net: {folder: inner"
        )
    )
    assert said == {
        (
            "unusable",
            "no longer lets acme/dev use the connection acme/gcp, which leaves the folder cloud; people there: alice and carol",
        ),
        (
            "usable",
            "lets acme/prod use the connection acme/net, which moves into the folder inner; people there: alice and bob",
        ),
        (
            "usable",
            "lets acme/dev use the connection acme/net, which moves into the folder cloud; people there: alice and carol",
        ),
    }
    assert changes == {("org.acme/connection.gcp", "update"), ("org.acme/connection.net", "update")}


def test_a_review_tells_what_a_folder_that_moves_takes_along(review):
    said, changes = review(WRITTEN.replace("title: aws, folder: cloud", "title: aws"))
    assert said == {
        (
            "unusable",
            "no longer lets acme/dev use the connection acme/aws_prod, which leaves the folder cloud; people there: alice and carol",
        )
    }
    assert changes == {("org.acme/connection_folder.inner", "update")}


def test_a_review_tells_which_folders_are_deleted_and_which_forgotten_and_a_new_key_is_neither(review):
    bare = WRITTEN.replace("folder: inner", "folder: cloud").replace(
        "      inner: {title: aws, folder: cloud, workspaces: [prod]}\n", ""
    )
    said, _ = review(bare)
    assert {kind for kind, _ in said} == {"left-alone", "unusable"}
    said, changes = review(bare.replace("cloud: {w", "inner: {absent: true}\n      cloud: {w"))
    assert ("absent", "deletes the folder acme/inner, which must be empty") in said
    assert ("org.acme/connection_folder.inner", "delete") in changes
    said, _ = review(WRITTEN + "      new: {plugin: p, folder: inner}\n")
    assert {kind for kind, text in said if "acme/new" in text} == {"usable"}
    said, changes = review(WRITTEN.replace("inner", "amazon"))
    assert said == set()
    assert changes == {("org.acme/connection.aws_prod", "update")}


def test_an_import_writes_folders_and_what_is_in_them_and_a_plan_is_empty(bench):
    bench.pipes(
        LIVE.replace("second: {title: aws}", "second: {title: aws}\n      odd: {title: Odd One}").replace(
            "net: {plugin: net}", "net: {plugin: net, folder: odd}"
        )
    )
    ran = bench.run("import", *bench.local, "acme")
    assert ran.status == 0, ran.err
    written = yaml.safe_load((bench.folder / "orgs" / "acme.yaml").read_text())["orgs"]["acme"]
    assert written["connection_folders"] == {
        "cloud": {"workspaces": ["dev"]},
        "cloud-aws": {"title": "aws", "folder": "cloud", "workspaces": ["prod"]},
        "aws": {"workspaces": []},
        "odd-one": {"title": "Odd One", "workspaces": []},
    }
    assert {name: one.get("folder") for name, one in written["connections"].items()} == {
        "aws_prod": "cloud-aws", "gcp": "cloud", "net": "odd-one",
    }  # fmt: skip
    assert bench.plan("orgs", "--detailed-exitcode").status == 0
    assert bench.run("drift", "orgs", *bench.local).status == 0


def test_an_import_adds_the_folders_that_no_manifest_has_under_the_keys_that_it_has(bench):
    bench.pipes(LIVE)
    bench.manifest(
        "version: 1\n# ours\norgs:\n  acme:\n    connection_folders: {sky: {title: cloud}}\n", "orgs/acme.yaml"
    )
    assert bench.run("import", *bench.local, "acme").status == 0
    text = (bench.folder / "orgs" / "acme.yaml").read_text()
    assert "# ours" in text
    written = yaml.safe_load(text)["orgs"]["acme"]
    assert written["connection_folders"]["sky"] == {"title": "cloud"}
    assert {one.get("folder") for one in written["connection_folders"].values()} == {None, "sky"}
    assert written["connections"]["gcp"]["folder"] == "sky"
    assert bench.plan("orgs", "--detailed-exitcode").status == 0
