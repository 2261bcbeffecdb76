"""Any two worlds: what the manifests say is reached, at no step is an org short of owners, and then nothing is left."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, assume, event, given, note, settings

from apply.watch import Watch
from worlds import ACTOR, Pipes, Scene, check, load, scenes, token_of

# refusals that a generated world may earn and that no option lifts: then nothing may be written
HARD = {"owner-floor", "handle-taken"}


def owners_to_be(scene: Scene, org: str) -> set[str]:
    """Who has accepted already and is to be an owner."""
    live = scene.world["orgs"].get(org) or scene.world["orgs"].get(f"{org}-before") or {"members": {ACTOR: "owner"}}
    accepted = {person for person, what in live["members"].items() if isinstance(what, str)}
    return {person for person, role in scene.expected.members[org].items() if role == "owner"} & accepted


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(scenes())
def test_applying_a_plan_reaches_what_is_desired_and_keeps_the_owner_floor_at_every_step(scene: Scene):
    note(json.dumps({"manifest": scene.document, "live": scene.world["orgs"]}))
    watch = Watch(scene)
    pipes = Pipes(scene.world, observer=watch)
    watch.start(pipes, scene)
    try:
        desired = load(scene.document)
        first, live = pipes.plan(desired, {})
        assert not first.errors
        for refusal in first.refusals:
            # whoever has accepted can be promoted before anybody is demoted, so the order alone must never fall short
            if refusal.code == "owner-floor":
                assert len(owners_to_be(scene, refusal.address.partition(".")[2])) < scene.floor
        allow = [(refusal.code, refusal.address) for refusal in first.refusals if refusal.liftable]
        plan, live = pipes.plan(desired, {}, allow)
        if any(code == "owner-floor" for code, _ in allow):
            watch.floor = 1
        if plan.refusals:
            assert {refusal.code for refusal in plan.refusals} <= HARD | {"who-is-this"}
            event("refused: " + ",".join(sorted({refusal.code for refusal in plan.refusals})))
            assert not watch.writes
            assume(False)
        with tempfile.TemporaryDirectory() as folder:
            result, lock = pipes.apply(plan, desired, live, {}, Path(folder))
        assert {outcome.status for outcome in result.outcomes} <= {"done"}, [
            o for o in result.outcomes if o.status != "done"
        ]
        assert not watch.short
        assert all(200 <= status < 300 for _, _, status in watch.writes)
        if scene.heir:
            event("handed over")
            pipes.token = token_of(scene.heir)
        check(pipes, scene.expected, lock)
        again, _ = pipes.plan(desired, lock)
        assert again.changes == ()
        assert again.refusals == ()
        event(f"{len(plan.steps) // 10 * 10}+ steps")
    finally:
        pipes.close()
