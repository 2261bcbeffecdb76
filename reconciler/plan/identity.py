"""Which live object is meant: by id where the lock file knows one, by name only then. What is doubtful is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from reconciler.kinds import member, named_below, named_in
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Diagnostic, Refusal
from reconciler.model.live import INVITED_ON, carry
from reconciler.safeguards.worksheet import Who

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from reconciler.kinds.kind import Kind
    from reconciler.model.desired import Desired, Node, Person
    from reconciler.model.live import Identity, Lock, LockEntry, Resource, Snapshot, TenantMember

# how alike two handles must be for one to look like the other's new name; 1 is equal
RESEMBLANCE = 0.75
# characters of a name that says enough to be found again in a longer one
SHORTEST = 4


@dataclass(frozen=True, slots=True)
class Match:
    """A wanted object and the live one that it is; `have` is None where there is none yet."""

    want: Node
    have: Resource | None
    renamed: bool = False


def carried(lock: Lock, desired: Desired, live: Snapshot | None = None) -> Lock:
    """The lock file seen under today's names.

    What it knows below a `renamed_from`, and below a name that the manifests have given up for the one that the same
    object has now, stands under the new address too; the latter where `live` tells which object that is.
    """
    moved = dict(lock)
    for name, node in desired.orgs.items():
        here = addresses.join(None, "org", name)
        if node.renamed_from:
            carry(moved, addresses.join(None, "org", node.renamed_from), here)
        for address, child in named_in(here, node):
            if child.renamed_from:
                carry(moved, addresses.beside(address, child.renamed_from), address)
    if moved and live is not None:
        everything = {**live.others, **live.orgs}
        _carry_by_id(moved, None, "org", {**desired.elsewhere, **desired.orgs}, everything)
        by_id = {org.id: org for org in everything.values()}
        for name, node in desired.orgs.items():
            here = addresses.join(None, "org", name)
            entry = moved.get(here)
            above = by_id.get(entry.id) if entry is not None else None
            if above is not None:
                _carry_below(moved, here, node, above)
    return moved


def _carry_below(lock: Lock, here: str, node: Node, have: Resource) -> None:
    for kind in named_below(node.kind):
        wanted, live = node.children.get(kind.name, {}), have.of(kind.name)
        _carry_by_id(lock, here, kind.name, wanted, live)
        inner = [child for child in wanted.values() if any(k.name in child.children for k in named_below(kind.name))]
        by_id = {one.id: one for one in live.values()} if inner else {}
        for child in inner:
            address = addresses.join(here, kind.name, child.name)
            found = by_id.get(lock[address].id) if address in lock else None
            if found is not None:
                _carry_below(lock, address, child, found)


def _carry_by_id(
    lock: Lock, parent: str | None, kind: str, wanted: Mapping[str, Node], live: Mapping[str, Resource]
) -> None:
    """For each wanted name that the lock file lacks: what it knows of the live object under the name it had."""
    new = [name for name in wanted if name in live and addresses.join(parent, kind, name) not in lock]
    if not new:
        return
    start = addresses.join(parent, kind, "")
    former = {
        entry.id: address
        for address, entry in lock.items()
        if address.startswith(start) and "/" not in address[len(start) :] and address[len(start) :] not in wanted
    }
    for name in new:
        old = former.get(live[name].id)
        if old is not None:
            carry(lock, old, addresses.join(parent, kind, name))


def spent(desired: Desired, lock: Lock) -> Iterator[Diagnostic]:
    """A warning for each `renamed_from` that is done, as far as that can be told offline: the lock file knows the new name."""
    for name, node in sorted(desired.orgs.items()):
        here = addresses.join(None, "org", name)
        yield from _spent(node, here, lock)
        for address, child in sorted(named_in(here, node), key=lambda pair: pair[0]):
            yield from _spent(child, address, lock)


def _spent(node: Node, address: str, lock: Lock) -> Iterator[Diagnostic]:
    old = node.renamed_from
    if not old or address not in lock:
        return
    before = lock.get(addresses.beside(address, old))
    if before is not None and before.id != lock[address].id:
        return
    yield Diagnostic(
        "warning",
        f"the lock file knows {node.name} by that name: `renamed_from: {old}` is done",
        (node.sources or {}).get("renamed_from", node.source),
        f"drop `renamed_from: {old}`, unless it takes back a rename that was made outside and is still to be applied",
    )


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
                f"the live {kind.words} {name} has the id {have.id}, the lock file knows {name} as "
                f"{entry.id}: it is another {kind.words} under the same {'handle' if kind.called is None else 'title'}",
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
        f"{want.name} was renamed outside: the {kind.words} with its id {known.id} is live as {known.handle}",
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
                f"the live {kind.words} {old} has the id {source.id}, the lock file says that {name} is {entry.id}",
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
    alike = next((handle for handle in unlisted if resembles(new, handle)), None)
    if alike is None and not lock:
        # nothing is known of any name: a name that was made longer, or shorter, is the likeliest of all renames
        alike = next((handle for handle in unlisted if _lengthened(new, handle)), None)
    return alike


def _lengthened(new: str, old: str) -> bool:
    short, long = sorted((new, old), key=len)
    longer = long.startswith(short) or long.endswith(short)
    return len(short) >= SHORTEST and longer and long.strip("0123456789") != short.strip("0123456789")


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
    notes: list[str] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)  # whose gone invitation is to be sent again on a day to come


@dataclass(frozen=True, slots=True)
class Scene:
    """One org in which people are looked for. `org` is its address, `members` the live rows that can be changed here.

    `emails` is who has which email, where the org's tenant tells; `actor` the token's own user's id. An org that is yet
    to be made (`new`) holds nobody who could be doubtful. `identities` tells who has the handle of somebody who is to be
    let in.
    """

    org: str
    members: Mapping[str, Resource]
    inherited: Mapping[str, Resource]
    actor: str
    identities: Mapping[str, Identity | None]
    emails: Mapping[str, tuple[TenantMember, ...]] | None = None
    new: bool = False
    unwanted: Collection[str] = ()  # names that the manifests only want gone: nobody is invited for them


def match_people(scene: Scene, names: Iterable[str], desired: Desired, lock: Known) -> People:
    """Find each named person among an org's live members.

    Someone invited by email is found by the user id that the invitation answered with, which the lock file keeps, or in
    a custom tenant through the tenant's list; emails do not come back elsewhere. What cannot be told apart is refused as
    `who-is-this`. A name is one person in all orgs: who it is in one of them, it is in those too where the lock file does
    not know it yet.
    """
    org, live_members, inherited = scene.org, scene.members, scene.inherited
    people = People()
    by_id = {row.id: row for row in live_members.values()}
    first_invitations: list[str] = []
    for name in names:
        handle = desired.handle(name)
        entry = lock.entries.get(addresses.join(org, "member", name))
        ids = {entry.id} if entry else lock.ids_of_name.get(name, set())
        have = live_members.get(handle) if handle is not None else None
        if have is not None and (not ids or have.id in ids):  # nearly everybody in nearly every plan
            people.found[name] = Who(name, have.handle, have, inherited.get(have.handle))
            continue
        person = desired.person(name)
        if person.handle is None:
            rows = [by_id[i] for i in sorted(ids) if i in by_id]
            if len(rows) == 1:
                people.found[name] = Who(name, rows[0].handle, rows[0])
                _pending(people, org, name, rows[0], desired)
            elif rows:
                known_as = f"the lock file knows {name} as {', '.join(sorted(ids))}, which are several people"
                _doubt(people, org, person, known_as)
            elif scene.emails is not None and scene.emails.get((person.email or "").lower()):
                _of_the_tenant(people, scene, person, entry, by_id)
            elif name in scene.unwanted:
                people.found[name] = Who(name, name, None)
            elif entry is not None and not _again(people, scene, person, entry, desired):
                _gone(people, scene, person, entry, desired)
            else:
                people.found[name] = Who(name, name, None, by_email=True)
                first_invitations.append(name)
            continue
        renamed = next((by_id[i] for i in sorted(ids) if i in by_id and by_id[i].handle != person.handle), None)
        if renamed is not None:
            people.spared.add(renamed.id)
            people.refusals.append(_person_renamed(org, person, renamed))
        elif have is not None:
            people.refusals.append(_other_person(org, person, have.id, ids, lock))
        elif ids and person.handle in scene.identities:
            holder = scene.identities[person.handle]
            if holder is None:
                people.refusals.append(_person_gone(org, person, ids))
            elif holder.id not in ids:
                people.refusals.append(_other_person(org, person, holder.id, ids, lock))
            else:
                people.found[name] = Who(name, person.handle, None, inherited.get(person.handle))
        else:
            people.found[name] = Who(name, person.handle, None, inherited.get(person.handle))
        if name not in people.found and have is not None:
            people.spared.add(have.id)
    # who took the handle of one listed person is perhaps another one of them, under a new name
    for name, taken in list(people.found.items()):
        if taken.have is not None and taken.have.id in people.spared:
            del people.found[name]
            former = lock.names_in_org.get(org, {}).get(taken.have.id, "somebody else")
            people.refusals.append(_taken_over(org, desired.person(name), taken.have, former))
    if first_invitations and not scene.new:
        _ask_for_strangers(people, scene, first_invitations, desired, lock)
    return people


def _of_the_tenant(
    people: People, scene: Scene, person: Person, entry: LockEntry | None, by_id: Mapping[str, Resource]
) -> None:
    """Find a person by the email that the tenant's list has for them."""
    assert scene.emails is not None
    found = scene.emails[(person.email or "").lower()]
    if len(found) > 1:
        users = " and ".join(sorted(one.handle for one in found))
        _doubt(people, scene.org, person, f"the tenant has several users with that address, {users}", elsewhere=True)
    elif entry is not None and entry.id != found[0].id:
        why = f"the lock file knows {person.name} as {entry.id}, and in the tenant that address is {found[0].handle}'s"
        _doubt(people, scene.org, person, f"{why} ({found[0].id}): it may be another person", elsewhere=True)
        people.spared.add(found[0].id)
    else:
        have = by_id.get(found[0].id)
        handle = have.handle if have is not None else found[0].handle
        people.found[person.name] = Who(person.name, handle, have, scene.inherited.get(handle))


