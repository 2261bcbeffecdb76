"""What the lock file is to know after a reading: the id behind every address that the manifests and live share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model import address as addresses
from reconciler.model.live import Lock, LockEntry
from reconciler.plan import diff, identity

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.model.desired import Desired
    from reconciler.model.live import Snapshot


def remembered(desired: Desired, live: Snapshot, lock: Lock, *, only: Collection[str]) -> Lock:
    """The lock file's content with the orgs `only` (by the manifest's handle) as `live` has them.

    What is refused or could not be read keeps the entries that it had. A grant is identified by its workspace and its
    member, so it has no entry of its own.
    """
    kept = {address: entry for address, entry in lock.items() if addresses.org_of(address) not in only}
    for sheet in diff.sheets(desired, live, identity.known(identity.carried(lock, desired))):
        if sheet.name not in only:
            continue
        doubtful = {refusal.address for refusal in sheet.refusals}
        if sheet.address in doubtful:
            kept.update({a: e for a, e in lock.items() if addresses.covers(sheet.address, a)})
            continue
        if sheet.have is None or sheet.want.absent:
            continue
        kept[sheet.address] = LockEntry(sheet.have.id)
        for name, who in sheet.people.items():
            if who.have is not None:
                by_email = desired.person(name).handle is None
                kept[addresses.join(sheet.address, "member", name)] = LockEntry(
                    who.have.id, who.have.handle if by_email else None
                )
        kept.update({address: LockEntry(have.id) for address, have in sheet.named.items()})
        kept.update({a: lock[a] for a in doubtful if a in lock})
    return kept
