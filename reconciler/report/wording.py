"""What a plan or a result says, in words and in reading order; nothing here is escaped, the writers do that.

Every function returns plain text in which names, reasons and a server's words stand as they came: a writer passes the
whole of it through its own escape function.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.model.expiring import until
from reconciler.model.request import LATE_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reconciler.model.diagnostic import Refusal, Source
    from reconciler.model.plan import Change, DnsChange, Effect, Plan
    from reconciler.model.request import Request
    from reconciler.model.result import Outcome, Result
    from reconciler.report import Validation

    Write = Callable[[str], str]

# in what an effect is about: a connection, and no workspace
CONNECTION = "/connection."
SYMBOLS = {"create": "+", "update": "~", "rename": ">", "delete": "-"}
REASONS = {
    "unlisted": "no longer listed",
    "absent": "absent: true",
    "expired": "expired",
    "renamed": "renamed_from",
    "readdressed": "its address changed: the invitation is cancelled and sent to the new one",
    "parent-deleted": "goes with what it belongs to",
}
# What a YAML reader would take for something else than a string, or that would be hard to tell from our own words.
BARE = re.compile(r"[A-Za-z0-9_./@+-]*[A-Za-z_./@+-][A-Za-z0-9_./@+:-]*\Z")
NOT_STRINGS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "~", "nan", "inf"})


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a change: None in `before` or `after` where that side has no value to show."""

    name: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.name}: {self.after}"
        if self.after is None:
            return f"{self.name}: {self.before}"
        return f"{self.name}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Group:
    """Changes of one org that are read together: the org itself (no title), its members, one workspace and its grants."""

    title: str | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class OrgChanges:
    """All changes of one org, in reading order."""

    address: str
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Impact:
    """Who gains and who loses, the owners of orgs apart: they come first in every report."""

    owners: tuple[Effect, ...]
    others: tuple[Effect, ...]


def by_org(changes: Iterable[Change]) -> tuple[OrgChanges, ...]:
    """The changes by org and, inside, by what they belong to; each group by action, then address."""
    orgs: dict[str, dict[tuple[int, str], list[Change]]] = {}
    for change in changes:
        org, _, below = change.address.partition("/")
        first = below.partition("/")[0]
        kind, _, name = first.partition(".")
        if not first:
            key = (0, "")
        elif kind == "member":
            key = (1, "Members")
        else:
            key = (2, f"{kind.replace('_', ' ').capitalize()} {name}")
        orgs.setdefault(org, {}).setdefault(key, []).append(change)
    return tuple(
        OrgChanges(
            org,
            tuple(
                Group(title or None, tuple(sorted(groups[order, title], key=_reading_order)))
                for order, title in sorted(groups)
            ),
        )
        for org, groups in sorted(orgs.items())
    )


def _reading_order(change: Change) -> tuple[int, int, str]:
    # A workspace stands before its grants, whatever happens to them; a new name before what is said of it.
    return (change.address.count("/"), ("rename", "create", "update", "delete").index(change.action), change.address)


def attributes(change: Change) -> tuple[Attribute, ...]:
    """What a create sets, a delete takes away, an update or rename alters; by name.

    An attribute that an update's `after` does not have is left alone, so it is not shown; one that is cleared is there
    as None or empty.
    """
    before, after = dict(change.before or {}), dict(change.after or {})
    if before.get("status") == "accepted":
        del before["status"]  # the usual; what is worth a word is an open invitation
        after.pop("status", None)
    if change.action != "update":  # elsewhere the address says the handle already
        before.pop("handle", None)
        after.pop("handle", None)
    if change.action == "create":
        return tuple(Attribute(name, None, show(after[name])) for name in sorted(after) if not _empty(after[name]))
    if change.action == "delete":
        return tuple(Attribute(name, show(before[name]), None) for name in sorted(before) if not _empty(before[name]))
    return tuple(
        Attribute(
            name,
            "(not set)" if _empty(before.get(name)) else show(before[name]),
            "(cleared)" if _empty(after[name]) else show(after[name]),
        )
        for name in sorted(after)
        if before.get(name) != after[name] and not (_empty(before.get(name)) and _empty(after[name]))
    )


