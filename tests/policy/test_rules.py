"""Each rule of `policies:` with an example that breaks it and one that holds, by `validate`."""

import json
import xml.etree.ElementTree as ET

import pytest

from review.sheets import PARSER

# a rule, the manifest's own part that breaks it, the part that does not, and who breaks it
MEMBERS = "members: {alice: owner, bob: owner, vera: member, dave: member}"


def acme(members=MEMBERS, prod="{}", more=""):
    return f"orgs: {{acme: {{{members}, workspaces: {{prod: {{members: {prod}}}, dev: {{members: {{}}}}}}{more}}}}}\n"


TEAMS = "teams: {founders: [alice], inner: [vera], sre: [team/inner], approvers: [vera, dave]}\n"
RULES = {
    "min": (
        '{in: "*", role: owner, people: {min: 2}}',
        acme("members: {alice: owner, bob: member}"),
        acme(),
        {("people.min", "acme", None)},
    ),
    "max": (
        '{in: "*", role: owner, people: {max: 1}}',
        acme(),
        acme("members: {alice: owner, bob: member}"),
        {("people.max", "acme", None)},
    ),
    "max-of-owners-by-ownership": (
        '{in: "*/prod", people: {max: 2}}',
        acme(prod="{vera: reader}"),
        acme(),
        {("people.max", "acme/prod", None)},
    ),
    "only": (
        '{in: "*/prod", role: [operator, owner], only: [team/sre, owners]}',
        acme(prod="{dave: operator, vera: operator}"),
        acme(prod="{dave: reader, vera: operator}"),
        {("only", "acme/prod", "dave")},
    ),
    "only-by-a-former-name-of-the-role": (
        "{in: acme/prod, role: admin, only: team/sre}",
        acme(prod="{dave: operator}"),
        acme(prod="{vera: admin}"),
        {("only", "acme/prod", "dave")},
    ),
    "expires": (
        '{in: "*", role: owner, unless: team/founders, expires_within: 30d}',
        acme("members: {alice: owner, bob: {role: owner, expires: 2026-12-25}}"),
        acme("members: {alice: owner, bob: {role: owner, expires: 2026-12-24}}"),
        {("expires_within", "acme", "bob")},
    ),
    "expires-and-falls-back-to-a-role-of-the-rule": (
        '{in: "*/prod", expires_within: 2w, unless: owners}',
        acme(prod="{dave: {role: operator, expires: 2026-12-01, then: reader}}"),
        acme(prod="{dave: {role: operator, expires: 2026-12-01}}"),
        {("expires_within", "acme/prod", "dave")},
    ),
    "reason": (
        '{in: "*/*", unless: owners, reason: required}',
        acme(prod='{dave: {role: reader, reason: " "}, team/sre: reader}'),
        acme(prod="{dave: {role: reader, reason: INC-1}, team/sre: {role: reader, reason: they run it}}"),
        {("reason", "acme/prod", "dave"), ("reason", "acme/prod", "vera")},
    ),
    "apart-teams": (
        '{in: "acme/*", apart: [team/sre, team/approvers]}',
        acme(prod="{vera: reader, dave: reader}"),
        acme(prod="{dave: reader}"),
        {("apart", "acme/prod", "vera")},
    ),
    "apart-roles": (
        "{unless: owners, apart: [{in: acme/prod, role: operator}, {in: acme/dev}]}",
        acme(prod="{vera: operator}").replace("dev: {members: {}}", "dev: {members: {vera: reader}}"),
        acme(prod="{vera: reader}").replace("dev: {members: {}}", "dev: {members: {vera: reader}}"),
        {("apart", "acme/dev and acme/prod", "vera")},
    ),
    "domains": (
        '{in: "*", email_domains: [Acme.example]}',
        "people: {bob: {email: bob@sub.acme.example}}\n" + acme(),
        "people: {bob: {email: bob@ACME.example}}\n" + acme(),
        {("email_domains", "acme", "bob")},
    ),
    "connection-max": (
        "{connection: acme/aws_*, people: {max: 3}}",
        acme(prod="{vera: reader, dave: reader}", more=", connections: {aws_prod: {plugin: aws, workspaces: [prod]}}"),
        acme(prod="{vera: reader}", more=", connections: {aws_prod: {plugin: aws, workspaces: [prod]}}"),
        {("people.max", "acme/aws_prod", None)},
    ),
    "connection-only-through-a-folder": (
        "{connection: acme/aws_prod, only: [team/sre, owners]}",
        acme(
            prod="{dave: reader, vera: reader}",
            more=", connection_folders: {f: {workspaces: [prod]}}, connections: {aws_prod: {plugin: aws, folder: f}}",
        ),
        acme(
            prod="{vera: reader}",
            more=", connection_folders: {f: {workspaces: [prod]}}, connections: {aws_prod: {plugin: aws, folder: f}}",
        ),
        {("only", "acme/aws_prod", "dave")},
    ),
}


