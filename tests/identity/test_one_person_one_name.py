"""One account has one name: what a reviewer reads is who it happens to."""

from __future__ import annotations

import pytest

WORLD = """
users: {bob: {}, ivy-r: {email: ivy@example.com}, mallory: {}}
orgs:
  acme: {members: {alice: owner, bob: owner}, workspaces: {prod: {}}}
  beta: {members: {alice: owner, bob: owner}}
"""
PEOPLE = "people: {ivy: {email: ivy@example.com}}\n"
TENANT = """
users: {ivy-r: {email: ivy@example.com}}
tenant: {handle: umbrella, members: {alice: owner, ivy-r: {role: member, email: ivy@example.com}}}
orgs: {acme: {tenant: umbrella, members: {alice: owner}, workspaces: {prod: {}}}}
"""


@pytest.fixture
def invited(bench):
    """Ivy was invited by email, and has accepted as `ivy-r`."""
    bench.pipes(WORLD)
    bench.manifest(PEOPLE + "orgs: {acme: {members: {alice: owner, bob: owner, ivy: member}}}")
    assert bench.apply().status == 0
    bench.accept("acme", "ivy-r")
    return bench


SECOND_NAMES = [
    pytest.param("ivy: member, ivy-r: owner", id="two roles"),
    pytest.param("ivy: {absent: true}, ivy-r: owner", id="one of them stated absent"),
    pytest.param("ivy: member, ivy-r: {absent: true}", id="the other one stated absent"),
    pytest.param("ivy: {role: owner, expires: 2026-11-01}, ivy-r: member", id="one of them expired"),
    pytest.param("ivy: member, ir: owner", id="an alias"),
]


@pytest.mark.parametrize("lines", SECOND_NAMES)
def test_two_names_of_one_account_in_one_org_are_refused_by_plan_and_by_validate(invited, lines):
    people = PEOPLE.replace("}}", "}, ir: {handle: ivy-r}}") if " ir:" in lines else PEOPLE
    invited.manifest(people + f"orgs: {{acme: {{members: {{alice: owner, bob: owner, {lines}}}}}}}")
    ran, before = invited.planned(), invited.database()
    assert (ran.status, set(ran.codes), ran.addresses) == (3, {"who-is-this"}, [])
    assert invited.apply().status == 3
    assert invited.database() == before
    offline = invited.run("validate")
    assert offline.status == 1
    assert "are one person in acme" in offline.err


def test_a_second_name_in_a_workspace_is_refused_too(invited):
    invited.manifest(PEOPLE + "orgs: {acme: {workspaces: {prod: {members: {ivy: reader, ivy-r: operator}}}}}")
    assert set(invited.planned().codes) == {"who-is-this"}


def test_two_names_in_two_orgs_are_a_warning(invited):
    beta = "beta: {members: {alice: owner, bob: owner, ivy-r: member}}"
    invited.manifest(PEOPLE + f"orgs: {{acme: {{members: {{alice: owner, bob: owner, ivy: member}}}}, {beta}}}")
    offline = invited.run("validate")
    assert offline.status == 0
    assert "ivy-r in beta and ivy in acme are one person" in offline.out + offline.err
    assert "ivy-r in beta and ivy in acme are one person" in invited.plan().out, "she is not in beta yet"
    assert invited.apply().status == 0
    ran = invited.plan("--detailed-exitcode")
    assert ran.status == 0
    assert "ivy-r in beta and ivy in acme are one person" in ran.out


def test_in_a_custom_tenant_its_list_tells_that_two_names_are_one_account(bench):
    bench.pipes(TENANT)
    bench.manifest(PEOPLE + "orgs: {acme: {members: {alice: owner, ivy: member, ivy-r: owner}}}")
    before = bench.database()
    ran = bench.planned()
    assert (ran.status, set(ran.codes), ran.addresses) == (3, {"who-is-this"}, [])
    assert bench.apply().status == 3
    assert bench.database() == before


def test_whose_account_a_name_is_is_said_where_the_handle_is_another_word(invited):
    ran = invited.plan("--detailed-exitcode")
    assert ran.status == 0
    assert "ivy is ivy-r's account" in ran.out


def test_a_new_label_for_the_same_address_is_the_same_person(invited):
    invited.manifest(
        "people: {ir: {email: IVY@example.com}}\norgs: {acme: {members: {alice: owner, bob: owner, ir: member}}}"
    )
    before = invited.database()
    assert invited.planned().addresses == []
    assert invited.apply().status == 0
    assert invited.database() == before
    assert "org.acme/member.ir" in (invited.lock_text() or "")
    assert "org.acme/member.ivy" not in (invited.lock_text() or "")
    assert invited.plan("--detailed-exitcode").status == 0


def test_without_a_lock_file_one_email_dropped_and_another_added_is_doubtful(invited):
    (invited.folder / "reconciler.lock.json").unlink()
    invited.manifest(
        "people: {dora: {email: dora@example.com}}\norgs: {acme: {members: {alice: owner, bob: owner, dora: member}}}"
    )
    before = invited.database()
    assert invited.planned().codes == ["who-is-this"]
    assert invited.apply().status == 3
    assert invited.database() == before


# --- an address of somebody who is known by a handle only --------------------------------------------------------------

KNOWN = """
users: {bob: {email: bob@example.com}, zoe: {}}
orgs: {acme: {members: {alice: owner, MEMBERS}, workspaces: {prod: {members: {bob: operator}}}}}
"""
BOB_BY_HANDLE = "orgs: {acme: {members: {alice: owner, MEMBERS}, workspaces: {prod: {members: {bob: operator}}}}}"


