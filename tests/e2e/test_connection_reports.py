"""Connections in the commands that only tell: drift, review, access and import."""

from __future__ import annotations

import html
import json
import re
import subprocess

import pytest
import yaml

WORLD = """
users: {bob: {}, carol: {}}
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member}
    workspaces:
      prod: {members: {bob: reader}, attached: [aws_prod]}
      dev: {members: {carol: operator}}
    connections:
      aws_prod: {plugin: aws, config: {regions: [eu-west-1], secret_key: kept-by-nobody}, permitted: [prod]}
      gcp_old: {plugin: gcp, permitted: [dev]}
"""
HEAD = """version: 1
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member}
    workspaces: {prod: {members: {bob: reader}}, dev: {members: {carol: operator}}}
    connections:
      aws_prod:
        plugin: aws
        config: {regions: [eu-west-1], secret_key: '${env:AWS_SECRET}'}
        workspaces: [prod]
"""
NAME = "org.acme/connection.aws_prod"


@pytest.fixture
def here(bench):
    bench.hidden.add("kept-by-nobody")
    bench.pipes(WORLD)
    bench.manifest(HEAD)
    return bench


# --- access -----------------------------------------------------------------------------------------------------------


def through(ran):
    return [(one["connection"], one["workspace"], one["person"], one["role"]) for one in ran.json["connections"]]


@pytest.mark.parametrize("live", [False, True])
def test_access_tells_who_reaches_a_cloud_account_through_which_workspace(here, live):
    options = ["--live", *here.local] if live else []
    ran = here.run("access", *options, "--connection", "acme/aws_prod", "--format", "json")
    assert through(ran) == [
        ("acme/aws_prod", "acme/prod", "alice", "owner"),
        ("acme/aws_prod", "acme/prod", "bob", "reader"),
    ]
    assert {one["object"] for one in ran.json["access"]} == {"acme/prod"}
    for form in ("text", "markdown", "html", "csv"):
        assert here.run("access", *options, "--format", form).status == 0
    assert "aws_prod" in here.run("access", *options).out


def test_attaching_and_detaching_change_who_reaches_the_account(here):
    here.manifest(HEAD.replace("[prod]", "[prod, dev]"))
    ran = here.run("access", "--format", "json")
    assert ("acme/aws_prod", "acme/dev", "carol", "operator") in through(ran)
    here.manifest(HEAD.replace("[prod]", "[]"))
    assert through(here.run("access", "--format", "json")) == []


def test_access_says_of_which_connections_it_does_not_know_where_they_are(here):
    here.manifest(HEAD.replace("        workspaces: [prod]\n", ""))
    ran = here.run("access", "--format", "json")
    assert ran.json["connections_open"] == ["acme/aws_prod"]
    assert "acme/aws_prod" in here.run("access").out
    ran = here.run("access", "--connection", "acme/aws_prd")
    assert ran.status == 1
    assert "did you mean `acme/aws_prod`?" in ran.err


# --- plan -------------------------------------------------------------------------------------------------------------

LOSES = "bob loses the connection acme/aws_prod (detached from acme/prod)"


@pytest.mark.parametrize("form", ["text", "markdown", "junit"])
def test_a_plan_says_who_loses_an_account_with_a_detach_in_each_form(here, form):
    here.manifest(HEAD.replace("[prod]", "[dev]"))
    plain = re.sub(r"<[^>]*>|[`\\]", "", html.unescape(here.plan("--format", form).out))
    assert LOSES in plain
    assert "carol gains the connection acme/aws_prod (through acme/dev)" in plain
    assert "alice loses" not in plain  # she owns the org, and still reaches it in dev


def test_a_plan_as_a_page_has_a_row_for_who_loses_an_account(here):
    here.manifest(HEAD.replace("[prod]", "[dev]"))
    page = re.sub(r"<[^>]*>", " ", here.plan("--format", "html").out).split()
    row = "- bob acme/aws_prod reached none detached from acme/prod"
    assert row in " ".join(page)


