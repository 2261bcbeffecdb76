"""What Pipes answers, and how an answer is described in one short line."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

PROBLEM = 300  # characters of a server's text that are kept


class Answer(msgspec.Struct, frozen=True):
    """What Pipes said to a write. `body` is None where it sent none, or none that is a JSON object.

    `problem` is empty on success; otherwise it is Pipes' own text with its validation errors, in one line of at most 300
    characters. `retry_after` is in seconds.
    """

    status: int
    body: dict[str, Any] | None
    request_id: str | None
    problem: str = ""
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class RawAnswer(msgspec.Struct, frozen=True):
    """An answer as it came, not yet decoded. `retry_after` is in seconds."""

    status: int
    content: bytes
    request_id: str | None
    retry_after: float | None
    location: str | None

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def redirects(self) -> bool:
        """Whether the status is one that no operation of the contract has: informational, or a redirect."""
        return self.status < 200 or 300 <= self.status < 400


class _Invalid(msgspec.Struct):
    location: str | None = None
    message: str | None = None


class _Problem(msgspec.Struct):
    """The contract's ErrorModel (RFC 7807)."""

    title: str | None = None
    detail: str | None = None
    validation_errors: list[_Invalid] | None = None


_MAKING = threading.Lock()


def decoder(row_type: Any) -> msgspec.json.Decoder[Any]:
    """The decoder for a type, made once.

    Only one thread makes one at a time: msgspec lets others use a type before it has worked out its fields, and a thread
    that decodes by half a type ends the process (SIGSEGV).
    """
    with _MAKING:
        return _make_decoder(row_type)


@cache
def _make_decoder(row_type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(row_type)


def convert(value: Any, row_type: Any) -> Any:
    """`value` as this type, for any thread. Raises msgspec.ValidationError."""
    decoder(row_type)  # the type is worked out from here on
    return msgspec.convert(value, row_type)


def problem(raw: RawAnswer) -> str:
    """`403 Forbidden: detail (body.role: message)`: status, title, detail and validation errors of an ErrorModel."""
    text = str(raw.status)
    try:
        found = decoder(_Problem).decode(raw.content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return f"{text}, {content_type(raw.content)}{proxy_hint(raw.content)}" if raw.content.strip() else text
    if found.title:
        text += f" {found.title}"
    if found.detail:
        text += f": {found.detail}"
    invalid = [": ".join(t for t in (e.location, e.message) if t) for e in (found.validation_errors or [])[:10]]
    fresh = [one for one in invalid if one and one not in text]
    return f"{text} ({'; '.join(fresh)})" if fresh else text


def redirect(raw: RawAnswer) -> str:
    """Where an answer redirects to, and why the redirect is not followed; or that Pipes does not use its status."""
    look = "check PIPES_HOST or --host"
    if raw.status < 300 or not raw.location:
        return f"{raw.status}, a status that Pipes does not use; {look}"
    try:
        host = urlsplit(raw.location).hostname
    except ValueError:
        return f"a redirect ({raw.status}) to no URL; {look}"
    if host is None:
        return f"a redirect ({raw.status}) to another path, which is not followed; {look}"
    return f"a redirect ({raw.status}) to {host}, which is not followed because that would send the token there; {look}"


def short(text: str) -> str:
    """`text` in one line of at most 300 characters."""
    line = " ".join(text.split())
    return line if len(line) <= PROBLEM else line[: PROBLEM - 1] + "…"


def shown(path: str) -> str:
    """A path as messages show it: short, and without characters that could mislead."""
    return short(quote(path, safe="/-._~@:{}"))


def content_type(content: bytes) -> str:
    """What a body is that should have been JSON, in a few words."""
    start = content.lstrip()[:1]
    if not start:
        return "nothing"
    if start == b"<":
        return "an HTML page"
    return "JSON that is cut short or broken" if start in (b"{", b"[") else "text"


def proxy_hint(content: bytes) -> str:
    """What may have sent a page where Pipes answers with JSON."""
    return "; is there a proxy or a sign-in page in between?" if content.lstrip()[:1] == b"<" else ""
