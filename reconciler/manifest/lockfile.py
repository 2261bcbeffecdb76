"""`reconciler.lock.json`: for each address the id, and for a person invited by email the handle that Pipes gave them.

Sorted and one entry a line, so that two branches that add people conflict in few places and a diff reads well.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.manifest.document import shown
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Diagnostic, Source
from reconciler.model.errors import ManifestError
from reconciler.model.live import Lock, LockEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1

_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: .*)?$", re.MULTILINE)
_FIELDS = ("id", "handle")
_AGAIN = "take it back from git, or delete it: the next apply writes it anew"


def read(path: str | Path) -> Lock:
    """The entries by address; none where there is no file. Raises ManifestError where the file is not a lock file."""
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _wrong(path, "this is not a regular file")
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _wrong(path, f"this cannot be read: {error.strerror or error}") from None
    return parse(path, data)


def parse(path: Path, data: bytes) -> Lock:
    """The entries of a lock file in memory; `path` is what errors name. Raises ManifestError."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong(path, "the lock file is not UTF-8 text") from None
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        raise _wrong(
            path,
            "the lock file holds an unresolved merge conflict",
            text,
            conflict.start(),
            "keep the lines of both sides",
        )
    twice: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) < len(found):
            twice.extend(name for name, times in Counter(name for name, _ in found).items() if times > 1)
        return made

    try:
        entries = json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise _wrong(path, f"the lock file is not JSON: {error.msg}", text, error.pos) from None
    except (RecursionError, ValueError):
        raise _wrong(path, "the lock file is not JSON of ours") from None
    if twice:
        raise _wrong(
            path,
            f"`{shown(twice[0])}` is written twice in the lock file",
            text,
            _last(text, twice[0]),
            "keep one of them",
        )
    return _entries(path, text, entries)


def write(path: str | Path, lock: Mapping[str, LockEntry]) -> None:
    """Replace the file as a whole, or leave it as it was. Raises OSError where that is not possible.

    A symbolic link stays one: the file behind it is replaced.
    """
    target = Path(os.path.realpath(path))
    data = text_of(lock).encode()
    try:
        mode = stat.S_IMODE(target.stat().st_mode)
        if target.read_bytes() == data:
            return
    except OSError:
        mode = 0o644
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    # The new name is on disk only when its folder is.
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def text_of(lock: Mapping[str, LockEntry]) -> str:
    """The text of a lock file, with its final newline."""
    lines = []
    for address in sorted(lock):
        entry = lock[address]
        fields = {"id": entry.id} if entry.handle is None else {"id": entry.id, "handle": entry.handle}
        lines.append(f"    {json.dumps(address)}: {json.dumps(fields)}")
    entries = "{\n" + ",\n".join(lines) + "\n  }" if lines else "{}"
    return f'{{\n  "version": {VERSION},\n  "entries": {entries}\n}}\n'


def _entries(path: Path, text: str, data: Any) -> Lock:
    if not isinstance(data, dict) or set(data) != {"version", "entries"} or not isinstance(data["entries"], dict):
        raise _wrong(path, 'a lock file is {"version": 1, "entries": {…}}', text, 0)
    if data["version"] != VERSION or isinstance(data["version"], bool):
        version = shown(json.dumps(data["version"]))
        raise _wrong(
            path,
            f"the lock file has version {version}, only {VERSION} is known",
            text,
            _last(text, "version"),
            "use a newer reconciler",
        )
    problems: list[Diagnostic] = []
    lock: Lock = {}
    for address, fields in data["entries"].items():
        fact = _wrong_entry(address, fields)
        if fact is None:
            lock[address] = LockEntry(fields["id"], fields.get("handle"))
        else:
            problems.extend(_wrong(path, fact, text, _last(text, address)).diagnostics)
    if problems:
        raise ManifestError(problems)
    return lock


def _wrong_entry(address: str, fields: Any) -> str | None:
    try:
        addresses.split(address)
    except ValueError:
        return f"`{shown(address)}` is not an address such as org.acme or org.acme/member.bob"
    if not isinstance(fields, dict) or not set(fields) <= set(_FIELDS) or "id" not in fields:
        return f"the entry of {shown(address)} is not {{id, handle}}"
    if not all(isinstance(value, str) and value for value in fields.values()):
        return f"id and handle of {shown(address)} must be texts"
    return None


def _last(text: str, key: str) -> int:
    return max(0, text.rfind(json.dumps(key)), text.rfind(json.dumps(key, ensure_ascii=False)))


def _wrong(path: Path, fact: str, text: str = "", offset: int = 0, hint: str = _AGAIN) -> ManifestError:
    start = text.rfind("\n", 0, offset) + 1
    line = text[start:].split("\n", 1)[0].rstrip("\r")
    column = offset - start + 1
    source = Source(shown(path.as_posix(), 4096), text.count("\n", 0, offset) + 1, column)
    return ManifestError([Diagnostic("error", fact, source, hint, text=line if line and len(line) <= 200 else None)])
