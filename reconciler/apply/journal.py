"""The journal: what an apply is about to do and what came of it, on disk before it happens, so that a kill can be explained.

One JSON object a line. An intent is on disk before its request is sent. The journal holds ids, handles and attributes, and
the email address that an invitation goes to; it never holds a token.

It is evidence, not authority: what it says of a person counts only where live confirms it (`recover`).
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import stat
from contextlib import suppress
from datetime import UTC, datetime
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Literal, Self

import msgspec
from filelock import FileLock, Timeout

from reconciler import clock
from reconciler.kinds import KINDS, member
from reconciler.lockfile.seal import line_mark
from reconciler.model import address as addresses
from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.kinds.kind import Kind
    from reconciler.model.plan import Step
    from reconciler.model.request import Request

FOLDER = ".reconciler"
FILE = "journal.jsonl"


class JournalError(UsageError):
    """The journal has a line that this tool did not write, or cannot read any more."""


class InFlight(msgspec.Struct, frozen=True):
    """A request of an earlier apply whose answer was never written down."""

    address: str  # of the object
    action: str  # of the step: create | update | rename | delete
    method: str  # POST | PATCH | DELETE
    path: str  # below the base of the API
    body: dict[str, Any] | None  # as it was sent, without secrets
    known: tuple[str, ...]  # for an invitation by email: the user ids that had an open invitation before it
    at: datetime | None = None  # when it was about to be sent


class Invited(msgspec.Struct, frozen=True):
    """Whom an invitation by email reached, as the journal has it."""

    user_id: str
    handle: str
    email: str  # the address that the invitation went to
    role: str
    at: datetime | None  # when it was about to be sent


class Earlier(msgspec.Struct, frozen=True):
    """What a journal says of an apply that did not end: its requests in flight, and the people that it invited."""

    in_flight: tuple[InFlight, ...]
    invited: Mapping[str, Invited] = msgspec.field(default_factory=dict)  # by member address
    last_ticket: int = 0
    length: int = 0  # bytes of whole lines


class Journal:
    """An append-only file, written by one thread that gathers what is waiting into one flush to disk.

    Raises UsageError where another apply holds the same folder, JournalError where the file is broken. A context manager:
    leaving it closes the file.
    """

    def __init__(self, folder: Path, key: str = "") -> None:
        self._key, self._run = key, secrets.token_hex(8)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / FILE
        if folder.name == FOLDER:
            _keep_out_of_git(folder)
        self._lock = FileLock(folder / "apply.lock", mode=0o600)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(f"another apply is at work in {folder}; wait for it to end") from None
        try:
            self.earlier = read(self.path, key)
            # what an earlier apply left open stays on record until an apply has finished
            open_still = self.earlier.in_flight or self.earlier.invited
            start = 0 if open_still else os.O_TRUNC
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | start, 0o600)
            if open_still:
                os.ftruncate(self._file, self.earlier.length)  # a line that was cut off would swallow the next one
        except BaseException:
            self._lock.release()
            raise
        self._waiting: list[bytes] = []
        self._written = self._queued = 0
        self._tickets = self.earlier.last_ticket
        self._closing = False
        self._failure: OSError | None = None
        self._turn = Condition()
        self._writer = Thread(target=self._write, name="journal", daemon=True)
        self._writer.start()

    def intent(self, step: Step, request: Request, known: tuple[str, ...] = (), *, changes: bool = True) -> int:
        """Write down what is about to be sent, and return when that is on disk. Raises OSError.

        `known` are the user ids that have an open invitation before an invitation by email. `changes` is False for a
        write that leaves everything as it is (see `live_checks`): nothing has to be found out about it later.
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
                "at": clock.now().isoformat(timespec="seconds"),
            },
            wait=True,
        )
        return ticket

    def outcome(self, ticket: int, status: str, body: Mapping[str, Any] | None = None) -> None:
        """Write down what came of it. If a crash loses this line, the next apply finds out on live."""
        kept = (
            {name: body[name] for name in ("id", "user_id", "user_handle", "version_id") if name in body}
            if body
            else {}
        )
        self._append({"outcome": ticket, "status": status, **kept}, wait=False)

    def end(self) -> None:
        """Note that the apply has ended: nothing is in flight, and the next one starts an empty journal. Raises OSError."""
        self._append({"end": True}, wait=True)

    def close(self) -> None:
        """Close the file, and release the folder for other applies."""
        with self._turn:
            self._closing = True
            self._turn.notify_all()
        self._writer.join()
        with suppress(OSError):
            os.close(self._file)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, entry: Mapping[str, Any], *, wait: bool) -> None:
        if self._key:  # of this run, so that no line of another one can be put beside it
            entry = {**entry, "run": self._run}
            entry["mark"] = line_mark(_canonical(entry), self._key)
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
            failure = self._failure
            if failure is None:  # a line behind one that was cut off could not be read
                try:
                    _write_all(self._file, b"".join(lines))
                    os.fdatasync(self._file)
                except OSError as error:
                    failure = error
            with self._turn:
                self._written += len(lines)
                self._failure = failure
                self._turn.notify_all()


def _keep_out_of_git(folder: Path) -> None:
    """Have git ignore the folder: the journal has people's addresses. One that a full disk left empty is written again."""
    ignore = folder / ".gitignore"
    if ignore.is_symlink() or (ignore.exists() and ignore.stat().st_size):
        return
    temporary = folder / f".gitignore.{os.getpid()}"
    try:
        temporary.write_text("*\n", encoding="utf-8")
        temporary.replace(ignore)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


