"""One sentence for each statement of a review: renames, deletions, end dates, and what else a reviewer must know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model import address as addresses
from reconciler.model.expiring import UNKNOWN
from reconciler.report.sheet import Item, Name, Words, listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.model.review import Statement

QUIET = ("expires", "expired")  # statements that are notices, not warnings
A_LINE = 20  # names on one line, so that lines stay readable


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
    """The kind of the last part of an address, and the names in it: `org.acme/workspace.prod` -> `acme/prod`."""
    parts = [part.partition(".") for part in addresses.parts_of(address)]
    return parts[-1][0], "/".join(name for _, _, name in parts)


def _rename(found: Statement) -> Words:
    kind, place = _place(found.address)
    was = Name(found.before or "")
    if kind == "workspace":
        return (f"renames the {kind} ", was, " to ", Name(place), ", which changes its DNS name")
    if kind in ("connection", "workspace_connection"):
        where = "its schemas in every workspace" if kind == "connection" else "its schema"
        return ("renames the connection ", was, " to ", Name(place), f", and with it {where}")
    whole = ("renames the org ", was, " to ", Name(place))
    if not found.names:
        return (*whole, ", which changes the DNS names of all its workspaces")
    names = listed(f"{place}/{name}" for name in found.names)
    return (*whole, ", which changes the DNS names of ", *names, ", and of workspaces that are not listed here")


def _absent(found: Statement) -> Words:
    kind, place = _place(found.address)
    if kind == "org":
        inside = (", including ", *listed(found.names)) if found.names else ()
        return ("deletes the org ", Name(place), " and all its workspaces", *inside)
    if kind == "workspace":
        inside = (", including its own connections ", *listed(found.names)) if found.names else ()
        return ("deletes the workspace ", Name(place), " and its database", *inside)
    if kind in ("connection", "workspace_connection"):
        who = "every workspace loses it, and " if kind == "connection" else ""
        return ("deletes the connection ", Name(place), f": {who}its secrets are lost")
    if kind == "service_account":
        return ("deletes the service account ", Name(place), ", with its grants and tokens")
    if kind in ("connection_folder", "workspace_connection_folder"):
        return ("deletes the folder ", Name(place), ", which must be empty")
    *_, person = (name for _, name in addresses.split(found.address))
    where = place.removesuffix(f"/{person}")
    had = (", who was ", Name(found.before), " there") if found.before else ()
    return ("removes ", Name(person), " from ", Name(where), *had)


def _expires(found: Statement) -> Words:
    assert found.day is not None
    plural = len(found.names) > 1
    rest: Words = ()
    if found.after is None:
        rest = (", with no role left",)
    elif found.after != UNKNOWN:
        rest = (", but ", Name(found.after))
    on = " on " if "/" in found.address else " of "
    are = " are no longer " if plural else " is no longer "
    return (
        f"from {found.day.isoformat()}, ",
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
        "every temporary and user token issued no later than ",
        Name(found.after or ""),
        " stops working for ",
        Name(_place(found.address)[1]),
        "; plan shows whether the token in use is one of them",
    )


def _managed(found: Statement) -> Words:
    return ("now manages the members of ", Name(_place(found.address)[1]), ": anyone not listed is removed")


def _unmanaged(found: Statement) -> Words:
    return ("no longer manages the members of ", Name(_place(found.address)[1]), ": everyone there stays")


def _ignore(found: Statement) -> Words:
    ends = f" through {found.day.isoformat()}" if found.day else ", without an end"
    former = f", no longer only through {found.before}" if found.before else ""
    what = ("ignores ", Name(found.after or ""), " in ", Name(_place(found.address)[1]))
    return (*what, f"{ends}{former}: whoever has such a handle is never changed or removed")


def _ignore_ends(found: Statement) -> Words:
    ends = f" ends {found.day.isoformat()}" if found.day else " is gone"
    return ("the `ignore` of ", Name(found.after or ""), " in ", Name(_place(found.address)[1]), ends)


def _kept(found: Statement) -> Words:
    return (
        "keeps whoever is not listed in ",
        Name(_place(found.address)[1]),
        ": nobody is removed by leaving out a line",
    )


def _not_kept(found: Statement) -> Words:
    return ("no longer keeps whoever is not listed in ", Name(_place(found.address)[1]), ": they are removed")


def _robot(found: Statement) -> Words:
    return (
        "says that no person uses the account of ",
        Name(found.address),
        ", which then does not keep an organization",
    )


def _no_robot(found: Statement) -> Words:
    return (
        "says that a person uses the account of ",
        Name(found.address),
        ", which then counts as an owner who keeps one",
    )


def _left_alone(found: Statement) -> Words:
    return ("no longer lists ", Name(_place(found.address)[1]), ": it stays as it is, and is no longer managed")


def _safeguard(found: Statement) -> Words:
    return (
        "changes the safeguard ",
        Name(found.address),
        " from ",
        Name(found.before or ""),
        " to ",
        Name(found.after or ""),
    )


def _host(found: Statement) -> Words:
    if found.after is None:
        return ("no longer says that these manifests are for ", Name(found.before or ""))
    was = (" instead of ", Name(found.before)) if found.before else ()
    return ("says that these manifests are for ", Name(found.after), *was)


def _resend(found: Statement) -> Words:
    if found.after is None:
        return ("no longer resends invitations by email that are gone",)
    return ("resends invitations by email that are gone, after ", Name(found.after))


def _reinvite(found: Statement) -> Words:
    day = found.day.isoformat() if found.day is not None else ""
    return (
        "invites ", Name(found.address), " (", *listed(found.names),
        f") again by email wherever an invitation from before {day} is gone",
    )  # fmt: skip


def _lock(found: Statement) -> Words:
    shown = found.names[:5]
    more = f" and {len(found.names) - 5} more" if len(found.names) > 5 else ""
    return (
        "changes the lock file, which records who was invited and what was renamed: ", *listed(shown, last=","), more,
    )  # fmt: skip


def _attached(found: Statement) -> Words:
    what = ("lets ", Name(found.after or ""), " use the connection ", Name(_place(found.address)[1]))
    return (*what, "; people there: ", *_who(found))


def _detached(found: Statement) -> Words:
    what = ("takes the connection ", Name(_place(found.address)[1]), " away from ", Name(found.before or ""))
    return (*what, "; people there: ", *_who(found))


def _opened(found: Statement) -> Words:
    what = ("lets ", Name(found.after or ""), " use every connection in the folder ", Name(_place(found.address)[1]))
    return (*what, ", including later ones; people there: ", *_who(found))


def _closed(found: Statement) -> Words:
    what = ("no longer lets ", Name(found.before or ""), " use the folder ", Name(_place(found.address)[1]))
    return (*what, "; people there: ", *_who(found))


def _everywhere(found: Statement) -> Words:
    what = "connection" if _place(found.address)[0] == "connection" else "folder"
    who = ("lets every workspace of ", Name(found.after or ""), f" use the {what} ", Name(_place(found.address)[1]))
    return (*who, ", including later ones")


def _not_everywhere(found: Statement) -> Words:
    what = "connection" if _place(found.address)[0] == "connection" else "folder"
    who = ("no longer lets every workspace of ", Name(found.before or ""), f" use the {what} ")
    return (*who, Name(_place(found.address)[1]), ", only those listed")


def _usable(found: Statement) -> Words:
    what = ("lets ", Name(found.after or ""), " use the connection ", Name(_place(found.address)[1]))
    return (*what, ", which moves into the folder ", Name(found.before or ""), "; people there: ", *_who(found))


def _unusable(found: Statement) -> Words:
    what = ("no longer lets ", Name(found.before or ""), " use the connection ", Name(_place(found.address)[1]))
    return (*what, ", which leaves the folder ", Name(found.after or ""), "; people there: ", *_who(found))


def _who(found: Statement) -> Words:
    shown, more = found.names[:A_LINE], len(found.names) - A_LINE
    if not shown:
        return ("none known",)
    many = f" and {more} more" if more > 0 else ""
    return (*listed(shown, last="," if more > 0 else "and"), many)


def _reads(found: Statement) -> Words:
    return (
        "makes apply read ",
        *listed(found.names),
        " and send it with the connection ",
        Name(_place(found.address)[1]),
    )


def _rotates(found: Statement) -> Words:
    day = found.day.isoformat() if found.day is not None else ""
    return ("sends the configuration of ", Name(_place(found.address)[1]), f" again from {day}")


SENTENCES: dict[str, Callable[[Statement], Words]] = {
    "rename": _rename,
    "absent": _absent,
    "expires": _expires,
    "expired": _expired,
    "tokens": _tokens,
    "managed": _managed,
    "unmanaged": _unmanaged,
    "ignore": _ignore,
    "ignore-ends": _ignore_ends,
    "kept": _kept,
    "not-kept": _not_kept,
    "robot": _robot,
    "no-robot": _no_robot,
    "left-alone": _left_alone,
    "safeguard": _safeguard,
    "host": _host,
    "resend": _resend,
    "reinvite": _reinvite,
    "lock": _lock,
    "attached": _attached,
    "detached": _detached,
    "opened": _opened,
    "closed": _closed,
    "everywhere": _everywhere,
    "not-everywhere": _not_everywhere,
    "usable": _usable,
    "unusable": _unusable,
    "reads": _reads,
    "rotate": _rotates,
}


def wording_of(found: Statement) -> Words:
    """The sentence that says what the statement does."""
    return SENTENCES[found.kind](found)
