"""secret-loss: a connection's configuration is replaced only if the manifest is known to have all of its secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.kinds import secret
from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.safeguard import Safeguard

if TYPE_CHECKING:
    from datetime import date

    from reconciler.model.address import Address
    from reconciler.model.desired import Node

PAGE = """\
**Refuses** to change the `config` of a connection that was [imported](import.md#connections), until `rotate: DAY` states that the
manifest has all of it.

**Why:** Pipes replaces a configuration as a whole and shows no secrets, so an imported one may lack some. Without a lock file,
which notes what was imported, the plan warns.

**To fix:** write each secret as `${env:NAME}` or `${file:PATH}` under `config:`, and add `rotate:` with today's or an earlier day,
once.
"""


def refusal(address: Address, want: Node, day: date) -> Refusal:
    """The refusal for a change of the `config` at `address`; `day` is the day of the plan."""
    return Refusal(
        "secret-loss",
        address,
        f"the config of {want.name} was imported, and Pipes shows no secrets; a secret that Pipes has and this config does not "
        "would be lost",
        f"write each secret as ${{env:NAME}} or ${{file:PATH}} under `config:`, then add `rotate: {day.isoformat()}` to state "
        "that the config is complete",
        (want.sources or {}).get(secret.FIELD, want.source),
        liftable=False,
    )


SAFEGUARD = Safeguard("secret-loss", lifted_by_allow=False, page=PAGE, found_in="reconciler/plan/diff")
