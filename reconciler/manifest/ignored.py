"""`ignore:` in an org: entries whose day has passed, and lines that name somebody whom it covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import grant, member, workspace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from reconciler.manifest.merge import Reporter
    from reconciler.model.desired import Node, Person


def check(org: Node, people: Mapping[str, Person], today: date, report: Reporter) -> None:
    """Leave only the entries that still count, report those that ended, and refuse lines about whoever is ignored."""
    for one in org.ignored:
        if one.until is not None and one.until < today:
            report.warning(
                f"the `ignore` of {one.handle} in {org.name} ended after {one.until.isoformat()}: whoever it covered is "
                "treated like anybody else",
                one.source,
                hint="list them, write a later `until`, or drop the entry",
            )
    org.ignored = tuple(one for one in org.ignored if one.until is None or one.until >= today)
    if not org.ignored:
        return
    spaces = org.children.get(workspace.KIND.name, {}).values()
    for holder, kind in ((org, member.KIND), *((space, grant.KIND) for space in spaces)):
        for name, node in holder.children.get(kind.name, {}).items():
            person = people.get(name)
            handle = person.handle if person is not None else name
            found = next((one for one in org.ignored if handle is not None and one.covers(handle)), None)
            if found is not None:
                report.error(
                    f"{name} is listed here, and `ignore` covers the handle {handle}: nothing of theirs is ever changed",
                    node.source,
                    hint="drop the line, or take the handle out of `ignore`",
                    also=found.source,
                )
