"""Invitations by email whose answers were lost: no name gets an account that another name may have."""

from __future__ import annotations

import json

import pytest

from e2e.bench import LOCK
from reconciler.sandbox.faults import Faults
from worlds import ACTOR, Pipes, load

WORLD = """
users: {dora: {}, eve: {}}
orgs: {acme: {members: {alice: owner, PENDING}}}
"""
PEOPLE = "people: {ann: {email: ann@example.com}, ben: {email: ben@example.com}}\n"
SENT = "2026-11-24T09:00:00+00:00"


def in_flight(bench, *invited):
    """The journal of an apply that was killed: it had sent these invitations, and had no answer."""
    lines = [
        {
            "intent": number, "step": number, "address": f"org.acme/member.{name}", "action": "create", "method": "POST",
            "path": "/org/acme/member/invite", "body": {"email": f"{name}@example.com", "role": role}, "known": [],
            "changes": True, "at": SENT,
        }
        for number, (name, role) in enumerate(invited, 1)
    ]  # fmt: skip
    folder = bench.folder / ".reconciler"
    folder.mkdir(exist_ok=True)
    (folder / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def seen(bench, listed, pending):
    bench.pipes(WORLD.replace("PENDING", pending))
    bench.manifest(PEOPLE + f"orgs: {{acme: {{members: {{alice: owner, {listed}}}}}}}")


@pytest.mark.parametrize(
    "pending",
    [
        pytest.param("dora: {role: member, status: invited, by: alice}", id="one took effect"),
        pytest.param(
            "dora: {role: member, status: invited, by: alice}, eve: {role: member, status: invited, by: alice}",
            id="both",
        ),
    ],
)
def test_an_invitation_that_two_lost_ones_may_have_made_is_nobodys(bench, pending):
    seen(bench, "ann: member, ben: member", pending)
    in_flight(bench, ("ben", "member"), ("ben", "member"), ("ann", "member"))
    before = bench.database()
    ran = bench.apply()
    assert ran.status == 3
    assert "who-is-this" in ran.out
    assert ran.err.count("ben was in flight") + ran.out.count("ben was in flight") == 1
    assert bench.database() == before
    assert "member.ann" not in (bench.lock_text() or "")
    assert "member.ben" not in (bench.lock_text() or "")


def test_roles_tell_two_lost_invitations_apart(bench):
    seen(bench, "ann: member, ben: owner", "dora: {role: member, status: invited, by: alice}")
    in_flight(bench, ("ben", "owner"), ("ann", "member"))
    assert bench.apply().status == 0
    entries = json.loads((bench.folder / LOCK).read_text())["entries"]
    assert entries["org.acme/member.ann"]["handle"] == "dora"
    assert entries["org.acme/member.ben"]["handle"] not in ("dora", "eve")


def test_one_lost_invitation_is_taken_up(bench):
    seen(bench, "ann: member, ben: member", "dora: {role: member, status: invited, by: alice}")
    in_flight(bench, ("ann", "member"), ("ann", "member"))
    assert bench.apply().status == 0
    entries = json.loads((bench.folder / LOCK).read_text())["entries"]
    assert entries["org.acme/member.ann"]["handle"] == "dora"


@pytest.mark.parametrize(
    ("roles", "learned"), [(("member", "member"), []), (("owner", "member"), ["org.acme/member.ben"])]
)
def test_a_new_invitation_is_nobodys_while_an_earlier_one_may_still_arrive(tmp_path, roles, learned):
    """Ann's invitation is lost four times on its way; then the answer to ben's is lost on its way back."""
    pipes = Pipes({"actor": ACTOR, "orgs": {"acme": {"members": {ACTOR: "owner"}}}})
    try:
        people = {name: {"email": f"{name}@example.com"} for name in ("ann", "ben")}
        members = {ACTOR: "owner", **dict(zip(people, roles, strict=True))}
        desired = load({"version": 1, "people": people, "orgs": {"acme": {"members": members}}})
        plan, live = pipes.plan(desired, {})
        rule = {"method": "POST", "path": "/member/invite$"}
        lost = [{**rule, "kind": "drop-before", "times": 4}, {**rule, "kind": "drop-after", "times": 1}]
        faults = Faults(lost, sleep=pipes.wait)
        result, lock = pipes.apply(plan, desired, live, {}, tmp_path, faults=faults, parallelism=1)
        assert result.outcomes[0].status == "unconfirmed"
        assert sorted(address for address in lock if "/member." in address and ACTOR not in address) == learned
    finally:
        pipes.close()
