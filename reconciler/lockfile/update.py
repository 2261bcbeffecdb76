"""The lock file's entries after Pipes was read: the id behind each address that the manifests name and that is live.

`remembered` is for `apply` and `import`, `refreshed` for the command `lock`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from reconciler.kinds import KINDS, member, named_in
from reconciler.model import address as addresses
from reconciler.model.live import ADDRESS, INVITED_ON, Lock, LockEntry, address_digest, entry_of
from reconciler.plan import diff, identity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from reconciler.model.desired import Desired, Node, Person
    from reconciler.model.diagnostic import Refusal
    from reconciler.model.live import Resource, Snapshot
    from reconciler.safeguards.worksheet import OrgWorksheet, Who

# refusals that leave open who or what an address means; the others are about applying
DOUBTS = frozenset(("rename", "who-is-this", "empty-read", "handle-taken", "looks-like-rename"))


def remembered(desired: Desired, live: Snapshot, lock: Lock, *, only: Collection[str]) -> Lock:
    """The lock file's content with the orgs `only` (by the manifest's handle) as `live` has them.

    What is refused or could not be read keeps the entries that it had, and so does what the manifests want and live does
    not have: its id still distinguishes a namesake from it. A grant is identified by its workspace and its member, so it has no
    entry of its own.
    """
    kept = {address: entry for address, entry in lock.items() if addresses.org_of(address) not in only}
    if not only:
        return kept
    known = identity.known(identity.carried(lock, desired, live))
    before = _by_org(lock)
    for worksheet in diff.worksheets(desired, live, known):
        if worksheet.name in only:
            kept.update(_of_org(worksheet, desired, live, before.get(worksheet.address, {}), known.entries))
    return kept


def _by_org(lock: Lock) -> dict[str, Lock]:
    """The entries of each org, by its address."""
    found: dict[str, Lock] = {}
    for address, entry in lock.items():
        found.setdefault(address.partition("/")[0], {})[address] = entry
    return found


def _of_org(worksheet: OrgWorksheet, desired: Desired, live: Snapshot, before: Lock, known: Lock) -> Lock:
    """The entries of one org after a reading. `before` are those that the lock file has, `known` is the whole of it under
    the names that the manifests use today.

    All entries stay if the org is doubtful or could not be read. Else: itself, its people, what has a handle of its own,
    and what is wanted and known without being live. Whatever a refusal is about keeps its entry.
    """
    doubtful = {refusal.address for refusal in worksheet.refusals}
    if worksheet.address in doubtful or (
        worksheet.have is None and (not worksheet.want.absent or worksheet.name in live.forbidden)
    ):
        return before
    if worksheet.have is None:
        return {}
    if worksheet.want.absent:
        return before
    found = {worksheet.address: entry_of(known, worksheet.address, worksheet.have.id)}
    wanted = set(_wanted(worksheet.want))
    for name, who in worksheet.people.items():
        if name.startswith(addresses.SERVICE):
            continue  # the account's own entry has its id
        address = addresses.join(worksheet.address, member.KIND.name, name)
        if who.have is not None:
            by_email = desired.handle(name) is None
            found[address] = (
                _invited(known, address, desired.person(name), who)
                if by_email
                else entry_of(known, address, who.have.id)
            )
        elif address in wanted and address in known:
            found[address] = known[address]
    found.update({address: entry_of(known, address, have.id) for address, have in worksheet.named.items()})
    found.update({a: known[a] for a in wanted if a not in found and a in known and not _is_person(a)})
    found.update({a: before[a] for a in doubtful if a in before})
    waiting = (addresses.join(worksheet.address, member.KIND.name, name) for name in worksheet.waiting)
    found.update({a: known[a] for a in waiting if a in known})
    return found


def _invited(known: Lock, address: str, person: Person, who: Who) -> LockEntry:
    """The entry of somebody known by email: with the digest of the address, and the day of an invitation that is pending.

    An account that was invited at another address keeps that address's digest.
    """
    have = who.have
    assert have is not None
    before = known.get(address)
    more = dict(before.more) if before is not None and before.id == have.id else {}
    if not who.uncertain:
        more[ADDRESS] = address_digest(person.email or "")
    more.pop(INVITED_ON, None)
    if sent := have.attrs.get("sent"):
        more[INVITED_ON] = sent
    return LockEntry(have.id, have.handle, more)


def with_addresses(learned: Lock, desired: Desired) -> Lock:
    """What an apply learned, with the digest of the address for people known by email whom it added by handle.

    In a custom tenant people are added by the handle that the tenant's list has for their address.
    """
    found = dict(learned)
    for address, entry in learned.items():
        name = addresses.name_of(address)
        if _is_person(address) and desired.handle(name) is None and entry.address is None:
            found[address] = replace(
                entry, more={**entry.more, ADDRESS: address_digest(desired.person(name).email or "")}
            )
    return found


def _is_person(address: str) -> bool:
    kind = KINDS.get(addresses.kind_of(address))
    return kind is not None and kind.names_people


def _wanted(want: Node) -> Iterator[str]:
    """The addresses below an org that its manifest wants there; who has a grant is wanted in the org."""
    here = addresses.join(None, want.kind, want.name)
    for kind, section in want.children.items():
        for name, node in section.items():
            if node.absent:
                continue
            address = addresses.join(here, kind, name)
            yield address
            yield from (inner for inner, one in named_in(address, node) if not one.absent)
            if not KINDS[kind].names_people:
                yield from (
                    addresses.join(here, member.KIND.name, person)
                    for people in node.children.values()
                    for person, entry in people.items()
                    if KINDS[entry.kind].names_people and not entry.absent
                )


# --- `lock` -----------------------------------------------------------------------------------------------------------


class Entry(msgspec.Struct, frozen=True):
    """An address that the command `lock` reports, with its id, and why the entry is removed."""

    address: str
    id: str
    why: str


class Refreshed(msgspec.Struct, frozen=True):
    """The new lock file. `doubts` are the refusals over which entries stay as they were.

    `unknown` are people of live orgs who are known by an email only, and who have no id.
    """

    before: Lock
    lock: Lock
    removed: tuple[Entry, ...]
    doubts: tuple[Refusal, ...]
    unknown: tuple[str, ...]

    @property
    def added(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.lock) - set(self.before)))

    @property
    def changed(self) -> tuple[str, ...]:
        """Addresses whose entry differs: the handle of somebody invited by email; an id where the old one is no more."""
        return tuple(sorted(a for a, entry in self.lock.items() if a in self.before and self.before[a] != entry))


def refreshed(desired: Desired, live: Snapshot, lock: Lock) -> Refreshed:
    """What `lock` makes of the lock file. Every id in it stays unless live shows that nobody needs it any more.

    Added: what the manifests name and live has under that name. Kept: ids that are live, under whatever handle; what the
    manifests name and live lacks; what is doubtful, or could not be seen. Removed: what no manifest names and live does not
    have, and what is under the new address already.
    """
    known = identity.known(identity.carried(lock, desired, live))
    found: Lock = {}
    worksheets = diff.worksheets(desired, live, known)
    before = _by_org(lock)
    for worksheet in worksheets:
        found.update(_of_org(worksheet, desired, live, before.get(worksheet.address, {}), known.entries))
    live_ids = {entry.id for entry in found.values()}
    orgs = _by_id([*live.others.values(), *live.orgs.values()])
    parents = {worksheet.address: worksheet.have for worksheet in worksheets}
    removed = []
    for address, entry in sorted(lock.items()):
        if address in found:
            continue
        why = _not_needed(address, entry, parents, orgs, lock, live, live_ids)
        if why:
            removed.append(Entry(address, entry.id, why))
        else:
            found[address] = entry
    doubts = [r for worksheet in worksheets for r in worksheet.refusals if r.code in DOUBTS]
    doubted = {doubt.address for doubt in doubts}
    unknown = [
        address
        for worksheet in worksheets
        if worksheet.have is not None and worksheet.address not in doubted
        for address in sorted(set(_wanted(worksheet.want)) - set(found) - doubted)
        if _is_person(address) and desired.handle(addresses.name_of(address)) is None
    ]
    return Refreshed(lock, found, tuple(removed), tuple(doubts), tuple(unknown))


def confirmed(desired: Desired, live: Snapshot, lock: Lock) -> Lock:
    """The lock file once a person has looked at it: each entry of somebody known by email gets the manifest's address.

    Only entries of people of `desired` whose account is live in that org, for the manifest's name.
    """
    found = dict(lock)
    for name, node in desired.orgs.items():
        org = live.orgs.get(name)
        rows = _by_id([*org.of(member.KIND.name).values()]) if org is not None else {}
        for person in identity.names_of(node):
            address = addresses.join(addresses.join(None, "org", name), member.KIND.name, person)
            entry, email = found.get(address), desired.person(person).email
            if entry is not None and entry.id in rows and desired.handle(person) is None:
                digest = address_digest(email or "")
                found[address] = replace(entry, handle=rows[entry.id].handle, more={**entry.more, ADDRESS: digest})
    return found


def _by_id(resources: Sequence[Resource]) -> dict[str, Resource]:
    return {resource.id: resource for resource in resources}


def _not_needed(
    address: str,
    entry: LockEntry,
    parents: Mapping[str, Resource | None],
    orgs: Mapping[str, Resource],
    lock: Lock,
    live: Snapshot,
    found: Collection[str],
) -> str:
    """Why the entry of an address that no manifest names can go; nothing where it stays."""
    org = addresses.join(None, "org", addresses.org_of(address))
    kind = addresses.kind_of(address)
    above = parents.get(org)
    if org not in parents:
        top = lock.get(org)
        if top is None or (top.id not in orgs and addresses.org_of(address) not in live.forbidden):
            return "no manifest has this organization, and this token does not see it"
        return "it is under its present address" if top.id in found else ""
    if not _is_person(address) and entry.id in found:
        return "it is under its present address"
    if above is None:
        return "the organization is gone, and stated absent"
    holder = _holder(address, above, lock)
    if holder is None and live.owned(above):
        return "no manifest names it, and what it was in is not live"
    if (
        kind not in KINDS
        or holder is None
        or not holder.was_read(kind)
        or (not _is_person(address) and not live.owned(above))
    ):
        return ""
    return "" if entry.id in _by_id([*holder.of(kind).values()]) else "no manifest names it, and it is not live"


def _holder(address: str, org: Resource | None, lock: Lock) -> Resource | None:
    """The live object that one at `address` is directly below, by ids before handles; None where it is not live.

    Where a list on the way to it was not read, the object that the list is of.
    """
    found, here = org, addresses.join(None, *addresses.split(address)[0])
    for kind, name in addresses.split(address)[1:-1]:
        if found is None or not found.was_read(kind):
            return found
        here = addresses.join(here, kind, name)
        entry, rows = lock.get(here), found.of(kind)
        found = _by_id([*rows.values()]).get(entry.id) if entry is not None else rows.get(name)
    return found


class Undecided(msgspec.Struct, frozen=True):
    """An address for which a broken lock file holds several ids, where live does not show the right one."""

    address: str
    ids: tuple[tuple[str, str], ...]  # each with what it is live as; nothing where it is not
    fix: str = "keep the line that is right in the file, take the others out of it, and run `reconciler lock` again"

    @property
    def fact(self) -> str:
        said = ", ".join(f"{i} ({f'live as {live}' if live else 'not live here'})" for i, live in self.ids)
        return f"the file holds several ids for {self.address}: {said}"


def decided(candidates: Mapping[str, Sequence[LockEntry]], live: Snapshot) -> tuple[Lock, tuple[Undecided, ...]]:
    """One entry for each address of a lock file that was put together from several: the one whose id is live there.

    `live` is read with the first candidates as lock file. Of what else two entries of one id know, only that is kept in
    which they do not contradict each other.
    """
    lock: Lock = {}
    undecided = []
    orgs = _by_id([*live.others.values(), *live.orgs.values()])
    for address, entries in sorted(candidates.items(), key=lambda pair: addresses.depth(pair[0])):
        by_id: dict[str, LockEntry] = {}
        for entry in entries:
            by_id[entry.id] = _united(by_id[entry.id], entry) if entry.id in by_id else entry
        if len(by_id) == 1:
            lock.update({address: next(iter(by_id.values()))})
            continue
        kind, _ = addresses.split(address)[-1]
        there = orgs
        if "/" in address:
            top = lock.get(addresses.join(None, "org", addresses.org_of(address)))
            above = orgs.get(top.id) if top is not None else None
            holder = _holder(address, above, lock)
            there = _by_id([*holder.of(kind).values()]) if holder is not None else {}
        alive = [i for i in by_id if i in there]
        if len(alive) == 1:
            lock[address] = by_id[alive[0]]
        else:
            names = tuple((i, there[i].handle if i in there else "") for i in sorted(by_id))
            undecided.append(Undecided(address, names))
    return lock, tuple(sorted(undecided, key=lambda u: u.address))


def _united(one: LockEntry, other: LockEntry) -> LockEntry:
    more = {
        name: value
        for name, value in {**one.more, **other.more}.items()
        if name not in one.more or name not in other.more or one.more[name] == other.more[name]
    }
    # two handles of one person: an older and a newer one, and the id finds them
    return LockEntry(one.id, one.handle or other.handle, more)
