"""Whether two texts of a manifest differ only in lines about other people.

A history of one person would otherwise parse every manifest of every commit. Lines are compared and not their meaning, so
only where lines are all that counts: a text with anything that spans lines (a quoted or a block text, an anchor, an alias)
is never said to be the same.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from reconciler.manifest import json_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_EOL = rb"[ \t]*+(?:(?<=[ \t])#[^\r\n]*+)?+\r?\n"
_NOTHING = rb"[ \t]*+(?:#[^\r\n]*+)?+\r?\n"  # an empty line, or a comment
_QUOTED = rb"""(?:"[^"\\\r\n]*+"|'[^'\r\n]*+')"""


def _flow(inside: bytes) -> bytes:
    return rb"""(?:\{(?:%b|%b|[^"'#&*!|>`\\{}\[\]\r\n])*+\}|\[(?:%b|%b|[^"'#&*!|>`\\{}\[\]\r\n])*+\])""" % (
        (_QUOTED, inside) * 2
    )


_VALUE = rb"(?:[A-Za-z0-9_/~+][^\r\n]*+\r?\n|(?:%b|%b)%b)" % (_QUOTED, _flow(_flow(_flow(rb"(?!)"))), _EOL)
_KEY = rb"(?:[A-Za-z0-9_.+/@-]++|%b):" % _QUOTED
_LINES = re.compile(
    rb"(?:---\r?\n|%b|[ ]*+(?:-[ ]++)*+(?:%b(?:[ ]++%b|%b)|(?<=- )%b))*+" % (_NOTHING, _KEY, _VALUE, _EOL, _VALUE)
)
_BREAKS = re.compile(rb"\r(?!\n)|\xc2\x85|\xe2\x80[\xa8\xa9]")  # what ends a line in YAML, and not here

# what may belong to an entry that another line begins, or to none
_INSIDE = re.compile(rb"[ ]*+(?:-[ ]++)?+(?:(?:role|expires|then|reason|name):|#|\r?$)")

_NAME = rb"(?:service/)?+[a-z0-9][a-z0-9_-]*+"
_DAY = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}"


def is_line_by_line(text: bytes) -> bool:
    """Whether every line of a manifest stands for itself: no text, flow or node goes on in the next one, or is named by it."""
    text = _ended(text)
    return _LINES.fullmatch(text) is not None and _BREAKS.search(text) is None


def others_between(old: bytes, new: bytes, names: Collection[str]) -> frozenset[str] | None:
    """The people whose lines are all that may differ between two texts, of which `old` is one of `is_line_by_line`.

    None where another line differs, or one about `names`, or where `new` is no such text.
    """
    old, new = _ended(old), _ended(new)
    start, end = _common(old, new)
    was, now = old[start : len(old) - end], new[start : len(new) - end]
    if not is_line_by_line(now):
        return None
    entries = _others(frozenset(names))
    others: set[str] = set()

    def left_out(found: re.Match[bytes]) -> bytes:
        some = {
            one.decode().lower()
            for some in _entry().finditer(found.group())
            for one in some.groups()
            if one and one.strip()
        }
        others.update(some)
        return b"\0\n" if some else b""  # a section without its last entry is no section any more

    if entries.sub(left_out, was) != entries.sub(left_out, now):
        return None
    return frozenset(others)


def _ended(text: bytes) -> bytes:
    return text if text.endswith(b"\n") or not text else text + b"\n"


def _common(old: bytes, new: bytes) -> tuple[int, int]:
    """How many bytes of whole lines are the same at both starts and at both ends, but for the nearest entries."""

    def same(longest: int, *, last: bool) -> int:
        low, high = 0, longest
        while low < high:
            middle = (low + high + 1) // 2
            there = (
                old[len(old) - middle : len(old) - low] == new[len(new) - middle : len(new) - low]
                if last
                else old[low:middle] == new[low:middle]
            )
            low, high = (middle, high) if there else (low, middle - 1)
        return low

    shorter = min(len(old), len(new))
    start = same(shorter, last=False)
    end = same(shorter - start, last=True)
    start = old.rfind(b"\n", 0, start) + 1
    while start > 0:
        above = old.rfind(b"\n", 0, start - 1) + 1
        line, start = old[above:start], above
        if not _INSIDE.match(line):
            break
    at = old.find(b"\n", len(old) - end - 1) + 1 if end < len(old) else 0
    while at < len(old):
        below = old.find(b"\n", at) + 1
        line, at = old[at:below], below
        if not _INSIDE.match(line):
            break
    return start, len(old) - max(at, start)


