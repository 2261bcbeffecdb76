"""The report of `reconciler lock`, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.kinds import member
from reconciler.model import address as addresses
from reconciler.report.text import escape
from reconciler.report.wording import count, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.lockfile.update import Refreshed, Undecided
    from reconciler.model.desired import Desired
    from reconciler.model.diagnostic import Diagnostic, Refusal
    from reconciler.model.live import Lock, LockEntry, Snapshot

FORMATS = ("text", "json")
UP_TO_DATE = "up to date"  # `what`, where nothing in the lock file changes


def text(path: str, found: Refreshed, lost: Sequence[Diagnostic], notes: Sequence[str], what: str) -> str:
    """What was done with the file (`what`), each entry that changed, and each that stays in doubt."""
    return "".join(f"{line}\n" for line in _lines(path, found, lost, notes, what))


def _lines(path: str, found: Refreshed, lost: Sequence[Diagnostic], notes: Sequence[str], what: str) -> Iterator[str]:
    stays = len(found.lock) - len(found.added) - len(found.changed)
    counts = [
        f"{count(len(found.added), 'entry', 'entries')} added",
        f"{len(found.changed)} changed",
        f"{len(found.removed)} removed",
        f"{stays} unchanged",
    ]
    if what == UP_TO_DATE:
        yield f"Lock file is up to date ({count(len(found.lock), 'entry', 'entries')})."
    else:
        yield f"{escape(path)} {what}: {', '.join(counts)}."
    for address in found.added:
        yield f"  + {escape(address)}  {escape(_said(found.lock[address]))}"
    for address in found.changed:
        yield f"  ~ {escape(address)}  {escape(_said(found.before[address]))} -> {escape(_said(found.lock[address]))}"
    for entry in found.removed:
        yield f"  - {escape(entry.address)}  {escape(entry.id)}: {entry.why}"
    if found.doubts:
        yield "In doubt, so not changed:"
        for doubt in found.doubts:
            yield f"  {escape(doubt.address)}: {escape(doubt.fact)}"
            yield f"    To fix: {escape(sentence(doubt.fix))}"
    for line in lost:
        yield f"Lost: {escape(str(line.source))}: {escape(line.summary)}"
    for note in notes:
        yield f"Note: {escape(note)}"


def people(lock: Lock, desired: Desired, live: Snapshot) -> str:
    """Who each name is by the lock file, one line for each person: name, address or handle, organization, account."""
    handles = {row.id: row.handle for org in live.orgs.values() for row in org.of(member.KIND.name).values()}
    lines = []
    for address, entry in sorted(lock.items()):
        parts = addresses.split(address)
        if len(parts) != 2 or parts[1][0] != member.KIND.name:
            continue
        person = desired.person(parts[1][1])
        known_by = f"{person.email}" if person.handle is None else f"handle {person.handle}"
        account = handles.get(entry.id)
        shown = f"is the account {account}" if account else f"is not in {parts[0][1]} now"
        lines.append(f"{person.name} ({known_by}) in {parts[0][1]} {shown} ({entry.id})")
    return "".join(f"  {escape(line)}\n" for line in lines) or "  no people\n"


def _said(entry: LockEntry) -> str:
    return entry.id if entry.handle is None else f"{entry.id} ({entry.handle})"


def document(
    path: str, found: Refreshed, lost: Sequence[Diagnostic], notes: Sequence[str], *, in_sync: bool, written: bool
) -> dict[str, Any]:
    """The same as JSON: entries by address, each with its id, and its handle if it has one."""
    return {
        "format_version": "1.0",
        "file": path,
        "in_sync": in_sync,
        "written": written,
        "added": [_row(address, found.lock[address]) for address in found.added],
        "changed": [
            {**_row(address, found.lock[address]), "before": _row(address, found.before[address])}
            for address in found.changed
        ],
        "removed": [{"address": e.address, "id": e.id, "why": e.why} for e in found.removed],
        "doubts": [_doubt(doubt) for doubt in found.doubts],
        "lost": [{"place": str(line.source), "what": line.summary} for line in lost],
        "notes": list(notes),
    }


def _row(address: str, entry: LockEntry) -> dict[str, str]:
    return {"address": address, "id": entry.id, **({"handle": entry.handle} if entry.handle is not None else {})}


def _doubt(doubt: Refusal) -> dict[str, str]:
    return {"code": doubt.code, "address": doubt.address, "fact": doubt.fact, "fix": doubt.fix}


def undecided(found: Sequence[Undecided]) -> str:
    """Why nothing is written: each address that has several ids in the file, and how to fix it."""
    lines = [f"{escape(one.address)}: {escape(one.fact)}" for one in found]
    return "\n".join([*lines, f"To fix: {sentence(found[0].fix)}"])
