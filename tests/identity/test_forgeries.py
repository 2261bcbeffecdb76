"""Any world, any history, any forgery: with a key, an apply does what it does with honest files, or nothing.

1,000 forgeries by default, each told by its seed. RECONCILER_FORGERY_CASES=20000 makes a long run of it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from e2e.bench import LOCK
from reconciler.lockfile.seal import KEY
from reconciler.model import address as addresses
from reconciler.model.live import address_digest
from reconciler.plan.document import digest

SECRET = "a key that nobody guesses"
CASES = int(os.environ.get("RECONCILER_FORGERY_CASES", "1000"))
PARTS = 8
EACH = 10  # forgeries of one scene
USERS = ["u1", "u2", "u3", "u4", "u5"]
NAMES = ["ann", "ben", *USERS]
JOURNAL = ".reconciler/journal.jsonl"


class Scene:
    """A sealed apply, then whatever happened outside, then other manifests: `before` is the folder as it is then."""

    def __init__(self, bench, rng):
        self.bench, self.rng = bench, rng
        orgs = ["acme", "beta"][: rng.randint(1, 2)]
        bench.pipes({
            "users": {user: {"email": f"{user}@example.com"} for user in USERS},
            "orgs": {org: {"members": {"alice": "owner", **self.members()}, "workspaces": {"prod": {}}} for org in orgs},
        })  # fmt: skip
        self.orgs, self.people, self.listed = orgs, {}, None
        self.manifest()
        (bench.folder / LOCK).unlink(missing_ok=True)
        bench.seal(SECRET)
        bench.apply(*self.allowed())
        for _ in range(rng.randint(0, 3)):
            self.event()
        self.journal = self.killed() if rng.random() < 0.3 else None
        if rng.random() < 0.7:
            self.manifest()
        self.by_plan = rng.random() < 0.3
        self.files = self.taken()
        self.before = self.state()
        with closing(sqlite3.connect(bench.db)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.database = bench.db.read_bytes()
        if self.by_plan:
            bench.plan(*self.allowed(), "-o", "plan.json")
        self.plan = (bench.folder / "plan.json").read_text() if self.by_plan else None
        self.restore()
        self.honest = self.run()

    def members(self):
        return {user: self.rng.choice(["member", "owner"]) for user in USERS if self.rng.random() < 0.3}

    def manifest(self):
        """Write manifests: the first ones list what is live and more, later ones differ from those in a few names."""
        rng = self.rng
        if self.listed is None:
            known = rng.choice([{"email": "u1@example.com"}, {"handle": "u1"}])
            self.people = {"ann": {"email": "ann@example.com"}, "ben": {"email": "ben@example.com"}, "u1": known}
            live = {
                org: {user: role.rstrip("?") for user, role in self.bench.members(org).items()} for org in self.orgs
            }
            self.listed = {org: {"alice": "owner", **live[org], "ann": "member"} for org in self.orgs}
        elif rng.random() < 0.2:
            self.people["ann"] = {"email": rng.choice(["ann@example.org", "u5@example.com"])}
        for listed in self.listed.values():
            for name in rng.sample(NAMES, rng.randint(0, 2)):
                if listed.pop(name, None) is None or rng.random() < 0.5:
                    listed[name] = rng.choice(["member", "owner"])
        document = {"version": 1, "safeguards": {"max_removals": {"count": 99, "percent": 100}}, "people": self.people}
        document["orgs"] = {org: {"members": listed} for org, listed in self.listed.items()}
        (self.bench.folder / "orgs.yaml").write_text(json.dumps(document))

    def allowed(self):
        codes = ("owner-removal", "mass-removal", "self-removal")
        refused = self.bench.planned().json.get("safeguards", {}).get("refusals", [])
        return [word for r in refused if r["code"] in codes for word in ("--allow", f"{r['code']}={r['address']}")]

    def event(self):
        bench, rng = self.bench, self.rng
        org, user = rng.choice(self.orgs), rng.choice(USERS)
        pending = [handle for handle, role in bench.members(org).items() if role.endswith("?")]
        what = rng.choice(["accept", "accept", "decline", "remove", "invite", "rename"])
        if what in ("accept", "decline") and pending:
            getattr(bench, what)(org, rng.choice(pending))
        elif what == "remove":
            bench.client().status("DELETE", f"/org/{org}/member/{user}")
        elif what == "invite":
            bench.client().status("POST", f"/org/{org}/member/invite", {"handle": user, "role": "member"})
        elif what == "rename" and (handles := [h for h in USERS if f"user {h}" in bench.names().values()]):
            user = rng.choice(handles)
            bench.client(user).status("PATCH", f"/user/{user}", {"handle": f"{user}-x"})

    def killed(self):
        """The apply before was killed at its end: its journal stays open, and its lock file was not written."""
        path = self.bench.folder / JOURNAL
        if not path.exists():
            return None
        path.write_text("".join(f"{line}\n" for line in path.read_text().splitlines() if '"end"' not in line))
        return path.read_text()

    def taken(self):
        folder = self.bench.folder
        return {name: (folder / name).read_bytes() for name in (LOCK, JOURNAL, "orgs.yaml") if (folder / name).exists()}

    def state(self):
        with closing(sqlite3.connect(self.bench.db)) as db:
            return sorted(
                db.execute(
                    "SELECT o.handle, i.handle, m.role, m.status FROM member m JOIN identity o ON o.id = m.org_id"
                    " JOIN identity i ON i.id = m.user_id"
                )
            )

    def restore(self):
        folder = self.bench.folder
        for path in folder.glob(f"{self.bench.db.name}*"):
            path.unlink()
        self.bench.db.write_bytes(self.database)
        shutil.rmtree(folder / ".reconciler", ignore_errors=True)
        (folder / ".reconciler").mkdir()
        (folder / LOCK).unlink(missing_ok=True)
        for name, data in self.files.items():
            (folder / name).write_bytes(data)
        if self.plan is not None:
            (folder / "plan.json").write_text(self.plan)

    def run(self, *allow):
        one_by_one = ("--parallelism", "1")  # two invitations that reach one account are a race, which no file decides
        files = (*self.bench.local, "plan.json")
        ran = self.bench.run("apply", *files, *one_by_one) if self.by_plan else self.bench.apply(*allow, *one_by_one)
        return ran, self.state()


def lively(bench, number):
    """Scene NUMBER. In four of five the honest apply changes something, so a forgery has something to turn."""
    for attempt in range(12):
        shutil.rmtree(bench.folder / ".reconciler", ignore_errors=True)
        scene = Scene(bench, random.Random(f"scene {number}, attempt {attempt}"))
        if number % 5 == 0 or scene.honest[1] != scene.before:
            break
    return scene


def accounts(scene):
    """Every user's id, in the order of their handles: ids are drawn at random, and a seed must name one forgery."""
    users = sorted((name, identifier) for identifier, name in scene.bench.names().items() if name.startswith("user "))
    return [identifier for _, identifier in users]


