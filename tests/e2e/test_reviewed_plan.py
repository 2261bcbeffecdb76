"""A saved plan is applied only where a plan made now, from the manifests of the command line, would show the same."""

from __future__ import annotations

import json

import pytest

from reconciler.plan.document import digest

WORLD = {
    "users": {name: {} for name in ("bob", "carol", "mallory")},
    "orgs": {
        "acme": {
            "members": {"alice": "owner", "bob": "owner"},
            "workspaces": {"prod": {"members": {"bob": "reader"}}},
        },
        "beta": {"members": {"alice": "owner"}},
    },
}
MANIFEST = """orgs:
  acme:
    members: {alice: owner, bob: {role: member, expires: 2027-01-31}, carol: member}
    workspaces: {prod: {members: {bob: reader, carol: operator}}}
"""


@pytest.fixture
def acme(bench):
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    return bench


def forged(bench, change, name="plan.json"):
    """Change a saved plan as whoever can write the file could, with a digest that fits."""
    path = bench.folder / name
    document = json.loads(path.read_text())
    change(document)
    document["digest"] = digest(document)
    path.write_text(json.dumps(document))


def refused(bench, *args):
    before = bench.database()
    ran = bench.apply("plan.json", "--format", "json", *args)
    assert bench.database() == before
    assert (ran.status, set(ran.codes)) == (3, {"stale-plan"})
    return " ".join(refusal["fact"] for refusal in ran.json["safeguards"]["refusals"])


@pytest.mark.parametrize("other", ["example.yaml", "examples/orgs.yaml", "examples"])
def test_a_plan_that_was_made_from_other_manifests_is_refused(acme, other):
    acme.manifest("orgs: {acme: {members: {alice: owner, bob: owner, mallory: owner}}}", "example.yaml")
    acme.manifest("orgs: {acme: {members: {alice: owner, bob: owner, mallory: owner}}}", "examples/orgs.yaml")
    assert acme.plan(other, "-o", "plan.json").status == 0
    assert f"made from {'examples/orgs.yaml' if other == 'examples' else other}" in refused(acme)


def test_a_plan_is_applied_with_the_paths_that_it_was_made_from(acme):
    acme.manifest("orgs: {beta: {members: {alice: owner, carol: member}}}", "more/beta.yaml")
    saved = acme.plan("orgs.yaml", "more", "-o", "plan.json")
    assert "reconciler apply plan.json orgs.yaml more" in saved.err
    assert "more/beta.yaml is not read now" in refused(acme)
    assert acme.apply("plan.json", "orgs.yaml", "more").status == 0
    assert acme.plan("--detailed-exitcode", "orgs.yaml", "more").status == 0


def test_a_plan_stands_first_and_alone(acme):
    assert acme.plan("-o", "plan.json").status == 0
    ran = acme.apply("orgs.yaml", "plan.json")
    assert (ran.status, "name one plan, before the paths" in ran.err) == (1, True)


def hide_the_gain(plan):
    plan["impact"] = [effect for effect in plan["impact"] if effect["person"] != "carol"]


def lower_the_gain(plan):
    for effect in plan["impact"]:
        if effect["after"] == "operator":
            effect["after"] = "reader"


def calm(plan):
    plan["notes"] = ["everybody agreed to this"]


def warn(plan):
    plan["warnings"] = [{**empty_warning(), "summary": "nothing to see here"}]


def empty_warning():
    return {"severity": "warning", "source": None, "hint": None, "length": 0, "also": None, "text": None}


def invent_a_name(plan):
    plan["dns"] = [{"workspace": "acme/prod", "before": "a.example", "after": None}]


@pytest.mark.parametrize("change", [hide_the_gain, lower_the_gain, calm, warn, invent_a_name])
def test_a_plan_that_shows_anything_else_than_a_fresh_one_is_refused(acme, change):
    assert acme.plan("-o", "plan.json").status == 0
    forged(acme, change)
    assert "what the plan shows is not what a plan made now shows" in refused(acme)


def test_a_plan_that_was_not_touched_is_applied(acme):
    assert acme.plan("-o", "plan.json").status == 0
    forged(acme, lambda _plan: None)
    assert acme.apply("plan.json").status == 0
