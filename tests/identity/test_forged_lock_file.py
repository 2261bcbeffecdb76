"""A lock file that somebody changed: what it can do without a key, and that with one it does nothing."""

from __future__ import annotations

import json

import pytest

from e2e.bench import LOCK
from reconciler.lockfile.seal import KEY
from reconciler.model.live import address_digest

SECRET = "a key that nobody guesses"
WORLD = """
users: {bob: {}, cjones: {email: carol@example.com}, mallory: {}, nora: {}}
orgs:
  acme: {members: {alice: owner, bob: owner, mallory: member}, workspaces: {prod: {}}}
  beta: {members: {alice: owner, bob: owner, nora: member}}
"""
CAROL = "people: {carol: {email: carol@example.com}}\n"
MANIFEST = CAROL + "orgs: {acme: {members: {alice: owner, bob: owner, mallory: member, carol: ROLE}}}"


@pytest.fixture
def accepted(bench):
    """Carol was invited by email, and has accepted as `cjones`; mallory is a member."""
    bench.pipes(WORLD)
    bench.manifest(MANIFEST.replace("ROLE", "member"))
    assert bench.apply().status == 0
    bench.accept("acme", "cjones")
    return bench


def entries(bench, change):
    found = json.loads(bench.lock_text())
    change(found["entries"])
    (bench.folder / LOCK).write_text(json.dumps(found))


def account(bench, handle):
    return next(i for i, name in bench.names().items() if name == f"user {handle}")


def refused(bench, code="who-is-this"):
    before = bench.database()
    ran = bench.planned()
    assert ran.status == 3
    assert code in ran.codes
    assert bench.apply().status == 3
    assert bench.database() == before
    return ran


def test_the_id_of_another_listed_person_is_refused(accepted):
    mallory = account(accepted, "mallory")
    entries(accepted, lambda e: e["org.acme/member.carol"].update(id=mallory))
    accepted.manifest(MANIFEST.replace("ROLE", "owner"))
    assert refused(accepted).addresses == []


def test_the_id_of_somebody_whom_another_entry_names_is_refused_though_no_line_lists_them(accepted):
    """A pull request adds an owner by email, drops mallory, and gives mallory's account to the new name."""
    entries(
        accepted,
        lambda e: e.update({
            "org.acme/member.dora": {
                "id": account(accepted, "mallory"), "handle": "mallory", "email": address_digest("dora@example.com"),
            }
        }),
    )  # fmt: skip
    accepted.manifest(
        "people: {carol: {email: carol@example.com}, dora: {email: dora@example.com}}\n"
        "orgs: {acme: {members: {alice: owner, bob: owner, carol: member, dora: owner}}}"
    )
    refused(accepted)


def test_without_a_key_the_plan_names_the_account_that_nobody_else_claims(accepted):
    def forge(found):
        del found["org.acme/member.mallory"]
        found["org.acme/member.carol"].update(id=account(accepted, "mallory"))

    entries(accepted, forge)
    accepted.manifest(CAROL + "orgs: {acme: {members: {alice: owner, bob: owner, carol: owner}}}")
    assert "carol is mallory's account" in accepted.plan().out


def test_a_name_of_another_org_links_to_nobody(accepted):
    """The lock file knows a `nora` by handle in beta; the one whom acme lists by email may be somebody else."""
    accepted.manifest("orgs: {beta: {members: {alice: owner, bob: owner, nora: member}}}", "beta.yaml")
    nora = account(accepted, "nora")
    entries(accepted, lambda e: e.update({"org.beta/member.nora": {"id": nora}}))
    accepted.client().ok("POST", "/org/acme/member/invite", {"handle": "nora", "role": "member"})
    accepted.manifest(
        "people: {carol: {email: carol@example.com}, nora: {email: nora@example.com}}\n"
        "orgs: {acme: {members: {alice: owner, bob: owner, carol: member, mallory: member, nora: owner}}}"
    )
    before = accepted.members("acme")["nora"]
    ran = accepted.planned()
    assert "org.acme/member.nora" not in [c["address"] for c in ran.json["resource_changes"] if c["change"]["before"]]
    accepted.apply()
    assert accepted.members("acme").get("nora") in (before, None)


@pytest.mark.parametrize("role", ["member", "owner"])
def test_an_entry_without_an_address_is_not_believed_until_somebody_has_looked(accepted, role):
    """A lock file of 0.1.0 has no addresses."""
    entries(accepted, lambda e: e["org.acme/member.carol"].pop("email"))
    accepted.manifest(MANIFEST.replace("ROLE", role))
    assert "reconciler lock --seal" in refused(accepted).json["safeguards"]["refusals"][0]["fix"]
    asked = accepted.run("lock", "--seal", *accepted.local)
    assert asked.status == 1
    assert "carol (carol@example.com) in acme is the account cjones" in asked.out
    code = asked.err.rpartition("--confirm ")[2].split()[0]
    assert accepted.run("lock", "--seal", "--confirm", "0" * 12, *accepted.local).status == 1
    assert accepted.run("lock", "--seal", "--confirm", code, *accepted.local).status == 0
    assert accepted.apply().status == 0
    assert accepted.members("acme")["cjones"] == role


