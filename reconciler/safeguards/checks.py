"""The safeguards: each a small function that yields refusals, from what was planned. None changes the plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler.kinds import connection, member, workspace, workspace_connection
from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.worksheet import loses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.kinds.kind import Kind
    from reconciler.model.desired import Desired
    from reconciler.model.live import Snapshot
    from reconciler.model.plan import Step
    from reconciler.safeguards.worksheet import OrgSheet

# each code with what lifts it, as the design's table has it; `plan` checks `--allow` against it
LIFTED_BY_ALLOW = {
    "owner-floor": True,  # never below 1
    "owner-removal": True,
    "self-removal": True,
    "mass-removal": True,
    "org-delete": False,
    "workspace-delete": False,
    "connection-delete": False,
    "secret-loss": False,
    "rename": False,
    "handle-taken": False,
    "looks-like-rename": True,
    "unknown-user": False,
    "empty-read": False,
    "who-is-this": False,
    "stale-plan": False,
    "self-lockout": True,
    "quota": True,
}


@dataclass(frozen=True, slots=True)
class Case:
    """What one safeguard looks at: one org's sheet and steps, with the whole of desired and live beside it."""

    sheet: OrgSheet
    steps: Sequence[Step]
    desired: Desired
    live: Snapshot


def owner_floor(case: Case) -> Iterator[Refusal]:
    """Refuse a step that leaves fewer accepted owners than the floor. An org that is short already may be mended."""
    floor = case.desired.rules.min_owners
    for step in case.steps:
        if step.accepted_owners is not None and step.accepted_owners < floor:
            yield Refusal(
                "owner-floor",
                case.sheet.address,
                f"{_owners(step.accepted_owners)} left after {step.action} {step.address}, "
                f"the floor is {floor}; invited owners do not count",
                "let another owner accept first, and apply the removal after that"
                + (", or lower safeguards.min_owners" if step.accepted_owners > 0 else ""),
                case.sheet.want.source,
                liftable=step.accepted_owners >= 1,
            )
            return


def _owners(count: int) -> str:
    return "1 accepted owner is" if count == 1 else f"{count or 'no'} accepted owners are"


def owner_removal(case: Case) -> Iterator[Refusal]:
    """Refuse the removal of an owner that no line of the manifest states."""
    for draft in case.sheet.drafts:
        if (
            draft.kind is member.KIND
            and draft.action == "delete"
            and not draft.stated
            and member.is_owner(_attrs(draft))
        ):
            name = draft.address.rpartition("/member.")[2]
            yield Refusal(
                "owner-removal",
                draft.address,
                f"{name} owns {case.sheet.name} and is not listed any more; leaving a line out does not remove an owner",
                f"state it with `{name}: {{absent: true}}` in the org's members, or keep {name} listed",
                case.sheet.want.source,
            )


def _attrs(draft: object) -> dict[str, object]:
    have = getattr(draft, "have", None)
    return have.attrs if have is not None else {}


def self_removal(case: Case) -> Iterator[Refusal]:
    """Refuse to take the token's own user's ownership or membership."""
    actor = case.live.actor
    for draft in case.sheet.drafts:
        if draft.kind is member.KIND and draft.have is not None and draft.have.id == actor.id and loses(draft):
            what = "membership" if draft.action == "delete" else "ownership"
            yield Refusal(
                "self-removal",
                draft.address,
                f"{actor.handle} is the user of this token and would lose the {what} of {case.sheet.name}",
                "let another owner's token apply this, or keep the entry",
                draft.want.source if draft.want else case.sheet.want.source,
            )


def mass_removal(case: Case) -> Iterator[Refusal]:
    """Refuse when more people of one org lose something than the manifest's limits admit; stated losses do not count."""
    losers = {
        draft.person
        for draft in case.sheet.drafts
        if loses(draft)
        and not draft.stated
        and (draft.kind is not member.KIND or draft.action == "delete" or member.is_owner(_attrs(draft)))
    }
    people = sum(1 for m in case.sheet.members.values() if m.before is not None)
    rules = case.desired.rules
    count, percent = len(losers), rules.max_removals_percent
    over = count > rules.max_removals_count
    if not over and not (count >= 3 and count * 100 > percent * people):
        return
    limit = f"{rules.max_removals_count} people" if over else f"{percent} % of its {people} people"
    shown = sorted(case.sheet.members[key].label for key in losers if key in case.sheet.members)
    yield Refusal(
        "mass-removal",
        case.sheet.address,
        f"{count} of {people} people of {case.sheet.name} lose something, the limit is {limit}: "
        + ", ".join(shown[:10])
        + (f" and {len(shown) - 10} more" if len(shown) > 10 else ""),
        "look whether a line or a team was lost; state removals with `absent: true`, or raise safeguards.max_removals",
        case.sheet.want.source,
    )