def test_a_saved_plan_keeps_who_loses_an_account(here):
    here.manifest(HEAD.replace("[prod]", "[]"))
    assert here.plan("-o", "plan.json").status == 0
    assert LOSES in here.run("show", "plan.json").out
    effects = here.run("show", "plan.json", "--format", "json").json["impact"]
    assert {(e["person"], e["object"], e["before"], e["after"]) for e in effects} == {
        (who, "acme/connection.aws_prod", "reached", None) for who in ("alice", "bob")
    }


def test_a_plan_says_who_loses_an_account_that_is_deleted(here):
    here.manifest(HEAD.partition("        plugin")[0].replace("aws_prod:", "aws_prod: {absent: true}"))
    assert "bob loses the connection acme/aws_prod (the connection is deleted)" in here.plan().out


def test_losing_accounts_is_told_and_is_no_mass_removal(bench):
    people = {f"p{n}": "member" for n in range(20)}
    grants = dict.fromkeys(people, "reader")
    org = {"members": {"alice": "owner", **people}, "workspaces": {"prod": {"members": grants}}}
    links = {"aws": {"plugin": "aws", "permitted": ["prod"]}}
    live = {**org, "workspaces": {"prod": {"members": grants, "attached": ["aws"]}}, "connections": links}
    bench.pipes({"users": {name: {} for name in people}, "orgs": {"acme": live}})
    wanted = {**org, "connections": {"aws": {"workspaces": []}}}
    bench.manifest(json.dumps({"version": 1, "orgs": {"acme": wanted}}))
    ran = bench.planned()
    assert ran.codes == []
    assert len(ran.json["impact"]) == 21


# --- drift ------------------------------------------------------------------------------------------------------------


def differing(ran):
    return {(one["what"], one["address"], one["attribute"]) for one in ran.json["differences"]}


def test_a_secret_that_pipes_does_not_tell_is_no_drift(here):
    assert here.run("drift", *here.local).status == 0


def test_drift_tells_what_was_changed_of_a_connection_outside_and_by_whom(here):
    client = here.client()
    client.ok("PATCH", "/org/acme/connection/aws_prod", {"config": {"regions": ["us-east-1"]}})
    client.ok("DELETE", "/org/acme/workspace/prod/schema/aws_prod")
    ran = here.run("drift", *here.local, "--format", "json")
    assert ran.status == 2
    assert ("changed", NAME, "config") in differing(ran)
    assert ("removed", f"{NAME}/attachment.prod", None) in differing(ran)
    ran = here.run("drift", *here.local)
    assert "config of acme/aws_prod is" in ran.out
    assert "alice" in ran.out


def test_drift_tells_a_connection_that_was_renamed_outside(here):
    here.run("lock", *here.local)
    here.client().ok("PATCH", "/org/acme/connection/aws_prod", {"handle": "aws_live"})
    ran = here.run("drift", *here.local, "--format", "json")
    assert ("renamed", NAME, None) in differing(ran)
    assert here.planned().codes == ["rename"]


def test_connections_that_nobody_manages_are_listed(here):
    ran = here.run("drift", *here.local, "--unmanaged", "--format", "json")
    assert "org.acme/connection.gcp_old" in {one["address"] for one in ran.json["unmanaged"]}


# --- review -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def review(bench):
    """Compare one text with another, as two folders."""

    def compare(base, head, form="json"):
        bench.manifest(base, "base/orgs.yaml")
        bench.manifest(head, "head/orgs.yaml")
        return bench.run("review", "base", "head", "--format", form)

    return compare


def stated(ran):
    return {one["kind"]: one["text"] for one in ran.json["statements"]}


def test_a_review_tells_who_reaches_an_account_from_now_on_and_who_no_longer(review):
    ran = review(HEAD, HEAD.replace("[prod]", "[dev]"))
    assert stated(ran) == {
        "attached": "lets acme/dev use the connection acme/aws_prod; people there: alice and carol",
        "detached": "takes the connection acme/aws_prod away from acme/prod; people there: alice and bob",
    }


