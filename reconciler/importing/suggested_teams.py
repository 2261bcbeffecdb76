"""Teams for an org that is written for the first time: where the same people recur, as a person would write them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from reconciler.model.address import SERVICE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    Place = tuple[str, str | None]  # an org's members, or with a workspace its grants
    People = frozenset[str]

LONGEST = 39  # of a name


def suggested(
    orgs: Mapping[str, Mapping[str, Any]], known: Mapping[str, Collection[str]]
) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    """New teams, and the orgs with team entries in place of people's; what they ask for is the same.

    `orgs` is what a manifest says of each org, with a role for each person. People recur where all that have one role in
    one place have one role in another place too. A team is used wherever all of its people have one role and none is
    in another team there, so that neither precedence nor the order of entries matters. Teams of `known` (flattened) with
    just these people are used under their names.
    """
    left: dict[tuple[Place, str], set[str]] = {}
    for place, section in _sections(orgs):
        for name, role in section.items():
            if not name.startswith(SERVICE):  # a team has people only
                left.setdefault((place, role), set()).add(name)
    whole = {key: frozenset(found) for key, found in left.items()}
    uses: dict[People, list[tuple[Place, str]]] = {}
    for people in _recurring(whole):
        places = [key for key, names in left.items() if people <= names]
        if _recurs(people, places, whole):
            uses[people] = places
            for key in places:
                left[key] -= people
    names = {frozenset(people): name for name, people in reversed(list(known.items()))}
    taken = set(known)
    teams: dict[str, list[str]] = {}
    for people, places in sorted(uses.items(), key=lambda item: (item[1][0][0][0], sorted(item[0]))):
        if people not in names:
            names[people] = _free(_name(places), taken)
            taken.add(names[people])
            teams[names[people]] = sorted(people)
    return dict(sorted(teams.items())), _with_teams(orgs, uses, names)


def _sections(orgs: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[Place, Mapping[str, str]]]:
    for org, data in orgs.items():
        yield (org, None), data.get("members", {})
        for space, inner in data.get("workspaces", {}).items():
            yield (org, space), inner.get("members", {})


def _recurring(whole: Mapping[tuple[Place, str], People]) -> list[People]:
    """The sets that could be teams, those that save most first."""
    times = Counter(whole.values())
    found = [people for people in times if len(people) > 1]
    return sorted(found, key=lambda people: (-times[people], -len(people), sorted(people)))


def _recurs(people: People, places: list[tuple[Place, str]], whole: Mapping[tuple[Place, str], People]) -> bool:
    """Whether exactly these people are in two places, or all of them in two workspaces. Being members together does not count."""
    exact = sum(whole[key] == people for key in places)
    return exact > 1 or (exact == 1 and sum(place[1] is not None for place, _ in places) > 1)


def _name(places: list[tuple[Place, str]]) -> str:
    """After the workspaces where they recur, or the role that they have everywhere."""
    granted = [(place[1], role) for place, role in places if place[1] is not None]
    spaces = sorted({space for space, _ in granted if space is not None})
    roles = sorted({role for _, role in granted} or {role for _, role in places})
    role = f"{roles[0]}s" if len(roles) == 1 else ""
    where = "-".join(spaces) if len(spaces) < 3 else ""
    name = "-".join(part for part in (where, role) if part) or "everywhere"
    return name if len(name) <= LONGEST - 3 else role or "everywhere"


def _free(name: str, taken: Collection[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def _with_teams(
    orgs: Mapping[str, Mapping[str, Any]], uses: Mapping[People, list[tuple[Place, str]]], names: Mapping[People, str]
) -> dict[str, dict[str, Any]]:
    by_place: dict[Place, list[tuple[People, str]]] = {}
    for people, places in uses.items():
        for place, role in places:
            by_place.setdefault(place, []).append((people, role))

    def entries(place: Place, section: Mapping[str, str]) -> dict[str, str]:
        teams = {f"team/{names[people]}": role for people, role in by_place.get(place, ())}
        covered = {name for people, _ in by_place.get(place, ()) for name in people}
        return dict(sorted({**{n: role for n, role in section.items() if n not in covered}, **teams}.items()))

    def inside(place: Place, data: Mapping[str, Any]) -> dict[str, Any]:
        return {key: entries(place, value) if key == "members" else value for key, value in data.items()}

    made = {}
    for org, data in orgs.items():
        made[org] = inside((org, None), data)
        if "workspaces" in data:
            made[org]["workspaces"] = {
                space: inside((org, space), inner) for space, inner in data["workspaces"].items()
            }
    return made
