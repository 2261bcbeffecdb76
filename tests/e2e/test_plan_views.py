"""Plans that can be read: alike changes together, nothing said twice, and views by org, by person and by workspace."""

from __future__ import annotations

import pytest

PEOPLE = [f"user-{number:03}" for number in range(60)]
SPACES = ["alpha", "beta", "gamma", "delta", "omega"]
ROLES = ("reader", "operator", "owner")


def granted(space):
    """40 of the people, with roles that take turns."""
    at = SPACES.index(space)
    return {person: ROLES[number % 3] for number, person in enumerate(PEOPLE[at * 4 : at * 4 + 40])}


@pytest.fixture
def large(bench):
    """203 changes over 5 workspaces: 40 grants in each, and three of the organization."""
    everyone = {"alice": "owner", "bob": "owner", "eve": "owner", **dict.fromkeys(PEOPLE, "member")}
    bench.pipes(
        {
            "users": {"zoe": {}},
            "orgs": {
                "acme": {"members": everyone, "workspaces": {space: {} for space in SPACES}},
                "quiet": {"members": {"alice": "owner"}},
            },
        }
    )
    wanted = {**everyone, "zoe": "owner"}
    del wanted["eve"]
    lines = ["orgs:", "  quiet: {}", "  acme:", "    display_name: Acme", "    members:"]
    lines += [f"      {person}: {role}" for person, role in wanted.items()]
    lines += ["      eve: {absent: true}", "    workspaces:"]
    for space in SPACES:
        lines += [f"      {space}:", "        members:"]
        lines += [f"          {person}: {role}" for person, role in granted(space).items()]
    bench.manifest("\n".join(lines))
    return bench


@pytest.fixture
def small(bench):
    bench.pipes(
        """
        users: {zoe: {}}
        orgs:
          acme: {members: {alice: owner, bob: member, carol: member}, workspaces: {prod: {members: {carol: reader}}, dev: {}}}
          beta: {members: {alice: owner, bob: member}}
        """
    )
    bench.manifest(
        """
orgs:
  acme:
    members: {alice: owner, bob: member, carol: member, zoe: member}
    workspaces: {prod: {members: {bob: reader, carol: operator}}, dev: {display_name: null}}
  beta: {members: {alice: owner, bob: owner}}
""".replace(", dev: {display_name: null}", ", dev: {}")
    )
    return bench


def test_203_changes_over_5_workspaces_are_read_in_under_120_lines(large):
    assert len(large.planned().json["resource_changes"]) == 203
    assert len(large.plan().out.splitlines()) < 120


@pytest.mark.parametrize(("size", "twice"), [("large", True), ("small", False)])
def test_what_is_longer_than_a_screen_says_its_summary_first_and_last(request, size, twice):
    lines = request.getfixturevalue(size).plan().out.splitlines()
    summary = lines[-1]
    assert summary.startswith("Plan: ")
    assert (lines[1] == summary) is twice, "below the line that says where it comes from"
    assert lines.count(summary) == 1 + twice


def test_a_large_plan_names_everybody_and_v_loses_nothing(large):
    out, full = large.plan().out, large.plan("-v").out
    for change in large.planned().json["resource_changes"]:
        assert change["address"] in full
        name = change["address"].rpartition(".")[2]
        assert name in out
    for effect in large.planned().json["impact"]:
        assert f"{effect['person']} " in full
    for space in SPACES:
        for role in ROLES:
            number = sum(1 for found in granted(space).values() if found == role)
            assert f"+ {number} grants  role: {role}" in out


def test_a_large_plan_shows_what_is_not_alike_by_itself(large):
    out = large.plan().out
    assert "org.acme/member.zoe" in out
    assert "org.acme/member.eve" in out
    assert "eve loses owner of acme" in out


def test_what_a_change_says_is_not_said_again_in_the_impact(small):
    out = small.plan().out
    assert "grant.bob" in out
    assert "bob gains reader on acme/prod" not in out
    assert "carol changes from reader to operator" not in out
    assert "bob changes from member to owner of beta" in out  # who owns an organization always stands there
    assert "Who gains or loses access:\n  Owners\n" in out
    assert "beyond the lines above" not in out, "the line of an owner is above, too"
    full = small.plan("-v").out
    assert "bob gains reader on acme/prod" in full
    assert "carol changes from reader to operator on acme/prod" in full


def test_what_a_change_does_not_say_stays_in_the_impact(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner, bob: owner}, workspaces: {prod: {}}}}")
    bench.manifest("orgs: {acme: {members: {alice: owner, bob: {absent: true}}, workspaces: {prod: {members: {}}}}}")
    assert "bob loses owner on acme/prod (no longer an owner)" in bench.plan().out


def test_an_invitation_is_said_to_be_one_in_its_line(small):
    assert "once the invitation is accepted" in next(
        line for line in small.plan().out.splitlines() if "member.zoe" in line
    )


