"""Connections that belong to one workspace, through the command: never taken for the organization's that are attached."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing

import pytest
import yaml

from e2e.test_killed import deadly
from reconciler.sandbox import app

SECRET = 'own/"XUtn\\FEMI+bPxRfi'
OTHER = "own-anew-8Zq/tK2mB7dLxYv0c"
KEY = "a key of the user that nobody else has"

WORLD = """
users: {bob: {}, carol: {}}
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member}
    workspaces:
      prod: {members: {bob: reader}, attached: [shared]}
      dev: {members: {carol: operator}}
    connections: {shared: {plugin: net, permitted: [prod]}}
"""
HEAD = """
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member}
    workspaces:
      dev: {members: {carol: operator}}
      prod:
        members: {bob: reader}
        connections:
"""
OWN = """          aws_own:
            plugin: aws
            config: {regions: [eu-west-1], secret_key: '${env:OWN_SECRET}'}
"""
NAME = "org.acme/workspace.prod/workspace_connection.aws_own"
PATH = "/org/acme/workspace/prod/connection"


@pytest.fixture
def own(bench, monkeypatch):
    """A bench whose environment has the secret, and a key for fingerprints."""
    bench.hidden |= {SECRET, OTHER, KEY, json.dumps(SECRET)[1:-1]}
    monkeypatch.setenv("OWN_SECRET", SECRET)
    monkeypatch.setenv("RECONCILER_FINGERPRINT_KEY", KEY)
    bench.pipes(WORLD)
    bench.manifest(HEAD + OWN)
    bench.seal(KEY)
    return bench


def live(bench, space="prod"):
    """What is the workspace's own, by handle; and the handles of what is associated with it."""
    rows = bench.client().all(f"/org/acme/workspace/{space}/connection")
    found = [row["connection"] for row in rows]
    mine = {one["handle"]: one for one in found if one.get("workspace_id")}
    return mine, sorted(one["handle"] for one in found if not one.get("workspace_id"))


def digests(bench, name="aws_own"):
    """What the sandbox keeps of the secrets: changes exactly where another value was sent."""
    with closing(sqlite3.connect(bench.db)) as db:
        return db.execute("SELECT secrets FROM connection WHERE name = ?", (name,)).fetchone()[0]


# --- from nothing to in sync ------------------------------------------------------------------------------------------


def test_one_is_made_in_its_workspace_and_then_in_sync_and_the_orgs_is_left_alone(own):
    planned = own.planned()
    assert planned.addresses == [NAME]
    assert "unmanaged" not in planned.json or planned.json["unmanaged"] == []
    ran = own.apply("-v")
    assert ran.status == 0
    assert "not tested: Pipes has no test of a workspace connection" in ran.out
    assert "(sensitive) ${env:OWN_SECRET}" in ran.out
    mine, associated = live(own)
    assert mine["aws_own"]["config"] == {"regions": ["eu-west-1"]}
    assert associated == ["shared"]
    assert json.loads(digests(own)).keys() == {"secret_key"}
    before = own.database()
    assert own.plan("--detailed-exitcode").status == 0
    assert own.apply().status == 0
    assert own.database() == before
    assert own.run("drift", *own.local).status == 0


def test_it_follows_a_workspace_that_is_made_in_the_same_plan(own):
    own.manifest(
        (HEAD + OWN).replace(
            "      prod:\n        members: {bob: reader}", "      lab:\n        members: {bob: reader}"
        )
    )
    planned = own.planned()
    assert planned.addresses[:1] == ["org.acme/workspace.lab"]
    steps = {step["address"]: step for step in planned.json["steps"]}
    made = steps["org.acme/workspace.lab/workspace_connection.aws_own"]
    assert made["needs"] == [steps["org.acme/workspace.lab"]["number"]]
    assert own.apply().status == 0
    assert live(own, "lab")[0].keys() == {"aws_own"}
    assert own.plan("--detailed-exitcode").status == 0


