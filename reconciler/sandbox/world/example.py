"""The world that `sandbox seed --example` makes: one small organization, for first steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.sandbox.world.fields import World

EXAMPLE: World = {
    "actor": "alice",
    "seed": "example",
    "users": {"alice": {}, "bob": {}, "carol": {}, "dave": {}},
    "orgs": {
        "acme": {
            "members": {"alice": "owner", "bob": "member", "carol": "member"},
            "workspaces": {"dev": {"members": {"bob": "operator", "carol": "reader"}}},
        }
    },
}
