"""The planner's worksheet: what was found for one org, before it is put in order and judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.kinds import member
from reconciler.kinds.kind import weaker

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind, Place
    from reconciler.model.desired import Node
    from reconciler.model.diagnostic import Diagnostic, Refusal
    from reconciler.model.live import Resource


class Who(msgspec.Struct, gc=False):
    """A person of the manifest in one org."""

    # Who
    name: str  # the manifest's
    key: str  # the live handle, or the name where only an email is known
    have: Resource | None  # the live member row that can be changed
    inherited: Resource | None = None  # the row of the level above

    # How sure that is, and what to do about it
    by_email: bool = False  # to be invited by email
    replaces: Resource | None = None  # a pending invitation to a former address, to be cancelled for the new one
    uncertain: bool = False  # the account was invited at another address: nothing of it may change

    # For a service account
    account: str = ""  # of a service account: its id, or the address of the one that will be created
    is_new: bool = False  # a service account that will be created, and is a member then


class Draft(msgspec.Struct):
    """One difference, before it is put in order."""

    # The object
    action: str  # create | update | rename | delete
    kind: Kind  # of the object
    address: str  # by the manifests' names
    parent: str | None  # the parent's address; None for an org
    place: Place  # the handles under which its requests are sent
    handle: str  # the live handle where there is one, else the one to create
    attrs: dict[str, Any]  # the attributes to set
    have: Resource | None = None  # the live object
    want: Node | None = None  # the manifest's node

    # Why
    reason: str | None = None  # as `Change.reason`
    stated: bool = False  # a line of the manifest asks for exactly this loss

    # What it is connected with
    previous_address: str | None = None  # before a rename
    person: str | None = None  # who it is about, for kinds that name people: a key of OrgWorksheet.members
    needs: tuple[str, ...] = ()  # addresses whose own steps, if there are any, must have succeeded before


class Membership(msgspec.Struct, gc=False):
    """One person in one org, before and after the plan."""

    # Who
    label: str  # the manifest's name, with the Pipes handle behind it where that differs
    address: str  # of the member

    # What changes, and why
    before: dict[str, Any] | None = None  # the live row's attributes; None: not a member
    after: dict[str, Any] | None = None  # the same after the plan
    via: str | None = None  # the team that the entry came from
    gone: str | None = None  # unlisted | absent | expired, where the membership is deleted
    lost: str = "no longer listed"  # why something is lost, for the impact
    entry: Node | None = None  # the manifest's entry, where it has one
    robot: bool = False  # a service account, or an account that the manifests mark as a robot: no person's

    @property
    def keeps_the_org_before(self) -> bool:
        """What the owner floor counts, before the plan: a person who owns the org and has confirmed."""
        return not self.robot and self.before is not None and member.is_accepted_owner(self.before)

    @property
    def keeps_the_org_after(self) -> bool:
        """The same after the plan."""
        return not self.robot and self.after is not None and member.is_accepted_owner(self.after)


class GrantWorksheet(msgspec.Struct):
    """The grants of one workspace before and after. A person's key is that of `OrgWorksheet.members`."""

    name_before: str | None  # the workspace's handle; None before it is created
    name_after: str | None  # None once it is deleted
    before: dict[str, str] | None = None  # the role of each person; None: they were not read
    after: dict[str, str] | None = None  # the same after the plan
    lost: dict[str, str] = msgspec.field(default_factory=dict)  # why each person loses something, for the impact
    host: str | None = None  # the DNS name
    entries: dict[str, Node] = msgspec.field(
        default_factory=dict
    )  # the manifest's entry of each person, where it has one


class OrgWorksheet(msgspec.Struct):
    """Everything that planning one org found."""

    # The org
    name: str  # the manifest's handle
    address: str  # of the org
    have: Resource | None  # the live org; None where it will be created
    want: Node  # the manifest's node
    deleted: bool = False  # the org itself goes

    # What is planned
    drafts: list[Draft] = msgspec.field(default_factory=list)  # the differences, not yet in order
    unmanaged: list[str] = msgspec.field(default_factory=list)  # addresses of live objects that no manifest lists

    # Its people. One key a person: the live handle, or the manifest's name for who is invited by email
    lists_read: bool = False  # live's member list was read, or is known because the org is yet to be created
    people: dict[str, Who] = msgspec.field(default_factory=dict)  # by the manifest's name
    members: dict[str, Membership] = msgspec.field(default_factory=dict)  # by key
    leaving: set[str] = msgspec.field(
        default_factory=set
    )  # ids of service accounts that are deleted, with all that they have
    spared: set[str] = msgspec.field(
        default_factory=set
    )  # ids of people whom a refusal is about: nothing of theirs is planned
    waiting: set[str] = msgspec.field(default_factory=set)  # names for which nothing is planned before a future day
    workspaces: list[GrantWorksheet] = msgspec.field(default_factory=list)  # their grants before and after
    strangers: dict[str, list[tuple[str, Node]]] = msgspec.field(
        default_factory=dict
    )  # names with grants that will not be
    # members: the workspace and the entry of each grant

    # Its objects with names of their own
    named: dict[str, Resource] = msgspec.field(default_factory=dict)  # address -> the live object, where there is one
    ids: dict[str, str] = msgspec.field(default_factory=dict)  # address -> its id
    detached: dict[str, set[str]] = msgspec.field(
        default_factory=dict
    )  # connection -> ids of workspaces that a move takes it from

    # What speaks against it, and what to tell the reader
    refusals: list[Refusal] = msgspec.field(default_factory=list)  # of safeguards
    errors: list[Diagnostic] = msgspec.field(default_factory=list)  # that only the live organization could show
    warnings: list[Diagnostic] = msgspec.field(default_factory=list)  # about the manifests
    notes: list[str] = msgspec.field(default_factory=list)  # about what was read
    consequences: list[str] = msgspec.field(default_factory=list)  # what its drafts do, beside the impact


def loses(draft: Draft) -> bool:
    """Whether the draft takes something from a person: a membership, an invitation, a grant, or a higher role."""
    if not draft.kind.names_people or draft.have is None:
        return False
    if draft.action == "delete":
        return True
    role = draft.kind.attribute("role")
    return "role" in draft.attrs and weaker(role, draft.have.attrs.get("role"), draft.attrs["role"])
