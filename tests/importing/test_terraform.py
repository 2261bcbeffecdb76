"""`import --from-terraform`: a state becomes manifests and lock file, and what it does not say is said."""

from __future__ import annotations

import json

import pytest

from e2e.bench import LOCK
from importing import state
from importing.state import SECRET, instance, resource

FILE = "terraform.tfstate"


def taken_over(bench, *args, status=0):
    ran = bench.run("import", "--from-terraform", *(args or (FILE,)))
    assert ran.status == status, ran.err
    assert SECRET not in ran.out + ran.err
    for path in bench.folder.rglob("*"):
        if path.suffix == ".yaml" or path.name == LOCK:
            assert SECRET not in path.read_text()
    return ran


def written(bench, name="orgs/acme.yaml"):
    """A manifest without its first lines."""
    return (bench.folder / name).read_text().partition("orgs:\n")[2]


def entries(bench, folder="orgs"):
    return {a: e["id"] for a, e in json.loads((bench.folder / folder / LOCK).read_text())["entries"].items()}


def in_state(bench, *resources, **more):
    state.write(bench.folder / FILE, list(resources), **more)


def refused(bench, *args, status):
    before = {path: path.read_bytes() for path in bench.folder.rglob("*") if path.is_file()}
    ran = taken_over(bench, *args, status=status)
    assert {path: path.read_bytes() for path in bench.folder.rglob("*") if path.is_file()} == before
    assert ran.out == ""
    return ran.err


ACME = (
    resource(
        "pipes_organization", "acme", [instance(state.org("acme", display_name="Acme: the first", created_by="alice"))]
    ),
    resource(
        "pipes_organization_member",
        "people",
        [
            instance(state.member("acme", "bob"), "bob"),
            instance(state.member("acme", "alice", "owner"), "alice"),
            instance(state.member("acme", "no"), "no"),
        ],
        module="module.people[0]",
    ),
    resource("pipes_workspace", "prod", [instance(state.space("acme", "prod", db_volume_size_bytes=5))]),
    resource(
        "pipes_organization_workspace_member",
        "bob",
        [
            instance(state.grant("acme", "prod", "bob", "admin")),
            instance(state.grant("acme", "prod", "alice", "owner")),
        ],
    ),
)
WRITTEN = """\
  acme:
    display_name: "Acme: the first"
    members:
      alice: owner
      bob: member
      "no": member
    workspaces:
      prod:
        instance_type: db1.shared
        desired_state: enabled
        db_volume_size_bytes: 5
        members:
          bob: operator
"""


# --- against the world that it is the state of ------------------------------------------------------------------------


def big_world():
    """Three organizations, of which a state has 200 resources."""
    people = [f"p{n}" for n in range(40)]
    orgs = {}
    for n, handle in enumerate(("acme", "beta", "zulu")):
        members = {"alice": "owner", "bob": "owner", **dict.fromkeys(people[: 25 - n], "member")}
        spaces = {
            f"w{m}": {"desired_state": "enabled", "members": dict.fromkeys(people[m : m + 6], "reader")}
            for m in range(5)
        }
        orgs[handle] = {"display_name": handle.title(), "members": members, "workspaces": spaces}
    orgs["acme"]["workspaces"]["w0"]["members"].update(dict.fromkeys(people[6:16], "operator"))
    orgs["acme"]["workspaces"]["w1"]["members"].update(p10="owner", p11="operator", p12="reader", p13="reader")
    return {"orgs": orgs}


@pytest.mark.parametrize("prefix", ["pipes", "steampipecloud"])
@pytest.mark.parametrize("teams", [(), ("--suggest-teams",)], ids=["people", "teams"])
def test_a_state_of_200_resources_plans_nothing_against_its_world(bench, prefix, teams):
    bench.pipes(big_world())
    found = state.of_sandbox(bench, "acme", "beta", "zulu", prefix=prefix)
    assert sum(len(one["instances"]) for one in found) == 200
    state.write(bench.folder / FILE, found)
    ran = taken_over(bench, FILE, *teams)
    assert f"orgs/{LOCK}: written.\n" in ran.out
    planned = bench.planned("--detailed-exitcode")
    assert (planned.status, planned.addresses) == (0, []), planned.out + planned.err
    assert bench.run("drift", *bench.local, "--unmanaged").status == 0
    before = entries(bench)
    for path in (bench.folder / "orgs").iterdir():
        path.unlink()
    assert bench.run("import", *bench.local, "acme", "beta", "zulu").status == 0
    assert entries(bench) == before
    assert bench.run("fmt", "--check").status == 0


