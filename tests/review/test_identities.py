"""A review says first who each name is now, and fails for an account that goes to another person."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.access.identities import identity_changes
from reconciler.manifest import load_texts
from reconciler.model.live import LockEntry, address_digest
from stopped.sitecustomize import DAY
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


# --- ids of anything else ---------------------------------------------------------------------------------------------

OBJECTS = """version: 1
orgs:
  acme:
    members: {alice: owner, bob: member, service/ci: member, service/deploy: owner}
    service_accounts: {ci: {title: CI}, deploy: {title: Deploy}}
    connection_folders: {f0: {}, f1: {}}
    connections: {c0: {plugin: net}, c1: {plugin: net}}
    workspaces: {prod: {}, dev: {}}
  beta:
    members: {alice: owner}
    workspaces: {prod: {}}
"""
STATED = [
    "org.acme", "org.beta", "org.acme/member.bob", "org.acme/service_account.ci", "org.acme/service_account.deploy",
    "org.acme/connection_folder.f0", "org.acme/connection_folder.f1", "org.acme/connection.c0", "org.acme/connection.c1",
    "org.acme/workspace.prod", "org.acme/workspace.dev", "org.beta/workspace.prod",
]  # fmt: skip


def object_review(bench, repository, head, change):
    entries = {address: {"id": f"id_{place}"} for place, address in enumerate(STATED)}
    repository.commit({"orgs.yaml": OBJECTS, "reconciler.lock.json": text(entries)})
    change(entries)
    repository.put("orgs.yaml", head)
    repository.put("reconciler.lock.json", text(entries))
    return bench.run("review", "HEAD", "--format", "json")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("org.acme", "org.beta"),
        ("org.acme/service_account.ci", "org.acme/service_account.deploy"),
        ("org.acme/service_account.ci", "org.acme/member.bob"),
        ("org.acme/connection_folder.f0", "org.acme/connection_folder.f1"),
        ("org.acme/connection_folder.f0", "org.acme/connection.c0"),
        ("org.acme/workspace.prod", "org.acme/workspace.dev"),
        ("org.acme/workspace.prod", "org.beta/workspace.prod"),
    ],
)
def test_two_entries_that_swap_their_ids_fail_the_review(bench, repository, one, other):
    def swap(entries):
        entries[one], entries[other] = entries[other], entries[one]

    found = object_review(bench, repository, OBJECTS, swap)
    assert found.status == 1
    entries = {one["entry"]: one["former"] for one in found.json["identities"] if one["error"]}
    assert entries.keys() == {one, other}
    assert entries[one] == [other.replace("org.acme/member.", "")]
    assert "see who is who" in found.json["summary"][0]


def test_a_service_account_of_a_key_that_is_gone_does_not_go_to_another_key_unseen(bench, repository):
    head = OBJECTS.replace(", service/deploy: owner", "").replace(", deploy: {title: Deploy}", "")
    deploy, ci = "org.acme/service_account.deploy", "org.acme/service_account.ci"
    found = object_review(bench, repository, head, lambda entries: entries.update({ci: entries.pop(deploy)}))
    assert found.status == 1
    assert [(one["entry"], one["former"]) for one in found.json["identities"]] == [(ci, [deploy])]


@pytest.mark.parametrize(
    ("head", "old", "new", "shown"),
    [
        (OBJECTS.replace("dev: {}", "test: {renamed_from: dev}"), "workspace.dev", "workspace.test", 0),
        (OBJECTS.replace("dev: {}", "test: {}"), "workspace.dev", "workspace.test", 1),  # renamed outside
        (OBJECTS.replace("c1: {plugin", "c2: {renamed_from: c1, plugin"), "connection.c1", "connection.c2", 0),
    ],
    ids=["workspace", "renamed outside", "connection"],
)
def test_an_id_that_follows_a_rename_fails_nothing(bench, repository, head, old, new, shown):
    def rename(entries):
        entries[f"org.acme/{new}"] = entries.pop(f"org.acme/{old}")

    found = object_review(bench, repository, head, rename)
    assert found.status == 0, found.out
    assert len(found.json["identities"]) == shown


@pytest.mark.parametrize(
    ("head", "old", "new"),
    [
        (OBJECTS.replace("dev: {}", "test: {}"), "workspace.dev", "workspace.test"),
        (OBJECTS.replace("bob: member", "bobby: member"), "member.bob", "member.bobby"),
        (OBJECTS.replace("bob: member", "bobby: owner"), "member.bob", "member.bobby"),
    ],
)
def test_the_lock_file_of_an_apply_after_a_rename_outside_fails_nothing(bench, repository, head, old, new):
    """The manifests were corrected and applied before; the lock file comes as a pull request of its own."""
    entries = {address: {"id": f"id_{place}"} for place, address in enumerate(STATED)}
    repository.commit({"orgs.yaml": head, "reconciler.lock.json": text(entries)})
    entries[f"org.acme/{new}"] = entries.pop(f"org.acme/{old}")
    repository.put("reconciler.lock.json", text(entries))
    found = bench.run("review", "HEAD", "--format", "json")
    assert found.status == 0, found.out
    (one,) = found.json["identities"]
    assert one["former"] == [old.replace("member.", "")] if "member" in old else [f"org.acme/{old}"]


def test_what_lies_below_a_renamed_org_keeps_its_ids(bench, repository):
    def rename(entries):
        for address in [address for address in entries if f"{address}/".startswith("org.acme/")]:
            entries[address.replace("org.acme", "org.acme2")] = entries.pop(address)

    head = OBJECTS.replace("  acme:\n", "  acme2:\n    renamed_from: acme\n")
    found = object_review(bench, repository, head, rename)
    assert found.status == 0, found.out
    assert found.json["identities"] == []


@settings(max_examples=300, deadline=None)
@given(*[st.dictionaries(st.sampled_from(STATED), st.sampled_from(["id_1", "id_2", "id_3", "id_4"]))] * 2)
def test_every_id_that_moves_to_another_name_is_reported(before, after):
    desired = load_texts({"orgs.yaml": OBJECTS.encode()}, today=DAY)
    base, head = ({address: LockEntry(one) for address, one in side.items()} for side in (before, after))
    found = {one.entry for one in identity_changes(desired, desired, base, head) if one.error}
    moved = {
        address
        for address, one in after.items()
        if before.get(address) != one and any(one == was for at, was in before.items() if at != address)
    }
    assert moved <= found


# --- accounts: a property ---------------------------------------------------------------------------------------------

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
