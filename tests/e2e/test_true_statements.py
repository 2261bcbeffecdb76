"""What reports say of people and connections is so: who loses what with a workspace, who did it, and what is not managed."""

from __future__ import annotations

import pytest

WORLD = """
users: {bob: {}, carol: {}, dave: {}}
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member, dave: owner}
    workspaces: {prod: {members: {bob: reader}}, dev: {members: {carol: operator}, attached: [aws]}}
    connection_folders: {cloud: {}}
    connections: {aws: {plugin: aws, permitted: [dev]}, gcp: {plugin: gcp, permitted: [dev]}}
"""
MEMBERS = "    members: {alice: owner, bob: member, carol: member, dave: owner}\n"
PROD = "      prod: {members: {bob: reader}}\n"
DEV = "      dev: {members: {carol: operator}}\n"


def acme(*lines):
    return "orgs:\n  acme:\n" + "".join(lines)


@pytest.fixture
def here(bench):
    bench.pipes(WORLD)
    return bench


def review(bench, base, head):
    bench.manifest(base, "base/orgs.yaml")
    bench.manifest(head, "head/orgs.yaml")
    ran = bench.run("review", "base", "head")
    assert ran.status == 0, ran.err
    return ran.out


# --- no longer managed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "head", "summary"),
    [
        (acme(MEMBERS, "    workspaces:\n", PROD), acme(MEMBERS, "    workspaces:\n      prod: {}\n"), "1 person is no longer managed."),
        (acme(MEMBERS), acme("    display_name: Acme\n"), "4 people are no longer managed."),
        (acme(MEMBERS, "    workspaces:\n      prod: {}\n"), acme(MEMBERS, "    workspaces:\n", PROD), "1 person is newly managed."),
    ],
)  # fmt: skip
def test_a_summary_is_a_sentence_where_members_are_merely_not_managed_on_one_side(bench, base, head, summary):
    assert review(bench, base, head).strip().splitlines()[-1].startswith(summary)


def test_nobody_leaves_an_org_whose_members_are_merely_no_longer_managed(bench):
    out = review(bench, acme(MEMBERS, "    workspaces:\n", PROD), acme("    workspaces:\n", PROD))
    assert "no longer in acme" not in out
    assert (
        "alice was listed as owner on acme/prod (the members of acme are no longer managed; was implicit as owner)"
        in out
    )
    out = review(bench, acme(MEMBERS, "    workspaces:\n", PROD), acme("    workspaces:\n      prod: {members: {}}\n"))
    assert "no longer in acme" not in out


# --- where connections are --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "folders", ["    connection_folders: {cloud: {}}\n", "    connection_folders: {cloud: {workspaces: []}}\n"]
)
def test_access_does_not_say_that_it_does_not_know_where_a_connection_is_which_it_lists(bench, folders):
    more = "    connections: {aws: {plugin: aws, workspaces: [dev]}, gcp: {plugin: gcp}, idle: {plugin: x, workspaces: [empty]}}\n"
    bench.manifest(acme(MEMBERS, "    workspaces:\n", PROD, DEV, "      empty: {members: {}}\n", folders, more))
    out = bench.run("access").out
    unknown = out.partition("Connections whose location is unknown:")[2].partition("\n\n")[0]
    assert unknown.split()[-1] == "acme/gcp"
    assert "acme/aws" not in unknown
    assert "acme/idle" not in unknown
    partly = out.partition("Connections that more workspaces may use:")[2].partition("\n\n")[0]
    assert "The manifests do not say in which folder they are" in partly
    assert [line.strip() for line in partly.strip().splitlines()[1:]] == ["acme/aws", "acme/idle"]


# --- who did it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("used", ["connection", "folder"])
def test_drift_names_who_gave_or_took_a_permission_by_hand(here, used, everywhere):
    by_dave = here.client("dave")
    if used == "folder":
        folder = by_dave.all("/org/acme/connection_folder")[0]["id"]
        path, said = (
            f"/org/acme/connection_folder/{folder}/permission",
            "connection_folders: {cloud: {workspaces: []%s}}",
        )
    else:
        path, said = "/org/acme/connection/gcp/permission", "connections: {gcp: {workspaces: []%s}}"
    here.manifest(acme(f"    {said % (', everywhere: false' if everywhere else '')}\n"))
    assert here.apply().status == 0
    body = {"identity_handle": "acme"} | ({} if everywhere else {"workspace_handle": "prod"})
    by_dave.ok("POST", path, body)
    (found,) = here.run("drift", *here.local, "--format", "json").json["differences"]
    assert (found["what"], found["by"]["actor"], found["by"]["certain"]) == ("added", "dave", True)
    assert found["by"]["action"].endswith("_permission.create")
    here.manifest(acme(f"    {said.replace('[]', '[prod]') % (', everywhere: true' if everywhere else '')}\n"))
    assert here.apply().status == 0
    for row in by_dave.all(path):
        by_dave.ok("DELETE", f"{path}/{row['id']}")
    found = here.run("drift", *here.local, "--format", "json").json["differences"]
    gone = [one for one in found if one["type"].endswith("permission")]
    assert {(one["what"], one["by"]["actor"], one["by"]["action"].rpartition(".")[2]) for one in gone} == {
        ("removed", "dave", "delete")
    }