def test_a_state_that_is_older_than_live_shows_what_came_since_and_loses_nothing(bench):
    bench.pipes(
        "orgs: {acme: {members: {alice: owner, bob: member, carol: owner, dave: member, mallory: member, gone: owner},"
        " workspaces: {prod: {members: {bob: reader, mallory: reader}}, new: {}}}}"
    )
    found = state.of_sandbox(bench, "acme")
    for one in found:  # what came after it
        one["instances"] = [i for i in one["instances"] if not {"mallory", "new"} & set(i["attributes"].values())]
    state.write(bench.folder / FILE, found)
    client = bench.client()
    client.ok("PATCH", "/org/acme/workspace/prod/member/bob", {"role": "operator"})
    client.ok("PATCH", "/org/acme/member/carol", {"role": "member"})
    client.ok("DELETE", "/org/acme/member/gone")
    before = bench.database()
    taken_over(bench)
    planned = bench.planned("--detailed-exitcode", "--allow", "mass-removal=org.acme")
    assert sorted(planned.addresses) == [
        "org.acme/member.carol", "org.acme/member.gone", "org.acme/member.mallory", "org.acme/workspace.prod/grant.bob",
        "org.acme/workspace.prod/grant.mallory",
    ]  # fmt: skip
    drift = bench.run("drift", *bench.local, "--unmanaged")
    assert drift.status == 2
    assert [who for who in ("carol", "gone", "mallory", "bob", "new") if who not in drift.out] == []
    assert bench.database() == before


def test_whoever_was_renamed_since_is_known_by_the_id(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner, bob: member}}}")
    state.write(bench.folder / FILE, state.of_sandbox(bench, "acme"))
    bench.client().ok("PATCH", "/org/acme", {"handle": "acme-corp"})
    taken_over(bench)
    planned = bench.planned()
    assert (planned.status, planned.codes) == (3, ["rename"])


# --- what is written --------------------------------------------------------------------------------------------------


def test_resources_of_modules_count_and_for_each_become_a_manifest_without_network_and_token(bench):
    in_state(bench, *ACME)
    ran = taken_over(bench)
    assert ran.out.partition("\nNext:\n")[0].splitlines() == [
        "orgs/acme.yaml: written.",
        "schemas/manifest.schema.json: written.",
        f"orgs/{LOCK}: written.",
    ]
    assert ran.err == ""
    assert written(bench) == WRITTEN
    assert entries(bench) == {
        "org.acme": "o_acme", "org.acme/member.alice": "u_alice", "org.acme/member.bob": "u_bob",
        "org.acme/member.no": "u_no", "org.acme/workspace.prod": "w_prod",
    }  # fmt: skip


def test_several_files_of_a_folder_are_one_state(bench):
    for n, one in enumerate(ACME):
        state.write(bench.folder / "states" / f"{n}" / f"{n}.tfstate", [one])
    state.write(bench.folder / "states" / "again.tfstate", [ACME[1]])
    (bench.folder / "states" / "0" / "backup.tfstate.backup").write_text("no JSON")
    (bench.folder / "states" / ".terraform").mkdir()
    (bench.folder / "states" / ".terraform" / "terraform.tfstate").write_text("no JSON")
    taken_over(bench, "states")
    assert written(bench) == WRITTEN


