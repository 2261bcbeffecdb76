"""Whatever people do past the command: a fix-up makes it official, keeps every comment, and says what it leaves out."""

from __future__ import annotations

import random
from contextlib import closing, suppress

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter import SandboxAdapter
from drift.scene import BLOCK, FILES, FLOW, JSON, WORLD
from reconciler.drift.compare import find
from reconciler.drift.plan_since import since
from reconciler.editing.fix_up import fix_up, key
from reconciler.editing.unified_diff import unified
from reconciler.lockfile.update import remembered
from reconciler.manifest import load_texts
from reconciler.model.errors import ManifestError, PipesError
from reconciler.pipes import audit
from reconciler.plan import make_plan
from reconciler.sandbox.app import create_app
from sandbox.client import Client
from stopped.sitecustomize import DAY as TODAY
from worlds import Pipes

PEOPLE = ("alice", "bob", "carol", "dave-acme", "erin", "gina", "hugo", "mallory", "zoe")
SPACES = ("prod", "stage", "spare")
WHO = ("alice", "bob")  # owners at the beginning; a deed that Pipes refuses is no deed


def org(fields):
    return ("PATCH", "/org/acme", fields)


people, spaces = st.sampled_from(PEOPLE), st.sampled_from(SPACES)
roles, grant_roles = st.sampled_from(("member", "owner")), st.sampled_from(("reader", "operator", "owner"))
texts = st.sampled_from(
    ("Acme", "", "a: b # c", "'q'", '"', "no", "1e3", "2026-01-01", "[x", "{y", "- z", "é\u202eü", "x" * 200)
)
deeds = st.one_of(
    st.builds(lambda p, r: ("POST", "/org/acme/member/invite", {"handle": p, "role": r}), people, roles),
    st.builds(lambda p, r: ("PATCH", f"/org/acme/member/{p}", {"role": r}), people, roles),
    st.builds(lambda p: ("DELETE", f"/org/acme/member/{p}", None), people),
    st.builds(lambda s, p, r: ("POST", f"/org/acme/workspace/{s}/member", {"handle": p, "role": r}), spaces, people, grant_roles),
    st.builds(lambda s, p, r: ("PATCH", f"/org/acme/workspace/{s}/member/{p}", {"role": r}), spaces, people, grant_roles),
    st.builds(lambda s, p: ("DELETE", f"/org/acme/workspace/{s}/member/{p}", None), spaces, people),
    st.builds(lambda s, v: ("PATCH", f"/org/acme/workspace/{s}", {"instance_type": v}), spaces, st.sampled_from(("db1.shared", "db1.medium"))),
    st.builds(lambda s, v: ("PATCH", f"/org/acme/workspace/{s}", {"search_path_prefix": v}), spaces, st.lists(texts.filter(bool), max_size=3)),
    st.builds(lambda s, v: ("PATCH", f"/org/acme/workspace/{s}", {"handle": v}), spaces, st.sampled_from(("main", "x1", "true"))),
    st.builds(lambda s: ("DELETE", f"/org/acme/workspace/{s}", None), spaces),
    st.builds(lambda v: org({"display_name": v}), texts),
    st.builds(lambda v: org({"url": v}), st.sampled_from(("", "https://a.example/#x", "https://b.example"))),
)  # fmt: skip
histories = st.lists(st.tuples(st.sampled_from(WHO), deeds), min_size=1, max_size=8)


class Acme:
    """The org in sync with one of the layouts, in memory."""

    def __init__(self, layout):
        self.texts = {name: text.encode() for name, text in layout.items()}
        self.pipes = Pipes({"actor": "alice", "seed": "any", "now": "2026-11-24T09:00:00Z", **yaml.safe_load(WORLD)})
        self.desired = load_texts(self.texts, today=TODAY)
        _, live = self.pipes.plan(self.desired, {})
        self.lock = remembered(self.desired, live, {}, only=set(self.desired.orgs))

    def close(self):
        self.pipes.close()

    def happen(self, history):
        for who, (method, path, body) in history:
            app = create_app(self.pipes.store)
            Client("https://sandbox", self.pipes.store.token_of(who), adapter=SandboxAdapter(app)).send(
                method, path, body
            )

    def live(self):
        return self.pipes.plan(self.desired, self.lock)[1]


