"""`offboard`: a patch takes one person out of everything, is reviewed and applied like any other, and then is spent."""

from __future__ import annotations

import subprocess

import pytest

from drift.scene import LAYOUTS

WORLD = """
users: {carol-c: {email: carol@example.com}}
orgs:
  acme:
    members: {alice: owner, bob: owner, dave-acme: owner, carol-c: member, erin: member}
    workspaces:
      prod: {members: {erin: reader, carol-c: operator}}
      dev: {members: {carol-c: reader}}
  beta:
    members: {alice: owner, bob: member, dave-acme: member}
    workspaces: {prod: {members: {bob: owner}}}
"""
MANIFEST = """\
version: 1

people:
  carol: {handle: carol-c}    # the reports
  dave: {handle: dave-acme, email: Dave@example.com}

teams:
  leads: [bob,   # since 2024
          dave]
  sre:
    - erin
    - carol     # on call

orgs:
  acme:
    members:
      alice: owner
      team/leads: owner       # all of them
      carol: member
      team/sre: member
    workspaces:
      prod:
        members:
          team/sre: reader
          carol: operator     # until the migration is done
      dev: {members: {carol: reader}}
  beta:
    members: {alice: owner, team/leads: member}
    workspaces:
      prod:
        members: {bob: owner}
"""


@pytest.fixture
def place(bench):
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    assert bench.planned("--detailed-exitcode").addresses == []
    assert bench.apply().status == 0
    return bench


def offboarded(bench, person, *args):
    ran = bench.run("offboard", person, *args)
    assert ran.status == 0, ran.err
    return ran


def git_apply(bench, patch):
    subprocess.run(["git", "apply", "-"], input=patch, text=True, check=True, cwd=bench.folder, capture_output=True)


def text(bench):
    return (bench.folder / "orgs.yaml").read_text()


def changed(before, after):
    kept = set(before.splitlines()) & set(after.splitlines())
    return [line for line in before.splitlines() if line not in kept], [
        line for line in after.splitlines() if line not in kept
    ]


@pytest.mark.parametrize("word", ["carol", "carol-c"])
def test_an_ordinary_member_is_taken_out_everywhere(place, word):
    ran = offboarded(place, word)
    assert text(place) == MANIFEST
    git_apply(place, ran.out)
    gone, new = changed(MANIFEST, text(place))
    assert gone == [
        "  carol: {handle: carol-c}    # the reports", "    - carol     # on call", "      carol: member",
        "          carol: operator     # until the migration is done", "      dev: {members: {carol: reader}}",
    ]  # fmt: skip
    assert new == ["      dev: {members: {}}"]
    assert (place.apply().status, place.members("acme")) == (
        0, {"alice": "owner", "bob": "owner", "dave-acme": "owner", "erin": "member"},
    )  # fmt: skip
    assert place.grants("acme", "prod") == {"erin": "reader"}
    assert place.planned("--detailed-exitcode").addresses == []


@pytest.mark.parametrize("word", ["dave", "dave-acme", "dave@EXAMPLE.com"])
def test_an_owners_removal_is_stated_and_inert_once_it_is_done(place, word):
    git_apply(place, offboarded(place, word).out)
    gone, new = changed(MANIFEST, text(place))
    assert gone == ["  dave: {handle: dave-acme, email: Dave@example.com}", "          dave]"]
    assert new == ["          ]", "      dave-acme: {absent: true}"]
    planned = place.planned()
    assert (planned.status, planned.codes) == (0, [])
    assert sorted(planned.addresses) == ["org.acme/member.dave-acme", "org.beta/member.dave"]
    assert place.apply().status == 0
    assert "dave-acme" not in {**place.members("acme"), **place.members("beta")}
    assert place.planned("--detailed-exitcode").addresses == []
    assert place.run("validate").status == 0
    again = place.run("offboard", "dave-acme")
    assert (again.status, again.out) == (0, "")
    assert "the manifests only state that they are absent" in again.err
    assert "dave" not in place.lock_text()


