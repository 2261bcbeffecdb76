"""Who reaches what, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from reconciler.model.diagnostic import Source

DIRECT = "direct"
OWNS = "implicit as owner"


@dataclass(frozen=True, slots=True)
class Reach:
    """What one person may do on one object.

    `key` tells people apart whatever they are called: the Pipes handle, else the address that is invited, in lower case.
    `object` is `acme` for the membership and `acme/prod` for a workspace. `why` is `direct`, a team's entry (`team/sre`),
    `implicit as owner`, or where a live row comes from; `path` holds the teams from that entry down to the one that names
    the person. `pending` is `invited` where live says so, and `by email` where no handle is known yet.
    """

    person: str
    key: str
    object: str
    role: str
    why: str
    path: tuple[str, ...] = ()
    pending: str = ""
    expires: date | None = None
    source: Source | None = None
    then: str | None = None  # the role from `expires` on, where the entry itself says so

    @property
    def until(self) -> str:
        """`until 2027-01-31, then member`; empty for what does not end."""
        if self.expires is None:
            return ""
        return f"until {self.expires.isoformat()}" + (f", then {self.then}" if self.then else "")

    @property
    def who(self) -> str:
        """The name, and who that is in Pipes where it is not the same."""
        return self.person if self.person == self.key else f"{self.person} ({self.key})"

    @property
    def reason(self) -> str:
        """`why`, with the way through nested teams: `team/sre, through team/platform`."""
        return f"{self.why}, through {', '.join(self.path[1:])}" if len(self.path) > 1 else self.why


@dataclass(frozen=True, slots=True)
class Route:
    """A connection (`acme/aws_prod`) that is a schema of a workspace (`acme/prod`): who reaches the one reaches the other.

    With a `folder` it need not be one yet: the workspace may use whatever is in that folder.
    """

    connection: str
    workspace: str
    source: Source | None = None
    folder: str | None = None  # its key


@dataclass(frozen=True, slots=True)
class Access:
    """A map of who reaches what, by person and object.

    `source` is `manifests` or `live`. `objects` are all orgs and workspaces that were looked at; of those in `open` it is
    not known, or not whole, who is in them, since the manifests do not manage their members. `routes` are the connections
    that are reached through workspaces; of those in `unrouted` it is not known where they are.
    """

    source: str
    day: date
    reaches: tuple[Reach, ...]
    objects: tuple[str, ...]
    open: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    unrouted: tuple[str, ...] = ()
