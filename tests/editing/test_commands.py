"""`grant`, `revoke`, `onboard` and `move`: a patch that git takes, what is said beside it, and what is refused."""

from __future__ import annotations

import re
import subprocess

import pytest

MANIFEST = """version: 1

people:
  carol: {email: carol@example.com}
  dave: {handle: dave-acme}

teams:
  heads: [hal]
  platform: [alice, bob] # ours
  sre: [carol, team/platform]

orgs:
  acme:
    members:
      alice: owner
      erin: {role: member, expires: 2027-01-31}
      fred: member
      grace: owner
      team/heads: owner
      team/sre: member
    workspaces:
      lab:
        members: {}
      prod:
        members:
          carol: reader # still learning
          fred: reader
          team/sre: operator
      wild: {}
"""


@pytest.fixture
def here(bench):
    """A bench whose manifest is formatted."""
    bench.manifest(MANIFEST)
    assert bench.run("fmt").status == 0
    return bench


def edited(bench, *args):
    """Run a command; git takes the patch, the result is valid and formatted, and a review tells what the command told."""
    before = (bench.folder / "orgs.yaml").read_text()
    bench.manifest(before, "base/orgs.yaml")
    ran = bench.run(*args)
    assert ran.status == 0, ran.err
    assert (bench.folder / "orgs.yaml").read_text() == before
    if not ran.out:
        assert "Nothing to do: " in ran.err
        return ran, set()
    subprocess.run(["git", "apply", "-"], cwd=bench.folder, input=ran.out.encode(), check=True)
    after = (bench.folder / "orgs.yaml").read_text()
    assert bench.run("validate", "orgs.yaml").status == 0
    assert bench.run("fmt", "--check", "orgs.yaml").status == 0
    bench.manifest(after, "head/orgs.yaml")
    review = bench.run("review", "base", "head", "--format", "json").json
    access = {(one["person"], one["object"], (one["after"] or {}).get("role")) for one in review["access"]}
    stays = {(one["person"], one["object"], one["after"]["role"]) for one in review["rerouted"]}
    lines = [line for line in ran.err.splitlines() if line[:2] in ("+ ", "- ", "~ ")]
    for who, place, role in access | stays:
        about = re.compile(rf". {re.escape(who)}\b.* {re.escape(place)}[ ,]")
        (line,) = [one for one in lines if about.match(one)]
        assert role is None or role in line
    assert bool(lines) == bool(access | stays)
    assert len([line for line in lines if " stays " in line]) <= len(stays)
    return ran, access


def added(ran):
    return [line[1:].strip() for line in ran.out.splitlines() if line[0] == "+" and not line.startswith("+++")]


# --- grant --------------------------------------------------------------------------------------------------------------


def test_a_team_that_gives_exactly_that_is_joined(here):
    ran, access = edited(here, "grant", "dave", "operator", "acme/prod")
    assert added(ran) == ["sre: [carol, dave, team/platform]"]
    assert "dave joins team/sre, which gives operator on acme/prod" in ran.err
    assert access == {("dave", "acme", "member"), ("dave", "acme/prod", "operator")}


def test_a_team_that_gives_more_is_named_and_not_joined(here):
    text = (here.folder / "orgs.yaml").read_text().replace("members: {}", "members: {team/sre: owner}")
    here.manifest(text)
    here.run("fmt")
    ran, access = edited(here, "grant", "dave", "operator", "acme/prod")
    assert "team/sre gives operator on acme/prod as well, but also owner on acme/lab" in ran.err
    assert access == {("dave", "acme", "member"), ("dave", "acme/prod", "operator")}


def test_an_end_and_a_reason_stand_beside_the_role_and_let_them_into_the_organization_as_long(here):
    ran, _ = edited(
        here, "grant", "dave", "admin", "acme/lab", "--until", "2026-12-24", "--reason", 'INC-42: a #1 "fire"'
    )
    assert added(ran) == [
        "dave: {role: member, expires: 2026-12-25}",
        "members:",
        'dave: {role: operator, expires: 2026-12-25, reason: "INC-42: a #1 \\"fire\\""}',
    ]
    assert "dave becomes a member of acme as well" in ran.err


