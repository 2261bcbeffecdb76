"""The refusals for people whose account is in doubt: `who-is-this` and `rename`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model import address as addresses
from reconciler.model.diagnostic import Refusal

if TYPE_CHECKING:
    from reconciler.model.desired import Person
    from reconciler.model.live import LockEntry, Resource
    from reconciler.plan.identity.lock_index import Known
    from reconciler.plan.identity.people import People

RENAMED = "was renamed outside"  # in the fact of a refusal that is sure of it


def who_is_this(
    people: People, org: str, person: Person, why: str, otherwise: str = "", *, elsewhere: bool = False
) -> None:
    known = f"{person.name} is known by the email {person.email} only, and "
    if not elsewhere:
        known += "Pipes gives no emails back: "
    people.refusals.append(
        Refusal(
            "who-is-this",
            addresses.join(org, "member", person.name),
            known + why,
            f"name the handle: `people: {{{person.name}: {{email: {person.email}, handle: HANDLE}}}}`" + otherwise,
            person.source,
            liftable=False,
        )
    )


def second_name(org: str, person: Person, names: list[str], row: Resource | None) -> Refusal:
    """`who-is-this` for one of several names that lead to one account."""
    others = ", ".join(name for name in names if name != person.name)
    account = f"the account {row.handle}" if row is not None else "one account"
    known_by = "its handle" if person.handle is not None else f"the address {person.email}"
    return Refusal(
        "who-is-this",
        addresses.join(org, "member", person.name),
        f"{person.name} (by {known_by}) and {others} lead to {account} in {org.partition('.')[2]}: one person cannot have "
        "two names there",
        f"keep one of the names {', '.join(names)} there, and drop the others",
        person.source,
        liftable=False,
    )


def person_renamed(
    org: str, person: Person, known_as: Resource, entry: LockEntry | None = None, holder: str | None = None
) -> Refusal:
    """`rename` for somebody whom the lock file knows under another handle than the manifests give.

    `entry` is their own one in this org, and `holder` the user who has the manifests' handle now.
    """
    address = addresses.join(org, "member", person.name)
    theirs = f"`{known_as.handle}` or as `people: {{{person.name}: {{handle: {known_as.handle}}}}}`"
    fact = f"{person.handle} {RENAMED}: the user with the id {known_as.id} now has the handle {known_as.handle}"
    fix = f"write the new handle, as {theirs}; nobody but they themselves can take the old one back"
    if holder is not None or (entry is not None and entry.handle == known_as.handle):
        now = f"belongs to the user {holder}" if holder is not None else "was not theirs when that was noted"
        fact = (
            f"the lock file knows {person.name} as {known_as.handle} ({known_as.id}), and the handle {person.handle} {now}: "
            "it may be another person"
        )
        at = address if entry is not None else f"of {person.name}"
        fix = f"if it is {known_as.handle}, write that, as {theirs}; if not, remove the entry {at} from the lock file"
    return Refusal("rename", address, fact, fix, person.source, liftable=False)


def person_gone(org: str, person: Person, ids: set[str]) -> Refusal:
    return Refusal(
        "rename",
        addresses.join(org, "member", person.name),
        f"nobody has the handle {person.handle} any more: the user whom the lock file knows as {person.name} "
        f"({', '.join(sorted(ids))}) is not in the org, and has another handle or is gone",
        f"write the handle that they have now, or drop {person.name}",
        person.source,
        liftable=False,
    )


def handle_taken_over(org: str, person: Person, have: Resource, known_as: str) -> Refusal:
    return Refusal(
        "rename",
        addresses.join(org, "member", person.name),
        f"the handle {person.handle} belongs to the user {have.id} now, whom the lock file knows as {known_as}",
        f"write who has which handle now: {known_as} is {have.handle}, and {person.name} may have another one",
        person.source,
        liftable=False,
    )


def other_person(org: str, person: Person, holder: str, ids: set[str], lock: Known) -> Refusal:
    address = addresses.join(org, "member", person.name)
    known = sorted(a for a, e in lock.entries.items() if e.id in ids and a.partition("/member.")[2] == person.name)
    entry = address if address in known else ", ".join(known)
    return Refusal(
        "rename",
        address,
        f"the handle {person.handle} now belongs to the user {holder}, the lock file knows {person.name} as "
        f"{', '.join(sorted(ids))}: it may be another person",
        f"find out who it is; if it is the right one, remove the entry {entry} from the lock file",
        person.source,
        liftable=False,
    )
