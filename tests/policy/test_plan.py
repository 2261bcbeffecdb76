"""`plan` and `apply` with policies: what gets worse than Pipes is refused, what stands is told."""

import pytest

WORLD = """\
users: {bob: {}, carol: {}, dave: {}, vera: {}}
orgs:
  acme:
    members: {alice: owner, bob: owner, carol: member, dave: member}
    workspaces: {prod: {members: {dave: operator}}}
"""
MEMBERS = "alice: owner, bob: owner, carol: member, dave: member"
POLICIES = """\
policies:
  owners-few: {in: "*", role: owner, people: {min: 2, max: 2}}
  prod-is-sre: {in: "*/prod", role: operator, only: [team/sre, owners], message: Ask the SRE team}
teams: {sre: [carol]}
"""


def manifest(members=MEMBERS, prod="{dave: operator}", more=""):
    return f"{POLICIES}{more}orgs: {{acme: {{members: {{{members}}}, workspaces: {{prod: {{members: {prod}}}}}}}}}\n"


@pytest.fixture
def acme(bench):
    bench.pipes(WORLD)
    return bench


def test_what_stands_in_pipes_is_told_and_refuses_nothing(acme):
    acme.manifest(manifest(prod="{dave: operator, carol: operator}"))
    ran = acme.planned()
    assert (ran.status, ran.codes) == (0, [])
    assert [note for note in ran.json["notes"] if "dave is operator on acme/prod" in note]
    assert acme.apply().status == 0


def test_of_many_violations_that_stand_ten_are_named_and_the_others_counted(bench):
    people = [f"p{n:02}" for n in range(23)]
    users, members = (", ".join(f"{one}: {what}" for one in people) for what in ("{}", "member"))
    grants = ", ".join(f"{one}: operator" for one in people)
    bench.pipes(
        f"users: {{bob: {{}}, {users}}}\norgs: {{acme: {{members: {{alice: owner, bob: owner, {members}}},"
        f" workspaces: {{prod: {{members: {{{grants}}}}}}}}}}}"
    )
    bench.manifest(manifest(f"alice: owner, bob: owner, {members}", f"{{{grants}}}"))
    ran = bench.planned()
    standing = [note for note in ran.json["notes"] if "It is so in Pipes already" in note]
    assert [note.partition(" is operator")[0].rpartition(" ")[2] for note in standing] == people[:10]
    assert [note for note in ran.json["notes"] if "13 more violations of policies are in Pipes already" in note]


WORSE = {
    "one-more-owner": (manifest(MEMBERS.replace("carol: member", "carol: owner")), "3 people are owner of acme"),
    "one-owner-less": (manifest(MEMBERS.replace("bob: owner", "bob: member")), "1 person is owner of acme"),
    "an-invited-owner": (manifest(MEMBERS + ", vera: owner"), "3 people are owner of acme"),
    "one-more-operator": (manifest(MEMBERS, "{dave: operator, carol: operator}").replace("sre: [carol]", "sre: []"), "carol is operator"),
    "an-owner-who-keeps-a-grant": (
        manifest("alice: owner, carol: owner, bob: member, dave: member", "{dave: operator, bob: operator}"),
        "bob is operator on acme/prod",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WORSE)
def test_what_gets_worse_is_refused_and_no_allowance_lifts_it(acme, name):
    text, fact = WORSE[name]
    acme.manifest(text)
    before = acme.database()
    ran = acme.planned()
    assert (ran.status, set(ran.codes)) == (3, {"policy"})
    assert fact in ran.json["safeguards"]["refusals"][0]["fact"]
    assert "- {policy: " in ran.json["safeguards"]["refusals"][0]["fix"]
    assert acme.apply("--allow", "policy=org.acme").status == 1
    assert acme.apply().status == 3
    assert acme.database() == before


def test_the_waiver_that_a_refusal_prints_lifts_it(acme):
    text = manifest(MEMBERS, "{dave: operator, carol: operator}").replace("sre: [carol]", "sre: []")
    acme.manifest(text)
    fix = acme.planned().json["safeguards"]["refusals"][0]["fix"]
    line = fix[fix.index("- {policy") : fix.index("}") + 1]
    acme.manifest(f"{text}waivers:\n  {line}\n")
    assert acme.planned().status == 0
    assert acme.apply().status == 0
    assert acme.grants("acme", "prod")["carol"] == "operator"


def test_a_saved_plan_is_judged_again_when_it_is_applied(acme):
    acme.manifest(manifest(MEMBERS, "{dave: operator, carol: operator}"))
    assert acme.plan("-o", "plan.json").status == 0
    assert acme.apply("plan.json").status == 0
    acme.manifest(manifest(MEMBERS.replace("carol: member", "carol: owner")))
    assert acme.plan("-o", "plan.json").status == 3
    assert acme.apply("plan.json").status == 3


def test_members_whom_the_manifests_do_not_manage_count_as_they_are_in_pipes(acme):
    acme.manifest(
        f"{POLICIES}orgs: {{acme: {{workspaces: {{prod: {{members: {{dave: operator, carol: operator}}}}}}}}}}\n"
    )
    assert (acme.planned().status, acme.planned().codes) == (0, [])
    acme.manifest(
        f"{POLICIES}orgs: {{acme: {{workspaces: {{prod: {{members: {{dave: operator}}}}}}}}}}\n".replace(
            "min: 2, max: 2", "max: 1"
        )
    )
    ran = acme.planned()
    assert ran.status == 0
    assert [note for note in ran.json["notes"] if "2 people are owner of acme" in note]


def test_a_renamed_org_keeps_its_standing_violations(acme):
    acme.manifest(manifest().replace("{acme: {", "{emca: {renamed_from: acme, "))
    ran = acme.planned()
    assert (ran.status, ran.codes) == (0, [])


def test_text_says_the_rule_its_line_and_the_waiver(acme, golden):
    acme.manifest(WORSE["one-more-operator"][0])
    golden("plan.text", acme.plan().out.partition("Refused: policy")[2])


RISKS = {
    "none": manifest(),
    "attributes": manifest().replace("{acme: {", "{acme: {display_name: New, "),
    "losses": manifest(prod="{dave: reader}"),
    "grants": manifest(MEMBERS, "{dave: operator, carol: operator}"),
    "owners": manifest(MEMBERS.replace("carol: member", "carol: owner")).replace("max: 2", "max: 3"),
    "destroys": manifest().replace("prod: {members: {dave: operator}}", "prod: {absent: true}"),
}


@pytest.mark.parametrize("risk", RISKS)
def test_the_risk_of_a_plan_is_in_its_first_line_its_json_and_its_outputs(acme, risk, monkeypatch):
    acme.manifest(RISKS[risk])
    assert acme.planned().json["risk"] == risk
    assert (f"Risk: {risk}." in acme.plan().out) == (risk != "none")
    outputs = acme.folder / "outputs"
    outputs.touch()
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    acme.plan("--format", "github")
    assert f"risk={risk}\n" in outputs.read_text()
    acme.plan("--dotenv", "plan.env")
    assert f"RECONCILER_RISK={risk}\n" in (acme.folder / "plan.env").read_text()
