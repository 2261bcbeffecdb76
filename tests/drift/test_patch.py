"""A fix-up is proven before it is printed: what cannot be proven is left out and said, and the rest is taken all the same."""

from __future__ import annotations

import pytest

from reconciler.editing.fix_up import fix_up, key
from reconciler.editing.unified_diff import unified
from reconciler.manifest import load_texts
from reconciler.model.drift import Difference
from stopped.sitecustomize import DAY

TEXT = "version: 1\norgs:\n  acme:\n    members:\n      alice: owner\n      bob: owner\n      carol: member\n"
PEOPLE = ("alice", "bob", "carol")
UNPROVEN = "the edit would change more than this, or leave the manifests wrong"


def demoted(name):
    return Difference("changed", "member", f"org.acme/member.{name}", "owner", "member", "role", handle=name)


def made(differences, remaining):
    texts = {"orgs.yaml": TEXT.encode()}
    found = fix_up(texts, load_texts(texts, today=DAY), differences, remaining)
    return {name: data.decode() for name, data in found.texts.items()}, {d.address: why for d, why in found.left}


def still(texts, differences):
    """What differs with these manifests, where live has everybody as a member."""
    text = texts["orgs.yaml"].decode()
    return {key(d) for d in differences if f"{d.handle}: owner" in text}


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_an_edit_that_is_proven_is_taken(name):
    wanted = [demoted(name)]
    texts, left = made(wanted, lambda edited: still(edited, wanted))
    assert texts == {"orgs.yaml": TEXT.replace(f"{name}: owner", f"{name}: member")}
    assert left == {}


def test_nothing_is_taken_that_leaves_manifests_which_cannot_be_read():
    wanted = [demoted("alice"), demoted("bob")]
    assert made(wanted, lambda _: None) == ({}, {d.address: UNPROVEN for d in wanted})


def test_an_edit_that_changes_nothing_is_left_out():
    wanted = [demoted("alice")]
    assert made(wanted, lambda _: {key(d) for d in wanted}) == ({}, {"org.acme/member.alice": UNPROVEN})


def test_an_edit_that_brings_another_difference_is_left_out_and_the_others_are_taken():
    wanted = [demoted("alice"), demoted("bob")]

    def remaining(edited):
        more = {("org.acme/member.carol", "role")} if b"alice: member" in edited["orgs.yaml"] else set()
        return still(edited, wanted) | more

    texts, left = made(wanted, remaining)
    assert texts == {"orgs.yaml": TEXT.replace("bob: owner", "bob: member")}
    assert left == {"org.acme/member.alice": UNPROVEN}


def test_an_org_is_not_left_without_owners_by_two_edits_that_would_each_do():
    wanted = [demoted("alice"), demoted("bob")]

    def remaining(edited):
        return None if b": owner" not in edited["orgs.yaml"] else still(edited, wanted)

    texts, left = made(wanted, remaining)
    assert texts["orgs.yaml"].count(": owner") == 1
    assert list(left.values()) == [UNPROVEN]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("orgs.yaml", "a/orgs.yaml"),
        ("my orgs.yaml", "a/my orgs.yaml\t"),
        ('a"b.yaml', r'"a/a\042b.yaml"'),
        ("one\ntwo.yaml", r'"a/one\012two.yaml"'),
        ("evil\u202e.yaml", r'"a/evil\342\200\256.yaml"'),
    ],
)
def test_a_patch_names_a_file_as_git_reads_it(name, shown):
    assert unified({name: b"a\n"}, {name: b"b\n"}).splitlines()[0] == f"--- {shown}"


@pytest.mark.parametrize(
    ("entry", "live", "becomes"),
    [
        pytest.param(
            "{role: owner, expires: 2027-01-31, then: reader}", "operator",
            "{role: operator, expires: 2027-01-31, then: reader}", id="a lower role that still ends",
        ),
        pytest.param("{role: owner, expires: 2027-01-31, then: reader}", "reader", "reader", id="what then says already"),
        pytest.param("{role: owner, expires: 2027-01-31, then: operator}", "reader", "reader", id="below what then says"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("team", [False, True])
def test_a_role_below_an_elevation_leaves_no_elevation_that_could_end(entry, live, becomes, team):
    who = "team/sre" if team else "bob"
    text = (
        "version: 1\nteams: {sre: [bob]}\norgs:\n  acme:\n    members: {zoe: owner, bob: member}\n    workspaces:\n"
        f"      prod:\n        members:\n          {who}: {entry}\n"
    )
    texts = {"orgs.yaml": text.encode()}
    desired = load_texts(texts, today=DAY)
    wanted = Difference(
        "changed", "grant", "org.acme/workspace.prod/grant.bob", "owner", live, "role", handle="bob",
        via="team/sre" if team else None,
    )  # fmt: skip
    found = fix_up(texts, desired, [wanted], lambda _: set())
    assert found.left == ()
    grants = load_texts(found.texts, today=DAY).orgs["acme"].children["workspace"]["prod"].children["grant"]
    assert grants["bob"].attrs == {"role": live}
    expected = f"          bob: {becomes}\n"
    assert found.texts["orgs.yaml"].decode() == (
        text + expected if team else text.replace(f"bob: {entry}", f"bob: {becomes}")
    )
