"""Any live connections, any wanted ones, of the organization and of its workspaces: they come to be where the manifest
says, whatever answer is lost, and then nothing is left to do.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from reconciler.sandbox.faults import Faults
from worlds import ACTOR, Pipes, load, token_of

SPACES = ["prod", "dev", "lab"]
NAMES = ["aws", "gcp", "net"]
OWN = ["own", "mine", "aws"]  # the last one's handle is one that the organization may have
CONFIGS = st.sampled_from([None, {"regions": ["a"]}, {"regions": ["b"], "nested": {"on": True}}])
FAULTS = st.sampled_from(
    [
        [],
        *(
            [{"kind": kind, "method": method, "times": 2}]
            for kind in ("drop-after", "drop-before")
            for method in ("POST", "DELETE", "PATCH")
        ),
    ]
)


@dataclass
class Case:
    """A world, the manifest for it, and what must be afterwards.

    `attached` says where each of the organization's is (None: it must not be), `own` what each workspace has of its own.
    `taken` are those that must be refused, since the organization has or is to have one of the handle.
    """

    world: dict[str, Any]
    document: dict[str, Any]
    attached: dict[str, set[str] | None]
    own: dict[str, dict[str, dict[str, Any]]]
    taken: set[str]


def own_of(draw, live: dict[str, Any], of_the_org: set[str]) -> tuple[dict[str, Any], dict[str, Any], set[str]]:
    """What a workspace that has `live` is to have of its own, what it then has, and which of it is refused."""
    wanted: dict[str, Any] = {}
    after = {name: one["config"] for name, one in live.items()}
    taken = set()
    for name in draw(st.sets(st.sampled_from(OWN))):
        fate = draw(st.sampled_from(["kept", "kept", "kept", "absent", "renamed"]))
        if fate == "absent":
            wanted[name] = {"absent": True}
            after.pop(name, None)
            continue
        node: dict[str, Any] = {"plugin": "p"}
        place, config = name, after.get(name, {})
        if fate == "renamed" and name in live:
            place, node["renamed_from"] = f"{name}_new", name
            del after[name]
        if (other := draw(CONFIGS)) is not None:
            node["config"] = config = other
        wanted[place], after[place] = node, config
        if place in of_the_org:
            taken.add(place)
    return wanted, after, taken


@st.composite
def cases(draw) -> Case:
    """A world and a manifest with connections of both."""
    spaces = draw(st.sets(st.sampled_from(SPACES)))
    live: dict[str, Any] = {}
    attached: dict[str, set[str]] = {}
    for name in draw(st.sets(st.sampled_from(NAMES))):
        permitted = draw(st.sets(st.sampled_from(sorted(spaces)))) if spaces else set()
        attached[name] = {space for space in sorted(permitted) if draw(st.booleans())}
        everywhere = draw(st.integers(0, 4)) == 0
        live[name] = {
            "plugin": "p",
            "permitted": "all" if everywhere else sorted(permitted),
            "config": draw(CONFIGS) or {},
        }
    own = {
        space: {n: {"plugin": "p", "config": draw(CONFIGS) or {}} for n in draw(st.sets(st.sampled_from(OWN[:2])))}
        for space in sorted(spaces)
    }
    world = {
        "actor": ACTOR, "seed": "connections", "now": "2026-11-24T09:00:00Z", "users": {ACTOR: {}},
        "tokens": [{"user": ACTOR, "token": token_of(ACTOR)}],
        "orgs": {"acme": {
            "members": {ACTOR: "owner"}, "connections": live,
            "workspaces": {
                s: {"attached": sorted(n for n, at in attached.items() if s in at), "connections": own[s]}
                for s in sorted(spaces)
            },
        }},
    }  # fmt: skip
    wanted_spaces: dict[str, Any] = {space: {} for space in SPACES if draw(st.booleans())}
    wanted: dict[str, Any] = {}
    expected: dict[str, set[str] | None] = {name: set(at) for name, at in attached.items()}
    for name in draw(st.sets(st.sampled_from(NAMES))):
        fate = draw(st.sampled_from(["kept", "kept", "kept", "absent", "renamed"]))
        if fate == "absent":
            wanted[name], expected[name] = {"absent": True}, None
            continue
        node: dict[str, Any] = {"plugin": "p"}
        place = name
        if fate == "renamed" and name in live:
            place, node["renamed_from"], expected[name] = f"{name}_new", name, None
        if (config := draw(CONFIGS)) is not None:
            node["config"] = config
        there = sorted({*spaces, *wanted_spaces})
        if there and draw(st.integers(0, 3)) > 0:
            node["workspaces"] = sorted(draw(st.sets(st.sampled_from(there))))
            if draw(st.booleans()):
                node["everywhere"] = draw(st.booleans())
        wanted[place] = node
        expected[place] = set(node["workspaces"]) if "workspaces" in node else attached.get(name, set())
    of_the_org = {*live, *(place for place, node in wanted.items() if "absent" not in node)}
    after = {space: {n: one["config"] for n, one in own[space].items()} for space in own}
    taken = set()
    for space, node in wanted_spaces.items():
        after.setdefault(space, {})
        if draw(st.booleans()):
            node["connections"], after[space], refused = own_of(draw, own.get(space, {}), of_the_org)
            taken |= {f"org.acme/workspace.{space}/workspace_connection.{name}" for name in refused}
    document = {"version": 1, "orgs": {"acme": {"workspaces": wanted_spaces, "connections": wanted}}}
    return Case(world, document, expected, after, taken)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(cases(), FAULTS)
def test_connections_come_to_be_where_they_are_wanted_whatever_answer_is_lost(case, faults):
    note(json.dumps({"manifest": case.document, "live": case.world["orgs"], "faults": faults}))
    pipes = Pipes(case.world)
    try:
        desired = load(case.document)
        first, live = pipes.plan(desired, {})
        assert not first.errors
        allow = [(refusal.code, refusal.address) for refusal in first.refusals if refusal.liftable]
        plan, live = pipes.plan(desired, {}, allow)
        assert {refusal.address for refusal in plan.refusals} == case.taken
        assert {refusal.code for refusal in plan.refusals} <= {"handle-taken"}
        if case.taken:
            event("refused")
            return
        with tempfile.TemporaryDirectory() as folder:
            result, lock = pipes.apply(plan, desired, live, {}, Path(folder), faults=Faults(faults))
        assert {outcome.status for outcome in result.outcomes} <= {"done", "already"}, result.outcomes
        with pipes.client(read_only=True) as client:
            ids = {row["id"]: row["handle"] for page in client.pages("/org/acme/workspace") for row in page}
            names = [row["handle"] for page in client.pages("/org/acme/connection") for row in page]
            found = {
                name: {
                    ids[row["workspace_id"]]
                    for page in client.pages(f"/org/acme/connection/{name}/workspace")
                    for row in page
                }
                for name in names
            }
            own = {
                space: {
                    row["connection"]["handle"]: row["connection"]["config"]
                    for page in client.pages(f"/org/acme/workspace/{space}/connection")
                    for row in page
                    if row["connection"].get("workspace_id")
                }
                for space in ids.values()
            }
        assert found == {name: at for name, at in case.attached.items() if at is not None}
        assert own == case.own
        again, _ = pipes.plan(desired, lock)
        assert (again.changes, again.refusals) == ((), ())
        event(f"{len(plan.steps) // 4 * 4}+ steps")
    finally:
        pipes.close()
