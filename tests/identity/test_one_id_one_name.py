"""No two names act on one live id in one plan, whatever the manifests, the lock file and Pipes say of people.

60 scenes by default; RECONCILER_NAME_CASES=3000 makes a long run of it.
"""

from __future__ import annotations

import json
import os

from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st

from reconciler.model import address as addresses
from reconciler.model.live import LockEntry, address_digest
from worlds import Pipes, load

USERS = [f"u{n}" for n in range(3)]
LABELS = ["ann", "ben"]
NAMES = [*LABELS, *USERS]
ROLES = ["member", "owner"]
GRANTS = ["reader", "operator"]
MAIL = {user: f"{user}@example.com" for user in USERS}

people = st.fixed_dictionaries({
    label: st.one_of(
        st.builds(lambda user: {"email": MAIL[user]}, st.sampled_from(USERS)),
        st.builds(lambda user: {"email": MAIL[user].upper()}, st.sampled_from(USERS)),
        st.builds(lambda user: {"email": MAIL[user]}, st.sampled_from(USERS)),
        st.builds(lambda user: {"handle": user}, st.sampled_from(USERS)),
        st.just({"email": f"{label}@example.org"}),
    )
    for label in LABELS
})  # fmt: skip


def entries(roles):
    entry = st.one_of(
        st.sampled_from(roles),
        st.sampled_from(roles),
        st.just({"absent": True}),
        st.builds(lambda role: {"role": role, "expires": "2026-01-01"}, st.sampled_from(roles)),
    )
    return st.dictionaries(st.sampled_from([*NAMES, "team/t"]), entry, min_size=2, max_size=5).map(without_absent_teams)


def without_absent_teams(section):
    return {name: "member" if name == "team/t" and not isinstance(e, str) else e for name, e in section.items()}


@st.composite
def scenes(draw):
    """A world, a manifest, and a lock file with true and false entries."""
    live = st.dictionaries(
        st.sampled_from(USERS),
        st.sampled_from(["member", "owner", {"role": "member", "status": "invited", "by": "alice"}]),
    )
    world = {"users": {user: {"email": MAIL[user]} for user in USERS}, "orgs": {}, "actor": "alice"}
    world["users"]["alice"] = {}
    tenant = draw(st.booleans())
    if tenant:
        members = {user: {"role": "member", "email": MAIL[user]} for user in USERS}
        world["tenant"] = {"handle": "umbrella", "members": {"alice": "owner", **members}}
    known = draw(people)
    orgs = {}
    for org in draw(st.sampled_from([["acme"], ["acme", "beta"]])):
        there = draw(live)
        if tenant:
            there = {user: role if isinstance(role, str) else role["role"] for user, role in there.items()}
        world["orgs"][org] = {"members": {"alice": "owner", **there}, "workspaces": {"prod": {"members": {}}}}
        if tenant:
            world["orgs"][org]["tenant"] = "umbrella"
        orgs[org] = {"members": {"alice": "owner", **draw(entries(ROLES))}}
        granted = [name for name, entry in orgs[org]["members"].items() if isinstance(entry, str) and name != "alice"]
        if granted and draw(st.booleans()):
            grants = draw(st.dictionaries(st.sampled_from(granted), st.sampled_from(GRANTS), max_size=3))
            orgs[org]["workspaces"] = {"prod": {"members": grants}}
    document = {"version": 1, "people": known, "teams": {"t": draw(st.lists(st.sampled_from(NAMES), unique=True))}}
    locked = draw(st.lists(st.tuples(st.sampled_from(list(orgs)), st.sampled_from(NAMES), st.sampled_from(USERS),
                                     st.sampled_from(["right", "right", "other", None])), max_size=5))  # fmt: skip
    return world, {**document, "orgs": orgs}, locked


def lock_of(pipes, locked, known):
    with pipes.store.read() as db:
        ids = dict(db.execute("SELECT handle, id FROM identity").fetchall())
    lock = {}
    for org, name, user, address in locked:
        email = known.get(name, {}).get("email", MAIL[user]) if address == "right" else MAIL[user]
        more = {"email": address_digest(email)} if address else {}
        lock[f"org.{org}/member.{name}"] = LockEntry(ids[user], user, more) if address else LockEntry(ids[user])
    return lock, ids


@settings(
    max_examples=int(os.environ.get("RECONCILER_NAME_CASES", "60")),
    phases=[Phase.generate, Phase.shrink],
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
@given(scenes())
def test_no_two_names_act_on_one_live_id_in_one_plan(scene):
    world, document, locked = scene
    from reconciler.model.errors import ManifestError

    try:
        desired = load(document)
    except ManifestError:
        event("the manifests are refused")
        return
    pipes = Pipes(world)
    try:
        lock, ids = lock_of(pipes, locked, document["people"])
        note(json.dumps([world, document, {address: entry.id for address, entry in lock.items()}], default=str))
        plan, _ = pipes.plan(desired, lock)
        names: dict[tuple[str, str], set[str]] = {}
        for change in plan.changes:
            kind, name = addresses.split(change.address)[-1]
            if kind not in ("member", "grant"):
                continue
            account = change.id
            if account is None:
                handle = next((r.body["handle"] for r in change.requests if r.body and "handle" in r.body), None)
                account = ids.get(handle)
            if account is not None:
                names.setdefault((addresses.org_of(change.address), account), set()).add(name)
                event(f"{change.action} {kind}")
        assert {at: found for at, found in names.items() if len(found) > 1} == {}
        for refusal in plan.refusals:
            event(f"refused: {refusal.code}")
    finally:
        pipes.close()
