"""An estate in shares: the shards' plans, merged, are the plan of everything, and what does not fit is not merged."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from days import clock_variables
from reconciler.cli.manifests import narrow
from reconciler.model.errors import UsageError
from reconciler.model.live import LockEntry
from reconciler.model.plan import MessageCounts
from reconciler.pipes.reading import snapshot
from reconciler.plan import make_plan
from reconciler.plan.document import dumps, loads
from reconciler.plan.shard import divide, here, merge, of_desired, parse
from reconciler.sandbox.faults import Faults
from worlds import Pipes, load, scenes


def spread(pipes, desired, lock, of, allow=()):
    """The plans of all shards, each read by a run of its own, saved and read again."""
    plans = []
    for number in range(1, of + 1):
        names, shard = of_desired(desired, lock, number, of)
        own = narrow(desired, names)
        with pipes.client(read_only=True) as client:
            live = snapshot(client, own, lock)
        plan = make_plan(own, live, lock, here(allow, own), replace(shard, host="pipes.example"))
        plans.append((f"{number}.json", loads(dumps(plan))))
    return plans


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(scenes(), st.integers(1, 4), st.booleans(), st.randoms(use_true_random=False))
def test_the_shards_plans_merged_are_the_plan_of_everything_byte_for_byte(scene, of, failing, chance):
    # an org whose member list is not believable is refused, and its refusal is no shard's alone
    faults = Faults([{"kind": "empty-members", "path": "^/org/acme/member"}]) if failing else None
    pipes = Pipes(scene.world, faults=faults)
    try:
        desired = load(scene.document)
        whole, _ = pipes.plan(desired, {})
        shards = spread(pipes, desired, {}, of)
        chance.shuffle(shards)
        assert dumps(merge(shards)) == dumps(whole)
        allow = [(refusal.code, refusal.address) for refusal in whole.refusals if refusal.liftable]
        if allow:
            event("allowed")
            whole, _ = pipes.plan(desired, {}, allow)
            shards = spread(pipes, desired, {}, of, allow)
            assert dumps(merge(shards)) == dumps(whole)
        event(f"{sum(bool(plan.changes) for _, plan in shards)} shards with changes")
    finally:
        pipes.close()


@pytest.fixture
def pipes():
    world = {
        "actor": "alice", "seed": "shards", "now": "2026-11-24T09:00:00Z",
        "users": {name: {} for name in ("alice", "bob", "carol")},
        "orgs": {
            name: {"members": {"alice": "owner" if name != "mine" else "member", "bob": "owner"}, "workspaces": {"w": {}}}
            for name in ("acme", "beta", "gamma", "mine", "other")
        },
    }  # fmt: skip
    found = Pipes(world)
    yield found
    found.close()


DOCUMENT = {
    "version": 1,
    "orgs": {
        "acme": {"members": {"alice": "owner", "bob": "owner", "carol": "member"}, "workspaces": {"w": {"members": {"alice": "reader"}}}},
        "beta": {"members": {"alice": "owner"}, "workspaces": {"v": {}}},
        "gamma": {"members": {"alice": "owner", "bob": {"absent": True}}, "workspaces": {"w": {"absent": True}}},
        "mine": {"display_name": "Mine", "workspaces": {"w": {"members": {"carol": "reader"}}}},
        "gone": {"absent": True},
        "other": {"absent": True},
        "fresh": {"members": {"alice": "owner"}},
    },
}  # fmt: skip


def test_the_warning_of_a_dns_name_that_changes_stands_in_the_merged_plan_too(pipes):
    orgs = {
        f"{name}-new": {"renamed_from": name, "workspaces": {"w": {}}} for name in ("acme", "beta", "gamma", "other")
    }
    desired = load({"version": 1, "orgs": orgs})
    whole, _ = pipes.plan(desired, {})
    assert ["finds nobody there" in warning.summary for warning in whole.warnings] == [True] * 4
    shards = spread(pipes, desired, {}, 2)
    assert [bool(plan.changes) for _, plan in shards] == [True, True]
    assert dumps(merge(shards)) == dumps(whole)


def test_warnings_notes_errors_and_refusals_stand_in_the_merged_plan_as_in_the_whole(pipes):
    desired = load(DOCUMENT)
    whole, _ = pipes.plan(desired, {})
    assert whole.warnings
    assert whole.notes
    assert whole.errors
    assert whole.refusals
    assert whole.unmanaged
    assert whole.confirm_delete
    for of in (2, 3, 7, 40):
        shards = spread(pipes, desired, {}, of)
        assert merge(shards) == whole
        assert sum(len(plan.orgs) for _, plan in shards) == len(desired.orgs)


def test_a_shard_without_orgs_is_an_empty_plan(pipes):
    desired = load(DOCUMENT)
    empty = [plan for _, plan in spread(pipes, desired, {}, 40) if not plan.orgs]
    assert empty
    assert all((plan.changes, plan.refusals, plan.errors, plan.notes) == ((), (), (), ()) for plan in empty)


def edited(shards, place, **fields):
    found = list(shards)
    name, plan = found[place]
    own = {key: fields.pop(key) for key in ("day", "files", "paths", "orgs", "warnings") if key in fields}
    found[place] = (name, replace(plan, shard=replace(plan.shard, **fields), **own))
    return found


MISFITS = {
    "another day": (lambda s, d: edited(s, 1, day=d), "1.json and 2.json were made for different days"),
    "another host": (lambda s, _: edited(s, 1, host="else.example"), "1.json and 2.json are of different hosts"),
    "another user": (lambda s, _: edited(s, 2, actor="u_x"), "1.json and 3.json were made with tokens of different users"),
    "other manifests": (lambda s, _: edited(s, 1, files=(("orgs.yaml", "0" * 64),)), "1.json and 2.json are of different manifests"),
    "another division": (lambda s, _: edited(s, 1, estate="0" * 64), "1.json and 2.json divide the organizations differently"),
    "another number": (lambda s, _: edited(s, 1, of=4), "1.json and 2.json are of different numbers of shards"),
    "one is missing": (lambda s, _: s[:1] + s[2:], "shard 2 of 3 is missing"),
    "two are missing": (lambda s, _: s[2:], "shards 1, 2 of 3 are missing"),
    "one is there twice": (lambda s, _: [*s, ("copy.json", s[1][1])], "shard 2 is given twice: 2.json and copy.json"),
    "one is of everything": (lambda s, _: [*s[:2], ("3.json", replace(s[2][1], shard=None))], "3.json is not the plan of a shard"),
    "an org is in two": (lambda s, _: edited(s, 1, orgs=(*s[1][1].orgs, *s[0][1].orgs[:1])), "is in two shards"),
    "an org is lost": (lambda s, _: edited(s, next(i for i, (_, p) in enumerate(s) if "org.acme" in p.orgs), orgs=()), "contradicts itself"),
    "more messages are counted than there are": (lambda s, _: edited(s, 1, messages={s[1][1].orgs[0]: MessageCounts(notes=99)}), "contradicts itself: `messages`"),
}  # fmt: skip


@pytest.mark.parametrize(("break_it", "says"), MISFITS.values(), ids=list(MISFITS))
def test_what_does_not_fit_together_is_not_merged(pipes, break_it, says):
    desired = load(DOCUMENT)
    shards = spread(pipes, desired, {}, 3)
    with pytest.raises(UsageError) as refused:
        merge(break_it(shards, desired.day.replace(day=1)))
    assert says in str(refused.value)


# --- the division -----------------------------------------------------------------------------------------------------


def test_the_division_is_the_same_for_ever():
    desired = load({"version": 1, "orgs": {name: {} for name in ("acme", "beta", "gamma", "delta")}})
    assert divide(desired, {}, 3) == {"acme": 1, "beta": 1, "delta": 2, "gamma": 1}


def test_the_division_depends_on_no_hash_seed():
    program = (
        "from reconciler.manifest import load_texts; from reconciler.plan.shard import divide; import datetime, json;"
        "d = load_texts({'o.yaml': b'version: 1\\norgs: {a: {}, b: {}, c: {}, d: {}}'}, today=datetime.date(2026, 1, 1));"
        "print(json.dumps(divide(d, {}, 7)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**clock_variables(), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(said) == 1


@given(
    st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=15, unique_by=lambda pair: pair[1]),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=20),
    st.integers(1, 12),
)
def test_every_org_has_one_shard_and_linked_orgs_share_it(renames, locked, of):
    document = {"version": 1, "orgs": {f"org{n}": {} for n in range(20)}}
    for new, old in renames:
        if new != old:
            document["orgs"][f"org{new}"] = {"renamed_from": f"org{old}"}
    desired = load({**document, "orgs": {**document["orgs"], "last": {"renamed_from": "org30"}}})
    lock = {f"org.org{n}": LockEntry(f"o_{identity}") for n, identity in locked}
    division = divide(desired, lock, of)
    assert division.keys() == desired.orgs.keys()
    assert set(division.values()) <= set(range(1, of + 1))
    for name, node in desired.orgs.items():
        if node.renamed_from in division:
            assert division[name] == division[node.renamed_from]
    for one, entry in lock.items():
        for other, same in lock.items():
            names = one.removeprefix("org."), other.removeprefix("org.")
            if entry.id == same.id and all(name in division for name in names):
                assert division[names[0]] == division[names[1]]
    shares = [of_desired(desired, lock, number, of)[0] for number in range(1, of + 1)]
    assert sorted(name for share in shares for name in share) == sorted(desired.orgs)


def test_many_orgs_are_shared_out_evenly():
    desired = load({"version": 1, "orgs": {f"org-{n}": {} for n in range(2000)}})
    found = list(divide(desired, {}, 10).values())
    assert all(150 <= found.count(number) <= 250 for number in range(1, 11))


@pytest.mark.parametrize(
    "text", ["3", "0/3", "4/3", "1/0", "-1/3", "1/1001", "1/3/5", "a/b", "1.5/3", "", " 1/3", "１/３"]
)
def test_what_is_no_shard_is_not_taken_for_one(text):
    with pytest.raises(ValueError, match="shard"):
        parse(text)
    assert parse("3/10") == (3, 10)


def test_an_allowance_is_judged_by_the_shard_of_its_org():
    desired = narrow(load(DOCUMENT), {"acme"})
    allow = [("mass-removal", "org.acme"), ("owner-removal", "org.beta/member.bob"), ("mass-removal", "org.unknown")]
    assert here(allow, desired) == [allow[0], allow[2]]
    with pytest.raises(UsageError, match="--allow mass-removal must say where"):
        here([("mass-removal", None)], desired)


def test_the_estate_knows_the_division_and_the_lock_file():
    desired = load(DOCUMENT)
    more = load({**DOCUMENT, "orgs": {**DOCUMENT["orgs"], "zeta": {}}})
    estates = {
        of_desired(d, lock, 1, of)[1].estate
        for d, lock, of in (
            (desired, {}, 2), (desired, {}, 3), (more, {}, 2), (desired, {"org.acme/member.bob": LockEntry("u_1")}, 2),
        )
    }  # fmt: skip
    assert len(estates) == 4
    assert of_desired(desired, {}, 1, 2)[1].estate == of_desired(desired, {}, 2, 2)[1].estate
    assert json.loads(dumps(make_empty(desired)))["shard"]["number"] == 2


def make_empty(desired):
    pipes = Pipes({"actor": "alice", "seed": "x", "now": "2026-11-24T09:00:00Z", "users": {"alice": {}}, "orgs": {}})
    try:
        return spread(pipes, narrow(desired, set()), {}, 2)[1][1]
    finally:
        pipes.close()
