"""A folder with manifests, a sandbox beside them, and the command: what an end-to-end test is made of."""

from __future__ import annotations

import copy
import json
import os
import sqlite3
import subprocess
import sys
import threading
import weakref
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import yaml

from adapter import SandboxAdapter
from reconciler import cli
from reconciler.lockfile import file as lockfile
from reconciler.lockfile import seal as seals
from reconciler.model.live import LockEntry
from reconciler.sandbox import app as sandbox_app
from reconciler.sandbox.faults import Faults
from reconciler.sandbox.serve import make_server, self_signed, url
from reconciler.sandbox.store import Store
from reconciler.sandbox.world import seed
from sandbox.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "tpt_e2e0never0shown0anywhere"
ISSUED = "2026-06-01T00:00:00Z"
LOCK = "reconciler.lock.json"
PROGRAM = (sys.executable, "-c", "from reconciler.cli import main; main()")


def all_commands(command: click.Command, *above: str) -> list[str]:
    """The names of a command's commands that do something themselves, as one types them: `plan`, `sandbox seed`."""
    if not isinstance(command, click.Group):
        return [" ".join(above)]
    context = click.Context(command)
    names = command.list_commands(context)
    return [found for name in names for found in all_commands(command.get_command(context, name), *above, name)]


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def codes(self) -> list[str]:
        """The safeguards that refused, of a plan as JSON."""
        return [refusal["code"] for refusal in self.json["safeguards"]["refusals"]]

    @property
    def addresses(self) -> list[str]:
        """What would change, of a plan as JSON."""
        return [change["address"] for change in self.json["resource_changes"]]


