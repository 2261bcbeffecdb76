"""A misspelt name never leads to letting a stranger in."""

from __future__ import annotations

import pytest

MEMBERS = "members: {alice: owner, farahsilva: member}"


def test_a_misspelt_grant_asks_for_the_member_who_was_meant_first(bench):
    bench.manifest(f"orgs: {{acme: {{{MEMBERS}, workspaces: {{prod: {{members: {{farahsliva: reader}}}}}}}}}}")
    ran = bench.run("validate")
    assert ran.status == 1
    assert "did you mean `farahsilva`, who is in the members of acme" in ran.err
    assert "farahsliva: member" not in ran.err


@pytest.mark.parametrize("others", [[], ["zoe", "yan", "xia", "will", "vera", "uma"]], ids=["one", "many"])
@pytest.mark.parametrize("direct", [False, True], ids=["in a team", "direct"])
def test_a_misspelt_name_among_others_is_asked_for_before_anybody_is_added(bench, others, direct):
    names = ["farahsliva", *others]
    granted = ", ".join(f"{name}: reader" for name in names) if direct else "team/sre: reader"
    bench.manifest(
        f"teams: {{sre: [{', '.join(names)}]}}\norgs: {{acme: {{{MEMBERS}, workspaces: {{prod: {{members: {{{granted}}}}}}}}}}}"
    )
    ran = bench.run("validate")
    assert ran.status == 1
    assert "did you mean `farahsilva`" in ran.err
    assert ": member` to the members" not in ran.err


def test_where_only_live_knows_the_members_the_plan_asks_the_same(bench):
    bench.pipes(f"users: {{farahsilva: {{}}}}\norgs: {{acme: {{{MEMBERS}, workspaces: {{prod: {{}}}}}}}}")
    bench.manifest("orgs: {acme: {workspaces: {prod: {members: {farahsliva: reader}}}}}")
    assert "did you mean farahsilva, who is in acme?" in bench.plan().out


@pytest.mark.parametrize(
    ("address", "label"), [("carol@example.com", "carol"), ("Carol.Jones@example.co.uk", "carol-jones")]
)
def test_an_address_as_a_name_is_told_how_to_write_people(bench, address, label):
    bench.manifest(f"orgs: {{acme: {{members: {{alice: owner, {address}: member}}}}}}")
    ran = bench.run("validate")
    assert ran.status == 1
    assert f"`{label}: {{email: {address}}}`; write `{label}` here" in ran.err