@pytest.mark.parametrize(("time", "day"), [("14d", "2026-12-08"), ("2w", "2026-12-08"), ("1d", "2026-11-25")])
def test_what_is_for_a_while_falls_back_to_what_they_had(here, time, day):
    ran, access = edited(here, "grant", "fred", "owner", "acme/prod", "--for", time)
    assert added(ran) == [f"fred: {{role: owner, expires: {day}, then: reader}}"]
    assert access == {("fred", "acme/prod", "owner")}


def test_what_stays_and_lasts_longer_is_said(here):
    ran, access = edited(here, "grant", "erin", "member", "acme")
    assert (added(ran), access) == (["erin: member"], set())
    assert "~ erin stays member of acme (was direct, until 2027-01-31; now direct)" in ran.err


def test_a_weaker_entry_than_a_teams_is_said_to_lower(here):
    ran, _ = edited(here, "grant", "bob", "reader", "acme/prod")
    assert added(ran) == ["bob: reader"]
    assert "this entry lowers bob from operator, which team/sre gives, to reader on acme/prod" in ran.err


def test_an_owner_is_stated_and_never_by_a_team(here):
    ran, access = edited(here, "grant", "bob", "owner", "acme")
    assert added(ran) == ["bob: owner"]
    assert ("bob", "acme", "owner") in access


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("fred", "reader", "acme/prod"), "fred has reader on acme/prod already (direct)"),
        (("bob", "operator", "acme/prod"), "bob has operator on acme/prod already (team/sre)"),
        (("fred", "reader", "acme/prod", "--for", "3d"), "fred has reader on acme/prod already (direct)"),
        (("erin", "member", "acme", "--until", "2026-12-01"), "erin has member on acme already (direct, until 2027-01-31)"),
        (("alice", "reader", "acme/prod"), "alice owns acme and so has access to acme/prod already"),
        (("carol@example.com", "member", "acme"), "carol has member on acme already (team/sre)"),
    ],
)  # fmt: skip
def test_what_is_there_already_is_said(here, args, said):
    ran, _ = edited(here, "grant", *args)
    assert f"Nothing to do: {said}." in ran.err
    assert "Who has access to what:" in ran.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("bbo", "reader", "acme/lab"), "did you mean `bob`"),
        (("carrol", "reader", "acme/lab"), "did you mean `carol`"),
        (("who@example.com", "reader", "acme/lab"), "reconciler onboard EMAIL --as NAME"),
        (("bob", "raeder", "acme/lab"), "raeder is not a role in a workspace; did you mean `reader`?"),
        (("bob", "reader", "acme"), "reader is not a role in an organization; the roles are member, owner"),
        (("bob", "reader", "acme/prdo"), "the manifests have no workspace acme/prdo; did you mean `acme/prod`"),
        (("bob", "reader", "acem/prod"), "the manifests have no organization acem; did you mean `acme`"),
        (("bob", "reader", "prod"), "the manifests have no organization prod; did you mean `acme/prod`"),
        (("bob", "reader", "acme/lab", "--until", "2026-11-23"), "--until 2026-11-23: that day is over"),
        (("bob", "reader", "acme/lab", "--for", "soon"), "soon is not a number of days; write it like 14d or 2w"),
        (("bob", "reader", "acme/lab", "--for", "1d", "--until", "2027-01-01"), "--until and --for both say when it ends"),
        (("grace", "member", "acme", "--for", "1d"), "an entry can fall back to a weaker role only"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_an_error(here, args, said):
    ran = here.run("grant", *args)
    assert (ran.status, ran.out) == (1, "")
    assert said in ran.err


def test_a_first_entry_is_refused_where_it_would_remove_everybody_else(here):
    ran = here.run("grant", "bob", "reader", "acme/wild")
    assert (ran.status, ran.out) == (3, "")
    assert "run `reconciler import acme`" in ran.err


def test_a_first_entry_is_written_where_unlisted_people_are_kept(here):
    here.manifest((here.folder / "orgs.yaml").read_text().replace("wild: {}", "wild: {unlisted: keep}"))
    assert here.run("fmt").status == 0
    ran, access = edited(here, "grant", "bob", "reader", "acme/wild")
    assert "bob: reader" in added(ran)
    assert ("bob", "acme/wild", "reader") in access


def test_the_last_owner_is_not_lowered(here):
    for name in ("hal", "grace"):
        edited(here, "grant", name, "member", "acme")
    ran = here.run("grant", "alice", "member", "acme")
    assert (ran.status, ran.out) == (3, "")
    assert "owner-floor" in ran.err


def test_a_line_in_another_file_is_edited_there_and_nothing_is_printed_with_write(bench):
    bench.manifest("version: 1\norgs: {acme: {members: {alice: owner}}}\n", "orgs/a.yaml")
    bench.manifest("version: 1\norgs: {acme: {workspaces: {prod: {members: {}}}}}\n", "orgs/b.yaml")
    ran = bench.run("grant", "bob", "reader", "acme/prod", "--write")
    assert (ran.status, ran.out) == (0, "")
    assert "bob: member" in (bench.folder / "orgs/a.yaml").read_text()
    assert "bob: reader" in (bench.folder / "orgs/b.yaml").read_text()
    assert bench.run("grant", "bob", "reader", "acme/prod", "--write", "--out", "x").status == 1


# --- revoke -------------------------------------------------------------------------------------------------------------


def test_an_entry_goes_and_an_owners_removal_is_stated(here):
    ran, access = edited(here, "revoke", "fred", "acme/prod")
    assert access == {("fred", "acme/prod", None)}
    assert "-          fred: reader" in ran.out.splitlines()
    ran, access = edited(here, "revoke", "grace", "acme")
    assert added(ran) == ["grace: {absent: true}"]
    assert ("grace", "acme", None) in access


def test_a_membership_goes_with_the_grants(here):
    ran, access = edited(here, "revoke", "fred", "acme")
    assert access == {("fred", "acme", None), ("fred", "acme/prod", None)}
    assert added(ran) == []
    assert "fred reaches nothing by the manifests." in ran.err


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("bob", "acme/prod"), "given-by-team", "team/sre gives bob access to acme/prod, through team/platform"),
        (("carol", "acme/prod"), "given-by-team", "team/sre gives carol access to acme/prod"),
        (("carol", "acme"), "given-by-team", "`reconciler move carol --from sre`"),
        (("alice", "acme/prod"), "given-by-ownership", "alice owns acme"),
    ],
)
def test_what_a_team_or_an_ownership_gives_is_not_taken(here, args, code, said):
    ran = here.run("revoke", *args)
    assert (ran.status, ran.out) == (3, "")
    assert f"Refused: {code}" in ran.err
    assert said in ran.err


