"""Match the people that the manifests name with the live members of one org."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import member
from reconciler.model import address as addresses
from reconciler.plan.identity import doubts, evidence, invitations
from reconciler.safeguards.worksheet import Who

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from reconciler.model.desired import Desired, Person
    from reconciler.model.diagnostic import Refusal
    from reconciler.model.live import Identity, LockEntry, Resource, TenantMember
    from reconciler.plan.identity.lock_index import Known


class People(msgspec.Struct):
    """What `match_people` found. `spared` are user ids that a refusal is about: nothing is planned for their rows."""

    found: dict[str, Who] = msgspec.field(default_factory=dict)  # by name
    refusals: list[Refusal] = msgspec.field(default_factory=list)  # who is meant is open
    spared: set[str] = msgspec.field(default_factory=set)  # ids
    notes: list[str] = msgspec.field(default_factory=list)  # about what was read
    consequences: list[str] = msgspec.field(default_factory=list)  # what a plan does because of them
    disputed: set[str] = msgspec.field(
        default_factory=set
    )  # accounts of the org that the lock file gives to several people
    waiting: set[str] = msgspec.field(default_factory=set)  # whose gone invitation will be sent again on a future day


class Scene(msgspec.Struct, frozen=True):
    """One org in which people are looked for."""

    # What is live
    org: str  # its address
    members: Mapping[str, Resource]  # live rows that can be changed here, by handle
    inherited: Mapping[str, Resource]  # live rows of the level above, by handle
    actor: str  # the user id of the token's own user
    identities: Mapping[str, Identity | None]  # who has the handle of somebody who will be let in
    emails: Mapping[str, tuple[TenantMember, ...]] | None = (
        None  # who has which address, where the org's tenant lists it
    )
    new: bool = False  # yet to be made: it holds nobody who could be doubtful

    # What the manifests do not want
    unwanted: Collection[str] = ()  # names that the manifests only want gone: nobody is invited for them
    ignored: Collection[str] = ()  # ids of rows that the manifests leave to others

    @property
    def place(self) -> str:
        """The org as a person calls it."""
        return self.org.partition(".")[2]


def match_people(scene: Scene, names: Iterable[str], desired: Desired, lock: Known) -> People:
    """Find each named person among an org's live members.

    Somebody known by handle is the live row of that handle, unless the lock file knows another account by that name.
    Somebody known by email only is found by the lock file's entries for that address (`evidence`), or in a custom tenant
    through the tenant's list: Pipes gives emails back nowhere else. What is in doubt is refused (`who-is-this`, `rename`).
    No two names lead to one account.
    """
    people = People()
    by_id = {row.id: row for row in scene.members.values()}
    in_tenant = {one.handle: one.id for found in (scene.emails or {}).values() for one in found}
    leads_to: dict[str, list[str]] = {}  # account -> names
    for name in names:
        handle = desired.handle(name)
        if handle is None:
            account = _by_email(people, scene, desired.person(name), desired, lock, by_id)
        else:
            account = _by_handle(people, scene, name, handle, desired, lock, by_id) or in_tenant.get(handle)
        if account is not None:
            leads_to.setdefault(account, []).append(name)
    _refuse_second_names(people, scene, leads_to, desired, by_id)
    people.spared |= people.disputed - {who.have.id for who in people.found.values() if who.have is not None}
    # who took the handle of one listed person is perhaps another one of them, under a new name
    for name, taken in list(people.found.items()):
        if taken.have is not None and taken.have.id in people.spared:
            del people.found[name]
            former = lock.names_in_org.get(scene.org, {}).get(taken.have.id, "somebody else")
            people.refusals.append(doubts.handle_taken_over(scene.org, desired.person(name), taken.have, former))
    if not scene.new:
        _refuse_doubtful_invitations(people, scene, desired, lock)
    _say_whose_accounts(people, scene, desired)
    return people


def _by_handle(
    people: People, scene: Scene, name: str, handle: str, desired: Desired, lock: Known, by_id: Mapping[str, Resource]
) -> str | None:
    """Find somebody whom the manifests know by handle; returns the account that this leads to, where one is known."""
    have = scene.members.get(handle)
    entry = lock.entries.get(addresses.join(scene.org, member.KIND.name, name))
    ids = {entry.id} if entry else lock.ids_of_name.get(name, set())
    if have is not None and (not ids or have.id in ids):  # nearly everybody in nearly every plan
        people.found[name] = Who(name, have.handle, have, scene.inherited.get(have.handle))
        return have.id
    person = desired.person(name)
    holder = scene.identities.get(handle)
    renamed = next((by_id[i] for i in sorted(ids) if i in by_id and by_id[i].handle != handle), None)
    if renamed is not None:
        people.spared.add(renamed.id)
        other = have.id if have is not None else holder.id if holder is not None and holder.id not in ids else None
        people.refusals.append(doubts.person_renamed(scene.org, person, renamed, entry, other))
    elif have is not None:
        people.refusals.append(doubts.other_person(scene.org, person, have.id, ids, lock))
    elif ids and handle in scene.identities and holder is None:
        people.refusals.append(doubts.person_gone(scene.org, person, ids))
    elif ids and holder is not None and holder.id not in ids:
        people.refusals.append(doubts.other_person(scene.org, person, holder.id, ids, lock))
    else:
        inherited = scene.inherited.get(handle)
        people.found[name] = Who(name, handle, None, inherited)
        if entry is not None and inherited is None and name not in scene.unwanted:
            people.notes.append(invitations.invited_again(scene, name))
        return inherited.id if inherited is not None else holder.id if holder is not None else None
    if have is not None:
        people.spared.add(have.id)
    return None


def _by_email(
    people: People, scene: Scene, person: Person, desired: Desired, lock: Known, by_id: Mapping[str, Resource]
) -> str | None:
    """Find somebody whom the manifests know by email only; returns the account that this leads to, where one is known."""
    name, org = person.name, scene.org
    known = evidence.of_person(org, person, desired, lock)
    rows = [by_id[i] for i in sorted(known.ids) if i in by_id]
    former = by_id.get(known.corrected.id) if known.corrected is not None else None
    undigested = by_id.get(known.undigested.id) if known.undigested is not None else None
    in_tenant = (scene.emails or {}).get((person.email or "").lower())
    entry = known.entry or known.undigested
    if known.disputed:
        people.disputed |= known.disputed & by_id.keys()
        why = f"{known.dispute}: that is two people, or one under two names"
        doubts.who_is_this(people, org, person, why, DISPUTED)
        return next(iter(known.disputed)) if len(known.disputed) == 1 else None
    if len(rows) > 1:
        people.spared.update(row.id for row in rows)
        known_as = f"the lock file knows {name} as {', '.join(sorted(known.ids))}, which are several people"
        doubts.who_is_this(people, org, person, known_as)
    elif rows:
        people.found[name] = Who(name, rows[0].handle, rows[0])
        invitations.open_for_long(people, org, name, rows[0], desired)
        return rows[0].id
    elif in_tenant:
        return _of_the_tenant(people, scene, person, entry, by_id, in_tenant)
    elif undigested is not None:
        people.spared.add(undigested.id)
        why = f"the lock file knows {name} as {undigested.handle}'s account, and does not say at which address it was invited"
        doubts.who_is_this(people, org, person, why, UNDIGESTED)
    elif former is not None:
        pending = former.attrs.get("status") == member.INVITED
        if pending and name not in scene.unwanted:
            people.found[name] = Who(name, _key(scene, person), None, by_email=True, replaces=former)
        else:
            people.found[name] = Who(name, former.handle, former, uncertain=not pending)
        return former.id
    elif name in scene.unwanted:
        people.found[name] = Who(name, name, None)
    elif entry is not None and not invitations.send_again(people, scene, person, entry, desired):
        invitations.gone(people, scene, person, entry, desired)
        return entry.id
    else:
        people.found[name] = Who(name, _key(scene, person), None, by_email=True)
        return next(iter(known.ids)) if len(known.ids) == 1 else None
    return None


def _key(scene: Scene, person: Person) -> str:
    """The name of somebody who is invited by email, until Pipes gives the handle: their name, or the address where a
    live row has that name as its handle.
    """
    return person.name if person.name not in scene.members else person.email or person.name


DISPUTED = (
    "; or correct the lock file, where a reviewer sees it: `reconciler lock` finds the ids of people known by handle"
)
UNDIGESTED = "; or let `reconciler lock --seal` add the address, which shows whose account it is and asks"


def _refuse_second_names(
    people: People, scene: Scene, leads_to: Mapping[str, list[str]], desired: Desired, by_id: Mapping[str, Resource]
) -> None:
    """Refuse every name of an account that several names lead to, and plan nothing for that account."""
    for account, names in leads_to.items():
        if len(names) < 2:
            continue
        if account in by_id:
            people.spared.add(account)
        row = by_id.get(account)
        for name in names:
            people.found.pop(name, None)
            people.refusals = [
                r for r in people.refusals if r.address != addresses.join(scene.org, member.KIND.name, name)
            ]
            people.refusals.append(doubts.second_name(scene.org, desired.person(name), names, row))


def _say_whose_accounts(people: People, scene: Scene, desired: Desired) -> None:
    """Say whose account each name known by email is, where the handle is another word: no manifest says it."""
    said = []
    for name, who in sorted(people.found.items()):
        row = who.replaces or who.have or who.inherited
        if row is not None and desired.handle(name) is None and row.handle != name:
            said.append(f"{name} is {row.handle}'s account")
        if who.uncertain and row is not None:
            people.notes.append(invitations.other_address(scene, desired.person(name), row))
    if said:
        people.notes.append(f"in {scene.place}, {', '.join(said)}: the manifests give only the addresses")


def _of_the_tenant(
    people: People,
    scene: Scene,
    person: Person,
    entry: LockEntry | None,
    by_id: Mapping[str, Resource],
    found: tuple[TenantMember, ...],
) -> str | None:
    """Find a person by the email that the tenant's list has for them; returns the account."""
    if len(found) > 1:
        users = " and ".join(sorted(one.handle for one in found))
        doubts.who_is_this(
            people, scene.org, person, f"the tenant has several users with that address, {users}", elsewhere=True
        )
    elif entry is not None and entry.id != found[0].id:
        why = f"the lock file knows {person.name} as {entry.id}, and in the tenant that address is {found[0].handle}'s"
        doubts.who_is_this(
            people, scene.org, person, f"{why} ({found[0].id}): it may be another person", elsewhere=True
        )
        people.spared.add(found[0].id)
    else:
        have = by_id.get(found[0].id)
        handle = have.handle if have is not None else found[0].handle
        people.found[person.name] = Who(person.name, handle, have, scene.inherited.get(handle))
        return found[0].id
    return None


