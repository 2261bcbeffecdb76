"""How dangerous a change is, in one word that a workflow can decide by: the highest of everything that it does. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import (
    attachment,
    connection,
    connection_folder,
    folder_permission,
    grant,
    member,
    org,
    permission,
    secret,
    workspace_connection,
)
from reconciler.model.plan import READDRESSED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.plan import Change, Plan

RISKS = ("none", "attributes", "losses", "grants", "owners", "rules", "destroys")
NONE, ATTRIBUTES, LOSSES, GRANTS, OWNERS, RULES, DESTROYS = RISKS

PEOPLE = frozenset({member.KIND.name, grant.KIND.name})
CONNECTIONS = frozenset({connection.KIND.name, workspace_connection.KIND.name})
# objects by which a workspace gets at a connection
LINKS = frozenset({attachment.KIND.name, permission.KIND.name, folder_permission.KIND.name})


def highest(found: Iterable[str]) -> str:
    """The most dangerous of some risks."""
    return max(found, key=RISKS.index, default=NONE)


def of_plan(plan: Plan) -> str:
    """The risk of what a plan does to live. What it does to rules is for a review to say."""
    return highest(_of_plan(plan))


def _of_plan(plan: Plan) -> Iterator[str]:
    for change in plan.changes:
        yield of_change(change)
    for effect in plan.impact:
        yield of_roles(effect.before, effect.after)


def of_change(change: Change) -> str:
    """The risk of one change of one object."""
    if change.action == "rename" or (change.action == "delete" and change.kind not in PEOPLE | LINKS):
        return DESTROYS
    if change.reason == READDRESSED:
        return OWNERS
    if change.kind in PEOPLE:
        before, after = change.before or {}, change.after or {}
        if change.action == "update" and "role" not in after:
            return ATTRIBUTES
        return of_roles(before.get("role"), after.get("role"))
    if change.kind in LINKS:
        return LOSSES if change.action == "delete" else OWNERS
    after = change.after or {}
    if change.kind == org.KIND.name and after.get("token_min_issued_at"):
        return DESTROYS
    if change.kind in CONNECTIONS and (change.action == "create" or {secret.FIELD, "folder"} & after.keys()):
        return OWNERS
    if change.kind == connection_folder.KIND.name and "folder" in after and change.action == "update":
        return OWNERS
    return ATTRIBUTES


def of_roles(before: str | None, after: str | None) -> str:
    """The risk of one person's change of role; None is no access."""
    if (before == member.OWNER) != (after == member.OWNER):
        return OWNERS
    if before == after:
        return NONE
    if after is None:
        return LOSSES
    if before is None or before == "reached" or after == "reached":
        return GRANTS
    rank = {role: at for at, role in enumerate(("member", "reader", "operator", "owner"))}
    return LOSSES if rank.get(after, len(rank)) < rank.get(before, -1) else GRANTS
