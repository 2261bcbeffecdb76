"""`import --suggest-teams`: teams where the same people recur, with the same meaning as without."""

from __future__ import annotations

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from reconciler.importing import write
from reconciler.importing.suggested_teams import suggested
from reconciler.manifest import load_texts
from stopped.sitecustomize import DAY as TODAY

WORLD = """
users: {ann: {}, ben: {}, cat: {}, dan: {}, eve: {}}
orgs:
  acme:
    members: {alice: owner, bob: owner, ann: member, ben: member, cat: member, dan: member}
    workspaces:
      prod: {members: {ann: operator, ben: operator, cat: reader}}
      stage: {members: {ann: operator, ben: operator, cat: reader, dan: reader}}
      lab: {members: {cat: owner, dan: reader}}
  beta: {members: {alice: owner, bob: owner, eve: member}}
"""
ACME = """\
  acme:
    members:
      cat: member
      dan: member
      team/owners: owner
      team/prod-stage-operators: member
    workspaces:
      lab:
        instance_type: db1.shared
        desired_state: enabled
        db_volume_size_bytes: 10737418240
        members:
          cat: owner
          dan: reader
      prod:
        instance_type: db1.shared
        desired_state: enabled
        db_volume_size_bytes: 10737418240
        members:
          cat: reader
          team/prod-stage-operators: operator
"""
TEAMS = "teams:\n  owners: [alice, bob]\n  prod-stage-operators: [ann, ben]\n"


def test_whoever_recurs_is_a_team_and_a_plan_is_empty(bench):
    bench.pipes(WORLD)
    ran = bench.run("import", *bench.local, "acme", "beta", "--suggest-teams")
    assert ran.status == 0, ran.err
    assert [line.partition(":")[0] for line in ran.out.partition("\nNext:\n")[0].splitlines()] == [
        "orgs/acme.yaml", "orgs/beta.yaml", "orgs/teams.yaml", "schemas/manifest.schema.json", "orgs/reconciler.lock.json"
    ]  # fmt: skip
    assert (bench.folder / "orgs/teams.yaml").read_text().endswith(TEAMS)
    assert ACME in (bench.folder / "orgs/acme.yaml").read_text()
    assert "team/owners: a suggested team; rename it as you like" in ran.err
    assert bench.planned("--detailed-exitcode").addresses == []
    assert bench.run("import", *bench.local, "acme", "beta", "--suggest-teams").out.startswith("Nothing to change")
    assert bench.run("fmt", "--check").status == 0


def test_a_team_that_is_there_keeps_its_name_and_a_new_one_stands_beside_it(bench):
    bench.pipes(WORLD)
    bench.manifest("version: 1\nteams:\n  board: [bob, alice]   # of us\n  owners: [eve]\n")
    assert bench.run("import", *bench.local, "acme", "beta", "--suggest-teams").status == 0
    text = (bench.folder / "orgs.yaml").read_text()
    assert "teams:\n  board: [bob, alice]   # of us\n  owners: [eve]\n  prod-stage-operators: [ann, ben]\n" in text
    assert "      team/board: owner\n" in text
    assert bench.planned("--detailed-exitcode").addresses == []


def test_an_org_that_is_called_like_the_file_of_teams_shares_it(bench):
    bench.pipes(WORLD.replace("  beta:", "  teams:"))
    assert bench.run("import", *bench.local, "acme", "teams", "--suggest-teams").status == 0
    text = (bench.folder / "orgs/teams.yaml").read_text()
    assert TEAMS in text
    assert "\n\norgs:\n  teams:\n    members:\n" in text
    assert bench.planned("--detailed-exitcode").addresses == []


