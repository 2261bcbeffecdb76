"""Workspaces change in their own time: wait until they have, within a bound, and say which did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.apply import look
from reconciler.kinds import workspace
from reconciler.kinds.kind import Place
from reconciler.model import address as addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from threading import Event

    from reconciler.pipes.client import Client

# seconds between two looks, growing up to the last one
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)


def unsettled(
    client: Client, touched: Iterable[str], *, timeout: float, clock: Callable[[], float], stop: Event
) -> Iterator[tuple[str, str]]:
    """Wait for the workspaces at the addresses `touched`, at most `timeout` seconds in all.

    Yields address and state of each that is still on its way then. A stop that is asked for ends the waiting.
    """
    moving = dict.fromkeys(touched, "unknown")
    start, turn = clock(), 0
    while moving:
        for address in list(moving):
            parts = dict(addresses.split(address))
            place = Place(org=parts["org"], workspace=parts["workspace"])
            found = look.at(client, workspace.KIND, workspace.find(place, place.workspace))
            state = str(found.attrs.get("state") or "") if found is not None else ""
            if state in workspace.MOVING:
                moving[address] = state
            else:
                del moving[address]
        if moving and (stop.is_set() or clock() - start >= timeout):
            break
        if moving:
            stop.wait(min(PAUSES[min(turn, len(PAUSES) - 1)], max(0.0, timeout - (clock() - start))))
            turn += 1
    yield from sorted(moving.items())
