"""Whether a saved plan still holds: compared with the plan that the same manifests and today's live objects give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.diagnostic import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.model.plan import Plan

FIX = "plan again, and have the new plan reviewed"


def stale(saved: Plan, fresh: Plan, told: Callable[[str], str] = lambda _: "") -> Iterator[Refusal]:
    """A `stale-plan` for each thing that the saved plan rests on and that is not so any more.

    `told(address)` gives the words for who changed an object and when, or nothing. A change elsewhere, which would
    give the same plan, is none.
    """
    if saved.day > fresh.day and (saved.changes, saved.steps) != (fresh.changes, fresh.steps):
        yield Refusal(
            "stale-plan",
            saved.orgs[0] if saved.orgs else "plan",
            f"the plan was made for {saved.day}, a day to come: today is {fresh.day}, and what is due today differs",
            f"apply it on {saved.day}, or plan for today",
            liftable=False,
        )
        return
    was, now = dict(saved.files), dict(fresh.files)
    for path in sorted(was.keys() | now.keys()):
        if was.get(path) != now.get(path):
            what = "was added" if path not in was else "is gone" if path not in now else "was changed"
            yield _refusal(
                saved.orgs[0] if saved.orgs else "plan", f"the manifest {path} {what} since the plan was made"
            )
    changed = set()
    for address in sorted(saved.reads):
        if fresh.reads.get(address) != saved.reads[address] and address in _live(saved, fresh):
            changed.add(address)
            yield _refusal(address.removesuffix("/members"), _words(address, saved, fresh) + told(address))
    if changed or was != now:
        return  # what follows from them needs no words of its own
    before = {change.address: change for change in saved.changes}
    after = {change.address: change for change in fresh.changes}
    for address in sorted(before.keys() | after.keys()):
        if before.get(address) != after.get(address):
            yield _refusal(address, _difference(address, saved, fresh) + told(address))
    if before == after and saved.steps != fresh.steps:
        yield _refusal(saved.orgs[0], "the order in which it would be applied differs now")


def elsewhere(saved: Plan, pipes: str) -> Refusal | None:
    """A `stale-plan` for a plan that was made against another Pipes than this one, or that does not say against which.

    One that only creates rests on no live object that would tell.
    """
    if saved.host == pipes:
        return None
    made = f"against {saved.host}" if saved.host else "by a version that did not note against which Pipes"
    return Refusal(
        "stale-plan",
        saved.orgs[0] if saved.orgs else "plan",
        f"the plan was made {made}, and would be applied to {pipes}",
        (f"apply it with `--host {saved.host}`, or " if saved.host else "") + "plan again here",
        liftable=False,
    )


def _refusal(address: str, fact: str) -> Refusal:
    return Refusal("stale-plan", address, fact, FIX, liftable=False)


def _live(saved: Plan, fresh: Plan) -> set[str]:
    """What is compared by version. What is in sync by now has no entry in the fresh plan: only where the saved plan
    was to change it is that a difference.
    """
    planned = {change.address for change in saved.changes}
    return {address for address in saved.reads if address in fresh.reads or address in planned}


def _words(address: str, saved: Plan, fresh: Plan) -> str:
    if address.endswith("/members"):
        return "its member list was changed since the plan was made"
    if address not in fresh.reads:
        return "it was changed since the plan was made: what was planned is not needed any more, or it is gone"
    del saved
    return "it was changed since the plan was made"


def _difference(address: str, saved: Plan, fresh: Plan) -> str:
    here = {change.address for change in fresh.changes}
    there = {change.address for change in saved.changes}
    day = f" (the plan was made for {saved.day}, today is {fresh.day})" if saved.day != fresh.day else ""
    if address not in here:
        return "the change that was planned for it is not needed any more" + day
    if address not in there:
        return "a change of it is needed now that the plan does not have" + day
    return "what has to be done to it differs from what was planned" + day