@pytest.mark.parametrize("args", [("revoke", "alice", "acme"), ("move", "hal", "--from", "heads")])
def test_the_floor_is_said_of_the_organizations_that_lose_an_owner_alone(bench, args):
    owners = "{alice: owner}" if args[0] == "revoke" else "{team/heads: owner}"
    bench.manifest(
        f"teams: {{heads: [hal]}}\norgs: {{acme: {{members: {owners}}}, beta: {{members: {{alice: owner, hal: member}}}}}}\n"
    )
    ran = bench.run(*args)
    assert (ran.status, ran.err.count("Refused: owner-floor")) == (3, 1), ran.err
    assert "org.acme" in ran.err


def test_what_is_not_there_is_said(here):
    ran, _ = edited(here, "revoke", "fred", "acme/lab")
    assert "Nothing to do: fred has no role on acme/lab." in ran.err


# --- move, onboard --------------------------------------------------------------------------------------------------------


def test_a_move_states_where_somebody_stops_to_own(here):
    ran, access = edited(here, "move", "hal", "--from", "heads", "--to", "team/platform")
    assert added(ran) == ["heads: []", "platform: [alice, bob, hal]  # ours", "hal: member"]
    assert ("hal", "acme", "member") in access
    assert "hal stops owning acme, which is stated there" in ran.err
    ran, _ = edited(here, "move", "hal", "--from", "heads", "--to", "platform")
    assert "Nothing to do: hal is in team/platform already" in ran.err


