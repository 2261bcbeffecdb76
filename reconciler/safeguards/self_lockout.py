"""self-lockout: a reset of authentication does not end the token in use."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.safeguard import Case, Safeguard

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = """\
**Refuses** a `token_min_issued_at` that is not earlier than the issue of the token in use, or a token whose time of issue is
unknown.

**Why:** a reset ends every temporary and user token that was issued at or before that moment, for everyone in the organization. The
notes of the plan say so, refused or not.

**To fix:** plan with a token that was issued later, or choose an earlier moment.
"""


def check(case: Case) -> Iterator[Refusal]:
    """Refuse a reset of authentication that ends the token in use, or may.

    Tokens "must be issued after" the moment (contract: UpdateOrgRequest), so one of that very second may end as well.
    """
    for draft in case.worksheet.drafts:
        moment = draft.attrs.get("token_min_issued_at")
        if not moment:
            continue
        issued = case.live.actor.token_issued_at
        if issued is not None and issued > datetime.fromisoformat(moment):
            continue
        when = f"was issued at {issued:%Y-%m-%dT%H:%M:%SZ}" if issued else "was issued at an unknown time"
        yield Refusal(
            "self-lockout",
            draft.address,
            f"the token in use {when}, and tokens that were not issued after {moment} would stop working for "
            f"{case.worksheet.name}",
            "plan with a token that was issued later, or choose an earlier moment",
            (draft.want.sources or {}).get("token_min_issued_at", draft.want.source) if draft.want else None,
        )


SAFEGUARD = Safeguard("self-lockout", lifted_by_allow=True, page=PAGE, check=check)
