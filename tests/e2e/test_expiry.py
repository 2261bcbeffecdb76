"""What ends on a day: seen before, made so after, and told of in between."""

from __future__ import annotations

import re
from datetime import date

import pytest

from reconciler import clock

TODAY, EVE, DAY = "2026-11-24", "2027-01-30", "2027-01-31"
WORLD = "users: {bob: {}}\norgs: {acme: {members: {alice: owner, erin: member}, workspaces: {prod: {members: {erin: reader}}}}}"
ELEVATED = f"""
orgs:
  acme:
    members:
      alice: owner
      erin: {{role: owner, expires: {DAY}, reason: on call for INC-42, then: member}}
    workspaces:
      prod: {{members: {{erin: reader}}}}
"""


@pytest.fixture
def on(monkeypatch):
    """Let the command's day be another one."""

    def day(text):
        monkeypatch.setattr(clock, "today", lambda: date.fromisoformat(text))

    day(TODAY)
    return day


def test_an_elevation_falls_back_by_itself_at_the_next_apply(bench, on):
    bench.pipes(WORLD)
    bench.manifest(ELEVATED)
    assert bench.apply().status == 0
    assert bench.members("acme") == {"alice": "owner", "erin": "owner"}
    ahead = bench.planned("--on", DAY)
    assert ahead.addresses == ["org.acme/member.erin"]
    assert ahead.json["resource_changes"][0]["change"]["after"] == {"role": "member", "status": "accepted"}
    for day in (TODAY, EVE):
        on(day)
        assert bench.plan("--detailed-exitcode").status == 0
    on(DAY)
    assert bench.plan("--detailed-exitcode").status == 2
    assert bench.apply().status == 0
    assert bench.members("acme") == {"alice": "owner", "erin": "member"}
    assert bench.grants("acme", "prod") == {"erin": "reader"}
    assert bench.plan("--detailed-exitcode").status == 0


def test_a_plan_for_a_day_to_come_is_shown_and_not_applied_before_it(bench, on):
    bench.pipes(WORLD.replace("erin: member", "erin: owner"))
    bench.manifest(ELEVATED)
    assert bench.plan("--on", DAY, "-o", "later.json").status == 0
    before = bench.database()
    ran = bench.run("apply", *bench.local, "later.json")
    assert ran.status == 3
    assert f"the plan was made for {DAY}, a future day: today is {TODAY}, and what is due today differs" in ran.out
    assert bench.database() == before
    on(DAY)
    assert bench.run("apply", *bench.local, "later.json").status == 0
    assert bench.members("acme") == {"alice": "owner", "erin": "member"}


def test_apply_knows_no_other_day_than_today(bench, on):
    bench.pipes(WORLD)
    bench.manifest(ELEVATED)
    before = bench.database()
    ran = bench.apply("--on", DAY)
    assert ran.status == 1
    assert "No such option" in ran.err
    assert bench.database() == before


@pytest.mark.parametrize("command", ["drift", "review"])
def test_what_ends_soon_is_told_with_what_comes_then(bench, on, command):
    bench.pipes(WORLD.replace("erin: member", "erin: owner").replace("erin: reader", "erin: owner, bob: reader")
                .replace("alice: owner,", "alice: owner, bob: member,"))  # fmt: skip
    bench.manifest(
        ELEVATED.replace("then: member}", "then: member}\n      bob: member").replace(
            "{erin: reader}", f"{{erin: owner, bob: {{role: reader, expires: {DAY}}}}}"
        )
    )
    (bench.folder / "base").mkdir()
    where = bench.local if command == "drift" else ["base", "--path", "orgs.yaml"]

    def told(*args):
        ran = bench.run(command, *where, "--format", "json", *args)
        assert ran.status == 0
        return [
            (e["address"], e["name"], e["role"], e["expires"], e["then"], e["reason"], e["source"]["line"])
            for e in ran.json["expiring"]
        ]

    on("2027-01-16")
    assert told() == []
    on("2027-01-17")
    assert told() == [
        ("org.acme", "erin", "owner", DAY, "member", "on call for INC-42", 7),
        ("org.acme/workspace.prod", "bob", "reader", DAY, None, None, 10),
    ]
    assert told("--expiring", "13d") == []
    assert told("--expiring", "0d") == []
    text = bench.run(command, *where).out
    assert "erin is owner of acme until 2027-01-31 (in 14 days), then member (on call for INC-42)" in text
    assert "bob is reader on acme/prod until 2027-01-31 (in 14 days), then no role" in text
    assert "Ends soon" not in bench.run(command, *where, "--expiring", "0d").out


def test_what_comes_then_is_not_guessed_where_the_manifests_cannot_be_used_on_that_day(bench, on):
    bench.pipes("orgs: {acme: {members: {alice: owner}}}")
    bench.manifest(f"orgs: {{acme: {{members: {{alice: {{role: owner, expires: {DAY}}}}}}}}}")
    on(EVE)
    found = bench.run("drift", *bench.local, "--format", "json")
    assert found.status == 0
    assert [e["then"] for e in found.json["expiring"]] == ["?"]
    assert "alice is owner of acme until 2027-01-31 (tomorrow)  #" in bench.run("drift", *bench.local).out


