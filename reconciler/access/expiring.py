"""Desired -> what ends within some days, and what comes then. Pure: the manifests as of those days are handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.access.maps import Names, of_desired
from reconciler.kinds import grant, member, workspace
from reconciler.model import address as addresses
from reconciler.model.desired import Desired
from reconciler.model.expiring import UNKNOWN, Expiring

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from reconciler.model.desired import Node
    from reconciler.model.diagnostic import Diagnostic

    # the manifests on a later day, or why they cannot be used then
    Later = Desired | Sequence[Diagnostic]


def ending(desired: Desired, days: int) -> tuple[date, ...]:
    """The days, at most `days` after `desired.day`, on which entries end: the next first. With 0 there are none."""
    return tuple(sorted({node.expires for _, node in _dated(desired, days) if node.expires is not None}))


def expiring(desired: Desired, days: int, later: Mapping[date, Later]) -> tuple[Expiring, ...]:
    """The entries that end within `days`, the next first. A team's entry is listed once for all members for whom the same follows.

    `later` has the manifests as they are on the days of `ending`. An entry does not count as
    ending if another one gives the same.
    """
    names = Names(desired)
    roles = {
        day: {(assignment.key, assignment.object): assignment.role for assignment in of_desired(found).assignments}
        for day, found in later.items()
        if isinstance(found, Desired)
    }
    found: dict[tuple[date, str, str, str], tuple[Node, str | None, list[str]]] = {}
    for address, node in _dated(desired, days):
        assert node.expires is not None
        place = "/".join(name for _, name in addresses.split(address))
        then: str | None = UNKNOWN
        if node.expires in roles:
            then = roles[node.expires].get((names.key(node.name), place))
        if then != node.attrs.get("role"):
            at = (node.expires, address, node.via or node.name, then or "")
            found.setdefault(at, (node, then, []))[2].append(node.name)
    return tuple(
        Expiring(
            address, name, str(node.attrs.get("role", "")), day, node.reason, node.source, then,
            tuple(people) if node.via is not None else (),
        )
        for (day, address, name, _), (node, then, people) in sorted(found.items(), key=lambda item: item[0])
    )  # fmt: skip


def _dated(desired: Desired, days: int) -> Iterator[tuple[str, Node]]:
    """Each person's entry that ends in time, with the address of its org or workspace."""
    for name, above in desired.orgs.items():
        here = addresses.join(None, "org", name)
        sections = [(here, above.children.get(member.KIND.name, {}))]
        sections += [
            (addresses.join(here, workspace.KIND.name, space.name), space.children.get(grant.KIND.name, {}))
            for space in above.children.get(workspace.KIND.name, {}).values()
        ]
        for address, section in sections:
            for node in section.values():
                if node.expires is not None and (node.expires - desired.day).days <= days:
                    yield address, node