def found(ran):
    return {(one["rule"], one["place"], one["person"]) for one in ran.json["violations"]}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_broken_by_one_example_and_holds_in_the_other(bare, name):
    rule, breaks, holds, expected = RULES[name]
    bare.manifest(f"{TEAMS}policies: {{{name}: {rule}}}\n{breaks}")
    ran = bare.run("validate", "--format", "json")
    assert (ran.status, found(ran)) == (1, expected)
    assert all(one["policy"] == name and one["policy_source"]["line"] == 3 for one in ran.json["violations"])
    bare.manifest(f"{TEAMS}policies: {{{name}: {rule}}}\n{holds}")
    ran = bare.run("validate", "--format", "json")
    assert (ran.status, found(ran)) == (0, set())


@pytest.mark.parametrize("name", RULES)
def test_a_rule_of_level_warn_only_tells(bare, name):
    rule, breaks, _, expected = RULES[name]
    bare.manifest(f"{TEAMS}policies: {{{name}: {rule.removesuffix('}')}, level: warn}}}}\n{breaks}")
    ran = bare.run("validate", "--format", "json")
    assert (ran.status, found(ran), ran.json["valid"]) == (0, expected, True)


@pytest.mark.parametrize("name", [name for name in RULES if RULES[name][3] and not name.startswith("apart")])
def test_the_waiver_that_a_violation_prints_allows_it_through_its_last_day(bare, name):
    rule, breaks, _, _ = RULES[name]
    policies = f"policies: {{{name}: {rule}}}\n"
    bare.manifest(TEAMS + policies + breaks)
    lines = [line for one in bare.run("validate", "--format", "json").json["violations"] for line in one["waivers"]]
    pasted = "waivers:\n" + "".join(f"  {line}\n" for line in dict.fromkeys(lines))
    bare.manifest(TEAMS + policies + breaks + pasted)
    last = bare.run("validate", "--format", "json", "--on", "2026-12-08")
    assert found(last) - {("expires_within", "acme", "bob")} == set()
    assert not any("ended after" in one["summary"] for one in last.json["diagnostics"])
    assert {one["waiver"]["until"] for one in bare.run("validate", "--format", "json").json["waived"]} == {"2026-12-08"}
    after = bare.run("validate", "--format", "json", "--on", "2026-12-09")
    assert any("ended after 2026-12-08" in one["summary"] for one in after.json["diagnostics"])


def test_a_waiver_of_one_place_does_not_cover_a_duty_that_is_combined_in_another(bare):
    policy = 'policies: {four-eyes: {in: "acme/*", apart: [team/sre, team/approvers]}}\n'
    waiver = "waivers: [{policy: four-eyes, who: vera, in: acme/prod, until: 2026-12-15, reason: INC-77}]\n"
    bare.manifest(TEAMS + policy + waiver + acme(prod="{vera: reader}"))
    assert bare.run("validate").status == 0
    both = acme(prod="{vera: reader}").replace("dev: {members: {}}", "dev: {members: {vera: reader}}")
    bare.manifest(TEAMS + policy + waiver + both)
    ran = bare.run("validate", "--format", "json")
    assert (ran.status, found(ran)) == (1, {("apart", "acme/dev", "vera")})


@pytest.mark.parametrize(("prod", "fact"), [("{}", "nobody is operator"), ("{vera: operator}", "1 person is operator")])
def test_too_few_are_counted_in_words(bare, prod, fact):
    bare.manifest(f'policies: {{some: {{in: "*/prod", role: operator, people: {{min: 2}}}}}}\n{acme(prod=prod)}')
    ran = bare.run("validate", "--format", "json")
    assert (ran.status, found(ran)) == (1, {("people.min", "acme/prod", None)})
    assert f"{fact} on acme/prod" in json.dumps(ran.json)


def test_whoever_has_one_of_two_duties_hides_nobody_who_has_both(bare):
    policy = 'policies: {four-eyes: {in: "acme/*", apart: [team/sre, team/approvers]}}\n'
    bare.manifest(TEAMS + policy + acme(prod="{dave: reader, vera: reader}"))
    ran = bare.run("validate", "--format", "json")
    assert (ran.status, found(ran)) == (1, {("apart", "acme/prod", "vera")})


def test_a_person_who_is_waived_does_not_count_for_max(bare):
    policy = 'policies: {few: {in: "*", role: owner, people: {max: 1}}}\n'
    bare.manifest(policy + acme() + "waivers: [{policy: few, who: bob, in: acme, until: 2026-12-15, reason: INC-77}]\n")
    ran = bare.run("validate")
    assert (ran.status, "warning" in ran.out) == (0, False)


