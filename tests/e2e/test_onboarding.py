"""From a pull request with an email to somebody who works in a workspace, and whatever may come in between."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date

import pytest

from e2e.bench import LOCK
from reconciler import clock
from reconciler.sandbox.store import Store

WORLD = """
users: {mallory: {}}
orgs: {acme: {members: {alice: owner, bob: owner}, workspaces: {prod: {}}}}
"""
MANIFEST = """
people: {carol: {email: carol@example.com}}
orgs:
  acme:
    members: {alice: owner, bob: owner, carol: member}
    workspaces: {prod: {members: {carol: reader}}}
"""
TENANT = """
tenant: {handle: umbrella, members: {alice: owner, carol-x: {role: member, email: carol@example.com}}}
orgs: {acme: {members: {alice: owner, bob: owner}, workspaces: {prod: {}}}}
"""


@pytest.fixture
def on(monkeypatch):
    """Let the command's day be another one."""
    return lambda text: monkeypatch.setattr(clock, "today", lambda: date.fromisoformat(text))


def invited(bench, org="acme"):
    return [handle for handle, role in bench.members(org).items() if role.endswith("?")]


def answer(bench, handle, method="GET"):
    """The invited person accepts (GET), or declines (DELETE)."""
    with closing(Store.open_existing(bench.db)) as store:
        secret = store.invitation("acme", handle)
    path = "/org/acme/member/invite" + ("/confirm" if method == "GET" else "")
    bench.client(handle).send(method, path, params={"t": secret})


def onboarded(bench):
    """Carol, invited and granted by one apply; her handle."""
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    assert bench.apply().status == 0
    [handle] = invited(bench)
    assert bench.grants("acme", "prod") == {handle: "reader"}
    return handle


def sent(bench):
    return json.loads(bench.lock_text())["entries"]["org.acme/member.carol"].get("sent")


def test_from_a_pull_request_to_access_in_one_apply_then_acceptance_then_an_empty_plan(bench):
    handle = onboarded(bench)
    assert bench.plan("--detailed-exitcode").status == 0
    assert sent(bench) is not None
    answer(bench, handle)
    assert bench.members("acme")[handle] == "member"
    assert bench.plan("--detailed-exitcode").status == 0
    before = bench.database()
    assert bench.apply().status == 0
    assert bench.database() == before


@pytest.mark.parametrize("accepts", [False, True])
def test_with_the_lock_file_lost_nobody_is_invited_twice_nor_removed_and_a_handle_leads_on(bench, accepts):
    handle = onboarded(bench)
    if accepts:
        answer(bench, handle)
    (bench.folder / LOCK).unlink()
    before = bench.database()
    ran = bench.planned()
    assert ran.status == 3
    assert ran.codes == ["who-is-this"]
    assert ran.addresses == []
    told = ran.json["safeguards"]["refusals"][0]
    assert handle in told["fact"]
    assert "carol: {email: carol@example.com, handle: HANDLE}" in told["fix"]
    assert bench.apply().status == 3
    assert bench.database() == before
    bench.manifest(MANIFEST.replace("carol@example.com", f"carol@example.com, handle: {handle}"))
    assert bench.plan("--detailed-exitcode").status == 0
    assert bench.apply().status == 0
    assert bench.database() == before


@pytest.mark.parametrize("line", ["mallory: {absent: true}", "mallory: member"])
def test_whom_this_tokens_user_let_in_by_hand_is_asked_for_once_and_saying_who_it_is_leads_on(bench, line):
    bench.pipes(WORLD.replace("bob: owner}", "bob: owner, mallory: {role: member, by: alice}}"))
    bench.manifest(MANIFEST)
    ran = bench.planned()
    assert (ran.status, ran.codes, ran.addresses) == (3, ["who-is-this"], [])
    assert "state `mallory: {absent: true}`" in ran.json["safeguards"]["refusals"][0]["fix"]
    bench.manifest(MANIFEST.replace("carol: member}", f"carol: member, {line}}}"))
    assert bench.apply().status == 0
    assert len(invited(bench)) == 1
    assert ("mallory" in bench.members("acme")) == line.endswith("member")


def test_a_fresh_repository_takes_over_an_org_with_people_whom_somebody_else_let_in(bench):
    bench.pipes(WORLD.replace("bob: owner}", "bob: owner, mallory: {role: member, by: bob}}"))
    bench.manifest(MANIFEST)
    assert bench.apply().status == 0
    assert set(bench.members("acme")) - {"alice", "bob"} == set(invited(bench))


def test_the_role_of_a_pending_invitation_changes_and_it_can_be_cancelled(bench):
    handle = onboarded(bench)
    bench.manifest(MANIFEST.replace("carol: member", "carol: owner").replace("{carol: reader}", "{}"))
    assert bench.apply().status == 0
    assert bench.members("acme")[handle] == "owner?"
    bench.manifest(MANIFEST.replace("carol: member", "carol: {absent: true}").replace("{carol: reader}", "{}"))
    assert bench.apply().status == 0
    assert invited(bench) == []
    assert bench.plan("--detailed-exitcode").status == 0


