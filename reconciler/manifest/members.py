"""Members and grants: expands teams, sets expired entries apart, and checks owners and grants against the members.

Precedence for one person in one section: a direct entry (`absent: true` included) before any team's; between teams the
stronger role. An entry whose day has come counts as the role that its `then` names; without `then` as not written, so
that the next entry in that order applies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.manifest import json_schema
from reconciler.manifest.merge import Reporter
from reconciler.manifest.name_lists import MANY, some
from reconciler.manifest.people import identity_of, same_person
from reconciler.manifest.spelling import Speller
from reconciler.manifest.teams import is_over, unknown_team
from reconciler.model.desired import Node, is_robot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from reconciler.manifest.check import Gaps
    from reconciler.manifest.document import Document
    from reconciler.manifest.merge import Section, Written
    from reconciler.model.desired import Person, Rules
    from reconciler.model.diagnostic import Diagnostic, Source


class Resolution(msgspec.Struct, frozen=True):
    """What every section of one run is resolved with."""

    today: date
    teams: Mapping[str, Mapping[str, date | None]]  # the people of each, nested teams included, and when each leaves
    people: Mapping[str, Person]
    report: Reporter
    gaps: Gaps
    used: dict[str, Source] = msgspec.field(default_factory=dict)  # each name that a section lists, and its first place


def fill(owner: Node, section: Section, run: Resolution) -> None:
    """Fill in `owner`'s members or grants, and the expired ones."""
    kind, roles = ("member", "orgRole") if owner.kind == "org" else ("grant", "grantRole")
    children: dict[str, Node] = section.direct
    expired: dict[str, Node] = {}
    if section.dated:
        children = {}
        for name, node in section.direct.items():
            if node.expires is None or node.expires > run.today:
                children[name] = node
                continue
            expired[name] = node
            if node.then is not None:
                children[name] = _afterwards(node)
    if section.teams:
        _from_teams(section, kind, children, expired, json_schema.ranks(roles), run)
    owner.children[kind] = children
    if expired:
        owner.expired = {kind: expired}
    if run.people:
        written = expired | children
        same_person(
            {name: node.source for name, node in written.items()},
            run.people,
            f"the members of {owner.kind} {owner.name}",
            run.report,
        )
        for name, node in written.items():
            run.used.setdefault(name, node.source)


def _afterwards(node: Node) -> Node:
    """What an entry with `then` counts as from its day on."""
    assert node.then is not None
    return Node(node.kind, node.name, {"role": node.then}, node.source, reason=node.reason)


def _from_teams(
    section: Section, kind: str, children: dict[str, Node], expired: dict[str, Node], rank: Mapping[str, int],
    run: Resolution,
) -> None:  # fmt: skip
    direct, today = section.direct, run.today

    # The strongest first, then the one that lasts longest, then by name: the first that has a person keeps them.
    def order(given: tuple[Node, date | None, bool, list[str]]) -> tuple[int, bool, int, str]:
        entry, end, _, _ = given
        return (-rank[entry.attrs["role"]], end is not None, -end.toordinal() if end else 0, entry.name)

    entries = [
        *section.teams.values(),
        *(
            _afterwards(entry)
            for entry in section.teams.values()
            if is_over(entry.expires, today) and entry.then is not None
        ),
    ]
    # an entry for the people of its team who leave on one day, what ends first, and whether they are in the team afterwards
    given: list[tuple[Node, date | None, bool, list[str]]] = []
    for entry in entries:
        found = run.teams.get(entry.name.removeprefix("team/"))
        if found is None:
            unknown_team(entry.name, entry.source, run.teams, run.report, run.gaps)
            continue
        leaving: dict[date | None, list[str]] = {}
        for name, day in found.items():
            leaving.setdefault(day, []).append(name)
        for day, people in leaving.items():
            if day is None or (entry.expires is not None and entry.expires < day):
                given.append((entry, entry.expires, True, people))
            else:
                given.append((entry, day, False, people))
    for entry, end, stays, people in sorted(given, key=order):
        target = expired if is_over(end, today) else children
        for name in people:
            if name in target or (name in direct and name not in expired):
                continue
            target[name] = Node(
                kind,
                name,
                dict(entry.attrs),
                entry.source,
                via=entry.name,
                expires=end,
                then=entry.then if stays else None,
                reason=entry.reason,
                sources=entry.sources,
            )


def ended(written: Written, today: date, documents: dict[str, Document]) -> list[Diagnostic]:
    """A warning for each entry whose day has come: after the next apply, its line has no effect."""
    report = Reporter(documents)
    for place, section in written.people_of.items():
        for node in (*section.direct.values(), *section.teams.values()):
            if not is_over(node.expires, today):
                continue
            assert node.expires is not None
            report.warning(
                f"the entry of {node.name} in {place} ended on {node.expires.isoformat()} and counts as "
                + (node.then or "not written"),
                node.source,
                hint=(f"write `{node.name}: {node.then}`" if node.then else "remove the line")
                + " once that is applied",
            )
    for team, (_, entries) in written.teams.items():
        for one in entries:
            if one.expires is not None and is_over(one.expires, today):
                report.warning(
                    f"the entry of {one.name} in team {team} ended on {one.expires.isoformat()} and counts as not written",
                    one.source,
                    hint="remove it once that is applied",
                )
    return report.found