def _refuse_doubtful_invitations(people: People, scene: Scene, desired: Desired, lock: Known) -> None:
    """Refuse first invitations while a row may be the same person: pending, or let in by this token's own user, and
    explained by nothing that the manifests or the lock file know.
    """
    first_invitations = [name for name, who in people.found.items() if who.by_email and who.replaces is None]
    if not first_invitations and not any(refusal.code == "who-is-this" for refusal in people.refusals):
        return
    explained = {who.have.id for who in people.found.values() if who.have is not None} | people.spared
    explained.update(lock.names_in_org.get(scene.org, {}))
    explained.update(scene.ignored)
    suspects = [
        row
        for row in scene.members.values()
        if row.id not in explained
        and not member.is_service_account(row.attrs)  # nobody is invited as one
        and (row.attrs.get("status") == member.INVITED or row.attrs.get("by") == scene.actor)
    ]
    if not suspects:
        return
    handles = _handles(desired)
    ids = {entry_id for known in lock.names_in_org.values() for entry_id in known}
    strangers = sorted((row.handle, row) for row in suspects if row.handle not in handles and row.id not in ids)
    if not strangers:
        return
    who = ", ".join(handle for handle, _ in strangers[:5]) + (" and others" if len(strangers) > 5 else "")
    # a name that means an address cannot be listed as somebody else's handle
    other = next((handle for handle, _ in strangers if handle not in desired.people), None)
    otherwise = f"; or say who {other} is: list that handle, or state `{other}: {{absent: true}}`" if other else ""
    pending = all(row.attrs.get("status") == member.INVITED for _, row in strangers)
    one = len(strangers) == 1
    if pending:
        fact = f"{'has a pending invitation' if one else 'have pending invitations'} that neither the manifests nor the lock file explain"
    else:
        fact = (
            f"{'was' if one else 'were'} let in by this token's user, and neither the manifests nor the lock file say who "
            f"{'that is' if one else 'they are'}"
        )
    for name in first_invitations:
        del people.found[name]
        doubts.who_is_this(
            people,
            scene.org,
            desired.person(name),
            f"{who} {fact}; {'it' if one else 'one of them'} may be the same person",
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
