from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from adapter import SandboxAdapter
from reconciler.sandbox import world
from reconciler.sandbox.app import create_app
from reconciler.sandbox.store import Store
from sandbox.client import Client
from sandbox.contract import contract_checking
from sandbox.serving import Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACME: dict[str, Any] = {
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
    """A store and clients of what is over it."""

    def __init__(self, store: Store, connect: Callable[[str | None], Client]) -> None:
        self.store = store
        self.connect = connect

    def client(self, user: str | None = None) -> Client:
        return self.connect(self.store.default_token() if user is None else self.store.token_of(user))


def in_process(content: dict[str, Any], **options: Any) -> Sandbox:
    store = Store(":memory:")
    world.seed(store, content)
    adapter = SandboxAdapter(contract_checking(create_app(store, **options)))
    return Sandbox(store, lambda token: Client("https://sandbox", token, adapter=adapter))


@pytest.fixture
def sandboxes() -> Iterator[Callable[..., Sandbox]]:
    """Make sandboxes in this process: `sandboxes(world, **options of create_app)`."""
    made = []

    def make(content: dict[str, Any] | None = None, **options: Any) -> Sandbox:
        made.append(in_process(copy.deepcopy(ACME) if content is None else content, **options))
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.store.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """`sandbox serve` with TLS, one for all tests of this process: it reads what they seed."""
    db = tmp_path_factory.mktemp("served") / "sandbox.sqlite3"
    with Store(db) as store:
        world.seed(store, ACME)
        server = Served(db)
        yield Sandbox(store, server.client)
        server.stop()


@pytest.fixture(params=["in process", "served over TLS"])
def pipes(request: pytest.FixtureRequest, sandboxes: Any) -> Callable[..., Sandbox]:
    """A sandbox with a world in it, carried either way: the same test for both."""

    def make(content: dict[str, Any] | None = None) -> Sandbox:
        if request.param == "in process":
            return sandboxes(content)
        sandbox: Sandbox = request.getfixturevalue("served")
        world.seed(sandbox.store, copy.deepcopy(ACME) if content is None else content)
        return sandbox

    return make


@pytest.fixture
def acme(pipes: Any) -> Sandbox:
    return pipes()
