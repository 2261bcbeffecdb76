"""Drift as a sheet and as JSON: what changed outside, who changed it, and the manifest line that differs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from reconciler.kinds import KINDS, attachment, folder_permission, permission, secret
from reconciler.model import address as addresses
from reconciler.report import access, expiring, merged, policies
from reconciler.report.sheet import FOLDED, KEPT, Brief, Item, Name, Section, Sheet
from reconciler.report.wording import count, sentence, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from reconciler.model.diagnostic import Refusal, Source
    from reconciler.model.drift import Difference, Doer, Drift, Unmanaged
    from reconciler.report.sheet import Words

SYMBOLS = {"added": "+", "removed": "-", "changed": "~", "renamed": ">", "replaced": "!"}
TO_DO = {"added": "will be deleted", "removed": "will be created", "renamed": "will be renamed from"}


def to_sheet(drift: Drift) -> Sheet:
    sections = []
    if drift.refusals or drift.forbidden:
        found = [_forbidden(address) for address in drift.forbidden] + [
            item for group in merged.refusals(drift.refusals) for item in _refusals(group)
        ]
        sections.append(Section("Could not be compared", tuple(found), weight=KEPT, tone="alarm"))
    if drift.outside:
        title = "Changed outside" if drift.applied is not None else "Pipes differs from the manifests"
        often = _often_unknown(drift.outside)
        unknown = "; ".join(f"changed by: {why}, for {count(number, 'difference')}" for why, number in often.items())
        items = tuple(_difference(d, said=d.by is None and d.why_unknown in often) for d in drift.outside)
        sections.append(
            Section(title, items, weight=KEPT, tone="alarm", about=(unknown,) if unknown else (), by_org=True)
        )
    sections += policies.outside_sections(drift.violations)
    if drift.not_applied:
        about = ("Written in the manifests since ", Name(drift.applied or ""), ", but not yet in Pipes.")
        sections.append(
            Section("Not applied yet", tuple(_to_do(d) for d in drift.not_applied), about=about, by_org=True)
        )
    sections += expiring.sections(drift.expiring, drift.day)
    sections += access.tokens(drift.tokens)
    if drift.unmanaged:
        found_in_pipes = tuple(_unmanaged(u) for u in drift.unmanaged)
        sections.append(Section("Objects that no manifest covers", found_in_pipes, weight=FOLDED))
    return Sheet(
        name="drift",
        title="Drift",
        summary=_summary(drift),
        sections=tuple(sections),
        facts=(f"Compared {count(len(drift.orgs), 'organization')} with the manifests, for {drift.day.isoformat()}",),
        notes=tuple((note,) for note in drift.notes),
        bad=bool(drift.outside or drift.refusals or drift.forbidden),
        outputs={
            "drift": str(len(drift.outside)),
            "not_applied": str(len(drift.not_applied)),
            "not_compared": str(len(drift.refusals) + len(drift.forbidden)),
            "expiring": str(len(drift.expiring)),
            "unmanaged": str(len(drift.unmanaged or ())),
            "violations": str(len(drift.violations)),
        },
        tiles=_tiles(drift),
    )


def _tiles(drift: Drift) -> tuple[tuple[str, str, bool], ...]:
    owners = [(d.wanted, d.live) for d in drift.outside if d.kind == "member" and "owner" in (d.wanted, d.live)]
    found = (
        (len(drift.outside), "changed outside" if drift.applied is not None else "differences", True),
        (sum(1 for _, live in owners if live == "owner"), "extra owners", True),
        (sum(1 for wanted, _ in owners if wanted == "owner"), "owners lost", True),
        (len(drift.not_applied), "not applied yet", False),
        (len(drift.refusals) + len(drift.forbidden), "not compared", True),
    )
    return tuple((str(number), what, bad) for number, what, bad in found)


def _summary(drift: Drift) -> tuple[str, ...]:
    lines = []
    later = f"{count(len(drift.not_applied), 'difference')} not applied yet"
    if drift.outside:
        found = f"Drift: {count(len(drift.outside), 'difference')}"
        lines.append(found + (f" from outside, {later}." if drift.applied is not None else "."))
    elif not (drift.refusals or drift.forbidden):
        lines.append(
            f"Nothing changed outside; {later}." if drift.not_applied else "In sync. Pipes matches the manifests."
        )
    missing = [*drift.forbidden, *(refusal.address for refusal in drift.refusals)]
    if missing:
        lines.append(f"Not compared: {', '.join(dict.fromkeys(missing))}. The other results are complete.")
    return tuple(lines)


# --- differences ------------------------------------------------------------------------------------------------------


def _often_unknown(differences: Sequence[Difference]) -> dict[str, int]:
    """The reasons why it is unknown who made a difference that more than three of them share: the report gives those once."""
    reasons = Counter(d.why_unknown for d in differences if d.by is None and d.why_unknown)
    return {why: number for why, number in reasons.items() if number > 3}


def _difference(found: Difference, *, said: bool) -> Item:
    """One difference; `said` is whether the section already says who changed it."""
    place, name = _place(found.address)
    below = [_by(found)] if _by(found) and not said else []
    if found.note:
        below.append((sentence(found.note),))
    return Item(
        _describe(found, place),
        SYMBOLS[found.what],
        why=("via ", Name(found.via)) if found.via else (),
        source=found.source,
        below=tuple(below),
        level="warning",
        fails=True,
        brief=Brief(place, name, _roles(found)),
    )


def _roles(found: Difference) -> tuple[str, ...]:
    """The role that a person should have and the one they have, or the attribute that differs."""
    if found.attribute is not None and found.kind not in ("member", "grant"):
        return (found.attribute,)
    return tuple(str(role) for role in (found.wanted, found.live) if role) if found.kind in ("member", "grant") else ()


def _describe(found: Difference, place: str) -> Words:
    if found.kind in ("member", "grant"):
        return _of_a_person(found, place)
    if (
        found.kind in (permission.KIND.name, folder_permission.KIND.name)
        and _names(found.address)[-1] == permission.EVERYWHERE
    ):
        return _everywhere(found, place)
    if KINDS[found.kind].lists_handles_of is not None and found.what in ("removed", "added"):
        return _listed(found, place)
    what = "the organization" if found.kind == "org" else f"the {found.kind.replace('_', ' ')}"
    name = Name(_object(found.address))
    if found.what == "removed":
        more = f", with the {count(found.below, 'entry', 'entries')} below it" if found.below else ""
        return (f"{what} ", name, f" is missing in Pipes{more}")
    if found.what == "added":
        absent = ("the manifests say ", Name("absent: true")) if found.reason == "absent" else ("no manifest lists it",)
        return (f"{what} ", name, " exists, but ", *absent)
    if found.what == "renamed" and found.reason is not None:
        return (f"{what} ", name, " is still called ", Name(str(found.live)), ": the rename is not applied yet")
    if found.what == "renamed":
        return (f"{what} ", name, " was renamed to ", Name(str(found.live)))
    if found.what == "replaced":
        ids = [Name(secret.without_tokens(str(one))) for one in (found.live, found.wanted)]
        return (f"{what} ", name, " was replaced: its id is ", ids[0], ", not ", ids[1])
    return (
        Name(found.attribute or ""),
        " of ",
        name,
        " is ",
        *_value(found.live),
        " instead of ",
        *_value(found.wanted),
    )


def _everywhere(found: Difference, place: str) -> Words:
    """A connection or folder that every workspace may use, or that not every one may use."""
    what = "the connection" if found.kind == permission.KIND.name else "whatever is in the folder"
    org, _, _ = place.partition("/")
    if found.what == "removed":
        said = ("the manifests say ", Name("everywhere: true"))
        return ("not every workspace of ", Name(org), f" may use {what} ", Name(place), ", but ", *said)
    said = ("the manifests say ", Name("everywhere: false"))
    return ("every workspace of ", Name(org), f" may use {what} ", Name(place), ", but ", *said)


def _listed(found: Difference, place: str) -> Words:
    """A workspace that may use a connection or a folder, or that a connection is attached to, other than is written."""
    *_, (above, _), (kind, name) = addresses.split(found.address)
    held, org = (f"the {above.replace('_', ' ')} ", Name(place)), place.partition("/")[0]
    removed, space = found.what == "removed", Name(f"{org}/{name}")
    said = "the manifests list it" if removed else "no manifest lists it"
    if kind == attachment.KIND.name:
        return (*held, " is not attached to " if removed else " is attached to ", space, f", but {said}")
    return ("the workspace ", space, " may not use " if removed else " may use ", *held, f", but {said}")


def _of_a_person(found: Difference, place: str) -> Words:
    who, where = _person(found), Name(place)
    grant = found.kind == "grant"
    role = Name(str(found.live if found.live is not None else found.wanted))
    on = " on " if grant else " of "
    if found.what == "added":
        if found.reason == "absent":
            return (*who, " is ", role, on, where, ", but the manifests say ", Name("absent: true"))
        if found.reason == "expired":
            return (*who, " is still ", role, on, where, ", but the entry has ended")
        if grant:
            return (*who, " was given ", role, " on ", where)
        return (*who, " was invited to " if found.status == "invited" else " was added to ", where, " as ", role)
    if found.what == "removed":
        if grant:
            return (*who, " does not have ", role, " on ", where)
        left = found.by is not None and found.by.certain and found.by.actor == found.handle
        return (*who, " left " if left else " is not in ", where, "; the manifests say ", role)
    if found.what == "renamed":
        return (*who, " changed the handle ", Name(str(found.wanted)), " to ", Name(str(found.live)))
    if found.what == "replaced":
        return ("the handle of ", *who, " now belongs to another user: ", Name(str(found.live)))
    over = ", because the entry has ended" if found.reason == "expired" else ""
    return (*who, " is ", role, on, where, " instead of ", Name(str(found.wanted)), over)


def _person(found: Difference) -> Words:
    name = _names(found.address)[-1]
    if found.what == "renamed" or found.handle in ("", name):
        return (Name(name),)
    return (Name(name), " (", Name(found.handle), ")")


def _value(value: Any) -> Words:
    return ("not set",) if value is None or value in ("", []) else (Name(show(value)),)


def _place(address: str) -> tuple[str, str]:
    """The place and the name at an address: (`acme/prod`, `bob`)."""
    names = _names(address)
    return "/".join(names[:-1]) or names[-1], names[-1]


def _names(address: str) -> list[str]:
    """The handles in an address, in order."""
    return [part.partition(".")[2] for part in addresses.parts_of(address)]


def _object(address: str) -> str:
    return "/".join(_names(address))


def _by(found: Difference) -> Words:
    doer = found.by
    if doer is None:
        return (f"changed by: {found.why_unknown}",) if found.why_unknown else ()
    words: list[str] = ["changed by: " if doer.certain else "probably changed by: ", Name(doer.actor)]
    if doer.ip:
        words += [" from ", Name(doer.ip)]
    if doer.at is not None:
        words.append(f" at {moment(doer.at)}")
    if doer.action:
        words += [" (", Name(doer.action), ")"]
    if found.follows is not None:
        words += [", together with ", Name(found.follows)]
    return tuple(words)


def moment(at: datetime) -> str:
    """`2026-11-24T09:00:00Z`."""
    from datetime import UTC

    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _to_do(found: Difference) -> Item:
    place, name = _place(found.address)
    if found.what == "changed":
        words: Words = (
            Name(found.attribute or ""), " of ", Name(found.address), " will change from ", *_value(found.live), " to ",
            *_value(found.wanted),
        )  # fmt: skip
    else:
        words = (Name(found.address), f" {TO_DO.get(found.what, 'is a different object')}")
        if found.what == "renamed":
            words = (*words, " ", Name(str(found.live)))
    return Item(
        words,
        {"added": "-", "removed": "+"}.get(found.what, SYMBOLS[found.what]),
        why=("via ", Name(found.via)) if found.via else (),
        source=found.source,
        brief=Brief(place, name, _roles(found)),
    )


# --- the rest ---------------------------------------------------------------------------------------------------------


def _refusals(group: Sequence[Refusal]) -> Iterator[Item]:
    for refusal in group:
        yield Item(
            (Name(refusal.address), f": {refusal.fact}"),
            "!",
            why=(Name(refusal.code),),
            source=refusal.source,
            below=((f"To fix: {sentence(refusal.fix)}",),) if refusal is group[-1] else (),
            level="error",
            fails=True,
            brief=Brief(refusal.code, refusal.address),
        )


def _forbidden(address: str) -> Item:
    return Item(
        (Name(address), ": this token cannot read the organization"),
        "!",
        below=(("To fix: ask an owner of the organization to add this token's user.",),),
        level="error",
        fails=True,
        brief=Brief("not readable", address),
    )


def _unmanaged(found: Unmanaged) -> Item:
    said = [str(found.attrs[key]) for key in ("role", "why") if found.attrs.get(key)]
    return Item((Name(found.address),), why=(Name(", ".join(said)),) if said else ())


# --- JSON -------------------------------------------------------------------------------------------------------------


def document(drift: Drift) -> dict[str, Any]:
    """The JSON that docs/drift.md describes. Keys are only ever added to it."""
    return {
        "format_version": "1.0",
        "kind": "drift",
        "day": drift.day.isoformat(),
        "applied": drift.applied,
        "in_sync": not (drift.differences or drift.refusals or drift.forbidden),
        "drifted": bool(drift.outside),
        "orgs": list(drift.orgs),
        "differences": [_found(d) for d in drift.differences],
        "not_compared": [
            {
                "code": r.code,
                "address": r.address,
                "fact": r.fact,
                "fix": r.fix,
                "source": _source(r.source),
            }
            for r in drift.refusals
        ],
        "forbidden": list(drift.forbidden),
        "expiring": expiring.document(drift.expiring),
        "unmanaged": None
        if drift.unmanaged is None
        else [{"type": u.kind, "address": u.address, **u.attrs} for u in drift.unmanaged],
        "tokens": access.tokens_document(drift.tokens),
        "violations": [{**policies.violation(one.violation), "by": list(one.by)} for one in drift.violations],
        "notes": list(drift.notes),
    }


def _found(d: Difference) -> dict[str, Any]:
    return {
        "address": d.address,
        "type": d.kind,
        "name": _names(d.address)[-1],
        "what": d.what,
        "attribute": d.attribute,
        "wanted": d.wanted,
        "live": d.live,
        "standing": d.standing,
        "reason": d.reason,
        "via": d.via,
        "id": d.id,
        "handle": d.handle,
        "status": d.status,
        "source": _source(d.source),
        "by": _doer(d.by),
        "why_unknown": d.why_unknown if d.by is None else "",
        "follows": d.follows,
        "below": d.below,
        "note": d.note,
    }


def _doer(doer: Doer | None) -> dict[str, Any] | None:
    if doer is None:
        return None
    return {
        "actor": doer.actor,
        "at": None if doer.at is None else moment(doer.at),
        "ip": doer.ip,
        "action": doer.action,
        "entry": doer.entry,
        "certain": doer.certain,
    }


def _source(source: Source | None) -> dict[str, Any] | None:
    return None if source is None else {"file": source.file, "line": source.line, "column": source.column}
