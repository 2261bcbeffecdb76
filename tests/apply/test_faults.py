"""Any world, any fault: nobody is locked out, nothing is done twice, nothing of somebody else's is overwritten unseen,
the exit status is right, and running it again finishes the job.

1,000 cases by default, told apart by a seed. RECONCILER_FAULT_CASES=50000 makes a long run of it (CONTRIBUTING).
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from apply.watch import Watch
from reconciler.cli.apply import apply_status
from reconciler.sandbox.faults import Faults
from worlds import ACTOR, Pipes, Scene, check, load, scenes, token_of

PARTS = 8
PHASES = [Phase.generate] if os.environ.get("RECONCILER_FAULT_CASES") else [Phase.generate, Phase.shrink]
CASES = int(os.environ.get("RECONCILER_FAULT_CASES", "1000"))
# refusals that a generated world may earn and that no option lifts
HARD = {"owner-floor", "handle-taken", "who-is-this", "rename", "empty-read"}


class Killed(BaseException):
    """The process is gone: nothing of ours catches this."""


class Kill:
    """A WSGI app that ends the process at the n-th write, before or after it took effect, and answers nothing more."""

    def __init__(self, app: Any, at: int, *, after: bool) -> None:
        self.app, self.left, self.after = app, at, after
        self.mutex = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        with self.mutex:
            if self.left < 0:
                raise Killed
            if environ["REQUEST_METHOD"] != "GET":
                self.left -= 1
                if self.left < 0:
                    if self.after:
                        list(self.app(environ, lambda *_: None))
                    raise Killed
        return self.app(environ, start_response)


class Meddler:
    """Somebody else, who owns the org too, and changes something of it just after our n-th request."""

    def __init__(self, app: Any, pipes: Pipes, watch: Watch, at: int, org: str, deed: dict[str, Any]) -> None:
        self.app, self.pipes, self.watch, self.left, self.org, self.deed = app, pipes, watch, at, org, deed
        self.mutex = threading.Lock()
        self.did: tuple[str, str, str] | None = None  # path, attribute, value
        self.read = ""  # what we have looked at last, and not written since
        self.unseeable = False  # it came between our look and our write, where only If-Match could have stopped us

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"].removeprefix("/api/v0")
        if environ["REQUEST_METHOD"] == "GET":
            self.read = path
        answer = list(self.app(environ, start_response))
        with self.mutex:
            if environ["REQUEST_METHOD"] != "GET":
                self.read = ""
            self.left -= 1
            if self.left == 0:
                self.meddle()
        return answer

    def meddle(self) -> None:
        was = live_value(self.pipes, self.deed["path"])
        with self.pipes.client(read_only=False) as client:
            answer = client.carrier.session.patch(
                f"http://sandbox.invalid/api/v0{self.deed['path']}", json={self.deed["attribute"]: self.deed["value"]}
            )
        self.unseeable = self.deed["path"] == self.read and not self.pipes.if_match
        if answer.ok and was != self.deed["value"]:
            self.did = (self.deed["path"], self.deed["attribute"], self.deed["value"])
        self.watch.recount(self.org)


RULES = st.one_of(
    st.fixed_dictionaries({
        "kind": st.just("status"), "status": st.sampled_from([429, 500, 502, 503, 504]),
        "method": st.sampled_from([["GET"], ["POST"], ["PATCH"], ["DELETE"], ["POST", "PATCH", "DELETE"]]),
        "applied": st.booleans(), "after": st.integers(0, 12), "times": st.integers(1, 6),
    }),
    st.fixed_dictionaries({
        "kind": st.sampled_from(["drop-before", "drop-after", "truncate", "html"]),
        "method": st.sampled_from([["GET"], ["POST"], ["PATCH"], ["DELETE"], ["POST", "PATCH", "DELETE"]]),
        "after": st.integers(0, 12), "times": st.integers(1, 6),
    }),
    st.fixed_dictionaries({
        "kind": st.sampled_from(["status", "drop-before", "drop-after"]), "probability": st.sampled_from([0.1, 0.3, 0.6]),
        "seed": st.integers(0, 1000),
    }),
    st.fixed_dictionaries({"kind": st.sampled_from(["empty-members", "shift-page"]), "times": st.integers(1, 3),
                           "after": st.integers(0, 8)}),
)  # fmt: skip


@st.composite
def deeds(draw, scene: Scene) -> tuple[str, dict[str, Any]] | None:
    """What somebody else changes: a role or a display name, in an org that is to stay."""
    stay = [org for org in scene.world["orgs"] if org.removesuffix("-before") not in scene.expected.gone]
    if not stay:
        return None
    org = draw(st.sampled_from(stay))
    people = [person for person in scene.world["orgs"][org]["members"] if person not in (ACTOR, scene.heir)]
    # where nobody manages the members, a role that somebody else gives is to stay, and grants follow it
    if people and org.removesuffix("-before") in scene.expected.members and draw(st.booleans()):
        role = draw(st.sampled_from(["member", "owner"]))
        return org, {"path": f"/org/{org}/member/{draw(st.sampled_from(people))}", "attribute": "role", "value": role}
    return org, {"path": f"/org/{org}", "attribute": "display_name", "value": "Somebody else's"}


def judge_status(result: Any, status: int) -> None:
    """The exit status follows from what was written and what was not."""
    bad = [o for o in result.outcomes if o.status in ("unconfirmed", "failed", "skipped")]
    wrote = any(o.wrote for o in result.outcomes)
    if not bad and not result.remaining:
        assert status == 0
    elif wrote:
        assert status == 5
    else:
        assert status in (1, 3, 4)


def created_twice(pipes: Pipes) -> list[str]:
    """Whatever the audit log says was made while it was there already."""
    there: Counter[tuple[str, str, str]] = Counter()
    twice = []
    for row in pipes.audit():
        what, _, verb = row["action_type"].rpartition(".")
        key = (what, row["target_id"], row["in"])
        if verb in ("create", "invite"):
            there[key] += 1
            if there[key] > 1:
                twice.append(f"{row['action_type']} {row['target_handle']}")
        elif verb == "delete":
            there[key] = 0
    return twice


def one_case(scene: Scene, data: Any) -> None:
    note(json.dumps({"manifest": scene.document, "live": scene.world["orgs"]}))
    watch = Watch(scene)
    if_match = data.draw(st.booleans(), label="the server knows If-Match")
    pipes = Pipes(scene.world, observer=watch, if_match=if_match)
    watch.start(pipes, scene)
    try:
        desired = load(scene.document)
        first, _ = pipes.plan(desired, {})
        allow = [(refusal.code, refusal.address) for refusal in first.refusals if refusal.liftable]
        plan, live = pipes.plan(desired, {}, allow)
        if any(code == "owner-floor" for code, _ in allow):
            watch.floor = 1
        if plan.refusals or not plan.steps:
            assert {refusal.code for refusal in plan.refusals} <= HARD
            return
        faults = Faults(data.draw(st.lists(RULES, max_size=3), label="faults"), sleep=pipes.wait)
        kill = data.draw(st.none() | st.tuples(st.integers(0, 2 * len(plan.steps)), st.booleans()), label="kill")
        deed = data.draw(st.none() | deeds(scene), label="deed")
        meddlers: list[Meddler] = []

        def wrap(app: Any) -> Any:
            if deed is not None:
                at = data.draw(st.integers(1, 3 * len(plan.steps)), label="meddling after")
                meddlers.append(Meddler(app, Pipes.sharing(pipes), watch, at, *deed))
                app = meddlers[0]
            return app if kill is None else Kill(app, kill[0], after=kill[1])

        with tempfile.TemporaryDirectory() as folder:
            lock: dict[str, Any] = {}
            try:
                result, lock = pipes.apply(
                    plan, desired, live, lock, Path(folder), faults=faults, wrap=wrap, parallelism=1
                )
            except Killed:
                pass
            else:
                judge_status(result, apply_status(result, 0, []))
            meddler = meddlers[0] if meddlers else None
            if meddler is not None and meddler.unseeable:
                watch.short.clear()
            assert not watch.short
            if meddler is not None and meddler.did is not None and not meddler.unseeable:
                still_there(pipes, *meddler.did)
            if scene.heir and not owns(pipes, scene):
                pipes.token = token_of(scene.heir)
            plan, again, lock = pipes.rerun(desired, lock, Path(folder))
        if any(code == "owner-floor" for code, _ in plan.allowed):
            watch.short = [line for line in watch.short if "left 0" in line]
        assert not watch.short
        assert created_twice(pipes) == []
        if again is None:
            assert {refusal.code for refusal in plan.refusals} <= HARD
            return
        assert {o.status for o in again.outcomes} <= {"done", "already"}, again.outcomes
        assert apply_status(again, 0, []) == 0
        if scene.heir:
            pipes.token = token_of(scene.heir)
        check(pipes, scene.expected, lock)
        last, _ = pipes.plan(desired, lock)
        assert last.changes == ()
        assert last.refusals == ()
    finally:
        pipes.close()


def owns(pipes: Pipes, scene: Scene) -> bool:
    """Whether the token's user still owns the one org of a scene with a hand-over."""
    (org,) = scene.document["orgs"]
    return "owner" in (pipes.role(org, ACTOR), pipes.role(f"{org}-before", ACTOR))


def live_value(pipes: Pipes, path: str) -> str | None:
    """The role or the display name at a path, by the store itself; under the org's new handle where it was renamed."""
    _, _, org, *rest = path.split("/")
    for handle in (org.removesuffix("-before"), org):
        found = pipes.role(handle, rest[1]) if rest else pipes.display_name(handle)
        if found is not None:
            return found
    return None


def still_there(pipes: Pipes, path: str, attribute: str, value: str) -> None:
    """What somebody else wrote while we were at work is as they left it."""
    found = live_value(pipes, path)
    assert found == value, f"{path} {attribute} was {value!r} by somebody else and is {found!r} now"


def part_of_it(part: int) -> Any:
    @seed(part)
    @settings(
        max_examples=max(1, CASES // PARTS),
        deadline=None,
        database=None,
        phases=PHASES,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(scenes(max_people=6), st.data())
    def run(scene: Scene, data: Any) -> None:
        one_case(scene, data)

    return run


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_fails_nobody_is_locked_out_and_running_it_again_finishes(part: int):
    part_of_it(part)()
