"""A review says first who each name is now, and fails for an account that goes to another person."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.access.identities import identity_changes
from reconciler.model.live import LockEntry, address_digest
from worlds import load

PEOPLE = "version: 1\npeople:\n  carol: {email: carol@example.com}\n  dave: {handle: dave-acme}\n"
BASE = PEOPLE + "orgs: {acme: {members: {alice: owner, mallory: member, carol: member, dave: member}}}\n"
LOCK = {
    "org.acme/member.carol": {"id": "u_c", "handle": "cjones", "email": address_digest("carol@example.com")},
    "org.acme/member.dave": {"id": "u_d"},
    "org.acme/member.mallory": {"id": "u_m"},
}


def text(entries):
    return json.dumps({"version": 1, "entries": entries})


@pytest.fixture
def review(repository, bench):
    repository.commit({"orgs.yaml": BASE, "reconciler.lock.json": text(LOCK)})

    def run(head=BASE, change=lambda entries: None):
        entries = copy.deepcopy(LOCK)
        change(entries)
        repository.put("orgs.yaml", head)
        repository.put("reconciler.lock.json", text(entries))
        return bench.run("review", "HEAD", "--format", "json"), bench.run("review", "HEAD")

    return run


@pytest.mark.parametrize("how", ["id", "dropped", "new name"])
def test_an_account_that_goes_to_another_name_fails_the_review(review, how):
    def forge(entries):
        if how == "dropped":
            del entries["org.acme/member.mallory"]
        name = "erin" if how == "new name" else "carol"
        entries[f"org.acme/member.{name}"] = {
            "id": "u_m",
            "handle": "mallory",
            "email": address_digest(f"{name}@example.com"),
        }

    head = BASE.replace("people:\n", "people:\n  erin: {email: erin@example.com}\n").replace(
        "mallory: member", "erin: owner"
    )
    found, shown = review(head if how == "new name" else BASE, forge)
    assert (found.status, shown.status) == (1, 1)
    (one,) = [one for one in found.json["identities"] if one["error"]]
    assert (one["former"], one["after"]) == (["mallory"], "mallory (u_m)")
    assert "would be given to another person" in shown.out
    assert "that account is mallory's" in shown.out


def test_an_account_that_two_names_have_in_the_lock_file_fails_the_review(review):
    found, _ = review(change=lambda entries: entries["org.acme/member.dave"].update(id="u_x") or entries.update({
        "org.acme/member.carol": {"id": "u_x", "handle": "x", "email": address_digest("carol@example.com")},
    }))  # fmt: skip
    assert found.status == 1


def test_a_second_name_of_somebody_whom_the_lock_file_knows_fails_the_review(review):
    found, shown = review(BASE.replace("dave: member", "dave: member, cjones: owner"))
    assert found.status == 1
    assert "cjones" in json.dumps(found.json["one_person"])
    assert "are one person in acme" in shown.out


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(BASE.replace("carol@example.com", "c@example.com"), id="address"),
        pytest.param(BASE.replace("email: carol@example.com", "handle: cjones"), id="to a handle"),
        pytest.param(BASE.replace("dave-acme", "dave-2"), id="handle"),
    ],
)
def test_a_changed_address_or_handle_is_said_first_and_fails_nothing(review, head):
    found, shown = review(head)
    assert (found.status, shown.status) == (0, 0)
    assert len(found.json["identities"]) == 1
    assert shown.out.split("\n\n")[1].startswith("Who is who:")


def test_what_an_apply_writes_of_a_new_label_is_shown_and_no_error(review):
    def relabel(entries):
        entries["org.acme/member.caro"] = entries.pop("org.acme/member.carol")

    found, _ = review(BASE.replace("carol:", "caro:"), relabel)
    assert found.status == 0
    assert [(one["name"], one["former"]) for one in found.json["identities"] if one["what"] == "account"] == [
        ("caro", [])
    ]


NAMES = ["ann", "bea", "cyd", "dan"]
IDS = ["u_1", "u_2", "u_3", "u_4", "u_5"]
entry = st.tuples(st.sampled_from(["acme", "beta"]), st.sampled_from(NAMES), st.sampled_from(IDS), st.booleans())
locks = st.lists(entry, max_size=6)


def lock_of(rows):
    return {
        f"org.{org}/member.{name}": LockEntry(
            identifier, name, {"email": address_digest(f"{name}@example.com")} if with_address else {}
        )
        for org, name, identifier, with_address in rows
    }


@settings(max_examples=500, deadline=None)
@given(locks, locks)
def test_every_account_that_moves_to_another_name_is_reported(before, after):
    people = {name: {"email": f"{name}@example.com"} for name in NAMES}
    desired = load(
        {
            "version": 1,
            "people": people,
            "orgs": {o: {"members": {"boss": "owner", **dict.fromkeys(NAMES, "member")}} for o in ("acme", "beta")},
        }
    )
    base, head = lock_of(before), lock_of(after)
    found = {(one.entry, one.error) for one in identity_changes(desired, desired, base, head) if one.what == "account"}
    had = {}
    for address, one in base.items():
        had.setdefault(one.id, set()).add(address.rpartition(".")[2])
    for address, one in head.items():
        name = address.rpartition(".")[2]
        if one.id in had and name not in had[one.id]:
            assert (address, True) in found
