"""Carrying requests to a WSGI app without a socket, so that the client's code is the same with and without a server."""

from __future__ import annotations

import http.client
import io
import re
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from reconciler.sandbox.faults import AnswerTooLate, ConnectionDropped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from wsgiref.types import WSGIApplication

LOOPBACK = "127.0.0.1"
_QUOTED_SLASH = re.compile("%2F", re.IGNORECASE)


class SandboxAdapter(HTTPAdapter):
    """A `requests` adapter over a WSGI app: `session.mount("https://sandbox", SandboxAdapter(create_app(store)))`.

    Answers behave as those of a real connection do: `stream=True` with `raw.read(decode_content=True)` works, a body
    that ends early raises as urllib3 does. A dropped connection raises `requests.exceptions.ConnectionError`, an answer
    later than the read timeout `requests.exceptions.ReadTimeout`.
    """

    def __init__(self, app: WSGIApplication) -> None:
        super().__init__()
        self.app = app

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        del verify, cert, proxies  # a function call has no certificate and meets no proxy
        environ = _environ(request, timeout)
        answer: list[Any] = []

        def started(line: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
            answer[:] = [line, headers]
            return lambda _data: None

        chunks: list[bytes] = []
        try:
            chunks.extend(self.app(environ, started))
        except ConnectionDropped as error:
            if not chunks:
                raise requests.exceptions.ConnectionError(
                    "the sandbox dropped the connection", request=request
                ) from error
        except AnswerTooLate as error:
            raise requests.exceptions.ReadTimeout("the sandbox's answer came too late", request=request) from error
        body = b"".join(chunks)
        line, headers = answer
        status, _, reason = line.partition(" ")
        length = next((value for name, value in headers if name.lower() == "content-length"), None)
        short = length is not None and int(length) > len(body) and request.method != "HEAD"
        raw = HTTPResponse(
            body=_Truncated(body, int(length or 0)) if short else io.BytesIO(body),
            headers=headers,
            status=int(status),
            reason=reason,
            preload_content=False,
            request_method=request.method,
        )
        response = self.build_response(request, raw)
        if not stream:
            response.content  # noqa: B018 -- reads the body, as a session does that does not stream
        return response

    def close(self) -> None:
        """Nothing is held open."""


class _Truncated(io.BytesIO):
    """A body that ends before its announced length: http.client raises then, and so does this."""

    def __init__(self, body: bytes, length: int) -> None:
        super().__init__(body)
        self._missing = length - len(body)

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if size is None or size < 0 or len(data) < size:
            raise http.client.IncompleteRead(data, self._missing)
        return data


def _environ(request: requests.PreparedRequest, timeout: Any) -> dict[str, Any]:
    url = urlsplit(request.url or "")
    # A body may also be a file or an iterator, whatever the annotations of requests say.
    body: Any = request.body or b""
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes):
        body = body.read() if hasattr(body, "read") else b"".join(body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method or "GET",
        "SCRIPT_NAME": "",
        # WSGI hands bytes over as latin-1; a quoted slash stays quoted, as cheroot leaves it.
        "PATH_INFO": b"%2F".join(map(unquote_to_bytes, _QUOTED_SLASH.split(url.path))).decode("latin-1"),
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname or "sandbox",
        "SERVER_PORT": str(url.port or (443 if url.scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": LOOPBACK,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme or "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    headers: Mapping[str, Any] = request.headers
    for name, value in headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = text
        elif key != "CONTENT_LENGTH":
            environ[f"HTTP_{key}"] = text
    environ.setdefault("HTTP_HOST", url.netloc)
    read_timeout = timeout[1] if isinstance(timeout, tuple) else timeout
    if isinstance(read_timeout, (int, float)):
        environ["sandbox.read_timeout"] = read_timeout
    return environ