def test_it_stays_with_a_workspace_that_is_renamed_together_with_it(own):
    own.apply()
    before = digests(own)
    own.manifest(
        (HEAD + OWN).replace("      prod:\n", "      live:\n        renamed_from: prod\n").replace(
            "          aws_own:\n", "          aws_new:\n            renamed_from: aws_own\n"
        ).replace("eu-west-1", "eu-west-2")
    )  # fmt: skip
    planned = own.planned()
    assert planned.addresses == ["org.acme/workspace.live", "org.acme/workspace.live/workspace_connection.aws_new"]
    assert own.apply().status == 0
    mine, associated = live(own, "live")
    assert mine["aws_new"]["config"] == {"regions": ["eu-west-2"]}
    assert associated == ["shared"]
    assert digests(own, "aws_new") == before
    assert own.plan("--detailed-exitcode").status == 0


def test_two_workspaces_have_each_their_own_by_one_handle(own):
    text = HEAD.replace("dev: {members: {carol: operator}}", "dev: {connections: {aws_own: {plugin: gcp}}}")
    own.manifest(text + OWN)
    assert own.apply().status == 0
    assert {space: live(own, space)[0]["aws_own"]["plugin"] for space in ("prod", "dev")} == {
        "prod": "aws", "dev": "gcp",
    }  # fmt: skip
    assert own.plan("--detailed-exitcode").status == 0
    own.manifest(text.replace("{plugin: gcp}", "{absent: true}") + OWN)
    assert own.apply().status == 0
    assert (live(own, "dev")[0], live(own)[0].keys()) == ({}, {"aws_own"})


def test_a_change_leaves_the_secrets_of_what_was_sent_where_they_are(own):
    own.apply()
    before = digests(own)
    own.manifest(HEAD + OWN.replace("eu-west-1", "eu-west-2"))
    assert own.planned().addresses == [NAME]
    assert own.apply().status == 0
    assert live(own)[0]["aws_own"]["config"] == {"regions": ["eu-west-2"]}
    assert digests(own) == before
    own.manifest(HEAD + OWN.replace("plugin: aws", "plugin: gcp"))
    ran = own.plan()
    assert ran.status == 1
    assert "plugin of the workspace connection aws_own is aws, and cannot be changed to gcp" in ran.out


def test_only_a_statement_deletes_one(own):
    own.apply()
    own.manifest(HEAD + "          other: {plugin: net}\n")
    planned = own.planned("--allow", "looks-like-rename=org.acme/workspace.prod/workspace_connection.other")
    assert planned.json["unmanaged"] == [NAME]
    assert "delete" not in [action for one in planned.json["resource_changes"] for action in one["change"]["actions"]]
    own.manifest(HEAD + "          aws_own: {absent: true, reason: the account is closed}\n")
    assert own.apply().status == 0
    assert live(own) == ({}, ["shared"])
    assert own.plan("--detailed-exitcode").status == 0


def test_without_the_section_they_are_left_alone_and_not_even_read(own):
    own.apply()
    own.manifest(HEAD.replace("        connections:\n", ""))
    with own.served() as seen:
        assert own.plan("--detailed-exitcode").status == 0
    assert [path for _, path, _ in seen if path.endswith("/connection")] == []


def test_a_deleted_workspace_tells_what_goes_with_it(own):
    own.apply()
    own.manifest("orgs: {acme: {workspaces: {prod: {absent: true}}}}")
    ran = own.plan()
    assert "with it go its own connections, and their secrets: aws_own\n" in ran.out
    assert own.apply().status == 0
    assert [one["handle"] for one in own.client().all("/org/acme/connection")] == ["shared"]
    assert own.plan("--detailed-exitcode").status == 0


# --- the organization's -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ["{plugin: net}", "{plugin: net, config: {a: 1}}", "{renamed_from: aws_own}"])
@pytest.mark.parametrize("space", ["prod", "dev"])
def test_the_handle_of_a_connection_of_the_org_is_refused(own, entry, space):
    """Whether it is attached there (prod) or not (dev), and whatever else the entry says."""
    own.manifest(
        "orgs:\n  acme:\n    workspaces:\n      dev: {connections: {shared: ENTRY}}".replace("dev", space).replace(
            "ENTRY", entry
        )
    )
    if "renamed_from" in entry:
        own.client().ok("POST", f"/org/acme/workspace/{space}/connection", {"handle": "aws_own", "plugin": "net"})
    before = own.database()
    planned = own.planned()
    assert planned.status == 3
    assert planned.codes == ["handle-taken"]
    assert own.apply().status == 3
    assert own.apply("--keep-going").status == 3
    assert own.database() == before


