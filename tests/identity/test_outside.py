"""Whatever happens outside: no plan creates or removes a person or an org that a reader with the ids in hand would not.

The reader here knows nothing of matching: it was told at the last apply which id each line of the manifest means, and
looks ids up in the store.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from adapter import SandboxAdapter
from reconciler.cli.lock import whole_lists
from reconciler.lockfile.update import refreshed
from reconciler.model import address as addresses
from reconciler.pipes.reading import snapshot
from reconciler.plan import make_plan
from reconciler.sandbox import app as sandbox_app
from sandbox.client import Client
from worlds import Pipes, load

USERS = ["p0", "p1", "p2", "p3", "dee-acme", "s1", "s2", "s3"]
ORGS = ["acme", "beta", "gamma"]
SPACES = ["prod", "lab", "new"]
# people of the manifest, by handle, each with the place in the order of all handles
PLACE = {"dee-acme": 0, "ed": 1, "ema": 2, "p1": 4, "p2": 5, "p3": 6}
WORLD = {
    "actor": "p0", "seed": "outside", "now": "2026-11-24T09:00:00Z",
    "users": {name: {"email": f"{name}@example.com"} for name in USERS},
    "orgs": {
        "acme": {"members": {"p0": "owner", "p1": "owner", "p2": "member"}, "workspaces": {"prod": {}, "lab": {}}},
        "beta": {"members": {"p0": "owner", "p1": "owner", "p2": "member", "s3": "member"}, "workspaces": {"prod": {}}},
    },
}  # fmt: skip
MANIFEST: dict[str, Any] = {
    "version": 1,
    # limits are not what is looked at here
    "safeguards": {"max_removals": {"count": 100, "percent": 100}},
    "people": {"dee": {"handle": "dee-acme"}, "ema": {"email": "ema@example.com"}, "ed": {"email": "ed@example.com"}},
    "orgs": {
        "acme": {
            "members": {
                "p0": "owner", "p1": "owner", "p2": "member", "p3": "member", "dee": "member", "ema": "member",
                "ed": "member",
            },
            "workspaces": {
                "prod": {"members": {"p2": "reader", "p3": "operator", "dee": "reader", "ema": "reader"}},
                "lab": {"members": {"p2": "owner"}},
            },
        },
        # its members are left alone
        "beta": {"workspaces": {"prod": {"members": {"p2": "reader"}}, "new": {}}},
        # and this one is made by the apply
        "gamma": {"members": {"p0": "owner", "dee": "member", "ema": "member"}, "workspaces": {"prod": {}}},
    },
}  # fmt: skip
NAMES = ["acme", "beta", "gamma", "p1", "p2", "p3", "dee-acme", "ema", "ed", "acme-2", "dee", "robert"]

handles = st.sampled_from(NAMES)
users = st.integers(0, 9)
orgs = st.integers(0, 2)
events = st.one_of(
    st.tuples(st.just("rename user"), users, handles),
    st.tuples(st.just("rename org"), orgs, handles),
    st.tuples(st.just("rename workspace"), orgs, st.integers(0, 2), st.sampled_from(["prod", "lab", "new", "fresh"])),
    st.tuples(st.just("leave"), orgs, users),
    st.tuples(st.just("invite"), orgs, handles, st.sampled_from(["member", "owner"])),
    st.tuples(st.just("answer"), orgs, users, st.booleans()),
    st.tuples(st.just("remove"), orgs, users),
    st.tuples(st.just("new org"), handles),
    st.tuples(st.just("new workspace"), orgs, st.sampled_from(["prod", "lab", "new", "fresh"])),
    st.tuples(st.just("delete workspace"), orgs, st.integers(0, 2)),
    st.tuples(st.just("delete org"), orgs),
    st.tuples(st.just("grant"), orgs, st.integers(0, 2), users),
)


@st.composite
def namesakes(draw):
    """Somebody of the manifest takes another handle, goes perhaps, and another user takes the one that is free now."""
    who, name = draw(st.sampled_from(sorted(PLACE.items())))
    stranger = draw(users)
    new = draw(st.sampled_from(["robert", "acme-2", "s9"]))
    where = draw(orgs)
    gone = draw(st.sampled_from(["leave", "remove", None]))
    story = [("rename user", name, new), ("rename user", stranger, who)]
    if gone:
        story.append((gone, where, name))
    if draw(st.booleans()):
        story.append(("invite", draw(orgs), draw(st.sampled_from([who, new])), "member"))
    return draw(st.permutations(story)) if draw(st.integers(0, 3)) == 0 else story


@st.composite
def successors(draw):
    """An org or a workspace takes another handle, and another one is made under the one that is free now."""
    which = draw(orgs)
    if draw(st.booleans()):
        story = [("rename org", which, draw(st.sampled_from(["acme-2", "robert"])))]
        if draw(st.booleans()):
            story.append(("remove", which, 3))  # the token's own user
        return [*story, ("new org", ORGS[which])] if draw(st.booleans()) else story
    space = draw(st.integers(0, 2))
    return [("rename workspace", which, space, "fresh"), ("new workspace", which, draw(st.sampled_from(SPACES)))]


stories = st.one_of(namesakes(), namesakes(), successors())


def flat(parts: list[list[Any]]) -> list[Any]:
    return [one for part in parts for one in part]


class Outside:
    """The console: everybody acts for themselves, and p0 or p1 for the orgs. What Pipes refuses does not happen."""

    def __init__(self, pipes: Pipes) -> None:
        self.pipes = pipes
        app = sandbox_app.create_app(pipes.store)
        self.adapter = SandboxAdapter(app)
        self.users = self.ask("SELECT id FROM identity WHERE type = 'user' ORDER BY handle")
        self.orgs = self.ask("SELECT id FROM identity WHERE type = 'org' ORDER BY handle")
        self.spaces = {
            org: self.ask("SELECT id FROM workspace WHERE org_id = ? ORDER BY handle", org) for org in self.orgs
        }

    def ask(self, query: str, *values: str) -> list[str]:
        with self.pipes.store.read() as db:
            return [row[0] for row in db.execute(query, values)]

    def as_user(self, user_id: str) -> Client:
        (handle,) = self.ask("SELECT handle FROM identity WHERE id = ?", user_id)
        return Client("https://sandbox", self.pipes.store.token_of(handle), adapter=self.adapter)

    def owner(self, org: str) -> Client | None:
        """An owner of an org, the token's own user or somebody else."""
        found = self.ask(
            "SELECT m.user_id FROM member m JOIN identity i ON i.id = m.user_id WHERE m.org_id = ? AND m.role = 'owner'"
            " AND m.status = 'accepted' ORDER BY i.handle",
            org,
        )
        return self.as_user(found[0]) if found else None

    def happens(self, what: str, *how: Any) -> int:
        """The status that Pipes answers, or 0 where the event is impossible."""
        who = self.orgs[how[0] % len(self.orgs)] if what not in ("rename user", "new org") else ""
        client = self.owner(who) if who else None
        if who and client is None:
            return 0
        if what == "rename user":
            user = self.users[how[0] % len(self.users)]
            return self.as_user(user).status("PATCH", f"/user/{user}", {"handle": how[1]})
        if what == "new org":
            actor = Client("https://sandbox", self.pipes.token, adapter=self.adapter)
            return actor.status("POST", "/org", {"handle": how[0], "display_name": ""})
        assert client is not None
        if what == "rename org":
            return client.status("PATCH", f"/org/{who}", {"handle": how[1]})
        if what == "delete org":
            return client.status("DELETE", f"/org/{who}")
        if what == "new workspace":
            return client.status("POST", f"/org/{who}/workspace", {"handle": how[1]})
        if what == "invite":
            return client.status("POST", f"/org/{who}/member/invite", {"handle": how[1], "role": how[2]})
        if what in ("leave", "answer", "remove"):
            user = self.users[how[1] % len(self.users)]
            if what == "answer":
                found = self.ask("SELECT invite FROM member WHERE org_id = ? AND user_id = ?", who, user)
                if not found or found[0] is None:
                    return 0
                if how[2]:
                    return self.as_user(user).status("GET", f"/org/{who}/member/invite/confirm?t={found[0]}")
                return self.as_user(user).status("DELETE", f"/org/{who}/member/invite?t={found[0]}")
            return (self.as_user(user) if what == "leave" else client).status("DELETE", f"/org/{who}/member/{user}")
        spaces = self.spaces[who]
        space = spaces[how[1] % len(spaces)]
        if what == "rename workspace":
            return client.status("PATCH", f"/org/{who}/workspace/{space}", {"handle": how[2]})
        if what == "grant":
            user = self.users[how[2] % len(self.users)]
            (handle,) = self.ask("SELECT handle FROM identity WHERE id = ?", user)
            body = {"handle": handle, "role": "reader"}
            return client.status("POST", f"/org/{who}/workspace/{space}/member", body)
        return client.status("DELETE", f"/org/{who}/workspace/{space}")


