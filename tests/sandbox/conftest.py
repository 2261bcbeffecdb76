from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sandbox.client import Client

from reconciler.sandbox import world
from reconciler.sandbox.app import create_app
from reconciler.sandbox.store import Store
from reconciler.sandbox.transport import SandboxAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACME = {
    "actor": "alice",
    "now": "2026-11-24T09:00:00Z",
    "users": {"alice": {"display_name": "Alice", "email": "alice@example.com"}, "zoe": {}},
    "orgs": {
        "acme": {
            "display_name": "Acme",
            "members": {
                "alice": "owner",
                "bob": "member",
                "carol": {"role": "member", "status": "invited", "email": "carol@example.com"},
            },
            "workspaces": {"prod": {"instance_type": "db1.small", "members": {"bob": "reader"}}},
        }
    },
}


class Sandbox:
    """A store, the app over it and clients of it, in this process."""

    def __init__(self, content: dict[str, Any], **options: Any) -> None:
        self.store = Store(":memory:")
        world.seed(self.store, content)
        self.app = create_app(self.store, **options)

    def client(self, user: str | None = None) -> Client:
        token = self.store.default_token() if user is None else self.store.token_of(user)
        return Client("https://sandbox", token, adapter=SandboxAdapter(self.app))


@pytest.fixture
def sandboxes() -> Iterator[Callable[..., Sandbox]]:
    made = []

    def make(content: dict[str, Any] | None = None, **options: Any) -> Sandbox:
        made.append(Sandbox(ACME if content is None else content, **options))
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.store.close()