def _again(people: People, scene: Scene, person: Person, entry: LockEntry, desired: Desired) -> bool:
    """Whether somebody whose invitation is gone is invited again: it is stated, or the manifests say after how long."""
    sent = sent_on(entry)
    if person.reinvite is not None and person.reinvite <= desired.day and (sent is None or sent < person.reinvite):
        why = f"`reinvite: {person.reinvite.isoformat()}` states it"
    elif desired.resend_after is not None and sent is not None and (desired.day - sent).days >= desired.resend_after:
        why = f"it was sent on {sent.isoformat()}, and invitations.resend_after is {desired.resend_after}d"
    else:
        return False
    place = scene.org.partition(".")[2]
    people.notes.append(f"{person.name} is invited to {place} again, since the last invitation is gone: {why}")
    return True


def _pending(people: People, org: str, name: str, row: Resource, desired: Desired) -> None:
    """Say that an invitation is open for longer than the manifests think right. Nothing is done: the contract has no
    operation that sends one again, and one that is cancelled takes its grants along.
    """
    sent = row.attrs.get("sent")
    if not sent or desired.resend_after is None:
        return
    try:
        days = (desired.day - date.fromisoformat(sent)).days
    except ValueError:
        return
    if days >= desired.resend_after:
        people.notes.append(
            f"the invitation of {name} to {org.partition('.')[2]} is pending since {sent}; Pipes cannot send one again, and "
            f"cancelling it would take its grants along, so it is left alone"
        )


