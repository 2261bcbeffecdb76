"""Who reaches what, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.model.address import SERVICE
from reconciler.model.expiring import until

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from reconciler.model.diagnostic import Source

DIRECT = "direct"
OWNS = "implicit as owner"


class Assignment(msgspec.Struct, frozen=True, gc=False):
    """What one person may do on one object."""

    # Who may do what
    person: str  # the manifests' name, or the handle
    key: str  # tells people apart whatever they are called: the Pipes handle, else the invited address in lower case
    object: str  # `acme` for the membership, `acme/prod` for a workspace
    role: str  # the strongest that they have there

    # Why, and for how long
    why: str  # `direct`, a team's entry (`team/sre`), `implicit as owner`, or where a live row comes from
    path: tuple[str, ...] = ()  # the teams from that entry down to the one that names the person
    pending: str = ""  # `invited` where live says so, `by email` where no handle is known yet
    expires: date | None = None  # the first day without it
    source: Source | None = None  # the line of the manifest
    then: str | None = None  # the role from `expires` on, where the entry itself says so
    because: str | None = None  # the entry's own `reason:`
    robot: bool = False  # whether it is a robot's account
    last_activity_at: str | None = None  # as Pipes reports it; None if it does not, and for manifests
    since: str | None = None  # when the membership or the grant was made, as above
    status: str | None = None  # `accepted` or `invited`, as above

    @property
    def kind(self) -> str:
        """`person`, `robot` for an account that the manifests mark so, or `service account`."""
        if self.person.startswith(SERVICE):
            return "service account"
        return "robot" if self.robot else "person"

    @property
    def user_handle(self) -> str | None:
        """The handle in Pipes; None for somebody who is known by an address only."""
        return None if "@" in self.key else self.key

    @property
    def until(self) -> str:
        """`until 2027-01-31, then member`; empty for what does not end."""
        return until(self.expires, self.then)

    @property
    def who(self) -> str:
        """The name, and who that is in Pipes where it is not the same."""
        return self.person if self.person == self.key else f"{self.person} ({self.key})"

    @property
    def reason(self) -> str:
        """`why`, with the way through nested teams: `team/sre, through team/platform`."""
        return f"{self.why}, through {', '.join(self.path[1:])}" if len(self.path) > 1 else self.why


class AccountToken(msgspec.Struct, frozen=True):
    """A token of a service account, without its value."""

    account: str  # the account's address
    title: str
    last4: str
    created: str  # as Pipes writes it, like `ends`
    ends: str  # empty: never
    status: str


class ConnectionUse(msgspec.Struct, frozen=True):
    """A connection (`acme/aws_prod`) that is a schema of a workspace (`acme/prod`): who reaches the one reaches the other.

    With a `folder` it need not be one yet: the workspace may use whatever is in that folder.
    """

    connection: str
    workspace: str
    source: Source | None = None
    folder: str | None = None  # its key


class Access(msgspec.Struct, frozen=True):
    """A map of who reaches what, by person and object."""

    # Who reaches what
    source: str  # `manifests` or `live`
    day: date  # the day that it is of
    assignments: tuple[Assignment, ...]  # sorted by person and object
    objects: tuple[str, ...]  # all orgs and workspaces that were looked at
    open: tuple[
        str, ...
    ] = ()  # those whose people are unknown, or only in part, as where the manifests do not manage them

    # What else there is to say
    notes: tuple[str, ...] = ()  # what to tell the reader
    connection_uses: tuple[ConnectionUse, ...] = ()  # the connections that are reached through workspaces
    open_connections: tuple[str, ...] = ()  # connections whose workspaces are unknown
    tokens: tuple[AccountToken, ...] | None = None  # of the service accounts; None where nobody asked for them
    teams: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)  # of the manifests, with nested teams

    @property
    def with_activity(self) -> frozenset[str]:
        """The objects in whose own rows Pipes says when somebody was active. What it says of an owner is the organization's."""
        return frozenset(one.object for one in self.assignments if one.last_activity_at is not None and one.why != OWNS)


SEEN, NEVER, UNKNOWN = "seen", "never", "unknown"


def activity(assignment: Assignment, with_activity: Collection[str]) -> str | None:
    """SEEN, NEVER where other rows of that list have a last activity, else UNKNOWN. None for a pending invitation."""
    if assignment.last_activity_at is not None:
        return SEEN
    if assignment.pending:
        return None
    place = assignment.object.partition("/")[0] if assignment.why == OWNS else assignment.object
    return NEVER if place in with_activity else UNKNOWN