def test_of_a_team_each_is_told_with_what_awaits_them_and_who_stays_is_not(bench, on):
    bench.pipes("orgs: {acme: {members: {alice: owner, bob: owner, carol: owner, dave: owner}}}")
    bench.manifest(f"""
teams: {{oncall: [bob, carol, dave], leads: [carol], all: [dave]}}
orgs:
  acme:
    members: {{alice: owner, team/oncall: {{role: owner, expires: {DAY}}}, team/leads: owner, team/all: member}}
""")
    on(EVE)
    found = bench.run("drift", *bench.local, "--format", "json").json["expiring"]
    assert [(e["name"], e["people"], e["then"]) for e in found] == [
        ("team/oncall", ["bob"], None),
        ("team/oncall", ["dave"], "member"),
    ]


def test_validate_says_what_has_ended_and_can_go_once_that_is_applied(bench, on):
    bench.manifest(ELEVATED.replace("{erin: reader}", "{erin: {role: reader, expires: 2027-01-01}}"))
    assert "ended" not in bench.run("validate").out
    on(DAY)
    ran = bench.run("validate")
    assert ran.status == 0
    said = " ".join((ran.out + ran.err).split())
    assert "the entry of erin in acme ended on 2027-01-31 and counts as member" in said
    assert "write `erin: member` once that is applied" in said
    assert "the entry of erin in acme/prod ended on 2027-01-01 and counts as not written" in said
    assert "remove the line once that is applied" in said


def test_access_and_review_say_what_an_elevation_falls_back_to(bench, on):
    bench.manifest(ELEVATED)
    (bench.folder / "base").mkdir()
    assert "until 2027-01-31, then member" in bench.run("access").out
    ran = bench.run("review", "base", "--path", "orgs.yaml")
    assert "until 2027-01-31, then member" in ran.out
    assert "from 2027-01-31, erin is no longer owner of acme, but member" in ran.out


def test_a_hostile_reason_stays_text_in_every_report(bench, on):
    bench.pipes(WORLD.replace("erin: member", "erin: owner"))
    hostile = '"::error::x\\r\\n<b>@all</b> | \\x1b[2J \\u202e"'
    bench.manifest(ELEVATED.replace("on call for INC-42", hostile))
    on(EVE)
    for form in ("text", "markdown", "html", "github", "junit"):
        ran = bench.run("drift", *bench.local, "--format", form)
        assert ran.status == 0
        assert "\x1b" not in ran.out
        assert "\u202e" not in ran.out
        assert "\n::error::x" not in ran.out
        assert form in ("text", "github") or "<b>@all" not in ran.out
        assert "INC" not in ran.out
        assert "until 2027-01-31" in ran.out


FORMATS = ("text", "json", "markdown", "html", "github", "junit")
ENDING = {
    "a temporary owner": (
        "orgs: {acme: {members: {alice: owner, bob: {role: owner, expires: 2099-01-31, then: member}}}}",
        "until 2099-01-31, then member",
    ),
    "a grant by way of a team": (
        (
            "teams: {sre: [bob]}\n"
            "orgs: {acme: {members: {alice: owner, bob: member}, workspaces: "
            "{prod: {members: {team/sre: {role: operator, expires: 2099-02-28}}}}}}"
        ),
        "until 2099-02-28",
    ),
    "an invitation": (
        "orgs: {acme: {members: {alice: owner, bob: member, zoe: {role: member, expires: 2099-03-31}}}}",
        "until 2099-03-31",
    ),
}


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize(("manifest", "words"), ENDING.values(), ids=list(ENDING))
def test_a_plan_says_in_every_format_when_what_it_gives_ends(bench, manifest, words, fmt):
    bench.pipes("orgs: {acme: {members: {alice: owner, bob: member}, workspaces: {prod: {}}}}\nusers: {zoe: {}}")
    bench.manifest(manifest)
    ran = bench.plan("--format", fmt)
    assert ran.status == 0
    if fmt != "json":
        assert words in ran.out
        return
    day, _, then = words.removeprefix("until ").partition(", then ")
    (change,) = ran.json["resource_changes"]
    assert (change["expires"], change["then"]) == (day, then or None)
    assert {effect["expires"] for effect in ran.json["impact"]} == {day}


@pytest.mark.parametrize("saved", [False, True], ids=["", "a saved plan"])
@pytest.mark.parametrize("fmt", FORMATS)
def test_an_apply_says_in_every_format_when_what_it_gave_ends(bench, fmt, saved):
    bench.pipes(
        "users: {bob: {}, carol: {}}\norgs: {acme: {members: {alice: owner, bob: member, carol: member}, workspaces: {prod: {}}}}"
    )
    bench.manifest(
        "orgs:\n  acme:\n    members: {alice: owner, bob: {role: owner, expires: 2027-01-31, then: member}, carol: member}\n"
        "    workspaces: {prod: {members: {carol: {role: operator, expires: 2027-02-02}}}}\n"
    )
    if saved:
        assert bench.plan("-o", "plan.json").status == 0
    ran = bench.run("apply", *bench.local, *(["plan.json"] if saved else ["--auto-approve"]), "--format", fmt)
    assert ran.status == 0
    assert ("2027-01-31" in ran.out, "2027-02-02" in ran.out) == (True, True)
    assert re.search(r"then(\W+| member)", ran.out)


def test_an_apply_says_before_it_asks_when_what_it_gives_ends(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner, bob: member}}}")
    bench.manifest(ENDING["a temporary owner"][0])
    assert "until 2099-01-31, then member" in bench.apply().out


def test_a_saved_plan_keeps_when_what_it_gives_ends(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner, bob: member}}}")
    bench.manifest(ENDING["a temporary owner"][0])
    bench.plan("-o", "plan.json")
    assert bench.run("show", "plan.json").out.count("until 2099-01-31, then member") == 2
