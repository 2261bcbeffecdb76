"""The sandbox's store: one SQLite file (WAL) that survives being killed and serves many clients and processes at once."""

from __future__ import annotations

import base64
import hashlib
import os
import sqlite3
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from reconciler.sandbox import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATION_ID = 0x50697065
"""Written in the file's header, so that another program's database is never taken for a sandbox."""

SCRIPTS = ("schema.sql", "connections.sql", "accounts.sql")
"""The scripts that make a store, in order. A store knows how many have run; the others run when it is opened."""

PRIMARY_TENANT_ID = "t_00000000000000000000"
PRIMARY_TENANT = "turbot-pipes"


class StoreError(Exception):
    """A file that is there and is not a sandbox."""


class NotSeededError(StoreError):
    """A sandbox in which no world has been seeded: nobody has a token."""


class ClosedError(StoreError):
    """The store was closed while somebody still used it, as at the end of a command that gives up its other requests."""


def head(document: dict[str, Any]) -> str:
    """An object as the store keeps it: its JSON text without the closing brace."""
    return msgspec.json.encode(document).decode()[:-1]


def document(text: str) -> dict[str, Any]:
    """The object of a `head`."""
    return msgspec.json.decode(text + "}", type=dict[str, Any])


def numbered(*values: object) -> dict[str, object]:
    """What `?1`, `?2`, … stand for in a statement: SQLite calls them named, and Python 3.14 takes a mapping for those."""
    return {str(number): value for number, value in enumerate(values, 1)}


