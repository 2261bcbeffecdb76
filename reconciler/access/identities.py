"""Who each name is, in BASE and in HEAD: what a review shows before everything else. Pure.

BASE's lock file is trusted. HEAD's is only the pull request's claim: it cannot hide who a name becomes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.access.maps import GRANT, MEMBER, WORKSPACE
from reconciler.kinds import org, service_account
from reconciler.model import address as addresses
from reconciler.model.live import address_digest
from reconciler.model.review import IdentityChange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.desired import Desired, Node, Person
    from reconciler.model.live import Lock, LockEntry


def identity_changes(base: Desired, head: Desired, base_lock: Lock, head_lock: Lock) -> Iterator[IdentityChange]:
    """Every name whose address or handle the manifests change, and every account that HEAD's lock file gives to a name.

    An account that comes to a name which is not the same person in BASE is an error, and so is any other id that comes to another
    name, unless `renamed_from` says so or the old name is gone and the new one is new.
    """
    yield from _people(base, head, base_lock)
    yield from _accounts(base, head, base_lock, head_lock)
    yield from _objects(base, head, base_lock, head_lock)


def _people(base: Desired, head: Desired, base_lock: Lock) -> Iterator[IdentityChange]:
    in_base, in_head = _used(base) | base.people.keys(), _used(head) | head.people.keys()
    for name in sorted(in_base & in_head):
        was, now = base.person(name), head.person(name)
        if (was.handle, _address(was)) == (now.handle, _address(now)):
            continue
        what = "handle" if was.handle != now.handle else "address"
        before, after = _said(was, base_lock), _said(now, base_lock)
        source = now.source or was.source
        yield IdentityChange(what, name, before=before, after=after, source=source)


def _address(person: Person) -> str | None:
    return address_digest(person.email) if person.email else None


def _said(person: Person, lock: Lock) -> str:
    """Who somebody is, with the account that BASE's lock file has for the address."""
    if person.handle is not None:
        return person.handle
    digest = _address(person)
    accounts = sorted(
        {
            entry.handle or entry.id
            for address, entry in lock.items()
            if (digest and entry.address == digest)
            or (entry.address is None and _is_person(address) and _name(address) == person.name)
        }
    )
    known = f", the account {' or '.join(accounts)}" if accounts else ""
    return f"{person.email or person.name}{known}"


def _used(desired: Desired) -> set[str]:
    """Every name that an org or a workspace lists."""
    return {
        name
        for org in desired.orgs.values()
        for holder, kind in ((org, MEMBER), *((space, GRANT) for space in org.children.get(WORKSPACE, {}).values()))
        for section in (holder.children.get(kind, {}), (holder.expired or {}).get(kind, {}))
        for name in section
    }


def _accounts(base: Desired, head: Desired, base_lock: Lock, head_lock: Lock) -> Iterator[IdentityChange]:
    names_of, now_of = _names(base_lock), _names(head_lock)
    handles = {
        entry.id: handle
        for address, entry in base_lock.items()
        if _is_person(address) and (handle := entry.handle or base.person(_name(address)).handle) is not None
    }
    used = _used(base) | _used(head)
    for address in sorted(head_lock):
        name, entry, before = _name(address), head_lock[address], base_lock.get(address)
        if not _is_person(address) or (before is not None and (before.id, before.address) == (entry.id, entry.address)):
            continue
        others = names_of.get(entry.id, set())
        former = sorted(
            other for other in others - {name} if not _same_person(base.person(other), head.person(name), base_lock)
        )
        twice = sorted(
            other
            for other in now_of[entry.id] - {name}
            if not _same_person(head.person(other), head.person(name), base_lock)
        )
        # somebody known by handle who was renamed outside: the old name is in no manifest any more
        renamed = (
            before is None
            and head.person(name).handle is not None
            and not any(other in used or other in base_lock for other in former)
        )
        moved = name not in others and bool(former) and not renamed
        if before is None and not others - {name} and not twice and head.person(name).handle is not None:
            continue  # an apply notes the account behind a handle that the manifests give
        after = _account(entry, handles)
        if before is not None and before.id == entry.id:
            after += " at another address" if entry.address is not None else " without the address of the invitation"
        yield IdentityChange(
            "account",
            name,
            address,
            _account(before, handles) if before is not None else None,
            after,
            former=tuple(former if moved or renamed else twice),
            error=moved or (bool(twice) and not set(twice) <= others),
        )
    for address in sorted(base_lock.keys() - head_lock.keys()):
        name = _name(address)
        if _is_person(address) and name in _used(head) and head.person(name).handle is None:
            yield IdentityChange("account", name, address, _account(base_lock[address], handles), None)


