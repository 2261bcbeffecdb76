"""`approvals`: whose consent a pull request needs, judged by BASE."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from e2e.bench import Bench

BASE = """\
version: 1
people:
  bob: {github: Bobby, gitlab: bob}
  sam: {email: sam@acme.example}
  tom: {handle: tom-acme}
teams:
  security: [sam, tom]
  low: [vera]
  mid: [team/low]
  sre: [team/mid, bob]
policies:
  prod-is-sre: {in: "*/prod", role: [operator, owner], only: [team/sre, owners], level: warn}
approvals:
  default: {of: team/security}
  acme/prod: {of: team/sre}
  role/owner: {of: team/security, count: 2}
  losing: {of: none}
orgs:
  acme:
    members: {alice: owner, ann: owner, bob: member, carol: member, dave: member, vera: member, zoe: member, old: {role: member, expires: 2026-01-01}}
    workspaces:
      prod: {members: {team/sre: operator, carol: {role: reader, expires: 2026-12-24}}}
      dev: {members: {team/mid: reader, dave: reader}}
"""


class Pull:
    """BASE and HEAD as two folders beside each other."""

    def __init__(self, bench):
        self.bench = bench
        self.head(BASE)
        bench.manifest(BASE, "base/orgs.yaml")

    def head(self, text):
        self.bench.manifest(text, "head/orgs.yaml")

    def change(self, *pairs):
        text = BASE
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        self.head(text)

    def run(self, *approved, author="erin", more=()):
        by = [part for login in approved for part in ("--approved-by", login)]
        return self.bench.run("approvals", "base", "head", "--author", author, *by, "--format", "json", *more)

    def missing(self, *approved, **options):
        ran = self.run(*approved, **options)
        found = {(need["key"], need["missing"]) for need in ran.json["needs"] if need["missing"]}
        assert ran.status == (3 if found else 0)
        return found


@pytest.fixture
def pull(bare):
    return Pull(bare)


def test_no_change_needs_nobody(pull):
    assert pull.missing() == set()


NEEDED = {
    "a-grant": ([("dave: reader", "dave: operator")], {("default", 1)}, ["sam"]),
    "a-grant-in-a-place-of-its-own": ([("carol: {role: reader, expires: 2026-12-24}", "carol: {role: reader, expires: 2026-12-24}, dave: reader")], {("acme/prod", 1)}, ["vera"]),
    "an-owner": ([("carol: member", "carol: owner")], {("default", 1), ("acme/prod", 1), ("role/owner", 2)}, ["sam", "tom", "bobby"]),
    "an-owner-who-goes": ([("ann: owner, ", "ann: {absent: true}, ")], {("default", 1), ("acme/prod", 1), ("role/owner", 2)}, ["sam", "tom", "bobby"]),
    "an-owner-whose-days-are-numbered": ([("ann: owner", "ann: {role: owner, expires: 2027-01-01}")], {("default", 1), ("acme/prod", 1), ("role/owner", 2)}, ["sam", "tom", "bobby"]),
    "a-loss": ([(", dave: reader}", "}")], set(), []),
    "a-longer-loan": ([("expires: 2026-12-24", "expires: 2027-12-24")], {("acme/prod", 1)}, ["vera"]),
    "a-shorter-loan": ([("expires: 2026-12-24", "expires: 2026-12-01")], set(), []),
    "a-team-three-levels-down": ([("low: [vera]", "low: [vera, zoe]")], {("acme/prod", 1), ("default", 1)}, ["bobby", "sam"]),
    "a-deletion": ([("dev: {members: {team/mid: reader, dave: reader}}", "dev: {absent: true}")], {("default", 1)}, ["tom"]),
    "a-rename": ([("      prod: {members", "      live: {renamed_from: prod, members")], {("acme/prod", 1)}, ["vera"]),
    "an-attribute": ([("      dev: {members", "      dev: {desired_state: disabled, members")], {("default", 1)}, ["sam"]),
    "a-policy": ([("level: warn", "level: warn, unless: zoe")], {("default", 1)}, ["sam"]),
    "a-waiver": ([("approvals:", "waivers: [{policy: prod-is-sre, who: zoe, in: acme/prod, until: 2026-12-24, reason: x}]\napprovals:")], {("default", 1)}, ["sam"]),
    "fewer-approvals": ([("  acme/prod: {of: team/sre}\n", "")], {("default", 1)}, ["sam"]),
    "another-login": ([("github: Bobby", "github: mallory")], {("default", 1)}, ["sam"]),
    "a-safeguard": ([("teams:\n", "safeguards: {min_owners: 2}\nteams:\n")], {("default", 1)}, ["tom"]),
    "a-section-that-is-left-alone": ([("dev: {members: {team/mid: reader, dave: reader}}", "dev: {}")], {("default", 1)}, ["sam"]),
    "a-team-that-takes-over-later": ([("{team/sre: operator, carol", "{team/sre: operator, team/late: operator, carol"), ("  low:", "  late: [carol]\n  low:")], {("acme/prod", 1)}, ["vera"]),
    "a-connection-for-a-workspace": ([("    workspaces:\n", "    connections: {shared: {plugin: net, workspaces: [prod]}}\n    workspaces:\n")], {("default", 1), ("acme/prod", 1)}, ["sam", "vera"]),
}  # fmt: skip


@pytest.mark.parametrize("name", NEEDED)
def test_each_change_needs_the_consent_that_base_asks_for(pull, name):
    changes, needed, enough = NEEDED[name]
    pull.change(*changes)
    assert pull.missing() == needed
    assert pull.missing(*enough) == set()
    for one in enough:
        assert pull.missing(*(login for login in enough if login != one)) != set()


def test_nobody_approves_their_own_gain_through_any_name(pull):
    pull.change(("dave: reader", "dave: reader, sam: reader"), ("zoe: member", "zoe: member, sam: member"))
    assert pull.missing("sam") == {("default", 1)}
    assert pull.missing("tom") == set()
    aliases = ("{handle: tom-acme, robot: false}", "{github: Tom}", "{github: tom}")
    for alias in ("tom-acme",):
        pull.change(
            ("dave: reader", f"dave: reader, {alias}: reader"), ("zoe: member", f"zoe: member, {alias}: member")
        )
        assert ("default", 1) in pull.missing("tom")
    for entry in ("{email: SAM@acme.example}", "{handle: other, email: sam@acme.example}"):
        pull.change(
            ("people:\n", f"people:\n  other: {entry}\n"),
            ("dave: reader", "dave: reader, other: reader"),
            ("zoe: member", "zoe: member, other: member"),
        )
        ran = pull.run("sam")
        assert ran.status != 0, aliases


def test_the_owners_of_the_organization_may_be_who_has_to_agree(pull):
    base = BASE.replace("default: {of: team/security}", "default: {of: owners}")
    pull.bench.manifest(base, "base/orgs.yaml")
    pull.head(base.replace("dave: reader", "dave: operator"))
    assert pull.missing() == pull.missing("bobby") == {("default", 1)}
    assert pull.missing("alice") == set()


def test_an_author_never_counts_by_any_of_their_logins(pull):
    pull.change(("carol: {role: reader, expires: 2026-12-24}", "carol: operator"))
    assert pull.missing("BOBBY", author="bobby") == {("acme/prod", 1)}
    assert pull.missing("bob", author="bobby") == {("acme/prod", 1)}
    assert pull.missing("@Bobby") == set()


def test_another_login_of_the_author_is_said_to_be_the_authors(pull):
    ran = pull.run("bob", author="bobby")
    assert ran.json["approved_by"] == [
        {"login": "bob", "name": "bob", "counts": False, "why_not": "this is the author"}
    ]


def test_a_login_that_two_people_have_at_different_forges_counts_only_where_the_forge_is_known(pull):
    text = BASE.replace("sam: {email: sam@acme.example}", "sam: {email: sam@acme.example, gitlab: bobby}")
    pull.bench.manifest(text, "base/orgs.yaml")
    pull.head(text.replace("carol: {role: reader, expires: 2026-12-24}", "carol: operator"))
    assert pull.missing("bobby") == {("acme/prod", 1)}
    ran = pull.run("bobby")
    assert [(one["counts"], one["why_not"]) for one in ran.json["approved_by"]] == [
        (False, "BASE has this login for bob and sam")
    ]
    assert pull.missing("bobby", more=["--logins", "github"]) == set()


def test_a_person_with_a_login_is_only_that_login_and_an_unknown_one_never_counts(pull):
    pull.change(("carol: {role: reader, expires: 2026-12-24}", "carol: operator"))
    assert pull.missing("bob", more=["--logins", "github"]) == {("acme/prod", 1)}
    assert pull.missing("bob", more=["--logins", "gitlab"]) == set()
    ran = pull.run("mallory")
    assert ran.json["approved_by"] == [
        {"login": "mallory", "name": None, "counts": False, "why_not": "nobody in BASE has this login"}
    ]
    assert ran.status == 3


def test_whoever_has_only_entries_that_ended_does_not_count(pull):
    text = BASE.replace("security: [sam, tom]", "security: [old]").replace(", count: 2", "")
    pull.bench.manifest(text, "base/orgs.yaml")
    pull.head(text.replace("dave: reader", "dave: operator"))
    assert pull.missing("old") == {("default", 1)}
    assert pull.missing("old", more=["--on", "2025-12-31"]) == set()


def test_head_cannot_make_its_own_approvers(pull):
    pull.change(("security: [sam, tom]", "security: [sam, tom, mallory]"), ("dave: reader", "dave: operator"))
    assert pull.missing("mallory") == {("default", 1)}
    pull.change(("approvals:\n", "approvals:\n  acme/dev: {of: none}\n"), ("dave: reader", "dave: operator"))
    assert pull.missing("erin") == {("default", 1)}
    pull.head(BASE[: BASE.index("approvals:")] + BASE[BASE.index("orgs:") :])
    assert pull.missing() == {("default", 1)}


def test_without_approvals_in_base_and_with_an_invalid_head(pull):
    pull.bench.manifest(BASE[: BASE.index("approvals:")] + BASE[BASE.index("orgs:") :], "base/orgs.yaml")
    pull.change(("carol: member", "carol: owner"))
    ran = pull.run()
    assert (ran.status, ran.json["applies"]) == (0, False)
    pull.head(BASE + "rolle: 1\n")
    assert pull.bench.run("approvals", "base", "head", "--author", "erin").status == 1


def test_an_invalid_base_is_an_error_and_no_consent(pull):
    pull.bench.manifest(BASE + "rolle: 1\n", "base/orgs.yaml")
    assert pull.bench.run("approvals", "base", "head", "--author", "erin").status == 1


@pytest.mark.parametrize("form", ["text", "markdown", "github", "junit"])
def test_what_is_missing_as_each_format_shows_it(pull, form, golden):
    pull.change(("carol: member", "carol: owner"), (", dave: reader}", "}"))
    ran = pull.bench.run("approvals", "base", "head", "--author", "erin", "--approved-by", "sam", "--format", form)
    assert ran.status == 3
    golden(f"approvals.{form}", ran.out)


@pytest.mark.parametrize("login", ["<b>x", "::error::x", "\u202ex", "x\nroot", "`x`", "$(id)"])
@pytest.mark.parametrize("form", ["text", "markdown", "github", "json", "junit", "html"])
def test_hostile_logins_are_harmless(pull, login, form):
    ran = pull.bench.run("approvals", "base", "head", f"--author={login}", f"--approved-by={login}x", "--format", form)
    assert ran.status == 0
    assert "\u202e" not in ran.out
    assert not [line for line in ran.out.splitlines() if line.strip().startswith(("::error::x", "root"))]
    if form in ("html", "junit"):
        assert "<b>x" not in ran.out


PARTS = (
    ("dave: reader", "dave: operator"),
    ("low: [vera]", "low: [vera, zoe]"),
    ("carol: member", "carol: owner"),
    ("expires: 2026-12-24", "expires: 2027-12-24"),
    ("level: warn", "level: warn, unless: zoe"),
    ("      dev: {members", "      dev: {desired_state: disabled, members"),
    ("ann: owner, ", ""),
    ("bob: member", "bob: owner"),
)
LOGINS = ("sam", "tom", "bobby", "vera", "alice", "carol", "mallory", "erin")
CALM = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@CALM
@given(st.sets(st.sampled_from(PARTS), min_size=1), st.sets(st.sampled_from(LOGINS)), st.sampled_from(LOGINS))
def test_one_approval_more_never_makes_it_fail(pull, parts, approved, more):
    pull.change(*parts)
    less, then = pull.missing(*sorted(approved)), pull.missing(*sorted(approved | {more}))
    assert {key for key, _ in then} <= {key for key, _ in less}


@CALM
@given(st.sets(st.sampled_from(PARTS), min_size=2, max_size=4), st.sets(st.sampled_from(LOGINS)))
def test_two_pull_requests_never_need_fewer_people_than_one(bare, parts, approved):
    one = Pull(bare)
    parts = sorted(parts)
    logins = sorted(approved)
    one.change(*parts)
    whole = {key for key, _ in one.missing(*logins)}
    one.change(*parts[: len(parts) // 2])
    first = {key for key, _ in one.missing(*logins)}
    middle = (one.bench.folder / "head/orgs.yaml").read_text()
    one.bench.manifest(middle, "base/orgs.yaml")
    one.change(*parts)
    second = {key for key, _ in one.missing(*logins)}
    assert whole <= first | second


def test_codeowners_names_who_has_to_agree_by_file(bare: Bench):
    bare.manifest(BASE.replace("security: [sam, tom]", 'security: {members: [sam, tom], github: "@acme/security"}'))
    assert bare.run("codeowners").out == "/orgs.yaml @acme/security @Bobby @vera\n"
    assert bare.run("codeowners", "--check").status == 2
    assert bare.run("codeowners", "--write").status == 0
    file = bare.folder / ".github/CODEOWNERS"
    file.write_text("# ours\n* @acme/all\n" + file.read_text() + "# more\n")
    assert bare.run("codeowners", "--check").status == 0
    bare.manifest(BASE)
    assert bare.run("codeowners", "--check").status == 2
    assert bare.run("codeowners", "--write").status == 0
    text = file.read_text()
    assert text.startswith("# ours\n* @acme/all\n# reconciler: begin")
    assert "/orgs.yaml @sam @tom @Bobby @vera\n" in text
    assert text.endswith("# reconciler: end\n# more\n")
    file.write_text("* @acme/all\n")
    assert bare.run("codeowners", "--write").status == 0
    assert file.read_text().startswith("* @acme/all\n\n# reconciler: begin")


def test_the_text_of_a_missing_approval_is_json_too(pull):
    pull.change(("dave: reader", "dave: operator"))
    assert json.loads(pull.run().out)["summary"] == ["Missing: 1 of team/security."]
