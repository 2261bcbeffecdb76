"""unknown-user: nobody is added by a handle that no user has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import member
from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.safeguard import Case, Safeguard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.address import Address
    from reconciler.model.desired import Node

PAGE = """\
**Refuses** to add a handle that nobody has, or that is an organization's, and names similar ones. In a custom tenant, where people
are added by handle, it also refuses a person for whom only an email is known.

**Why:** a typing error would invite nobody, or a stranger.

**To fix:** write an existing handle, or an email in `people:`.
"""


def check(case: Case) -> Iterator[Refusal]:
    """Refuse to add a handle that nobody has, or that is an org's."""
    for draft in case.worksheet.drafts:
        if draft.kind is not member.KIND or draft.action != "create" or draft.handle not in case.live.identities:
            continue
        identity = case.live.identities[draft.handle]
        if identity is not None and identity.type == "user":
            continue
        near = [handle for handle in case.live.near.get(draft.handle, ()) if handle != draft.handle]
        yield Refusal(
            "unknown-user",
            draft.address,
            f"no user has the handle {draft.handle}" if identity is None else f"{draft.handle} is an organization",
            (f"did you mean {' or '.join(near[:3])}? " if near else "")
            + "Write an existing handle, or an email in `people:`",
            draft.want.source if draft.want else None,
            liftable=False,
        )


def by_email_only(org: str, address: Address, want: Node, email: str | None, *, tenant_read: bool) -> Refusal:
    """The refusal for a person known by email only in an org of a custom tenant. `tenant_read`: its emails were seen."""
    return Refusal(
        "unknown-user",
        address,
        f"{org} is in a custom tenant, where people are added by handle; for {want.name} only an email is known, "
        + (
            f"and nobody in the tenant has {email}"
            if tenant_read
            else "and only the tenant's owners can see whose it is"
        ),
        ("have an owner invite that address to the tenant, or " if tenant_read else "")
        + f"write the handle: `people: {{{want.name}: {{handle: HANDLE}}}}`",
        want.source,
        liftable=False,
    )


SAFEGUARD = Safeguard("unknown-user", lifted_by_allow=False, page=PAGE, check=check)
