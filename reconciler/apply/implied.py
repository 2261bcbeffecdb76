"""Grants that go with a membership: no request of their own while removing the membership works.

Pipes removes the grants of whoever leaves an organization. Whether it did is seen in the lists that are read after the apply:
a grant that is still there is a failure, and the next run removes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from reconciler.kinds import grant, member
from reconciler.model import address as addresses
from reconciler.model.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler.model.plan import Plan, Step


def going(plan: Plan) -> dict[int, int]:
    """The steps that remove a grant of somebody whose membership goes in the same plan, each with the step that removes that."""
    ids = {change.address: change.id for change in plan.changes}
    removals = [step for step in plan.steps if step.action == "delete"]

    def whose(step: Step) -> tuple[str, str | None]:
        return addresses.org_of(step.address), ids[step.address]

    memberships = {whose(step): step.number for step in removals if addresses.kind_of(step.address) == member.KIND.name}
    return {
        step.number: memberships[whose(step)]
        for step in removals
        if addresses.kind_of(step.address) == grant.KIND.name
        and ids[step.address] is not None
        and whose(step) in memberships
    }


def run(
    steps: Sequence[Step], implied: Mapping[int, int], run_steps: Callable[[Sequence[Step]], list[Outcome]]
) -> list[Outcome]:
    """Run `steps` without those that are `implied`; then those whose membership did not go, each by its own request."""
    first = [
        replace(step, needs=tuple(need for need in step.needs if need not in implied))
        for step in steps
        if step.number not in implied
    ]
    outcomes = {one.number: one for one in run_steps(first)}
    rest = []
    for step in steps:
        if step.number not in implied:
            continue
        above = outcomes.get(implied[step.number])
        if above is not None and above.status == "done":
            detail = f"goes with {above.address}"
            outcomes[step.number] = Outcome(step.number, step.address, step.action, "done", detail, wrote=True)
        else:
            rest.append(replace(step, needs=()))
    outcomes.update({one.number: one for one in run_steps(rest)} if rest else {})
    return [outcomes[step.number] for step in steps]
