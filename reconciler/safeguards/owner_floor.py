"""owner-floor: people keep owning an organization after every single step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.diagnostic import Refusal
from reconciler.safeguards.safeguard import Case, Safeguard

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = """\
**Refuses** a plan in which any step leaves an organization with fewer accepted owners than `safeguards.min_owners` (default 1).
Invited owners do not count, because they may never accept. Neither do owners of the tenant, because a manifest cannot grant or
keep them, nor robots: service accounts, which cannot log in to the console, and accounts with `robot: true`.

**Why:** only Pipes' support can repair an organization without an owner.

Save as `floor.yaml`:

```yaml
version: 1
safeguards: {min_owners: 2}
orgs:
  acme:
    members:
      alice: owner
      bob: {absent: true}
      zoe: owner                 # must accept the invitation first
```

```console
$ reconciler sandbox seed pipes.yaml
.reconciler/sandbox.sqlite3: 1 organization, 3 users
$ reconciler plan floor.yaml --host sandbox | grep -A 3 '^Refused: '
Refused: owner-floor  org.acme  (floor.yaml:4)
  1 accepted owner is left after delete org.acme/member.bob; the floor is 2, and invited owners and robots do not count.
  To fix: let another person accept as an owner first, then apply the removal, or lower safeguards.min_owners.
  To allow it once: --allow owner-floor=org.acme
```

`apply` counts the live owners again right before each demotion or removal of an owner
([how it fails](how-it-fails.md#somebody-else-changes-the-same-thing)).
"""


def check(case: Case) -> Iterator[Refusal]:
    """Refuse the first step that leaves nobody, else the first that leaves too few. A plan may repair an org that is short
    already.
    """
    floor = case.desired.rules.min_owners
    short = [(step, step.accepted_owners) for step in case.steps if (step.accepted_owners or 0) < floor]
    found = [(step, left) for step, left in short if left is not None]
    if not found:
        return
    step, left = next((pair for pair in found if pair[1] < 1), found[0])
    yield Refusal(
        "owner-floor",
        case.worksheet.address,
        f"{_owners(left, case.worksheet.name)} after {step.action} {step.address}; the floor is {floor}, and invited owners "
        "and robots do not count",
        "let another person accept as an owner first, then apply the removal"
        + (", or lower safeguards.min_owners" if left > 0 else ""),
        case.worksheet.want.source,
        liftable=left >= 1,
    )


def _owners(count: int, org: str) -> str:
    """Who is left, in words."""
    if not count:
        return f"no person would own {org}"
    return "1 accepted owner is left" if count == 1 else f"{count} accepted owners are left"


SAFEGUARD = Safeguard("owner-floor", lifted_by_allow=True, page=PAGE, check=check, allow_note="never below 1 owner")