def test_drift_names_who_attached_and_who_detached(here):
    by_dave = here.client("dave")
    here.manifest(acme("    connections: {aws: {workspaces: [dev]}, gcp: {workspaces: [dev]}}\n"))
    assert here.apply().status == 0
    by_dave.ok("DELETE", "/org/acme/workspace/dev/schema/aws")
    by_dave.ok("POST", "/org/acme/connection/gcp/permission", {"identity_handle": "acme", "workspace_handle": "prod"})
    by_dave.ok("POST", "/org/acme/workspace/prod/schema", {"connection_handle": "gcp"})
    found = here.run("drift", *here.local, "--format", "json").json["differences"]
    assert {
        (one["address"].partition("/")[2], one["what"], one["by"]["actor"], one["by"]["action"]) for one in found
    } == {
        ("connection.aws/attachment.dev", "removed", "dave", "workspace_schema.detach"),
        ("connection.gcp/attachment.prod", "added", "dave", "workspace_schema.attach"),
        ("connection.gcp/permission.prod", "added", "dave", "connection_permission.create"),
    }


# --- stated absent ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ["{absent: true}", "{role: member, expires: 2026-01-01}"])
def test_a_grant_that_falls_with_its_member_shows_the_line_of_the_member(here, entry):
    members = f"    members:\n      alice: owner\n      bob: member\n      dave: owner\n      carol: {entry}\n"
    here.manifest(acme(members, "    workspaces:\n", PROD, "      dev: {members: {}}\n"))
    line = 8
    plan = here.plan().out
    assert (
        f"grant.carol  role: operator  # {'absent: true' if 'absent' in entry else 'expired'}, orgs.yaml:{line}" in plan
    )
    lost = {one["object"]: one["why"] for one in here.planned().json["impact"] if one["person"] == "carol"}
    assert lost["acme/dev"] == "no longer in acme"
    found = here.run("drift", *here.local, "--format", "json").json["differences"]
    assert {one["source"]["line"] for one in found} == {line}
    assert "The grant goes with the membership in acme." in here.run("drift", *here.local).out.replace(
        "the grant", "The grant"
    )


def test_a_grant_that_is_itself_stated_absent_shows_its_own_line(here):
    here.manifest(acme(MEMBERS, "    workspaces:\n", "      prod: {members: {bob: {absent: true}}}\n"))
    (found,) = here.run("drift", *here.local, "--format", "json").json["differences"]
    assert (found["source"]["line"], found["note"]) == (6, "")
    assert "bob loses reader on acme/prod (stated absent)" in here.plan("-v").out


# --- a workspace that goes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "connections", ["", "    connections: {aws: {}}\n", "    connections: {aws: {workspaces: []}}\n"]
)
def test_a_plan_names_who_loses_what_is_attached_to_a_workspace_that_is_deleted(here, connections):
    here.manifest(acme(MEMBERS, "    workspaces:\n", PROD, "      dev: {absent: true}\n", connections))
    plan = here.plan().out
    for person in ("alice", "carol", "dave"):
        assert f"{person} loses the connection acme/aws (acme/dev is deleted" in plan
    assert "bob loses" not in plan
    assert "acme/gcp" not in plan.partition("Not managed")[0], "it was permitted there, and not attached"
    assert ("through other workspaces as well was not read" in plan) == (": []" not in connections)


@pytest.mark.parametrize(
    "connections",
    ["", "    connections: {aws: {plugin: aws}}\n", "    connections: {aws: {plugin: aws, workspaces: [prod, dev]}}\n",
     "    connections: {aws: {plugin: aws, workspaces: [prod]}}\n", "    connections: {aws: {workspaces: []}}\n"],
)  # fmt: skip
def test_a_review_names_who_loses_what_is_attached_to_a_workspace_that_is_deleted(bench, connections):
    used = "    connections: {aws: {plugin: aws, workspaces: [prod, dev]}, gcp: {plugin: gcp, workspaces: [prod]}}\n"
    out = review(
        bench,
        acme(MEMBERS, "    workspaces:\n", PROD, DEV, used),
        acme(MEMBERS, "    workspaces:\n", PROD, "      dev: {absent: true}\n", connections),
    )
    assert out.count("takes the connection acme/aws away from acme/dev; people there: alice, carol and dave") == 1
    assert "acme/gcp away" not in out
