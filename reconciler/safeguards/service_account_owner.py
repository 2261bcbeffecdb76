"""service-account-owner: a service account does not set out to change one that owns the organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import member, service_account
from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.safeguard import Case, Safeguard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.safeguards.worksheet import Draft, OrgWorksheet

PAGE = """\
**Refuses** to change or remove a service account that owns the organization, if the token in use is a service account's: its title,
its role, and itself. The token's own role is [self-removal](#self-removal).

**Why:** Pipes refuses it, and the apply would stop halfway.

**To fix:** apply with the token of a person who owns the organization.
"""


def check(case: Case) -> Iterator[Refusal]:
    """Refuse what Pipes would refuse to the service account whose token is in use."""
    actor = case.live.actor
    if not actor.robot:
        return
    for draft in case.worksheet.drafts:
        if draft.have is None or not _changes_an_owner(case.worksheet, draft, actor.id):
            continue
        name = draft.want.name if draft.want is not None else draft.handle
        yield Refusal(
            "service-account-owner",
            draft.address,
            f"{name} is a service account that owns {case.worksheet.name}, and so Pipes does not let another service account "
            f"such as {actor.handle} change it"
            if draft.have.id != actor.id
            else f"{name} owns {case.worksheet.name}, and Pipes does not let it change itself with its own token",
            "apply with the token of a person who owns the organization",
            draft.want.source if draft.want is not None else case.worksheet.want.source,
            liftable=False,
        )


def _changes_an_owner(worksheet: OrgWorksheet, draft: Draft, actor: str) -> bool:
    """Whether a draft is about a service account that owns the org as live has it."""
    assert draft.have is not None
    if draft.kind is service_account.KIND:
        return any(
            row.id == draft.have.id and member.is_owner(row.attrs)
            for row in (worksheet.have.of(member.KIND.name).values() if worksheet.have is not None else ())
        )
    return (
        draft.kind is member.KIND
        and draft.have.id != actor
        and member.is_service_account(draft.have.attrs)
        and member.is_owner(draft.have.attrs)
    )


SAFEGUARD = Safeguard("service-account-owner", lifted_by_allow=False, page=PAGE, check=check)
