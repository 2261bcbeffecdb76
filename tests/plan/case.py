"""A planner case is a file: a manifest, what is live, and the plan that is expected of the two. README.md beside the
cases explains the format; nothing in here has to change for a new one.
"""

from __future__ import annotations

import json
import re
import sqlite3
from typing import TYPE_CHECKING, Any

import yaml

from reconciler.manifest import load_texts
from reconciler.model.errors import ManifestError, UsageError
from reconciler.model.live import ADDRESS, LockEntry, address_digest
from reconciler.pipes.client import Client
from reconciler.pipes.reading import snapshot
from reconciler.pipes.settings import Settings
from reconciler.plan import make_plan
from reconciler.safeguards.allow import parse
from reconciler.sandbox.store import Store
from reconciler.sandbox.world import seed
from stopped.sitecustomize import DAY as TODAY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.model.plan import Plan

SECTIONS = ("live", "lock", "options", "plan")
_MARK = re.compile(r"^--- (\w+)\n", re.MULTILINE)


def parts(text: str) -> dict[str, str]:
    """The sections of a case by name, the manifest under `manifest`."""
    manifest, *rest = _MARK.split(text)
    found = dict(zip(rest[::2], rest[1::2], strict=True))
    unknown = set(found) - set(SECTIONS)
    assert not unknown, f"a case has the sections {', '.join(SECTIONS)}, not {unknown}"
    assert len(rest) == 2 * len(found), "a section stands twice"
    return {"manifest": manifest, **found}


class Case:
    """One case, seeded into a sandbox of its own and read by the real client."""

    def __init__(self, text: str, folder: Path) -> None:
        found = parts(text)
        self.manifest = found["manifest"]
        self.options = yaml.safe_load(found.get("options", "")) or {}
        self._path = folder / "pipes.sqlite3"
        with Store(self._path) as store:
            seed(
                store,
                {"actor": "alice", "seed": "case", "now": "2026-11-24T09:00:00Z", **yaml.safe_load(found["live"])},
            )
            self._token = store.default_token()
        self.names = self._names()
        ids = {name: identifier for identifier, name in self.names.items()}
        people = (yaml.safe_load(self.manifest) or {}).get("people") or {}
        self.lock = {
            address: LockEntry(
                ids[known["is"]] if known["is"] != "gone" else f"u_gone_{address.rpartition('.')[2]}",
                known.get("as"),
                {**_address(address, known, people), **{k: str(v) for k, v in known.get("more", {}).items()}},
            )
            for address, known in (yaml.safe_load(found.get("lock", "")) or {}).items()
        }

    def _names(self) -> dict[str, str]:
        """Every id of the sandbox with a name that can be read: `user bob`, `org acme`, `workspace acme/prod`."""
        with sqlite3.connect(self._path) as db:
            named = db.execute(
                "SELECT id, type || ' ' || handle FROM identity UNION ALL"
                " SELECT w.id, 'workspace ' || i.handle || '/' || w.handle FROM workspace w JOIN identity i ON i.id = w.org_id"
                " UNION ALL SELECT c.id, CASE c.folder WHEN 1 THEN 'folder ' ELSE 'connection ' END"
                " || i.handle || '/' || ifnull(w.handle || '/', '') || c.name FROM connection c"
                " JOIN identity i ON i.id = c.org_id LEFT JOIN workspace w ON w.id = c.workspace_id"
            )
            found = dict(named.fetchall())
        db.close()
        return found

    def plan(self) -> Plan:
        """The plan, made as the command makes it. Raises ManifestError, UsageError."""
        desired = load_texts({"orgs.yaml": self.manifest.encode()}, today=self.options.get("day", TODAY))
        allow = [parse(text) for text in self.options.get("allow", ())]
        settings = Settings("http://sandbox.invalid/api/v0", self._token, self._path)
        with Client(settings, read_only=True) as client:
            live = snapshot(client, desired, self.lock)
        return make_plan(desired, live, self.lock, allow)

    def told(self) -> str:
        """What stands below `--- plan`: the plan, or why there is none."""
        try:
            lines = list(described(self.plan()))
        except ManifestError as error:
            lines = [f"manifest error at {d.source}: {d.summary}" for d in error.diagnostics]
        except UsageError as error:
            lines = [f"usage error: {error}"]
        text = "\n".join(lines) + "\n"
        for identifier, name in self.names.items():
            text = text.replace(identifier, f"<id of {name}>")
        return text


