"""What the steps of one apply share."""

from __future__ import annotations

from threading import Lock as Mutex
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.apply.journal import Journal
    from reconciler.model.live import LockEntry
    from reconciler.model.plan import Change, Plan
    from reconciler.pipes.client import Client


class Run(msgspec.Struct):
    """What the steps of one apply share."""

    # What they do, and with what
    plan: Plan  # what is applied
    client: Client  # sends the requests
    journal: Journal  # keeps what was sent
    actor: str  # the user id of the token's own user

    # What was read before
    floors: Mapping[str, int]  # org handle -> the owner floor in force
    folders: Mapping[str, str] = msgspec.field(default_factory=dict)  # org address -> where its logo's path begins
    robots: frozenset[str] = frozenset()  # ids and handles of accounts that the manifests mark as robots
    by_handle: frozenset[str] = frozenset()  # the handles of everybody whom the manifests name by one
    seen: Mapping[str, Mapping[str, Any]] = msgspec.field(
        default_factory=dict
    )  # id -> what it refers to, as the plan read it
    changes: dict[str, Change] = msgspec.field(default_factory=dict)  # by address

    # What the steps learn from answers and by their own writes, under `mutex`
    learned: dict[str, LockEntry] = msgspec.field(default_factory=dict)  # address -> what the lock file will say of it
    late: dict[str, str] = msgspec.field(
        default_factory=dict
    )  # address -> the handle or id that later requests wait for
    attrs: dict[str, dict[str, Any]] = msgspec.field(
        default_factory=dict
    )  # address -> what we know it to be by our own writes
    unanswered: set[tuple[str, str]] = msgspec.field(
        default_factory=set
    )  # org and role of invitations by email whose effect is unknown
    turns: dict[str, Mutex] = msgspec.field(default_factory=dict)  # org -> whose turn it is to invite by email
    mutex: Mutex = msgspec.field(default_factory=Mutex)  # held while these are changed

    def __post_init__(self) -> None:
        self.changes = {change.address: change for change in self.plan.changes}
