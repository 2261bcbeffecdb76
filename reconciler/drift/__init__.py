"""Finds what changed in Pipes outside the manifests, and who changed it.

In: Desired, a Snapshot, and the entries of the audit logs. Out: Drift, one Difference for each object or attribute.
Pure: no I/O. Open `compare.py` first.
"""
