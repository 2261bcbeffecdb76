"""Which live object each name in the manifests means.

In: Desired, Snapshot and the lock file. Out: a live object for each name, or a refusal where that is in doubt.
Open `people.py` first; `named.py` does the same for orgs, workspaces and connections, `lock_index.py` is what both look up.
"""

from __future__ import annotations

from reconciler.plan.identity.evidence import names_of
from reconciler.plan.identity.lock_index import Known, carried, known
from reconciler.plan.identity.named import Match, Siblings, left_behind, match_named, resembles, spent
from reconciler.plan.identity.people import Scene, match_people
from reconciler.plan.identity.readdressed import (
    invite_at_new_address,
    leave_uncertain_alone,
    under_new_keys,
    without_cancelled,
)
from reconciler.plan.identity.two_names import two_names, warn_of_two_names

__all__ = [
    "Known",
    "Match",
    "Scene",
    "Siblings",
    "carried",
    "invite_at_new_address",
    "known",
    "leave_uncertain_alone",
    "left_behind",
    "match_named",
    "match_people",
    "names_of",
    "resembles",
    "spent",
    "two_names",
    "under_new_keys",
    "warn_of_two_names",
    "without_cancelled",
]  # fmt: skip