@pytest.mark.parametrize(
    ("orgs", "teams"),
    [
        pytest.param({"a": {"members": {"x": "owner", "y": "owner"}}}, {}, id="once is not again"),
        pytest.param(
            {"a": {"members": {"o": "owner", "x": "member", "y": "member", "z": "member"},
                   "workspaces": {"p": {"members": {"x": "reader", "y": "reader"}}}}},
            {}, id="that all who have a grant are members says nothing",
        ),
        pytest.param(
            {"a": {"members": {"o": "owner", "x": "member", "y": "member"},
                   "workspaces": {"p": {"members": {"x": "reader", "y": "reader"}}}}},
            {"p-readers": ["x", "y"]}, id="all who are members and just them",
        ),
        pytest.param(
            {"a": {"workspaces": {"p": {"members": {"x": "reader", "y": "reader"}},
                                  "q": {"members": {"x": "operator", "y": "operator", "z": "operator"}}}}},
            {"p-q": ["x", "y"]}, id="among others in another workspace, with another role",
        ),
        pytest.param(
            {"a": {"workspaces": {"p": {"members": {"x": "reader", "y": "reader"}},
                                  "q": {"members": {"x": "reader", "y": "operator"}}}}},
            {}, id="with two roles they are no team",
        ),
        pytest.param(
            {"a": {"workspaces": {s: {"members": {"x": "reader", "y": "reader"}} for s in ("p", "q", "r")}}},
            {"readers": ["x", "y"]}, id="in many workspaces their role is the name",
        ),
        pytest.param(
            {n: {"workspaces": {"p" * 23: {"members": {"x": "reader", "y": "reader"}},
                                "q" * 23: {"members": {"x": "reader", "y": "reader"}}}} for n in "ab"},
            {"readers": ["x", "y"]}, id="a name is never too long",
        ),
        pytest.param(
            {"a": {"workspaces": {s: {"members": {"x": "reader", "y": "reader", "service/ci": "reader"}} for s in "pq"}}},
            {"p-q-readers": ["x", "y"]}, id="a service account among them stays out",
        ),
        pytest.param(
            {"a": {"workspaces": {s: {"members": {"service/cd": "reader", "service/ci": "reader"}} for s in "pq"}}},
            {}, id="service accounts are no team",
        ),
    ],
)  # fmt: skip
def test_what_is_a_team_and_what_it_is_called(orgs, teams):
    assert suggested(orgs, {})[0] == teams


def test_nobody_is_in_two_teams_of_one_place():
    spaces = {**dict.fromkeys("pq", "xy"), **dict.fromkeys("rs", "yz"), "t": "xyz"}
    orgs = {
        "a": {"workspaces": {space: {"members": dict.fromkeys(people, "reader")} for space, people in spaces.items()}}
    }
    teams, made = suggested(orgs, {})
    assert teams == {"readers": ["x", "y"], "r-s-readers": ["y", "z"]}
    assert sorted(made["a"]["workspaces"]["t"]["members"]) == ["team/readers", "z"]


PEOPLE = [f"p{n}" for n in range(8)]


@st.composite
def written(draw):
    """Orgs as an import would write them: owners have no grants, and whoever has one is a member."""
    orgs = {}
    groups = draw(st.lists(st.sets(st.sampled_from(PEOPLE), min_size=1, max_size=4), min_size=1, max_size=3))
    for org in draw(st.sampled_from([["a"], ["a", "b"]])):
        members = {
            "alice": "owner",
            **draw(st.dictionaries(st.sampled_from(PEOPLE), st.sampled_from(["member", "owner"]))),
        }
        plain = sorted(name for name, role in members.items() if role == "member")
        spaces = {}
        for space in draw(st.sets(st.sampled_from(["p", "q", "r"]))):
            granted = {}
            for group in draw(st.lists(st.sampled_from(groups), max_size=3)):
                role = draw(st.sampled_from(["reader", "operator", "owner"]))
                granted.update(dict.fromkeys(sorted(group & set(plain)), role))
            spaces[space] = {"members": granted}
        orgs[org] = {"members": members, "workspaces": spaces}
    known = draw(
        st.dictionaries(
            st.sampled_from(["old", "p-readers", "owners"]), st.lists(st.sampled_from(PEOPLE), unique=True), max_size=2
        )
    )
    return orgs, known


def roles(sections):
    found = load_texts({"orgs.yaml": write.document(sections, "")}, today=TODAY)

    def of(node, kind):
        return {name: (one.attrs, one.absent, one.expires) for name, one in node.children.get(kind, {}).items()}

    return {
        name: (
            of(node, "member"),
            {space: of(one, "grant") for space, one in node.children.get("workspace", {}).items()},
        )
        for name, node in found.orgs.items()
    }


@settings(max_examples=300, deadline=None)
@given(written())
def test_suggested_teams_never_change_who_may_do_what(case):
    orgs, known = case
    before = roles({"teams": known, "orgs": orgs})
    teams, made = suggested(orgs, known)
    event(f"{len(teams)} teams")
    assert roles({"teams": {**known, **teams}, "orgs": made}) == before
    assert not set(teams) & set(known)
    for org in made.values():
        for section in (org["members"], *(space["members"] for space in org["workspaces"].values())):
            named = [one for n in section for one in {**known, **teams}.get(n.removeprefix("team/"), [n])]
            assert len(named) == len(set(named))
    assert all(len(people) > 1 for people in teams.values())
    assert suggested(dict(reversed(orgs.items())), known)[0] == teams
