"""Resolves written entries into Desired: expands teams, sets expired entries apart, refuses what contradicts itself.

Precedence for one person in one section: a direct entry (`absent: true` included) before any team's; between teams the
stronger role. An entry whose day has come counts as the role that its `then` names; without `then` as not written, so
that the next entry in that order applies.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING

from reconciler.kinds import KINDS, named_below
from reconciler.manifest import json_schema, references
from reconciler.manifest.merge import Reporter
from reconciler.manifest.spelling import Speller
from reconciler.model.desired import Desired, Node, Rules

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

    from reconciler.manifest.check import Gaps
    from reconciler.manifest.document import Document
    from reconciler.manifest.merge import Section, Written
    from reconciler.model.desired import Person
    from reconciler.model.diagnostic import Diagnostic, Source

_MANY = 5


def resolve(written: Written, today: date, report: Reporter, gaps: Gaps) -> Desired:
    """What the manifests ask for on `today`."""
    rules = Rules(**{key: value for key, (value, _) in written.rules.items()})
    _one_name_a_person(written.people, report)
    before = report.count
    teams = flatten(written.teams, report)
    _entries_of_teams(teams, written, report, gaps)
    if report.count > before:
        gaps.people = True  # a team in a circle, or with an unknown team in it, has fewer people than intended
    used: dict[str, Source] = {}
    for handle, org in written.orgs.items():
        if _stands_alone(org, f"org {handle}", report):
            continue
        section = written.people_of.get(handle)
        if section is not None:
            _members(org, section, "orgRole", teams, written.people, today, report, gaps, used)
            _owners(org, section, rules, report, gaps)
        for workspace in _named(org, handle, written, report).get("workspace", {}).values():
            where = f"{handle}/{workspace.name}"
            grants = written.people_of.get(where)
            if grants is not None and not workspace.absent:
                _members(workspace, grants, "grantRole", teams, written.people, today, report, gaps, used)
                if section is not None:
                    _granted_to_members(org, workspace, where, written.people, report, gaps)
        references.check(org, gaps.org(handle), report)
    _one_rename_each(written.orgs, report)
    _handle_of_a_name(used, written.people, report)
    return Desired(
        orgs=written.orgs,
        people=written.people,
        rules=rules,
        day=today,
        resend_after=written.resend_after[0] if written.resend_after is not None else None,
        teams={name: tuple(sorted(people)) for name, people in teams.items()},
        nested={name: tuple(item for item, _ in entries) for name, (_, entries) in written.teams.items()},
    )


# --- teams ---


def flatten(
    teams: Mapping[str, tuple[Source, list[tuple[str, Source]]]], report: Reporter
) -> dict[str, dict[str, None]]:
    """The people of each team, those of teams inside it included, in the order written.

    A team in a circle keeps its own people.
    """
    flat: dict[str, dict[str, None]] = {}
    state: dict[str, int] = {}  # 1 while its teams are being expanded, 2 when done
    for top in teams:
        # A stack of our own: a long chain of teams must not be a RecursionError.
        stack = [(top, iter(teams[top][1]))] if top not in state else []
        trail = [top]
        state.setdefault(top, 1)
        flat.setdefault(top, {})
        while stack:
            name, entries = stack[-1]
            for item, source in entries:
                inner = item.removeprefix("team/")
                if inner == item:
                    flat[name][item] = None
                elif inner not in teams:
                    pass  # `_entries_of_teams` reports it
                elif state.get(inner) == 1:
                    circle = [*trail[trail.index(inner) :], inner]
                    report.error(
                        f"teams contain each other in a circle: {_chain(circle)}",
                        source,
                        hint="a team cannot contain itself",
                        also=teams[inner][0],
                    )
                elif state.get(inner) == 2:
                    flat[name].update(flat[inner])
                else:
                    state[inner] = 1
                    flat[inner] = {}
                    trail.append(inner)
                    stack.append((inner, iter(teams[inner][1])))
                    break
            else:
                state[name] = 2
                stack.pop()
                trail.pop()
                if stack:
                    flat[stack[-1][0]].update(flat[name])
    return flat


def _unknown_team(name: str, source: Source, teams: Collection[str], report: Reporter, gaps: Gaps) -> None:
    if gaps.everything or gaps.teams:
        return
    near = None if report.full("error") else report.speller.nearest(name.removeprefix("team/"), teams)
    if near:
        hint = f"did you mean `team/{near}`?"
    elif teams:
        hint = f"the teams here are {_first(nsmallest(_MANY, teams), len(teams))}"
    else:
        hint = "no manifest has a `teams:` section"
    report.error(f"there is no team `{name}`", source, hint=hint)
    gaps.people = True


def _entries_of_teams(teams: Collection[str], written: Written, report: Reporter, gaps: Gaps) -> None:
    """Refuse unknown teams and people named twice in a team."""
    for name, (_, entries) in written.teams.items():
        first: dict[str, Source] = {}
        for item, source in entries:
            also = first.setdefault(item, source)
            if also is not source:
                report.error(f"`{item}` is in team {name} twice", source, hint="keep one of them", also=also)
            if item.startswith("team/") and item.removeprefix("team/") not in written.teams:
                _unknown_team(item, source, teams, report, gaps)
        _same_person(first, written.people, f"team {name}", report)


# --- people ---


def _identity(name: str, people: Mapping[str, Person]) -> str:
    """What identifies a person: the Pipes handle, else the address in lower case (which no handle can equal)."""
    person = people.get(name)
    if person is None:
        return name
    return person.handle if person.handle is not None else (person.email or name).lower()


def _one_name_a_person(people: Mapping[str, Person], report: Reporter) -> None:
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


def _handle_of_a_name(used: Mapping[str, Source], people: Mapping[str, Person], report: Reporter) -> None:
    """Warn where someone who has a name in `people` is written by the handle as well."""
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


def _same_person(entries: Mapping[str, Source], people: Mapping[str, Person], where: str, report: Reporter) -> None:
    """Refuse two names of one person in one place."""
    aliased = [name for name in entries if name in people]
    if not aliased:
        return
    first: dict[str, str] = {}
    for name in aliased:
        identity = _identity(name, people)
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


# --- members and grants ---


def _members(
    owner: Node, section: Section, roles: str, teams: Mapping[str, Mapping[str, None]], people: Mapping[str, Person],
    today: date, report: Reporter, gaps: Gaps, used: dict[str, Source],
) -> None:  # fmt: skip
    """Fill `owner`'s members or grants, and those that have expired."""
    kind = "member" if owner.kind == "org" else "grant"
    children: dict[str, Node] = section.direct
    expired: dict[str, Node] = {}
    if section.dated:
        children = {}
        for name, node in section.direct.items():
            if node.expires is None or node.expires > today:
                children[name] = node
                continue
            expired[name] = node
            if node.then is not None:
                children[name] = _afterwards(node)
    if section.teams:
        _from_teams(section, kind, children, expired, json_schema.ranks(roles), teams, today, report, gaps)
    owner.children[kind] = children
    if expired:
        owner.expired = {kind: expired}
    if people:
        written = expired | children
        _same_person(
            {name: node.source for name, node in written.items()},
            people,
            f"the members of {owner.kind} {owner.name}",
            report,
        )
        for name, node in written.items():
            used.setdefault(name, node.source)


