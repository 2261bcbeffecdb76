"""`review`: what a pull request changes, through the command."""

import json
import re

import pytest

from review import sample, sheets
from review.sheets import assert_golden

FORMATS = {"text": "txt", "json": "json", "markdown": "md", "html": "html", "github": "github", "junit": "junit.xml"}
ON = ("--on", sample.DAY)


@pytest.fixture
def pull(repository, bench):
    """Commit one text as BASE, write the other as it is now, and review."""

    def review(base, head, *options):
        repository.commit({"orgs.yaml": base})
        repository.put("orgs.yaml", head)
        return bench.run("review", "HEAD", *ON, *options)

    return review


def access(ran):
    """(person's handle, object, before, after) of each change, of a review as JSON."""
    roles = [(one["before"] or {}).get("role") or "-" for one in ran.json["access"]]
    return {
        (one["handle"], one["object"], had, (one["after"] or {}).get("role") or "-")
        for one, had in zip(ran.json["access"], roles, strict=True)
    }


def orgs(body, extra=""):
    return f"version: 1\n{extra}orgs:\n{body}"


def members(text, name="acme"):
    return orgs(f"  {name}: {{members: {{{text}}}}}\n")


def texts(ran):
    return [one["text"] for one in ran.json["statements"]]


# --- the report in each format ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", FORMATS)
def test_a_review_is_as_it_was_accepted(pull, format_):
    ran = pull(sample.BASE, sample.HEAD, "--format", format_, "-v")
    assert (ran.status, ran.err) == (0, "")
    sheets.OURS[format_](ran.out)
    assert_golden(f"review.{FORMATS[format_]}", ran.out)


def test_owners_stand_before_everything_else(pull):
    for format_ in ("text", "markdown", "html"):
        out = pull(sample.BASE, sample.HEAD, "--format", format_).out
        assert (
            out.index("Owners") < out.index("Important changes") < out.index("Access lost") < out.index("Access gained")
        )
    lines = pull(sample.BASE, sample.HEAD).out.split("Owners:\n")[1].splitlines()
    assert lines[0].startswith("  - frank loses owner of acme ")


def test_a_change_in_a_nested_team_of_two_orgs_names_every_person_and_workspace(pull):
    body = """\
  acme:
    members: {alice: owner, team/sre: member}
    workspaces: {prod: {members: {team/sre: operator}}, dev: {members: {team/platform: admin}}, aside: {members: {}}}
  beta:
    members: {zoe: owner, team/sre: member}
    workspaces: {data: {members: {team/sre: reader}}}
"""
    base = orgs(body, "teams: {platform: [bob, eve], sre: [team/platform, carol]}\n")
    ran = pull(base, base.replace("[bob, eve]", "[bob, dave, fred]"), "--format", "json")
    gained = {
        ("acme", "member"),
        ("acme/prod", "operator"),
        ("acme/dev", "operator"),
        ("beta", "member"),
        ("beta/data", "reader"),
    }
    assert access(ran) == {
        *((person, place, "-", role) for person in ("dave", "fred") for place, role in gained),
        *(("eve", place, role, "-") for place, role in gained),
    }
    assert ran.json["teams"] == [
        {"team": "platform", "joined": ["dave", "fred"], "left": ["eve"]},
        {"team": "sre", "joined": ["dave", "fred"], "left": ["eve"]},
    ]
    (dave,) = [one for one in ran.json["access"] if (one["handle"], one["object"]) == ("dave", "beta/data")]
    assert (dave["after"]["why"], dave["after"]["path"]) == ("team/sre", ["team/sre", "team/platform"])
    text = pull(base, base.replace("[bob, eve]", "[bob, dave, fred]")).out
    assert "+ dave gains member of acme and beta (team/sre, through team/platform; is invited)" in text
    assert "- eve loses reader on beta/data (no longer in beta; was team/sre, through team/platform)" in text


