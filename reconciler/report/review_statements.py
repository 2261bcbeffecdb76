"""What a pull request states, in words: renames, deletions, endings, and whatever else a reviewer has to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.expiring import UNKNOWN
from reconciler.report.sheet import Item, Name, Words, listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.review import Statement

QUIET = ("expires", "expired")  # statements that are no warning
A_LINE = 20  # names to a line, so that no line is too long to be read, or to fit


def statement(found: Statement) -> Item:
    symbols = {"rename": ">", "absent": "-", "tokens": "!", "expired": "-"}
    why = (f'reason: "{found.reason}"',) if found.reason else ()
    return Item(
        wording_of(found),
        symbols.get(found.kind, "~"),
        why,
        found.source,
        level="notice" if found.kind in QUIET else "warning",
    )


def _place(address: str) -> tuple[str, str]:
    """`org.acme/workspace.prod` -> kind of the last part, and `acme/prod`."""
    parts = [part.partition(".") for part in address.split("/")]
    return parts[-1][0], "/".join(name for _, _, name in parts)


def _rename(found: Statement) -> Words:
    kind, place = _place(found.address)
    was = Name(found.before or "")
    if kind == "workspace":
        return (f"renames the {kind} ", was, " to ", Name(place), ": its DNS name changes")
    if kind in ("connection", "workspace_connection"):
        where = "its schemas are called so in every workspace" if kind == "connection" else "its schema is called so"
        return ("renames the connection ", was, " to ", Name(place), f": {where}")
    whole = ("renames the org ", was, " to ", Name(place))
    if not found.names:
        return (*whole, ": the DNS name of each of its workspaces changes")
    many = "this DNS name changes" if len(found.names) == 1 else f"these {len(found.names)} DNS names change"
    names = listed(f"{place}/{name}" for name in found.names)
    return (*whole, f": {many}: ", *names, "; and those of workspaces that are not listed here")


def _absent(found: Statement) -> Words:
    kind, place = _place(found.address)
    if kind == "org":
        inside = (": with it ", *listed(found.names)) if found.names else ()
        return ("deletes the org ", Name(place), " with all its workspaces", *inside)
    if kind == "workspace":
        inside = (", and with it its own connections ", *listed(found.names)) if found.names else ()
        return ("deletes the workspace ", Name(place), " and its database", *inside)
    if kind in ("connection", "workspace_connection"):
        who = "every workspace loses it, and " if kind == "connection" else ""
        return ("deletes the connection ", Name(place), f": {who}its secrets are gone")
    if kind == "connection_folder":
        return ("deletes the folder ", Name(place), ", in which nothing may be left")
    where, _, person = place.rpartition("/")
    had = (", who was ", Name(found.before), " there") if found.before else ()
    return ("takes ", Name(person), " out of ", Name(where), *had)


def _expires(found: Statement) -> Words:
    assert found.day is not None
    plural = len(found.names) > 1
    rest: Words = ()
    if found.after is None:
        rest = (", and without a role there",)
    elif found.after != UNKNOWN:
        rest = (", and then ", Name(found.after))
    on = " on " if "/" in found.address else " of "
    are = " are no longer " if plural else " is no longer "
    return (
        f"from {found.day.isoformat()} on ",
        *listed(found.names),
        are,
        Name(found.before or ""),
        on,
        Name(found.address),
        *rest,
    )


def _expired(found: Statement) -> Words:
    day = found.day.isoformat() if found.day is not None else ""
    return (
        "the entry of ", *listed(found.names), " as ", Name(found.before or ""), " in ", Name(found.address),
        f" ended on {day} and counts as ", Name(found.after) if found.after else "not written",
    )  # fmt: skip


def _tokens(found: Statement) -> Words:
    return (
        "every temporary and user token that was not issued after ",
        Name(found.after or ""),
        " stops working for ",
        Name(_place(found.address)[1]),
        ", whoever has it; plan tells whether the one in use does",
    )


def _managed(found: Statement) -> Words:
    return ("manages the members of ", Name(_place(found.address)[1]), " from now on: whoever is not listed is removed")


def _unmanaged(found: Statement) -> Words:
    return ("no longer manages the members of ", Name(_place(found.address)[1]), ": whoever is in stays in")


def _left_alone(found: Statement) -> Words:
    return ("no longer lists ", Name(_place(found.address)[1]), ": it stays as it is, and nobody watches it")


def _safeguard(found: Statement) -> Words:
    return (
        "changes the safeguard ",
        Name(found.address),
        " from ",
        Name(found.before or ""),
        " to ",
        Name(found.after or ""),
    )


def _resend(found: Statement) -> Words:
    if found.after is None:
        return ("invitations by email that are gone are no longer sent again by themselves",)
    return ("invitations by email that are gone are sent again after ", Name(found.after))


def _reinvite(found: Statement) -> Words:
    day = found.day.isoformat() if found.day is not None else ""
    return (
        "invites ", Name(found.address), " (", *(Name(name) for name in found.names),
        f") once more by email, wherever an invitation from before {day} is gone",
    )  # fmt: skip


def _person(found: Statement) -> Words:
    return (
        "says that ", Name(found.address), " is ", Name(found.after or ""), " in Pipes, and no longer ", Name(found.before or ""),
    )  # fmt: skip


def _lock(found: Statement) -> Words:
    shown = found.names[:5]
    more = f" and {len(found.names) - 5} more" if len(found.names) > 5 else ""
    return (
        "changes the lock file, which says who was invited and what was renamed: ", *listed(shown, last=","), more,
    )  # fmt: skip


def _attached(found: Statement) -> Words:
    what = ("lets ", Name(found.after or ""), " use the connection ", Name(_place(found.address)[1]))
    return (*what, ", which ", *_who(found), " there")


def _detached(found: Statement) -> Words:
    what = ("takes the connection ", Name(_place(found.address)[1]), " out of ", Name(found.before or ""))
    return (*what, ", where ", *_who(found), " it until now")


def _opened(found: Statement) -> Words:
    what = ("lets ", Name(found.after or ""), " use whatever is in the folder ", Name(_place(found.address)[1]))
    return (*what, ", now and later; ", *_who(found), " that workspace")


def _closed(found: Statement) -> Words:
    what = ("no longer lets ", Name(found.before or ""), " use what is in the folder ", Name(_place(found.address)[1]))
    return (*what, "; ", *_who(found), " that workspace")


def _usable(found: Statement) -> Words:
    what = ("lets ", Name(found.after or ""), " use the connection ", Name(_place(found.address)[1]))
    return (*what, ", which comes into the folder ", Name(found.before or ""), "; ", *_who(found), " that workspace")


def _unusable(found: Statement) -> Words:
    what = ("no longer lets ", Name(found.before or ""), " use the connection ", Name(_place(found.address)[1]))
    return (*what, ", which leaves the folder ", Name(found.after or ""), "; ", *_who(found), " that workspace")


def _who(found: Statement) -> Words:
    shown, more = found.names[:A_LINE], len(found.names) - A_LINE
    if not shown:
        return ("nobody who is known here reaches",)
    many = f" and {more} more" if more > 0 else ""
    return (*listed(shown), many, " reach" if len(found.names) > 1 else " reaches")


def _reads(found: Statement) -> Words:
    return (
        "has apply read ",
        *listed(found.names),
        " and send it with the connection ",
        Name(_place(found.address)[1]),
    )


def _rotates(found: Statement) -> Words:
    day = found.day.isoformat() if found.day is not None else ""
    return ("sends the configuration of ", Name(_place(found.address)[1]), f" once more, from {day} on")


SAYINGS: dict[str, Callable[[Statement], Words]] = {
    "rename": _rename,
    "absent": _absent,
    "expires": _expires,
    "expired": _expired,
    "tokens": _tokens,
    "managed": _managed,
    "unmanaged": _unmanaged,
    "left-alone": _left_alone,
    "safeguard": _safeguard,
    "resend": _resend,
    "reinvite": _reinvite,
    "person": _person,
    "lock": _lock,
    "attached": _attached,
    "detached": _detached,
    "opened": _opened,
    "closed": _closed,
    "usable": _usable,
    "unusable": _unusable,
    "reads": _reads,
    "rotate": _rotates,
}


def wording_of(found: Statement) -> Words:
    """The sentence that says what the statement does."""
    return SAYINGS[found.kind](found)