def sent_on(entry: LockEntry) -> date | None:
    """The day on which an invitation by email was sent, as far as the lock file has it."""
    try:
        return date.fromisoformat(str(entry.more.get(INVITED_ON)))
    except ValueError:
        return None


def _gone(people: People, scene: Scene, person: Person, entry: LockEntry, desired: Desired) -> None:
    """Say that an invitation is gone; where the manifests say after how long it is sent again, nothing waits for that."""
    sent, place = sent_on(entry), scene.org.partition(".")[2]
    if sent is not None and desired.resend_after is not None:
        again = sent + timedelta(days=desired.resend_after)
        people.waiting.add(person.name)
        people.notes.append(
            f"the invitation of {person.name} to {place} of {sent.isoformat()} is gone: it has expired, or was declined or "
            f"cancelled; it is sent again from {again.isoformat()} on, as invitations.resend_after says"
        )
        return
    what = (
        f"the invitation of {sent.isoformat()} is gone, so it has expired or was declined or cancelled; or it was accepted, "
        f"and {person.name} has left"
        if sent is not None
        else f"{person.name} is not in the org any more"
    )
    later = ", or with `invitations: {resend_after: 14d}`" if sent is not None else ""
    _doubt(
        people,
        scene.org,
        person,
        f"the lock file knows {person.name} as {entry.id}, and {what}",
        f", state a new invitation with `reinvite: {desired.day.isoformat()}` beside the email{later}, or drop the line",
    )