class Seen(list[tuple[str, str, int]]):
    """The requests that came to a served sandbox: method, path, status."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()
        self._held = threading.Event()

    def note(self, method: str, path: str, status: int, _body: Any) -> None:
        self.append((method, path, status))

    def hold(self, seconds: float) -> None:
        """A latency: it ends with the block, or when the test releases it."""
        self._held.set()
        self.released.wait(seconds)

    def wait_until_held(self) -> None:
        """Wait until a request has come that a latency holds up."""
        assert self._held.wait(timeout=60)


class Bench:
    """`folder` is the current one. `host` is where commands are sent: the sandbox in this folder, or a served one."""

    def __init__(self, folder: Path, capture: Any) -> None:
        self.folder = folder
        self.db = folder / "pipes.sqlite3"
        self.host = f"sandbox:{self.db.name}"
        self.environ: dict[str, str] = {}  # more of it, for processes of their own
        self.hidden = {TOKEN}  # secrets: in nothing that is printed or written
        self.sources: set[Path] = set()  # the files that hold them by intent
        self._capture = capture

    def pipes(self, world: str | dict[str, Any]) -> None:
        """Seed the sandbox with a world, in YAML or as a dict; `alice` is the token's own user unless it says `actor`."""
        found = yaml.safe_load(world) if isinstance(world, str) else copy.deepcopy(world)
        actor = found.setdefault("actor", "alice")
        found = {"seed": "e2e", "now": "2026-11-24T09:00:00Z", **found}
        found.setdefault("users", {}).setdefault("alice", {})
        found.setdefault("tokens", [{"user": actor, "token": TOKEN, "issued_at": ISSUED}])
        with Store(self.db) as store:
            seed(store, found)

    def manifest(self, text: str, name: str = "orgs.yaml") -> Path:
        """Write a manifest; `version: 1` is put before it where it says none."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if "version" in text else f"version: 1\n{text}", encoding="utf-8")
        return path

    def lock(self, **known: str) -> None:
        """Write a lock file: address -> the live object that it is (`user bob`, `org acme`, `workspace acme/prod`)."""
        ids = {name: identifier for identifier, name in self.names().items()}
        entries = {address: LockEntry(ids.get(name, "u_gone0000000000000000")) for address, name in known.items()}
        lockfile.write(self.folder / LOCK, entries)

    def seal(self, key: str) -> None:
        """Seal the lock file as it is, or an empty one, as somebody does who has the key."""
        lock = lockfile.read(self.folder / LOCK)
        lockfile.write(self.folder / LOCK, lock, seals.seal(lock, key))

    def lock_text(self) -> str | None:
        """The lock file's text, None where there is none."""
        path = self.folder / LOCK
        return path.read_text() if path.exists() else None

    def names(self) -> dict[str, str]:
        """Every id of the sandbox with a name that can be read."""
        with closing(sqlite3.connect(self.db)) as db:
            return dict(
                db.execute(
                    "SELECT id, type || ' ' || handle FROM identity UNION ALL SELECT w.id, 'workspace ' || i.handle ||"
                    " '/' || w.handle FROM workspace w JOIN identity i ON i.id = w.org_id"
                ).fetchall()
            )

    def database(self) -> list[str]:
        """Everything that the sandbox holds, its audit log included."""
        with closing(sqlite3.connect(self.db)) as db:
            return list(db.iterdump())

    @property
    def local(self) -> list[str]:
        return ["--host", self.host]

    def run(self, *args: str) -> Ran:
        """Run the command in this process. Whatever it prints, the token is never in it."""
        self._capture.readouterr()
        status = cli.run(list(args))
        printed = self._capture.readouterr()
        return self._checked(Ran(status, printed.out, printed.err))

    def plan(self, *args: str) -> Ran:
        return self.run("plan", *self.local, *args)

    def planned(self, *args: str) -> Ran:
        """The plan as JSON."""
        return self.plan("--format", "json", *args)

    def apply(self, *args: str) -> Ran:
        return self.run("apply", "--auto-approve", *self.local, *args)

    def start(self, *args: str, **options: Any) -> subprocess.Popen[str]:
        """Start the command as a process of its own."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
        environ = {**os.environ, **self.environ}
        return subprocess.Popen([*PROGRAM, *args], cwd=self.folder, text=True, env=environ, **options)

    def spawn(self, *args: str, **options: Any) -> Ran:
        """Run the command as a process of its own, to its end."""
        process = self.start(*args, **options)
        out, err = process.communicate(timeout=120)
        return self._checked(Ran(process.returncode, out or "", err or ""))

    def _checked(self, ran: Ran) -> Ran:
        assert TOKEN not in ran.out + ran.err
        assert "Traceback" not in ran.out + ran.err
        assert [value for value in self.hidden if value in ran.out + ran.err] == []
        return ran

    def leaks(self) -> list[str]:
        """The files below the folder in which a secret stands, other than the sandbox's own and those that are its source."""
        return [
            f"{path.relative_to(self.folder)}: {value}"
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path not in self.sources and not path.name.startswith(self.db.name)
            for value in sorted(self.hidden)
            if value.encode() in path.read_bytes()
        ]

    def client(self, user: str | None = None) -> Client:
        """Somebody's own session with the sandbox, past the command; the token's own user by default."""
        store = Store.open_existing(self.db)
        token = store.default_token() if user is None else store.token_of(user)
        client = Client("https://sandbox", token, adapter=SandboxAdapter(sandbox_app.create_app(store)))
        weakref.finalize(client, store.close)
        return client

    def accept(self, org: str, user: str) -> None:
        """Let somebody accept the invitation to an org."""
        with Store.open_existing(self.db) as store:
            token = store.invitation(org, user)
        self.client(user).ok("GET", f"/org/{org}/member/invite/confirm", params={"t": token})

    def decline(self, org: str, user: str) -> None:
        """Let somebody decline the invitation to an org."""
        with Store.open_existing(self.db) as store:
            token = store.invitation(org, user)
        self.client(user).ok("DELETE", f"/org/{org}/member/invite", params={"t": token})

    def members(self, org: str) -> dict[str, str]:
        """handle -> role, with a `?` behind it where the invitation is not accepted."""
        rows = self.client().all(f"/org/{org}/member")
        return {row["user_handle"]: row["role"] + ("?" if row["status"] == "invited" else "") for row in rows}

    def grants(self, org: str, workspace: str) -> dict[str, str]:
        """handle -> role of the workspace's own rows."""
        rows = self.client().all(f"/org/{org}/workspace/{workspace}/member")
        return {row["user_handle"]: row["role"] for row in rows if row["scope"] == "workspace"}

    @contextmanager
    def served(self, *faults: dict[str, Any], tls: bool = False) -> Iterator[Seen]:
        """Serve the sandbox over HTTP while the block runs, and send commands there. Gives the requests that came."""
        seen = Seen()
        store = Store.open_existing(self.db)
        app = sandbox_app.create_app(store, Faults(faults, sleep=seen.hold), observer=seen.note)
        server = make_server(app, "127.0.0.1", 0, self_signed(self.folder, "127.0.0.1") if tls else None)
        server.error_log = lambda *_, **__: None  # a client that refuses our certificate hangs up, as it should
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        before, self.host = self.host, url(server)
        try:
            yield seen
        finally:
            self.host = before
            seen.released.set()
            server.stop()
            thread.join()
            store.close()