def show(value: Any) -> str:
    """A value as a manifest would write it: bare where that is safe, quoted where it could be taken for something else."""
    if isinstance(value, str):
        if BARE.match(value) and value.lower() not in NOT_STRINGS:
            return value
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(show(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _empty(value: Any) -> bool:
    return value is None or value in ("", [], ())


def why(change: Change) -> str:
    """The reason, the manifest's line and the team behind a change: `absent: true, orgs.yaml:34`."""
    parts = []
    if change.reason:
        parts.append(REASONS.get(change.reason, change.reason))
    if change.because:
        parts.append(f'"{change.because}"')
    if change.source:
        parts.append(place(change.source))
    if change.via:
        parts.append(f"via {change.via}")
    if change.expires:
        parts.append(until(change.expires, change.then))
    return ", ".join(parts)


def place(source: Source) -> str:
    return f"{source.file}:{source.line}"


def title(change: Change) -> str:
    """The address; for a rename the old one too."""
    if change.previous_address and change.previous_address != change.address:
        return f"{change.previous_address} -> {change.address}"
    return change.address


def request(sent: Request) -> str:
    """`PATCH /org/acme {"handle": "acme2"} (if version 7)`."""
    parts = [sent.method, sent.path]
    if sent.body is not None:
        parts.append(json.dumps(sent.body, ensure_ascii=False, sort_keys=True, default=str))
    if sent.if_match is not None:
        parts.append(f"(if version {sent.if_match})")
    if sent.late is not None:
        by_id = LATE_ID in sent.path or LATE_ID in (sent.body or {}).values()
        parts.append(
            f"({{id}}: as the create of {sent.late} answers)"
            if by_id
            else f"({{user_handle}}: as the invitation of {sent.late} answers)"
        )
    return " ".join(parts)


def impact(effects: Sequence[Effect]) -> Impact:
    owners = tuple(effect for effect in effects if is_ownership(effect))
    return Impact(owners, tuple(effect for effect in effects if not is_ownership(effect)))


def is_ownership(effect: Effect) -> bool:
    """Whether an org gains or loses an owner by it."""
    return "/" not in effect.object and (effect.before == "owner") != (effect.after == "owner")


def direction(effect: Effect) -> str:
    """`gain`, `lose`, or `change` where the person keeps some access; of an ownership always gain or lose."""
    if is_ownership(effect):
        return "gain" if effect.after == "owner" else "lose"
    if effect.before is None:
        return "gain"
    return "lose" if effect.after is None else "change"


def effect(effect: Effect, *, name: Write = str, text: Write = str) -> str:
    """`carol gains reader on acme/prod (direct)`; `name` and `text` write what comes from outside, if it is to be marked."""
    later = f", {until(effect.expires, effect.then)}" if effect.expires else ""
    later += "; once the invitation is accepted" if effect.invited else ""
    org, _, connection = effect.object.partition(CONNECTION)
    if connection:
        what = "gains" if effect.before is None else "loses"
        return f"{name(effect.person)} {what} the connection {name(f'{org}/{connection}')} ({text(effect.why)}{later})"
    if effect.before is None:
        what = f"gains {name(effect.after or 'nothing')}"
    elif effect.after is None:
        what = f"loses {name(effect.before)}"
    else:
        what = f"goes from {name(effect.before)} to {name(effect.after)}"
    on = "on" if "/" in effect.object else "of"
    return f"{name(effect.person)} {what} {on} {name(effect.object)} ({text(effect.why)}{later})"


def dns(change: DnsChange) -> str:
    if change.after is None:
        return f"{change.workspace}: {change.before} goes away"
    return f"{change.workspace}: {change.before} -> {change.after}"


def losses_not_in_impact(plan: Plan) -> tuple[Change, ...]:
    """Deletions that no line of the impact tells already: workspaces and orgs, and the members and grants left over."""
    told = {(effect.person, effect.object) for effect in plan.impact if effect.after is None}
    return tuple(
        change
        for section in by_org(change for change in plan.changes if change.action == "delete")
        for group in section.groups
        for change in group.changes
        if _person_and_object(change.address) not in told
    )


def _person_and_object(address: str) -> tuple[str, str] | None:
    *places, last = address.split("/")
    kind, _, person = last.partition(".")
    if kind not in ("member", "grant"):
        return None
    return person, "/".join(place.partition(".")[2] for place in places)


def lift(refusal: Refusal) -> str | None:
    """The option that lifts a refusal, where there is one and the way on does not already name it."""
    if refusal.liftable and "--allow" not in refusal.fix:
        return f"--allow {refusal.code}={refusal.address}"
    return None


def confirmation(handle: str) -> str:
    return (
        f"Deletes the organization {handle}. apply will ask for the handle `{handle}`"
        f" (elsewhere than on a terminal: --confirm-delete {handle})."
    )


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 change`, `2 changes`."""
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"


def sentence(text: str) -> str:
    """`text` with the full stop that it may lack."""
    return text if text.rstrip().endswith((".", "?", "!")) else f"{text}."


def tally(changes: Sequence[Change]) -> str:
    """`2 to create, 1 to delete`, without what there is none of."""
    found = dict.fromkeys(SYMBOLS, 0)
    for change in changes:
        found[change.action] += 1
    return ", ".join(f"{number} to {action}" for action, number in found.items() if number)


def summary(plan: Plan) -> tuple[str, ...]:
    """The last lines of a plan's report: what it would do, then what forbids it, and of what it is a part."""
    lines = []
    if plan.changes:
        lines.append("Plan: " + ", ".join(f"{number} to {action}" for action, number in plan.counts.items()) + ".")
    elif not (plan.refusals or plan.errors):
        lines.append("No changes. Live matches the manifests.")
    if plan.errors:
        lines.append(f"Failed: {count(len(plan.errors), 'error')}; nothing can be applied.")
    if plan.refusals:
        codes = dict.fromkeys(refusal.code for refusal in plan.refusals)
        lines.append(f"Refused: {count(len(codes), 'safeguard')} ({', '.join(codes)}); nothing can be applied.")
    if plan.shard is not None:
        lines.append(
            f"Shard {plan.shard.number} of {plan.shard.of}: {count(len(plan.orgs), 'organization')}; "
            "the others are in the other shards."
        )
    return tuple(lines)


def outcome(outcome: Outcome) -> str:
    """What became of a step beyond its status: Pipes' own words, the HTTP status and the request's id."""
    parts = [outcome.detail] if outcome.detail else []
    known = []
    if outcome.status_code is not None:
        known.append(f"HTTP {outcome.status_code}")
    if outcome.request_id:
        known.append(f"request {outcome.request_id}")
    if outcome.status == "failed" and outcome.wrote:
        known.append("may have been changed in part")
    if known:
        parts.append(f"({', '.join(known)})")
    return " ".join(parts)


def outcome_names(result: Result) -> list[str]:
    """The address of each outcome, with the attributes that it is about where several steps are about one object."""
    times = Counter(outcome.address for outcome in result.outcomes)
    steps = {step.number: step for step in result.plan.steps}
    names = []
    for found in result.outcomes:
        step = steps.get(found.number)
        attributes = [name for sent in step.requests for name in sent.body or ()] if step is not None else []
        several = times[found.address] > 1 and attributes
        names.append(f"{found.address} ({', '.join(attributes)})" if several else found.address)
    return names


def result_summary(result: Result) -> str:
    """`Applied: 5 steps done, 0 failed, 0 skipped.`, or that it was in part, or not at all."""
    counts = result.counts
    parts = [f"{count(counts['done'], 'step')} done"]
    if counts["already"]:
        parts.append(f"{counts['already']} already as wanted")
    if counts["unconfirmed"]:
        parts.append(f"{counts['unconfirmed']} not confirmed")
    parts += [f"{counts['failed']} failed", f"{counts['skipped']} skipped"]
    whole = not (
        counts["unconfirmed"] or counts["failed"] or counts["skipped"] or result.interrupted or result.remaining
    )
    wrote = any(outcome.wrote or outcome.status == "done" for outcome in result.outcomes)
    word = "Applied" if whole else "Applied in part" if wrote else "Not applied"
    return f"{'Interrupted. ' if result.interrupted else ''}{word}: {', '.join(parts)}."


def validation_summary(validation: Validation) -> str:
    """`Valid: 3 manifests, 2 organizations.`, or what is wrong in them."""
    files = count(validation.files, "manifest")
    warnings = count(len(validation.warnings), "warning")
    if validation.errors:
        return f"{count(len(validation.errors), 'error')}, {warnings} in {files}."
    orgs = count(validation.orgs, "organization")
    return f"Valid: {files}, {orgs}" + (f", {warnings}." if validation.warnings else ".")