def test_a_move_from_where_they_are_not_is_an_error_or_names_the_team_inside(here):
    ran = here.run("move", "fred", "--from", "sre", "--to", "platform")
    assert (ran.status, "fred is not in team/sre" in ran.err) == (1, True)
    ran = here.run("move", "bob", "--from", "sre", "--to", "heads")
    assert (ran.status, "bob is in team/sre through team/platform" in ran.err) == (3, True)
    ran = here.run("move", "bob", "--from", "plattform", "--to", "heads")
    assert (ran.status, "did you mean `platform`?" in ran.err) == (1, True)


def test_somebody_new_gets_a_name_and_a_team(here):
    ran, access = edited(here, "onboard", "zoe@example.com", "--as", "zoe", "--team", "sre")
    assert added(ran) == ["zoe: {email: zoe@example.com}", "sre: [carol, team/platform, zoe]"]
    assert access == {("zoe", "acme", "member"), ("zoe", "acme/prod", "operator")}
    ran, _ = edited(here, "onboard", "zoe@example.com", "--as", "zoe", "--team", "sre")
    assert "Nothing to do: zoe is in the manifests already, and in team/sre." in ran.err


def test_somebody_new_gets_what_another_has_but_no_ownership_and_nothing_that_ends(here):
    ran, access = edited(here, "onboard", "zoe@example.com", "--as", "zoe", "--like", "fred")
    assert access == {("zoe", "acme", "member"), ("zoe", "acme/prod", "reader")}
    ran, access = edited(here, "onboard", "yan@example.com", "--as", "yan", "--like", "hal")
    assert access == set()
    assert "team/heads makes its people owners, so yan does not join it" in ran.err
    ran, access = edited(here, "onboard", "xia@example.com", "--as", "xia", "--like", "erin")
    assert access == set()
    assert "ends on 2027-01-31 and is not copied" in ran.err


SPARSE = """teams:
  core: [alice]
  guests: [ivy, team/core]
  kept: [judy]
orgs:
  acme:
    members:
      alice: owner
      ivy: member
      judy: member
      kim: member
    workspaces:
      lab:
        members:
          judy: {absent: true}
          team/kept: reader
      prod:
        members:
          team/guests: reader
          team/kept: operator
"""


@pytest.mark.parametrize("more", [(), ("--for", "7d")])
def test_a_team_with_a_role_in_a_workspace_alone_makes_its_people_members_as_well(bench, more):
    def start(text=SPARSE):
        bench.manifest(text)
        assert bench.run("fmt").status == 0

    end = "member" if not more else "{role: member, expires: 2026-12-01}"
    for team in ("guests", "core"):  # core is inside
        start()
        ran, access = edited(bench, "onboard", "zoe@example.com", "--as", "zoe", "--team", team, *more)
        assert access == {("zoe", "acme", "member"), ("zoe", "acme/prod", "reader")}
        assert f"zoe: {end}" in added(ran)
        assert "zoe becomes a member of acme as well, for the role on acme/prod" in ran.err
    start()
    ran, access = edited(bench, "move", "kim", "--to", "guests", *more)
    assert access == {("kim", "acme/prod", "reader")}
    start(
        SPARSE.replace("      kim: member\n", "")
        .replace("[judy]", "[judy, kim]")
        .replace("      judy: member", "      judy: member\n      team/kept: member")
    )
    ran, access = edited(bench, "move", "kim", "--from", "kept", "--to", "core", *more)
    assert access == {("kim", "acme/lab", None), ("kim", "acme/prod", "reader")}
    assert "kim becomes a member of acme as well" in ran.err


def test_a_team_is_preferred_also_where_it_does_not_make_its_people_members(bench):
    bench.manifest(SPARSE)
    assert bench.run("fmt").status == 0
    ran, access = edited(bench, "grant", "leo", "reader", "acme/prod")
    assert access == {("leo", "acme", "member"), ("leo", "acme/prod", "reader")}
    assert "leo joins team/guests, which gives reader on acme/prod" in ran.err
    assert "leo becomes a member of acme as well" in ran.err