def robert(bench, listed, members):
    """Bob, known by his handle, becomes `robert`, known by his address; `listed` is what else the manifest has of bob."""
    bench.pipes(KNOWN.replace("MEMBERS", members))
    bench.manifest(BOB_BY_HANDLE.replace("MEMBERS", members))
    assert bench.apply().status == 0
    bench.manifest(
        "people: {robert: {email: bob@example.com}}\norgs: {acme: {members: {alice: owner, robert: member"
        f"{listed}}}, workspaces: {{prod: {{members: {{robert: operator}}}}}}}}}}"
    )


@pytest.mark.parametrize("members", ["bob: member", "bob: member, zoe: member"])
def test_nobody_unlisted_is_removed_while_an_invitation_by_email_is_refused_that_may_be_theirs(bench, members):
    robert(bench, "", members)
    before = bench.database()
    assert bench.planned().codes == []
    ran = bench.apply()
    assert ran.status == 1
    assert "handle: HANDLE" in ran.out
    assert bench.database() == before
    bench.manifest(
        "people: {robert: {email: bob@example.com, handle: bob}}\norgs: {acme: {members: {alice: owner, robert: member},"
        " workspaces: {prod: {members: {robert: operator}}}}}"
    )
    assert bench.apply().status == 0
    assert bench.members("acme") == {"alice": "owner", "bob": "member"}
    assert bench.grants("acme", "prod") == {"bob": "operator"}


def test_whose_absence_is_stated_goes_whatever_becomes_of_an_invitation(bench):
    robert(bench, ", bob: {absent: true}", "bob: member")
    # one after the other: Pipes takes the invitation if bob has left by then
    assert bench.apply("--parallelism", "1").status == 5
    assert bench.members("acme") == {"alice": "owner"}


def test_an_invitation_that_succeeds_holds_up_no_removal(bench):
    robert(bench, "", "bob: member")
    orgs = (bench.folder / "orgs.yaml").read_text()
    bench.manifest(orgs.replace("bob@example.com", "robert@example.com"))
    assert bench.apply().status == 0
    assert "bob" not in bench.members("acme")


# --- a corrected address ----------------------------------------------------------------------------------------------

WORKSPACE = "workspaces: {prod: {members: {ivy: reader}}}"
CORRECTED = f"orgs: {{acme: {{members: {{alice: owner, bob: owner, ivy: ROLE}}, {WORKSPACE}}}}}"


@pytest.mark.parametrize("role", ["member", "owner"])
def test_a_pending_invitation_to_a_former_address_is_cancelled_and_sent_to_the_new_one_as_one_change(bench, role):
    bench.pipes(WORLD)
    bench.manifest("people: {ivy: {email: ivvy@example.com}}\n" + CORRECTED.replace("ROLE", "member"))
    assert bench.apply().status == 0
    wrong = next(handle for handle, held in bench.members("acme").items() if held == "member?")
    bench.manifest(PEOPLE + CORRECTED.replace("ROLE", role))
    ran = bench.planned()
    changes = {change["address"]: change for change in ran.json["resource_changes"]}
    assert (ran.status, ran.codes) == (0, [])
    assert changes["org.acme/member.ivy"]["action_reason"] == "readdressed"
    assert [r["method"] for r in changes["org.acme/member.ivy"]["requests"]] == ["DELETE", "POST"]
    applied = bench.apply()
    assert applied.status == 0, applied.out
    assert wrong not in bench.members("acme")
    if role == "member":  # an owner reaches the workspace anyway
        assert bench.grants("acme", "prod") == {"ivy-r": "reader"}
    assert bench.members("acme")["ivy-r"] == f"{role}?"
    assert bench.plan("--detailed-exitcode").status == 0


def test_an_accepted_account_stays_where_its_address_is_corrected_and_nothing_of_it_changes(invited):
    invited.manifest(
        "people: {ivy: {email: other@example.com}}\norgs: {acme: {members: {alice: owner, bob: owner, ivy: member}}}"
    )
    before = invited.database()
    ran = invited.plan("--detailed-exitcode")
    assert ran.status == 0
    assert "was invited at another address than other@example.com" in ran.out
    assert invited.apply().status == 0
    invited.manifest(
        "people: {ivy: {email: other@example.com}}\norgs: {acme: {members: {alice: owner, bob: owner, ivy: owner}}}"
    )
    ran = invited.planned()
    assert (ran.status, ran.codes, ran.addresses) == (3, ["who-is-this"], [])
    assert invited.apply().status == 3
    assert invited.database() == before


# --- declined ---------------------------------------------------------------------------------------------------------


def test_who_declined_and_is_listed_by_handle_is_invited_again_and_the_plan_says_so(bench):
    bench.pipes(WORLD)
    bench.manifest("orgs: {acme: {members: {alice: owner, bob: owner, mallory: member}}}")
    assert "again" not in bench.plan().out
    assert bench.apply().status == 0
    bench.decline("acme", "mallory")
    assert "invites mallory again" in bench.plan().out


@pytest.mark.parametrize(
    "lines", ["ivy-r: {role: owner, expires: 2026-11-01}, ivy: member", "ivy: member, ivy-r: member"]
)
@pytest.mark.parametrize("there", [False, True], ids=["to be added", "in the org"])
def test_in_a_tenant_two_names_of_somebody_who_is_not_in_the_org_yet_are_refused_too(bench, lines, there):
    bench.pipes(
        TENANT.replace("members: {alice: owner}, work", "members: {alice: owner, ivy-r: member}, work")
        if there
        else TENANT
    )
    bench.manifest(PEOPLE + f"orgs: {{acme: {{members: {{alice: owner, {lines}}}}}}}")
    ran, before = bench.planned(), bench.database()
    assert (ran.status, set(ran.codes), ran.addresses) == (3, {"who-is-this"}, [])
    assert bench.apply().status == 3
    assert bench.database() == before