# --- exit status ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "options", "status"),
    [
        pytest.param("alice: owner", (), 0, id="nothing changes"),
        pytest.param("alice: owner", ("--detailed-exitcode",), 0, id="nothing changes, detailed"),
        pytest.param("alice: owner, bob: member", (), 0, id="changes"),
        pytest.param("alice: owner, bob: member", ("--detailed-exitcode",), 2, id="changes, detailed"),
        pytest.param("alice: ownr", ("--detailed-exitcode",), 1, id="errors"),
    ],
)
def test_the_exit_status_says_how_it_ended(pull, head, options, status):
    assert pull(members("alice: owner"), members(head), *options).status == status


def test_without_changes_it_is_one_line_of_result(pull):
    assert pull(sample.BASE, sample.BASE + "# a comment\n").out.splitlines()[-1] == "No changes."


def test_no_token_and_no_network_is_needed(repository, bench, monkeypatch):
    import socket

    def refuse(*_, **__):
        raise AssertionError("review opened a connection")

    monkeypatch.setattr(socket, "socket", refuse)
    first = repository.commit({"orgs.yaml": sample.BASE})
    second = repository.commit({"orgs.yaml": sample.HEAD})
    assert bench.run("review", first, second, *ON).status == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        pytest.param(("nowhere",), "`nowhere` is neither a revision", id="an unknown BASE"),
        pytest.param(("HEAD", "nowhere"), "`nowhere` is neither a revision", id="an unknown HEAD"),
        pytest.param(("--", "--upload-pack=x"), "looks like an option", id="an option as BASE"),
        pytest.param(
            ("HEAD", "--path", "nowhere.yaml"), "there is no such file or folder", id="a path that HEAD lacks"
        ),
        pytest.param((), "Missing argument 'BASE'", id="no BASE"),
    ],
)
def test_what_cannot_be_reviewed_is_an_error(repository, bench, args, words):
    repository.commit({"orgs.yaml": sample.BASE})
    ran = bench.run("review", *args)
    assert ran.status == 1
    assert words in ran.out + ran.err


# --- errors -----------------------------------------------------------------------------------------------------------


def test_errors_of_head_are_annotations_at_their_lines(pull):
    ran = pull(members("alice: owner"), members("alice: owner, bob: {rolle: member}"), "--format", "github")
    assert ran.status == 1
    (first, *_) = ran.out.splitlines()
    assert first.startswith("::error file=orgs.yaml,line=3,col=")
    assert "unknown key `rolle`" in first


def test_errors_that_base_has_too_are_not_blamed_on_the_pull_request(pull):
    broken = members("alice: owner, bob: {rolle: member}")
    ran = pull(broken, broken.replace("alice", "alicia") + "  beta: {memberz: {}}\n", "--format", "json")
    assert ran.status == 1
    assert {(one["summary"], one["in_base"]) for one in ran.json["diagnostics"]} == {
        ("unknown key `rolle` for member bob", True),
        ("unknown key `memberz` for org beta", False),
    }
    ran = pull(broken, broken)
    assert ran.status == 1
    assert ran.out.splitlines()[-1] == "1 error of these in HEAD, too."


def test_a_pull_request_that_mends_base_is_shown_as_new_with_a_note(pull):
    ran = pull(members("alice: ownr"), members("alice: owner"), "--format", "json", "--detailed-exitcode")
    assert ran.status == 2
    assert access(ran) == {("alice", "acme", "-", "owner")}
    assert (ran.json["valid"], ran.json["base_valid"]) == (True, False)
    text = pull(members("alice: ownr"), members("alice: owner")).out
    assert (
        "Note: The manifests in HEAD are not valid (1 error; the first: orgs.yaml:3: unknown org role `ownr`), so everything is shown as new."
        in text
    )