ALIASED = """version: 1
teams:
  ops: &ops
    - erin
  sre: *ops
  dev: [fay]
orgs:
  acme:
    members: {alice: owner, dave: member, erin: member, fay: member}
    workspaces:
      lab: {members: &lab {dave: reader}}
      lab2: {members: *lab}
      prod: {members: {team/ops: reader}}
"""


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("grant", "dave", "operator", "acme/lab"), 11),
        (("grant", "erin", "reader", "acme/lab"), 11),
        (("revoke", "dave", "acme/lab"), 11),
        (("revoke", "dave", "acme/lab2"), 12),
        (("move", "erin", "--from", "ops"), 3),
        (("move", "fay", "--to", "ops"), 3),
        (("onboard", "zoe@example.com", "--as", "zoe", "--team", "sre"), 5),
    ],
)
def test_what_an_alias_repeats_is_not_edited_as_that_would_change_another_place(bench, args, line):
    bench.manifest(ALIASED)
    ran = bench.run(*args)
    assert (ran.status, ran.out) == (1, "")
    assert f"orgs.yaml:{line}:" in ran.err
    assert "alias" in ran.err


def test_an_alias_elsewhere_is_no_hindrance(bench):
    bench.manifest(ALIASED)
    for args in (
        ("move", "erin", "--to", "dev"),
        ("onboard", "z@example.com", "--as", "zoe", "--team", "dev"),
        ("grant", "erin", "operator", "acme/prod"),
    ):
        ran = bench.run(*args)
        assert (ran.status, bool(ran.out)) == (0, True), ran.err


def test_whoever_is_like_somebody_is_kept_out_as_they_are_unless_a_team_is_named(bench):
    bench.manifest(SPARSE)
    assert bench.run("fmt").status == 0
    ran, access = edited(bench, "onboard", "zoe@example.com", "--as", "zoe", "--like", "judy")
    assert access == {("zoe", "acme", "member"), ("zoe", "acme/prod", "operator")}
    assert "zoe: {absent: true}" in added(ran)
    assert "judy is kept out of acme/lab by an entry of their own, and zoe gets the same" in ran.err
    bench.manifest(SPARSE)
    assert bench.run("fmt").status == 0
    ran, access = edited(bench, "onboard", "zoe@example.com", "--as", "zoe", "--like", "judy", "--team", "kept")
    assert access == {("zoe", "acme", "member"), ("zoe", "acme/lab", "reader"), ("zoe", "acme/prod", "operator")}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("carol@example.com", "--as", "caro"), "carol@example.com is carol already"),
        (("new@example.com", "--as", "carol"), "carol is somebody else already (carol@example.com)"),
        (("new@example.com", "--as", "bob"), "bob is the Pipes handle of somebody in the manifests"),
        (("new@example.com", "--as", "new", "--like", "team/sre"), "team/sre is a team, and this is about one person"),
        (("new@example.com", "--as", "new", "--team", "sree"), "did you mean `sre`?"),
        (("new@example.com", "--as", "new", "--like", "carrol"), "did you mean `carol`?"),
        (("not an address", "--as", "new"), "neither an email address nor a Pipes handle"),
        (("new@example.com", "--as", "no way"), "this cannot be a name in the manifests"),
    ],
)  # fmt: skip
def test_who_cannot_be_let_in_is_an_error(here, args, said):
    ran = here.run("onboard", *args)
    assert (ran.status, ran.out) == (1, "")
    assert said in ran.err


def test_hostile_reasons_stay_where_they_are_written(here):
    ran, _ = edited(here, "grant", "dave", "reader", "acme/lab", "--reason", "\x1b[31m::error::x\n- {a: b}\u202e @team")
    assert "\x1b" not in ran.out + ran.err
    assert "\u202e" not in ran.err