def differing(desired, live, lock):
    return {key(d) for d in find(desired, live, lock).drift.differences}


@pytest.mark.parametrize("layout", [BLOCK, FLOW, FILES, JSON], ids=["block", "flow", "files", "json"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=histories)
def test_a_fix_up_leaves_nothing_but_what_it_says(layout, history):
    with closing(Acme(layout)) as acme:
        acme.happen(history)
        live = acme.live()
        finding = find(acme.desired, live, acme.lock)
        differences = finding.drift.differences
        if finding.drift.forbidden or finding.drift.refusals:
            return

        def remaining(texts):
            try:
                desired = load_texts(texts, today=TODAY)
            except ManifestError:
                return None
            return differing(desired, live, acme.lock)

        made = fix_up(acme.texts, acme.desired, differences, remaining)
        after = {**acme.texts, **made.texts}
        left = {key(d) for d, _ in made.left}
        assert remaining(after) == left
        for d, why in made.left:
            assert why
            # two owners may have made each other members, and nobody would be left; the rest has no excuse
            assert d.what == "replaced" or d.kind == "member" or d.follows, (d, why)
        patch = unified({name: acme.texts[name] for name in made.texts}, made.texts)
        assert ("--- a/" in patch) == bool(made.texts)
        for name, data in made.texts.items():
            was, now = acme.texts[name].decode(), data.decode()
            gone = [
                line[1:]
                for line in unified({name: acme.texts[name]}, {name: data}).splitlines()
                if line.startswith("-")
            ]
            # a comment goes only with the line that it stands in
            for line in was.splitlines():
                if line.lstrip().startswith("#"):
                    assert line in now or any(d.what == "removed" and d.kind != "member" for d in differences), gone


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=histories)
def test_drift_is_the_plan_read_backwards(history):
    with closing(Acme(BLOCK)) as acme:
        acme.happen(history)
        live = acme.live()
        finding = find(acme.desired, live, acme.lock)
        if finding.drift.forbidden:  # alice has left, and nothing is known of acme
            assert finding.drift.differences == ()
            return
        plan = make_plan(finding.desired, live, acme.lock)
        told = {d.address for d in finding.drift.differences}
        gone = {d.address for d in finding.drift.differences if d.what == "removed" and d.below}
        for change in plan.changes:
            assert change.address in told or any(change.address.startswith(address + "/") for address in gone)
        assert finding.drift.refusals or bool(told) == bool(plan.changes)
        # and every doer that is told is in the log, whatever was read before
        for search in finding.searches:
            with acme.pipes.client(read_only=True) as client, suppress(PipesError):  # alice may be no owner any more
                for entry in audit.entries(client, search.handle):
                    search.read(entry)
        known = {entry["id"] for entry in acme.pipes.audit()}
        assert {d.by.entry for d in finding.with_doers().differences if d.by is not None} <= known


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=histories)
def test_nothing_is_changed_here_where_nothing_was(history):
    with closing(Acme(BLOCK)) as acme:
        acme.happen(history)
        plan, _ = acme.pipes.plan(acme.desired, acme.lock)
        assert set(since(plan, "HEAD", plan).marks.values()) <= {"drifted before"}
        assert since(plan, "HEAD", plan).settled == ()
        in_sync = find(acme.desired, acme.live(), acme.lock, applied=("HEAD", acme.desired)).drift
        assert in_sync.not_applied == ()


def test_the_histories_reach_what_they_are_for():
    found = set()
    for seed in range(60):
        rng = random.Random(seed)
        with closing(Acme(BLOCK)) as acme:
            steps = [
                ("DELETE", f"/org/acme/member/{rng.choice(PEOPLE[1:])}", None),
                ("PATCH", f"/org/acme/member/{rng.choice(PEOPLE[1:])}", {"role": "owner"}),
                ("PATCH", f"/org/acme/workspace/{rng.choice(SPACES[:2])}", {"handle": "main"}),
            ]
            acme.happen([("alice", step) for step in steps])
            found |= {(d.kind, d.what) for d in find(acme.desired, acme.live(), acme.lock).drift.differences}
    assert found >= {("member", "removed"), ("member", "changed"), ("workspace", "renamed"), ("grant", "removed")}