def test_warnings_are_shown_only_where_base_does_not_have_them(pull):
    warned = orgs("  acme: {members: {alice: owner}, workspaces: {prod: {members: {alice: reader}}}}\n")
    assert pull(warned, warned, "--format", "json").json["diagnostics"] == []
    new = pull(members("alice: owner"), warned, "--format", "json").json["diagnostics"]
    assert [one["summary"] for one in new] == ["alice owns acme and so has access to acme/prod already"]


def test_manifests_that_base_does_not_have_yet_are_new(repository, bench):
    repository.commit({"README.md": "x"})
    repository.put("orgs.yaml", members("alice: owner"))
    ran = bench.run("review", "HEAD", *ON, "--format", "json")
    assert access(ran) == {("alice", "acme", "-", "owner")}
    assert (ran.json["base_valid"], ran.json["notes"]) == (True, [])


# --- which manifests --------------------------------------------------------------------------------------------------


def test_two_folders_are_compared_without_a_repository(tmp_path, bench, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (bench.folder / "old").mkdir()
    bench.manifest(members("alice: owner"), "old/orgs.yaml")
    bench.manifest(members("alice: owner, bob: member"), "new/orgs.yaml")
    assert access(bench.run("review", "./old", "./new", "--format", "json")) == {("bob", "acme", "-", "member")}


def test_paths_are_read_on_both_sides(repository, bench):
    repository.commit({"a.yaml": members("alice: owner"), "b.yaml": members("zoe: owner", "beta"), "orgs.yaml": "x: 1"})
    repository.put("b.yaml", members("zoe: owner, bob: member", "beta"))
    ran = bench.run("review", "HEAD", "--path", "a.yaml", "--path", "b.yaml", "--format", "json")
    assert access(ran) == {("bob", "beta", "-", "member")}


def test_a_file_that_moves_changes_nothing(repository, bench):
    repository.commit({"orgs/a.yaml": sample.BASE})
    repository.git("mv", "orgs/a.yaml", "orgs/z.yaml")
    assert bench.run("review", "HEAD", *ON).out.splitlines()[-1] == "No changes."


def test_with_merge_base_what_base_became_since_is_left_out(repository, bench):
    repository.commit({"orgs.yaml": members("alice: owner")})
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.commit({"orgs.yaml": members("alice: owner, bob: member")})
    repository.git("checkout", "--quiet", "main")
    repository.commit({"orgs.yaml": members("alice: owner, carol: member")})
    bob, carol = ("bob", "acme", "-", "member"), ("carol", "acme", "member", "-")
    assert access(bench.run("review", "main", "topic", "--format", "json")) == {bob, carol}
    assert access(bench.run("review", "main", "topic", "--merge-base", "--format", "json")) == {bob}
    assert "Compared topic with main (where topic left it)" in bench.run("review", "main", "topic", "--merge-base").out
    ran = bench.run("review", "./", "topic", "--merge-base")
    assert (ran.status, "only revisions have a merge base" in ran.err) == (1, True)


# --- what is compared -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "head", "why"),
    [
        pytest.param("bob: member", "", "no longer listed", id="left out"),
        pytest.param("bob: member", "bob: {absent: true}", "absent: true", id="stated"),
        pytest.param("bob: member", "bob: {role: member, expires: 2026-11-24}", "expired", id="expired"),
        pytest.param("team/one: member", "team/two: member", "team/one has no role here any more", id="the team left"),
        pytest.param("team/one: member", "", "team/one has no role here any more", id="the team went"),
    ],
)
def test_why_access_is_lost_is_said(pull, base, head, why):
    teams = "version: 1\nteams: {one: [bob], two: []}\n"
    sides = [members(f"alice: owner, {side}").replace("version: 1\n", teams) for side in (base, head)]
    (lost,) = pull(*sides, "--format", "json").json["access"]
    assert (lost["handle"], lost["action"], lost["why"]) == ("bob", "lose", why)


