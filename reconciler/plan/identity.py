"""Which live object is meant: by id where the lock file knows one, by name only then. What is doubtful is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from reconciler.kinds import member, named_below
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.kinds.kind import Kind
    from reconciler.model.desired import Desired, Node, Person
    from reconciler.model.live import Lock, Resource

# how alike two handles must be for one to look like the other's new name; 1 is equal
RESEMBLANCE = 0.75


@dataclass(frozen=True, slots=True)
class Match:
    """A wanted object and the live one that it is; `have` is None where there is none yet."""

    want: Node
    have: Resource | None
    renamed: bool = False


def carried(lock: Lock, desired: Desired) -> Lock:
    """The lock file seen under today's names: entries below a `renamed_from` stand under the new address too."""
    moved = dict(lock)
    for name, org in desired.orgs.items():
        here = addresses.join(None, "org", name)
        if org.renamed_from:
            _carry(moved, addresses.join(None, "org", org.renamed_from), here)
        for kind in named_below("org"):
            for handle, node in org.children.get(kind.name, {}).items():
                if node.renamed_from:
                    old = addresses.join(here, kind.name, node.renamed_from)
                    _carry(moved, old, addresses.join(here, kind.name, handle))
    return moved


def _carry(lock: Lock, old: str, new: str) -> None:
    for known, entry in list(lock.items()):
        if addresses.covers(old, known):
            lock.setdefault(new + known[len(old) :], entry)


def match_named(
    kind: Kind,
    parent: str | None,
    wanted: Mapping[str, Node],
    live: Mapping[str, Resource],
    lock: Lock,
    siblings: Mapping[str, Node] | None = None,
) -> tuple[dict[str, Match], list[Refusal]]:
    """Match objects that carry their own handle (orgs, workspaces) below `parent`.

    `live` is every sibling that is known, managed or not, by handle. Returns the matches by wanted name; a name that is
    refused has none. `siblings` is everything that the manifests have there, where `wanted` is only a part of it.
    """
    beside = wanted if siblings is None else siblings
    by_id = {resource.id: resource for resource in live.values()}
    matches: dict[str, Match] = {}
    refusals: list[Refusal] = []
    for name, want in wanted.items():
        here = addresses.join(parent, kind.name, name)
        entry = lock.get(here)
        have = live.get(name)
        known = by_id.get(entry.id) if entry else None
        old = want.renamed_from
        found: Match | Refusal
        if old and not want.absent and _in_a_circle(name, beside):
            # both handles are live before a swap and after it: that it is spent cannot be told
            found = _refuse(
                here,
                want,
                f"{name} is renamed from {old}, and {old} in turn from {_former(old, beside)}: a swap",
                "rename one of them in an apply of its own first, over a third handle; drop `renamed_from` if it is done",
            )
        elif old and not want.absent and have is None:
            found = _match_rename(kind, parent, want, beside, live, lock)
        elif old and not want.absent and old in live and old not in beside:
            found = _refuse(
                here,
                want,
                f"both {old} and {name} are live, so `renamed_from: {old}` cannot be meant",
                f"drop renamed_from if {name} is the one you mean",
            )
        elif known is not None and known.handle != name:
            found = _renamed_outside(here, kind, want, known)
        elif entry is not None and have is not None and have.id != entry.id:
            found = _refuse(
                here,
                want,
                f"the live {kind.name} {name} has the id {have.id}, the lock file knows {name} as "
                f"{entry.id}: it is another {kind.name} under the same handle",
                "look at the live one; if it is the right one, remove this entry from the lock file",
            )
        else:
            found = Match(want, have)
        if isinstance(found, Match):
            matches[name] = found
        else:
            refusals.append(found)
    return matches, refusals


def _former(name: str, wanted: Mapping[str, Node]) -> str | None:
    node = wanted.get(name)
    return node.renamed_from if node is not None and not node.absent else None


def _in_a_circle(name: str, wanted: Mapping[str, Node]) -> bool:
    """Whether following `renamed_from` from `name` leads back to it."""
    seen = {name}
    old = _former(name, wanted)
    while old is not None and old not in seen:
        seen.add(old)
        old = _former(old, wanted)
    return old == name