def forge_lock(scene, rng):
    path = scene.bench.folder / LOCK
    how = rng.choice(["gone", "empty", "unsealed", "edited", "edited", "edited", "garbage"])
    if how == "gone":
        path.unlink(missing_ok=True)
        return
    found = json.loads(path.read_text())
    if how == "empty":
        found["entries"] = {}
    if how == "unsealed" or rng.random() < 0.3:
        found.pop("seal", None)
    entries = found["entries"]
    people = [address for address in entries if "/member." in address]
    for _ in range(rng.randint(1, 3) if how == "edited" else 0):
        kind = rng.choice(["drop", "move", "add", "address", "swap"])
        if kind == "add" or not people:
            name = rng.choice(NAMES)
            entry = {"id": rng.choice(accounts(scene)), "handle": "u1", "email": address_digest(f"{name}@example.com")}
            entries[f"org.{rng.choice(scene.orgs)}/member.{name}"] = entry
        elif kind == "drop":
            entries.pop(rng.choice(people), None)
        elif (one := rng.choice(people)) in entries:
            if kind == "move":
                entries[one]["id"] = rng.choice(accounts(scene))
            elif kind == "address":
                entries[one]["email"] = address_digest(f"{rng.choice(USERS)}@example.com")
            elif (other := rng.choice(people)) in entries:
                entries[one], entries[other] = entries[other], entries[one]
    text = json.dumps(found)
    path.write_text(text[: rng.randint(0, len(text))] if how == "garbage" else text)