def test_a_renamed_org_is_the_same_org(pull):
    base = orgs("  acme-inc: {members: {alice: owner, bob: member}, workspaces: {prod: {members: {bob: reader}}}}\n")
    ran = pull(base, base.replace("acme-inc: {", "acme: {renamed_from: acme-inc, "), "--format", "json")
    assert ran.json["access"] == []
    assert texts(ran) == [
        "renames the org acme-inc to acme, which changes the DNS names of acme/prod, and of workspaces that are not listed here"
    ]
    assert [(one["action"], one["previous_address"]) for one in ran.json["changes"]] == [("rename", "org.acme-inc")]


def test_seven_dns_names_that_change_are_named(pull):
    spaces = ", ".join(f"w{n}: {{}}" for n in range(7))
    base = orgs(f"  acme-inc: {{members: {{alice: owner}}, workspaces: {{{spaces}}}}}\n")
    (said,) = texts(pull(base, base.replace("acme-inc: {", "acme: {renamed_from: acme-inc, "), "--format", "json"))
    assert said.startswith("renames the org acme-inc to acme, which changes the DNS names of acme/w0, acme/w1, ")
    assert all(f"acme/w{n}" in said for n in range(7))


def test_a_renamed_workspace_is_the_same_workspace(pull):
    base = orgs("  acme: {members: {alice: owner, bob: member}, workspaces: {old: {members: {bob: reader}}}}\n")
    ran = pull(base, base.replace("old: {", "new: {renamed_from: old, "), "--format", "json")
    assert ran.json["access"] == []
    assert texts(ran) == ["renames the workspace old to acme/new, which changes its DNS name"]


def test_a_rename_that_is_done_is_no_news(pull):
    base = orgs("  acme: {renamed_from: acme-inc, members: {alice: owner}}\n")
    assert pull(base, base.replace("renamed_from: acme-inc, ", ""), "--detailed-exitcode").status == 0


@pytest.mark.parametrize(
    ("head", "said"),
    [
        pytest.param("{absent: true}", "deletes the org acme and all its workspaces, including dev and prod", id="org"),
        pytest.param("{members: {alice: owner, bob: member}, workspaces: {prod: {absent: true}, dev: {}}}",
                     "deletes the workspace acme/prod and its database", id="workspace"),
        pytest.param("{members: {alice: owner, bob: {absent: true}}, workspaces: {prod: {}, dev: {}}}",
                     "removes bob from acme, who was member there", id="member"),
        pytest.param("{members: {alice: owner, bob: member}, workspaces: {prod: {}, dev: {}}, token_min_issued_at: 2026-11-01T00:00:00Z}",
                     "every temporary and user token issued no later than 2026-11-01T00:00:00Z stops working for acme; "
                         "plan shows whether the token in use is one of them", id="tokens"),
        pytest.param("{members: {alice: owner, bob: {role: member, expires: 2027-01-31}}, workspaces: {prod: {}, dev: {}}}",
                     "from 2027-01-31, bob is no longer member of acme, with no role left", id="expires"),
        pytest.param("{members: {alice: owner, bob: {role: member, expires: 2026-01-31}}, workspaces: {prod: {}, dev: {}}}",
                     "the entry of bob as member in acme ended on 2026-01-31 and counts as not written", id="expired"),
        pytest.param("{members: {alice: owner, bob: {role: owner, expires: 2027-01-31, then: member}}, workspaces: {prod: {}, dev: {}}}",
                     "from 2027-01-31, bob is no longer owner of acme, but member", id="then"),
        pytest.param("{members: {alice: owner, bob: {role: owner, expires: 2026-01-31, then: member}}, workspaces: {prod: {}, dev: {}}}",
                     "the entry of bob as owner in acme ended on 2026-01-31 and counts as member", id="expired, with then"),
        pytest.param("{workspaces: {prod: {}, dev: {}}}",
                     "no longer manages the members of acme: everyone there stays", id="unmanaged"),
        pytest.param("{members: {alice: owner, bob: member}, workspaces: {prod: {}}}",
                     "no longer lists acme/dev: it stays as it is, and is no longer managed", id="left alone"),
    ],
)  # fmt: skip
def test_a_statement_is_explained_in_words(pull, head, said):
    base = orgs("  acme: {members: {alice: owner, bob: member}, workspaces: {prod: {}, dev: {}}}\n  b: {}\n")
    assert said in texts(pull(base, orgs(f"  acme: {head}\n  b: {{}}\n"), "--format", "json"))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param("", "invitations: {resend_after: 2w}\n",
                     "resends invitations by email that are gone, after 14d", id="resend_after"),
        pytest.param("invitations: {resend_after: 2w}\n", "",
                     "no longer resends invitations by email that are gone", id="no longer"),
        pytest.param("people: {bob: {email: b@x.example}}\n", "people: {bob: {email: b@x.example, reinvite: 2026-12-01}}\n",
                     "invites bob (b@x.example) again by email wherever an invitation from before 2026-12-01 is gone",
                     id="reinvite"),
    ],
)  # fmt: skip
def test_what_becomes_of_invitations_is_explained_in_words(pull, before, after, said):
    rest = orgs("  acme: {members: {alice: owner, bob: member}}\n")
    head = rest.replace("orgs:", f"{after}orgs:")
    assert said in texts(pull(rest.replace("orgs:", f"{before}orgs:"), head, "--format", "json"))
    assert said not in texts(pull(head, head, "--format", "json"))