@pytest.mark.parametrize(
    "command",
    [
        ("grant", "bob", "operator", "acme/prod"),
        ("revoke", "bob", "acme/prod"),
        ("move", "bob", "--to", "red"),
        ("onboard", "new@example.com", "--as", "new", "--like", "bob"),
        ("offboard", "bob"),
    ],
    ids=lambda command: command[0],
)
def test_a_word_that_means_two_people_is_refused_by_each_command(bench, command):
    bench.manifest(
        "people: {ann: {handle: bob}, bob: {handle: carl}}\nteams: {red: [ann], blue: [bob]}\n"
        "orgs: {acme: {members: {alice: owner, ann: member, bob: member}, workspaces: {prod: {members: {bob: reader}}}}}\n"
    )
    before = (bench.folder / "orgs.yaml").read_bytes()
    ran = bench.run(*command, "--write")
    assert (ran.status, ran.out) == (3, "")
    assert "Refused: who-is-this  bob" in ran.err
    assert (bench.folder / "orgs.yaml").read_bytes() == before


KEEPS = """\
version: 1
teams:
  sre: [bob, carol]
orgs:
  acme:
    unlisted: keep
    members:
      alice: owner
      dave: member
      team/sre: member
    workspaces:
      prod:
        unlisted: keep
        members:
          carol: operator
          dave: reader
"""


@pytest.mark.parametrize(
    ("args", "gone"),
    [
        (("revoke", "carol", "acme/prod"), {"acme/prod"}),
        (("revoke", "dave", "acme"), {"acme", "acme/prod"}),
        (("move", "bob", "--from", "sre"), {"acme"}),
        (("offboard", "carol"), {"acme", "acme/prod"}),
        (("offboard", "dave"), {"acme", "acme/prod"}),
    ],
)
def test_a_loss_is_stated_where_whoever_has_no_line_stays(bench, args, gone):
    users = "{bob: {}, carol: {}, dave: {}}"
    members = "{alice: owner, bob: member, carol: member, dave: member}"
    bench.pipes(
        f"users: {users}\norgs: {{acme: {{members: {members}, workspaces: {{prod: {{members: {{carol: operator, dave: reader}}}}}}}}}}\n"
    )
    bench.manifest(KEEPS)
    assert bench.run("fmt").status == 0
    _, access = edited(bench, *args)
    assert {(who, place) for who, place, role in access if role is None} >= {(args[1], place) for place in gone}
    assert bench.apply().status == 0
    for place, path in (("acme", "/org/acme/member"), ("acme/prod", "/org/acme/workspace/prod/member")):
        there = [row["user_handle"] for row in bench.client().all(path) if row["scope"] != "org" or place == "acme"]
        assert args[1] not in there or place not in gone


# --- entries of teams that end ------------------------------------------------------------------------------------------


def until(bench, day="2026-11-24"):
    rows = bench.run("access", "--format", "json", "--on", day).json["access"]
    return {(one["person"], one["object"]): (one["role"], one["expires"], one["then"]) for one in rows}


def test_a_team_that_gives_exactly_that_is_joined_for_a_while(here):
    ran, access = edited(here, "grant", "dave", "operator", "acme/prod", "--for", "14d", "--reason", "INC-42")
    assert added(ran) == ["sre: [carol, {name: dave, expires: 2026-12-08, reason: INC-42}, team/platform]"]
    assert access == {("dave", "acme", "member"), ("dave", "acme/prod", "operator")}
    assert until(here)["dave", "acme/prod"] == ("operator", "2026-12-08", None)
    assert ("dave", "acme") not in until(here, "2026-12-08")
    ran, _ = edited(here, "grant", "dave", "operator", "acme/prod", "--for", "13d")
    assert "dave has operator on acme/prod already (team/sre, until 2026-12-08)" in ran.err
    ran, _ = edited(here, "grant", "dave", "operator", "acme/prod")
    assert added(ran) == ["sre: [carol, dave, team/platform]"]