def test_the_last_owner_stays(place):
    ran = place.run("offboard", "alice")
    assert (ran.status, ran.out) == (3, "")
    assert ran.err.splitlines() == [
        "Refused: owner-floor  org.beta  (orgs.yaml:28)",
        "  no other person owns beta by the manifests, and the floor is 1; who has accepted cannot be known offline.",
        "  To fix: name another owner there first, and let them accept.",
    ]


def test_a_floor_above_one_is_kept_too(bench):
    bench.manifest("safeguards: {min_owners: 2}\norgs: {acme: {members: {alice: owner, bob: owner}}}\n")
    ran = bench.run("offboard", "bob")
    assert (ran.status, ran.out) == (3, "")
    assert "only alice would own acme by the manifests, and the floor is 2" in ran.err
    assert "or lower safeguards.min_owners" in ran.err


def test_an_owner_whose_time_is_up_does_not_count_and_is_stated_all_the_same(bench):
    bench.manifest("orgs: {acme: {members: {alice: owner, bob: {role: owner, expires: 2026-01-01}}}}\n")
    git_apply(bench, offboarded(bench, "bob").out)
    assert "members: {alice: owner, bob: {absent: true}}" in text(bench)
    bench.manifest("orgs: {acme: {members: {alice: owner, bob: {role: owner, expires: 2026-01-01}}}}\n")
    assert bench.run("offboard", "alice").status == 3


def test_somebody_by_email_alone_is_stated_by_name_and_stays_in_people_for_it(bench):
    bench.manifest(
        "people:\n  carol: {email: carol@example.com}\n  eve: {email: eve@example.com}\n"
        "orgs: {acme: {members: {alice: owner, carol: owner, eve: member}}}\n"
    )
    ran = offboarded(bench, "Carol@Example.com")
    assert "carol stays in `people:`" in ran.err
    git_apply(bench, ran.out)
    assert "members: {alice: owner, carol: {absent: true}, eve: member}" in text(bench)
    assert "carol: {email: carol@example.com}" in text(bench)
    git_apply(bench, offboarded(bench, "eve").out)
    assert "eve" not in text(bench)


def test_somebody_who_was_invited_by_email_is_known_by_the_handle_in_the_lock_file(bench):
    bench.pipes("users: {caro: {email: carol@example.com}}\norgs: {acme: {members: {alice: owner}}}")
    bench.manifest(
        "people: {carol: {email: carol@example.com}, zoe: {handle: zoe}}\n"
        "orgs:\n  acme:\n    members: {alice: owner, carol: owner}\n"
    )
    assert bench.apply().status == 0
    assert bench.members("acme")["caro"] == "owner?"
    git_apply(bench, offboarded(bench, "caro").out)
    assert text(bench).endswith(
        "people: {zoe: {handle: zoe}}\norgs:\n  acme:\n    members: {alice: owner, caro: {absent: true}}\n"
    )
    assert bench.apply().status == 0
    assert "caro" not in bench.members("acme")
    assert bench.planned("--detailed-exitcode").addresses == []


def test_a_statement_that_is_there_gets_the_handle_where_the_name_goes(bench):
    bench.manifest(
        "people: {bob: {handle: bobby}}\nteams: {all: [bob]}\n"
        "orgs: {acme: {members: {alice: owner, team/all: member, bob: {absent: true, reason: left}}}}\n"
    )
    ran = offboarded(bench, "bob")
    assert "team/all has nobody any more" in ran.err
    git_apply(bench, ran.out)
    assert text(bench) == (
        "version: 1\npeople: {}\nteams: {all: []}\n"
        "orgs: {acme: {members: {alice: owner, team/all: member, bobby: {absent: true, reason: left}}}}\n"
    )


def test_a_name_that_is_another_ones_handle_is_asked_about(bench):
    bench.manifest(
        "people: {bob: {handle: zoe}, robert: {handle: bob}}\n"
        "orgs: {acme: {members: {alice: owner, bob: member, robert: member}}}\n"
    )
    ran = bench.run("offboard", "bob")
    assert (ran.status, ran.out) == (3, "")
    assert "who-is-this  bob" in ran.err
    git_apply(bench, offboarded(bench, "robert").out)
    assert text(bench).endswith("people: {bob: {handle: zoe}}\norgs: {acme: {members: {alice: owner, bob: member}}}\n")
    assert "zoe" in offboarded(bench, "zoe").out


