"""The examples in Rego, run by an engine; and the built-in policy and its twin in Rego over random worlds."""

import json
import random
from pathlib import Path

import jsonschema
import pytest

from reconciler.access.maps import of_desired
from reconciler.manifest import load_texts, schema_text
from reconciler.policy import judge
from reconciler.report import access as report
from stopped.sitecustomize import DAY

regopy = pytest.importorskip("regopy", reason="no engine for Rego is installed (regopy)")
ROOT = Path(__file__).parents[2]
POLICY = 'policies: {prod-is-sre: {in: "*/prod", role: [operator, owner], only: [team/sre, owners]}}\n'
WORLDS = 1000


@pytest.fixture(scope="module")
def engine():
    found = {}
    for name in ("access", "plan"):
        made = regopy.Interpreter()
        made.add_module(name, (ROOT / "examples/policies" / f"{name}.rego").read_text())
        found[name] = made
    found["plan"].add_data({"freeze": ["2026-12-24"]})
    return found


def said(engine, name, document, rule="deny"):
    engine[name].set_input(document)
    return set(engine[name].query(f"data.main.{rule}").results[0].expressions[0])


def world(number):
    """A random manifest: roles, teams in teams, owners, other names for the same people."""
    chance = random.Random(number)
    people = ["alice", "bob", "carol", "dave", "erin"]
    sre, inner = (chance.sample([*people, "zed"], chance.randint(0, 3)) for _ in range(2))
    members = {name: chance.choice(["member", "member", "owner"]) for name in people} | {"alice": "owner"}

    def grants():
        found = {
            name: chance.choice(["reader", "operator", "owner"]) for name in chance.sample(people, chance.randint(0, 4))
        }
        if chance.random() < 0.5:
            found["team/ops"] = chance.choice(["reader", "operator"])
        return found

    document = {
        "version": 1,
        "people": {"zed": {"handle": "zed-acme"}, "bob": {"handle": "bob-acme"}},
        "teams": {"sre": ["team/inner", *sre], "inner": inner, "ops": chance.sample(people, 2)},
        "orgs": {
            "acme": {
                "members": {**members, "zed": "member"},
                "workspaces": {name: {"members": grants()} for name in ("prod", "dev", "prod2")},
            }
        },
    }
    return load_texts(
        {"orgs.yaml": json.dumps(document).encode(), "policies.yaml": f"version: 1\n{POLICY}".encode()}, today=DAY
    )


def test_the_built_in_policy_and_its_twin_in_rego_agree_on_random_worlds(engine):
    broken = 0
    for number in range(WORLDS):
        desired = world(number)
        built_in = {(one.person, one.role, one.place) for one in judge.of_desired(desired, {}).violations}
        twin = {
            (words[0], words[2], words[4])
            for msg in said(engine, "access", report.document(of_desired(desired)))
            for words in [msg.split()]
        }
        assert twin == built_in, number
        broken += bool(built_in)
    assert WORLDS // 4 < broken < WORLDS


def test_the_rule_on_owners_who_are_not_seen(engine):
    reach = {
        "person": "bob",
        "object": "acme",
        "role": "owner",
        "why": "direct",
        "last_activity_at": "2025-03-01T00:00:00Z",
    }
    document = {"day": "2026-11-24", "teams": {}, "access": [reach]}
    assert said(engine, "access", document, "warn") == {"bob owns acme, and was last active at 2025-03-01T00:00:00Z"}
    reach["last_activity_at"] = None
    assert said(engine, "access", document, "warn") == set()


def test_the_rules_over_a_saved_plan(bench, engine):
    bench.pipes("orgs: {acme: {members: {alice: owner, bob: member}, workspaces: {prod: {}}}}\n")
    bench.manifest("orgs: {acme: {members: {alice: owner, bob: owner}, workspaces: {prod: {absent: true}}}}\n")
    bench.plan("-o", "plan.json", "--on", "2026-12-24")
    found = said(engine, "plan", json.loads((bench.folder / "plan.json").read_text()))
    assert found == {
        "org.acme/workspace.prod would be deleted: do this by hand",
        "2026-12-24 is a day without changes of owners: the risk is destroys",
    }
    bench.manifest("orgs: {acme: {members: {alice: owner, bob: member}}}\n")
    bench.plan("-o", "plan.json", "--on", "2026-12-24")
    assert said(engine, "plan", json.loads((bench.folder / "plan.json").read_text())) == set()


def test_the_json_of_access_is_what_its_schema_says(bench):
    bench.pipes(
        "users: {dave: {}}\norgs: {acme: {members: {alice: owner, dave: member}, workspaces: {prod: {members: {dave: operator}}}}}\n"
    )
    bench.manifest(
        POLICY
        + "teams: {sre: [alice]}\norgs: {acme: {members: {alice: owner, dave: member}, workspaces: {prod: {members: {dave: operator}}}}}\n"
    )
    schema = json.loads(schema_text("access"))
    for args in (["--policies"], [*bench.local, "--live"], [*bench.local, "--live", "--policies"], []):
        jsonschema.validate(bench.run("access", "--format", "json", *args).json, schema)


FIRST = {
    "plan": {"format_version", "digest", "day", "risk", "orgs", "applyable", "complete", "errored", "resource_changes", "resource_drift",
             "steps", "impact", "dns", "safeguards", "allowed", "confirm_delete", "errors", "warnings", "notes", "unmanaged", "files",
             "paths", "reads"},
    "access": {"format_version", "kind", "source", "day", "objects", "open", "teams", "access", "tokens", "connections",
               "connections_open", "notes"},
}  # fmt: skip


@pytest.mark.parametrize("name", FIRST)
def test_no_key_of_the_first_format_goes(name):
    """Whoever wrote a rule for format 1.0 may read these keys: to drop one takes another `format_version`."""
    schema = json.loads(schema_text(name))
    assert schema["properties"]["format_version"]["const"] == "1.0"
    assert set(schema["required"]) >= FIRST[name]