@dataclass
class Reader:
    """Who has the ids in hand: of each address, by the last apply; and the store to look them up in."""

    outside: Outside
    ids: dict[str, str]
    seen: Counter[str] = field(default_factory=Counter)

    def person(self, name: str) -> str:
        (found,) = {identifier for address, identifier in self.ids.items() if address.endswith(f"/member.{name}")}
        return found

    def named(self, section: dict[str, Any]) -> set[str]:
        return {self.person(name) for name in section}

    def exists(self, table: str, identifier: str) -> bool:
        return bool(self.outside.ask(f"SELECT 1 FROM {table} WHERE id = ?", identifier))

    def is_in(self, org: str, user: str) -> bool:
        return bool(self.outside.ask("SELECT 1 FROM member WHERE org_id = ? AND user_id = ?", org, user))

    def holder(self, handle: str) -> str:
        return next(iter(self.outside.ask("SELECT id FROM identity WHERE handle = ?", handle)), "")

    def judge(self, change: Any) -> None:
        """Fail for a change that the ids do not justify."""
        parts = addresses.split(change.address)
        kind, name = parts[-1]
        top = self.ids[f"org.{parts[0][1]}"]
        wanted = MANIFEST["orgs"][parts[0][1]]
        self.seen[f"{change.action} {kind}"] += 1
        if kind in ("org", "workspace"):
            assert change.action in ("create", "update"), change
            if change.action == "create":
                assert not self.exists(kind, self.ids[change.address]), f"{change.address} is live"
            else:
                assert change.id == self.ids[change.address], change
            return
        section = wanted["members"] if kind == "member" else wanted["workspaces"][parts[1][1]]["members"]
        if change.action == "delete":
            assert change.id not in self.named(section), f"{change.address} removes {change.id}, who is listed"
        elif change.action == "update":
            assert change.id == self.person(name), f"{change.address} changes {change.id}"
        else:
            handle = change.requests[0].body.get("handle")
            email = change.requests[0].body.get("email")
            if handle is not None:
                assert self.holder(handle) == self.person(name), f"{change.address} lets {handle} in"
            if kind == "member":
                if email is not None:
                    assert not self.exists("user", self.person(name)) or change.before is None
                assert not self.exists("org", top) or not self.is_in(top, self.person(name)), f"{change.address} is in"