def test_objects_without_attributes_that_an_import_leaves_out_are_told_by_their_id(bench):
    bare = {"organization": None, "organization_id": "o_acme", "user_handle": None, "workspace_handle": ""}
    in_state(
        bench,
        ACME[0],
        resource("pipes_organization_member", "a", [instance({**state.member("acme", "alice", "owner"), **bare})]),
        resource(
            "pipes_organization_member", "b", [instance({**state.member("acme", "bob"), **bare, "id": "acme:bob"})]
        ),
        resource(
            "pipes_workspace", "p", [instance({**state.space("acme", "prod"), "organization": None, "handle": ""})]
        ),
        resource(
            "pipes_organization_workspace_member", "b", [instance({**state.grant("acme", "prod", "bob"), **bare})]
        ),
    )
    taken_over(bench)
    assert "      alice: owner\n      bob: member\n" in written(bench)
    assert "          bob: reader\n" in written(bench)


def test_an_organization_that_is_named_by_its_id_or_its_former_handle_is_the_one_of_that_id(bench):
    in_state(
        bench,
        ACME[0],
        resource(
            "pipes_organization_member", "a", [instance(state.member("acme", "alice", "owner", organization="o_acme"))]
        ),
        resource(
            "pipes_organization_member", "b", [instance(state.member("old-acme", "bob", organization_id="o_acme"))]
        ),
    )
    taken_over(bench)
    assert sorted(path.name for path in (bench.folder / "orgs").iterdir()) == ["acme.yaml", LOCK]
    assert "      alice: owner\n      bob: member\n" in written(bench)


def test_an_id_in_place_of_a_handle_is_looked_up_where_no_other_id_stands(bench):
    alice = state.member("acme", "alice", "owner", organization="o_acme", organization_id="", id="o_acme/alice")
    in_state(bench, ACME[0], resource("pipes_organization_member", "a", [instance(alice)]))
    taken_over(bench)
    assert sorted(path.name for path in (bench.folder / "orgs").iterdir()) == ["acme.yaml", LOCK]
    assert "      alice: owner\n" in written(bench)


def test_an_organization_of_which_the_state_has_only_people_is_one_under_any_handle(bench):
    people = [
        state.member("acme", "alice", "owner"),
        state.member("old-acme", "bob", organization_id="o_acme"),
    ]
    in_state(bench, *(resource("pipes_organization_member", one["user_handle"], [instance(one)]) for one in people))
    taken_over(bench)
    assert sorted(path.name for path in (bench.folder / "orgs").iterdir()) == ["acme.yaml", LOCK]
    assert "      alice: owner\n      bob: member\n" in written(bench)


def test_somebody_who_is_known_by_an_address_alone_gets_a_name(bench):
    address = {"user_handle": "", "email": "Carol.O@example.com", "user_id": ""}
    in_state(
        bench, *ACME[:2], resource("pipes_organization_member", "c", [instance(state.member("acme", "x", **address))])
    )
    taken_over(bench)
    assert "      carol-o: member\n" in written(bench)
    assert (
        (bench.folder / "orgs/people.yaml").read_text().endswith("people:\n  carol-o: {email: Carol.O@example.com}\n")
    )
    assert bench.run("validate").status == 0
    assert bench.run("fmt", "--check").status == 0


def test_an_address_is_not_written_where_the_handle_is_known(bench):
    one = state.member("acme", "carol", email="carol@example.com")
    in_state(bench, *ACME[:2], resource("pipes_organization_member", "c", [instance(one)]))
    taken_over(bench)
    assert "      carol: member\n" in written(bench)
    assert "@" not in written(bench)


def test_only_the_organizations_that_are_asked_for_are_written(bench):
    in_state(bench, *ACME, resource("pipes_organization", "b", [instance(state.org("beta"))]))
    taken_over(bench, FILE, "beta")
    assert sorted(path.name for path in (bench.folder / "orgs").iterdir()) == ["beta.yaml", LOCK]
    assert "it has acme, beta" in refused(bench, FILE, "zulu", status=1)


def test_an_org_is_added_to_manifests_that_are_there_under_the_names_that_they_use(bench):
    in_state(bench, *ACME)
    bench.manifest("version: 1\npeople: {robert: {handle: bob}}  # ours\norgs:\n  beta: {members: {robert: owner}}\n")
    taken_over(bench)
    text = (bench.folder / "orgs.yaml").read_text()
    assert text.startswith(
        "version: 1\npeople: {robert: {handle: bob}}  # ours\norgs:\n  beta: {members: {robert: owner}}\n"
    )
    assert "      robert: member\n" in text
    assert "          robert: operator\n" in text


