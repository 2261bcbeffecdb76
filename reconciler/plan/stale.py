"""Whether a saved plan still holds: compared with the plan that the same manifests and today's live objects give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.diagnostic import Diagnostic, Refusal
from reconciler.model.plan import WHOLE, DnsChange, Effect
from reconciler.plan.diff.drafts import SECRETS_UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reconciler.model.plan import Plan

FIX = "plan again, and have the new plan reviewed"


# what a reviewer sees of a plan beside its changes, and what each is called. What is not managed is shown, too, but nothing
# follows from it: that somebody else makes a workspace of their own in the meantime is no reason to plan again
_SHOWN: tuple[tuple[str, str], ...] = (
    ("orgs", "the organizations that were compared"),
    ("impact", "who gains or loses access"),
    ("dns", "the DNS names that change"),
    ("warnings", "the warnings"),
    ("notes", "the notes"),
    ("lifted", "the safeguards that it lifts"),
    ("allowed", "the allowances"),
    ("confirm_delete", "the organizations that it deletes"),
    ("shard", "which share of the organizations it is about"),
)


def stale(saved: Plan, fresh: Plan, last_change: Callable[[str], str] = lambda _: "") -> Iterator[Refusal]:
    """A `stale-plan` for each thing that the saved plan rests on, or says, and that is no longer so.

    `last_change(address)` says who changed an object and when, or nothing. A change elsewhere that gives the same plan
    is no reason.
    """
    if saved.day > fresh.day and (saved.changes, saved.steps) != (fresh.changes, fresh.steps):
        yield Refusal(
            "stale-plan",
            saved.orgs[0] if saved.orgs else WHOLE,
            f"the plan was made for {saved.day}, a future day: today is {fresh.day}, and what is due today differs",
            f"apply it on {saved.day}, or plan for today",
            liftable=False,
        )
        return
    was, now = dict(saved.files), dict(fresh.files)
    for path in sorted(was.keys() | now.keys()):
        if was.get(path) != now.get(path):
            what = "was changed since the plan was made"
            if path not in was:
                what = "is read now, and the plan was made without it"
            elif path not in now:
                what = "is not read now, and the plan was made from it"
            yield refusal(saved.orgs[0] if saved.orgs else WHOLE, f"the manifest {path} {what}")
    changed = set()
    for address in sorted(saved.reads):
        if fresh.reads.get(address) != saved.reads[address] and address in _live(saved, fresh):
            changed.add(address)
            yield refusal(address.removesuffix("/members"), _what_happened(address, fresh) + last_change(address))
    if changed or was != now:
        return  # their consequences are not reported separately
    before = {change.address: change for change in saved.changes}
    after = {change.address: change for change in fresh.changes}
    for address in sorted(before.keys() | after.keys()):
        if before.get(address) != after.get(address):
            yield refusal(address, _difference(address, saved, fresh) + last_change(address))
    if before != after:
        return  # their consequences are not reported separately
    where = saved.orgs[0] if saved.orgs else WHOLE
    if saved.steps != fresh.steps or saved.changes != fresh.changes:
        yield refusal(where, "the order in which it would be applied differs now")
    for name, what in _SHOWN:
        was_shown, is_shown = _shown(saved, name), _shown(fresh, name)
        if was_shown != is_shown:
            yield refusal(
                where,
                f"what the plan shows is not what a plan made now shows: {what} differ{_first(was_shown, is_shown)}",
            )


def _shown(plan: Plan, name: str) -> object:
    """What a reviewer sees under `name`. A check of a pull request has no secrets, and so cannot say what apply can."""
    found = getattr(plan, name)
    if name == "shard":  # its messages are compared as such
        return plan.shard and (plan.shard.number, plan.shard.of, plan.shard.estate)
    return (
        tuple(note for note in found if not note.partition(": ")[2].startswith(SECRETS_UNKNOWN))
        if name == "notes"
        else found
    )


def elsewhere(saved: Plan, pipes: str) -> Refusal | None:
    """A `stale-plan` for a plan that was made against another Pipes than this one, or that does not say against which.

    One that only creates rests on no live object that would show it.
    """
    if saved.host == pipes:
        return None
    made = f"against {saved.host}" if saved.host else "by a version that did not note against which Pipes"
    return Refusal(
        "stale-plan",
        saved.orgs[0] if saved.orgs else WHOLE,
        f"the plan was made {made}, and would be applied to {pipes}",
        (f"apply it with `--host {saved.host}`, or " if saved.host else "") + "plan again here",
        liftable=False,
    )


def by_another(saved: Plan, user: str) -> Refusal | None:
    """A `stale-plan` for a plan that does not hold and that another user's token made: that user may see other things."""
    if saved.made is None or not saved.made.user or saved.made.user == user:
        return None
    return Refusal(
        "stale-plan",
        saved.orgs[0] if saved.orgs else WHOLE,
        f"the plan was made as {saved.made.user}, and would be applied as {user}",
        f"apply it with a token of {saved.made.user}, or plan again as {user}",
        liftable=False,
    )


def of_others(saved: Plan, fresh: Plan) -> Refusal | None:
    """A `stale-plan` for a plan that was made from other manifests than those that will be applied.

    The paths of `fresh` are the command line's: the plan's own are shown, and never read.
    """
    was, now = {path for path, _ in saved.files}, {path for path, _ in fresh.files}
    if was & now or was == now:
        return None  # what was added, removed or changed among them is reported one by one
    return Refusal(
        "stale-plan",
        saved.orgs[0] if saved.orgs else WHOLE,
        f"the plan was made from {_some(was)}, and this apply reads {_some(now)}",
        "name the manifests behind the plan, as in `apply PLAN PATH`, if those are the ones to apply; else plan again",
        liftable=False,
    )


def _some(paths: Iterable[str]) -> str:
    found = sorted(paths)
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "") if found else "no manifest"


def _first(was: object, now: object) -> str:
    """The first entry that only one of two plans shows, in words, for a reader who looks for the difference."""
    if not isinstance(was, tuple) or not isinstance(now, tuple):
        return ""
    for found, other, where in ((was, now, "only the saved plan has"), (now, was, "the saved plan lacks")):
        for one in found:
            if one not in other:
                return f" ({where}: {_entry(one)})"
    return " (in their order)"


def _entry(one: object) -> str:
    if isinstance(one, Effect):
        return f"{one.person} on {one.object}, {one.before or 'nothing'} to {one.after or 'nothing'}"
    if isinstance(one, DnsChange):
        return f"{one.before} to {one.after or 'nothing'}"
    if isinstance(one, Diagnostic):
        return one.summary
    if isinstance(one, Refusal):
        return f"{one.code} for {one.address}"
    return one if isinstance(one, str) else "=".join(str(part) for part in one) if isinstance(one, tuple) else str(one)


def refusal(address: str, fact: str) -> Refusal:
    """A `stale-plan` at an address, for a fact."""
    return Refusal("stale-plan", address, fact, FIX, liftable=False)


def _live(saved: Plan, fresh: Plan) -> set[str]:
    """What is compared by version. What is in sync by now has no entry in the fresh plan: only where the saved plan
    was to change it is that a difference.
    """
    planned = {change.address for change in saved.changes}
    return {address for address in saved.reads if address in fresh.reads or address in planned}


def _what_happened(address: str, fresh: Plan) -> str:
    if address.endswith("/members"):
        return "its member list was changed since the plan was made"
    if address not in fresh.reads:
        return "it was changed since the plan was made: what was planned is not needed any more, or it is gone"
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
