"""rename: a handle changes only if the manifest states it beyond doubt."""

from __future__ import annotations

from reconciler.safeguards.safeguard import Safeguard

PAGE = """\
**Refuses** a change of handle, or what may be one, that the manifest does not state beyond doubt: an object renamed outside;
`renamed_from` with both handles live, or neither; a chain or a swap; an id that the lock file knows under another handle.

**Why:** to take a renamed object for a new one would create a second one and remove people from the first.

**To fix:** write the handle that the object has now, or state the rename with `renamed_from`. Make a chain or a swap in several
applies, a swap by way of a third handle: between two renames anybody could take the free handle, and after a failure nobody could
tell the objects apart. `validate` says when a `renamed_from` is done and can go.

A name is one person in all organizations: whoever takes a handle that one of your people gave up is neither invited nor granted
anything in their place.
"""

SAFEGUARD = Safeguard("rename", lifted_by_allow=False, page=PAGE, found_in="reconciler/plan/identity")
