"""Policies over Pipes as it is: `access --live --policies`, and `drift`, which says who broke one by hand."""

import pytest

WORLD = """\
users: {bob: {}, carol: {}, dave: {}}
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member, dave: member}
    workspaces: {prod: {members: {carol: operator}}}
"""
MANIFEST = """\
policies:
  prod-is-sre: {in: "*/prod", role: operator, only: [team/sre, owners]}
  owners-few: {in: "*", role: owner, people: {min: 2}, level: warn}
teams: {sre: [carol]}
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member, dave: member}
    workspaces: {prod: {members: {carol: operator}}}
"""


@pytest.fixture
def acme(bench):
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    return bench


def access(acme, *args):
    return acme.run("access", *acme.local, "--live", "--policies", *args)


def by_hand(acme):
    acme.client("alice").ok("POST", "/org/acme/workspace/prod/member", {"handle": "dave", "role": "operator"})


def test_access_live_exits_1_for_a_policy_of_level_error_only(acme):
    ran = access(acme, "--format", "json")
    assert (ran.status, [one["policy"] for one in ran.json["violations"]]) == (0, ["owners-few"])
    by_hand(acme)
    ran = access(acme, "--format", "json")
    assert ran.status == 1
    assert [(one["policy"], one["person"], one["place"]) for one in ran.json["violations"]] == [
        ("prod-is-sre", "dave", "acme/prod"),
        ("owners-few", None, "acme"),
    ]
    text = access(acme)
    assert text.status == 1
    assert "policy prod-is-sre: dave is operator on acme/prod (direct)" in text.out


def test_access_without_live_judges_the_manifests(acme):
    by_hand(acme)
    assert acme.run("access", "--policies").status == 0
    assert acme.run("access", "--policies", "--at", "HEAD").status == 1


def test_drift_says_who_broke_a_policy_by_hand(acme):
    by_hand(acme)
    ran = acme.run("drift", *acme.local, "--format", "json")
    assert ran.status == 2
    found = [one for one in ran.json["violations"] if one["policy"] == "prod-is-sre"]
    assert [(one["person"], one["by"]) for one in found] == [("dave", ["alice"])]
    text = acme.run("drift", *acme.local).out
    assert "policy prod-is-sre: dave is operator on acme/prod (direct)" in text
    assert "changed by: alice" in text
