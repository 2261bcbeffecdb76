"""Match the people that the manifests name with the live members of one org."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.kinds import member
from reconciler.model import address as addresses
from reconciler.plan.identity import doubts, invitations
from reconciler.safeguards.worksheet import Who

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from reconciler.model.desired import Desired, Person
    from reconciler.model.diagnostic import Refusal
    from reconciler.model.live import Identity, LockEntry, Resource, TenantMember
    from reconciler.plan.identity.lock_index import Known


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
                invitations.open_for_long(people, org, name, rows[0], desired)
            elif rows:
                known_as = f"the lock file knows {name} as {', '.join(sorted(ids))}, which are several people"
                doubts.who_is_this(people, org, person, known_as)
            elif scene.emails is not None and scene.emails.get((person.email or "").lower()):
                _of_the_tenant(people, scene, person, entry, by_id)
            elif name in scene.unwanted:
                people.found[name] = Who(name, name, None)
            elif entry is not None and not invitations.send_again(people, scene, person, entry, desired):
                invitations.gone(people, scene, person, entry, desired)
            else:
                people.found[name] = Who(name, name, None, by_email=True)
                first_invitations.append(name)
            continue
        renamed = next((by_id[i] for i in sorted(ids) if i in by_id and by_id[i].handle != person.handle), None)
        if renamed is not None:
            people.spared.add(renamed.id)
            people.refusals.append(doubts.person_renamed(org, person, renamed))
        elif have is not None:
            people.refusals.append(doubts.other_person(org, person, have.id, ids, lock))
        elif ids and person.handle in scene.identities:
            holder = scene.identities[person.handle]
            if holder is None:
                people.refusals.append(doubts.person_gone(org, person, ids))
            elif holder.id not in ids:
                people.refusals.append(doubts.other_person(org, person, holder.id, ids, lock))
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
            people.refusals.append(doubts.handle_taken_over(org, desired.person(name), taken.have, former))
    if first_invitations and not scene.new:
        _refuse_doubtful_invitations(people, scene, first_invitations, desired, lock)
    return people


def _of_the_tenant(
    people: People, scene: Scene, person: Person, entry: LockEntry | None, by_id: Mapping[str, Resource]
) -> None:
    """Find a person by the email that the tenant's list has for them."""
    assert scene.emails is not None
    found = scene.emails[(person.email or "").lower()]
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


def _refuse_doubtful_invitations(
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
        doubts.who_is_this(
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