def _afterwards(node: Node) -> Node:
    """What an entry with `then` counts as from its day on."""
    assert node.then is not None
    return Node(node.kind, node.name, {"role": node.then}, node.source, reason=node.reason)


def _from_teams(
    section: Section, kind: str, children: dict[str, Node], expired: dict[str, Node], rank: Mapping[str, int],
    teams: Mapping[str, Mapping[str, None]], today: date, report: Reporter, gaps: Gaps,
) -> None:  # fmt: skip
    direct = section.direct

    # The strongest first, then the one that lasts longest, then by name: the first that has a person keeps them.
    def order(entry: Node) -> tuple[int, bool, int, str]:
        return (
            -rank[entry.attrs["role"]],
            entry.expires is not None,
            -entry.expires.toordinal() if entry.expires else 0,
            entry.name,
        )

    entries = [
        *section.teams.values(),
        *(_afterwards(entry) for entry in section.teams.values() if _is_over(entry, today) and entry.then is not None),
    ]
    for entry in sorted(entries, key=order):
        found = teams.get(entry.name.removeprefix("team/"))
        if found is None:
            _unknown_team(entry.name, entry.source, teams, report, gaps)
            continue
        target = expired if _is_over(entry, today) else children
        for name in found:
            if name in target or (name in direct and name not in expired):
                continue
            target[name] = Node(
                kind,
                name,
                dict(entry.attrs),
                entry.source,
                via=entry.name,
                expires=entry.expires,
                then=entry.then,
                reason=entry.reason,
                sources=entry.sources,
            )