def test_a_review_tells_which_secrets_are_read_and_what_is_deleted_renamed_or_forgotten(review):
    fresh = review(HEAD.replace("${env:AWS_SECRET}", "${env:OLD}"), HEAD)
    assert stated(fresh) == {
        "reads": "makes apply read ${env:AWS_SECRET} and send it with the connection acme/aws_prod"
    }
    gone = HEAD.partition("      aws_prod:")[0] + "      aws_prod: {absent: true}\n"
    assert stated(review(HEAD, gone))["absent"].startswith("deletes the connection acme/aws_prod")
    renamed = HEAD.replace("aws_prod:", "aws_live:\n        renamed_from: aws_prod")
    assert stated(review(HEAD, renamed)).keys() == {"rename"}
    assert stated(review(HEAD, HEAD.partition("    connections:")[0])).keys() == {"left-alone"}
    assert stated(review(HEAD, HEAD + "        rotate: 2026-11-01\n")).keys() == {"rotate"}


def test_a_review_of_a_renamed_workspace_is_no_attaching(review):
    head = HEAD.replace("prod: {members", "live: {renamed_from: prod, members").replace("[prod]", "[live]")
    assert stated(review(HEAD, head)).keys() == {"rename"}


@pytest.mark.parametrize("form", ["text", "markdown", "html", "github", "junit"])
def test_a_review_has_the_changes_of_connections_in_each_form(review, form):
    ran = review(HEAD, HEAD.replace("eu-west-1", "eu-west-2").replace("[prod]", "[dev]"), form)
    assert ran.status == 0
    assert "aws_prod" in ran.out


# --- import -----------------------------------------------------------------------------------------------------------


def test_an_import_leaves_out_where_a_connection_is_where_that_is_not_one_list(here):
    (here.folder / "orgs.yaml").unlink()
    ran = here.run("import", *here.local, "acme")
    assert ran.status == 0
    assert "org.acme/connection.gcp_old: its permissions and its attachments are not for the same workspaces" in ran.err
    assert here.plan("orgs", "--detailed-exitcode").status == 0


def test_an_import_adds_the_connections_that_no_manifest_has(here):
    here.manifest(HEAD.replace("version: 1\n", "version: 1\n# ours\n"), "orgs/acme.yaml")
    (here.folder / "orgs.yaml").unlink()
    ran = here.run("import", *here.local, "acme")
    assert ran.status == 0
    text = (here.folder / "orgs" / "acme.yaml").read_text()
    assert "# ours" in text
    assert "gcp_old" in text
    assert here.plan("orgs", "--detailed-exitcode").status == 0


# --- fix-ups ----------------------------------------------------------------------------------------------------------


def test_a_fix_up_makes_official_what_it_can_and_says_what_it_cannot(here):
    client = here.client()
    client.ok("DELETE", "/org/acme/workspace/prod/schema/aws_prod")
    client.ok("PATCH", "/org/acme/connection/aws_prod", {"config": {"regions": ["us-east-1"]}})
    said = "the connection acme/aws_prod is not attached to acme/prod, but the manifests list it"
    assert said in here.run("drift", *here.local).out
    ran = here.run("drift", *here.local, "--fix-up")
    assert ran.status == 2
    assert "+" not in ran.out  # no patch drops the references that stand there
    assert f"{NAME} (config): Pipes gives no secrets back" in ran.err
    assert (
        f"{NAME}/attachment.prod: a handle in `workspaces:` means permission and attachment, and only the attachment"
        in (ran.err)
    )


LISTS = {
    "flow": "        workspaces: %s\n",
    "flow of many lines": "        workspaces: [\n          %s,  # ours\n        ]\n",
    "block": "        workspaces:\n%s",
    "block with comments": "        workspaces:  # where it may be used\n%s        # the end\n",
}


def listed(form, spaces):
    """The manifest with the list in some layout; the file ends in it, or goes on behind it."""
    if form == "flow" or not spaces:
        text = LISTS["flow"] % f"[{', '.join(spaces)}]"
    elif form.startswith("flow"):
        text = LISTS[form] % ", ".join(spaces)
    else:
        text = LISTS[form] % "".join(f"          - {one}  # {one} is ours\n" for one in spaces)
    return HEAD.replace("        workspaces: [prod]\n", text) + "      gcp_old: {plugin: gcp, config: {}}\n"


