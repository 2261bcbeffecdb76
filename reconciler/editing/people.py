"""Whom a name, a handle or an address means, by the manifests and the lock file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.kinds import KINDS, service_account
from reconciler.model import address as addresses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Lock


@dataclass(frozen=True, slots=True)
class Somebody:
    """One person: all names that the manifests use for them, and the Pipes handles that those mean."""

    names: frozenset[str]
    handles: frozenset[str]

    def __contains__(self, name: str) -> bool:
        return name in self.names


def people_called(asked: str, desired: Desired, lock: Lock) -> list[Somebody]:
    """Whom a name, a Pipes handle or an address can mean, as far as the manifests and the lock file know.

    None for nobody; more than one where it is one person's name and another one's handle.
    """
    marks = {name: _marks(name, desired, lock) for name in everyone(desired)}
    found: list[Somebody] = []
    for first in ({f"name {asked}"}, {f"handle {asked}"}, {f"email {asked.lower()}"}):
        grown, names = set(first), set[str]()
        while more := {name for name, own in marks.items() if own & grown} - names:
            names |= more
            grown |= {mark for name in more for mark in marks[name] if not mark.startswith("name ")}
        handles = {mark.removeprefix("handle ") for mark in grown if mark.startswith("handle ")}
        somebody = Somebody(frozenset(names), frozenset(handles))
        if names and all(somebody.names != other.names for other in found):
            found.append(somebody)
    return found


def _marks(name: str, desired: Desired, lock: Lock) -> set[str]:
    """What identifies the person behind a name: its handle, also the one that an invitation was answered with, and its address."""
    person = desired.person(name)
    handles = {person.handle} if person.handle is not None else set()
    if person.handle is None:
        handles |= {
            entry.handle
            for address, entry in lock.items()
            if entry.handle is not None and address.rpartition("/member.")[2] == name
        }
    found = {f"name {name}", *(f"handle {handle}" for handle in handles)}
    return found | ({f"email {person.email.lower()}"} if person.email is not None else set())


def everyone(desired: Desired) -> set[str]:
    """Every name of a person that the manifests use anywhere."""
    found = set(desired.people) | {name for people in desired.teams.values() for name in people}
    found |= {name for ends in desired.team_ends.values() for name in ends if not name.startswith("team/")}
    for _, node in entries_of_people(desired):
        found.add(node.name)
    for org_node in desired.orgs.values():
        for account in org_node.children.get(service_account.NAME, {}).values():
            who = account.attrs.get(service_account.RESPONSIBLE)
            if who and not who.startswith("team/"):
                found.add(who)
    return found


def entries_of_people(desired: Desired) -> Iterator[tuple[str, Node]]:
    """Every entry that names a person, with its address; expired ones too."""

    def below(address: str, node: Node) -> Iterator[tuple[str, Node]]:
        for group in (node.children, node.expired or {}):
            for kind, there in group.items():
                for name, one in there.items():
                    place = addresses.join(address, kind, name)
                    if KINDS[kind].names_people:
                        yield place, one
                    else:
                        yield from below(place, one)

    for name, node in desired.orgs.items():
        yield from below(f"org.{name}", node)