@lru_cache(maxsize=8)
def _others(names: frozenset[str]) -> re.Pattern[bytes]:
    """Runs of comments, empty lines, and entries of sections and teams that are about nobody of `names`."""
    line = _entry_of(names)
    return re.compile(rb"^(?:(?:%b)*+(?:%b(?:%b)*+)++|(?:%b)++)" % (_NOTHING, line, _NOTHING, _NOTHING), re.MULTILINE)


@cache
def _entry() -> re.Pattern[bytes]:
    return re.compile(b"^" + _entry_of(frozenset(), group=True), re.MULTILINE)


def _entry_of(names: Collection[str], *, group: bool = False) -> bytes:
    """One entry: of a section, `bob: reader` or `bob: {role: reader, expires: 2027-01-31}`, the latter also in block style; of a
    team, `- bob` or `- {name: bob, expires: 2027-01-31}`, as well; or who somebody is, `bob: {email: bob@example.com}`.
    """
    start = b"(" if group else b"(?:"

    def quoted(text: bytes, but: Collection[str] = ()) -> bytes:
        one = rb"%b%b%b)" % (start, _but(but), text)
        return rb"(?:%b|'%b'|\"%b\")" % (one, one, one)

    def of(*parts: bytes) -> bytes:  # any of these; that YAML allows each only once is checked elsewhere
        return b"|".join(parts)

    name, key = quoted(_NAME, names), rb"%b:" % quoted(_NAME, {*names, *_keywords()})
    account = quoted(rb"[A-Za-z0-9][A-Za-z0-9._+@-]*+", names)
    role = b"(?:%b)" % b"|".join(sorted(one.encode() for one in _roles()))
    day = rb"[\"']?+%b[\"']?+" % _DAY
    reason = rb"(?:[A-Za-z0-9](?:[A-Za-z0-9_./()-]|[ ](?=[A-Za-z0-9_./()-]))*+|%b)" % _QUOTED
    ends = of(rb"expires:[ ]%b" % day, rb"reason:[ ]%b" % reason)
    more = of(ends, rb"then:[ ]%b" % role)
    item = of(
        rb"%b%b" % (name, _EOL),
        rb"\{name:[ ]%b(?:,[ ](?:%b))*+\}%b" % (name, ends, _EOL),
        rb"(?:(?:%b)%b(?P=item)[ ][ ])*name:[ ]%b%b(?:(?P=item)[ ][ ](?:%b)%b)*+(?!(?P=item)[ ])"
        % (ends, _EOL, name, _EOL, ends, _EOL),
    )
    entry = of(
        rb"[ ]++%b%b" % (role, _EOL),
        rb"[ ]++\{role:[ ]%b(?:,[ ](?:%b))*+\}%b" % (role, more, _EOL),
        rb"[ ]++\{(?:email:[ ]%b(?:,[ ]handle:[ ]%b)?+|handle:[ ]%b)\}%b" % (account, account, account, _EOL),
        rb"[ ]*+\r?\n(?:(?P=entry)[ ]++(?:%b)%b)*(?P=entry)[ ]++role:[ ]%b%b(?:(?P=entry)[ ]++(?:%b)%b)*+(?!(?P=entry)[ ])"
        % (more, _EOL, role, _EOL, more, _EOL),
    )
    return rb"(?:(?P<item>[ ]*+)-[ ](?:%b)|(?P<entry>[ ]*+)%b(?:%b))" % (item, key, entry)


def _but(names: Collection[str]) -> bytes:
    """What keeps a pattern from matching one of the names, whatever its case."""
    listed = b"|".join(re.escape(name.encode()) for name in sorted(names))
    return rb"(?!(?i:%b)(?![A-Za-z0-9._+@/-]))" % listed if names else b""


@cache
def _keywords() -> frozenset[str]:
    """Every key that the schema knows: an entry with such a name would look like an attribute."""
    return frozenset(key for part in _parts(json_schema.schema()) for key in part.get("properties", ()))


def _parts(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _parts(inner)


@cache
def _roles() -> frozenset[str]:
    found = json_schema.schema()["$defs"]
    return frozenset(role for name in ("orgRole", "grantRole") for role in found[name]["enum"])
