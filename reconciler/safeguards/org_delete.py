"""org-delete: an organization goes only if the manifest states it and somebody confirms its handle."""

from __future__ import annotations

from reconciler.safeguards.safeguard import Safeguard

PAGE = """\
**Refuses** to delete an organization whose handle nobody has confirmed.

**Why:** nothing brings back the organization, its workspaces and their databases.

**To fix:** state `absent: true`, and confirm the handle when you apply: on a terminal you type it, elsewhere you give
`--confirm-delete HANDLE`. Piped input does not count. `plan` shows the deletion and says what `apply` will ask for.
"""

SAFEGUARD = Safeguard("org-delete", lifted_by_allow=False, page=PAGE, found_in="reconciler/cli/apply.py")