def test_an_invitation_counts_for_max_and_not_for_min(bare):
    people = "people: {bob: {email: bob@acme.example}}\n"
    bare.manifest(people + 'policies: {few: {in: "*", role: owner, people: {min: 2, max: 2}}}\n' + acme())
    ran = bare.run("validate", "--format", "json")
    assert found(ran) == {("people.min", "acme", None)}
    bare.manifest(people + 'policies: {few: {in: "*", role: owner, people: {max: 1}}}\n' + acme())
    assert found(bare.run("validate", "--format", "json")) == {("people.max", "acme", None)}


def test_min_is_not_judged_where_the_manifests_do_not_manage_the_members(bare):
    bare.manifest('policies: {few: {in: "*", role: owner, people: {min: 2}}}\norgs: {acme: {}}\n')
    ran = bare.run("validate")
    assert ran.status == 0
    assert "`min` is not judged there" in ran.out


WRONG = {
    "no-such-policy": ("waivers: [{policy: onlly, who: vera, in: acme/prod, until: 2026-12-15, reason: x}]", "did you mean `only`?"),
    "no-such-person": ("waivers: [{policy: only, who: vero, in: acme/prod, until: 2026-12-15, reason: x}]", "did you mean `vera`?"),
    "no-such-place": ("waivers: [{policy: only, who: vera, in: acme/prd, until: 2026-12-15, reason: x}]", "did you mean `acme/prod`?"),
    "no-place": ("waivers: [{policy: only, who: vera, until: 2026-12-15, reason: x}]", "its waiver has no `in`"),
    "no-person": ("waivers: [{policy: only, in: acme/prod, until: 2026-12-15, reason: x}]", "its waiver has no `who`"),
    "no-end": ("waivers: [{policy: only, who: vera, in: acme/prod, reason: x}]", "waiver has no `until`"),
    "no-reason": ("waivers: [{policy: only, who: vera, in: acme/prod, until: 2026-12-15}]", "waiver has no `reason`"),
    "a-pattern": ("waivers: [{policy: only, who: vera, in: 'acme/*', until: 2026-12-15, reason: x}]", "`acme/*` is not a place"),
    "a-team": ("waivers: [{policy: only, who: team/sre, in: acme/prod, until: 2026-12-15, reason: x}]", "`team/sre` is not a"),
    "twice": ("waivers: [&w {policy: only, who: vera, in: acme/prod, until: 2026-12-15, reason: x}, *w]", "waived twice"),
    "no-such-day": ("waivers: [{policy: only, who: vera, in: acme/prod, until: 2026-02-30, reason: x}]", "does not exist in the calendar"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_waiver_that_cannot_mean_anything_is_an_error(bare, name):
    waiver, words = WRONG[name]
    bare.manifest(TEAMS + "policies: {only: {in: acme/prod, only: team/sre}}\n" + waiver + "\n" + acme())
    ran = bare.run("validate")
    assert ran.status == 1
    assert words in ran.err


def test_a_waiver_that_allows_nothing_is_a_warning(bare):
    waiver = "waivers: [{policy: only, who: vera, in: acme/prod, until: 2026-12-15, reason: x}]\n"
    bare.manifest(TEAMS + "policies: {only: {in: acme/prod, role: reader, only: team/sre}}\n" + waiver + acme())
    ran = bare.run("validate")
    assert ran.status == 0
    assert "the waiver of policy only for vera in acme/prod allows nothing" in ran.out


def test_a_waiver_that_ends_soon_is_told_and_others_are_not(bare):
    waiver = "waivers: [{policy: only, who: dave, in: acme/prod, until: 2026-11-30, reason: x}]\n"
    policy = "policies: {only: {in: acme/prod, role: reader, only: team/sre}}\n"
    bare.manifest(TEAMS + policy + waiver + acme(prod="{dave: reader}"))
    assert "it counts through 2026-11-30" in bare.run("validate").out
    assert bare.run("validate", "--expiring", "6d").out == bare.run("validate", "--expiring", "0d").out
    assert "it counts through 2026-11-30" in bare.run("validate", "--expiring", "7d").out


def test_a_pattern_that_matches_nothing_is_a_warning_and_a_star_never_crosses_a_slash(bare):
    bare.manifest(
        'policies: {a: {in: "*/prodd", only: alice}, b: {in: "*", people: {max: 4}}}\n' + acme(prod="{vera: reader}")
    )
    ran = bare.run("validate", "--format", "json")
    assert [one["summary"] for one in ran.json["diagnostics"]] == ["`*/prodd` of policy a matches nothing"]


def test_a_team_that_a_rule_names_must_exist_and_be_written_as_a_team(bare):
    bare.manifest(TEAMS + 'policies: {a: {in: "*", only: [team/srx, sre]}}\n' + acme())
    ran = bare.run("validate")
    assert "names `team/srx`, but there is no such team" in ran.err
    assert "write `team/sre`" in ran.err


def test_policies_may_stand_in_a_file_of_their_own_and_the_same_name_twice_is_an_error(bare):
    bare.manifest(acme(), "orgs/acme.yaml")
    bare.manifest('policies: {few: {in: "*", role: owner, people: {max: 1}}}\n', "orgs/policies.yaml")
    ran = bare.run("validate", "--format", "json")
    assert ran.json["violations"][0]["policy_source"]["file"] == "orgs/policies.yaml"
    bare.manifest('policies: {few: {in: "*", role: owner, people: {max: 3}}}\n', "orgs/more.yaml")
    ran = bare.run("validate")
    assert "policy few is written twice" in ran.err


def test_junit_has_a_case_for_each_policy_and_only_an_error_fails(bare):
    policies = 'policies: {a: {in: "*", people: {max: 9}}, b: {in: "*", people: {max: 1}}, c: {in: "*", people: {max: 1}, level: warn}}\n'
    bare.manifest(policies + acme())
    root = ET.fromstring(bare.run("validate", "--format", "junit").out)
    cases = {case.get("name"): case for case in root.iter("testcase") if case.get("classname").endswith(".policy")}
    assert {name: case.find("failure") is not None for name, case in cases.items()} == {
        "a": False,
        "b": True,
        "c": False,
    }
    assert root.get("failures") == "1"
    assert root.get("errors") == "0"


SHOWN = """\
teams:
  sre: [bob]
policies:
  prod-is-sre:
    {in: "*/prod", role: [operator, owner], only: [team/sre, owners], message: Ask the SRE team, help: "https://wiki.example/sre"}
  owners-few: {in: "*", role: owner, people: {min: 2}, level: warn}
orgs:
  acme:
    members: {alice: owner, bob: member, vera: member}
    workspaces:
      prod:
        members:
          bob: operator
          vera: operator
"""


@pytest.mark.parametrize("form", ["text", "markdown", "github", "json", "junit"])
def test_a_violation_as_each_format_shows_it(bare, form, golden):
    bare.manifest(SHOWN)
    ran = bare.run("validate", "--format", form)
    assert ran.status == 1
    if form == "json":
        json.loads(ran.out)
    golden(f"validate.{form}", ran.out)


@pytest.mark.parametrize("text", ["<b>x</b>", "::error::x", "a|b", "@everyone", "\u202ex", "[x](javascript:y)"])
@pytest.mark.parametrize("form", ["text", "markdown", "github", "json", "junit", "html"])
def test_hostile_messages_are_harmless_in_every_format(bare, text, form):
    quoted = json.dumps(text)
    bare.manifest(f'policies: {{p: {{in: "*", role: owner, people: {{max: 0}}, message: {quoted}}}}}\n' + acme())
    ran = bare.run("validate", "--format", form)
    assert ran.status == 1
    assert "\u202e" not in ran.out
    assert not [line for line in ran.out.splitlines() if line.strip().startswith("::error::x")]
    if form in ("html", "junit"):
        assert "<b>x" not in ran.out
    if form == "markdown":
        shown = PARSER.render(ran.out)
        assert [raw for raw in ("<b>x", 'href="javascript') if raw in shown] == []


ROBOTS = """\
people: {deploybot: {handle: deploy-bot, robot: true}}
policies:
  no-robot-owns: {in: "*", role: owner, robots: never}
  few: {in: "*", role: owner, people: {max: 1}}
  prod: {in: "*/prod", only: [service/ci, owners]}
"""


def test_robots_are_refused_where_a_rule_says_so_and_never_counted(bare):
    members = "members: {alice: owner, vera: member, service/ci: owner, deploybot: owner}"
    bare.manifest(ROBOTS + acme(members, prod="{vera: reader}", more=", service_accounts: {ci: {title: CI}}"))
    ran = bare.run("validate", "--format", "json")
    assert found(ran) == {
        ("robots", "acme", "service/ci"),
        ("robots", "acme", "deploybot"),
        ("only", "acme/prod", "vera"),
    }


def test_a_waiver_may_name_somebody_whom_no_line_lists_only_where_the_manifests_do_not_list_everyone(bare):
    rules = "policies: {only: {in: acme, only: alice}}\nwaivers: [{policy: only, who: gina, in: acme, until: 2026-12-15, reason: x}]\n"
    bare.manifest(rules + "orgs: {acme: {}}\n")
    assert bare.run("validate").status == 0
    bare.manifest(rules + "orgs: {acme: {members: {alice: owner}}}\n")
    assert "no manifest lists `gina`" in bare.run("validate").err
