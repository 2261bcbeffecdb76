"""Which names, keys and logins are one person. In doubt, two names are one, so that nobody can agree twice, or to their own gain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.access.maps import GRANT, MEMBER, WORKSPACE, Names
from reconciler.model.live import address_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.desired import Desired, Person
    from reconciler.model.live import Lock

FORGES = ("github", "gitlab")


class Persons:
    """Everyone of BASE, with every name that BASE, HEAD or the lock file gives them."""

    def __init__(self, base: Desired, head: Desired, lock: Lock, forge: str = "") -> None:
        self._above: dict[str, str] = {}
        accounts = {entry.address: entry.handle or entry.id for entry in lock.values() if entry.address}
        for desired in (base, head):
            names = Names(desired, lock)
            for name, person in desired.people.items():
                self._join(name, names.key(name))
                for other in _tokens(person, accounts):
                    self._join(name, other)
        self._logins: dict[str, set[str]] = {}
        for name in _names(base):
            for login in self._logins_of(name, base.people.get(name), forge):
                self._logins.setdefault(self.normal(login), set()).add(name)

    def group(self, name: str) -> str:
        """An id that all names and keys of one person share."""
        found = name
        while (above := self._above.get(found, found)) != found:
            found = above
        return found

    def of_login(self, login: str) -> frozenset[str]:
        """The names in BASE that have a login; several if BASE gives it to several."""
        return frozenset(self._logins.get(self.normal(login), ()))

    @staticmethod
    def normal(login: str) -> str:
        return login.strip().removeprefix("@").lower()

    def _join(self, one: str, other: str) -> None:
        left, right = self.group(one), self.group(other)
        if left != right:
            self._above[max(left, right)] = min(left, right)

    @staticmethod
    def _logins_of(name: str, person: Person | None, forge: str) -> tuple[str, ...]:
        """The logins of a person: only those that are written; without any, the name itself."""
        if person is None or not (person.github or person.gitlab):
            return (name,)
        written = {"github": person.github, "gitlab": person.gitlab}
        return tuple(login for where, login in written.items() if login and forge in ("", where))


def _tokens(person: Person, accounts: dict[str, str]) -> Iterator[str]:
    if person.handle is not None:
        yield person.handle
    if person.email is not None:
        digest = address_digest(person.email)
        yield person.email.lower()
        yield f"email {digest}"
        if digest in accounts:
            yield accounts[digest]
    # the same login is the same person, whoever BASE and HEAD say it is
    yield from (
        f"{where} {login.lower()}" for where, login in (("github", person.github), ("gitlab", person.gitlab)) if login
    )


def _names(desired: Desired) -> Iterator[str]:
    """Everyone whom the manifests name."""
    yield from desired.people
    for people in desired.teams.values():
        yield from people
    for org in desired.orgs.values():
        for holder, kind in ((org, MEMBER), *((space, GRANT) for space in org.children.get(WORKSPACE, {}).values())):
            yield from holder.children.get(kind, {})
            yield from (holder.expired or {}).get(kind, {})