def forge_journal(scene, rng):
    path = scene.bench.folder / JOURNAL
    lines = path.read_text().splitlines() if path.exists() and rng.random() < 0.7 else []
    lines = [line for line in lines if rng.random() < 0.8]
    rng.shuffle(lines)
    for ticket in range(50, 50 + rng.randint(0, 3)):
        name, org = rng.choice(NAMES), rng.choice(scene.orgs)
        body = {"email": f"{name}@example.com", "role": rng.choice(["member", "owner"])}
        intent = {
            "intent": ticket, "step": 1, "address": f"org.{org}/member.{name}", "action": "create", "method": "POST",
            "path": f"/org/{org}/member/invite", "body": body, "known": [], "changes": True,
            "at": "2026-01-01T00:00:00+00:00",
        }  # fmt: skip
        answer = {"outcome": ticket, "status": "201", "user_id": rng.choice(accounts(scene)), "user_handle": "u1"}
        lines += [json.dumps(intent), *([json.dumps(answer)] if rng.random() < 0.7 else [])]
    path.write_text("".join(f"{line}\n" for line in lines))


def forge_plan(scene, rng):
    path = scene.bench.folder / "plan.json"
    document = json.loads(path.read_text())
    for _ in range(rng.randint(1, 3)):
        kind = rng.choice(["allow", "drop", "role", "day", "steps", "files", "notes"])
        if kind == "allow":
            document["allowed"] = [{"code": "owner-removal", "address": f"org.{org}"} for org in scene.orgs]
        elif kind in ("drop", "steps"):
            rows = document["resource_changes" if kind == "drop" else "steps"]
            if rows:
                rows.pop(rng.randrange(len(rows)))
        elif kind == "role":
            for change in document["resource_changes"]:
                for request in change["requests"]:
                    if request["body"]:
                        request["body"]["role"] = "owner"
        elif kind == "day":
            document["day"] = "2026-11-20"
        elif kind == "files":
            document["paths"] = ["/nowhere"]
        else:
            document["notes"] = []
    document["digest"] = digest(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("part", range(PARTS))
def test_with_a_key_a_forgery_changes_nothing_of_what_an_apply_does(bench, monkeypatch, part):
    monkeypatch.setenv(KEY, SECRET)
    seen = Counter()
    for number in range(part, max(PARTS, CASES // EACH), PARTS):
        scene = lively(bench, number)
        for which in range(EACH):
            seed = f"forgery {number} {which}"
            rng = random.Random(seed)
            scene.restore()
            forgeries = [forge_lock, forge_journal] if not scene.by_plan else [forge_lock, forge_journal, forge_plan]
            for forge in rng.sample(forgeries, rng.randint(1, len(forgeries))):
                forge(scene, rng)
            ran, after = scene.run()
            same, nothing = after == scene.honest[1], after == scene.before and ran.status != 0
            assert same or nothing, (
                f"{seed}: {ran.status}\n{scene.before}\n{scene.honest[1]}\n{after}\n{ran.out}{ran.err}"
            )
            changed = scene.honest[1] != scene.before
            seen["same, and it changes something" if same and changed else "same" if same else "nothing"] += 1
    print(dict(seen))  # the figures of a long run
    assert seen["nothing"]
    assert seen["same, and it changes something"]


# --- no two names act on one account ----------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(PARTS))
def test_no_two_names_act_on_one_account_in_one_plan(bench, part):
    """Without a key, and with any lock file."""
    looked_at = 0
    for number in range(part, 160, PARTS):
        scene = Scene(bench, random.Random(f"names {number}"))
        rng = random.Random(f"names {number}, forged")
        scene.by_plan, scene.plan = False, None
        for _ in range(3):
            scene.restore()
            forge_lock(scene, rng)
            ran = bench.planned()
            if ran.status not in (0, 3):
                continue
            of_account = {}
            for change in ran.json["resource_changes"]:
                if change["id"] and change["type"] in ("member", "grant"):
                    place = addresses.org_of(change["address"])
                    of_account.setdefault((place, change["id"]), set()).add(change["address"].rpartition(".")[2])
            assert {at: names for at, names in of_account.items() if len(names) > 1} == {}, number
            looked_at += len(of_account)
    assert looked_at