def _is_over(entry: Node, today: date) -> bool:
    return entry.expires is not None and entry.expires <= today


def ended(written: Written, today: date, documents: dict[str, Document]) -> list[Diagnostic]:
    """A warning for each entry whose day has come: once that is applied, its line has no effect."""
    report = Reporter(documents)
    for place, section in written.people_of.items():
        for node in (*section.direct.values(), *section.teams.values()):
            if not _is_over(node, today):
                continue
            assert node.expires is not None
            report.warning(
                f"the entry of {node.name} in {place} ended on {node.expires.isoformat()} and counts as "
                + (node.then or "not written"),
                node.source,
                hint=(f"write `{node.name}: {node.then}`" if node.then else "remove the line")
                + " once that is applied",
            )
    return report.found


def _owners(org: Node, section: Section, rules: Rules, report: Reporter, gaps: Gaps) -> None:
    if gaps.org(org.name):
        return
    members = org.children["member"].values()
    owners = sum(1 for node in members if not node.absent and node.attrs["role"] == "owner")
    if owners == 0:
        over = [
            name for name, node in ((org.expired or {}).get("member") or {}).items() if node.attrs["role"] == "owner"
        ]
        why = f"; the ownership of {_some(over)} has expired" if over else ""
        report.error(
            f"nobody would own {org.name}{why}",
            section.source,
            hint="write at least one `NAME: owner` under `members:`",
        )
    elif owners < rules.min_owners:
        report.warning(
            f"{org.name} would have {owners} owner{'s' * (owners != 1)}, but safeguards.min_owners is {rules.min_owners}",
            section.source,
            hint="add an owner, or lower safeguards.min_owners",
        )


def _granted_to_members(
    org: Node, workspace: Node, where: str, people: Mapping[str, Person], report: Reporter, gaps: Gaps
) -> None:
    """Refuse grants to people who will not be in the org; drop those of members who have expired."""
    members = org.children["member"]
    over = (org.expired or {}).get("member") or {}
    by_identity: dict[str, Node] | None = None
    over_identities: dict[str, Node] = {}
    grants = workspace.children["grant"]
    fallen: dict[str, Node] = {}
    strangers: dict[str, list[Node]] = {}
    redundant: dict[str, list[Node]] = {}
    through: dict[str, int] = {}
    for name, grant in grants.items():
        if grant.absent:
            continue
        if grant.via is not None:
            through[grant.via] = through.get(grant.via, 0) + 1
        member = members.get(name)
        if member is None:
            if by_identity is None:
                by_identity = {_identity(other, people): node for other, node in members.items()}
                over_identities = {_identity(other, people): node for other, node in over.items()}
            identity = _identity(name, people)
            member = by_identity.get(identity)
            if member is None and identity in over_identities:
                fallen[name] = grant
                continue
        if member is None or member.absent:
            strangers.setdefault(grant.via or "", []).append(grant)
        elif member.attrs["role"] == "owner" and member.then is None:  # with `then`, the grant is for what comes after
            redundant.setdefault(grant.via or "", []).append(grant)
    for via, found in strangers.items():
        _strangers(via, found, members, org.name, where, report, gaps)
    for via, found in redundant.items():
        if not via:
            for grant in found:
                report.warning(
                    f"{grant.name} owns {org.name} and so has access to {where} already",
                    grant.source,
                    hint="remove the line",
                )
        elif len(found) == through[via]:
            report.warning(
                f"everyone in {via} owns {org.name} and so has access to {where} already",
                found[0].source,
                hint="remove the line",
            )
    if fallen:
        workspace.children["grant"] = {name: grant for name, grant in grants.items() if name not in fallen}
        workspace.expired = {"grant": {**((workspace.expired or {}).get("grant") or {}), **fallen}}