# --- what is said -----------------------------------------------------------------------------------------------------


def test_what_is_not_taken_over_is_listed_with_the_reason(bench):
    connection = {"id": "acme/aws", "organization": "acme", "config": json.dumps({"secret_key": SECRET})}
    in_state(
        bench,
        *ACME,
        resource("pipes_organization_integration", "aws", [instance(connection, "a"), instance(connection, "b")]),
        resource("pipes_workspace_mod", "m", [instance({"id": "acme/prod/m"})]),
        resource(
            "pipes_workspace",
            "mine",
            [instance({"id": "mine", "handle": "mine", "organization": "", "identity_id": "u_1"})],
        ),
        resource("pipes_organization_workspace_member", "o", [instance(state.grant("acme", "prod", "x", scope="org"))]),
        resource("pipes_organization_member", "t", [instance(state.member("acme", "t", scope="tenant"))]),
        resource("pipes_organization", "gone", [instance(state.org("gone"), deposed="ab12")]),
        resource("aws_instance", "web", [instance({"password": SECRET})]),
        resource("pipes_organization", "data", [instance(state.org("data"))], mode="data"),
    )
    assert taken_over(bench).err.splitlines() == [
        "Note: left out: pipes_organization: a deposed object, which Terraform has yet to destroy",
        "Note: left out: pipes_organization_integration: organization integrations are not taken over from a state (2)",
        "Note: left out: pipes_organization_member: a membership of another level, which cannot be changed here",
        "Note: left out: pipes_organization_workspace_member: no grant of its own, but what an owner has anyway",
        "Note: left out: pipes_workspace: a workspace of a user, and of no organization",
        "Note: left out: pipes_workspace_mod: workspace mods are not taken over from a state",
    ]
    assert written(bench) == WRITTEN


def test_sections_that_the_state_has_nothing_of_are_left_alone_and_that_is_said(bench):
    in_state(bench, ACME[0], ACME[2])
    err = taken_over(bench).err
    assert "the state has no members of it, so the manifest does not manage them" in err
    assert "the state has no grants in it, so the manifest does not manage them" in err
    assert "members" not in written(bench)


def with_bob(*others, created_by="alice", **more):
    """An organization of whose members the state has bob, and others; by its creator."""
    people = [state.member("acme", "bob", **more), *others]
    return (
        resource("pipes_organization", "acme", [instance(state.org("acme", created_by=created_by))]),
        resource("pipes_organization_member", "all", [instance(one, n) for n, one in enumerate(people)]),
    )


def test_whoever_created_the_organization_stays_its_owner_though_no_resource_says_so(bench):
    in_state(bench, *with_bob())
    assert "org.acme/member.alice: written as an owner, because alice created it" in taken_over(bench).err
    assert "      alice: owner\n      bob: member\n" in written(bench)


@pytest.mark.parametrize(
    ("role", "status"), [("member", "accepted"), ("owner", "invited")], ids=["only members", "an owner who is invited"]
)
def test_an_owner_whom_nothing_names_is_asked_for(bench, role, status):
    in_state(bench, *with_bob(created_by="", role=role, status=status))
    assert "the state has no owner of acme who accepted; name one with --owner HANDLE" in refused(bench, status=1)
    assert "because carol is named by --owner" in taken_over(bench, FILE, "--owner", "carol").err
    assert f"      bob: {role}\n      carol: owner\n" in written(bench)


@pytest.mark.parametrize("owner", ["dave", "bob", "alice"])
def test_an_owner_is_added_also_where_the_state_has_owners(bench, owner):
    in_state(bench, *with_bob(state.member("acme", "erin", "owner")))
    taken_over(bench, FILE, "--owner", owner)
    roles = {"alice": "owner", "bob": "member", "erin": "owner", owner: "owner"}
    assert "".join(f"      {name}: {role}\n" for name, role in sorted(roles.items())) in written(bench)


