"""org-delete: an organization goes only if the manifest states it and somebody confirms its handle."""

from __future__ import annotations

from reconciler.safeguards.safeguard import Safeguard

PAGE = """\
**Refuses** to delete an organization whose handle nobody has confirmed. The manifest must state `absent: true`, and `apply` asks
for the handle: on a terminal you type it, elsewhere you give `--confirm-delete HANDLE`. Piped input does not count. `plan` shows
the deletion and says what `apply` will ask for.

**Why:** nothing brings back the organization, its workspaces and their databases.

Save as `gone.yaml`:

```yaml
version: 1
orgs:
  beta: {absent: true, reason: merged into acme}
```

```console
$ reconciler apply gone.yaml --host sandbox --auto-approve 2>&1 | grep -A 3 '^Refused: '
Refused: org-delete  org.beta
  the organization beta, its workspaces and their databases would be deleted, and nobody has confirmed that.
  To fix: confirm with --confirm-delete beta.
```

**To fix:** do both.
"""

SAFEGUARD = Safeguard("org-delete", lifted_by_allow=False, page=PAGE, found_in="reconciler/cli/apply.py")