def _refuse(address: str, want: Node, fact: str, way_on: str) -> Refusal:
    return Refusal("rename", address, fact, way_on, want.source, liftable=False)


def _renamed_outside(address: str, kind: Kind, want: Node, known: Resource) -> Refusal:
    return _refuse(
        address,
        want,
        f"{want.name} was renamed outside: the {kind.name} with its id {known.id} is live as {known.handle}",
        f"write `{known.handle}` instead of `{want.name}` in the manifest, or state the rename back with "
        f"`renamed_from: {known.handle}`",
    )


def _match_rename(
    kind: Kind, parent: str | None, want: Node, wanted: Mapping[str, Node], live: Mapping[str, Resource], lock: Lock
) -> Match | Refusal:
    """`renamed_from` with the new handle not live: the rename is still to be done, if the old one is surely it."""
    name, old = want.name, want.renamed_from or ""
    here = addresses.join(parent, kind.name, name)
    source = live.get(old)
    if source is None:
        return _refuse(
            here,
            want,
            f"neither {old} nor {name} is live, so there is nothing to rename",
            f"drop `renamed_from: {old}` to create {name}, or name the handle that it has now",
        )
    if old in wanted:
        return _refuse(
            here,
            want,
            f"{name} is renamed from {old}, and the manifest has {old} as well: a chain or a swap",
            "rename one of them in an apply of its own first, over a third handle for a swap",
        )
    for known in (here, addresses.join(parent, kind.name, old)):
        entry = lock.get(known)
        if entry is not None and entry.id != source.id:
            return _refuse(
                here,
                want,
                f"the live {kind.name} {old} has the id {source.id}, the lock file says that {name} is {entry.id}",
                f"look at the live one; if it is the right one, remove the entry {known} from the lock file",
            )
    others = [n for n, node in wanted.items() if node.renamed_from == old and n != name]
    if others:
        return _refuse(here, want, f"{name} and {others[0]} both are renamed from {old}", "keep one of the two")
    return Match(want, source, renamed=True)


def resembles(new: str, old: str) -> bool:
    """Whether `old` could be the former name of `new`: alike, and not merely counted on (dev1, dev2)."""
    if new.rstrip("0123456789") == old.rstrip("0123456789"):
        return False
    return SequenceMatcher(None, new, old, autojunk=False).ratio() >= RESEMBLANCE


def left_behind(
    kind: Kind,
    parent: str | None,
    new: str,
    wanted: Mapping[str, Node],
    live: Mapping[str, Resource],
    lock: Lock,
) -> str | None:
    """The live sibling that `new` may be the new name of: one that the lock file knows and the manifest has dropped,
    or an unlisted one with a similar handle. None where there is none.
    """
    spoken_for = set(wanted) | {node.renamed_from for node in wanted.values() if node.renamed_from}
    unlisted = [handle for handle in sorted(live) if handle not in spoken_for]
    for handle in unlisted:
        entry = lock.get(addresses.join(parent, kind.name, handle))
        if entry is not None and entry.id == live[handle].id:
            return handle
    return next((handle for handle in unlisted if resembles(new, handle)), None)


@dataclass(slots=True)  # not frozen: there is one for each row, and a frozen one takes four times as long to make
class Who:
    """A person of the manifest in one org. `key` is the live handle, or the name where only an email is known."""

    name: str
    key: str
    have: Resource | None  # the live member row that can be changed
    inherited: Resource | None = None
    by_email: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """The lock file's entries, and the same by what people are looked up with: built once a plan."""

    entries: Lock
    ids_of_name: dict[str, set[str]]  # a person's name -> the user ids it stands for, in any org
    names_in_org: dict[str, dict[str, str]]  # org address -> user id -> the name that the manifest used


def known(lock: Lock) -> Known:
    """Index a lock file by person."""
    ids_of_name: dict[str, set[str]] = {}
    names_in_org: dict[str, dict[str, str]] = {}
    for address, entry in lock.items():
        org, _, name = address.partition("/member.")
        if name:
            ids_of_name.setdefault(name, set()).add(entry.id)
            names_in_org.setdefault(org, {})[entry.id] = name
    return Known(lock, ids_of_name, names_in_org)