def test_who_declined_is_told_from_who_was_never_invited_and_invited_again_only_where_stated(bench, on):
    handle = onboarded(bench)
    day = sent(bench)
    on(day)
    answer(bench, handle, "DELETE")
    before = bench.database()
    ran = bench.apply()
    assert ran.status == 3
    assert f"the invitation of {day} is gone" in ran.out
    assert "reinvite: " in ran.out
    assert bench.database() == before
    stated = MANIFEST.replace("carol@example.com", "carol@example.com, reinvite: 2100-01-01")
    bench.manifest(stated)
    assert bench.plan().status == 3
    on("2100-01-01")
    assert bench.planned().addresses == ["org.acme/member.carol", "org.acme/workspace.prod/grant.carol"]


def test_reinvite_is_spent_once_done(bench, on):
    handle = onboarded(bench)
    answer(bench, handle, "DELETE")
    lock = json.loads(bench.lock_text())
    lock["entries"]["org.acme/member.carol"]["sent"] = "2020-01-01"
    (bench.folder / LOCK).write_text(json.dumps(lock))
    bench.manifest(MANIFEST.replace("carol@example.com", "carol@example.com, reinvite: 2020-06-01"))
    assert bench.apply().status == 0
    assert invited(bench) == [handle]
    assert bench.grants("acme", "prod") == {handle: "reader"}
    assert bench.plan("--detailed-exitcode").status == 0
    answer(bench, handle, "DELETE")
    assert bench.planned().codes == ["who-is-this"]


def test_resend_after_sends_it_again_on_its_day_and_holds_up_nothing_before(bench, on):
    handle = onboarded(bench)
    day = date.fromisoformat(sent(bench))
    answer(bench, handle, "DELETE")
    bench.manifest(
        "invitations: {resend_after: 14d}" + MANIFEST.replace("workspaces:", "display_name: Acme\n    workspaces:")
    )
    eve, due = (date.fromordinal(day.toordinal() + days) for days in (13, 14))
    on(eve.isoformat())
    ran = bench.apply()
    assert ran.status == 0
    assert invited(bench) == []
    assert "sent again from " + due.isoformat() in bench.plan().out
    on(due.isoformat())
    assert bench.planned().addresses == ["org.acme/member.carol", "org.acme/workspace.prod/grant.carol"]
    assert bench.apply().status == 0
    assert invited(bench) == [handle]


def test_what_is_pending_for_long_is_told_and_left_alone(bench, on):
    onboarded(bench)
    bench.manifest("invitations: {resend_after: 1d}" + MANIFEST)
    on("2100-01-01")
    before = bench.database()
    ran = bench.apply()
    assert ran.status == 0
    assert "the invitation of carol to acme is pending since" in ran.out
    assert bench.database() == before


# --- custom tenants ---------------------------------------------------------------------------------------------------


def asked_for_emails(seen):
    return [path for _, path, _ in seen if "/tenant" in path]


def test_in_a_custom_tenant_an_email_is_enough_and_the_lock_file_may_be_lost(bench):
    bench.pipes(TENANT)
    bench.manifest(MANIFEST)
    assert bench.apply().status == 0
    assert bench.members("acme")["carol-x"] == "member"
    assert bench.grants("acme", "prod") == {"carol-x": "reader"}
    with bench.served() as seen:
        assert bench.plan("--detailed-exitcode").status == 0
        assert asked_for_emails(seen) == []  # the lock file knows her
    (bench.folder / LOCK).unlink()
    before = bench.database()
    with bench.served() as seen:
        assert bench.plan("--detailed-exitcode").status == 0
        assert len(asked_for_emails(seen)) == 2
    assert bench.apply().status == 0
    assert bench.database() == before
    assert "org.acme/member.carol" in bench.lock_text()


def test_the_tenants_list_is_not_asked_for_where_all_are_known_by_handle(bench):
    bench.pipes(TENANT)
    bench.manifest(MANIFEST.replace("email: carol@example.com", "handle: carol-x"))
    with bench.served() as seen:
        assert bench.plan().status == 0
        assert asked_for_emails(seen) == []


def test_who_does_not_own_the_tenant_is_told_to_name_the_handle(bench):
    bench.pipes(TENANT.replace("{alice: owner, carol-x", "{alice: member, bob: owner, carol-x"))
    bench.manifest(MANIFEST)
    ran = bench.planned()
    assert ran.codes == ["unknown-user"]
    assert "only the tenant's owners can see whose it is" in ran.json["safeguards"]["refusals"][0]["fact"]
    bench.manifest(MANIFEST.replace("email: carol@example.com", "handle: carol-x"))
    assert bench.apply().status == 0


def test_an_address_that_has_become_another_users_is_doubtful(bench):
    bench.pipes(TENANT)
    bench.manifest(MANIFEST)
    bench.lock(**{"org.acme": "org acme", "org.acme/member.carol": "nobody"})
    ran = bench.planned()
    assert ran.codes == ["who-is-this"]
    assert "in the tenant that address is carol-x's" in ran.json["safeguards"]["refusals"][0]["fact"]
