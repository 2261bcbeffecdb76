"""What an apply is about to do, and what came of it, on disk before it happens: so that a killed apply can be explained.

One JSON object a line. An intent is durable before its request leaves. Ids, handles and attributes stand in it, and the
email that an invitation goes to; no token ever does.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Self

from filelock import FileLock, Timeout

from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.model.plan import Step
    from reconciler.model.request import Request

FOLDER = ".reconciler"
FILE = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class InFlight:
    """A request of an earlier apply whose answer was never written down."""

    address: str
    action: str
    method: str
    path: str
    body: dict[str, Any] | None
    known: tuple[str, ...]  # for an invitation by email: the user ids that had an open invitation before it


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a journal tells of an apply that did not end: its requests in flight, and the people that it invited."""

    in_flight: tuple[InFlight, ...]
    # member address -> user id, handle, and the email address that the invitation went to
    invited: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)


class Journal:
    """An append-only file, written by one thread that gathers what is waiting into one flush to disk.

    Raises UsageError where another apply holds the same folder. A context manager: leaving it ends the journal.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / FILE
        ignore = folder / ".gitignore"
        if folder.name == FOLDER and not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")  # emails stand in the journal
        self._lock = FileLock(folder / "apply.lock", mode=0o600)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(f"another apply is at work in {folder}; wait for it to end") from None
        self.earlier = read(self.path)
        # what an earlier apply left open stays on record until one has come to its end
        start = 0 if self.earlier.in_flight or self.earlier.invited else os.O_TRUNC
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | start, 0o600)
        self._waiting: list[bytes] = []
        self._written = self._queued = 0
        self._tickets = 0
        self._closing = False
        self._failure: OSError | None = None
        self._turn = Condition()
        self._writer = Thread(target=self._write, name="journal", daemon=True)
        self._writer.start()

    def intent(self, step: Step, request: Request, known: tuple[str, ...] = (), *, changes: bool = True) -> int:
        """Write down what is about to be sent; returns when that is on disk. Raises OSError where it cannot be.

        `known` are the user ids that have an open invitation before an invitation by email. `changes` is False for a
        write that leaves everything as it is (see `live_checks`), of which nothing has to be found out later.
        """
        with self._turn:
            self._tickets += 1
            ticket = self._tickets
        self._append(
            {
                "intent": ticket,
                "step": step.number,
                "address": step.address,
                "action": step.action,
                "method": request.method,
                "path": request.path,
                "body": request.body,
                "known": list(known),
                "changes": changes,
            },
            wait=True,
        )
        return ticket

    def outcome(self, ticket: int, status: str, body: Mapping[str, Any] | None = None) -> None:
        """Write down what came of it. An answer that is lost to a crash here is looked for by the next apply."""
        kept = (
            {name: body[name] for name in ("id", "user_id", "user_handle", "version_id") if name in body}
            if body
            else {}
        )
        self._append({"outcome": ticket, "status": status, **kept}, wait=False)

    def end(self) -> None:
        """The apply has come to its end: nothing is in flight, and the journal starts afresh next time."""
        self._append({"end": True}, wait=True)

    def close(self) -> None:
        with self._turn:
            self._closing = True
            self._turn.notify_all()
        self._writer.join()
        os.close(self._file)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, entry: Mapping[str, Any], *, wait: bool) -> None:
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        with self._turn:
            self._waiting.append(line)
            self._queued += 1
            mine = self._queued
            self._turn.notify_all()
            while wait and self._written < mine and self._failure is None:
                self._turn.wait()
            if wait and self._failure is not None:
                raise self._failure

    def _write(self) -> None:
        while True:
            with self._turn:
                while not self._waiting and not self._closing:
                    self._turn.wait()
                if not self._waiting:
                    return
                lines, self._waiting = self._waiting, []
            failure = None
            try:
                _write_all(self._file, b"".join(lines))
                os.fdatasync(self._file)
            except OSError as error:
                failure = error
            with self._turn:
                self._written += len(lines)
                self._failure = self._failure or failure
                self._turn.notify_all()


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def read(path: Path) -> Earlier:
    """What the journal at `path` tells of an apply that did not end; nothing where there is none or it ended.

    A last line that was cut off is one that nothing was sent for, and is passed over.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return Earlier(())
    intents: dict[int, InFlight] = {}
    invited: dict[str, tuple[str, str, str]] = {}
    addresses: dict[int, InFlight] = {}
    for line in text.split(b"\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if "end" in entry:
            intents.clear()
            addresses.clear()
            invited.clear()
        elif "intent" in entry:
            found = InFlight(
                entry["address"], entry["action"], entry["method"], entry["path"], entry["body"], tuple(entry["known"])
            )
            addresses[entry["intent"]] = found
            if entry["changes"]:
                intents[entry["intent"]] = found
        elif "outcome" in entry:
            intent = addresses.get(entry["outcome"])
            if entry["status"] != "lost":
                intents.pop(entry["outcome"], None)
            if intent is not None and intent.method == "POST" and "user_id" in entry and "/member." in intent.address:
                email = str((intent.body or {}).get("email") or "")
                invited[intent.address] = (entry["user_id"], entry.get("user_handle", ""), email)
    return Earlier(tuple(intents.values()), invited)
