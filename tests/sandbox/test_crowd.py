"""Ten clients at once."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from adapter import SandboxAdapter
from reconciler.sandbox import world
from reconciler.sandbox.app import create_app
from reconciler.sandbox.store import Store
from sandbox.client import Client
from sandbox.serving import Served

CLIENTS = 10
NAMES = [f"name{number}" for number in range(40)]


class Person:
    """One client: mixed requests by its own dice, and what came of them."""

    def __init__(self, client: Client, number: int) -> None:
        self.client = client
        self.dice = random.Random(number)
        self.statuses: Counter[int] = Counter()
        self.counted: list[int] = []
        self.created: Counter[str] = Counter()
        self.writes = 0

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        response = self.client.send(method, path, body, **options)
        self.statuses[response.status_code] += 1
        if method != "GET" and response.status_code < 300 and path.startswith("/org/acme"):
            self.writes += 1
        return response

    def run(self, requests: int) -> Person:
        kinds = [
            self.count,
            self.count,
            self.workspace,
            self.member,
            self.grant,
            self.org,
            self.read,
            self.read,
            self.read,
        ]
        while sum(self.statuses.values()) < requests:
            self.dice.choice(kinds)()
        return self

    def count(self) -> None:
        """Count up by compare-and-swap: the version that was read is the one to change."""
        org = self.send("GET", "/org/acme").json()
        body = {"usage_compute_threshold": org.get("usage_compute_threshold", 0) + 1}
        changed = self.send("PATCH", "/org/acme", body, headers={"If-Match": str(org["version_id"])})
        if changed.status_code == 200:
            self.counted.append(changed.json()["version_id"])

    def workspace(self) -> None:
        handle = self.dice.choice(NAMES)
        if self.send("POST", "/org/acme/workspace", {"handle": handle}).status_code == 201:
            self.created[f"workspace {handle}"] += 1

    def org(self) -> None:
        handle = self.dice.choice(NAMES)
        if self.send("POST", "/org", {"handle": handle}).status_code == 201:
            self.created[f"org {handle}"] += 1

    def member(self) -> None:
        email = f"{self.dice.choice(NAMES)}@example.com"
        if self.send("POST", "/org/acme/member/invite", {"email": email, "role": "member"}).status_code == 201:
            self.created[f"member {email}"] += 1

    def grant(self) -> None:
        user = f"user-{self.dice.randrange(10):05}"
        path = "/org/acme/workspace/ws0/member"
        if self.send("POST", path, {"handle": user, "role": "reader"}).status_code == 400:
            self.send("PATCH", f"{path}/{user}", {"role": self.dice.choice(["reader", "operator", "owner"])})
        elif self.dice.random() < 0.5:
            self.send("DELETE", f"{path}/{user}")

    def read(self) -> None:
        path = self.dice.choice(
            ["/org/acme/member", "/org/acme/workspace", "/actor/org", "/org/acme/audit_log", "/identity"]
        )
        self.send("GET", path, params={"limit": self.dice.choice([1, 25, 100])})


def crowd_world() -> dict[str, Any]:
    made = world.generate(orgs=1, members=11, workspaces=1, grants=0)
    made["orgs"] = {"acme": {**made["orgs"].pop("org-0000"), "workspace_limit": 1000}}
    return made


def check(store: Store, client: Client, people: list[Person]) -> None:
    statuses = sum((person.statuses for person in people), Counter())
    assert set(statuses) <= {200, 201, 400, 404, 409, 412}, statuses
    assert statuses[412], "nobody ever met anybody"
    versions = [version for person in people for version in person.counted]
    org = client.ok("GET", "/org/acme")
    assert sorted(versions) == list(range(2, len(versions) + 2)), "each version was given once"
    assert org["version_id"] == len(versions) + 1
    assert org["usage_compute_threshold"] == len(versions), "no update was lost"
    for person in people:
        assert person.counted == sorted(person.counted)
    created = sum((person.created for person in people), Counter())
    assert set(created.values()) == {1}, "two were told that they made the same thing"
    handles = [row["handle"] for row in client.all("/identity")]
    assert len(handles) == len(set(handles))
    workspaces = [row["handle"] for row in client.all("/org/acme/workspace")]
    assert len(workspaces) == len(set(workspaces)) == 1 + sum(name.startswith("workspace") for name in created)
    assert len(client.all("/org/acme/audit_log")) == sum(person.writes for person in people)
    with store.read() as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("path", ["file", ":memory:"])
def test_ten_clients_with_a_thousand_requests_each_lose_and_double_nothing(tmp_path, path):
    requests = 1000 if path == "file" else 100
    with Store(tmp_path / "sandbox.sqlite3" if path == "file" else path) as store:
        world.seed(store, crowd_world())
        app, token = create_app(store), store.default_token()
        people = [Person(Client("https://sandbox", token, adapter=SandboxAdapter(app)), n) for n in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda person: person.run(requests), people))
        check(store, people[0].client, people)


def test_ten_clients_of_a_server_lose_and_double_nothing_while_another_process_writes(tmp_path):
    db = tmp_path / "sandbox.sqlite3"
    with Store(db) as store:
        world.seed(store, crowd_world())
        server = Served(db)
        try:
            people = [Person(Client(server.url, server.token, verify=server.authority), n) for n in range(CLIENTS)]
            # One of the ten writes past the server, in this process.
            people[0].client = Client("https://sandbox", server.token, adapter=SandboxAdapter(create_app(store)))
            with ThreadPoolExecutor(CLIENTS) as pool:
                list(pool.map(lambda person: person.run(150), people))
            check(store, people[1].client, people)
        finally:
            for person in people:
                person.client.session.close()
            server.stop()