def workspace_delete(case: Case) -> Iterator[Refusal]:
    """Refuse to delete a workspace that no line of the manifest states; its database would go with it."""
    return _unstated(case, "workspace-delete", workspace.KIND, " and its database")


def connection_delete(case: Case) -> Iterator[Refusal]:
    """Refuse to delete a connection that no line of the manifest states; every workspace that has it would lose the account."""
    yield from _unstated(case, "connection-delete", connection.KIND)
    yield from _unstated(case, "connection-delete", workspace_connection.KIND)


def _unstated(case: Case, code: str, kind: Kind, more: str = "") -> Iterator[Refusal]:
    """A refusal for each object of a kind that would be deleted unsaid; `more` is what goes with it."""
    for draft in case.sheet.drafts:
        if draft.kind is kind and draft.action == "delete" and not draft.stated:
            yield Refusal(
                code,
                draft.address,
                f"the {kind.noun} {draft.handle}{more} would be deleted, and no line of the manifest states it",
                f"state it with `{draft.handle}: {{absent: true}}`, or keep it",
                case.sheet.want.source,
                liftable=False,
            )


def unknown_user(case: Case) -> Iterator[Refusal]:
    """Refuse to add a handle that nobody has, or that is an org's."""
    for draft in case.sheet.drafts:
        if draft.kind is not member.KIND or draft.action != "create" or draft.handle not in case.live.identities:
            continue
        identity = case.live.identities[draft.handle]
        if identity is not None and identity.type == "user":
            continue
        near = [handle for handle in case.live.near.get(draft.handle, ()) if handle != draft.handle]
        fact = f"no user has the handle {draft.handle}" if identity is None else f"{draft.handle} is an organization"
        fix = f"did you mean {' or '.join(near[:3])}? " if near else ""
        yield Refusal(
            "unknown-user",
            draft.address,
            fact,
            fix + "Name an existing handle, or an email in `people:`",
            draft.want.source if draft.want else None,
            liftable=False,
        )


def self_lockout(case: Case) -> Iterator[Refusal]:
    """Refuse a reset of authentication that ends the token in use, or may.

    Tokens "must be issued after" the moment (contract: UpdateOrgRequest), so one of that very second may end as well.
    """
    for draft in case.sheet.drafts:
        moment = draft.attrs.get("token_min_issued_at")
        if not moment:
            continue
        issued = case.live.actor.token_issued_at
        if issued is not None and issued > datetime.fromisoformat(moment):
            continue
        when = (
            f"was issued at {issued:%Y-%m-%dT%H:%M:%SZ}" if issued else "was issued at a time that could not be found"
        )
        yield Refusal(
            "self-lockout",
            draft.address,
            f"the token in use {when}, and tokens not issued after {moment} would stop working for {case.sheet.name}",
            "issue a new token and plan with it, or choose an earlier moment",
            (draft.want.sources or {}).get("token_min_issued_at", draft.want.source) if draft.want else None,
        )


def quota(case: Case) -> Iterator[Refusal]:
    """Refuse more workspaces than the org's constraint admits. Creates come before deletes, so the peak counts."""
    limit = case.live.workspace_limits.get(case.sheet.have.handle if case.sheet.have else case.sheet.name)
    created = sum(d.kind is workspace.KIND and d.action == "create" for d in case.sheet.drafts)
    have = len(case.sheet.have.of("workspace")) if case.sheet.have else 0
    if limit is None or not created or have + created <= limit:
        return
    yield Refusal(
        "quota",
        case.sheet.address,
        f"{case.sheet.name} has {have} workspaces and {created} would be created first: {have + created}, the limit is {limit}",
        "delete workspaces in an apply of their own first, or have the limit raised",
        case.sheet.want.source,
    )


# in the order of the design's table; identity, handles and reading are refused where they are found out
SAFEGUARDS: tuple[Callable[[Case], Iterator[Refusal]], ...] = (
    owner_floor,
    owner_removal,
    self_removal,
    mass_removal,
    workspace_delete,
    connection_delete,
    unknown_user,
    self_lockout,
    quota,
)