def test_a_connection_that_the_org_is_to_have_is_as_good_as_there(own):
    own.manifest(HEAD + OWN + "    connections: {aws_own: {plugin: aws}}\n")
    planned = own.planned()
    assert planned.codes == ["handle-taken"]
    assert "acme itself will have the connection aws_own" in planned.out


def test_stating_the_orgs_absent_in_a_workspace_detaches_nothing(own):
    own.manifest(HEAD + "          shared: {absent: true}\n")
    before = own.database()
    ran = own.plan("--detailed-exitcode")
    assert ran.status == 0
    assert "shared in prod is the connection of acme, which is attached there" in ran.out
    assert own.apply().status == 0
    assert own.database() == before


def test_two_of_one_handle_that_are_both_there_are_told_apart_where_only_one_is_attached(own):
    client = own.client()
    own.apply()
    client.ok("POST", "/org/acme/connection", {"handle": "aws_own", "plugin": "aws"})
    own.manifest(HEAD + OWN.replace("eu-west-1", "eu-west-2"))
    assert own.apply().status == 0
    assert live(own)[0]["aws_own"]["config"] == {"regions": ["eu-west-2"]}
    assert client.ok("GET", "/org/acme/connection/aws_own")["config"] == {}
    assert own.plan("--detailed-exitcode").status == 0


def changed(monkeypatch, change):
    """Let answers of the sandbox be other than they are: `change(method, path, document)`."""
    made = app.create_app

    def other(*args, **options):
        inner = made(*args, **options)

        def answer(environ, start_response):
            head = []

            def started(status, headers, *rest):
                head.append((status, headers))

            content = b"".join(inner(environ, started))
            status, headers = head[0]
            if content and status.startswith("2"):
                document = json.loads(content)
                change(environ["REQUEST_METHOD"], environ["PATH_INFO"], document)
                content = json.dumps(document).encode()
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
            start_response(status, [*headers, ("Content-Length", str(len(content)))])
            return [content]

        return answer

    monkeypatch.setattr(app, "create_app", other)


def test_both_under_one_handle_in_one_workspace_are_refused(own, monkeypatch):
    own.apply()

    def twice(method, path, document):
        if (method, path[-len(PATH) :]) == ("GET", PATH):
            shared = next(row for row in document["items"] if row["connection"]["handle"] == "shared")
            shared["connection"]["handle"] = "aws_own"

    changed(monkeypatch, twice)
    for entry in (OWN.replace("eu-west-1", "eu-west-2"), "          aws_own: {absent: true}\n"):
        own.manifest(HEAD + entry)
        with own.served():
            planned = own.planned()
            assert planned.codes == ["handle-taken"]
            assert own.apply().status == 3


def test_a_list_that_does_not_tell_whose_a_connection_is_makes_the_org_unreadable(own, monkeypatch):
    def silent(method, path, document):
        if (method, path[-len(PATH) :]) == ("GET", PATH):
            for row in document["items"]:
                del row["connection"]

    changed(monkeypatch, silent)
    with own.served():
        planned = own.planned()
    assert planned.codes == ["empty-read"]


@pytest.mark.parametrize("lost", [False, True])
def test_one_of_the_org_that_comes_up_meanwhile_is_not_taken_for_it(own, monkeypatch, lost):
    """Pipes attaches it: the contract's create does that under the handle of one of the org's."""
    own.manifest(HEAD + "          late: {plugin: net}\n")
    made = app.create_app

    def hasty(*args, **options):
        inner = made(*args, **options)

        def answer(environ, start_response):
            if (environ["REQUEST_METHOD"], environ["PATH_INFO"][-len(PATH) :]) == ("POST", PATH):
                client = own.client()  # of the server's own thread
                client.send("POST", "/org/acme/connection", {"handle": "late", "plugin": "net"})
                client.send("POST", "/org/acme/connection/late/permission", {"workspace_handle": "prod"})
            return inner(environ, start_response)

        return answer

    monkeypatch.setattr(app, "create_app", hasty)
    faults = [{"kind": "drop-after", "method": "POST", "path": f"^{PATH}$", "times": 1}] if lost else []
    with own.served(*faults):
        ran = own.apply()
    assert ran.status == 5
    assert "late" not in (own.lock_text() or "")
    assert live(own) == ({}, ["late", "shared"])
    assert own.planned().codes == ["handle-taken"]