def test_a_handle_that_another_one_is_called_by_is_not_written_in_their_place(bench):
    bench.manifest(
        "people: {bob: {handle: zoe}, zoe: {handle: zed}}\n"
        "orgs: {acme: {members: {alice: owner, bob: owner, zoe: member}}}\n"
    )
    ran = offboarded(bench, "bob")
    git_apply(bench, ran.out)
    assert "members: {alice: owner, bob: {absent: true}, zoe: member}" in text(bench)
    assert "people: {bob: {handle: zoe}, zoe: {handle: zed}}" in text(bench)
    assert "bob stays in `people:`" in ran.err


def test_nobody_is_said_with_near_names(place):
    ran = place.run("offboard", "carrol")
    assert (ran.status, ran.out) == (1, "")
    assert "carrol is nowhere in the manifests, by name, handle or address; did you mean `carol`?" in ran.err


def test_what_no_manifest_looks_after_is_said(bench):
    bench.manifest("teams: {sre: [bob]}\norgs: {acme: {workspaces: {prod: {members: {bob: reader}}}}}\n")
    ran = offboarded(bench, "bob")
    assert "org.acme: the manifests leave its members alone" in ran.err
    git_apply(bench, ran.out)
    assert text(bench).endswith("teams: {sre: []}\norgs: {acme: {workspaces: {prod: {members: {}}}}}\n")


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param("teams: {a: &x [zoe, bob], b: *x}\n", id="a list that is repeated"),
        pytest.param(
            "orgs: {a: {members: &m {alice: owner, bob: member}}, b: {members: *m}}\n", id="a section that is repeated"
        ),
    ],
)
def test_what_no_edit_in_place_does_gives_no_patch(bench, manifest):
    bench.manifest(manifest)
    ran = bench.run("offboard", "bob")
    assert (ran.status, ran.out) == (1, "")
    assert "no patch can be made" in ran.err


def test_the_patch_can_go_to_a_file(place):
    ran = offboarded(place, "carol", "--out", "leave.patch")
    assert ran.out == ""
    git_apply(place, (place.folder / "leave.patch").read_text())
    assert "carol" not in text(place)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("person", ["bob", "dave", "carol", "gina", "erin"])
def test_any_layout_is_edited_and_the_rest_of_the_files_keeps_its_bytes(scene, layout, person):
    scene.in_sync(layout)
    args = () if "orgs.yaml" in layout else ("orgs",)
    before = scene.manifests()
    git_apply(scene, offboarded(scene, person, *args).out)
    after = scene.manifests()
    gone = [line for name in before for line in before[name].splitlines() if line not in after[name].splitlines()]
    assert 0 < len(gone) <= 8
    assert scene.planned(*args).status == 0
    assert scene.apply(*args).status == 0
    handle = {"dave": "dave-acme"}.get(person, person)
    assert handle not in scene.members("acme")
    assert handle not in scene.grants("acme", "prod")
    assert scene.planned("--detailed-exitcode", *args).addresses == []


def test_what_stands_below_a_line_that_goes_moves_and_stays_the_same(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner, bob: member}}}")
    bench.manifest(
        "people: {bob: {handle: bob}}\nteams:\n  ops:\n    - alice\n    - {name: alan, expires: 2027-01-31}\n"
        "orgs:\n  acme:\n    members:\n      alice: owner\n      bob: member\n      alan: member\n"
        "    ignore:\n      - {handle: contractor-*, reason: procurement, until: 2027-06-30}\n"
    )
    offboarded(bench, "bob", "--write")
    ran = bench.run("onboard", "new@example.com", "--as", "newbie", "--team", "ops", "--write")
    assert ran.status == 0, ran.err
    assert "bob" not in text(bench)
    assert "    - {name: alan, expires: 2027-01-31}\n    - newbie\n" in text(bench)
    assert bench.run("validate").status == 0
