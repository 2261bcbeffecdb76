"""`review` with policies: rules that allow more first, then violations that are new, and the risk."""

import pytest

from reconciler.policy.risk import STATEMENTS
from reconciler.report.review_statements import SENTENCES

BASE = """\
version: 1
policies:
  few: {in: "*", role: owner, people: {min: 1, max: 2}}
  loan: {in: "acme", role: owner, expires_within: 30d, unless: [alice, bob]}
  sre: {in: "*/prod", role: [operator, owner], only: [team/sre, owners]}
  apart: {in: "*/*", apart: [team/sre, team/approvers]}
waivers:
  - {policy: sre, who: vera, in: acme/prod, until: 2026-12-15, reason: INC-77}
teams: {sre: [carol], approvers: [dave], other: []}
orgs:
  acme:
    members: {alice: owner, bob: owner, carol: member, dave: member, vera: member, zoe: member}
    workspaces:
      prod: {members: {team/sre: operator, vera: operator, dave: operator}}
"""


@pytest.fixture
def pull(bare):
    def run(*pairs, args=("--format", "json")):
        text = BASE
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        bare.manifest(BASE, "base/orgs.yaml")
        bare.manifest(text, "head/orgs.yaml")
        return bare.run("review", "base", "head", *args)

    return run


def broken(found):
    return {(one["policy"], one["place"], one["person"]) for one in found}


def test_new_ended_and_standing_violations_are_told_apart_and_the_status_stays(pull):
    ran = pull(
        ("vera: operator, dave: operator", "vera: operator, zoe: operator"), ("bob: owner", "bob: owner, sam: owner")
    )
    assert ran.status == 0
    policy = ran.json["policy"]
    assert broken(policy["new"]) == {("sre", "acme/prod", "zoe"), ("few", "acme", None), ("loan", "acme", "sam")}
    assert broken(policy["ended"]) == {("sre", "acme/prod", "dave")}
    standing = pull()
    assert broken(standing.json["policy"]["standing"]) == {("sre", "acme/prod", "dave")}
    assert standing.json["policy"]["new"] == []


LOOSER = {
    "removed": ('  few: {in: "*", role: owner, people: {min: 1, max: 2}}\n', ""),
    "in": ('sre: {in: "*/prod"', "sre: {in: acme/prod"),
    "role": ("role: [operator, owner]", "role: operator"),
    "only": ("only: [team/sre, owners]", "only: [team/sre, owners, zoe]"),
    "unless": ("unless: [alice, bob]", "unless: [alice, bob, zoe]"),
    "max": ("max: 2", "max: 3"),
    "min": ("min: 1", "min: 0"),
    "expires": ("expires_within: 30d", "expires_within: 5w"),
    "apart": ("apart: [team/sre, team/approvers]", "apart: [team/sre, team/other]"),
    "level": ("max: 2}}", "max: 2}, level: warn}"),
    "waiver": ("until: 2026-12-15", "until: 2026-12-16"),
    "another-waiver": ("waivers:\n", "waivers:\n  - {policy: sre, who: dave, in: acme/prod, until: 2026-12-15, reason: x}\n"),
    "team": ("sre: [carol]", "sre: [carol, zoe]"),
    "team-apart": ("approvers: [dave]", "approvers: []"),
}  # fmt: skip
STRICTER = {
    "in": ('sre: {in: "*/prod"', 'sre: {in: "*/*"'),
    "role": ("role: [operator, owner], only", "only"),
    "only": ("only: [team/sre, owners]", "only: team/sre"),
    "unless": ("unless: [alice, bob]", "unless: alice"),
    "max": ("max: 2", "max: 1"),
    "min": ("min: 1", "min: 2"),
    "expires": ("expires_within: 30d", "expires_within: 4w"),
    "apart": ("apart: [team/sre, team/approvers]", "apart: [team/sre, team/approvers, team/other]"),
    "added": ("policies:\n", 'policies:\n  why: {in: "*", reason: required, level: warn}\n'),
    "waiver": ("until: 2026-12-15", "until: 2026-12-01"),
    "team-apart": ("approvers: [dave]", "approvers: [dave, zoe]"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOSER)
def test_a_rule_that_allows_more_comes_first_of_all(pull, name):
    ran = pull(LOOSER[name])
    assert [one["loosens"] for one in ran.json["rules"]][:1] == [True]
    assert ran.json["risk"] == "rules"
    text = pull(LOOSER[name], args=()).out
    assert text.partition("\n\n")[2].startswith("Rules:\n  ! ")


@pytest.mark.parametrize("name", STRICTER)
def test_a_rule_that_is_stricter_is_told_and_is_no_loosening(pull, name):
    ran = pull(STRICTER[name])
    assert [one["loosens"] for one in ran.json["rules"]] == [False]
    assert ran.json["risk"] == "rules"


def test_a_team_that_a_rule_names_is_told_with_who_came_and_who_went(pull):
    (rule,) = pull(("approvers: [dave]", "approvers: [dave, zoe]")).json["rules"]
    assert rule["details"] == ["zoe in"]


def test_a_waiver_that_lapsed_loosens_nothing_and_one_that_ends_soon_is_told(pull):
    lapsed = "waivers:\n  - {policy: sre, who: dave, in: acme/prod, until: 2026-11-01, reason: x}\n"
    assert [one["loosens"] for one in pull(("waivers:\n", lapsed)).json["rules"]] == [False]
    assert "ends soon: it counts through 2026-12-15" in pull(args=("--expiring", "4w")).out
    assert "ends soon" not in pull(args=("--expiring", "2w")).out


RISKS = {
    "none": (),
    "losses": ((", dave: operator}", "}"),),
    "grants": (("dave: operator", "dave: operator, zoe: reader"),),
    "owners": (("carol: member", "carol: owner"),),
    "rules": (("teams:", "safeguards: {min_owners: 2}\nteams:"),),
    "destroys": (("prod: {members: {team/sre: operator, vera: operator, dave: operator}}", "prod: {absent: true}"), ("waivers:\n  - {policy: sre, who: vera, in: acme/prod, until: 2026-12-15, reason: INC-77}\n", "")),
}  # fmt: skip


@pytest.mark.parametrize("risk", RISKS)
def test_the_risk_of_a_review_is_in_its_first_line_and_its_json(pull, risk):
    assert pull(*RISKS[risk]).json["risk"] == risk
    assert (f"Risk: {risk}." in pull(*RISKS[risk], args=()).out) == (risk != "none")


def test_access_that_gets_an_end_is_a_loss_and_an_owners_is_about_owners(pull):
    assert pull(("zoe: member", "zoe: {role: member, expires: 2027-01-31}")).json["risk"] == "losses"
    assert pull(("bob: owner", "bob: {role: owner, expires: 2027-01-31}")).json["risk"] == "owners"


def test_every_statement_of_a_review_has_a_risk():
    assert set(STATEMENTS) == set(SENTENCES)


def test_a_policy_over_a_renamed_org_keeps_its_standing_violations(pull):
    ran = pull(
        ("  acme:\n    members", "  emca:\n    renamed_from: acme\n    members"),
        ('{in: "acme"', '{in: "emca"'),
        ("in: acme/prod", "in: emca/prod"),
    )
    assert broken(ran.json["policy"]["standing"]) == {("sre", "emca/prod", "dave")}
    assert ran.json["policy"]["new"] == []