# --- secrets, and what is lost on the way -----------------------------------------------------------------------------


def test_another_value_is_sent_where_the_fingerprint_tells_and_another_reference_without_a_key(own, monkeypatch):
    own.apply()
    first = digests(own)
    monkeypatch.setenv("OWN_SECRET", OTHER)
    assert "${env:OWN_SECRET} has another value than was sent last" in own.plan().out
    assert own.apply().status == 0
    assert digests(own) != first
    monkeypatch.delenv("RECONCILER_FINGERPRINT_KEY")
    assert "RECONCILER_FINGERPRINT_KEY is not set" in own.plan().out
    monkeypatch.setenv("NEW_SECRET", SECRET)
    own.manifest(HEAD + OWN.replace("OWN_SECRET", "NEW_SECRET"))
    assert own.planned().addresses == [NAME]
    assert own.apply().status == 0
    assert digests(own) == first
    assert own.plan("--detailed-exitcode").status == 0


def test_a_rotation_is_done_once_from_its_day_on(own, monkeypatch):
    own.apply()
    monkeypatch.delenv("RECONCILER_FINGERPRINT_KEY")
    monkeypatch.setenv("OWN_SECRET", OTHER)
    first = digests(own)
    own.manifest(HEAD + OWN + "            rotate: 2999-01-01\n")
    assert own.plan("--detailed-exitcode").status == 0
    own.manifest(HEAD + OWN + "            rotate: 2026-11-01\n")
    assert "as `rotate: 2026-11-01` states" in own.plan().out
    assert own.apply().status == 0
    assert digests(own) != first
    assert own.plan("--detailed-exitcode").status == 0


def test_a_secret_in_a_manifest_is_an_error_that_does_not_show_it(bench):
    bench.hidden.add("plain-to-see")
    bench.sources.add(bench.manifest(HEAD + "          x: {plugin: p, config: {db_password: plain-to-see}}\n"))
    ran = bench.run("validate")
    assert ran.status == 1
    assert "`config.db_password` of workspace connection acme/prod/x may be a secret" in ran.err


def test_a_saved_plan_and_a_missing_variable(own, monkeypatch):
    monkeypatch.delenv("OWN_SECRET")
    before = own.database()
    assert own.plan("-o", "plan.json").status == 0
    ran = own.run("apply", *own.local, "plan.json")
    assert ran.status == 1
    assert "the variable OWN_SECRET is not set" in ran.err
    assert own.database() == before
    monkeypatch.setenv("OWN_SECRET", SECRET)
    assert own.run("apply", *own.local, "plan.json").status == 0
    assert own.plan("--detailed-exitcode").status == 0


@pytest.mark.parametrize("kind", ["drop-after", "drop-before"])
def test_an_answer_that_is_lost_makes_nothing_twice(own, kind):
    with own.served({"kind": kind, "method": "POST", "path": f"^{PATH}$", "times": 1}) as seen:
        assert own.apply().status == 0
    posts = [one for one in seen if one[0] == "POST" and one[1].endswith(PATH)]
    assert len(posts) == (1 if kind == "drop-after" else 2)
    assert live(own)[0].keys() == {"aws_own"}
    assert own.plan("--detailed-exitcode").status == 0


@pytest.mark.parametrize("kind", ["drop-after", "drop-before"])
def test_a_lost_answer_to_new_secrets_or_to_a_deletion_is_made_good(own, monkeypatch, kind):
    own.apply()
    first = digests(own)
    monkeypatch.setenv("OWN_SECRET", OTHER)
    with own.served({"kind": kind, "method": "PATCH", "path": f"^{PATH}/aws_own$", "times": 1}):
        assert own.apply().status == 0
    assert digests(own) != first
    assert own.plan("--detailed-exitcode").status == 0
    own.manifest(HEAD + "          aws_own: {absent: true}\n")
    with own.served({"kind": kind, "method": "DELETE", "path": f"^{PATH}/aws_own$", "times": 1}):
        assert own.apply().status == 0
    assert live(own) == ({}, ["shared"])


