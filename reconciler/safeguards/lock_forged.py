"""lock-forged: with a key, only a lock file that an apply with this key has sealed says who is who."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model import address as addresses
from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.safeguard import Safeguard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.desired import Desired
    from reconciler.model.live import Lock, Snapshot

PAGE = """\
**Refuses** every plan of a run that has a key (`RECONCILER_FINGERPRINT_KEY`) and whose lock file has no
[seal](lock-file.md#the-seal), or one that does not fit its entries. Without a key nothing is refused. An organization that is yet
to be created needs no lock file.

**Why:** whoever can change the lock file could give [somebody's role to another account](threat-model.md#the-lock-file).

**To fix:** take the lock file back from git, as an apply wrote it. If it has never been sealed, or you changed it yourself, run
`reconciler lock --seal` with the key.
"""

SAFEGUARD = Safeguard("lock-forged", lifted_by_allow=False, page=PAGE, found_in="reconciler/safeguards/lock_forged.py")


def refusals(why: str, desired: Desired, live: Snapshot, lock: Lock) -> Iterator[Refusal]:
    """A refusal for each org that the lock file may be about. `why` is what is wrong with the file, as a clause."""
    known = {addresses.org_of(address) for address in lock}
    for name, node in sorted(desired.orgs.items()):
        if not known and not {name, node.renamed_from} & live.orgs.keys():
            continue  # to be created: nobody is in it yet
        yield Refusal(
            SAFEGUARD.code,
            addresses.join(None, "org", name),
            f"{why} and this run has a key: what it says of people may not be what an apply wrote",
            "take the lock file back from git, as an apply wrote it; or run `reconciler lock --seal`, which prints every "
            "person with the account, and asks",
            node.source,
            liftable=False,
        )