def test_what_a_statement_states_in_base_already_is_no_news(pull):
    base = orgs(
        "  acme: {members: {alice: owner, bob: {role: owner, expires: 2027-01-31}, eve: {absent: true}}}\n  x: {absent: true}\n"
    )
    assert texts(pull(base, base + "  b: {}\n", "--format", "json")) == []
    assert (
        texts(
            pull(
                base, base.replace("  x: {absent: true}\n", "").replace(", eve: {absent: true}", ""), "--format", "json"
            )
        )
        == []
    )


def test_what_remains_when_an_entry_ends_is_said(pull):
    teams = "teams: {all: [bob, carol]}\n"
    base = orgs("  acme: {members: {alice: owner, team/all: member}}\n", teams)
    head = base.replace("team/all: member", "bob: {role: owner, expires: 2027-01-31}, team/all: member")
    assert texts(pull(base, head, "--format", "json")) == [
        "from 2027-01-31, bob is no longer owner of acme, but member"
    ]


def test_an_entry_that_ends_while_another_keeps_the_role_is_no_news(pull):
    base = orgs("  acme: {members: {alice: owner, team/all: member}}\n", "teams: {all: [bob]}\n")
    head = base.replace("team/all: member", "bob: {role: member, expires: 2027-01-31}, team/all: member")
    assert texts(pull(base, head, "--format", "json")) == []


def test_a_day_on_which_the_manifests_break_is_told(pull):
    head = members("alice: {role: owner, expires: 2027-01-31}")
    out = pull(members("alice: owner"), head).out
    assert "Note: from 2027-01-31 on these manifests cannot be used: no person would own acme" in out


def test_members_that_are_no_longer_managed_are_not_said_to_be_lost(pull):
    ran = pull(members("alice: owner, bob: member"), orgs("  acme: {}\n"), "--format", "json")
    assert {(one["handle"], one["unknown"]) for one in ran.json["access"]} == {("alice", "after"), ("bob", "after")}
    text = pull(members("alice: owner, bob: member"), orgs("  acme: {}\n")).out
    assert "loses" not in text
    assert "bob was listed as member of acme" in text
    ran = pull(orgs("  acme: {}\n"), members("alice: owner"), "--format", "json")
    assert [one["unknown"] for one in ran.json["access"]] == ["before"]
    assert texts(ran) == ["now manages the members of acme: anyone not listed is removed"]


