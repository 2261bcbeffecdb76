"""What carries a request to Pipes: the interface that HTTP and the embedded Pipes have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from reconciler.model.errors import ReadOnlyError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Outgoing(msgspec.Struct, frozen=True):
    """One request, ready to be sent."""

    method: str
    path: str  # below the base path
    params: Mapping[str, Any] | None = None
    body: bytes | None = None
    content_type: str = "application/json"
    version: str | None = None  # for `If-Match`

    @property
    def headers(self) -> dict[str, str]:
        """The headers that this request has of its own."""
        found = {} if self.body is None else {"Content-Type": self.content_type}
        return found if self.version is None else {**found, "If-Match": self.version}


class Received(msgspec.Struct, frozen=True):
    """What came back. The names of `headers` are found however they are written."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Carrier(Protocol):
    """Sends one request and brings its answer. Safe to use from several threads."""

    def send(self, outgoing: Outgoing, url: str, /) -> Received:
        """Send once. `url` is that of the path, without the query.

        Raises NotSentError where the request surely did not reach Pipes, LostAnswerError where no answer came, and
        ReadOnlyError for a write where only reads are allowed.
        """

    def close(self) -> None:
        """Release what is held open."""


def refused_write(method: str | None) -> ReadOnlyError:
    """What a carrier raises that only reads."""
    return ReadOnlyError(f"a {method} was tried on a connection that only reads; nothing was sent")
