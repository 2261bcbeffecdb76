"""Running steps side by side: each as soon as what it needs has succeeded, none after a stop was asked for."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from reconciler.model.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event

    from reconciler.model.plan import Step

SUCCEEDED = frozenset({"done", "already"})


def run_steps(
    steps: Sequence[Step],
    perform: Callable[[Step], Outcome],
    *,
    parallelism: int,
    stop: Event,
    fail_fast: bool = False,
    ended: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Perform `steps`, at most `parallelism` at once, and return an outcome for each in their order.

    A step whose need did not succeed is skipped, and so is everything not yet started once `stop` is set or, with
    `fail_fast`, once one step has failed. Steps in flight are always waited for.
    """
    outcomes: dict[int, Outcome] = {}
    waiting = {step.number: len(step.needs) for step in steps}
    followers: dict[int, list[Step]] = {}
    for step in steps:
        for need in step.needs:
            followers.setdefault(need, []).append(step)
    ready = [step for step in reversed(steps) if not step.needs]
    running: dict[Future[Outcome], Step] = {}
    failed = False

    def end(outcome: Outcome) -> None:
        outcomes[outcome.number] = outcome
        ended(outcome)
        ended_now = [outcome]
        while ended_now:
            last = ended_now.pop()
            for follower in followers.get(last.number, ()):
                if follower.number in outcomes:
                    continue
                if last.status in SUCCEEDED:
                    waiting[follower.number] -= 1
                    if waiting[follower.number] == 0:
                        ready.append(follower)
                else:
                    skipped = _skipped(follower, f"because of {last.address}")
                    outcomes[follower.number] = skipped
                    ended(skipped)
                    ended_now.append(skipped)

    with ThreadPoolExecutor(max_workers=parallelism, thread_name_prefix="apply") as pool:
        while ready or running:
            while ready and len(running) < parallelism and not stop.is_set() and not (failed and fail_fast):
                step = ready.pop()
                running[pool.submit(perform, step)] = step
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=lambda f: running[f].number):
                del running[future]
                outcome = future.result()
                failed = failed or outcome.status == "failed"
                end(outcome)
            ready.sort(key=lambda s: -s.number)
    why = "stopped before it was its turn" if stop.is_set() else "because of an earlier failure (--fail-fast)"
    for step in steps:
        if step.number not in outcomes:
            outcomes[step.number] = _skipped(step, why)
            ended(outcomes[step.number])
    return [outcomes[step.number] for step in steps]


def _skipped(step: Step, why: str) -> Outcome:
    return Outcome(step.number, step.address, step.action, "skipped", why)
