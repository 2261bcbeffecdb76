"""Who reaches what, and why.

In: Desired (the manifests) or a Snapshot (live). Out: Access, and the Review of what a pull request changes in it.
Open `maps.py` first; `connections.py` and `folders.py` follow the ways to a connection, `review/` compares two. Pure.
"""
