"""What changed in Pipes outside the manifests, and who did it.

In: Desired, a Snapshot, and the audit logs. Out: Drift, with a Difference for each thing that is not as written.
Open `compare.py` first. Pure: the logs are handed in.
"""
