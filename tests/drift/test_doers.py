"""Who did it, from where and when: each kind of change that people make past the command, driven through the command."""

from __future__ import annotations

import pytest

from drift.deeds import ONE_TIME
from drift.golden import assert_golden
from drift.scene import BLOCK, LAYOUTS

every_deed = pytest.mark.parametrize("deed", ONE_TIME.values(), ids=ONE_TIME)


@every_deed
def test_drift_names_who_did_it_from_where_and_when_and_the_line_that_says_otherwise(scene, deed):
    scene.in_sync()
    deed.do(scene)
    ran = scene.drift("--format", "json")
    assert ran.status == 2
    told = {(d["address"], d["attribute"]): d for d in ran.json["differences"]}
    found = told[deed.address, deed.attribute]
    assert (found["what"], found["standing"]) == (deed.what, "outside")
    if deed.wanted is not None or deed.attribute is not None:
        assert found["wanted"] == deed.wanted
    if deed.live is not None:
        assert found["live"] == deed.live
    entry = next(e for e in scene.log(deed.live if deed.address == "org.acme" and deed.what == "renamed" else "acme")
                 if (e["actor_handle"], e["action_type"]) == (deed.actor, deed.action))  # fmt: skip
    assert found["by"] == {
        "actor": deed.actor, "at": entry["created_at"].partition(".")[0].removesuffix("Z") + "Z", "ip": "127.0.0.1",
        "action": deed.action, "entry": entry["id"], "certain": True,
    }  # fmt: skip
    source = found["source"]
    assert deed.line in BLOCK[source["file"]].splitlines()[source["line"] - 1]
    # what goes with it is explained by it, and nothing else is said
    assert all(d["follows"] == deed.address and d["by"] == found["by"] for d in told.values() if d is not found)


@every_deed
def test_the_text_says_it_in_one_place(scene, deed):
    scene.in_sync()
    deed.do(scene)
    ran = scene.drift()
    assert ran.status == 2
    assert f"by: {deed.actor} from 127.0.0.1 at 2026-11-24T09:00:" in ran.out
    assert f"({deed.action})" in ran.out


@every_deed
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_fix_up_makes_it_official_and_touches_nothing_else(scene, deed, layout):
    scene.in_sync(layout)
    deed.do(scene)
    before = scene.manifests()
    ran = scene.drift("--fix-up")
    assert (ran.status, ran.err) == (2, "")
    scene.git("apply", "-", said=ran.out)
    planned = scene.plan("--detailed-exitcode")
    assert (planned.status, planned.out.splitlines()[-1]) == (0, "No changes. Pipes matches the manifests.")
    assert scene.drift().status == 0
    assert scene.manifests().keys() == before.keys()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_fix_up_is_an_edit_of_the_lines_that_it_concerns(layout, scene):
    patches = []
    for number, (name, deed) in enumerate(ONE_TIME.items()):
        place = scene.elsewhere(str(number))
        place.in_sync(LAYOUTS[layout])
        deed.do(place)
        patches.append(f"=== {name}\n{place.drift('--fix-up').out}")
    assert_golden(f"fix-up-{layout}.txt", "\n".join(patches))


def test_there_are_more_than_ten_kinds():
    assert len({(deed.what, deed.address.count("/"), deed.attribute, deed.action) for deed in ONE_TIME.values()}) > 10