def test_the_summary_is_a_line_for_each_org(small):
    lines = small.plan("--summary").out.splitlines()
    assert lines[1:3] == ["acme  +2 ~1 -0", "beta  +0 ~1 -0  owners: +bob"]
    assert lines[-1].startswith("Plan: 2 to create, 2 to update, 0 to rename, 0 to delete.")


@pytest.mark.parametrize(
    "view", [(), ("--summary",), ("--by", "person"), ("--person", "bob"), ("--format", "markdown")]
)
def test_an_owner_for_a_while_is_shown_as_one_in_every_view(bench, view):
    bench.pipes("users: {bob: {}}\norgs: {acme: {members: {alice: owner, bob: member}}}")
    bench.manifest(
        "orgs: {acme: {members: {alice: owner, bob: {role: owner, reason: on call, expires: 2027-01-31, then: member}}}}"
    )
    out = bench.plan(*view).out
    assert "bob" in out
    assert "until 2027-01-31, then member" in out


def test_the_summary_names_what_refuses(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner, bob: owner}}}")
    bench.manifest("orgs: {acme: {members: {alice: owner}}}")
    ran = bench.plan("--summary")
    assert ran.status == 3
    assert "refused: owner-removal" in ran.out.splitlines()[1]
    assert "Refused: owner-removal  org.acme/member.bob" in ran.out


def test_by_person_is_a_line_for_each_person_with_all_that_changes(small):
    lines = small.plan("--by", "person").out.splitlines()
    assert lines[1:4] == [
        "bob    + reader on acme/prod; + member -> owner of beta",
        "carol  ~ reader -> operator on acme/prod",
        "zoe    + member of acme, once the invitation is accepted",
    ]


def test_by_person_counts_what_is_about_nobody(large):
    assert "1 change concerns no single person: ~ org.acme" in large.plan("--by", "person").out


@pytest.mark.parametrize("format_", ["text", "markdown", "html"])
def test_only_one_person_or_one_workspace_is_shown(small, format_):
    bob = small.plan("--person", "bob", "--format", format_).out
    assert "bob" in bob
    assert "carol" not in bob
    assert "zoe" not in bob
    assert "Only what concerns bob is shown" in bob
    prod = small.plan("--workspace", "acme/prod", "--format", format_).out
    assert "bob" in prod
    assert "zoe" not in prod
    assert "beta" not in prod


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--person", "nobody-here"), "Nothing in this plan concerns nobody-here. The whole plan: "),
        (("--workspace", "prod"), "Nothing in this plan concerns prod; did you mean acme/prod? The whole plan: "),
        (("--person", "bobb"), "Nothing in this plan concerns bobb; did you mean bob? The whole plan: "),
    ],
)
def test_a_view_of_nothing_never_says_that_nothing_changes(small, args, says):
    out = small.plan(*args).out
    assert says in out
    assert "No changes" not in out


def test_a_view_does_not_change_the_exit_status(small):
    for view in (("--summary",), ("--by", "person"), ("--person", "nobody"), ("--workspace", "acme/dev")):
        assert small.plan("--detailed-exitcode", *view).status == 2, view


@pytest.mark.parametrize(
    "view", [("--summary",), ("--by", "person"), ("--person", "bob"), ("--workspace", "acme/prod")]
)
@pytest.mark.parametrize("more", [("-o", "plan.json"), ("--save", "plan.json"), ("--format", "json"), ("--since", ".")])
def test_a_view_goes_with_nothing_that_holds_the_whole_plan(small, view, more):
    ran = small.plan(*view, *more)
    assert ran.status == 1
    assert not (small.folder / "plan.json").exists()


def test_save_is_the_long_name_of_o(small):
    assert small.plan("--save", "plan.json").status == 0
    assert small.run("apply", "plan.json", *small.local).status == 0


def test_a_small_plan_has_a_line_for_each_change(small):
    out = small.plan().out
    for change in small.planned().json["resource_changes"]:
        assert change["address"] in out


def test_a_warning_for_each_of_many_workspaces_is_one_in_the_plan_and_all_with_v(bench):
    spaces = {f"ws{n:02}": {"members": {"bob": "reader"}} for n in range(20)}
    bench.pipes({"orgs": {"acme": {"members": {"alice": "owner", "bob": "member"}, "workspaces": spaces}}})
    listed = "".join(f"      {name}: {{members: {{bob: reader}}}}\n" for name in spaces)
    bench.manifest(f"orgs:\n  acme:\n    members: {{alice: owner, bob: owner}}\n    workspaces:\n{listed}")
    out = bench.plan().out
    assert out.count("warning: bob owns acme and so has access to acme/ws00 already") == 1
    assert out.count(" warning: ") == 1
    assert "and 19 more like it: acme/ws01 (orgs.yaml:7:24)" in out
    assert bench.plan("-v").out.count(" warning: ") == 20
    assert bench.run("validate").out.count(" warning: ") + bench.run("validate").err.count(" warning: ") == 1
