"""Who each name is, in BASE and in HEAD: what a review shows before everything else. Pure.

BASE's lock file is trusted. HEAD's is only the pull request's claim: it cannot hide who a name becomes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.access.maps import GRANT, MEMBER, WORKSPACE
from reconciler.model import address as addresses
from reconciler.model.live import address_digest
from reconciler.model.review import IdentityChange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.desired import Desired, Person
    from reconciler.model.live import Lock, LockEntry


def identity_changes(base: Desired, head: Desired, base_lock: Lock, head_lock: Lock) -> Iterator[IdentityChange]:
    """Every name whose address or handle the manifests change, and every account that HEAD's lock file gives to a name.

    An account that comes to a name which is not the same person in BASE is an error.
    """
    yield from _people(base, head, base_lock)
    yield from _accounts(base, head, base_lock, head_lock)


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
            if (digest and entry.address == digest) or (entry.address is None and _name(address) == person.name)
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
    names_of: dict[str, set[str]] = {}  # account -> its names in BASE's lock file
    now_of: dict[str, set[str]] = {}
    for lock, found in ((base_lock, names_of), (head_lock, now_of)):
        for address, entry in lock.items():
            if (name := _name(address)) is not None:
                found.setdefault(entry.id, set()).add(name)
    for address in sorted(head_lock):
        name, entry, before = _name(address), head_lock[address], base_lock.get(address)
        if name is None or (before is not None and (before.id, before.address) == (entry.id, entry.address)):
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
        moved = name not in others and bool(former)
        if before is None and not others - {name} and not twice and head.person(name).handle is not None:
            continue  # an apply notes the account behind a handle that the manifests give
        yield IdentityChange(
            "account",
            name,
            address,
            _account(before) if before is not None else None,
            _account(entry),
            former=tuple(former if moved else twice),
            error=moved or (bool(twice) and not set(twice) <= others),
        )
    for address in sorted(base_lock.keys() - head_lock.keys()):
        if (name := _name(address)) is not None and name in _used(head) and head.person(name).handle is None:
            yield IdentityChange("account", name, address, _account(base_lock[address]), None)


def _name(address: str) -> str | None:
    kind, name = addresses.split(address)[-1]
    return name if kind == MEMBER else None


def _account(entry: LockEntry) -> str:
    return f"{entry.handle} ({entry.id})" if entry.handle is not None else entry.id


def _same_person(was: Person, now: Person, base_lock: Lock) -> bool:
    """Whether the manifests say of two names that they are one person: by the same handle, or by the same address."""
    if was.handle is not None and now.handle is not None:
        return was.handle == now.handle
    if was.handle is None and now.handle is None:
        return _address(was) is not None and _address(was) == _address(now)
    handle = was.handle or now.handle
    digest = _address(was if was.handle is None else now)
    return any(entry.handle == handle and entry.address == digest for entry in base_lock.values() if digest)