def _strangers(
    via: str, found: list[Node], members: Mapping[str, Node], org: str, where: str, report: Reporter, gaps: Gaps
) -> None:
    if via:
        stated = [grant.name for grant in found if grant.name in members]
        unknown = [grant.name for grant in found if grant.name not in members]
        if stated:
            report.error(
                f"{via} has a role in {where}, but {_some(stated)} is `absent` in {org}",
                found[0].source,
                hint=f"take {_some(stated)} out of the team",
            )
        if unknown and not gaps.org(org):
            report.error(
                f"{via} has a role in {where}, but {_some(unknown)} will not be in {org}",
                found[0].source,
                hint=f"add `{via}: member` to the members of {org}",
            )
        return
    absent = [grant for grant in found if grant.name in members]
    strangers = [] if gaps.org(org) else [grant for grant in found if grant.name not in members]
    for grant in absent:
        report.error(
            f"{grant.name} has a role in {where}, but is `absent` in {org}",
            grant.source,
            hint="remove one of the two",
            also=members[grant.name].source,
        )
    if len(strangers) > _MANY:
        report.error(
            f"{len(strangers)} people have roles in {where}, but will not be in {org}: {_some(g.name for g in strangers)}",
            strangers[0].source,
            hint=f"add them to the members of {org}, such as `{strangers[0].name}: member`; are lines missing there?",
        )
        return
    speller = Speller()
    for grant in strangers:
        near = speller.nearest(grant.name, members)
        report.error(
            f"{grant.name} has a role in {where}, but will not be in {org}",
            grant.source,
            hint=f"did you mean `{near}`, who is in the members of {org}? If it is somebody else, list them there too"
            if near
            else f"add `{grant.name}: member` to the members of {org}",
        )


# --- orgs, and what has a handle of its own below them ---


def _named(node: Node, place: str, written: Written, report: Reporter) -> dict[str, dict[str, Node]]:
    """Fill in `node`'s children that have their own handles, at any depth; returns its children."""
    for kind in named_below(node.kind):
        listed = written.named.get((place, kind.name))
        if listed is None:
            continue
        node.children[kind.name] = listed
        if kind.defaults is not None:
            for child in listed.values():
                if not child.absent or child.attrs:  # a key alone says not which object must be absent
                    child.attrs = {**kind.defaults(child.name), **child.attrs}
        for child in listed.values():
            if not _stands_alone(child, f"{kind.noun} {place}/{child.name}", report):
                _named(child, f"{place}/{child.name}", written, report)
        _one_rename_each(listed, report)
    return node.children


def _stands_alone(node: Node, what: str, report: Reporter) -> bool:
    """Whether the object is stated absent. Whatever else is written about it is an error."""
    if not node.absent:
        return False
    assert node.sources is not None
    complete = KINDS[node.kind].defaults
    beside = ("reason", *(complete(node.name) if complete is not None else ()))
    for key, source in node.sources.items():
        if key not in ("absent", *beside):
            report.error(
                f"{what} is `absent: true`, but also described here",
                source,
                hint=f"only {' and '.join(f'`{one}`' for one in beside)} may stand beside `absent: true`",
                also=node.sources["absent"],
            )
    return True


def _one_rename_each(nodes: Mapping[str, Node], report: Reporter) -> None:
    first: dict[str, Node] = {}
    for node in nodes.values():
        if node.renamed_from is None:
            continue
        other = first.setdefault(node.renamed_from, node)
        if other is not node:
            assert node.sources is not None
            assert other.sources is not None
            report.error(
                f"{other.name} and {node.name} both have `renamed_from: {node.renamed_from}`", node.sources["renamed_from"],
                hint="remove one of them", also=other.sources["renamed_from"],
            )  # fmt: skip


def _some(names: Iterable[str]) -> str:
    """A few names, and how many more."""
    listed = list(names)
    return _first(listed[:_MANY], len(listed))


def _first(names: list[str], number: int) -> str:
    words = ", ".join(names)
    return words if number <= len(names) else f"{words} and {number - len(names)} more"


def _chain(names: list[str]) -> str:
    """A circle of names; of a long one the beginning and the end."""
    shown = names if len(names) <= 2 * _MANY else [*names[:_MANY], "…", *names[-_MANY:]]
    return " → ".join(shown)