def test_one_that_somebody_changes_meanwhile_is_left_as_they_made_it(own):
    own.apply()
    own.manifest(HEAD + OWN.replace("eu-west-1", "eu-west-2"))
    own.plan("-o", "plan.json")
    own.client().ok("PATCH", f"{PATH}/aws_own", {"config": {"regions": ["us-east-1"]}})
    ran = own.run("apply", *own.local, "plan.json")
    assert ran.status == 3
    assert live(own)[0]["aws_own"]["config"] == {"regions": ["us-east-1"]}


# --- the other commands -----------------------------------------------------------------------------------------------


def test_one_that_was_renamed_outside_is_recognised_and_followed(own):
    own.apply()
    own.client().ok("PATCH", f"{PATH}/aws_own", {"handle": "theirs", "config": {"regions": ["us-east-1"]}})
    assert own.planned().codes == ["rename"]
    drift = own.run("drift", *own.local, "--format", "json")
    assert drift.status == 2
    found = {(one["what"], one["address"]): one for one in drift.json["differences"]}
    assert found.keys() == {("renamed", NAME), ("changed", NAME)}
    assert found["renamed", NAME]["by"]["actor"] == "alice"
    own.client().ok("PATCH", f"{PATH}/theirs", {"config": {"regions": ["eu-west-1"]}})
    patch = own.run("drift", *own.local, "--fix-up").out
    assert "+          theirs:" in patch.splitlines()
    own.manifest((HEAD + OWN).replace("aws_own:", "theirs:"))
    assert own.plan("--detailed-exitcode").status == 0
    assert own.apply().status == 0
    assert "is unknown" not in own.plan().out  # what was sent is known under the new handle
    assert NAME not in own.lock_text()
    assert "workspace_connection.theirs" in own.lock_text()


def test_drift_tells_what_went_and_came_and_by_whom(own):
    text = HEAD.replace("dev: {members: {carol: operator}}", "dev: {connections: {aws_own: {plugin: gcp}}}")
    own.manifest(text + OWN)
    own.apply()
    client = own.client()
    client.ok("DELETE", f"{PATH}/aws_own")
    client.ok("POST", PATH, {"handle": "extra", "plugin": "net"})
    drift = own.run("drift", *own.local, "--unmanaged", "--format", "json")
    assert drift.status == 2
    assert [(one["what"], one["address"]) for one in drift.json["differences"]] == [("removed", NAME)]
    assert drift.json["differences"][0]["by"]["action"] == "workspace_connection.delete"
    assert {
        "type": "workspace_connection",
        "address": NAME.replace("aws_own", "extra"),
    } in drift.json["unmanaged"]
    client.ok("PATCH", "/org/acme/workspace/dev/connection/aws_own", {"config": {"a": 1}})
    own.manifest(text.replace("{plugin: gcp}", "{plugin: gcp, config: {a: 2}}") + OWN)
    drift = own.run("drift", *own.local, "--format", "json")
    by = {one["address"]: one["by"]["action"] for one in drift.json["differences"]}
    assert by[NAME] == "workspace_connection.delete"
    assert by["org.acme/workspace.dev/workspace_connection.aws_own"] == "workspace_connection.update"


def test_a_change_in_another_workspace_is_nobodys_doing_here(own):
    text = HEAD.replace(
        "dev: {members: {carol: operator}}", "dev: {connections: {aws_own: {plugin: gcp, config: {a: 1}}}}"
    )
    own.manifest(text + OWN)
    own.apply()
    own.client().ok("PATCH", f"{PATH}/aws_own", {"config": {"regions": ["us-east-1"]}})
    own.client().ok("PATCH", "/org/acme/workspace/dev/member/carol", {"role": "owner"})
    own.client("carol").ok("PATCH", "/org/acme/workspace/dev/connection/aws_own", {"config": {"a": 2}})
    drift = own.run("drift", *own.local, "--format", "json")
    assert {one["address"]: one["by"]["actor"] for one in drift.json["differences"]} == {
        NAME: "alice",
        NAME.replace("prod", "dev"): "carol",
    }


