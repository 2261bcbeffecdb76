"""The lock file: which live id belongs to which address.

In: `reconciler.lock.json`, and after a reading Desired with its Snapshot. Out: a Lock, and the file's new bytes.
Open `file.py` first; `update.py` says which entries a reading adds, changes and removes.
"""
