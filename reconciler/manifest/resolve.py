"""Resolves written entries into Desired, and refuses what contradicts itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import KINDS, named_below
from reconciler.manifest import ignored, members, people, references, services, teams
from reconciler.model.desired import Desired, Node, Rules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from reconciler.manifest.check import Gaps
    from reconciler.manifest.merge import Reporter, Written


def resolve(written: Written, today: date, report: Reporter, gaps: Gaps) -> Desired:
    """What the manifests ask for on `today`."""
    rules = Rules(**{key: value for key, (value, _) in written.rules.items()})
    people.one_name_a_person(written.people, report)
    before = report.count
    flat = teams.flatten(written.teams, report)
    teams.check_entries(flat, written, report, gaps)
    if report.count > before:
        gaps.people = True  # a team in a circle, or with an unknown team in it, has fewer people than intended
    run = members.Resolution(today, flat, written.people, report, gaps)
    for handle, org in written.orgs.items():
        if _stands_alone(org, f"org {handle}", report):
            continue
        section = written.people_of.get(handle)
        if section is not None:
            members.fill(org, section, run)
            members.check_owners(org, section, rules, written.people, report, gaps)
        for workspace in _named(org, handle, written, report).get("workspace", {}).values():
            where = f"{handle}/{workspace.name}"
            references.check(workspace, gaps.org(handle), report)
            grants = written.people_of.get(where)
            if grants is not None and not workspace.absent:
                members.fill(workspace, grants, run)
                if section is not None:
                    members.check_grants(org, workspace, where, written.people, report, gaps)
        references.check(org, gaps.org(handle), report)
        services.check(org, written, report, gaps)
        ignored.check(org, written.people, today, report)
    _one_rename_each(written.orgs, report)
    people.handle_of_a_name(run.used, written.people, report)
    if written.policies or written.waivers or written.approvals:
        from reconciler.manifest import rules as rules_of_access

        rules_of_access.check(written, report, gaps)
    return Desired(
        orgs=written.orgs,
        people=written.people,
        rules=rules,
        day=today,
        host=written.host,
        resend_after=written.resend_after[0] if written.resend_after is not None else None,
        teams={
            name: tuple(sorted(one for one, end in inside.items() if not teams.is_over(end, today)))
            for name, inside in flat.items()
        },
        nested={
            name: tuple(entry.name for entry in entries if not teams.is_over(entry.expires, today))
            for name, (_, entries) in written.teams.items()
        },
        team_ends={
            name: {entry.name: entry.expires for entry in entries if entry.expires is not None}
            for name, (_, entries) in written.teams.items()
        },
        policies=written.policies,
        waivers=tuple(written.waivers),
        approvals=written.approvals,
        team_logins=written.team_logins,
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
    beside = ("reason", *KINDS[node.kind].known_by)
    for key, source in node.sources.items():
        if key not in ("absent", *beside):
            report.error(
                f"{what} is `absent: true`, but also described here",
                source,
                hint=f"only {' and '.join(f'`{one}`' for one in beside)} may be beside `absent: true`",
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