def test_access_tells_who_reaches_it_through_its_workspace(own):
    own.apply()
    for how in ([], ["--live", *own.local]):
        args = ("access", *how, "--connection", "acme/prod/aws_own", "--format", "json")
        ran = own.run(*args, "--org", "acme") if how else own.run(*args)
        assert ran.status == 0
        assert {(one["connection"], one["workspace"], one["person"]) for one in ran.json["connections"]} == {
            ("acme/prod/aws_own", "acme/prod", who) for who in ("alice", "bob")
        }
    assert "shared" not in own.run("access").out
    assert "acme/shared" in own.run("access", "--live", *own.local, "--org", "acme").out


@pytest.fixture
def review(bench):
    """What a review states of one text and another, by kind."""

    def compare(base, head):
        bench.manifest(base, "base/orgs.yaml")
        bench.manifest(head, "head/orgs.yaml")
        for form in ("text", "markdown", "html", "github", "junit"):
            assert bench.run("review", "base", "head", "--format", form).status == 0
        found = bench.run("review", "base", "head", "--format", "json").json["statements"]
        return {one["kind"]: one["text"] for one in found}

    return compare


def test_a_review_tells_who_reaches_one_and_what_is_deleted_renamed_or_forgotten(review):
    without = HEAD.replace("        connections:\n", "")
    assert review(without, HEAD + OWN) == {
        "attached": "lets acme/prod use the connection acme/prod/aws_own; people there: alice and bob",
        "reads": "makes apply read ${env:OWN_SECRET} and send it with the connection acme/prod/aws_own",
    }
    assert review(HEAD + OWN, HEAD + "          aws_own: {absent: true}\n") == {
        "absent": "deletes the connection acme/prod/aws_own: its secrets are lost"
    }
    assert review(HEAD + OWN, without) == {
        "left-alone": "no longer lists acme/prod/aws_own: it stays as it is, and is no longer managed"
    }
    assert review(HEAD + OWN, HEAD + OWN + "            rotate: 2026-11-01\n").keys() == {"rotate"}
    renamed = OWN.replace("aws_own:\n", "aws_new:\n            renamed_from: aws_own\n")
    assert review(HEAD + OWN, HEAD + renamed) == {
        "rename": "renames the connection aws_own to acme/prod/aws_new, and with it its schema"
    }
    moved = (HEAD + OWN).replace("      prod:\n", "      live:\n        renamed_from: prod\n")
    assert review(HEAD + OWN, moved).keys() == {"rename"}
    gone = (HEAD + OWN).partition("      prod:\n")[0] + "      prod: {absent: true}\n"
    assert review(HEAD + OWN, gone)["absent"] == (
        "deletes the workspace acme/prod and its database, including its own connections aws_own"
    )


def test_an_import_writes_them_and_a_plan_is_empty(own):
    own.apply()
    (own.folder / "orgs.yaml").unlink()
    (own.folder / "reconciler.lock.json").unlink()
    ran = own.run("import", *own.local, "acme")
    assert ran.status == 0
    assert f"{NAME}: config is written as far as Pipes shows it" in ran.err
    path = own.folder / "orgs" / "acme.yaml"
    written = yaml.safe_load(path.read_text())["orgs"]["acme"]
    assert written["workspaces"]["prod"]["connections"] == {
        "aws_own": {"plugin": "aws", "config": {"regions": ["eu-west-1"]}}
    }
    assert written["connections"].keys() == {"shared"}
    assert own.plan("orgs", "--detailed-exitcode").status == 0
    path.write_text(path.read_text().replace("eu-west-1", "eu-west-2"))
    assert own.planned("orgs").codes == ["secret-loss"]
    path.write_text(path.read_text().replace("eu-west-2", "eu-west-1"))
    echoed = {"handle": "extra", "plugin": "net", "config": {"api_key": "echoed-by-a-server-2Zq8"}}
    own.hidden.add("echoed-by-a-server-2Zq8")
    for space in ("prod", "dev"):
        own.client().ok("POST", f"/org/acme/workspace/{space}/connection", echoed)
    assert own.run("import", *own.local, "acme").status == 0
    written = yaml.safe_load(path.read_text())["orgs"]["acme"]["workspaces"]
    assert {space: one["connections"]["extra"]["config"] for space, one in written.items()} == {
        "prod": {"api_key": "${env:ACME_PROD_EXTRA_API_KEY}"},
        "dev": {"api_key": "${env:ACME_DEV_EXTRA_API_KEY}"},
    }
    assert "aws_own" in written["prod"]["connections"]
    assert own.plan("orgs", "--detailed-exitcode").status == 0