def test_a_grant_of_somebody_without_a_membership_is_left_out_and_told(bench):
    in_state(
        bench,
        *ACME,
        resource("pipes_organization_workspace_member", "z", [instance(state.grant("acme", "prod", "zoe"))]),
    )
    assert "grant.zoe: left out, since the state has a grant of zoe and no membership" in taken_over(bench).err
    assert bench.run("validate").status == 0


def test_a_value_that_no_manifest_can_hold_is_left_out_and_told(bench):
    in_state(
        bench,
        *ACME[:2],
        resource("pipes_workspace", "p", [instance(state.space("acme", "prod", instance_type="db9.huge"))]),
    )
    assert "instance_type of acme/prod is not written and not managed" in taken_over(bench).err
    assert "instance_type" not in written(bench)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_an_org_that_the_manifests_have_is_not_written_over(bench):
    in_state(bench, *ACME)
    taken_over(bench)
    assert "org acme is in the manifests already (orgs/acme.yaml:5:3)" in refused(bench, status=1)


def test_an_object_that_the_lock_file_knows_as_another_one_is_refused(bench):
    in_state(bench, *ACME)
    taken_over(bench)
    (bench.folder / "orgs/acme.yaml").unlink()
    lock = bench.folder / "orgs" / LOCK
    lock.write_text(lock.read_text().replace("u_bob", "u_other"))
    assert "org.acme/member.bob: the lock file knows another object" in refused(bench, status=3)


def test_an_owner_without_a_state_is_a_slip(bench):
    ran = bench.run("import", "acme", "--owner", "bob")
    assert (ran.status, "--owner needs --from-terraform" in ran.err) == (1, True)


MEMBER = "pipes_organization_member"
BROKEN = {
    "no JSON": ("{", "terraform.tfstate:1:2: error: this is not JSON"),
    "a list": ("[]", "this is not a Terraform state"),
    "a state of Terraform 0.11": ('{"version": 3, "modules": []}', "this is version 3, and no state of version 4"),
    "no version": ("{}", "this is version null"),
    "true for a version": ('{"version": true}', "this is version true"),
    "what show prints": ('{"format_version": "1.0", "values": {}}', "`terraform show -json`"),
    "an encrypted state": ('{"serial": 1, "encrypted_data": "abc"}', "encrypted"),
    "resources that are no list": ('{"version": 4, "resources": {}}', "`resources` is not a list"),
    "a resource that is none": ('{"version": 4, "resources": [1]}', "resources[0] is not a resource"),
    "no instances": (
        f'{{"version": 4, "resources": [{{"type": "{MEMBER}", "name": "a"}}]}}',
        "resources[0] has no name",
    ),
    "an instance that is none": (
        f'{{"version": 4, "resources": [{{"type": "{MEMBER}", "name": "a", "instances": [7]}}]}}',
        f"({MEMBER}.a) has an instance without attributes",
    ),
    "brackets without end": ("[" * 200_000, "this is no"),
    "a number of 5,000 digits": (f'{{"version": {"1" * 5000}}}', "this is not a Terraform state: it is not JSON"),
    "no UTF-8": (b"\xff\xfe{}", "not UTF-8"),
    "no organization": ('{"version": 4}', "no organization is in the state"),
}


