"""The sentences and the reading order that all formats of a report share.

Every function returns plain text and escapes nothing: names, reasons and the server's words are as they came. Each
format passes the text through its own escape function.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import msgspec

from reconciler.kinds import KINDS, logo, secret
from reconciler.model import address as addresses
from reconciler.model.expiring import until
from reconciler.model.late_pattern import late_pattern
from reconciler.model.request import LATE_ID
from reconciler.plan.risk import of_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reconciler.model.diagnostic import Refusal, Source
    from reconciler.model.plan import Change, DnsChange, Effect, Plan, Step
    from reconciler.model.request import Request
    from reconciler.model.result import Outcome, Result
    from reconciler.report import Validation

    Write = Callable[[str], str]

# marks the object of an effect as a connection rather than a workspace
CONNECTION = "/connection."
SYMBOLS = {"create": "+", "update": "~", "rename": ">", "delete": "-"}
REASONS = {
    "unlisted": "no longer listed",
    "absent": "absent: true",
    "expired": "expired",
    "everywhere": "everywhere: false",
    "renamed": "renamed_from",
    "readdressed": "new address: the invitation is cancelled and sent again",
    "parent-deleted": "deleted with its parent",
}
# A string that is safe to show without quotes: YAML reads it as a string, and it cannot be mistaken for our own words.
BARE = late_pattern(r"[0-9]*+[A-Za-z_./@+-][A-Za-z0-9_./@+:-]*+\Z")
NOT_STRINGS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "~", "nan", "inf"})


class Attribute(msgspec.Struct, frozen=True):
    """One attribute of a change. `before` or `after` is None when that side has no value to show."""

    name: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.name}: {self.after}"
        if self.after is None:
            return f"{self.name}: {self.before}"
        return f"{self.name}: {self.before} -> {self.after}"


class Group(msgspec.Struct, frozen=True):
    """Changes of one org that belong together: the org itself (no title), its members, or one workspace and its grants."""

    title: str | None
    changes: tuple[Change, ...]


class OrgChanges(msgspec.Struct, frozen=True):
    """All changes of one org, in reading order."""

    address: str
    groups: tuple[Group, ...]

    @property
    def changes(self) -> list[Change]:
        """The changes of all groups, in order."""
        return [change for group in self.groups for change in group.changes]


class Impact(msgspec.Struct, frozen=True):
    """Who gains and who loses access. Owners of orgs are separate because every report shows them first."""

    owners: tuple[Effect, ...]
    others: tuple[Effect, ...]


def by_org(changes: Iterable[Change]) -> tuple[OrgChanges, ...]:
    """The changes grouped by org, then by what they belong to; each group is sorted by action, then address."""
    orgs: dict[str, dict[tuple[int, str], list[Change]]] = {}
    for change in changes:
        org, first, *_ = (*addresses.parts_of(change.address), "")
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
    # A workspace comes before its grants; a rename comes before other changes of the same object.
    return (
        addresses.depth(change.address),
        ("rename", "create", "update", "delete").index(change.action),
        change.address,
    )


def attributes(change: Change) -> tuple[Attribute, ...]:
    """The attributes that a create sets, a delete removes, or an update or rename changes; sorted by name.

    An update leaves an attribute alone when its `after` does not have it, so that attribute is not shown. A cleared
    attribute is in `after` as None or empty.
    """
    before, after = dict(change.before or {}), dict(change.after or {})
    if before.get("status") == "accepted":
        del before["status"]  # the usual case; only a pending invitation is worth showing
        after.pop("status", None)
    if change.action != "update":  # the address of the others already contains the handle
        before.pop("handle", None)
        after.pop("handle", None)
    if change.action == "create":
        return tuple(Attribute(name, None, show(after[name])) for name in sorted(after) if not _empty(after[name]))
    if change.action == "delete":
        return tuple(Attribute(name, show(before[name]), None) for name in sorted(before) if not _empty(before[name]))
    return tuple(
        Attribute(name, *_both_shown(before.get(name), after[name]))
        for name in sorted(after)
        if before.get(name) != after[name] and not (_empty(before.get(name)) and _empty(after[name]))
    )


def _both_shown(before: Any, after: Any) -> tuple[str, str]:
    """Two values of an update; texts that look the same are written with escapes, so that one sees what differs."""
    if isinstance(before, str) and isinstance(after, str) and _as_it_appears(before) == _as_it_appears(after):
        return json.dumps(before), json.dumps(after)
    return "(not set)" if _empty(before) else show(before), "(cleared)" if _empty(after) else show(after)


def _as_it_appears(text: str) -> str:
    return " ".join(normalize("NFKC", text).split())


def show(value: Any) -> str:
    """A value as a manifest would write it: without quotes when that is safe, else quoted."""
    if isinstance(value, str):
        if secret.is_token_text(value) and not value.startswith(secret.SENSITIVE):
            return secret.SENSITIVE
        if BARE.match(value) and value.lower() not in NOT_STRINGS:
            return value
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(show(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _empty(value: Any) -> bool:
    return value is None or value in ("", [], ())


def why(change: Change) -> str:
    """Why a change is made: the reason, the manifest line and the team, as in `absent: true, orgs.yaml:34`."""
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
    """The address. For a rename, the old address too."""
    if change.previous_address and change.previous_address != change.address:
        return f"{change.previous_address} -> {change.address}"
    return change.address


def request(sent: Request) -> str:
    """`PATCH /org/acme {"handle": "acme2"} (if version 7)`."""
    parts = [sent.method, sent.path]
    body = None if sent.body is None else {key: value for key, value in sent.body.items() if key != logo.REPLACES}
    if body or sent.body == {}:
        parts.append(json.dumps(body, ensure_ascii=False, sort_keys=True, default=str))
    if sent.if_match is not None:
        parts.append(f"(if version {sent.if_match})")
    if sent.late is not None:
        by_id = LATE_ID in sent.path or LATE_ID in (sent.body or {}).values()
        parts.append(
            f"({{id}}: from the response that creates {sent.late})"
            if by_id
            else f"({{user_handle}}: from the response that invites {sent.late})"
        )
    return " ".join(parts)


def impact(effects: Sequence[Effect]) -> Impact:
    owners = tuple(effect for effect in effects if is_ownership(effect))
    return Impact(owners, tuple(effect for effect in effects if not is_ownership(effect)))


def is_ownership(effect: Effect) -> bool:
    """Whether the effect makes an org gain or lose an owner."""
    return "/" not in effect.object and (effect.before == "owner") != (effect.after == "owner")


def plan_tiles(plan: Plan) -> list[tuple[int, str, bool]]:
    """The numbers of a plan that matter most: how many, of what, and whether it is bad news."""
    owners = [direction(effect) for effect in plan.impact if is_ownership(effect)]
    found = [(number, f"to {action}", False) for action, number in plan.counts.items()]
    found += [(owners.count("gain"), "owners gained", False), (owners.count("lose"), "owners lost", True)]
    return [*found, (len(plan.refusals), "refusals", True)]


def direction(effect: Effect) -> str:
    """`gain`, `lose`, or `change` when the person keeps some access. A change of ownership is always gain or lose."""
    if is_ownership(effect):
        return "gain" if effect.after == "owner" else "lose"
    if effect.before is None:
        return "gain"
    return "lose" if effect.after is None else "change"


def effect(effect: Effect, objects: Sequence[str] = (), *, name: Write = str, text: Write = str) -> str:
    """`carol gains reader on acme/prod (direct)`. `name` and `text` escape names and prose from outside.

    `objects` are all that it is about where there are several, all of them orgs, workspaces or connections.
    """
    objects = objects or (effect.object,)
    later = f", {until(effect.expires, effect.then)}" if effect.expires else ""
    later += "; once the invitation is accepted" if effect.invited else ""
    if CONNECTION in effect.object:
        what = "gains" if effect.before is None else "loses"
        which = ", ".join(name(one.replace(CONNECTION, "/", 1)) for one in objects)
        many = "connections" if len(objects) > 1 else "connection"
        return f"{name(effect.person)} {what} the {many} {which} ({text(effect.why)}{later})"
    if effect.before is None:
        what = f"gains {name(effect.after or 'nothing')}"
    elif effect.after is None:
        what = f"loses {name(effect.before)}"
    else:
        what = f"changes from {name(effect.before)} to {name(effect.after)}"
    on = "on" if "/" in effect.object else "of"
    return f"{name(effect.person)} {what} {on} {', '.join(map(name, objects))} ({text(effect.why)}{later})"


def brief(effect: Effect, objects: Sequence[str] = ()) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Places and roles, for when only names fit: of two roles, the one before comes first."""
    places = tuple(one.replace(CONNECTION, "/", 1) for one in objects or (effect.object,))
    if CONNECTION in effect.object:
        return places, ("connection",)
    return places, tuple(role for role in (effect.before, effect.after) if role is not None)


