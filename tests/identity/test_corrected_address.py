"""A corrected address while the wrong mailbox acts: it accepts or declines after somebody has seen the plan."""

from __future__ import annotations

import pytest

from e2e import between

WORLD = """
users: {bob: {}, ivy-r: {email: ivy@example.com}}
orgs:
  acme: {members: {alice: owner, bob: owner}, workspaces: {prod: {}}}
  beta: {members: {alice: owner, bob: owner}}
"""
MISTYPED = "people: {ivy: {email: ivvy@example.com}}\n"
CORRECTED = "people: {ivy: {email: ivy@example.com}}\n"
ACME = "acme: {members: {alice: owner, bob: owner, ivy: member}, workspaces: {prod: {members: {ivy: reader}}}}"
ORGS = f"orgs: {{{ACME}}}"
INVITE = ("POST", "/org/acme/member/invite")


@pytest.fixture
def mistyped(bench):
    """ivy is invited at a mistyped address, which is then corrected in the manifest; also gives the account there."""
    bench.pipes(WORLD)
    bench.manifest(MISTYPED + ORGS)
    assert bench.apply().status == 0
    bench.manifest(CORRECTED + ORGS)
    return bench, pending(bench, "acme")


def pending(bench, org):
    (handle,) = [handle for handle, held in bench.members(org).items() if held.endswith("?")]
    return handle


def act_after(monkeypatch, request, act):
    """Call `act` once, when commands in this process were answered `request`; gives the requests so far."""
    seen = []

    def after(method, path):
        seen.append((method, path))
        if (method, path) == request and seen.count(request) == 1:
            act()

    between.answer(monkeypatch, lambda method, path: None, after)
    return seen


def is_left_alone_and_reported(bench, wrong):
    assert bench.members("acme") == {"alice": "owner", "bob": "owner", wrong: "member"}
    assert bench.grants("acme", "prod") == {wrong: "reader"}
    again = bench.plan("--detailed-exitcode")
    assert again.status == 0
    assert "was invited at another address than ivy@example.com" in again.out
    assert f"write `{wrong}: {{absent: true}}` in place of ivy" in again.out


@pytest.mark.parametrize("role", ["member", "owner"])
@pytest.mark.parametrize("last", [False, True], ids=["after the plan's reading", "after the step's own look"])
def test_whoever_accepts_between_plan_and_step_is_left_alone_and_nobody_is_invited(mistyped, monkeypatch, last, role):
    bench, wrong = mistyped
    bench.manifest(CORRECTED + ORGS.replace("ivy: member", f"ivy: {role}"))
    request = ("GET", f"/org/acme/member/{wrong}" if last else "/org/acme/member")
    seen = act_after(monkeypatch, request, lambda: bench.accept("acme", wrong))
    ran = bench.apply()
    assert ran.status == 1
    assert INVITE not in seen
    assert "failed     1  ~ org.acme/member.ivy" in ran.out
    bench.manifest(CORRECTED + ORGS)
    is_left_alone_and_reported(bench, wrong)


def test_a_saved_plan_is_stale_once_the_wrong_mailbox_has_accepted(mistyped):
    bench, wrong = mistyped
    assert bench.plan("-o", "plan.json").status == 0
    bench.accept("acme", wrong)
    before = bench.database()
    ran = bench.apply("plan.json")
    assert ran.status == 3
    assert "stale-plan" in ran.out
    assert bench.database() == before
    is_left_alone_and_reported(bench, wrong)