def timestamp(moment: datetime) -> str:
    """A moment as Pipes writes it: ISO 8601 in UTC, to the second. Texts of this form sort as their moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def opaque(seed: str, number: int, length: int) -> str:
    """`length` (at most 40) characters of `[0-9a-v]`, the same for the same seed and number."""
    digest = hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=25).digest()
    return base64.b32hexencode(digest).decode().lower()[:length]


class Store:
    """A sandbox's data. Safe to share between threads; any number of processes may have the same file open.

    `path` is created with mode 0600 (its folder too, where missing). `":memory:"` keeps nothing.
    Raises StoreError for a file that is not a sandbox's.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._memory: sqlite3.Connection | None = None
        self._idle: list[sqlite3.Connection] = []
        self._pool_lock = threading.Lock()
        # SQLite's own waiting is a lottery that starves writers; threads of one process queue up here instead.
        self._write_lock = threading.RLock()
        self._closed = False
        if self.path == ":memory:":
            self._memory = self._connect()
            self._create(self._memory)
            return
        file = Path(self.path)
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = self._connect()
        try:
            self._create(connection)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    @classmethod
    def open_existing(cls, path: str | os.PathLike[str]) -> Store:
        """Open a store that must be there. Raises FileNotFoundError when it is not, StoreError when it is not a sandbox."""
        if not Path(path).is_file():
            raise FileNotFoundError(f"no sandbox at {os.fspath(path)}")
        return cls(path)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self.path, timeout=60, isolation_level=None, check_same_thread=False, cached_statements=256
        )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        # With WAL a killed process loses nothing at NORMAL; only a power cut could take the last commits.
        connection.execute("PRAGMA synchronous = NORMAL")

    def _create(self, connection: sqlite3.Connection) -> None:
        try:
            self._prepare(connection)
            connection.execute("BEGIN IMMEDIATE")
            found = connection.execute("PRAGMA application_id").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if found != APPLICATION_ID and (tables or found):
                connection.execute("ROLLBACK")
                raise StoreError(f"{self.path} is a database of another program, not a sandbox")
            if found != APPLICATION_ID:
                connection.execute("PRAGMA application_id = 0x50697065")
            # Sandboxes of the first version had no counter.
            done = connection.execute("PRAGMA user_version").fetchone()[0] or int(found == APPLICATION_ID)
            for script in SCRIPTS[done:]:
                for statement in _statements(Path(__file__).with_name(script).read_text(encoding="utf-8")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCRIPTS.index(script) + 1}")
            connection.execute("COMMIT")
            # Kept in the file, and set each time: the process that made the file may have been killed before this.
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorname == "SQLITE_NOTADB":
                raise StoreError(f"{self.path} is not a sandbox (no SQLite database)") from error
            raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees the store at one moment, whatever is written meanwhile."""
        if self._memory is not None:
            with self._write_lock:
                self._refuse_when_closed()
                yield self._memory
            return
        connection = self._acquire()
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            self._release(connection)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction with the store to itself: committed at the end, undone when an exception leaves it."""
        with self._write_lock:
            self._refuse_when_closed()
            connection = self._memory or self._acquire()
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if connection is not self._memory:
                    self._release(connection)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise ClosedError(f"the sandbox {self.path} is closed")

    def _acquire(self) -> sqlite3.Connection:
        with self._pool_lock:
            self._refuse_when_closed()
            if self._idle:
                return self._idle.pop()
        connection = self._connect()
        self._prepare(connection)
        return connection

    def _release(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        with self._pool_lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close every connection. Using the store afterwards raises ClosedError."""
        with self._pool_lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        if self._memory is not None:
            with self._write_lock:
                self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def clear(self) -> None:
        """Empty the store: no users, no orgs, no tokens."""
        with self.write() as db:
            clear(db)

    def default_token(self) -> str:
        """The token of the world's `actor`. Raises NotSeededError when there is none."""
        with self.read() as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'default_token'").fetchone()
        if row is None:
            raise NotSeededError(f"nothing has been seeded in {self.path}")
        return str(row[0])

    def token_of(self, user_handle: str) -> str:
        """An active token of a user, the oldest one. Raises KeyError when it has none."""
        with self.read() as db:
            row = db.execute(
                "SELECT t.secret FROM token t JOIN identity i ON i.id = t.user_id"
                " WHERE i.handle = ? AND t.status = 'active' ORDER BY t.seq LIMIT 1",
                (user_handle,),
            ).fetchone()
        if row is None:
            raise KeyError(user_handle)
        return str(row[0])

    def accepted_owners(self, org_handle: str) -> int:
        """How many people are accepted owners of an org, by its own member list (scope `org`). 0 for an unknown org.

        Service accounts do not count.
        """
        with self.read() as db:
            row = db.execute(
                "SELECT count(*) FROM member m JOIN org o ON o.id = m.org_id JOIN user u ON u.id = m.user_id"
                " WHERE o.handle = ? AND m.role = 'owner' AND m.status = 'accepted' AND u.service = 0",
                (org_handle,),
            ).fetchone()
        return int(row[0])

    def invitation(self, org_handle: str, user_handle: str) -> str:
        """The `t` of orgMember_confirmInvite, as the invitation's email has it. KeyError when none is pending."""
        with self.read() as db:
            row = db.execute(
                "SELECT m.invite FROM member m JOIN org o ON o.id = m.org_id JOIN identity i ON i.id = m.user_id"
                " WHERE o.handle = ? AND i.handle = ? AND m.invite IS NOT NULL",
                (org_handle, user_handle),
            ).fetchone()
        if row is None:
            raise KeyError(user_handle)
        return str(row[0])

    def tenant_invitation(self, tenant_handle: str, user_handle: str) -> str:
        """The `t` of tenantMember_confirmInvite. KeyError when no invitation is pending."""
        with self.read() as db:
            row = db.execute(
                "SELECT m.invite FROM tenant_member m JOIN tenant t ON t.id = m.tenant_id"
                " JOIN identity i ON i.id = m.user_id WHERE t.handle = ? AND i.handle = ? AND m.invite IS NOT NULL",
                (tenant_handle, user_handle),
            ).fetchone()
        if row is None:
            raise KeyError(user_handle)
        return str(row[0])

    def holds_secret(self, org_handle: str, connection_handle: str, path: str, value: Any) -> bool:
        """Whether an org's connection was given this secret, at this dotted path of its configuration.

        Only digests are kept: a secret cannot be read from a store, only tried. KeyError for an unknown connection.
        """
        with self.read() as db:
            row = db.execute(
                "SELECT n.id, n.secrets FROM connection n JOIN org o ON o.id = n.org_id"
                " WHERE o.handle = ? AND n.name = ? AND n.folder = 0 AND n.workspace_id IS NULL",
                (org_handle, connection_handle),
            ).fetchone()
        if row is None:
            raise KeyError(connection_handle)
        found: str | None = msgspec.json.decode(row[1], type=dict[str, str]).get(path)
        return found == secret_digest(row[0], value)


def secret_digest(connection_id: str, value: Any) -> str:
    """The digest that is kept of a secret, salted with the connection's id."""
    raw = msgspec.json.encode(value, order="sorted")
    return hashlib.blake2b(raw, key=connection_id.encode(), digest_size=20).hexdigest()


def _statements(script: str) -> Iterator[str]:
    # executescript would commit on its own; the schema is created in one transaction or not at all.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def clear(db: sqlite3.Connection) -> None:
    """Delete every row, inside the caller's transaction."""
    # Children first: foreign keys are on.
    for statement in (
        "DELETE FROM process",
        "DELETE FROM workspace_schema",
        "DELETE FROM connection_permission",
        "DELETE FROM connection",
        "DELETE FROM workspace_member",
        "DELETE FROM workspace",
        "DELETE FROM member",
        "DELETE FROM avatar",
        "DELETE FROM org",
        "DELETE FROM tenant_member",
        "DELETE FROM tenant",
        "DELETE FROM token",
        "DELETE FROM email",
        "DELETE FROM user",
        "DELETE FROM identity",
        "DELETE FROM audit",
        "DELETE FROM meta",
        "DELETE FROM sqlite_sequence",
    ):
        db.execute(statement)


def next_opaque(db: sqlite3.Connection, length: int) -> str:
    """The next of the store's deterministic texts: the same world and the same writes give the same ids."""
    row = db.execute(
        "INSERT INTO meta VALUES ('ids', '1') ON CONFLICT (key)"
        " DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING value"
    ).fetchone()
    seed = db.execute("SELECT value FROM meta WHERE key = 'seed'").fetchone()
    return opaque(seed[0] if seed else "", int(row[0]), length)


def next_moment(db: sqlite3.Connection, *, tick: bool) -> datetime:
    """The real time, or, in a world with a fixed `now`, the moment of the last write, a second later with `tick`."""
    row = db.execute("SELECT value FROM meta WHERE key = 'clock'").fetchone()
    if row is None:
        return clock.now()
    seconds = int(row[0]) + tick
    if tick:
        db.execute("UPDATE meta SET value = ? WHERE key = 'clock'", (str(seconds),))
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
