"""Status 0 is a promise: a plan made now is empty, or what remains is named in the report as somebody else's, and is.

Nothing is promised of orgs that the apply did not write to, of one in which it ended its own access, or of what somebody else
does after it has read again what it did.
"""

from __future__ import annotations

import json
import tempfile
import threading
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st

from apply.test_faults import HARD, RULES, Meddler, deeds
from apply.watch import Watch
from reconciler.cli.apply import apply_status
from reconciler.model import address as addresses
from reconciler.sandbox.faults import Faults
from worlds import Pipes, Scene, load, scenes, token_of

NAMED = "changed by somebody else while this apply ran; plan again: "


class Liar:
    """Answers some writes with success, and does nothing."""

    def __init__(self, app: Any, lies: set[int]) -> None:
        self.app, self.lies, self.count = app, lies, 0
        self.mutex = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] != "GET":
            with self.mutex:
                self.count += 1
                lies = self.count in self.lies
            if lies:
                start_response(
                    "201 Created" if environ["REQUEST_METHOD"] == "POST" else "200 OK",
                    [("Content-Type", "application/json")],
                )
                return [b"{}"]
        return self.app(environ, start_response)


class Beside(Meddler):
    """Somebody else whose deed comes after one of our writes, so before we read again what we did."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "GET":
            return self.app(environ, start_response)
        return super().__call__(environ, start_response)


def one_case(scene: Scene, data: Any) -> None:
    note(json.dumps({"manifest": scene.document, "live": scene.world["orgs"]}))
    watch = Watch(scene)
    pipes = Pipes(scene.world, observer=watch)
    watch.start(pipes, scene)
    try:
        desired = load(scene.document)
        first, _ = pipes.plan(desired, {})
        allow = [(refusal.code, refusal.address) for refusal in first.refusals if refusal.liftable]
        plan, live = pipes.plan(desired, {}, allow)
        if plan.refusals or not plan.steps:
            assert {refusal.code for refusal in plan.refusals} <= HARD
            return
        lies = data.draw(st.sets(st.integers(1, len(plan.steps)), max_size=2), label="lies")
        faults = Faults(data.draw(st.lists(RULES, max_size=1), label="faults"), sleep=pipes.wait)
        deed = data.draw(st.none() | deeds(scene), label="deed")
        at = data.draw(st.integers(1, len(plan.steps)), label="meddling after")
        meddlers: list[Beside] = []

        def wrap(app: Any) -> Any:
            if deed is not None:
                meddlers.append(Beside(app, Pipes.sharing(pipes), watch, at, *deed))
                app = meddlers[0]
            return Liar(app, lies)

        with tempfile.TemporaryDirectory() as folder:
            result, lock = pipes.apply(plan, desired, live, {}, Path(folder), faults=faults, wrap=wrap, parallelism=1)
        status = apply_status(result, 0, [])
        event(f"status {status}, {'somebody else was at it' if meddlers and meddlers[0].did else 'alone'}")
        # who ends their own access cannot look again, and the report says so
        if status != 0 or any("ended its own access" in text for text in result.notes):
            return
        if scene.heir:
            pipes.token = token_of(scene.heir)
        fresh, _ = pipes.plan(desired, lock)
        written = {addresses.org_of(outcome.address) for outcome in result.outcomes if outcome.wrote}
        left = {c.address for c in fresh.changes} | {r.address for r in fresh.refusals}
        left = {address for address in left if addresses.org_of(address) in written}
        named = {
            address
            for text in result.notes
            if text.startswith(NAMED)
            for address in text.removeprefix(NAMED).split(", ")
        }
        assert left <= named
        if named:
            assert meddlers
            assert meddlers[0].did is not None
            org = meddlers[0].org.removesuffix("-before")
            assert {addresses.org_of(address) for address in named} == {org}
    finally:
        pipes.close()


@settings(
    max_examples=100,
    phases=[Phase.generate],
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(scenes(max_people=5), st.data())
def test_status_0_leaves_nothing_or_only_what_is_somebody_elses(scene: Scene, data: Any):
    one_case(scene, data)
