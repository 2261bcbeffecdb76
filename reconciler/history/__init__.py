"""Manifests and lock file as they stood at a git revision, read as data.

In: a revision or a folder. Out: the files' bytes by name. Nothing of the tree that is read is run.
Open `revision.py` first.
"""
