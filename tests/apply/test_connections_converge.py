"""Any live connections, any wanted ones: they come to be where the manifest says, whatever answer is lost, and then
nothing is left to do.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from reconciler.sandbox.faults import Faults
from worlds import ACTOR, Pipes, load, token_of

SPACES = ["prod", "dev", "lab"]
NAMES = ["aws", "gcp", "net"]
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


@st.composite
def cases(draw) -> tuple[dict[str, Any], dict[str, Any], dict[str, set[str] | None]]:
    """A world, the manifest for it, and where each connection must be attached afterwards (None: it must not be)."""
    spaces = draw(st.sets(st.sampled_from(SPACES)))
    live: dict[str, Any] = {}
    attached: dict[str, set[str]] = {}
    for name in draw(st.sets(st.sampled_from(NAMES))):
        permitted = draw(st.sets(st.sampled_from(sorted(spaces)))) if spaces else set()
        attached[name] = {space for space in sorted(permitted) if draw(st.booleans())}
        live[name] = {"plugin": "p", "permitted": sorted(permitted), "config": draw(CONFIGS) or {}}
    world = {
        "actor": ACTOR, "seed": "connections", "now": "2026-11-24T09:00:00Z", "users": {ACTOR: {}},
        "tokens": [{"user": ACTOR, "token": token_of(ACTOR)}],
        "orgs": {"acme": {
            "members": {ACTOR: "owner"}, "connections": live,
            "workspaces": {s: {"attached": sorted(n for n, at in attached.items() if s in at)} for s in sorted(spaces)},
        }},
    }  # fmt: skip
    wanted_spaces = {space: {} for space in SPACES if draw(st.booleans())}
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
        wanted[place] = node
        expected[place] = set(node["workspaces"]) if "workspaces" in node else attached.get(name, set())
    document = {"version": 1, "orgs": {"acme": {"workspaces": wanted_spaces, "connections": wanted}}}
    return world, document, expected


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(cases(), FAULTS)
def test_connections_come_to_be_where_they_are_wanted_whatever_answer_is_lost(case, faults):
    world, document, expected = case
    note(json.dumps({"manifest": document, "live": world["orgs"], "faults": faults}))
    pipes = Pipes(world)
    try:
        desired = load(document)
        first, live = pipes.plan(desired, {})
        assert not first.errors
        allow = [(refusal.code, refusal.address) for refusal in first.refusals if refusal.liftable]
        plan, live = pipes.plan(desired, {}, allow)
        assert plan.refusals == ()
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
        assert found == {name: at for name, at in expected.items() if at is not None}
        again, _ = pipes.plan(desired, lock)
        assert (again.changes, again.refusals) == ((), ())
        event(f"{len(plan.steps) // 4 * 4}+ steps")
    finally:
        pipes.close()