def _objects(base: Desired, head: Desired, base_lock: Lock, head_lock: Lock) -> Iterator[IdentityChange]:
    """Every id of anything but a person that HEAD's lock file replaces, or gives to another name."""
    addresses_of: dict[str, set[str]] = {}  # of each id, in either lock file
    for address, entry in (*base_lock.items(), *head_lock.items()):
        addresses_of.setdefault(entry.id, set()).add(address)
    for address in sorted(head_lock):
        entry, before = head_lock[address], base_lock.get(address)
        if _is_person(address) or (before is not None and before.id == entry.id):
            continue
        robot = addresses.kind_of(address) == service_account.KIND.name
        former = sorted(
            other
            for other in addresses_of[entry.id] - {address}
            if not any(_is_renamed(other, address, side) for side in (base, head))
        )
        if before is None and not former and not (robot and addresses.org_of(address) in base.orgs):
            continue  # an apply notes what it made, and `import` what is there
        # what was renamed outside has its new name in the manifests before the lock file has it
        taken = before is not None or any(
            _node(head, other) is not None or (_node(base, other) is not None and _node(base, address) is not None)
            for other in former
        )
        yield IdentityChange(
            "id",
            address,
            address,
            before.id if before is not None else None,
            entry.id,
            former=tuple(map(_name, former)),
            error=bool(former) and (robot or taken),
        )


def _names(lock: Lock) -> dict[str, set[str]]:
    """The names that each id has in a lock file."""
    found: dict[str, set[str]] = {}
    for address, entry in lock.items():
        found.setdefault(entry.id, set()).add(_name(address))
    return found


def _is_person(address: str) -> bool:
    return addresses.kind_of(address) == MEMBER


def _name(address: str) -> str:
    """What a reviewer knows it by: a person's name in the manifests, else the address."""
    kind, name = addresses.split(address)[-1]
    return name if kind == MEMBER else address


def _node(desired: Desired, address: str) -> Node | None:
    """What the manifests say of an address, None if they do not name it."""
    node: Node | None = None
    for kind, name in addresses.split(address):
        node = (
            desired.orgs.get(name) if kind == org.KIND.name else node.children.get(kind, {}).get(name) if node else None
        )
    return node


def _is_renamed(old: str, new: str, desired: Desired) -> bool:
    """Whether `renamed_from` leads from one address to the other, on whatever level."""
    before, after = addresses.parts_of(old), addresses.parts_of(new)
    if len(before) != len(after):
        return False
    for place, (was, now) in enumerate(zip(before, after, strict=True), 1):
        if was != now:
            node = _node(desired, "/".join(after[:place]))
            kind, _, name = was.partition(".")
            if node is None or node.renamed_from != name or kind != now.partition(".")[0]:
                return False
    return True


def _account(entry: LockEntry, handles: Mapping[str, str]) -> str:
    """An account by its id, and by the handle that BASE's lock file has for the id. HEAD's may be wrong on purpose."""
    if entry.id in handles:
        return f"{handles[entry.id]} ({entry.id})"
    return f"{entry.id}, which the lock file calls {entry.handle}" if entry.handle is not None else entry.id


def _same_person(was: Person, now: Person, base_lock: Lock) -> bool:
    """Whether the manifests say of two names that they are one person: by the same handle, or by the same address."""
    if was.handle is not None and now.handle is not None:
        return was.handle == now.handle
    if was.handle is None and now.handle is None:
        return _address(was) is not None and _address(was) == _address(now)
    handle = was.handle or now.handle
    digest = _address(was if was.handle is None else now)
    return any(entry.handle == handle and entry.address == digest for entry in base_lock.values() if digest)