def test_lock_keeps_what_was_sent_and_drops_what_is_gone(own):
    own.apply()
    before = own.lock_text()
    assert '"from": "${env:OWN_SECRET}"' in before
    assert own.run("lock", *own.local).status == 0
    assert own.lock_text() == before
    own.manifest(HEAD + "          other: {plugin: net}\n")
    assert own.run("lock", *own.local).status == 0
    assert NAME in own.lock_text()  # it is live, and may be what `other` was called
    own.client().ok("DELETE", f"{PATH}/aws_own")
    assert own.run("lock", *own.local).status == 0
    assert NAME not in own.lock_text()


def test_lock_keeps_the_id_of_one_that_is_wanted_and_gone_and_a_namesake_is_refused(own):
    own.apply()
    own.client().ok("DELETE", f"{PATH}/aws_own")
    assert own.run("lock", *own.local).status == 0
    assert NAME in own.lock_text()
    own.client().ok("POST", PATH, {"handle": "aws_own", "plugin": "aws", "config": {"regions": ["eu-west-1"]}})
    assert own.planned().codes == ["rename"]
    drift = own.run("drift", *own.local, "--format", "json")
    assert [(one["what"], one["address"]) for one in drift.json["differences"]] == [("replaced", NAME)]


def test_an_import_gives_no_two_places_one_variable(own):
    own.manifest(HEAD + OWN.replace("OWN_SECRET", "ACME_PROD_EXTRA_API_KEY"), "orgs/acme.yaml")
    (own.folder / "orgs.yaml").unlink()
    own.client().ok("POST", PATH, {"handle": "aws_own", "plugin": "aws", "config": {"regions": ["eu-west-1"]}})
    own.client().ok("POST", PATH, {"handle": "extra", "plugin": "net", "config": {"api_key": "plain"}})
    assert own.run("import", *own.local, "acme").status == 0
    written = yaml.safe_load((own.folder / "orgs" / "acme.yaml").read_text())["orgs"]["acme"]["workspaces"]["prod"]
    assert written["connections"]["extra"]["config"] == {"api_key": "${env:ACME_PROD_EXTRA_API_KEY_2}"}


# --- kill -9 ----------------------------------------------------------------------------------------------------------

BEFORE = WORLD.replace(
    "attached: [shared]}",
    "attached: [shared], connections: {net: {plugin: net}, old: {plugin: net}, aws: {plugin: aws, config: {a: 1}}}}",
)
AFTER = """
orgs:
  acme:
    workspaces:
      prod:
        connections:
          net_new: {renamed_from: net, config: {a: 2}}
          old: {absent: true}
          aws: {config: {a: 3, secret_key: '${env:OWN_SECRET}'}}
      lab: {connections: {aws_own: {plugin: aws, config: {secret_key: '${env:OWN_SECRET}'}}}}
"""
WRITES = 6  # one workspace, one connection made in it, one changed, one renamed and changed, one deleted


@pytest.mark.parametrize("after", [False, True])
def test_wherever_an_apply_is_killed_the_next_one_finishes(own, after):
    own.manifest(AFTER)
    for at in range(1, WRITES + 1):
        own.pipes(BEFORE)
        for name in ("reconciler.lock.json", ".reconciler/journal.jsonl"):
            (own.folder / name).unlink(missing_ok=True)
        own.seal(KEY)
        with deadly(own, at, after=after) as (killer, host):
            process = own.start("apply", "--auto-approve", "--host", host)
            killer.pid = process.pid
            process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL, f"it was to be killed at write {at}"
        ran = own.apply()
        assert ran.status == 0, f"write {at}: {ran.out}{ran.err}"
        assert own.plan("--detailed-exitcode").status == 0
        mine, associated = live(own)
        assert {name: one["config"] for name, one in mine.items()} == {"net_new": {"a": 2}, "aws": {"a": 3}}
        assert associated == ["shared"]
        assert live(own, "lab")[0].keys() == {"aws_own"}
        assert json.loads(digests(own, "aws")).keys() == json.loads(digests(own)).keys() == {"secret_key"}
        made = [
            e["target_handle"]
            for e in own.client().all("/org/acme/audit_log")
            if "connection.create" in e["action_type"]
        ]
        assert made == ["aws_own"]
