r"""Finding a secret value in text that somebody else wrote, however it is spelled there.

A server that quotes a request spells a value as JSON does, twice where its error is JSON that holds the quote, as Go's JSON
does (`\u0026` for `&`), as a URL or an HTML page does, or in base64. One expression for each value matches all of these, in
any mix, and each character of the text is looked at a bounded number of times.
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache

_SHORT = {"\n": b"n", "\r": b"r", "\t": b"t", "\b": b"b", "\f": b"f", '"': b'"', "/": b"/", "'": b"'"}
_ENTITIES = {"&": b"amp", "<": b"lt", ">": b"gt", '"': b"quot", "'": b"apos"}
_ESCAPE = rb"\\{1,8}"  # a backslash, escaped up to three times
_PLAIN = re.compile(r"[A-Za-z0-9]+")
_RUN = re.compile(r"\\+|.", re.DOTALL)


class Spellings:
    """Every spelling of one value."""

    def __init__(self, value: str) -> None:
        self._pattern = _expression(value)
        self._run = _longest(value)
        encoded = base64.b64encode(value.encode()).decode().rstrip("=")
        self._base64 = _expression(encoded, url_safe=True)
        self._base64_run = _longest(encoded)

    def replaced(self, content: bytes, by: bytes) -> bytes:
        """`content` with `by` in place of the value."""
        # plain characters are spelled the same everywhere: if they are missing, so is the value
        if self._run in content:
            content = self._pattern.sub(lambda _: by, content)
        if self._base64_run in content:
            content = self._base64.sub(lambda _: by, content)
        return content

    def within(self, content: bytes) -> bool:
        """Whether the value is in `content`."""
        return (self._run in content and self._pattern.search(content) is not None) or (
            self._base64_run in content and self._base64.search(content) is not None
        )


@lru_cache(maxsize=256)
def spellings(value: str) -> Spellings:
    """The spellings of a value, worked out once."""
    return Spellings(value)


def _longest(value: str) -> bytes:
    return max(_PLAIN.findall(value), key=len, default="").encode()


def _expression(value: str, *, url_safe: bool = False) -> re.Pattern[bytes]:
    parts = []
    for found in _RUN.findall(value):
        if found[0] == "\\":
            parts.append(_backslashes(len(found)))
        elif _PLAIN.fullmatch(found):
            parts.append(found.encode())
        else:
            parts.append(_character(found, url_safe=url_safe))
    return re.compile(b"".join(parts) + (b"(?:=|%3[Dd]|" + _ESCAPE + b"u003[Dd]){0,2}" if url_safe else b""))


def _backslashes(number: int) -> bytes:
    one = rb"(?:%(?:25)?5[Cc])"
    return rb"(?:\\{%d,%d}|%s{%d}|(?:%s{1,7}u005[Cc]){%d})" % (number, 8 * number, one, number, rb"\\", number)


def _character(character: str, *, url_safe: bool) -> bytes:
    raw = character.encode()
    units = character.encode("utf-16-be")
    ways = [
        re.escape(raw),
        b"".join(_ESCAPE + b"(?i:u%02x%02x)" % (units[i], units[i + 1]) for i in range(0, len(units), 2)),
        b"".join(b"(?i:%%(?:25)?%02x)" % byte for byte in raw),
        b"(?i:&#(?:%d|x0?%x);)" % (ord(character), ord(character)),
    ]
    if character in _SHORT:
        ways.append(_ESCAPE + re.escape(_SHORT[character]))
    if character in _ENTITIES:
        ways.append(b"&(?:amp;)?" + _ENTITIES[character] + b";")
    if character == " ":
        ways.append(rb"\+")
    if url_safe and character in "+/":
        ways.append(b"-" if character == "+" else b"_")
    return b"(?:" + b"|".join(ways) + b")"