@pytest.mark.parametrize("form", LISTS)
@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        (["prod"], []),
        (["prod"], ["dev"]),
        ([], ["dev"]),
        (["prod", "dev"], ["prod"]),
        (["prod", "dev"], ["dev"]),
        (["prod", "dev"], []),
        (["prod"], ["dev", "prod"]),
        (["dev", "prod"], ["prod", "lab"]),
        (["lab", "dev", "prod"], ["dev"]),
    ],
)
def test_a_fix_up_strikes_and_writes_handles_of_a_list_in_any_layout(here, form, wanted, there):
    client = here.client()
    client.ok("POST", "/org/acme/workspace", {"handle": "lab", "instance_type": "db1.shared"})
    for space in {"prod"} - set(there):
        client.ok("DELETE", f"/org/acme/workspace/{space}/schema/aws_prod")
        permission = next(iter(client.all("/org/acme/connection/aws_prod/permission")))["id"]
        client.ok("DELETE", f"/org/acme/connection/aws_prod/permission/{permission}")
    for space in set(there) - {"prod"}:
        client.ok("POST", "/org/acme/connection/aws_prod/permission", {"workspace_handle": space})
        client.ok("POST", f"/org/acme/workspace/{space}/schema", {"connection_handle": "aws_prod"})
    text = listed(form, wanted).replace("dev: {", "lab: {members: {}}, dev: {")
    here.manifest(text)
    ran = here.run("drift", *here.local, "--fix-up")
    assert ran.status == 2
    (here.folder / "fix.patch").write_text(ran.out)
    subprocess.run(["git", "apply", "fix.patch"], cwd=here.folder, check=True)
    after = (here.folder / "orgs.yaml").read_text()
    read = yaml.safe_load(after)["orgs"]["acme"]["connections"]["aws_prod"]["workspaces"]
    assert sorted(read) == sorted(there)
    assert here.run("drift", *here.local).status == 0
    kept = [one for one in wanted if one in there and form.startswith("block")]
    assert all(f"- {one}  # {one} is ours" in after for one in kept)
    touched = [line for line in text.splitlines() if not re.search("workspaces:$|workspaces: |prod|dev|lab", line)]
    assert [line for line in touched if line not in after.splitlines()] == []


def test_a_fix_up_writes_a_list_of_a_json_manifest_as_json(here):
    client = here.client()
    client.ok("POST", "/org/acme/connection/aws_prod/permission", {"workspace_handle": "dev"})
    client.ok("POST", "/org/acme/workspace/dev/schema", {"connection_handle": "aws_prod"})
    for spaces in ([], ["prod"]):
        if not spaces:
            wanted = yaml.safe_load(HEAD)
        wanted["orgs"]["acme"]["connections"]["aws_prod"]["workspaces"] = spaces
        here.manifest(json.dumps(wanted))
        ran = here.run("drift", *here.local, "--fix-up")
        (here.folder / "fix.patch").write_text(ran.out)
        subprocess.run(["git", "apply", "fix.patch"], cwd=here.folder, check=True)
        read = json.loads((here.folder / "orgs.yaml").read_text())
        assert sorted(read["orgs"]["acme"]["connections"]["aws_prod"]["workspaces"]) == ["dev", "prod"]


def test_an_import_takes_over_what_a_list_has_more_or_less(here):
    client = here.client()
    client.ok("POST", "/org/acme/connection/aws_prod/permission", {"workspace_handle": "dev"})
    client.ok("POST", "/org/acme/workspace/dev/schema", {"connection_handle": "aws_prod"})
    assert here.run("import", *here.local, "acme").status == 0
    assert "workspaces: [prod, dev]" in (here.folder / "orgs.yaml").read_text()
    assert here.plan("--detailed-exitcode").status == 0


def test_an_import_over_what_differs_in_a_list_writes_nothing_wrong(here):
    here.manifest(HEAD, "orgs/acme.yaml")
    (here.folder / "orgs.yaml").unlink()
    here.client().ok("DELETE", "/org/acme/workspace/prod/schema/aws_prod")
    ran = here.run("import", *here.local, "acme")
    assert ran.status == 1
    assert "attachment.prod differs, but cannot be written" in ran.err