def _address(address: str, known: dict[str, Any], people: dict[str, Any]) -> dict[str, str]:
    """The digest that an entry has: of the address that it names, else of the manifest's for that name."""
    name = address.partition("/member.")[2]
    email = known.get("email", (people.get(name) or {}).get("email"))
    return {ADDRESS: address_digest(email)} if email and email != "unknown" else {}


def described(plan: Plan) -> Iterator[str]:
    """A plan in lines that a person can check: nothing of it is left out but ids, versions and ways on."""
    yield from (_change(change) for change in plan.changes)
    if not plan.changes:
        yield "no changes"
    yield from _block("steps", (_step(step) for step in plan.steps))
    yield from _block("impact", map(_effect, plan.impact))
    yield from _block("dns", (f"{d.workspace}: {d.before} -> {d.after or 'gone'}" for d in plan.dns))
    yield from _block("refused", (_refusal(refusal) for refusal in plan.refusals))
    yield from _block("lifted", (_refusal(refusal) for refusal in plan.lifted))
    yield from _block("errors", map(_problem, plan.errors))
    yield from _block("warnings", map(_problem, plan.warnings))
    yield from _block("notes", plan.notes)
    yield from _block("unmanaged", plan.unmanaged)
    yield from _block("confirm-delete", plan.confirm_delete)


def _block(title: str, lines: Any) -> Iterator[str]:
    found = [f"  {line}" for line in lines]
    if found:
        yield from ("", f"{title}:", *found)


def _change(change: Any) -> str:
    moved = change.previous_address and change.previous_address != change.address
    line = f"{change.action} {f'{change.previous_address} -> ' if moved else ''}{change.address}"
    told = ", ".join(_differences(change))
    why = [change.reason, "stated" if change.stated else None, change.via and f"via {change.via}"]
    place = f"line {change.source.line}" if change.source else None
    remarks = ", ".join(part for part in (*why, place) if part)
    details = "".join(f"\n    {detail}" for detail in change.details)
    return f"{line}{f'  {told}' if told else ''}{f'  # {remarks}' if remarks else ''}{details}"


def _differences(change: Any) -> Iterator[str]:
    before, after = change.before or {}, change.after or {}
    if change.action == "create":
        yield from (f"{name}: {_value(value)}" for name, value in after.items())
    elif change.action != "delete":
        for name, value in after.items():
            if before.get(name) != value:
                yield f"{name}: {_value(before.get(name))} -> {_value(value)}"


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)


def _effect(effect: Any) -> str:
    later = ", once accepted" if effect.invited else ""
    return f"{effect.person}: {effect.before or 'none'} -> {effect.after or 'none'} on {effect.object} ({effect.why}){later}"


def _step(step: Any) -> str:
    after = f"after {','.join(map(str, step.needs))}: " if step.needs else ""
    owners = "" if step.accepted_owners is None else f"  # leaves {step.accepted_owners} accepted owners"
    return f"{step.number}. {after}{' + '.join(map(_request, step.requests))}{owners}"


def _request(sent: Any) -> str:
    body = f" {json.dumps(sent.body)}" if sent.body is not None else ""
    guarded = " if unchanged" if sent.if_match is not None else ""
    what = "user_handle" if "/member." in (sent.late or "") else "id"
    late = f" ({what}: as {sent.late} is answered)" if sent.late else ""
    return f"{sent.method} {sent.path}{body}{guarded}{late}"


def _refusal(refusal: Any) -> str:
    return f"{refusal.code} {refusal.address}: {refusal.fact}"


def _problem(found: Any) -> str:
    return f"line {found.source.line}: {found.summary}" if found.source else found.summary
