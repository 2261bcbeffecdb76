"""Looking over the shoulder of an apply: what it wrote, and whether an org ever fell short of owners by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worlds import Pipes, Scene


class Watch:
    """Counts the people who own every org after every request of ours; an `observer` of the sandbox."""

    def __init__(self, scene: Scene) -> None:
        self.floor = scene.floor
        self.pipes: Pipes | None = None
        self.writes: list[tuple[str, str, int]] = []
        self.short: list[str] = []
        self.owners: dict[str, int] = {}

    def start(self, pipes: Pipes, scene: Scene) -> None:
        self.pipes = pipes
        for org in scene.world["orgs"]:
            self.owners[org] = self.owners[org.removesuffix("-before")] = pipes.store.accepted_owners(org)

    def recount(self, org: str) -> None:
        """Somebody else has changed the owners of `org`."""
        self.owners[org] = self.pipes.store.accepted_owners(org)

    def __call__(self, method: str, path: str, status: int, body: object) -> None:
        if method == "GET":
            return
        self.writes.append((method, path, status))
        org = path.split("/")[2] if path.count("/") >= 2 else ""
        if not org or not path.startswith(f"/org/{org}/member"):
            return
        owners = self.pipes.store.accepted_owners(org)
        if owners < self.floor and owners < self.owners.get(org, 1):  # whoever makes an org is its first owner
            self.short.append(f"{method} {path} left {owners} accepted owners, the floor is {self.floor}")
        self.owners[org] = owners
