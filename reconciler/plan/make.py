"""The whole of a plan, from the parts of this room."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec.structs import replace

from reconciler.model.plan import Change, DnsChange, Effect, MessageCounts, Plan, Shard, Step
from reconciler.plan import connection_impact, diff, identity, impact, order
from reconciler.safeguards import allow as allowances
from reconciler.safeguards.safeguard import Case
from reconciler.safeguards.table import SAFEGUARDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.desired import Desired
    from reconciler.model.diagnostic import Diagnostic, Refusal
    from reconciler.model.live import Lock, Resource, Snapshot
    from reconciler.safeguards.worksheet import OrgWorksheet


def make_plan(
    desired: Desired,
    live: Snapshot,
    lock: Lock | None = None,
    allow: Sequence[allowances.Allowance] = (),
    shard: Shard | None = None,
    *,
    consequences: bool = True,
) -> Plan:
    """What would change live into desired, for `desired.day`.

    `lock` is the lock file's content, `allow` the parsed `--allow` options, `shard` what `desired` is a part of. Without
    `consequences` its notes do not say what it would do: it is only compared. Raises UsageError where an allowance does not
    fit the plan.
    """
    changes: list[Change] = []
    steps: list[Step] = []
    effects: list[Effect] = []
    dns: list[DnsChange] = []
    refusals: list[Refusal] = []
    errors: list[Diagnostic] = []
    warnings: list[Diagnostic] = list(desired.warnings)
    notes: list[str] = []
    unmanaged: list[str] = []
    reads: dict[str, str] = {}
    known = identity.known(identity.carried(lock or {}, desired, live))
    worksheets = diff.worksheets(desired, live, known)
    for worksheet in worksheets:
        own_changes, own_steps = order.arrange(worksheet, live.actor, len(steps) + 1)
        case = Case(worksheet, own_steps, desired, live)
        refusals.extend(worksheet.refusals)
        for safeguard in SAFEGUARDS.values():
            if safeguard.check is not None:
                refusals.extend(safeguard.check(case))
        if own_changes:
            effects.extend(impact.effects(worksheet))
            effects.extend(connection_impact.effects(worksheet))
            moved = tuple(impact.dns(worksheet))
            dns.extend(moved)
            worksheet.warnings[:0] = impact.dns_warnings(worksheet, moved)
            reads.update(_reads(worksheet, own_changes))
        changes.extend(own_changes)
        steps.extend(own_steps)
        errors.extend(worksheet.errors)
        warnings.extend(worksheet.warnings)
        if not consequences:
            worksheet.consequences.clear()
        notes.extend([*worksheet.notes, *worksheet.consequences])
        unmanaged.extend(worksheet.unmanaged)
    touched = {change.address for change in changes}
    orgs = {worksheet.address for worksheet in worksheets if worksheet.drafts or worksheet.refusals}
    allowed = allowances.resolve(allow, orgs, touched, refusals)
    standing = tuple(r for r in refusals if not allowances.lifts(allowed, r))
    return Plan(
        changes=tuple(changes),
        steps=tuple(steps),
        impact=tuple(effects),
        dns=tuple(dns),
        refusals=standing,
        lifted=tuple(r for r in refusals if allowances.lifts(allowed, r)),
        allowed=allowed,
        errors=tuple(errors),
        warnings=tuple(warnings),
        notes=tuple(notes),
        unmanaged=tuple(unmanaged),
        orgs=tuple(worksheet.address for worksheet in worksheets),
        day=desired.day,
        files=desired.files,
        paths=desired.paths,
        reads=reads,
        confirm_delete=tuple(
            worksheet.have.handle for worksheet in worksheets if worksheet.deleted and worksheet.have is not None
        ),
        shard=None if shard is None else replace(shard, actor=live.actor.id, messages=_message_counts(worksheets)),
    )


def _message_counts(worksheets: Sequence[OrgWorksheet]) -> dict[str, MessageCounts]:
    counts = {
        s.address: MessageCounts(len(s.errors), len(s.warnings), len(s.notes) + len(s.consequences)) for s in worksheets
    }
    return {address: count for address, count in counts.items() if count != MessageCounts()}


def _reads(worksheet: OrgWorksheet, changes: list[Change]) -> dict[str, str]:
    """What the plan rests on: id and version of every object that it touches, and the org's whole member list."""
    found = {change.address: f"{change.id}@{change.version}" for change in changes if change.id is not None}
    if worksheet.have is not None:
        found.setdefault(worksheet.address, worksheet.have.id)
        if worksheet.have.was_read("member"):
            found[f"{worksheet.address}/members"] = _fingerprint(worksheet.have)
    return found


def _fingerprint(org: Resource) -> str:
    rows = sorted([*org.of("member").values(), *org.inherited_of("member").values()], key=lambda r: (r.id, r.handle))
    text = "\n".join(f"{r.id} {r.handle} {r.attrs.get('role')} {r.attrs.get('status')} {r.version}" for r in rows)
    return hashlib.sha256(text.encode()).hexdigest()
