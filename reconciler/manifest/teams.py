"""Teams: who is in each, nested teams included, and what is wrong with their entries."""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING

from reconciler.manifest.name_lists import MANY, circle_of, first_of
from reconciler.manifest.people import same_person

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import date

    from reconciler.manifest.check import Gaps
    from reconciler.manifest.merge import Reporter, TeamEntry, Written
    from reconciler.model.diagnostic import Source


def flatten(teams: Mapping[str, tuple[Source, list[TeamEntry]]], report: Reporter) -> dict[str, dict[str, date | None]]:
    """The people of each team, those of teams inside it included, in the order written, and the first day without each.

    Somebody who is in a team in several ways is in it as long as the longest of them. A team in a circle keeps its own people.
    """
    flat: dict[str, dict[str, date | None]] = {}
    state: dict[str, int] = {}  # 1 while its teams are being expanded, 2 when done
    for top in teams:
        # A stack of our own: a long chain of teams must not be a RecursionError.
        stack: list[tuple[str, Iterator[TeamEntry], date | None]] = []
        if top not in state:
            stack.append((top, iter(teams[top][1]), None))
        trail = [top]
        state.setdefault(top, 1)
        flat.setdefault(top, {})
        while stack:
            name, entries, until = stack[-1]
            for entry in entries:
                inner = entry.name.removeprefix("team/")
                if inner == entry.name:
                    _add(flat[name], inner, entry.expires)
                elif inner not in teams:
                    pass  # `check_entries` reports it
                elif state.get(inner) == 1:
                    circle = [*trail[trail.index(inner) :], inner]
                    report.error(
                        f"teams contain each other in a circle: {circle_of(circle)}",
                        entry.source,
                        hint="a team cannot contain itself",
                        also=teams[inner][0],
                    )
                elif state.get(inner) == 2:
                    _add_all(flat[name], flat[inner], entry.expires)
                else:
                    state[inner] = 1
                    flat[inner] = {}
                    trail.append(inner)
                    stack.append((inner, iter(teams[inner][1]), entry.expires))
                    break
            else:
                state[name] = 2
                stack.pop()
                trail.pop()
                if stack:
                    _add_all(flat[stack[-1][0]], flat[name], until)
    return flat


def _add(people: dict[str, date | None], name: str, end: date | None) -> None:
    known = people.get(name, end)
    people[name] = None if known is None or end is None else max(known, end)


def _add_all(people: dict[str, date | None], inside: Mapping[str, date | None], end: date | None) -> None:
    """Add the people of a team that is inside another until `end`."""
    for name, own in inside.items():
        _add(people, name, own if end is None else end if own is None else min(own, end))


def is_over(end: date | None, today: date) -> bool:
    """Whether an entry with this end does not count any more."""
    return end is not None and end <= today


def unknown_team(name: str, source: Source, teams: Collection[str], report: Reporter, gaps: Gaps) -> None:
    if gaps.everything or gaps.teams:
        return
    near = None if report.full("error") else report.speller.nearest(name.removeprefix("team/"), teams)
    if near:
        hint = f"did you mean `team/{near}`?"
    elif teams:
        hint = f"the teams here are {first_of(nsmallest(MANY, teams), len(teams))}"
    else:
        hint = "no manifest has a `teams:` section"
    report.error(f"there is no team `{name}`", source, hint=hint)
    gaps.people = True


def check_entries(teams: Collection[str], written: Written, report: Reporter, gaps: Gaps) -> None:
    """Refuse unknown teams and people named twice in a team."""
    for name, (_, entries) in written.teams.items():
        first: dict[str, Source] = {}
        for entry in entries:
            item, source = entry.name, entry.source
            also = first.setdefault(item, source)
            if also is not source:
                report.error(f"`{item}` is in team {name} twice", source, hint="keep one of them", also=also)
            if item.startswith("team/") and item.removeprefix("team/") not in written.teams:
                unknown_team(item, source, teams, report, gaps)
        same_person(first, written.people, f"team {name}", report)
