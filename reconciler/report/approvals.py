"""Whose consent a pull request needs, as a sheet and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.report import wording
from reconciler.report.json_document import _source
from reconciler.report.sheet import KEPT, SHOWN, Brief, Item, Name, Section, Sheet, Words, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.approvals import Consents, Need, Voice

FORMAT_VERSION = "1.0"


def to_sheet(found: Consents) -> Sheet:
    """The report for people."""
    facts: Words = ("The approvals in ", Name(found.base), " judge ", Name(found.head), " by ", Name(found.author))
    missing = found.missing
    return Sheet(
        "approvals",
        "Approvals",
        summary(found),
        tuple(_sections(found)),
        facts,
        bad=bool(missing),
        outputs={"missing": str(len(missing)), "needs": str(len(found.needs)), "risk": found.risk},
        tiles=(
            (str(len(missing)), "without consent", True),
            (str(len(found.needs) - len(missing)), "with consent", False),
        )
        if found.needs
        else (),
    )


def summary(found: Consents) -> tuple[str, ...]:
    """Whether the approvals are enough, and who else has to agree."""
    if not found.applies:
        return (f"{found.base} has no `approvals:`, so nobody has to agree.",)
    if not found.needs:
        return ("Nothing here needs an approval.",)
    if not found.missing:
        return (f"Enough: {wording.count(len(found.needs), 'consent')} given.",)
    asked: dict[tuple[str, int], None] = {}
    for need in found.missing:
        asked[_people(need), need.missing] = None
    return ("Missing: " + "; ".join(f"{number} of {people}" for people, number in asked) + ".",)


def wanted(need: Need) -> str:
    """Whose consent one change needs: `2 of team/security for role/owner`."""
    return f"{need.approval.count} of {_people(need)} for {need.approval.key}"


def _people(need: Need) -> str:
    names = " or ".join(need.approval.of)
    return f"{names} of {need.place.partition('/')[0]}" if need.approval.of == ("owners",) else names


def _sections(found: Consents) -> Iterator[Section]:
    by_key: dict[str, list[Need]] = {}
    for need in found.needs:
        by_key.setdefault(need.approval.key, []).append(need)
    for key, needs in sorted(by_key.items(), key=lambda item: not any(need.missing for need in item[1])):
        approval = needs[0].approval
        wanted = f"{approval.count} of {' or '.join(approval.of)}"
        missing = any(need.missing for need in needs)
        items = tuple(map(_item, sorted(needs, key=lambda need: not need.missing)))
        title = f"{'Missing' if missing else 'Given'} for {key}: {wanted}"
        yield Section(title, items, weight=KEPT if missing else SHOWN, tone="alarm" if missing else "")
    if found.voices:
        yield Section("Who approved", tuple(map(_voice, found.voices)))


def _item(need: Need) -> Item:
    words: Words = (need.fact,)
    why: Words = ("agreed: ", *listed(need.given)) if need.given else ()
    if need.missing:
        why = (*why, "; " if why else "", f"{need.missing} missing")
    symbol = "!" if need.missing else "+"
    level = "error" if need.missing else ""
    return Item(
        words, symbol, why, need.source, level=level, fails=bool(need.missing), brief=Brief(need.place, need.fact)
    )


def _voice(voice: Voice) -> Item:
    who: Words = (Name(voice.login),) if voice.name in (None, voice.login) else (Name(voice.login), f" ({voice.name})")
    if voice.counts:
        return Item((*who, " approved"), "+")
    return Item((*who, " approved, and does not count"), "!", (voice.why_not,), level="warning")


def document(found: Consents) -> dict[str, Any]:
    """The JSON. `needs[]`: `key`, `of`, `count`, `place`, `fact`, `given` (logins), `missing` (how many), `source`.
    `approved_by[]`: `login`, `name` (null: unknown), `counts`, `why_not`.
    """
    return {
        "format_version": FORMAT_VERSION,
        "kind": "approvals",
        "base": found.base,
        "head": found.head,
        "author": found.author,
        "enough": not found.missing,
        "applies": found.applies,
        "risk": found.risk,
        "summary": list(summary(found)),
        "needs": [
            {
                "key": need.approval.key,
                "of": list(need.approval.of),
                "count": need.approval.count,
                "place": need.place,
                "fact": need.fact,
                "given": list(need.given),
                "missing": need.missing,
                "source": _source(need.source),
            }
            for need in found.needs
        ],
        "approved_by": [
            {"login": one.login, "name": one.name, "counts": one.counts, "why_not": one.why_not or None}
            for one in found.voices
        ],
    }
