"""`plan --since BASE`: what a pull request changes, told apart from what had drifted before it."""

from __future__ import annotations

import json

import pytest

from drift.deeds import ONE_TIME, in_turn
from drift.scene import BLOCK
from reconciler.report import FORMATS

HERE, BEFORE, BOTH = "changed here", "drifted before", "changed here and drifted before"
TEXT = BLOCK["orgs.yaml"]


def marks(ran):
    return ran.json["since"]["changes"]


@pytest.fixture
def based(scene):
    """In sync, committed; `scene.base` is the revision."""
    scene.in_sync()
    scene.base = scene.commit()
    return scene


def test_what_the_manifests_changed_stands_apart_from_what_drifted(based):
    in_turn(
        ("bob", "POST", "/org/acme/member/invite", {"handle": "mallory", "role": "member"}),
        ("bob", "PATCH", "/org/acme/workspace/prod", {"instance_type": "db1.medium"}),
    )(based)
    based.manifest(TEXT.replace("erin: member ", "erin: owner ").replace("          hugo: reader\n", ""))
    ran = based.planned("--since", based.base)
    assert ran.status == 0
    assert marks(ran) == {
        "org.acme/member.erin": HERE,
        "org.acme/member.mallory": BEFORE,
        "org.acme/workspace.prod": BEFORE,
        "org.acme/workspace.prod/grant.hugo": HERE,
    }
    text = based.plan("--since", based.base).out
    here, _, before = text.partition("Drifted before:")
    assert "Changed here:" in here
    assert "org.acme/member.erin" in here
    assert "org.acme/member.mallory" in before
    assert text.splitlines()[-1] == f"Since {based.base}: 2 changed here, 2 drifted before."


@pytest.mark.parametrize(
    ("body", "old", "new", "mark"),
    [
        pytest.param({"url": ""}, "display_name: Acme ", "display_name: New ", BOTH, id="another attribute as well"),
        pytest.param({"display_name": "X"}, "display_name: Acme ", "display_name: New ", BOTH, id="the same attribute"),
        pytest.param({"display_name": "X"}, "", "", BEFORE, id="nothing here"),
        pytest.param({"usage_user_threshold": 5}, "display_name: Acme ", "display_name: New ", HERE, id="what nobody manages"),
    ],
)  # fmt: skip
def test_one_object_may_have_changed_on_both_sides(based, body, old, new, mark):
    in_turn(("bob", "PATCH", "/org/acme", body))(based)
    based.manifest(TEXT.replace(old, new) if old else TEXT)
    assert marks(based.planned("--since", based.base)) == {"org.acme": mark}


def test_drift_that_the_pull_request_makes_official_is_said(based):
    ONE_TIME["a member becomes an owner"].do(based)
    based.git("apply", "-", said=based.drift("--fix-up").out)
    ran = based.planned("--since", based.base)
    assert (marks(ran), ran.json["since"]["made_official"]) == ({}, ["org.acme/member.hugo"])
    assert "Drift that these manifests adopt" in based.plan("--since", based.base).out


def test_a_rename_here_is_not_mistaken_for_drift(based):
    in_turn(("bob", "POST", "/org/acme/member/invite", {"handle": "mallory", "role": "member"}))(based)
    based.manifest(TEXT.replace("  acme:", "  acme-corp:\n    renamed_from: acme"))
    assert marks(based.planned("--since", based.base)) == {
        "org.acme-corp": HERE,
        "org.acme-corp/member.mallory": BEFORE,
    }


def test_a_base_without_the_manifests_makes_everything_new(scene):
    scene.in_sync()
    (scene.folder / "empty").mkdir()
    scene.manifest(TEXT.replace("erin: member ", "erin: owner "))
    assert marks(scene.planned("--since", "./empty")) == {"org.acme/member.erin": HERE}


def test_wrong_manifests_at_the_base_are_no_fault_of_what_came_after(scene):
    scene.in_sync()
    scene.manifest("orgs: {acme: {members: {alice: overlord}}}")
    base = scene.commit()
    scene.manifest(TEXT.replace("erin: member ", "erin: owner "))
    ran = scene.planned("--since", base)
    assert (ran.status, ran.addresses, marks(ran)) == (0, ["org.acme/member.erin"], {})
    assert ran.json["since"]["notes"][0].startswith(f"the manifests at {base} are not valid: orgs.yaml:2:")
    assert "so earlier drift is not shown separately" in scene.plan("--since", base).out


def test_a_base_that_is_none_is_wrong_usage(based):
    ran = based.plan("--since", "nowhere")
    assert (ran.status, ran.out) == (1, "")
    assert "neither a revision" in ran.err


def test_refusals_warnings_and_statuses_are_those_of_the_plan(based):
    based.manifest(TEXT.replace("      bob: {role: owner, reason: the other one}\n", ""))
    assert based.plan("--since", based.base).status == based.plan().status == 3
    text = based.plan("--since", based.base).out
    assert "owner-removal  org.acme/member.bob" in text
    assert "--allow owner-removal=org.acme/member.bob" in text
    based.manifest(TEXT.replace("erin: member ", "erin: owner "))
    assert based.plan("--since", based.base, "--detailed-exitcode").status == 2


def test_what_is_saved_is_the_plan_alone_and_can_be_applied(based):
    based.manifest(TEXT.replace("erin: member ", "erin: owner "))
    assert based.plan("-o", "plain.json").status == 0
    ran = based.planned("--since", based.base, "-o", "plan.json")
    saved = json.loads((based.folder / "plan.json").read_text())
    assert saved == json.loads((based.folder / "plain.json").read_text())
    assert {key: value for key, value in ran.json.items() if key != "since"} == saved
    assert based.run("apply", *based.local, "plan.json").status == 0


def test_a_section_that_only_the_base_manages_changes_nothing_of_the_plan(based):
    based.manifest("version: 1\norgs: {acme: {display_name: New}}\n")
    ran = based.planned("--since", based.base)
    assert marks(ran) == {"org.acme": HERE}
    assert ran.addresses == based.planned().addresses


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "json"])
def test_every_format_tells_it(based, form):
    in_turn(("bob", "POST", "/org/acme/member/invite", {"handle": "mallory", "role": "member"}))(based)
    based.manifest(TEXT.replace("erin: member ", "erin: owner "))
    ran = based.plan("--since", based.base, "--format", form)
    assert ran.status == 0
    assert "1 changed here, 1 drifted before." in ran.out
    assert "Changed here" in ran.out
    # a removal that no line states has no place for an annotation
    assert ("Drifted before" in ran.out) == ("org.acme/member.mallory" in ran.out) == (form != "github")