def test_an_org_that_leaves_the_manifests_is_left_alone(pull):
    base = members("alice: owner") + "  beta: {members: {zoe: owner}, workspaces: {data: {}}}\n"
    ran = pull(base, members("alice: owner"), "--format", "json")
    assert texts(ran) == ["no longer lists beta: it stays as it is, and is no longer managed"]
    assert {one["unknown"] for one in ran.json["access"]} == {"after"}


def test_a_deleted_org_takes_all_access_along(pull):
    base = (
        members("alice: owner")
        + "  beta: {members: {zoe: owner, bob: member}, workspaces: {data: {members: {bob: reader}}}}\n"
    )
    ran = pull(base, members("alice: owner") + "  beta: {absent: true}\n", "--format", "json")
    assert access(ran) == {
        ("zoe", "beta", "owner", "-"), ("zoe", "beta/data", "owner", "-"),
        ("bob", "beta", "member", "-"), ("bob", "beta/data", "reader", "-"),
    }  # fmt: skip
    assert {one["why"] for one in ran.json["access"]} == {"the org is deleted"}
    assert {one["unknown"] for one in ran.json["access"]} == {None}


def test_who_comes_into_an_org_is_invited(pull):
    base = members("alice: owner, bob: member") + "  beta: {members: {alice: owner}}\n"
    head = members("alice: owner, bob: owner") + "  beta: {members: {alice: owner, bob: member}}\n"
    found = {one["object"]: one["invited"] for one in pull(base, head, "--format", "json").json["access"]}
    assert found == {"acme": False, "beta": True}


def test_another_name_for_the_same_person_changes_no_access(pull):
    base = members("alice: owner, bob-acme: member")
    head = members("alice: owner, bob: member").replace(
        "version: 1\n", "version: 1\npeople: {bob: {handle: bob-acme}}\n"
    )
    ran = pull(base, head, "--detailed-exitcode")
    assert ran.status == 2  # who a name is changes
    assert ran.out.splitlines()[-1] == "Nobody gains or loses access. Risk: rules."


def test_another_person_under_the_same_name_is_a_loss_and_a_gain(pull):
    base = members("alice: owner, dave: member").replace(
        "version: 1\n", "version: 1\npeople: {dave: {handle: dave-acme}}\n"
    )
    ran = pull(base, base.replace("dave-acme", "mallory"), "--format", "json")
    assert access(ran) == {("dave-acme", "acme", "member", "-"), ("mallory", "acme", "-", "member")}
    assert [(one["name"], one["before"], one["after"]) for one in ran.json["identities"]] == [
        ("dave", "dave-acme", "mallory")
    ]
    shown = pull(base, base.replace("dave-acme", "mallory")).out
    assert shown.index("dave was dave-acme, and is now mallory") < shown.index("Access lost")


def test_an_invited_person_whom_the_lock_file_knows_is_the_same_under_the_handle(repository, bench):
    people = "version: 1\npeople: {carol: {email: carol@example.com}}\n"
    base = members("alice: owner, carol: member").replace("version: 1\n", people)
    lock = json.dumps({"version": 1, "entries": {"org.acme/member.carol": {"id": "u_1", "handle": "carol-x"}}})
    repository.commit({"orgs.yaml": base, "reconciler.lock.json": lock})
    repository.put("orgs.yaml", base.replace("email: carol@example.com", "handle: carol-x"))
    ran = bench.run("review", "HEAD", "--detailed-exitcode")
    assert ran.status == 2
    assert "Nobody gains or loses access." in ran.out
    assert "carol was carol@example.com, the account carol-x, and is now carol-x" in ran.out
    # a pull request cannot rewrite who was invited
    repository.put("orgs.yaml", base.replace("email: carol@example.com", "handle: mallory"))
    repository.put("reconciler.lock.json", lock.replace("carol-x", "mallory"))
    ran = bench.run("review", "HEAD", "--format", "json")
    assert access(ran) == {("carol-x", "acme", "member", "-"), ("mallory", "acme", "-", "member")}
    assert any(said.startswith("changes the lock file, ") for said in texts(ran))