def _ask_for_strangers(
    people: People, scene: Scene, first_invitations: list[str], desired: Desired, lock: Known
) -> None:
    """Refuse first invitations while a row may be the same person: pending, or let in by this token's own user, and
    explained by nothing that the manifests or the lock file know.
    """
    explained = {who.have.id for who in people.found.values() if who.have is not None}
    explained.update(lock.names_in_org.get(scene.org, {}))
    suspects = [
        row
        for row in scene.members.values()
        if row.id not in explained and (row.attrs.get("status") == member.INVITED or row.attrs.get("by") == scene.actor)
    ]
    if not suspects:
        return
    handles = _handles(desired)
    ids = {entry_id for known in lock.names_in_org.values() for entry_id in known}
    strangers = sorted((row.handle, row) for row in suspects if row.handle not in handles and row.id not in ids)
    if not strangers:
        return
    who = ", ".join(handle for handle, _ in strangers[:5]) + (" and others" if len(strangers) > 5 else "")
    # a name that stands for an address cannot be listed as somebody else's handle
    other = next((handle for handle, _ in strangers if handle not in desired.people), None)
    otherwise = f"; or say who {other} is: list that handle, or state `{other}: {{absent: true}}`" if other else ""
    pending = all(row.attrs.get("status") == member.INVITED for _, row in strangers)
    fact = "has a pending invitation" if pending else "was let in by this token's user"
    for name in first_invitations:
        del people.found[name]
        _doubt(
            people,
            scene.org,
            desired.person(name),
            f"{who} {fact} that neither the manifests nor the lock file explain; it may be the same person"
            if pending
            else f"{who} {fact}, and neither the manifests nor the lock file say who that is; it may be the same person",
            otherwise,
        )
    people.spared.update(row.id for _, row in strangers)


def _handles(desired: Desired) -> set[str]:
    """The handles that the manifests know anywhere: whoever has one of them is that person."""
    found = {person.handle for person in desired.people.values() if person.handle is not None}
    for org in (*desired.orgs.values(), *desired.elsewhere.values()):
        for holder in (org, *org.children.get("workspace", {}).values()):
            for section in (*holder.children.values(), *(holder.expired or {}).values()):
                found.update(desired.handle(n.name) or "" for n in section.values() if n.kind in ("member", "grant"))
    return found


def _doubt(people: People, org: str, person: Person, why: str, otherwise: str = "", *, elsewhere: bool = False) -> None:
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


def _person_renamed(org: str, person: Person, known_as: Resource) -> Refusal:
    return Refusal(
        "rename",
        addresses.join(org, "member", person.name),
        f"{person.handle} was renamed outside: the user with the id {known_as.id} now has the handle {known_as.handle}",
        f"write the new handle, as `{known_as.handle}` or as `people: {{{person.name}: {{handle: {known_as.handle}}}}}`; "
        "nobody but they themselves can take the old one back",
        person.source,
        liftable=False,
    )


def _person_gone(org: str, person: Person, ids: set[str]) -> Refusal:
    return Refusal(
        "rename",
        addresses.join(org, "member", person.name),
        f"nobody has the handle {person.handle} any more: the user whom the lock file knows as {person.name} "
        f"({', '.join(sorted(ids))}) is not in the org, and has another handle or is gone",
        f"write the handle that they have now, or drop {person.name}",
        person.source,
        liftable=False,
    )


def _taken_over(org: str, person: Person, have: Resource, known_as: str) -> Refusal:
    return Refusal(
        "rename",
        addresses.join(org, "member", person.name),
        f"the handle {person.handle} belongs to the user {have.id} now, whom the lock file knows as {known_as}",
        f"write who has which handle now: {known_as} is {have.handle}, and {person.name} may have another one",
        person.source,
        liftable=False,
    )


def _other_person(org: str, person: Person, holder: str, ids: set[str], lock: Known) -> Refusal:
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
