"""Asking a WSGI app without a socket."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from wsgiref.types import WSGIApplication

LOOPBACK = "127.0.0.1"
_QUOTED_SLASH = re.compile("%2F", re.IGNORECASE)


class WsgiAnswer(NamedTuple):
    """What an app answered."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes


def exchange(app: WSGIApplication, method: str, url: str, headers: Mapping[str, str], body: bytes) -> WsgiAnswer:
    """Ask `app` as a server does, and return its answer. What the app raises comes out."""
    begun: list[Any] = []

    def started(line: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
        begun[:] = [line, headers]
        return lambda _data: None

    found = b"".join(app(_environ(method, url, headers, body), started))
    line, answered = begun
    status, _, reason = line.partition(" ")
    return WsgiAnswer(int(status), reason, answered, found)


def _environ(method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    parts = urlsplit(url)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        # WSGI hands bytes over as latin-1; a quoted slash stays quoted, as cheroot leaves it.
        "PATH_INFO": b"%2F".join(map(unquote_to_bytes, _QUOTED_SLASH.split(parts.path))).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname or "sandbox",
        "SERVER_PORT": str(parts.port or (443 if parts.scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": LOOPBACK,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme or "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
        elif key != "CONTENT_LENGTH":
            environ[f"HTTP_{key}"] = value
    environ.setdefault("HTTP_HOST", parts.netloc)
    return environ