def test_looser_safeguards_are_stated(pull):
    base = members("alice: owner, bob: owner").replace("version: 1\n", "version: 1\nsafeguards: {min_owners: 2}\n")
    ran = pull(base, base.replace("min_owners: 2", "max_removals: {count: 99}"), "--format", "json")
    assert texts(ran) == [
        "changes the safeguard safeguards.min_owners from 2 to 1",
        "changes the safeguard safeguards.max_removals.count from 10 to 99",
    ]


def test_attributes_are_below_access_and_one_that_is_dropped_is_left_alone(pull):
    base = orgs("  acme: {display_name: A, url: https://a.example, members: {alice: owner}}\n")
    head = orgs("  acme: {display_name: B, members: {alice: owner, bob: member}}\n")
    out = pull(base, head, "-v").out
    assert out.index("bob gains member") < out.index("display_name: A -> B")
    assert "url is left alone from now on" in out
    assert "display_name" not in pull(base, head).out


def test_the_same_role_for_another_reason_is_told_apart(pull):
    teams = "teams: {all: [bob]}\n"
    base = orgs("  acme: {members: {alice: owner, bob: member, team/all: member}}\n", teams)
    ran = pull(base, base.replace("bob: member, ", ""), "--format", "json")
    assert ran.json["access"] == []
    (same,) = ran.json["rerouted"]
    assert (same["before"]["why"], same["after"]["why"]) == ("direct", "team/all")


# --- formats ----------------------------------------------------------------------------------------------------------


def test_the_jobs_summary_and_outputs_are_written_for_github(pull, repository, monkeypatch):
    summary, outputs = repository.folder.parent / "summary", repository.folder.parent / "outputs"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    pull(sample.BASE, sample.HEAD, "--format", "github")
    assert summary.read_text().startswith("### 1 owner lost, 3 owners gained")
    found = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    assert (found["owners_lost"], found["owners_gained"], found["errors"]) == ("1", "3", "0")


def test_a_huge_review_fits_into_a_comment_and_names_every_owner_and_loss(pull):
    def many(prefix):
        entries = "".join(f"      {prefix}{n:04}: {'owner' if n % 50 == 0 else 'member'}\n" for n in range(1500))
        return orgs(f"  acme:\n    members:\n      alice: owner\n{entries}    workspaces: {{}}\n")

    out = pull(many("old-"), many("new-"), "--format", "markdown").out
    assert len(out) <= 65_535
    names = set(re.findall(r"(?:old|new)-\d{4}", out))
    assert {f"old-{n:04}" for n in range(1500)} <= names
    assert {f"new-{n:04}" for n in range(1500)} <= names
    assert "Left out: the details" in out


def test_the_same_review_gives_the_same_bytes_in_another_process(repository, bench):
    repository.commit({"orgs.yaml": sample.BASE})
    repository.put("orgs.yaml", sample.HEAD)
    outs = set()
    for seed in ("1", "2"):
        bench.environ["PYTHONHASHSEED"] = seed
        outs.add(bench.spawn("review", "HEAD", *ON, "--format", "json").out)
    assert len(outs) == 1


@pytest.mark.parametrize(
    ("base", "head", "last"),
    [
        pytest.param(
            "{members: {alice: owner, bob: member}}",
            "{}",
            "2 people are no longer managed. Risk: grants.",
            id="no longer",
        ),
        pytest.param("{}", "{members: {alice: owner}}", "1 person is newly managed. Risk: owners.", id="newly"),
    ],
)
def test_people_who_come_into_or_leave_the_manifests_are_counted(pull, base, head, last):
    ran = pull(orgs(f"  acme: {base}\n  b: {{}}\n"), orgs(f"  acme: {head}\n  b: {{}}\n"))
    assert ran.out.splitlines()[-1] == last
