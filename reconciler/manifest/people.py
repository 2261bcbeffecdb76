"""One person under two names: by `people:`, and where both names are used in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.manifest.merge import Reporter
    from reconciler.model.desired import Person
    from reconciler.model.diagnostic import Source


def identity_of(name: str, people: Mapping[str, Person]) -> str:
    """What identifies a person: the Pipes handle, else the address in lower case (which no handle can equal)."""
    person = people.get(name)
    if person is None:
        return name
    return person.handle if person.handle is not None else (person.email or name).lower()


def one_name_a_person(people: Mapping[str, Person], report: Reporter) -> None:
    first: dict[str, Person] = {}
    for person in people.values():
        keys = [person.handle, person.email.lower() if person.email else None]
        for key in keys:
            other = first.setdefault(key, person) if key is not None else person
            if other is not person:
                assert person.source is not None
                report.warning(
                    f"{other.name} and {person.name} are the same person in Pipes ({key})",
                    person.source,
                    hint="keep one name",
                    also=other.source,
                )
                break


def handle_of_a_name(used: Mapping[str, Source], people: Mapping[str, Person], report: Reporter) -> None:
    """Warn if somebody who has a name in `people` is also written by handle."""
    refused = {found.source for found in report.found}
    warned: set[str] = set()
    for person in people.values():
        handle = person.handle
        if handle is None or handle in people or handle in warned or handle not in used or used[handle] in refused:
            continue
        warned.add(handle)
        report.warning(
            f"{handle} is the Pipes handle of {person.name}",
            used[handle],
            hint=f"write `{person.name}`",
            also=person.source,
        )


def same_person(entries: Mapping[str, Source], people: Mapping[str, Person], where: str, report: Reporter) -> None:
    """Refuse two names of one person in one place."""
    aliased = [name for name in entries if name in people]
    if not aliased:
        return
    first: dict[str, str] = {}
    for name in aliased:
        identity = identity_of(name, people)
        other = first.setdefault(identity, name)
        if other == name and identity != name and identity in entries and identity not in people:
            other = identity
        if other != name:
            one, two = sorted(
                (entries[other], entries[name]), key=lambda source: (source.file, source.line, source.column)
            )
            report.error(
                f"{other} and {name} are the same person in Pipes, and both are in {where}",
                two,
                hint="keep one of the two names",
                also=one,
            )
