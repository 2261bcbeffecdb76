"""The result of applying a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from reconciler.model.plan import Plan


class Outcome(msgspec.Struct, frozen=True):
    """How one step ended.

    `already`: it was as wanted when its turn came. `unconfirmed`: it was sent, and whether it took effect is not known.
    `skipped`: nothing was sent for it.
    """

    # Which step
    number: int  # the step's
    address: str  # of the change
    action: str  # the change's

    # How it ended
    status: str  # done | already | unconfirmed | failed | skipped
    detail: str = ""  # Pipes' own words, or why it was skipped
    wrote: bool = False  # something was, or may have been, changed

    # Why it failed
    status_code: int | None = None  # the HTTP status of a failure, where there was one
    request_id: str | None = None  # Pipes' own name for the request, for its support
    code: str | None = None  # the safeguard that refused it on live, where one did
    unreachable: bool = False  # Pipes did not answer
    test_failed: bool = False  # it is done, but Pipes' own test of it fails


class Result(msgspec.Struct, frozen=True):
    """The whole apply: an outcome for each step of `plan`, in order.

    `remaining` are addresses that are neither done nor part of this apply, and that a plan made afterwards would change.
    Where somebody else changed them during the apply, they are in a note instead.
    """

    plan: Plan
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...] = ()  # such as: the lock file could not be written
    interrupted: bool = False  # stopped before all was done, or before what it did was read again
    remaining: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        found = dict.fromkeys(("done", "already", "unconfirmed", "failed", "skipped"), 0)
        for outcome in self.outcomes:
            found[outcome.status] += 1
        return found
