"""`reconciler.lock.json`: for each address the id, and for a person invited by email the handle that Pipes gave them.

Sorted and one entry a line, so that two branches that add people conflict in few places and a diff reads well.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from reconciler.kinds import logo, secret
from reconciler.manifest.document import shown
from reconciler.model import address as addresses
from reconciler.model.diagnostic import Diagnostic, Source
from reconciler.model.errors import ManifestError
from reconciler.model.late_pattern import late_pattern
from reconciler.model.live import ADDRESS, INVITED_ON, ROTATED, SENT, UNTOLD, Lock, LockEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1

_CONFLICT = late_pattern(r"^(?:<{7}|={7}|>{7}|\|{7})(?: .*)?$", re.MULTILINE)
_VERSION = late_pattern(r'"version"\s*+:\s*+([^\s,}]++)')
# a text with `: {` behind it; a text without is passed over up to its last quote, where the next may begin
_ADDRESS = late_pattern(r'("(?:[^"\\\n]|\\.)*+")\s*+:\s*+(?=\{)|"(?:[^"\\\n]|\\.)*+')
# what is around the entries
_FRAME = late_pattern(
    r'[\s,{}\ufeff]*+(?:"version"\s*+:\s*+\d++)?+[\s,{}]*+(?:"entries"\s*+:)?+[\s,{}]*+(?:"seal"\s*+:\s*+"[0-9a-f]*+")?+[\s,{}]*+'
)
_FIELDS = ("id", "handle")
_NAME = late_pattern(r"[a-z0-9_-]{1,39}")  # what an id or a handle is made of
# what an entry may have, and of what; docs/lock-file.md is made of it
FIELDS = {
    "id": ("everything", "the id that Pipes gave it"),
    "handle": ("people who were invited by email", "what Pipes calls them"),
    ADDRESS: ("the same", "a digest of the address that the invitation went to: the entry counts for no other one"),
    INVITED_ON: ("the same, while the invitation is pending", "the day (UTC) on which it was sent"),
    SENT: (
        "connections with secrets",
        (
            "for each place in `config` which reference was sent last (`from`), and the `fingerprint` of its value, empty "
            f"where there was no key; or `{UNTOLD}`: it was imported, and which secrets Pipes has is not known"
        ),
    ),
    ROTATED: ("connections", "the day of the `rotate:` that was done last"),
    logo.MARK: (
        "organizations with a `logo`",
        (
            "what was uploaded last: `sha256:` and the hash of the picture, the URL where it is not pinned, or "
            f"`{logo.GENERATED}` for none"
        ),
    ),
    logo.URL: ("the same", "the URL that Pipes gave for it; with another one the logo was changed outside"),
}
_AGAIN = "take it back from git, or let `reconciler lock` rebuild it from what it can read and from what is live"
_MEND = "`reconciler lock` repairs it: it takes what either side knows, and confirms it by id"


class LockFile(NamedTuple):
    """The content of a lock file: its entries by address, and its seal (`lockfile.seal`), which may be empty."""

    lock: Lock
    seal: str = ""


def read(path: str | Path) -> Lock:
    """The entries by address; none where there is no file. Raises ManifestError where the file is not a lock file."""
    return read_sealed(path).lock


def read_sealed(path: str | Path) -> LockFile:
    """The entries and the seal. Raises ManifestError."""
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _wrong(path, "this is not a regular file")
        data = path.read_bytes()
    except FileNotFoundError:
        return LockFile({})
    except OSError as error:
        raise _wrong(path, f"this cannot be read: {error.strerror or error}") from None
    return parse_sealed(path, data)


def parse(path: Path, data: bytes) -> Lock:
    """The entries of a lock file in memory; `path` is what errors name. Raises ManifestError."""
    return parse_sealed(path, data).lock


def parse_sealed(path: Path, data: bytes) -> LockFile:
    """The entries and the seal of a lock file in memory. Raises ManifestError."""
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
            _MEND,
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
            _MEND,
        )
    return LockFile(_entries(path, text, entries), entries.get("seal", ""))


class Salvaged(msgspec.Struct, frozen=True):
    """What can be read in a lock file that is broken: the entries of each address, as they are in the file.

    `lost` are the places of what is left over, each with its text: an entry may have stood there.
    """

    candidates: Mapping[str, tuple[LockEntry, ...]]
    lost: tuple[Diagnostic, ...]


def salvage(path: Path, data: bytes) -> Salvaged:
    """What a broken lock file still shows: both sides of a merge conflict, and every entry that is whole.

    Raises ManifestError for a version that is not ours: what a newer one means is unknown.
    """
    text = data.decode("utf-8-sig", errors="replace")
    for found in _VERSION.finditer(text.partition('"entries"')[0]):
        if found[1] != str(VERSION):
            fact = f"the lock file has version {shown(found[1])}, only {VERSION} is known"
            raise _wrong(path, fact, text, found.start(), "use a newer reconciler")
    rest = _without_bases(text)
    candidates: dict[str, list[LockEntry]] = {}
    decoder = json.JSONDecoder()
    patience = 10 * len(rest) + 100_000  # characters that may be scanned without finding an entry
    left: list[str] = []
    end = 0
    for start in _ADDRESS.finditer(rest):
        if start[1] is None or start.start() < end:
            continue
        try:
            address = json.loads(start[1])
            fields, after = decoder.raw_decode(rest, start.end())
        except (ValueError, RecursionError) as error:
            # otherwise, braces that never close would each be read to the end of the file
            patience -= getattr(error, "pos", start.end() + 1_000) - start.end()
            if patience < 0:
                break
            continue
        if _wrong_entry(address, fields) is not None:
            continue
        entries = candidates.setdefault(address, [])
        if (entry := _entry(fields)) not in entries:
            entries.append(entry)
        left += [rest[end : start.start()], "\n" * rest.count("\n", start.start(), after)]
        end = after
    left.append(rest[end:])
    lost = [
        Diagnostic("warning", f"not an entry: {shown(line.strip())}", Source(shown(path.as_posix(), 4096), number, 1))
        for number, line in enumerate("".join(left).split("\n"), 1)
        if not _FRAME.fullmatch(line)
    ]
    return Salvaged({address: tuple(entries) for address, entries in candidates.items()}, tuple(lost))


def _without_bases(text: str) -> str:
    """The text with its lines in their places, without git's marks and without what both sides of a conflict replaced."""
    lines, in_base = [], False
    for line in text.split("\n"):
        mark = _CONFLICT.match(line.rstrip("\r"))
        if mark is not None:
            in_base = mark[0].startswith("|")
        lines.append("" if mark is not None or in_base else line)
    return "\n".join(lines)


