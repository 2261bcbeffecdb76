"""Status 0 is a promise: a plan made now is empty, or what remains is named in the report as somebody else's, and is.

Nothing is promised of orgs that the apply did not write to, of one in which it ended its own access, or of what somebody else
does after it has read again what it did.

100 scenes by default; RECONCILER_STATUS_CASES=3000 makes a long run of it.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import threading
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st

from apply.test_connections_converge import Case
from apply.test_connections_converge import cases as connections
from apply.test_faults import HARD, RULES
from reconciler.apply import run as apply
from reconciler.apply.journal import Journal
from reconciler.cli.apply import apply_status
from reconciler.model import address as addresses
from reconciler.sandbox.faults import Faults
from worlds import ACTOR, Pipes, Scene, load, scenes, token_of

CASES = int(os.environ.get("RECONCILER_STATUS_CASES", "100"))
NAMED = "changed by somebody else while this apply ran; plan again: "
LEFT = re.compile("this apply ended its own access to ([^,]*),")


class Liar:
    """Answers some writes with success, and does nothing; with `alike`, as if it had done what was asked."""

    def __init__(self, app: Any, lies: set[int], *, alike: bool) -> None:
        self.app, self.lies, self.alike, self.count = app, lies, alike, 0
        self.mutex = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        method = environ["REQUEST_METHOD"]
        if method == "GET":
            return self.app(environ, start_response)
        with self.mutex:
            self.count += 1
            lies = self.count in self.lies
        if not lies:
            return self.app(environ, start_response)
        answer: dict[str, Any] = {}
        if self.alike and environ.get("CONTENT_TYPE") == "application/json":
            answer = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            made = {"id": "o_00000000000000000000", "user_id": "u_00000000000000000000"}
            answer |= {**made, "user_handle": answer.get("handle", "somebody")} if method == "POST" else {}
        status = "201 Created" if method == "POST" else "200 OK"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]


class Beside:
    """Somebody else, who owns the orgs too and acts right after some of our writes; and a signal after one of them."""

    def __init__(self, app: Any, pipes: Pipes, deeds: list[Any], stop: threading.Event, stopped_at: int | None) -> None:
        self.app, self.pipes, self.deeds, self.stop, self.stopped_at = app, pipes, deeds, stop, stopped_at
        self.count = 0
        self.done: list[tuple[str, Any]] = []  # path and body of what took effect

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        answer = list(self.app(environ, start_response))
        if environ["REQUEST_METHOD"] != "GET":
            self.count += 1
            for at, method, path, body in self.deeds:
                if at == self.count:
                    with self.pipes.client(read_only=False) as client:
                        done = client.carrier.session.request(method, f"http://sandbox.invalid/api/v0{path}", json=body)
                    self.done += [(path, body)] if done.ok else []
            if self.count == self.stopped_at:
                self.stop.set()
        return answer

    def touched(self, address: str) -> bool:
        """Whether something that they did names this object, or something above it."""
        org, *below = [name for _, name in addresses.split(address)]
        names = {name for path, body in self.done for name in [*path.split("/"), *map(str, (body or {}).values())]}
        return bool(names.intersection(below)) if below else bool(names & {org, f"{org}-before"})


@st.composite
def deeds(draw, scene: Scene) -> list[tuple[int, str, str, Any]]:
    """What somebody else does, each after the n-th write of ours."""
    orgs = sorted(scene.world["orgs"])
    found = []
    for _ in range(draw(st.integers(0, 2)) if orgs else 0):
        org = draw(st.sampled_from(orgs))
        people = [person for person in scene.world["orgs"][org]["members"] if person != ACTOR] or ["p1"]
        space = draw(st.sampled_from(sorted(scene.world["orgs"][org]["workspaces"]) or ["prod"]))
        who, connection = draw(st.sampled_from(people)), draw(st.sampled_from(["aws", "gcp", "net"]))
        here = f"/org/{org if draw(st.booleans()) else org.removesuffix('-before')}"
        row, granted, inside = f"{here}/member/{who}", f"{here}/workspace/{space}/member", f"{here}/workspace/{space}"
        deed = draw(st.sampled_from([
            ("PATCH", row, {"role": "member"}), ("PATCH", row, {"role": "owner"}), ("DELETE", row, None),
            ("POST", f"{here}/member/invite", {"handle": "p9", "role": "member"}),
            ("POST", f"{here}/member", {"handle": "p9", "role": "member"}),
            ("PATCH", here, {"display_name": "Theirs"}), ("PATCH", here, {"handle": "renamed"}),
            ("PATCH", inside, {"handle": "other"}), ("PATCH", inside, {"desired_state": "disabled"}), ("DELETE", inside, None),
            ("POST", granted, {"handle": who, "role": "operator"}), ("DELETE", f"{granted}/{who}", None),
            ("PATCH", f"{granted}/{who}", {"role": "reader"}),
            ("PATCH", f"{here}/connection/{connection}", {"config": {"z": "y"}}),
            ("DELETE", f"{here}/connection/{connection}", None), ("DELETE", f"{inside}/schema/{connection}", None),
        ]))  # fmt: skip
        found.append((draw(st.integers(1, 12)), *deed))
    return found


def one_case(scene: Scene | Case, data: Any) -> None:
    note(json.dumps({"manifest": scene.document, "live": scene.world["orgs"]}))
    pipes = Pipes(scene.world)
    try:
        desired = load(scene.document)
        first, _ = pipes.plan(desired, {})
        allow = [(refusal.code, refusal.address) for refusal in first.refusals if refusal.liftable]
        plan, live = pipes.plan(desired, {}, allow)
        if plan.refusals or not plan.steps:
            assert {refusal.code for refusal in plan.refusals} <= HARD
            return
        steps = st.integers(1, len(plan.steps))
        lies, alike = data.draw(st.sets(steps, max_size=2), label="lies"), data.draw(st.booleans(), label="alike")
        faults = Faults(data.draw(st.lists(RULES, max_size=1), label="faults"), sleep=pipes.wait)
        others = data.draw(deeds(scene), label="deeds")
        at = data.draw(st.one_of(st.none(), st.none(), steps), label="stopped after")
        parallelism, stop = data.draw(st.sampled_from([1, 4]), label="parallelism"), threading.Event()
        beside: list[Beside] = []

        def wrap(app: Any) -> Any:
            beside.append(Beside(app, Pipes.sharing(pipes), others, stop, at))
            return Liar(beside[0], lies, alike=alike)

        with (
            tempfile.TemporaryDirectory() as folder,
            Journal(Path(folder)) as journal,
            pipes.client(read_only=False, faults=faults, parallelism=parallelism, wrap=wrap) as client,
        ):
            options = apply.Options(parallelism=parallelism, clock=lambda: pipes.now, stop=stop)
            applied = apply.run_plan(plan, desired, live, {}, client, journal, options)
        result = applied.result
        status = apply_status(result, 0, [2] if stop.is_set() else [])
        did = beside[0]
        event(f"status {status}{', somebody else was at it' if did.done else ''}{', stopped' if stop.is_set() else ''}")
        if status != 0:
            return
        # who ends their own access cannot look again, and the report says so
        left_by_us = {org for text in result.notes for org in LEFT.findall(text)}
        if isinstance(scene, Scene) and scene.heir:
            pipes.token = token_of(scene.heir)
        fresh, _ = pipes.plan(desired, applied.lock)
        written = {addresses.org_of(outcome.address) for outcome in result.outcomes if outcome.wrote} - left_by_us
        left = {c.address for c in fresh.changes} | {r.address for r in fresh.refusals}
        named = {
            address
            for text in result.notes
            if text.startswith(NAMED)
            for address in text.removeprefix(NAMED).split(", ")
        }
        assert {address for address in left if addresses.org_of(address) in written} <= named
        assert [address for address in named if not did.touched(address)] == []
    finally:
        pipes.close()


@settings(
    max_examples=CASES,
    phases=[Phase.generate],
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(st.one_of(scenes(max_people=5), scenes(max_people=5), connections()), st.data())
def test_status_0_leaves_nothing_or_only_what_is_somebody_elses(scene: Scene | Case, data: Any):
    one_case(scene, data)
