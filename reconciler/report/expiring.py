"""Entries that end soon, as a section of a sheet and as JSON. All reports share this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.expiring import UNKNOWN
from reconciler.report.json_document import _source
from reconciler.report.sheet import Brief, Item, Name, Section, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from reconciler.model.expiring import Expiring
    from reconciler.report.sheet import Words


def sections(entries: Sequence[Expiring], today: date) -> Iterator[Section]:
    """One section, or none when `entries` is empty."""
    if entries:
        yield Section("Ends soon", tuple(_item(entry, today) for entry in entries), tone="care")


def _item(entry: Expiring, today: date) -> Item:
    days = (entry.expires - today).days
    when = "tomorrow" if days == 1 else f"in {days} days"
    place = "/".join(part.partition(".")[2] for part in entry.address.split("/"))
    team: Words = (" (", *listed(entry.people), ")") if entry.people else ()
    then: Words = (", then no role",)
    if entry.then is not None:
        then = () if entry.then == UNKNOWN else (", then ", Name(entry.then))
    return Item(
        (
            Name(entry.name), *team, " is ", Name(entry.role), " of " if entry.address.count("/") == 0 else " on ",
            Name(place), f" until {entry.expires.isoformat()} ({when})", *then,
        ),
        why=(entry.reason,) if entry.reason else (),
        source=entry.source,
        level="notice",
        brief=Brief(place, entry.name, (entry.role,)),
    )  # fmt: skip


def document(entries: Sequence[Expiring]) -> list[dict[str, Any]]:
    """The JSON of a report's `expiring`. `then` is null when no role is left, and `?` when it is unknown."""
    return [
        {
            "address": entry.address,
            "name": entry.name,
            "people": list(entry.people),
            "role": entry.role,
            "expires": entry.expires.isoformat(),
            "then": entry.then,
            "reason": entry.reason,
            "source": _source(entry.source),
        }
        for entry in entries
    ]