@pytest.mark.parametrize("saved", [False, True], ids=["apply", "apply PLAN"])
def test_a_wrong_mailbox_that_declines_first_does_not_keep_the_right_one_from_being_invited(
    mistyped, monkeypatch, saved
):
    bench, wrong = mistyped
    if saved:
        assert bench.plan("-o", "plan.json").status == 0
        bench.decline("acme", wrong)
        assert bench.apply("plan.json").status == 3  # what was reviewed cancels an invitation that is gone
    else:
        act_after(monkeypatch, ("GET", "/org/acme/member"), lambda: bench.decline("acme", wrong))
    assert bench.apply().status == 0
    assert bench.members("acme") == {"alice": "owner", "bob": "owner", "ivy-r": "member?"}
    assert bench.grants("acme", "prod") == {"ivy-r": "reader"}
    assert bench.plan("--detailed-exitcode").status == 0


def test_an_invitation_that_was_cancelled_and_not_sent_again_is_sent_by_the_next_apply(mistyped, monkeypatch):
    bench, wrong = mistyped
    with monkeypatch.context() as patched:
        between.answer(
            patched,
            lambda method, path: ("403 Forbidden", {"title": "no"}) if (method, path) == INVITE else None,
        )
        ran = bench.apply()
    assert ran.status == 5
    assert wrong not in bench.members("acme")
    assert bench.apply().status == 0
    assert bench.members("acme")["ivy-r"] == "member?"
    assert bench.grants("acme", "prod") == {"ivy-r": "reader"}
    assert bench.plan("--detailed-exitcode").status == 0


def test_each_org_is_judged_for_itself(bench):
    beta = "beta: {members: {alice: owner, bob: owner, ivy: member}}"
    bench.pipes(WORLD)
    bench.manifest(MISTYPED + f"orgs: {{{ACME}, {beta}}}")
    assert bench.apply().status == 0
    wrong = pending(bench, "acme")
    bench.accept("acme", wrong)
    bench.manifest(CORRECTED + f"orgs: {{{ACME}, {beta}}}")
    assert bench.apply().status == 0
    assert bench.members("beta")["ivy-r"] == "member?"
    assert wrong not in bench.members("beta")
    is_left_alone_and_reported(bench, wrong)


def test_whoever_accepted_at_the_wrong_address_can_be_taken_out_as_the_note_says(mistyped):
    bench, wrong = mistyped
    bench.accept("acme", wrong)
    bench.manifest(f"orgs: {{acme: {{members: {{alice: owner, bob: owner, {wrong}: {{absent: true}}}}}}}}")
    assert bench.apply().status == 0
    bench.manifest(CORRECTED + ORGS)
    assert bench.apply().status == 0
    assert bench.members("acme") == {"alice": "owner", "bob": "owner", "ivy-r": "member?"}


def test_an_account_that_the_manifests_name_no_more_was_not_renamed_by_anybody(bench):
    """Somebody else got the invitation; now the manifests give the handle of the person who was meant."""
    bench.pipes("users: {ivy-r: {}, bob: {}}\norgs: {acme: {members: {alice: owner, bob: member}}}")
    bench.manifest(
        "people: {ivy: {email: iivy@example.com}}\norgs: {acme: {members: {alice: owner, bob: member, ivy: member}}}"
    )
    assert bench.apply().status == 0
    assert bench.members("acme")["iivy"] == "member?"
    bench.manifest("people: {ivy: {handle: ivy-r}}\norgs: {acme: {members: {alice: owner, bob: member, ivy: member}}}")
    ran = bench.plan()
    assert ran.status == 3
    assert "the lock file knows ivy as iivy" in ran.out
    assert "renamed outside" not in ran.out
    assert "remove the entry org.acme/member.ivy from the lock file" in ran.out


def test_nobody_was_renamed_where_a_lock_file_gives_a_handle_the_account_of_another(bench):
    bench.pipes("users: {bob: {}, carol: {}}\norgs: {acme: {members: {alice: owner, bob: member, carol: member}}}")
    bench.manifest("orgs: {acme: {members: {alice: owner, bob: owner, carol: member}}}")
    bench.lock(**{"org.acme/member.bob": "user carol"})
    ran = bench.plan()
    assert ran.status == 3
    assert "renamed outside" not in ran.out
    assert "the lock file knows bob as carol" in ran.out
