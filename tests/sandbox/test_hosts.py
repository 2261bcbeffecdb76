"""Which names the served sandbox answers to, and what it says of the rest of Pipes."""

from __future__ import annotations

import pytest
import requests

from reconciler.sandbox import world
from reconciler.sandbox.store import Store
from sandbox.conftest import ACME
from sandbox.serving import Served


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    db = tmp_path_factory.mktemp("hosts") / "sandbox.sqlite3"
    with Store(db) as store:
        world.seed(store, ACME)
    found = Served(db, "--allow-host", "Pipes.test", tls=False)
    yield found
    found.stop()


@pytest.mark.parametrize("path", ["/", "/api/v0/actor", "/avatar/x", "/nowhere"])
@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:8765", True),
        ("[::1]:8765", True),
        ("192.0.2.7", True),
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("pipes.test:8765", True),
        ("evil.example", False),
        ("evil.example:8765", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1@evil.example", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_a_web_page_cannot_reach_it_under_a_name_of_its_own(server, host, known, path):
    headers = {"Host": host, "Authorization": f"Bearer {server.token}"}
    answer = requests.get(server.url + path, headers=headers, timeout=30)
    assert (answer.status_code == 421) is not known
    if not known and host:
        assert "--allow-host" in answer.json()["detail"]
        assert "acme" not in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/user/alice/workspace", 501),
        ("/user/alice/workspace/dev/connection_folder/c_1", 501),
        ("/org/acme/workspace/prod/mod", 501),
        ("/org/acme/integration/github", 501),
        ("/service_account", 501),
        ("/org/acme/workspaces", 404),
        ("/user/alice/workspaces", 404),
        ("/org/acme/workspace/prod/modular", 404),
        ("/nonsense", 404),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_part_of_pipes_that_is_not_offered_is_told_apart_from_nonsense(sandboxes, method, path, status):
    answer = sandboxes().client().send(method, path, {} if method == "POST" else None)
    assert answer.status_code == answer.json()["status"] == status
    assert ("not offered by the sandbox" in answer.json()["detail"]) is (status == 501)