@cache
def applied() -> tuple[bytes, str, Any, dict[str, Any]]:
    """The database after an apply of the manifest, what it asks for, and the lock file that the apply left."""
    with tempfile.TemporaryDirectory() as folder:
        pipes = Pipes(WORLD)
        desired = load(MANIFEST)
        plan, live = pipes.plan(desired, {})
        assert not plan.refusals, plan.refusals
        result, lock = pipes.apply(plan, desired, live, {}, Path(folder), parallelism=1)
        assert {o.status for o in result.outcomes} == {"done"}, result
        again, _ = pipes.plan(desired, lock)
        assert (again.changes, again.refusals) == ((), ())
        with pipes.store.read() as db:
            data = db.serialize()
        pipes.close()
        return data, pipes.token, desired, lock


@contextmanager
def afterwards():
    """Pipes as that apply left it."""
    data, token, desired, lock = applied()
    pipes = Pipes({"users": {"p0": {}}, "actor": "p0"})
    pipes.token = token
    with pipes.store.read() as db:
        db.deserialize(data)
    try:
        yield pipes, desired, lock
    finally:
        pipes.close()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(events.map(lambda one: [one]), stories), min_size=1, max_size=6).map(flat))
def test_no_plan_creates_or_removes_what_a_reader_with_the_ids_would_not(happening):
    with afterwards() as (pipes, desired, lock):
        reader = Reader(outside := Outside(pipes), {address: entry.id for address, entry in lock.items()})
        for what in happening:
            status = outside.happens(*what)
            note(f"{what}: {status}")
        plan, live = pipes.plan(desired, lock)
        note(json.dumps([(r.code, r.address, r.fact) for r in plan.refusals], indent=1))
        never = {r.address for r in plan.refusals if not r.liftable}
        made = {c.address for c in plan.changes if c.action == "create" and c.address in never}
        for change in plan.changes:
            if change.address not in never and not any(addresses.covers(org, change.address) for org in made):
                reader.judge(change)
                event(f"{change.action} {change.kind}")
        for refusal in plan.refusals:
            event(f"refused: {refusal.code}")
        # and `lock`, run meanwhile, takes nothing away from that
        with pipes.client(read_only=True) as client:
            seen = snapshot(client, whole_lists(desired), lock)
        anew = refreshed(desired, seen, lock).lock
        assert {a: e.id for a, e in anew.items() if a in lock} == {a: e.id for a, e in lock.items() if a in anew}
        later = make_plan(desired, live, anew)
        assert (later.changes, later.refusals) == (plan.changes, plan.refusals)