# --- the seal ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["org", "workspace"])
def test_ids_that_changed_places_are_said_to_be_unclear_and_not_to_be_renamed(bench, kind):
    bench.pipes(
        "orgs: {acme: {members: {alice: owner}, workspaces: {prod: {}, dev: {}}}, beta: {members: {alice: owner}}}"
    )
    bench.manifest("orgs: {acme: {workspaces: {prod: {}, dev: {}}}, beta: {members: {alice: owner}}}")
    assert bench.apply().status == 0
    one, other = ("org.acme", "org.beta") if kind == "org" else ("org.acme/workspace.prod", "org.acme/workspace.dev")

    def swap(known):
        known[one]["id"], known[other]["id"] = known[other]["id"], known[one]["id"]

    entries(bench, swap)
    ran = refused(bench, "rename")
    facts = [refusal["fact"] for refusal in ran.json["safeguards"]["refusals"]]
    assert len(facts) == 2
    assert all("unclear" in fact and "renamed" not in fact for fact in facts)


@pytest.fixture
def sealed(accepted, monkeypatch):
    """The same, sealed by somebody who has the key."""
    monkeypatch.setenv(KEY, SECRET)
    accepted.hidden.add(SECRET)
    refused(accepted, "lock-forged")
    asked = accepted.run("lock", "--seal", *accepted.local)
    code = asked.err.rpartition("--confirm ")[2].split()[0]
    assert accepted.run("lock", "--seal", "--confirm", code, *accepted.local).status == 0
    assert accepted.plan("--detailed-exitcode").status == 0
    return accepted


def drop(found):
    del found["org.acme/member.carol"]


def move(found):
    found["org.acme/member.carol"]["id"] = found["org.acme/member.mallory"]["id"]
    del found["org.acme/member.mallory"]


def rename(found):
    found["org.acme/member.dora"] = found.pop("org.acme/member.carol")


def strip(found):
    found["org.acme/member.carol"].pop("email")


@pytest.mark.parametrize("forgery", [drop, move, rename, strip])
def test_with_a_key_a_changed_lock_file_is_refused(sealed, forgery):
    entries(sealed, forgery)
    sealed.manifest(MANIFEST.replace("ROLE", "owner"))
    assert "does not fit its entries" in refused(sealed, "lock-forged").json["safeguards"]["refusals"][0]["fact"]


@pytest.mark.parametrize("how", ["no seal", "another seal", "no file"])
def test_with_a_key_a_missing_or_a_wrong_seal_is_refused(sealed, how, monkeypatch):
    found = json.loads(sealed.lock_text())
    if how == "no seal":
        del found["seal"]
    found["seal" if how == "another seal" else "version"] = "0" * 64 if how == "another seal" else 1
    if how == "no file":
        (sealed.folder / LOCK).unlink()
    else:
        (sealed.folder / LOCK).write_text(json.dumps(found))
    refused(sealed, "lock-forged")
    assert sealed.run("show", "--help").status == 0
    monkeypatch.delenv(KEY)
    assert "lock-forged" not in sealed.planned().codes


def test_an_apply_with_the_key_seals_what_it_writes_and_one_without_says_that_it_does_not(sealed, monkeypatch):
    sealed.manifest(MANIFEST.replace("carol: ROLE", "carol: member, nora: member"))
    assert sealed.apply().status == 0
    assert sealed.plan("--detailed-exitcode").status == 0
    monkeypatch.delenv(KEY)
    sealed.manifest(MANIFEST.replace(", carol: ROLE", ", carol: member"))
    assert "what was written has no seal" in sealed.apply().out
    monkeypatch.setenv(KEY, SECRET)
    refused(sealed, "lock-forged")


def test_the_first_apply_of_a_new_org_needs_no_seal_and_leaves_one(bench, monkeypatch):
    monkeypatch.setenv(KEY, SECRET)
    bench.pipes("users: {bob: {}}")
    bench.manifest("orgs: {acme: {members: {alice: owner, bob: member}}}")
    assert bench.apply().status == 0
    assert json.loads(bench.lock_text())["seal"]
    assert bench.plan("--detailed-exitcode").status == 0


def test_lock_keeps_a_seal_that_fits_and_never_gives_one_to_a_changed_file(sealed):
    before = sealed.lock_text()
    assert sealed.run("lock", "--check", *sealed.local).status == 0
    entries(sealed, move)
    ran = sealed.run("lock", *sealed.local)
    assert "is not sealed with the key of this run" in ran.out
    refused(sealed, "lock-forged")
    (sealed.folder / LOCK).write_text(before)
    assert sealed.plan("--detailed-exitcode").status == 0
