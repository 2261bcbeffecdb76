"""Worlds of a given size, for measurements and for trying things out."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from reconciler.sandbox import objects

if TYPE_CHECKING:
    from reconciler.sandbox.world.fields import World


def generate(*, orgs: int, members: int, workspaces: int = 3, grants: int = 30, seed: int = 0) -> World:
    """A world of a given size, the same for the same arguments.

    Each org has `members` members, of whom the first two are owners (`admin`, the actor, always is one), `workspaces`
    workspaces, and up to `grants` grants in each of them. People are in several orgs.
    """
    draw = random.Random(seed)  # noqa: S311 -- reproducible, not secret
    people = [f"user-{number:05}" for number in range(max(members - 1, 0) * max(1, orgs // 5))]
    world_orgs: dict[str, Any] = {}
    for number in range(orgs):
        chosen = draw.sample(people, max(members - 1, 0))
        entries = {"admin": "owner", **dict.fromkeys(chosen, "member")}
        if chosen:
            entries[chosen[0]] = "owner"
        granted = chosen[1 : grants + 1]
        world_orgs[f"org-{number:04}"] = {
            "display_name": f"Organization {number}",
            "url": f"https://org-{number:04}.example",
            "workspace_limit": max(objects.WORKSPACE_LIMIT, workspaces),
            "members": entries,
            "workspaces": {
                f"ws{index}": {
                    "instance_type": objects.INSTANCE_TYPES[index % 3],
                    "members": {user: draw.choice(("reader", "operator", "owner")) for user in granted},
                }
                for index in range(workspaces)
            },
        }
    return {
        "actor": "admin",
        "now": "2026-11-24T09:00:00Z",
        "seed": f"generated-{seed}",
        "users": {"admin": {"display_name": "Admin"}},
        "orgs": world_orgs,
    }