def dns(change: DnsChange) -> str:
    if change.after is None:
        return f"{change.workspace}: {change.before} is removed"
    return f"{change.workspace}: {change.before} -> {change.after}"


def losses_not_in_impact(plan: Plan) -> tuple[Change, ...]:
    """Deletions that no line of the impact shows: orgs, workspaces, and the remaining members and grants."""
    shown = {(effect.person, effect.object) for effect in plan.impact if effect.after is None}
    return tuple(
        change
        for section in by_org(change for change in plan.changes if change.action == "delete")
        for group in section.groups
        for change in group.changes
        if _person_and_object(change.address) not in shown
    )


def _person_and_object(address: str) -> tuple[str, str] | None:
    *places, last = addresses.parts_of(address)
    kind, _, person = last.partition(".")
    if kind not in ("member", "grant"):
        return None
    return person, "/".join(place.partition(".")[2] for place in places)


def allow_option(refusal: Refusal) -> str | None:
    """The option that allows what was refused; None when there is none or when the fix already names it."""
    if refusal.liftable and "--allow" not in refusal.fix:
        return f"--allow {refusal.code}={refusal.address}"
    return None


def confirmation(handle: str) -> str:
    """How `apply` will want the deletion of an org confirmed."""
    return (
        f"Deletes the organization {handle}. To confirm, type its handle when apply asks for it, or pass"
        f" --confirm-delete {handle} if there is no terminal."
    )


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 change`, `2 changes`."""
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"


def sentence(text: str) -> str:
    """`text`, with a full stop at its end."""
    return text if text.rstrip().endswith((".", "?", "!")) else f"{text}."


def tally(changes: Sequence[Change]) -> str:
    """`2 to create, 1 to delete`; actions with no changes are left out."""
    found = dict.fromkeys(SYMBOLS, 0)
    for change in changes:
        found[change.action] += 1
    return ", ".join(f"{number} to {action}" for action, number in found.items() if number)


def summary(plan: Plan) -> tuple[str, ...]:
    """The last lines of a plan's report: what it would do, what prevents it, and which shard it is."""
    lines = []
    if plan.view:
        lines.append(plan.view)
    elif plan.changes:
        counts = "Plan: " + ", ".join(f"{number} to {action}" for action, number in plan.counts.items()) + "."
        lines.append(with_risk(counts, of_plan(plan)))
    elif not (plan.refusals or plan.errors):
        lines.append("No changes. Pipes matches the manifests.")
    if plan.errors:
        lines.append(f"Failed: {count(len(plan.errors), 'error')}. Nothing can be applied.")
    if plan.refusals:
        lines.append(_refused(plan))
    if plan.shard is not None:
        lines.append(
            f"Shard {plan.shard.number} of {plan.shard.of}: {count(len(plan.orgs), 'organization')}. "
            "The other shards have the rest."
        )
    return tuple(lines)


def _refused(plan: Plan) -> str:
    """`Refused by owner-floor and mass-removal in 2 of 3 organizations.`, and what can be applied all the same."""
    codes = list(dict.fromkeys(refusal.code for refusal in plan.refusals))
    shown = codes[0] if len(codes) == 1 else f"{', '.join(codes[:-1])} and {codes[-1]}"
    refused = {refusal.address.partition("/")[0] for refusal in plan.refusals}
    others = set(plan.orgs) - refused
    where = "" if len(plan.orgs) < 2 else f" in {len(refused)} of {count(len(refused | others), 'organization')}"
    if others and not plan.errors:
        return f"Refused by {shown}{where}. apply changes nothing, or with --keep-going only the others."
    return f"Refused by {shown}{where}. Nothing can be applied."


def outcome(outcome: Outcome) -> str:
    """The detail of a step's outcome: the message from Pipes, the HTTP status and the request id."""
    parts = [outcome.detail] if outcome.detail else []
    known = []
    if outcome.status_code is not None:
        known.append(f"HTTP {outcome.status_code}")
    if outcome.request_id:
        known.append(f"request {outcome.request_id}")
    if outcome.status == "failed" and outcome.wrote:
        known.append("may be partly changed")
    if known:
        parts.append(f"({', '.join(known)})")
    return " ".join(parts)


def outcome_names(result: Result) -> list[str]:
    """The address of each outcome; with its attributes when several steps change the same object."""
    times = Counter(outcome.address for outcome in result.outcomes)
    steps = {step.number: step for step in result.plan.steps}
    kinds = {change.address: change.kind for change in result.plan.changes}
    names = []
    for found in result.outcomes:
        step = steps.get(found.number)
        several = (
            step is not None and times[found.address] > 1 and (attributes := _attributes(step, kinds.get(step.address)))
        )
        names.append(f"{found.address} ({', '.join(attributes)})" if several else found.address)
    return names


def _attributes(step: Step, kind: str | None) -> list[str]:
    """What a step sets, as manifests call it."""
    known = KINDS[kind].attributes if kind in KINDS else ()
    named = {a.api_field or a.name: a.name for a in known} | {"handle": "handle"}
    found = []
    for request in step.requests:
        sent = [logo.MARK] if logo.is_about(request.path) else request.body or ()
        found += [named[name] for name in sent if name in named]
    return found


def result_summary(result: Result) -> str:
    """`Applied: 5 steps done, 0 failed, 0 skipped.`, or `Applied in part: …`, or `Not applied: …`."""
    counts = result.counts
    parts = [f"{count(counts['done'], 'step')} done"]
    if counts["already"]:
        parts.append(f"{counts['already']} already in place")
    if counts["unconfirmed"]:
        parts.append(f"{counts['unconfirmed']} not confirmed")
    parts += [f"{counts['failed']} failed", f"{counts['skipped']} skipped"]
    whole = not (
        counts["unconfirmed"] or counts["failed"] or counts["skipped"] or result.interrupted or result.remaining
    )
    wrote = any(outcome.wrote or outcome.status == "done" for outcome in result.outcomes)
    word = "Applied" if whole else "Applied in part" if wrote else "Not applied"
    return f"{'Interrupted. ' if result.interrupted else ''}{word}: {', '.join(parts)}."


def with_risk(line: str, risk: str) -> str:
    """The first line of a summary with the risk behind it, where there is one."""
    return line if risk == "none" else f"{line} Risk: {risk}."


def validation_summary(validation: Validation) -> str:
    """`Valid: 3 manifests, 2 organizations.`, or the number of errors and warnings."""
    files = count(validation.files, "manifest")
    warnings = count(len(validation.warnings), "warning")
    if validation.errors:
        return f"{count(len(validation.errors), 'error')}, {warnings} in {files}."
    orgs = count(validation.orgs, "organization")
    return f"Valid: {files}, {orgs}" + (f", {warnings}." if validation.warnings else ".")
