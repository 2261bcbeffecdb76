"""`import`: a live org becomes manifests that a person could have written, and manifests that are there are kept."""

from __future__ import annotations

import json

import pytest

from drift.deeds import ONE_TIME
from drift.scene import BLOCK, LAYOUTS, WORLD
from e2e.bench import LOCK
from reconciler.editing.in_place import File
from reconciler.importing import write

ACME = """
users: {"no": {}, "123": {}, "1e3": {}, "y": {}}
orgs:
  acme:
    display_name: "Acme: the #1"
    url: https://acme.example
    token_min_issued_at: 2026-01-01T00:00:00Z
    members:
      bob: owner
      alice: owner
      "no": member
      "123": member
      "1e3": member
      "y": {role: owner, status: invited}
      zoe: {role: member, status: invited}
    workspaces:
      stage: {instance_type: db1.shared, desired_state: disabled, db_volume_size_bytes: 5, members: {}}
      prod:
        instance_type: db1.small
        desired_state: enabled
        db_volume_size_bytes: 21474836480
        search_path_prefix: [aws, "on"]
        members: {zoe: owner, "no": operator, bob: reader}
  beta: {members: {alice: owner, carol: member}}
"""
WRITTEN = """\
# yaml-language-server: $schema=../schemas/manifest.schema.json
version: 1

orgs:
  acme:
    display_name: "Acme: the #1"
    url: https://acme.example
    members:
      "123": member
      "1e3": member
      alice: owner
      bob: owner
      "no": member
      "y": owner
      zoe: member
    workspaces:
      prod:
        instance_type: db1.small
        desired_state: enabled
        db_volume_size_bytes: 21474836480
        search_path_prefix: [aws, "on"]
        members:
          "no": operator
          zoe: owner
      stage:
        instance_type: db1.shared
        desired_state: disabled
        db_volume_size_bytes: 5
        members: {}
"""


def imported(bench, *args, status=0):
    ran = bench.run("import", *bench.local, *args)
    assert ran.status == status, ran.err
    return ran


def in_sync(bench, *args):
    ran = bench.plan("--detailed-exitcode", *args)
    assert ran.status == 0, ran.out + ran.err


def refused(scene, *args, status):
    """Run an import that must end so, and leave every file and Pipes as they are; what it said."""
    files = {path: path.read_bytes() for path in scene.folder.rglob("*") if path.is_file() and path != scene.db}
    before = scene.database()
    ran = imported(scene, *args, status=status)
    after = {path: path.read_bytes() for path in scene.folder.rglob("*") if path.is_file() and path != scene.db}
    assert (after, scene.database(), ran.out) == (files, before, "")
    return ran.err


# --- a first import ---------------------------------------------------------------------------------------------------


def test_a_first_import_writes_what_a_person_would_have_written_and_plans_nothing(bench):
    bench.pipes(ACME)
    before = bench.database()
    ran = imported(bench, "acme")
    assert ran.out.partition("\nNext:\n")[0].splitlines() == [
        "orgs/acme.yaml: written.",
        "schemas/manifest.schema.json: written.",
        f"orgs/{LOCK}: written.",
    ]
    assert (bench.folder / "orgs/acme.yaml").read_text() == WRITTEN
    assert bench.database() == before
    in_sync(bench)
    names = bench.names()
    lock = json.loads((bench.folder / "orgs" / LOCK).read_text())["entries"]
    assert {address: names[entry["id"]] for address, entry in lock.items()} == {
        "org.acme": "org acme", "org.acme/workspace.prod": "workspace acme/prod",
        "org.acme/workspace.stage": "workspace acme/stage",
        **{f"org.acme/member.{who}": f"user {who}" for who in ("123", "1e3", "alice", "bob", "no", "y", "zoe")},
    }  # fmt: skip


def test_a_second_import_of_the_same_changes_no_file(bench):
    bench.pipes(ACME)
    imported(bench, "acme")
    before = {path: path.stat().st_mtime_ns for path in (bench.folder / "orgs").iterdir()}
    assert imported(bench, "acme").out == "Nothing to change: the manifests match Pipes.\n"
    assert {path: path.stat().st_mtime_ns for path in (bench.folder / "orgs").iterdir()} == before