def write(path: str | Path, lock: Mapping[str, LockEntry], seal: str = "") -> None:
    """Replace the file as a whole, or leave it as it was. Raises OSError where that is not possible.

    A file without a seal is written where `seal` is empty. A symbolic link stays one: the file behind it is replaced.
    """
    target = Path(os.path.realpath(path))
    data = text_of(lock, seal).encode()
    try:
        mode = stat.S_IMODE(target.stat().st_mode)
        if target.read_bytes() == data:
            return
    except OSError:
        mode = None  # as the umask has it
    temporary = target.parent / f".{target.name}.{os.urandom(8).hex()}"
    name = str(temporary)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if mode is not None:
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


def text_of(lock: Mapping[str, LockEntry], seal: str = "") -> str:
    """The text of a lock file, with its final newline."""
    lines = [f"    {json.dumps(address)}: {_line(lock[address])}" for address in sorted(lock)]
    entries = "{\n" + ",\n".join(lines) + "\n  }" if lines else "{}"
    sealed = f',\n  "seal": {json.dumps(seal)}' if seal else ""
    return f'{{\n  "version": {VERSION},\n  "entries": {entries}{sealed}\n}}\n'


def _line(entry: LockEntry) -> str:
    fields = {"id": entry.id} if entry.handle is None else {"id": entry.id, "handle": entry.handle}
    return json.dumps({**fields, **dict(sorted(entry.more.items()))})


def _entries(path: Path, text: str, data: Any) -> Lock:
    if (
        not isinstance(data, dict)
        or set(data) - {"seal"} != {"version", "entries"}
        or not isinstance(data["entries"], dict)
        or not isinstance(data.get("seal", ""), str)
    ):
        raise _wrong(path, 'a lock file is {"version": 1, "entries": {…}}, and may have a "seal"', text, 0)
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
            lock[address] = _entry(fields)
        else:
            problems.extend(_wrong(path, fact, text, _last(text, address)).diagnostics)
    if problems:
        raise ManifestError(problems)
    return lock


def _entry(fields: Mapping[str, Any]) -> LockEntry:
    more = {name: value for name, value in fields.items() if name not in _FIELDS}
    return LockEntry(fields["id"], fields.get("handle"), more)


def _wrong_entry(address: str, fields: Any) -> str | None:
    try:
        addresses.split(address)
    except ValueError:
        return f"`{shown(address)}` is not an address such as org.acme or org.acme/member.bob"
    if not isinstance(fields, dict) or "id" not in fields:
        return f"the entry of {shown(address)} is not {{id, handle}}"
    if not all(isinstance(fields[name], str) and fields[name] for name in _FIELDS if name in fields):
        return f"id and handle of {shown(address)} must be texts"
    if any(map(_may_be_secret, fields.values())):
        return f"the entry of {shown(address)} holds what may be a secret"
    return None


def _may_be_secret(value: Any) -> bool:
    """Whether a value is a token, and no id or handle that begins like one."""
    return isinstance(value, str) and not _NAME.fullmatch(value) and secret.is_token_text(value)


def _last(text: str, key: str) -> int:
    return max(0, text.rfind(json.dumps(key)), text.rfind(json.dumps(key, ensure_ascii=False)))


def _wrong(path: Path, fact: str, text: str = "", offset: int = 0, hint: str = _AGAIN) -> ManifestError:
    start = text.rfind("\n", 0, offset) + 1
    line = text[start:].split("\n", 1)[0].rstrip("\r")
    column = offset - start + 1
    source = Source(shown(path.as_posix(), 4096), text.count("\n", 0, offset) + 1, column)
    quoted = line if line and len(line) <= 200 and not secret.is_secret_text(line) else None
    return ManifestError([Diagnostic("error", fact, source, hint, text=quoted)])
