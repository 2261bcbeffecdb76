"""Workspaces change in their own time: wait until they have, within a bound, and say which did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import workspace
from reconciler.kinds.kind import Place
from reconciler.model import address as addresses
from reconciler.model.errors import PipesError
from reconciler.pipes import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from threading import Event

    from reconciler.pipes.client import Client

# seconds between two looks, growing up to the last one
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)


class WorkspaceWait(msgspec.Struct):
    """Which workspaces have come to rest."""

    # How it waits
    client: Client  # asks for their states
    timeout: float  # seconds; bounds each wait
    clock: Callable[[], float]  # measures it
    stop: Event  # ends it when it is set
    waiting: Callable[[str], None] = lambda _: None  # is called with each address that has not come to rest

    # What it found
    settled: set[str] = msgspec.field(default_factory=set)  # the addresses of those that have
    late: dict[str, str] = msgspec.field(default_factory=dict)  # the state of the others, or why it is not known

    def wait_for(self, touched: Iterable[str]) -> None:
        """Wait for the workspaces at these addresses. One that is not there is at rest."""
        moving = {address for address in touched if address not in self.settled}
        start, turn = self.clock(), 0
        while moving:
            for address in sorted(moving):
                state = self._state(address)
                if state in workspace.MOVING:
                    self.late[address] = state
                    self.waiting(address)
                    continue
                moving.discard(address)
                self.settled.add(address)
                self.late.pop(address, None)
            left = self.timeout - (self.clock() - start)
            if not moving or left <= 0 or self.stop.is_set():
                break
            # what a sandbox needs a few looks for should not take seconds
            self.stop.wait(min(PAUSES[min(turn, len(PAUSES) - 1)], left) if turn else 0.05)
            turn += 1

    def _state(self, address: str) -> str:
        parts = dict(addresses.split(address))
        place = Place(org=parts["org"], org_child=parts["workspace"])
        try:
            found = reading.read_again(self.client, workspace.KIND, workspace.object_path(place, place.org_child))
        except PipesError as error:
            self.late[address] = f"not known: {error}"
            return "pending"
        return str(found.attrs.get("state") or "") if found is not None else ""