def test_a_reset_of_authentication_is_told_and_not_written(bench):
    bench.pipes(ACME)
    assert "token_min_issued_at is an action, not a setting, and is not written" in imported(bench, "acme").err
    assert "token_min_issued_at" not in (bench.folder / "orgs/acme.yaml").read_text()


def test_thresholds_are_written(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner}}}")
    bench.client().ok("PATCH", "/org/acme", {"usage_user_threshold": 0, "usage_user_action": "warn"})
    imported(bench, "acme")
    assert "    usage_user_threshold: 0\n    usage_user_action: warn\n" in (bench.folder / "orgs/acme.yaml").read_text()
    in_sync(bench)


@pytest.mark.parametrize(
    ("args", "files"),
    [
        pytest.param((), ["orgs/acme.yaml", "orgs/beta.yaml"], id="by default a file an org"),
        pytest.param(("--split",), ["orgs/acme.yaml", "orgs/beta.yaml"], id="split by default"),
        pytest.param(("--out", "all.yaml"), ["all.yaml"], id="one file"),
        pytest.param(("--out", "a/b.yml"), ["a/b.yml"], id="a file in a folder that is made"),
        pytest.param(("--out", "of-us", "--split"), ["of-us/acme.yaml", "of-us/beta.yaml"], id="a folder that is made"),
    ],
)
def test_where_it_is_written_is_where_plan_reads_it(bench, args, files):
    bench.pipes(ACME)
    imported(bench, "beta", "acme", *args)
    found = sorted(path.relative_to(bench.folder).as_posix() for path in bench.folder.rglob("*.y*ml"))
    assert found == files
    in_sync(bench, *(args[1:2] if "--out" in args else ()))


def test_without_out_a_file_that_commands_read_first_is_written_to(bench):
    bench.pipes(ACME)
    bench.manifest("# ours\norgs:\n    beta: {members: {alice: owner, carol: member}}   # a second one\n")
    imported(bench, "acme")
    text = (bench.folder / "orgs.yaml").read_text()
    assert text.startswith("version: 1\n# ours\norgs:\n    beta: {members: {alice: owner, carol: member}}   # a second")
    assert "\n    acme:\n      display_name:" in text
    in_sync(bench)
    assert not (bench.folder / "orgs").exists()


@pytest.mark.parametrize(
    ("args", "fact"),
    [
        pytest.param(("--out", "orgs"), "named *.yaml or *.yml", id="neither a manifest's name nor a folder"),
        pytest.param(("--split", "--out", "orgs.yaml"), "is a file", id="split into a file"),
        pytest.param(("--split",), "commands without a PATH read only that", id="split beside a file"),
    ],
)
def test_a_place_where_plan_would_not_read_it_is_refused(bench, args, fact):
    bench.pipes(ACME)
    bench.manifest("teams: {sre: [bob]}")
    assert fact in refused(bench, "acme", *args, status=1)


def test_people_get_the_names_that_the_manifests_use(bench):
    bench.pipes(ACME)
    bench.manifest("people: {robert: {handle: bob}, zoe: {handle: zoe}}")
    imported(bench, "acme")
    assert "robert: owner" in (bench.folder / "orgs.yaml").read_text()
    in_sync(bench)


def test_a_handle_that_people_use_for_somebody_else_is_not_taken_for_them(bench):
    bench.pipes(ACME)
    bench.manifest("people: {bob: {handle: zoe}}")
    assert "uses that name for somebody else" in refused(bench, "acme", status=1)


def test_members_through_the_tenant_are_not_written(bench):
    bench.pipes(
        "tenant: {handle: acme-tenant, members: {alice: owner, bob: owner, carol: member}}\n"
        "orgs: {acme: {members: {alice: owner, carol: member}, workspaces: {prod: {members: {carol: reader}}}}}"
    )
    imported(bench, "acme")
    assert "bob" not in (bench.folder / "orgs/acme.yaml").read_text()
    in_sync(bench)


def test_an_org_that_only_the_tenant_owns_gets_no_members_section(bench):
    bench.pipes(
        "tenant: {handle: acme-tenant, members: {alice: owner, carol: member}}\n"
        "orgs: {acme: {members: {carol: member}, workspaces: {prod: {members: {carol: reader}}}}}"
    )
    assert "its members are left out" in imported(bench, "acme").err
    in_sync(bench)