@dataclass(slots=True)
class People:
    """What `match_people` found. `spared` are user ids that a refusal is about: nothing is planned for their rows."""

    found: dict[str, Who] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    spared: set[str] = field(default_factory=set)


def match_people(
    org: str,
    names: Iterable[str],
    desired: Desired,
    live_members: Mapping[str, Resource],
    inherited: Mapping[str, Resource],
    lock: Known,
) -> People:
    """Find each named person among an org's live members. `org` is the org's address.

    Someone invited by email is found through the lock file only, by the user id that the invitation answered with
    (emails do not come back). What cannot be told apart is refused as `who-is-this`.
    """
    people = People()
    by_id = {row.id: row for row in live_members.values()}
    first_invitations: list[str] = []
    for name in names:
        person = desired.person(name)
        entry = lock.entries.get(addresses.join(org, "member", name))
        if person.handle is None:
            ids = {entry.id} if entry else lock.ids_of_name.get(name, set())
            rows = [by_id[i] for i in sorted(ids) if i in by_id]
            if len(rows) == 1:
                people.found[name] = Who(name, rows[0].handle, rows[0])
            elif entry is not None or rows:
                _doubt(
                    people,
                    org,
                    person,
                    f"the lock file knows {name} as {', '.join(sorted(ids))}, "
                    + ("who is not in the org any more" if not rows else "which are several people"),
                    ""
                    if rows
                    else f", or remove the entry {addresses.join(org, 'member', name)} from the lock file to "
                    "invite again",
                )
            else:
                people.found[name] = Who(name, name, None, by_email=True)
                first_invitations.append(name)
            continue
        have = live_members.get(person.handle)
        renamed = by_id.get(entry.id) if entry else None
        if renamed is not None and renamed.handle != person.handle:
            people.spared.add(renamed.id)
            people.refusals.append(_person_renamed(org, person, renamed))
        elif have is not None and entry is not None and have.id != entry.id:
            people.spared.add(have.id)
            people.refusals.append(_other_person(org, person, have, entry.id))
        else:
            people.found[name] = Who(name, person.handle, have, inherited.get(person.handle))
    if first_invitations:
        explained = {who.have.id for who in people.found.values() if who.have is not None}
        explained.update(lock.names_in_org.get(org, {}))
        strangers = sorted(
            (row.handle, row.id)
            for row in live_members.values()
            if row.attrs.get("status") == member.INVITED and row.id not in explained
        )
        if strangers:
            who = ", ".join(handle for handle, _ in strangers[:5]) + (" and others" if len(strangers) > 5 else "")
            for name in first_invitations:
                del people.found[name]
                _doubt(
                    people,
                    org,
                    desired.person(name),
                    f"{who} has a pending invitation that neither the manifests "
                    "nor the lock file explain; it may be the same person",
                )
            people.spared.update(user_id for _, user_id in strangers)
    return people


def _doubt(people: People, org: str, person: Person, why: str, otherwise: str = "") -> None:
    people.refusals.append(
        Refusal(
            "who-is-this",
            addresses.join(org, "member", person.name),
            f"{person.name} is known by the email {person.email} only, and Pipes gives no emails back: {why}",
            f"name the handle: `people: {{{person.name}: {{email: {person.email}, handle: HANDLE}}}}`" + otherwise,
            person.source,
            liftable=False,
        )
    )


def _person_renamed(org: str, person: Person, known_as: Resource) -> Refusal:
    return Refusal(
        "rename",
        addresses.join(org, "member", person.name),
        f"{person.handle} was renamed outside: the user with the id {known_as.id} now has the handle {known_as.handle}",
        f"write the new handle, as `{known_as.handle}` or as `people: {{{person.name}: {{handle: {known_as.handle}}}}}`",
        person.source,
        liftable=False,
    )


def _other_person(org: str, person: Person, have: Resource, locked: str) -> Refusal:
    address = addresses.join(org, "member", person.name)
    return Refusal(
        "rename",
        address,
        f"the handle {person.handle} now belongs to the user {have.id}, the lock file knows {person.name} as {locked}: "
        "it may be another person",
        f"find out who it is; if it is the right one, remove the entry {address} from the lock file",
        person.source,
        liftable=False,
    )
