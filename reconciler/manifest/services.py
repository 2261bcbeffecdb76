"""Checks service accounts: that each `service/NAME` in `members` has one, and that whoever is responsible for one exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import grant, member, service_account, workspace
from reconciler.manifest.teams import unknown_team
from reconciler.model.address import SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.manifest.check import Gaps
    from reconciler.manifest.merge import Reporter, Written
    from reconciler.model.desired import Node


def check(org: Node, written: Written, report: Reporter, gaps: Gaps) -> None:
    """Report what is wrong with an org's service accounts, and with the entries that name them."""
    accounts = org.children.get(service_account.KIND.name, {})
    _one_key_each(accounts, report)
    for account in accounts.values():
        team = account.attrs.get(service_account.RESPONSIBLE)
        if team is not None and team.startswith("team/") and team.removeprefix("team/") not in written.teams:
            source = (account.sources or {}).get(service_account.RESPONSIBLE, account.source)
            unknown_team(team, source, written.teams, report, gaps)
    for entry in _entries(org):
        key = entry.name.removeprefix(SERVICE)
        found = accounts.get(key)
        if found is None and not gaps.org(org.name):
            near = report.speller.nearest(key, accounts)
            report.error(
                f"there is no service account `{key}` in {org.name}",
                entry.source,
                hint=f"did you mean `{SERVICE}{near}`?"
                if near
                else f"list it in `{service_account.KIND.section}:` of the org, as `{key}: {{title: …}}`",
            )
        elif found is not None and found.absent and not entry.absent:
            report.error(
                f"{entry.name} has a role, but its service account is `absent`",
                entry.source,
                hint="remove one of the two",
                also=found.source,
            )


def _entries(org: Node) -> Iterator[Node]:
    """The entries of service accounts in an org and in its workspaces, those that have ended included."""
    spaces = org.children.get(workspace.KIND.name, {}).values()
    for holder, kind in ((org, member.KIND), *((space, grant.KIND) for space in spaces)):
        for section in (holder.children, holder.expired or {}):
            yield from (one for name, one in section.get(kind.name, {}).items() if name.startswith(SERVICE))


def _one_key_each(accounts: Mapping[str, Node], report: Reporter) -> None:
    """Refuse two keys for one handle."""
    first: dict[str, Node] = {}
    for account in accounts.values():
        handle = account.attrs.get(service_account.HANDLE)
        other = first.setdefault(handle, account) if handle else account
        if other is not account:
            report.error(
                f"{other.name} and {account.name} are the same service account, {handle}",
                account.source,
                hint="keep one of the keys",
                also=other.source,
            )