def test_somebody_new_and_a_move_may_be_for_a_while_and_a_move_may_overlap(here):
    ran, _ = edited(here, "onboard", "zoe@example.com", "--as", "zoe", "--team", "sre", "--until", "2026-12-24")
    assert "sre: [carol, team/platform, {name: zoe, expires: 2026-12-25}]" in added(ran)
    ran, _ = edited(
        here, "onboard", "yan@example.com", "--as", "yan", "--like", "fred", "--for", "2w", "--reason", "audit"
    )
    assert "yan: {role: reader, expires: 2026-12-08, reason: audit}" in added(ran)
    ran, _ = edited(
        here, "move", "bob", "--from", "platform", "--to", "heads", "--overlap", "14d", "--reason", "promoted"
    )
    assert added(ran) == [
        "heads: [{name: bob, reason: promoted}, hal]",
        "platform: [alice, {name: bob, expires: 2026-12-08, reason: promoted}]  # ours",
    ]
    assert until(here)["bob", "acme"] == ("owner", None, None)
    ran, _ = edited(here, "move", "bob", "--from", "platform", "--to", "heads", "--overlap", "14d")
    assert "bob is in team/heads, and leaves team/platform already" in ran.err
    ran, _ = edited(here, "move", "bob", "--from", "platform", "--to", "heads")
    assert added(ran) == ["platform: [alice]  # ours"]
    for args, said in (
        (("move", "bob", "--to", "sre", "--overlap", "14d"), "--overlap is for a move"),
        (("move", "bob", "--from", "heads", "--for", "14d"), "so they need it"),
        (("onboard", "x@example.com", "--as", "x", "--for", "14d"), "name one with --team or --like"),
    ):
        ran = here.run(*args)
        assert (ran.status, said in ran.err) == (1, True), ran.err


def test_a_reason_that_nothing_is_written_for_is_said(here):
    ran, _ = edited(here, "revoke", "grace", "acme", "--reason", "left")
    assert added(ran) == ["grace: {absent: true, reason: left}"]
    ran, _ = edited(here, "revoke", "fred", "acme/prod", "--reason", "left")
    assert "write it in the commit message" in ran.err
    ran, _ = edited(here, "offboard", "hal", "--reason", "left")
    assert "hal: {absent: true, reason: left}" in added(ran)


def test_a_team_with_its_name_on_github_is_edited_like_any_other(here):
    text = (here.folder / "orgs.yaml").read_text()
    here.manifest(
        text.replace("heads: [hal]", 'heads: {members: [hal], github: "@acme/heads"}\n  new: {github: "@acme/new"}')
    )
    assert here.run("fmt").status == 0
    edited(here, "move", "bob", "--from", "platform", "--to", "heads")
    edited(here, "move", "bob", "--from", "heads", "--to", "new", "--for", "14d")
    assert "{name: bob, expires: 2026-12-08}" in (here.folder / "orgs.yaml").read_text()


def test_the_policies_and_approvals_that_an_edit_meets_are_said(here):
    text = (here.folder / "orgs.yaml").read_text()
    rules = """
policies:
  prod-is-sre: {in: "*/prod", role: [operator, owner], only: [team/sre, owners]}
approvals:
  default: {of: team/sre}
  acme/prod: {of: team/heads}
  role/owner: {of: team/sre, count: 2}
  losing: {of: none}
"""
    here.manifest(text + rules)
    ran = here.run("grant", "fred", "owner", "acme/prod")
    assert ran.status == 0
    assert re.search(r"Policies:\n  ! .*fred is owner on acme/prod \(direct\).* \(policy prod-is-sre, ", ran.err)
    assert "- {policy: prod-is-sre, who: fred, in: acme/prod, until: " in ran.err
    assert "Approvals:\n  ! 1 of team/heads for acme/prod: fred changes from reader to owner on acme/prod\n" in ran.err
    ran = here.run("grant", "fred", "owner", "acme", "--for", "14d")
    assert "Policies: this breaks none.\n" in ran.err
    assert "  ! 2 of team/sre for role/owner: fred changes from member to owner of acme\n" in ran.err
    ran = here.run("revoke", "fred", "acme/prod")
    assert "Policies: this breaks none.\nApprovals: this needs none.\n" in ran.err
    (here.folder / "orgs.yaml").write_text(text)
    assert "Policies" not in here.run("revoke", "fred", "acme/prod").err