def test_a_value_that_no_manifest_can_hold_is_left_out_and_told(bench):
    bench.pipes(
        "orgs: {acme: {url: https://acme.example, members: {alice: owner}, workspaces:"
        " {prod: {desired_state: disabled, search_path_prefix: ['']}}}}"
    )
    assert "search_path_prefix of acme/prod is not written and not managed" in imported(bench, "acme").err
    text = (bench.folder / "orgs/acme.yaml").read_text()
    assert "search_path_prefix" not in text
    assert "    url: https://acme.example\n" in text
    assert "        desired_state: disabled\n" in text
    in_sync(bench)


# --- what is not imported ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handle", "fact"),
    [
        pytest.param("acm", "did you mean `acme`?", id="a slip"),
        pytest.param("bob", "is a user", id="a user"),
        pytest.param("secret", "alice, the user of this token, may not read org", id="somebody else's"),
    ],
)
def test_an_org_that_pipes_does_not_show_is_refused_and_the_others_are_not_written(bench, handle, fact):
    bench.pipes(ACME + "  secret: {members: {bob: owner}}\n")
    assert fact in refused(bench, "acme", handle, status=4)


def test_an_org_that_the_tokens_user_does_not_own_is_refused(bench):
    bench.pipes(ACME + "  theirs: {members: {bob: owner, alice: member}, workspaces: {prod: {}}}\n")
    assert "does not own theirs" in refused(bench, "theirs", status=4)


def test_a_lock_file_that_knows_another_org_of_that_name_is_refused(bench):
    bench.pipes(ACME)
    (bench.folder / "orgs").mkdir()
    bench.lock(**{"org.acme": "org beta"})
    (bench.folder / LOCK).rename(bench.folder / "orgs" / LOCK)
    assert "rename: org.acme" in refused(bench, "acme", status=3)


@pytest.mark.parametrize("address", ["org.acme/member.zoe", "org.acme/workspace.prod"])
def test_an_object_that_the_lock_file_knows_as_another_one_is_refused_while_merging_too(bench, address):
    bench.pipes(ACME)
    imported(bench, "acme")
    bench.lock(**{"org.acme": "org acme", address: "one that is gone"})
    (bench.folder / LOCK).rename(bench.folder / "orgs" / LOCK)
    assert f"{address} differs, but cannot be written: it is another object" in refused(bench, "acme", status=3)


def test_manifests_with_errors_are_not_merged_into(bench):
    bench.pipes(ACME)
    bench.manifest("orgs: {acme: {membres: {alice: owner}}}")
    assert "did you mean `members`" in refused(bench, "acme", status=1)


# --- into manifests that are there --------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("deed", ONE_TIME.values(), ids=ONE_TIME)
def test_what_changed_outside_is_taken_over_and_the_rest_of_the_files_stays(scene, deed, layout):
    scene.in_sync(layout)
    place = "orgs" if "orgs.yaml" not in layout else "orgs.yaml"
    imported(scene, "acme", "--out", place)  # the workspace that no manifest covers
    before = scene.manifests()
    deed.do(scene)
    imported(scene, "acme", "--out", place)
    in_sync(scene)
    assert scene.drift().status == 0
    after = scene.manifests()
    assert after != before
    kept = {line for text in after.values() for line in text.splitlines()}
    gone = [line for text in before.values() for line in text.splitlines() if line not in kept]
    # a workspace goes with all its lines, a renamed org is named in four files; else the lines that said otherwise
    assert len(gone) <= (9 if deed.address.startswith("org.acme/workspace") and deed.what == "removed" else 4)
    assert imported(scene, "acme", "--out", place).out == "Nothing to change: the manifests match Pipes.\n"


def test_a_workspace_that_no_manifest_covers_is_added_below_the_others(scene):
    scene.in_sync()
    imported(scene, "acme")
    added = (
        "      spare:\n        instance_type: db1.shared\n        desired_state: enabled\n"
        "        db_volume_size_bytes: 10737418240\n        members: {}\n"
    )
    assert scene.manifests()["orgs.yaml"] == BLOCK["orgs.yaml"] + added
    in_sync(scene)


def test_members_that_the_manifests_leave_alone_are_left_alone(scene):
    scene.pipes(WORLD)
    text = "version: 1\norgs:\n  acme:\n    display_name: Acne  # as the lawyers have it\n"
    scene.manifest(text)
    assert "the manifests do not manage its members" in imported(scene, "acme").err
    found = scene.manifests()["orgs.yaml"]
    assert found.startswith(text.replace("Acne", "Acme") + "    workspaces:\n      prod:\n")
    in_sync(scene)


