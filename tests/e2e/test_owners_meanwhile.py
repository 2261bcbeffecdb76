"""Somebody else changes the owners between the last look of an apply and its write, on a server that ignores If-Match."""

import functools

import pytest

from e2e.between import answer
from reconciler.sandbox import app as sandbox_app

PEOPLE = {"alice": "owner", "bob": "owner", "carol": "owner", "dora": "owner", "erin": "member"}
LIST, ALICE, BOB, DORA = ("/org/acme/member", *(f"/org/acme/member/{who}" for who in ("alice", "bob", "dora")))
DEMOTE, REMOVE, HOLD = ("PATCH", {"role": "member"}), ("DELETE", None), ("PATCH", {"role": "owner"})


@pytest.fixture
def acme(bench, monkeypatch):
    """Alice and bob are written to, unchanged, before dora goes. Gives a function that sets the scene and applies."""
    bench.pipes({"orgs": {"acme": {"members": PEOPLE}}})
    monkeypatch.setattr(sandbox_app, "create_app", functools.partial(sandbox_app.create_app, if_match=False))

    def apply(dora, last, *deeds):
        """Apply a plan that makes of dora what is said; after its last request before they act, carol does `deeds`.

        Gives how it ended, and what it sent after that.
        """
        wanted = ", ".join(f"{who}: {role}" for who, role in {**PEOPLE, "dora": dora}.items())
        bench.manifest(f"safeguards: {{min_owners: 2}}\norgs: {{acme: {{members: {{{wanted}}}}}}}")
        assert bench.plan("-o", "plan.json").status == 0
        carol = bench.client("carol")
        left = 2 if last == ("GET", LIST) else 1  # the first list is the one that apply plans from
        sent = []

        def after(method, path):
            nonlocal left
            sent.append((method, path))
            if (method, path) == last:
                left -= 1
                if left == 0:
                    sent.clear()
                    for verb, row, body in deeds:
                        carol.ok(verb, row, body)

        answer(monkeypatch, lambda method, path: None, after)
        return bench.run("apply", *bench.local, "plan.json"), sent

    return apply


@pytest.mark.parametrize("dora", ["member", "{absent: true}"], ids=["one is to be demoted", "one is to be removed"])
@pytest.mark.parametrize("last", [("GET", LIST), ("PATCH", ALICE)], ids=["after the list", "after the first owner"])
@pytest.mark.parametrize(
    ("deeds", "left"),
    [
        ([("PATCH", BOB, {"role": "member"})], "member"),
        ([("DELETE", BOB, None)], None),
        ([("DELETE", BOB, None), ("POST", "/org/acme/member/invite", {"handle": "bob", "role": "owner"})], "owner?"),
    ],
    ids=["demoted", "removed", "removed and invited again"],
)
def test_an_owner_who_stays_and_lost_the_role_meanwhile_is_not_made_owner_again(bench, acme, deeds, left, dora, last):
    ran, sent = acme(dora, last, *deeds)
    assert ran.status == 3, ran.out + ran.err
    assert "owner-floor: bob, an owner that acme must keep, was changed by somebody else at this moment" in ran.out
    assert not {("PATCH", BOB), ("PATCH", DORA), ("DELETE", DORA)} & set(sent)
    assert bench.members("acme").get("bob") == left
    assert bench.members("acme")["dora"] == "owner"


@pytest.mark.parametrize(
    ("dora", "deed", "status", "says"),
    [
        ("member", DEMOTE, 0, "already"),
        ("member", REMOVE, 1, "it is not there any more; plan again"),
        ("member", HOLD, 1, "it was changed by somebody else at this moment"),
        ("{absent: true}", DEMOTE, 1, "it was changed by somebody else at this moment, and is left as they made it"),
        ("{absent: true}", REMOVE, 0, "already"),
        ("{absent: true}", HOLD, 1, "it was changed by somebody else at this moment"),
    ],
)
def test_an_owner_who_is_to_go_and_was_written_to_meanwhile_is_left_alone(bench, acme, dora, deed, status, says):
    """An owner's row that was written to and did not change may be one that another apply relies upon."""
    method, body = deed
    ran, sent = acme(dora, ("PATCH", BOB), (method, DORA, body))
    assert (ran.status, says in ran.out) == (status, True), ran.out + ran.err
    assert not {("PATCH", DORA), ("DELETE", DORA)} & set(sent)
    assert bench.members("acme").get("dora") == (body or {}).get("role")
