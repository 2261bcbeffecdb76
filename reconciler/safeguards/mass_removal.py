"""mass-removal: a plan does not take something from many people of one organization at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import member
from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.safeguard import Case, Safeguard, live_attributes
from reconciler.safeguards.worksheet import loses

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMED = 10  # people whom the refusal names; it counts the others

PAGE = """\
**Refuses** a plan in which more people of one organization lose something than `safeguards.max_removals` allows: more than
`count` (10), or more than `percent` (25) of its people if that is at least 3. What counts, once a person, is losing the
membership, an invitation, the owner role, a grant, or a higher role in a workspace. Losses that `absent: true` or `expires`
states do not count, and neither does losing a connection that is detached or deleted: the plan names everyone who does.
Robots are counted apart, by the same limits.

**Why:** an empty team or a lost file removes many people at once, and nobody reads the fortieth line.

**To fix:** bring back what was lost by mistake, state the removals, or raise the limits in the manifest.
"""


def check(case: Case) -> Iterator[Refusal]:
    """Refuse when more people of one org lose something than the manifest's limits allow, or more of its robots.

    Stated losses do not count.
    """
    members = case.worksheet.members
    losers = {
        draft.person
        for draft in case.worksheet.drafts
        if loses(draft)
        and not draft.stated
        and (draft.kind is not member.KIND or draft.action == "delete" or member.is_owner(live_attributes(draft)))
        and draft.person in members
    }
    for robot, noun in ((False, "people"), (True, "robots")):
        names = sorted(members[key].label for key in losers if key is not None and members[key].robot is robot)
        there = sum(1 for one in members.values() if one.before is not None and one.robot is robot)
        yield from _too_many(case, names, there, noun)


def _too_many(case: Case, names: list[str], there: int, noun: str) -> Iterator[Refusal]:
    """Refuse if `names`, of the `there` people or robots of the org, are too many."""
    rules = case.desired.rules
    count, percent = len(names), rules.max_removals_percent
    over = count > rules.max_removals_count
    if not over and not (count >= 3 and count * 100 > percent * there):
        return
    limit = f"{rules.max_removals_count} {noun}" if over else f"{percent} % of its {there} {noun}"
    yield Refusal(
        "mass-removal",
        case.worksheet.address,
        f"{count} of {there} {noun} of {case.worksheet.name} would lose something, and the limit is {limit}: "
        + ", ".join(names[:NAMED])
        + (f" and {len(names) - NAMED} more" if len(names) > NAMED else ""),
        "check whether a line or a team was lost; state removals with `absent: true`, or raise safeguards.max_removals",
        case.worksheet.want.source,
    )


SAFEGUARD = Safeguard("mass-removal", lifted_by_allow=True, page=PAGE, check=check)
