"""`everywhere`: a connection or folder that every workspace of the organization may use, written in a manifest."""

from __future__ import annotations

import pytest

WORLD = """
users: {bob: {}, carol: {}}
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member}
    workspaces: {prod: {members: {bob: reader}, attached: [aws]}, dev: {members: {carol: operator}}}
    connection_folders: {cloud: {permitted: all}, inner: {folder: cloud, permitted: [dev]}}
    connections: {aws: {plugin: aws, permitted: all}, gcp: {plugin: gcp, permitted: [dev], folder: inner}}
"""
AWS, CLOUD = "org.acme/connection.aws", "org.acme/connection_folder.cloud"


@pytest.fixture
def imported(bench):
    bench.pipes(WORLD)
    assert bench.run("import", *bench.local, "acme").status == 0
    bench.file = bench.folder / "orgs" / "acme.yaml"
    return bench


def say(bench, old, new):
    text = bench.file.read_text()
    assert old in text
    bench.file.write_text(text.replace(old, new))


def permitted(bench):
    rows = bench.client().all("/org/acme/connection/aws/permission")
    return sorted(row["workspace"]["handle"] if "workspace" in row else "*" for row in rows)


def attached(bench):
    return [row["workspace_id"] for row in bench.client().all("/org/acme/connection/aws/workspace")]


def test_an_import_writes_it_and_a_plan_is_empty_and_warns_of_nothing(imported):
    assert imported.file.read_text().count("everywhere: true") == 2
    assert imported.run("validate").status == 0
    ran = imported.plan("--detailed-exitcode")
    assert (ran.status, "permitted in all" in ran.out + ran.err) == (0, False)
    assert imported.run("drift", *imported.local).status == 0
    assert imported.run("fmt", "--check").status == 0


@pytest.mark.parametrize("kind", [None, "drop-after", "drop-before"])
def test_it_is_taken_away_only_after_what_rests_on_it_has_a_permission_of_its_own(imported, kind):
    there = attached(imported)
    say(imported, "everywhere: true", "everywhere: false")
    assert set(imported.planned().addresses) == {
        f"{AWS}/permission.*",
        f"{AWS}/permission.prod",
        f"{CLOUD}/folder_permission.*",
    }
    faults = [{"kind": kind, "method": "DELETE", "path": "/permission/", "times": 1}] if kind else []
    with imported.served(*faults) as seen:
        assert imported.apply().status == 0
    assert [one[0] for one in seen if one[1].startswith("/org/acme/connection/aws/permission") and one[0] != "GET"][
        :2
    ] == [
        "POST",
        "DELETE",
    ]
    assert (permitted(imported), attached(imported)) == (["prod"], there)
    assert imported.plan("--detailed-exitcode").status == 0


@pytest.mark.parametrize("kind", [None, "drop-after", "drop-before"])
def test_it_is_given_before_what_needs_it(imported, kind):
    say(imported, "everywhere: true", "everywhere: false")
    assert imported.apply().status == 0
    say(imported, "workspaces: [prod]\n        everywhere: false", "workspaces: [prod, dev]\n        everywhere: true")
    assert set(imported.planned().addresses) == {f"{AWS}/permission.*", f"{AWS}/attachment.dev"}
    faults = [{"kind": kind, "method": "POST", "path": "/permission$", "times": 1}] if kind else []
    with imported.served(*faults) as seen:
        assert imported.apply().status == 0
    assert sum(one[0] == "POST" and one[1].endswith("aws/permission") for one in seen) == (
        2 if kind == "drop-before" else 1
    )
    assert (permitted(imported), len(attached(imported))) == (["*", "prod"], 2)
    assert imported.plan("--detailed-exitcode").status == 0


def test_left_out_it_is_left_alone_with_a_warning_that_says_what_to_write(imported):
    say(imported, "        everywhere: true\n", "")
    ran = imported.planned()
    assert (ran.status, ran.addresses) == (0, [f"{AWS}/permission.prod"])
    ran = imported.plan()
    assert (
        "write `everywhere: true` to keep that permission, or `everywhere: false` to take it away" in ran.out + ran.err
    )


def test_drift_and_review_say_it_in_words(imported):
    before = imported.file.read_text()
    say(imported, "everywhere: true", "everywhere: false")
    ran = imported.run("drift", *imported.local)
    assert ran.status == 2
    assert "every workspace of acme may use the connection acme/aws, but the manifests say everywhere: false" in ran.out
    assert "every workspace of acme may use whatever is in the folder acme/cloud, but" in ran.out
    assert imported.run("drift", "--fix-up", *imported.local).out.count("everywhere: true\n") == 2
    (imported.folder / "base").mkdir()
    (imported.folder / "base" / "acme.yaml").write_text(before)
    ran = imported.run("review", "base", "orgs")
    assert "no longer lets every workspace of acme use the connection acme/aws, only those listed" in ran.out
    ran = imported.run("review", "orgs", "base")
    assert "lets every workspace of acme use the folder acme/cloud, including later ones" in ran.out
    assert imported.apply().status == 0
    imported.file.write_text(before)
    ran = imported.run("drift", *imported.local)
    assert (
        "not every workspace of acme may use the connection acme/aws, but the manifests say everywhere: true" in ran.out
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("        workspaces: []\n", "", "connection folder cloud has `everywhere` without `workspaces`"),
        ("everywhere: true", "everywhere: acme", "`everywhere` is the text `acme`, but must be true or false"),
        ("everywhere: true", "everwhere: true", "`everwhere`"),
    ],
)
def test_what_makes_no_sense_is_an_error(imported, old, new, message):
    say(imported, old, new)
    ran = imported.run("validate")
    assert ran.status == 1
    assert message in ran.err


def test_a_fix_up_and_an_import_write_it_and_drift_says_nothing_of_what_apply_would_do(imported):
    before = imported.file.read_text()
    say(imported, "everywhere: true", "everywhere: false")
    say(imported, "[dev]", "[prod]")
    assert imported.apply().status == 0
    changed = imported.file.read_text()
    imported.file.write_text(before)
    ran = imported.run("drift", *imported.local)
    assert ran.status == 2
    for said in (
        "the workspace acme/dev may not use the connection folder acme/inner, but the manifests list it",
        "the workspace acme/prod may use the connection folder acme/inner, but no manifest lists it",
        "not every workspace of acme may use the connection acme/aws, but the manifests say everywhere: true",
    ):
        assert said in ran.out
    assert "no longer use" not in ran.out
    assert "may no longer use the folder inner" in imported.plan().out
    assert "not in the patch" not in imported.run("drift", *imported.local, "--fix-up").err
    ran = imported.run("import", *imported.local, "acme")
    assert (ran.status, imported.file.read_text()) == (0, changed), ran.err