@pytest.mark.parametrize(("text", "fact"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_no_state_is_an_error_with_its_place(bench, text, fact):
    (bench.folder / FILE).write_bytes(text if isinstance(text, bytes) else text.encode())
    err = refused(bench, status=1)
    assert fact in err
    assert len(err) < 2_000


HOSTILE = {
    "a handle with a line in it": (
        state.member("acme", "bob", user_handle="bo\nb: owner"),
        r"`user_handle` is \"bo\\nb: owner\"",
    ),
    "a handle that is a number": (state.member("acme", "bob", user_handle=7, id="x"), "`user_handle` is"),
    "a role that nobody knows": (state.member("acme", "bob", "boss"), 'the role is "boss"'),
    "a role that is a list": (state.member("acme", "bob", ["owner"]), "the role is"),
    "no role": ({"id": "acme/bob", "user_handle": "bob"}, "the role is null"),
    "no organization": (
        state.member("acme", "bob", organization="", organization_id="", id="bob"),
        "in which organization",
    ),
    "another role in another place": (state.member("acme", "alice", "member"), "says otherwise about alice"),
    "another person of that handle": (
        state.member("acme", "alice", "owner", user_id="u_other"),
        "says otherwise about alice",
    ),
    "an address that is none": (state.member("acme", "x", user_handle="", email="a@b\n"), "`email` is not an address"),
}


@pytest.mark.parametrize(("attributes", "fact"), HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_is_an_error_with_its_address_in_the_state(bench, attributes, fact):
    in_state(bench, *ACME[:2], resource(MEMBER, "x", [instance(attributes, 'a"]')], module="module.m"))
    err = refused(bench, status=1)
    assert fact.replace("\\\\", "\\").replace('\\"', '"') in err.replace("\\\\", "\\")
    assert f'{FILE}:1:1: error: module.m.{MEMBER}.x["a\\"]"]: ' in err


def test_organizations_and_workspaces_that_are_said_twice_are_errors(bench):
    in_state(
        bench,
        *ACME,
        resource("pipes_organization", "again", [instance(state.org("acme", url="https://other.example"))]),
        resource("pipes_workspace", "again", [instance(state.space("acme", "prod", workspace_id="w_other"))]),
    )
    err = refused(bench, status=1)
    assert "pipes_organization.again: pipes_organization.acme in terraform.tfstate says otherwise about acme" in err
    assert "pipes_workspace.again: pipes_workspace.prod in terraform.tfstate says otherwise about prod" in err


def test_a_folder_without_states_is_an_error(bench):
    (bench.folder / "empty").mkdir()
    assert "the folder holds no *.tfstate" in refused(bench, "empty", status=1)


# --- connections --------------------------------------------------------------------------------------------------------

EVERY_KIND = """
users: {bob: {}, carol: {}}
orgs:
  acme:
    display_name: Acme
    members: {alice: owner, bob: member, carol: member}
    connection_folders:
      cloud: {title: "Cloud: all", permitted: [dev]}
      emea: {title: EMEA accounts, folder: cloud, permitted: [prod]}
      twin: {title: EMEA accounts}
      shared: {title: Shared, permitted: all}
    connections:
      aws_prod: {plugin: aws, config: {regions: [eu-west-1], secret_key: hunter2-never-shown}, folder: emea, permitted: [prod, dev]}
      gcp: {plugin: gcp, folder: cloud, permitted: [prod]}
      net: {plugin: net, permitted: all}
      top: {plugin: net, config: {hosts: [a, b]}}
    workspaces:
      prod:
        members: {bob: operator}
        attached: [aws_prod, gcp]
        connection_folders: {lab: {title: "Lab / 1"}, inner: {folder: lab}}
        connections: {own: {plugin: net, folder: inner}, other: {plugin: net, config: {token: hunter2-never-shown}}}
      dev: {members: {carol: reader}, attached: [aws_prod, net]}
"""


def test_a_state_of_resources_of_every_kind_plans_nothing_against_its_world(bench):
    bench.pipes(EVERY_KIND)
    found = state.of_sandbox(bench, "acme")
    kinds = {one["type"].removeprefix("pipes_") for one in found}
    assert kinds == {
        "organization", "organization_member", "workspace", "organization_workspace_member", "organization_connection",
        "organization_connection_folder", "organization_connection_permission", "organization_connection_folder_permission",
        "workspace_connection", "workspace_connection_folder", "workspace_schema",
    }  # fmt: skip
    assert sum(len(one["instances"]) for one in found) >= 30
    state.write(bench.folder / FILE, found)
    ran = taken_over(bench)
    planned = bench.planned("--detailed-exitcode")
    assert (planned.status, planned.addresses, planned.codes) == (0, [], []), planned.out + planned.err
    assert bench.run("drift", *bench.local, "--unmanaged").status == 0
    assert bench.run("fmt", "--check").status == 0
    silent = "the state does not say which workspaces may use top, so the manifest does not manage that"
    assert silent in ran.err
    before = entries(bench)
    text = (bench.folder / "orgs/acme.yaml").read_text()
    for path in (bench.folder / "orgs").iterdir():
        path.unlink()
    assert bench.run("import", *bench.local, "acme").status == 0
    assert entries(bench) == before
    live = (bench.folder / "orgs/acme.yaml").read_text()
    assert [line for line in text.splitlines() if line not in live.splitlines()] == []


def test_secrets_of_a_state_become_references_and_that_is_said(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner}, connections: {aws: {plugin: aws, config: {regions: [a]}}}}}")
    found = state.of_sandbox(bench, "acme")
    (link,) = (one for one in found if one["type"] == "pipes_organization_connection")
    config = {"regions": ["a"], "secret_key": SECRET, "nested": [{"password": SECRET}], "x": f"Bearer {SECRET}"}
    link["instances"][0]["attributes"]["config"] = json.dumps(config)
    state.write(bench.folder / FILE, found)
    err = taken_over(bench).err
    assert "config is written as far as the state shows it; to be set before it is sent: " in err
    assert "ACME_AWS_SECRET_KEY (secret_key)" in err
    text = (bench.folder / "orgs/acme.yaml").read_text()
    assert text.count("${env:ACME_AWS_") == 3
    planned = bench.planned("--detailed-exitcode")
    assert (planned.status, planned.addresses) == (0, []), planned.out + planned.err


def test_what_a_state_has_only_a_part_of_is_left_out_and_told(bench):
    def linked(kind, identifier, **attributes):
        return resource(f"pipes_{kind}", identifier.rpartition("/")[2], [instance({"id": identifier, **attributes})])

    in_state(
        bench,
        *ACME,
        linked("connection", "acme/old", organization="acme", handle="old", plugin="aws", config="not JSON"),
        linked("connection", "mine", organization="", handle="mine"),
        linked("workspace_connection", "ws/mine", organization="", handle="mine"),
        linked("organization_connection_folder", "acme/c_2", organization="acme", title="in", parent_id="c_gone"),
        linked("organization_connection_permission", "acme/gone/perm_1", organization="acme", workspace_handle="prod"),
        linked("organization_connection_permission", "acme/old/perm_2", organization="acme", tenant_handle="t"),
        linked("organization_connection_permission", "acme/old/perm_3", organization="acme", workspace_handle="nope"),
        linked("workspace_schema", "acme/prod/gone", organization="acme", workspace="prod"),
        linked("workspace_schema", "acme/prod/c_2", organization="acme", workspace="prod", connection_folder_id="c_2"),
        linked("workspace_schema", "acme/prod/all", organization="acme", workspace="prod", aggregator_handle="all"),
    )
    notes = taken_over(bench).err.splitlines()
    assert [one.removeprefix("Note: left out: ") for one in notes if "left out: " in one] == [
        "connection folder: in a folder that is not in the state",
        "pipes_connection: a config that is not a JSON object, which is left alone",
        "pipes_connection: it belongs to a user, and to no organization",
        "pipes_organization_connection_permission: a permission for a tenant or for another organization",
        "pipes_organization_connection_permission: a permission for a workspace that is not in the state",
        "pipes_organization_connection_permission: a permission of something that is not in the state",
        "pipes_workspace_connection: it belongs to a user, and to no organization",
        "pipes_workspace_schema: a folder that is attached to a workspace",
        "pipes_workspace_schema: an aggregator that is attached to a workspace",
        "pipes_workspace_schema: the schema of a connection that is not in the state",
    ]
    assert written(bench) == WRITTEN + "    connections:\n      old:\n        plugin: aws\n"


def test_a_connection_that_is_said_twice_must_be_said_alike(bench):
    one = {"id": "acme/aws", "organization": "acme", "handle": "aws", "plugin": "aws"}
    in_state(bench, *ACME, resource("pipes_connection", "a", [instance(one), instance(one, "b")]))
    assert "      aws:\n        plugin: aws\n" in (taken_over(bench) and written(bench))
    other = {**one, "plugin": "gcp"}
    in_state(bench, *ACME, resource("pipes_connection", "a", [instance(one), instance(other, "b")]))
    for path in (bench.folder / "orgs").iterdir():
        path.unlink()
    assert "says otherwise about aws" in taken_over(bench, status=1).err
