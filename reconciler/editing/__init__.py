"""Edits of a manifest's text that keep everything they do not concern, comments included.

In: manifests as text, and what should be different. Out: the new text, or a patch that `git apply` takes.
Open `in_place.py` first; `offboard.py` and `fix_up.py` decide what to edit, `canonical.py` is the form that `fmt` writes.
"""
