"""Desired and live, org by org, into drafts: what must be created, changed, renamed and deleted, and what is doubtful.

In: Desired, Snapshot and the indexed lock file. Out: one worksheet (`OrgWorksheet`) for each managed org.
Open `organizations.py` first; `members.py`, `grants.py`, `named.py` and `lists.py` each compare one section of a manifest.
"""

from reconciler.plan.diff.organizations import worksheets

__all__ = ["worksheets"]
