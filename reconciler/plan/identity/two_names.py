"""One account under two names: in one org an error, in two orgs a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import member
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Diagnostic
from reconciler.plan.identity import evidence
from reconciler.plan.identity.lock_index import known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reconciler.model.desired import Desired, Node
    from reconciler.model.live import Lock
    from reconciler.plan.identity.lock_index import Known
    from reconciler.safeguards.worksheet import OrgWorksheet


def warn_of_two_names(worksheets: Sequence[OrgWorksheet], desired: Desired) -> None:
    """Add a warning to the worksheets of orgs in which an account has another name than it has in an org before."""
    first: dict[str, tuple[str, str]] = {}  # handle of the account -> name, org
    for worksheet in worksheets:
        lines = evidence.names_of(worksheet.want)
        for name, who in sorted(worksheet.people.items()):
            row = who.have or who.inherited or who.replaces
            if row is None and (who.by_email or who.is_new):
                continue
            handle = row.handle if row is not None else who.key
            other, org = first.setdefault(handle, (name, worksheet.name))
            if other != name:
                source = lines[name].source if name in lines else desired.person(name).source
                worksheet.warnings.append(
                    Diagnostic("warning", _across(name, worksheet.name, other, org, handle), source, ONE_NAME)
                )


ONE_NAME = "use one name for one person in all orgs"


def _across(name: str, org: str, other: str, first: str, handle: str) -> str:
    return f"{name} in {org} and {other} in {first} are one person: both are the account {handle}"


def two_names(desired: Desired, lock: Lock) -> Iterator[Diagnostic]:
    """What the lock file alone shows of accounts that have two names: an error within an org, a warning across two."""
    index = known(lock)
    by_handle = _invited_accounts(desired, index)
    first: dict[str, tuple[str, str]] = {}
    for org, node in sorted(desired.orgs.items()):
        accounts: dict[str, list[str]] = {}
        lines = evidence.names_of(node)
        for name in lines:
            account = _account(org, name, desired, index, by_handle)
            if account is None:
                continue
            accounts.setdefault(account, []).append(name)
            other, before = first.setdefault(account, (name, org))
            if other != name and before != org:
                summary = _across(name, org, other, before, _called(account, lock))
                yield Diagnostic("warning", summary, lines[name].source, ONE_NAME)
        for account, names in accounts.items():
            if len(names) > 1:
                yield _error(org, _called(account, lock), names, lines)


def _invited_accounts(desired: Desired, index: Known) -> dict[str, str]:
    """The accounts of people who are known by email only, by the handle that the lock file has for them."""
    by_email = {person.name for person in desired.people.values() if person.handle is None}
    digests = evidence.digests(desired)
    return {
        claim.entry.handle: account
        for account, claims in index.claims.items()
        for claim in claims
        if claim.entry.handle is not None and (claim.name in by_email or claim.entry.address in digests)
    }


def _account(org: str, name: str, desired: Desired, index: Known, by_handle: Mapping[str, str]) -> str | None:
    """The account that a name leads to by the lock file; None where it does not know one, or not for sure."""
    here = addresses.join(None, "org", org)
    handle = desired.handle(name)
    if handle is not None:
        own = index.entries.get(addresses.join(here, member.KIND.name, name))
        return own.id if own is not None else by_handle.get(handle)
    found = evidence.of_person(here, desired.person(name), desired, index)
    known_as = found.ids or found.disputed or {one.id for one in (found.corrected, found.undigested) if one is not None}
    return next(iter(known_as)) if len(known_as) == 1 else None


def _called(account: str, lock: Lock) -> str:
    return next((entry.handle for entry in lock.values() if entry.id == account and entry.handle), account)


def _error(org: str, account: str, names: list[str], lines: Mapping[str, Node]) -> Diagnostic:
    return Diagnostic(
        "error",
        f"who-is-this: {' and '.join(names)} are one person in {org}: the lock file knows both as the account {account}",
        lines[names[-1]].source,
        f"keep one of the names {', '.join(names)} in {org}, and drop the others",
        also=lines[names[0]].source,
    )