def test_what_cannot_be_written_is_said_and_every_file_is_left_as_it_is(scene):
    scene.pipes("orgs: {acme: {display_name: New, members: {alice: owner, bob: member}}}")
    scene.manifest(
        "orgs:\n  acme:\n    display_name: Old\n    members:\n      alice: owner\n"
        "      bob: {role: member, expires: 2026-01-01}\n"
    )
    assert "org.acme/member.bob differs, but cannot be written: its day has come" in refused(scene, "acme", status=1)


def test_an_org_that_was_renamed_outside_is_found_under_either_name(scene):
    for name in ("acme", "acme-corp"):
        place = scene.elsewhere(name)
        place.in_sync()
        place.client("bob").ok("PATCH", "/org/acme", {"handle": "acme-corp"})
        imported(place, name)
        assert (
            "\n  acme-corp:\n    display_name: Acme       # as the lawyers have it\n" in place.manifests()["orgs.yaml"]
        )
        in_sync(place)


def test_a_person_by_email_stays_who_they_are(scene):
    scene.pipes("users: {caro: {email: carol@example.com}}\norgs: {acme: {members: {alice: owner}}}")
    scene.manifest(
        "people: {carol: {email: carol@example.com}}\n"
        "orgs:\n  acme:\n    members: {alice: owner, carol: member}\n    workspaces: {}\n"
    )
    assert scene.apply().status == 0
    scene.client().ok("PATCH", "/org/acme/member/caro", {"role": "owner"})
    imported(scene, "acme")
    assert "members: {alice: owner, carol: owner}" in scene.manifests()["orgs.yaml"]
    in_sync(scene)


def test_a_list_that_cannot_be_believed_is_refused(scene):
    scene.in_sync()
    with scene.served({"kind": "empty-members"}):
        ran = scene.run("import", "--host", scene.host, "acme")
    assert (ran.status, ran.out) == (3, "")
    assert "empty-read" in ran.err


# what a JSON text may hold as it is, and YAML not: U+0085 and U+2028 would end a line
ODD = '\x7f \x85 \x9f \xa0 \xad \u2028 \u2029 \u200b \ue000 \U0001f600 \U000e0001 " \\ é'


def test_an_org_with_an_odd_name_is_added_to_a_manifest_that_is_written_as_json(bench):
    beta = {"display_name": ODD, "members": {"alice": "owner"}}
    bench.pipes({"orgs": {"acme": {"members": {"alice": "owner"}}, "beta": beta}})
    path = bench.manifest(json.dumps({"version": 1, "orgs": {"acme": {"members": {"alice": "owner"}}}}))
    imported(bench, "beta", "--out", path.name)
    assert json.loads(path.read_bytes())["orgs"]["beta"]["display_name"] == ODD
    in_sync(bench)


@pytest.mark.parametrize("layout", ["block", "flow"])
def test_many_new_workspaces_are_added_to_a_manifest_in_one_pass_and_stay_formatted(bench, monkeypatch, layout):
    """`config` before `folder`, and everything else in the order of the schema, as fmt has it."""

    spaces = {f"w{n:02}": {} for n in range(30)}
    cloud = {
        "connection_folders": {"cloud": {}},
        "connections": {"aws": {"plugin": "aws", "folder": "cloud", "config": {"region": "eu"}}},
    }
    bench.pipes({"orgs": {"acme": {"members": {"alice": "owner"}, "workspaces": spaces, **cloud}}})
    kept = " {w00: {}}" if layout == "flow" else "\n      w00: {}"
    bench.manifest(f"version: 1\n\norgs:\n  acme:\n    members:\n      alice: owner\n    workspaces:{kept}\n")
    read = []
    monkeypatch.setattr(write, "File", lambda text: read.append(text) or File(text))
    assert bench.run("import", "acme", *bench.local, "--out", "orgs.yaml").status == 0
    assert len(read) < 10
    text = (bench.folder / "orgs.yaml").read_text()
    assert all(f"{name}:" in text for name in spaces)
    assert text.index("config:") < text.index("folder: cloud")
    assert bench.plan("--detailed-exitcode").status == 0
    if layout == "block":
        assert bench.run("fmt", "--diff", "--check").out == ""