def check_owners(
    org: Node, section: Section, rules: Rules, people: Mapping[str, Person], report: Reporter, gaps: Gaps
) -> None:
    """Refuse an org that no person would own: a robot cannot log in to repair it."""
    if gaps.org(org.name) or org.keeps_unlisted:
        return  # with `unlisted: keep`, an owner need not have a line
    names = [n.name for n in org.children["member"].values() if not n.absent and n.attrs["role"] == "owner"]
    robots = [name for name in names if is_robot(name, people)]
    owners = len(names) - len(robots)
    if owners == 0:
        over = [
            name for name, node in ((org.expired or {}).get("member") or {}).items() if node.attrs["role"] == "owner"
        ]
        why = f"; the ownership of {some(over)} has expired" if over else ""
        why += f"; {some(robots)} {'is a robot' if len(robots) == 1 else 'are robots'}" if robots else ""
        report.error(
            f"no person would own {org.name}{why}",
            section.source,
            hint="write at least one `NAME: owner` under `members:`, for a person",
        )
    elif owners < rules.min_owners:
        report.warning(
            f"{org.name} would have {owners} owner{'s' * (owners != 1)}, but safeguards.min_owners is {rules.min_owners}",
            section.source,
            hint="add an owner, or lower safeguards.min_owners",
        )


def check_grants(
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
    by_team: dict[str, int] = {}
    for name, grant in grants.items():
        if grant.absent:
            continue
        if grant.via is not None:
            by_team[grant.via] = by_team.get(grant.via, 0) + 1
        member = members.get(name)
        if member is None:
            if by_identity is None:
                by_identity = {identity_of(other, people): node for other, node in members.items()}
                over_identities = {identity_of(other, people): node for other, node in over.items()}
            identity = identity_of(name, people)
            member = by_identity.get(identity)
            if member is None and identity in over_identities:
                fallen[name] = grant
                continue
        if member is None or member.absent:
            strangers.setdefault(grant.via or "", []).append(grant)
        elif member.attrs["role"] == "owner" and member.then is None:  # with `then`, the grant is for what comes after
            redundant.setdefault(grant.via or "", []).append(grant)
    for via, found in strangers.items():
        if org.keeps_unlisted and not any(one.name in members for one in found):
            continue  # only Pipes knows whether they are in the org
        _report_strangers(via, found, members, org.name, where, report, gaps)
    for via, found in redundant.items():
        if not via:
            for grant in found:
                report.warning(
                    f"{grant.name} owns {org.name} and so has access to {where} already",
                    grant.source,
                    hint="remove the line",
                )
        elif len(found) == by_team[via]:
            report.warning(
                f"everyone in {via} owns {org.name} and so has access to {where} already",
                found[0].source,
                hint="remove the line",
            )
    if fallen:
        workspace.children["grant"] = {name: grant for name, grant in grants.items() if name not in fallen}
        workspace.expired = {"grant": {**((workspace.expired or {}).get("grant") or {}), **fallen}}


def _report_strangers(
    via: str, found: list[Node], members: Mapping[str, Node], org: str, where: str, report: Reporter, gaps: Gaps
) -> None:
    if via:
        stated = [grant.name for grant in found if grant.name in members]
        unknown = [grant.name for grant in found if grant.name not in members]
        if stated:
            report.error(
                f"{via} has a role in {where}, but {some(stated)} is `absent` in {org}",
                found[0].source,
                hint=f"take {some(stated)} out of the team",
            )
        if unknown and not gaps.org(org):
            report.error(
                f"{via} has a role in {where}, but {some(unknown)} will not be in {org}",
                found[0].source,
                hint=_meant(unknown, members, org, f"in {via}") or f"add `{via}: member` to the members of {org}",
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
    if len(strangers) > MANY:
        report.error(
            f"{len(strangers)} people have roles in {where}, but will not be in {org}: {some(g.name for g in strangers)}",
            strangers[0].source,
            hint=_meant([grant.name for grant in strangers], members, org)
            or f"add them to the members of {org}, such as `{strangers[0].name}: member`; are lines missing there?",
        )
        return
    for grant in strangers:
        report.error(
            f"{grant.name} has a role in {where}, but will not be in {org}",
            grant.source,
            hint=_meant([grant.name], members, org) or f"add `{grant.name}: member` to the members of {org}",
        )


def _meant(names: Iterable[str], members: Mapping[str, Node], org: str, place: str = "") -> str | None:
    """A question about the first name that was probably meant for a member: a misspelt name must not let a stranger in."""
    speller = Speller()
    for name in names:
        near = speller.nearest(name, members)
        if near:
            what = f" in place of `{name}` {place}".rstrip() if place else ""
            return f"did you mean `{near}`{what}, who is in the members of {org}? If it is somebody else, list them there too"
    return None
