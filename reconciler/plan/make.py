"""The whole of a plan, from the parts of this room."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec.structs import replace

from reconciler.model.plan import Change, DnsChange, Effect, MessageCounts, Plan, Shard, Step
from reconciler.plan import connection_impact as reach
from reconciler.plan import diff, identity, impact, order
from reconciler.safeguards import allow as allowances
from reconciler.safeguards.safeguard import Case
from reconciler.safeguards.table import SAFEGUARDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.desired import Desired
    from reconciler.model.diagnostic import Diagnostic, Refusal
    from reconciler.model.live import Lock, Resource, Snapshot
    from reconciler.safeguards.worksheet import OrgSheet


def make_plan(
    desired: Desired,
    live: Snapshot,
    lock: Lock | None = None,
    allow: Sequence[allowances.Allowance] = (),
    shard: Shard | None = None,
) -> Plan:
    """What would change live into desired, for `desired.day`.

    `lock` is the lock file's content, `allow` the parsed `--allow` options, `shard` what `desired` is a part of. Raises
    UsageError where an allowance does not fit the plan.
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
    sheets = diff.sheets(desired, live, known)
    for sheet in sheets:
        own_changes, own_steps = order.arrange(sheet, live.actor, len(steps) + 1)
        case = Case(sheet, own_steps, desired, live)
        refusals.extend(sheet.refusals)
        for safeguard in SAFEGUARDS.values():
            if safeguard.check is not None:
                refusals.extend(safeguard.check(case))
        if own_changes:
            effects.extend(impact.effects(sheet))
            effects.extend(reach.effects(sheet))
            moved = tuple(impact.dns(sheet))
            dns.extend(moved)
            sheet.warnings[:0] = impact.dns_warnings(sheet, moved)
            reads.update(_reads(sheet, own_changes))
        changes.extend(own_changes)
        steps.extend(own_steps)
        errors.extend(sheet.errors)
        warnings.extend(sheet.warnings)
        notes.extend(sheet.notes)
        unmanaged.extend(sheet.unmanaged)
    touched = {change.address for change in changes}
    orgs = {sheet.address for sheet in sheets if sheet.drafts or sheet.refusals}
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
        orgs=tuple(sheet.address for sheet in sheets),
        day=desired.day,
        files=desired.files,
        paths=desired.paths,
        reads=reads,
        confirm_delete=tuple(sheet.have.handle for sheet in sheets if sheet.deleted and sheet.have is not None),
        shard=None if shard is None else replace(shard, actor=live.actor.id, messages=_message_counts(sheets)),
    )


def _message_counts(sheets: Sequence[OrgSheet]) -> dict[str, MessageCounts]:
    counts = {s.address: MessageCounts(len(s.errors), len(s.warnings), len(s.notes)) for s in sheets}
    return {address: count for address, count in counts.items() if count != MessageCounts()}


def _reads(sheet: OrgSheet, changes: list[Change]) -> dict[str, str]:
    """What the plan rests on: id and version of every object that it touches, and the org's whole member list."""
    found = {change.address: f"{change.id}@{change.version}" for change in changes if change.id is not None}
    if sheet.have is not None:
        found.setdefault(sheet.address, sheet.have.id)
        if sheet.have.was_read("member"):
            found[f"{sheet.address}/members"] = _fingerprint(sheet.have)
    return found


def _fingerprint(org: Resource) -> str:
    rows = sorted([*org.of("member").values(), *org.inherited_of("member").values()], key=lambda r: (r.id, r.handle))
    text = "\n".join(f"{r.id} {r.handle} {r.attrs.get('role')} {r.attrs.get('status')} {r.version}" for r in rows)
    return hashlib.sha256(text.encode()).hexdigest()
