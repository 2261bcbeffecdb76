"""host-pinned: manifests that say where Pipes is are used with that Pipes and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.safeguard import Safeguard

if TYPE_CHECKING:
    from reconciler.model.diagnostic import Source

PAGE = """\
**Refuses** a run whose manifests say `host: HOST` while `--host` or `PIPES_HOST` names another Pipes. It is compared before any
request. The [sandbox](sandbox.md) is exempt.

**Why:** the same handles may exist on two hosts, and a plan for one would change, or create, organizations on the other.

**To fix:** name the host of the manifests with `--host`, or change `host:` in a pull request. `review` shows that change first.
"""

SAFEGUARD = Safeguard("host-pinned", lifted_by_allow=False, page=PAGE, found_in="reconciler/safeguards/host_pinned.py")


def refusal(pinned: str, source: Source, used: str) -> Refusal:
    """The refusal of a run against `used`, whose manifests are for `pinned`."""
    return Refusal(
        SAFEGUARD.code,
        "host",
        f"these manifests are for {pinned}, and this run would talk to {used}",
        f"run it with `--host {pinned}`, or change `host:` in the manifests",
        source,
        liftable=False,
    )
