"""What the lock file may say of somebody known by email only: evidence, never authority.

An entry counts only for the address that it was made for, and only while nobody else claims its account. A name alone
links to nothing: the same name in another org may have been somebody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import grant, member, workspace
from reconciler.model import address as addresses
from reconciler.model.live import address_digest

if TYPE_CHECKING:
    from reconciler.model.desired import Desired, Node, Person
    from reconciler.model.live import LockEntry
    from reconciler.plan.identity.lock_index import Claim, Known


class Evidence(msgspec.Struct, frozen=True):
    """What the lock file knows of one person in one org. All of it is about accounts that nobody else claims."""

    ids: frozenset[str] = frozenset()  # accounts that were invited at exactly this address
    entry: LockEntry | None = None  # this org's entry of this address
    corrected: LockEntry | None = None  # this org's entry of this name, made for another address
    undigested: LockEntry | None = None  # this org's entry of this name, which does not say for which address
    disputed: frozenset[str] = frozenset()  # accounts that somebody else claims as well
    dispute: str = ""  # who claims them, for a person to read


def of_person(org: str, person: Person, desired: Desired, lock: Known) -> Evidence:
    """What counts for `person`, who is known by email only, in the org at address `org`."""
    digest = address_digest(person.email or "")
    made_for_it = lock.of_address.get(digest, [])
    here = [claim for claim in made_for_it if claim.org == org]
    here.sort(key=lambda claim: (claim.name != person.name, claim.name))
    named = lock.entries.get(addresses.join(org, member.KIND.name, person.name))
    corrected = undigested = None
    if not here and named is not None:
        if named.address is None:
            undigested = named
        elif named.address != digest and named.address not in digests(desired):
            corrected = named
    claims = here or ([] if corrected or undigested else made_for_it)
    ids = {claim.entry.id for claim in claims} | {one.id for one in (corrected, undigested) if one is not None}
    disputes = {i: others for i in sorted(ids) if (others := _others(i, org, person, digest, desired, lock))}
    if disputes:
        return Evidence(
            entry=here[0].entry if here else None,
            disputed=frozenset(ids),
            dispute="; ".join(_said(i, others) for i, others in disputes.items()),
        )
    return Evidence(
        frozenset(claim.entry.id for claim in claims), here[0].entry if here else None, corrected, undigested
    )


def digests(desired: Desired) -> set[str]:
    """The digests of everybody whom the manifests know by email only: an entry of one of those is theirs."""
    return {address_digest(person.email or "") for person in desired.people.values() if person.handle is None}


def _others(identifier: str, org: str, person: Person, digest: str, desired: Desired, lock: Known) -> list[Claim]:
    """The entries by which somebody else has this account.

    Somebody whom the manifests list by handle in another org may be the same person under two names: that is a warning
    elsewhere, not a dispute.
    """
    return [
        claim
        for claim in lock.claims.get(identifier, ())
        if claim.entry.address != digest
        and claim.name != person.name
        and not (claim.org != org and claim.entry.address is None and _lists_by_handle(desired, claim))
    ]


def _lists_by_handle(desired: Desired, claim: Claim) -> bool:
    node = {**desired.elsewhere, **desired.orgs}.get(claim.org.partition(".")[2])
    return node is not None and desired.handle(claim.name) is not None and claim.name in names_of(node)


def names_of(org: Node) -> dict[str, Node]:
    """Everybody whom the manifests name in an org, in its workspaces too, each with the line that does."""
    found: dict[str, Node] = {}
    for holder, kind in (
        (org, member.KIND),
        *((s, grant.KIND) for s in org.children.get(workspace.KIND.name, {}).values()),
    ):
        for section in (holder.children.get(kind.name, {}), (holder.expired or {}).get(kind.name, {})):
            for name, node in section.items():
                found.setdefault(name, node)
    return found


def _said(identifier: str, others: list[Claim]) -> str:
    entries = ", ".join(sorted(addresses.join(claim.org, member.KIND.name, claim.name) for claim in others))
    return f"the lock file has the account {identifier} also for {entries}"
