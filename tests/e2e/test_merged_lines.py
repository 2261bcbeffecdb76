"""Many organizations that change in the same way take few lines, and the summary counts what it speaks of."""

from __future__ import annotations

import json

import pytest

ORGS = [f"org{n}" for n in range(8)]


def world(spaces):
    people = {"alice": "owner", "frank": "owner", **{f"p{n:02}": "member" for n in range(30)}}
    return {
        "users": {name: {} for name in people if name != "alice"},
        "orgs": {org: {"members": people, "workspaces": {f"w{n:02}": {} for n in range(spaces)}} for org in ORGS},
    }


def manifest(bench, entry, people=30, spaces=1, orgs=ORGS):
    members = {"alice": "owner", **entry, **{f"p{n:02}": "member" for n in range(people)}}
    made = {org: {"members": members, "workspaces": {f"w{n:02}": {} for n in range(spaces)}} for org in orgs}
    bench.manifest("version: 1\norgs: " + json.dumps(made))


@pytest.mark.parametrize("format_", ["text", "markdown"])
def test_an_owner_who_leaves_eight_orgs_of_forty_workspaces_is_read_in_a_hundred_lines(bench, format_):
    bench.pipes(world(40))
    manifest(bench, {"frank": {"absent": True}}, spaces=40)
    out = bench.plan("--format", format_).out.replace("`", "")
    assert len(out.splitlines()) < 120
    assert f"frank loses owner of {', '.join(ORGS)} (" in out
    assert [f"{org}/w{n:02}" for org in ORGS for n in range(40) if f"{org}/w{n:02}" not in out] == []
    since = bench.run("plan", "--since", ".", *bench.local, "--format", format_).out
    assert len(since.splitlines()) < 120


@pytest.mark.parametrize("format_", ["text", "markdown", "html"])
@pytest.mark.parametrize(
    ("entry", "people", "code"), [({}, 30, "owner-removal"), ({"frank": "owner"}, 5, "mass-removal")]
)
def test_similar_refusals_share_what_is_to_be_done(bench, format_, entry, people, code):
    bench.pipes(world(1))
    manifest(bench, entry, people)
    ran = bench.plan("--format", format_)
    assert ran.status == 3
    assert ran.out.count("To fix:") == 1
    assert ran.out.count("To allow them once:") == 1
    for org in ORGS:
        address = f"org.{org}/member.frank" if code == "owner-removal" else f"org.{org}"
        assert f"--allow {code}={address}" in ran.out
    assert f"Refused by {code} in 8 of 8 organizations. Nothing can be applied." in ran.out
    allow = [
        part
        for org in ORGS
        for part in ("--allow", f"{code}={f'org.{org}/member.frank' if code == 'owner-removal' else f'org.{org}'}")
    ]
    assert bench.plan(*allow).status == 0, "what the report proposes is accepted"


def test_a_single_refusal_reads_as_ever(bench):
    bench.pipes(world(1))
    manifest(bench, {}, orgs=ORGS[:1])
    out = bench.plan().out
    assert "  To allow it once: --allow owner-removal=org.org0/member.frank\n" in out
    assert "\nRefused by owner-removal. Nothing can be applied.\n" in out


def test_keep_going_says_what_it_did_and_what_it_left_alone(bench):
    bench.pipes(world(1))
    manifest(bench, {}, orgs=ORGS[:2])
    text = (bench.folder / "orgs.yaml").read_text()
    both = json.loads(text.partition("orgs: ")[2])
    both["org1"]["members"] = {**both["org1"]["members"], "frank": "member"}
    bench.manifest("version: 1\norgs: " + json.dumps(both))
    said = (
        "Refused by owner-removal in 1 of 2 organizations. apply changes nothing, or with --keep-going only the others."
    )
    assert said in bench.plan().out
    before = bench.database()
    assert bench.apply().status == 3
    assert bench.database() == before
    ran = bench.apply("--keep-going")
    assert said in ran.out
    assert "Note: refused, so nothing was applied to: org.org0" in ran.out
    assert "Applied: 1 step done" in ran.out
    assert ran.status in (3, 5)
