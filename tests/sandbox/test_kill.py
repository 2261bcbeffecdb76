"""kill -9 in the middle of writes."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import requests

from reconciler.sandbox import world
from reconciler.sandbox.store import Store
from sandbox.client import Client
from sandbox.serving import Served

WRITERS = 4


def test_every_answered_write_is_there_after_kill_9(tmp_path):
    db = tmp_path / "sandbox.sqlite3"
    with Store(db) as store:
        world.seed(store, {"orgs": {"acme": {"workspace_limit": 100_000, "members": {"alice": "owner"}}}})
    server = Served(db)
    enough = threading.Event()
    answered: list[tuple[str, dict]] = []

    def write(number: int) -> int:
        client = Client(server.url, server.token, verify=server.authority)
        attempts = 0
        with client.session:
            while True:
                attempts += 1
                body = {"handle": f"w{number}x{attempts}"}
                try:
                    response = client.send("POST", "/org/acme/workspace", body)
                except requests.exceptions.RequestException:
                    return attempts
                assert response.status_code == 201
                answered.append((body["handle"], response.json()))
                if len(answered) > 100:
                    enough.set()

    with ThreadPoolExecutor(WRITERS) as pool:
        attempts = [pool.submit(write, number) for number in range(WRITERS)]
        assert enough.wait(60)
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        total = sum(attempt.result() for attempt in attempts)
    assert 100 < len(answered) < total, "writers were in the middle of it"

    again = Served(db)
    try:
        client = again.client(again.token)
        rows = {row["handle"]: row for row in client.all("/org/acme/workspace")}
        for handle, made in answered:
            assert rows[handle]["id"] == made["id"]
        assert len(rows) <= total
        assert {row["target_handle"] for row in client.all("/org/acme/audit_log")} == set(rows), "and its audit entry"
        assert client.status("POST", "/org/acme/workspace", {"handle": "after"}) == 201
        client.session.close()
    finally:
        again.stop()
