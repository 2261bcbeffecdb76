"""A journal and a saved plan that somebody changed."""

from __future__ import annotations

import hashlib
import json

import pytest

from e2e.bench import LOCK
from reconciler.lockfile.seal import KEY
from reconciler.plan.document import digest

SECRET = "a key that nobody guesses"
WORLD = """
users: {bob: {}, cjones: {email: carol@example.com}, mallory: {}}
orgs: {acme: {members: {alice: owner, bob: owner, mallory: {role: owner, status: invited, by: alice}}}}
"""
MANIFEST = """
people: {carol: {email: carol@example.com}}
orgs: {acme: {members: {alice: owner, bob: owner, carol: owner}}}
"""


@pytest.fixture
def doubtful(bench, monkeypatch):
    """Nobody knows whether mallory, who has a pending invitation of ours, is carol."""
    monkeypatch.setenv(KEY, SECRET)
    bench.hidden.add(SECRET)
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    bench.seal(SECRET)
    assert bench.planned().codes == ["who-is-this"]
    return bench


def write(bench, *, mark=None):
    """An intent to invite carol, and an answer that names mallory."""
    mallory = next(i for i, name in bench.names().items() if name == "user mallory")
    lines = [
        {
            "intent": 1, "step": 1, "address": "org.acme/member.carol", "action": "create", "method": "POST",
            "path": "/org/acme/member/invite", "body": {"email": "carol@example.com", "role": "owner"}, "known": [],
            "changes": True, "at": "2026-11-01T00:00:00+00:00",
        },
        {"outcome": 1, "status": "201", "user_id": mallory, "user_handle": "mallory"},
    ]  # fmt: skip
    folder = bench.folder / ".reconciler"
    folder.mkdir(exist_ok=True)
    marked = [{**line, "run": "0" * 16, "mark": mark} if mark is not None else line for line in lines]
    (folder / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in marked))


@pytest.mark.parametrize("mark", [None, "", "0" * 64, hashlib.sha256(b"").hexdigest()])
def test_with_a_key_a_journal_that_no_run_with_the_key_wrote_says_nothing_of_anybody(doubtful, mark):
    before = doubtful.database()
    write(doubtful, mark=mark)
    ran = doubtful.apply()
    assert ran.status == 3
    assert "who-is-this" in ran.out + ran.err
    assert doubtful.database() == before


def test_with_a_key_a_killed_apply_is_still_taken_up(bench, monkeypatch):
    monkeypatch.setenv(KEY, SECRET)
    bench.pipes(WORLD.replace(", mallory: {role: owner, status: invited, by: alice}", ""))
    bench.manifest(MANIFEST)
    bench.seal(SECRET)
    empty = bench.lock_text()
    assert bench.apply().status == 0
    journal = bench.folder / ".reconciler" / "journal.jsonl"
    journal.write_text("".join(line + "\n" for line in journal.read_text().splitlines() if '"end"' not in line))
    (bench.folder / LOCK).write_text(empty)
    before = bench.database()
    assert bench.apply().status == 0
    assert bench.database() == before
    assert bench.plan("--detailed-exitcode").status == 0


def test_with_a_key_allowances_are_taken_only_from_a_plan_that_a_run_with_the_key_saved(bench, monkeypatch):
    bench.pipes("users: {bob: {}}\norgs: {acme: {members: {alice: owner, bob: owner}}}")
    bench.manifest("orgs: {acme: {members: {alice: owner}}}")
    bench.plan("--allow", "owner-removal=org.acme/member.bob", "-o", "plan.json")
    monkeypatch.setenv(KEY, SECRET)
    bench.seal(SECRET)
    before = bench.database()
    ran = bench.run("apply", *bench.local, "plan.json")
    assert ran.status == 3
    assert "no run with the key of this one has written it" in ran.out
    path = bench.folder / "plan.json"
    for mark in ("0" * 64, ""):
        forged = {**json.loads(path.read_text()), "mark": mark}
        path.write_text(json.dumps({**forged, "digest": digest(forged)}))
        assert bench.run("apply", *bench.local, "plan.json").status == 3
    assert bench.database() == before
    bench.plan("--allow", "owner-removal=org.acme/member.bob", "-o", "plan.json")
    assert bench.run("apply", *bench.local, "plan.json").status == 0
    assert bench.members("acme") == {"alice": "owner"}
