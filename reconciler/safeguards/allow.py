"""`--allow CODE=ADDRESS`: which refusals a run lifts. Nothing is lifted that was not named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model import address as addresses
from reconciler.model.errors import UsageError
from reconciler.model.near import near
from reconciler.safeguards.table import SAFEGUARDS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reconciler.model.diagnostic import Refusal

Allowance = tuple[str, str | None]  # code, and an address or None for "the one org of this plan"


def parse(text: str) -> Allowance:
    """`mass-removal=org.acme` or a bare code. Raises UsageError for an unknown code, one never lifted, or a bad address."""
    code, equals, address = text.partition("=")
    if code not in SAFEGUARDS:
        meant = near(code, SAFEGUARDS, most=1, cutoff=0.6)
        raise UsageError(
            f"--allow {text}: there is no safeguard {code!r}" + (f"; did you mean {meant[0]}?" if meant else "")
        )
    if not SAFEGUARDS[code].lifted_by_allow:
        raise UsageError(f"--allow {text}: {code} is never lifted by --allow")
    if not equals:
        return code, None
    try:
        addresses.split(address)
    except ValueError as error:
        raise UsageError(f"--allow {text}: {error}") from None
    return code, address


def resolve(
    allow: Sequence[Allowance], orgs: Collection[str], touched: Collection[str], refusals: Sequence[Refusal]
) -> tuple[tuple[str, str], ...]:
    """Give every allowance an address. `orgs` are the org addresses that the plan changes or refuses, `touched` all its
    addresses. Raises UsageError for a bare code while several orgs are touched, and for an address that is not.
    """
    found = set()
    known = set(touched) | set(orgs) | {refusal.address for refusal in refusals}
    for code, address in allow:
        if address is None:
            if len(orgs) != 1:
                choices = ", ".join(f"--allow {code}={org}" for org in sorted(orgs)) or "none: this plan touches no org"
                raise UsageError(f"--allow {code} must say where: {choices}")
            found.add((code, next(iter(orgs))))
        elif address in known:
            found.add((code, address))
        else:
            raise UsageError(f"--allow {code}={address}: the plan does not touch {address}")
    return tuple(sorted(found))


def lifts(allowed: Collection[tuple[str, str]], refusal: Refusal) -> bool:
    """Whether one of the allowances covers the refusal."""
    return refusal.liftable and any(
        code == refusal.code and addresses.covers(address, refusal.address) for code, address in allowed
    )