# --- reading it -------------------------------------------------------------------------------------------------------

_LARGEST = 256 * 2**20  # bytes
_LONGEST = 4096  # characters of an address
_EARLIEST, _LATEST = 1970, 9000  # years in which a request may have been sent


class _Intent(msgspec.Struct):
    # Which step
    intent: int  # its number, which its outcome repeats
    address: str  # of the object
    action: str  # of the step

    # What was sent, and when
    method: Literal["POST", "PATCH", "DELETE"]  # of the request
    path: str  # below the base of the API
    body: dict[str, Any] | None  # without secrets
    known: list[str]  # user ids that had an open invitation
    changes: bool  # False for a request that only checks
    at: datetime | None = None  # missing in the journals of older versions


class _Outcome(msgspec.Struct):
    outcome: int
    status: str
    user_id: str | None = None
    user_handle: str | None = None


class _End(msgspec.Struct):
    end: bool


def _canonical(entry: Mapping[str, Any]) -> bytes:
    """A line as its mark is made of it: without the mark."""
    bare = {name: value for name, value in entry.items() if name != "mark"}
    return json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()


def read(path: Path, key: str = "") -> Earlier:
    """What the journal at `path` says of an apply that did not end; nothing where there is none, or where it ended.

    A last line that was cut off is passed over: nothing was sent for it. Raises JournalError for any other line that is
    not one of a journal. With a key, only lines count that a run with this key has marked. The file is left as it is.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise _broken(path, None)
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return Earlier(())
    if len(data) > _LARGEST:
        raise _broken(path, None)
    *lines, cut = data.split(b"\n")
    found = _Reading(key)
    for number, line in enumerate(lines, 1):
        try:
            found.take(line)
        except (TypeError, ValueError, LookupError, msgspec.MsgspecError, RecursionError):
            raise _broken(path, number) from None
    return Earlier(tuple(found.open.values()), found.invited, found.last, len(data) - len(cut))


def _broken(path: Path, line: int | None) -> JournalError:
    where = f"{path}, line {line}," if line is not None else f"{path}"
    return JournalError(
        f"{where} is not what an apply writes, so what an earlier apply left unfinished is not known. Look at the file; "
        f"then move it away and apply again: the plan shows what is still to be done. Nothing was sent, and the file is unchanged"
    )


class _Reading(msgspec.Struct):
    """What the lines so far say."""

    key: str = ""
    run: str = ""  # of the last marked line
    sent: dict[int, InFlight] = msgspec.field(default_factory=dict)
    open: dict[int, InFlight] = msgspec.field(default_factory=dict)
    invited: dict[str, Invited] = msgspec.field(default_factory=dict)
    last: int = 0

    def take(self, line: bytes) -> None:
        entry = msgspec.json.decode(line)
        if not isinstance(entry, dict):
            raise TypeError(line)
        if self.key and not self._is_ours(entry):
            return
        if "end" in entry:
            msgspec.convert(entry, _End)
            self.sent.clear()
            self.open.clear()
            self.invited.clear()
        elif "intent" in entry:
            self._intent(msgspec.convert(entry, _Intent))
        else:
            self._outcome(msgspec.convert(entry, _Outcome))

    def _is_ours(self, entry: dict[str, Any]) -> bool:
        mark, run = entry.get("mark"), str(entry.get("run"))
        if not isinstance(mark, str) or not hmac.compare_digest(
            mark.encode(), line_mark(_canonical(entry), self.key).encode()
        ):
            return False
        if run != self.run:  # tickets are told apart within a run; what is open stays so
            self.run = run
            self.sent.clear()
        return True

    def _intent(self, one: _Intent) -> None:
        parts = addresses.split(one.address)
        kind = KINDS[parts[-1][0]]
        if len(parts) != _depth(kind) or not one.path.startswith("/") or len(one.address) > _LONGEST:
            raise ValueError(one.address)
        at = one.at if one.at is None or one.at.tzinfo is not None else one.at.replace(tzinfo=UTC)
        if at is not None and not _EARLIEST <= at.year <= _LATEST:  # no clock says so, and arithmetic ends there
            raise ValueError(one.at)
        body = one.body or {}
        if kind is member.KIND and not all(isinstance(body.get(name, ""), str) for name in ("email", "handle", "role")):
            raise TypeError(body)
        found = InFlight(one.address, one.action, one.method, one.path, one.body, tuple(one.known), at)
        self.last = max(self.last, one.intent)
        self.sent[one.intent] = found
        if one.changes:
            self.open[one.intent] = found

    def _outcome(self, one: _Outcome) -> None:
        intent = self.sent.get(one.outcome)
        if one.status != "lost":
            self.open.pop(one.outcome, None)
        if intent is None or intent.method != "POST" or one.user_id is None:
            return
        body = intent.body or {}
        if member.is_by_email(body) and addresses.kind_of(intent.address) == member.KIND.name:
            self.invited[intent.address] = Invited(
                one.user_id, one.user_handle or "", str(body["email"]), str(body.get("role")), intent.at
            )


def _depth(kind: Kind) -> int:
    """How many parts an address of this kind has."""
    return 1 if kind.parent is None else 1 + _depth(KINDS[kind.parent])
