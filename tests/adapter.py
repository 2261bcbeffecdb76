"""Carrying requests to a WSGI app without a socket, for tests that want to see or spoil what the client gets."""

from __future__ import annotations

import http.client
import io

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from reconciler.sandbox.faults import AnswerTooLate, ConnectionDropped
from reconciler.sandbox.transport import exchange


class SandboxAdapter(HTTPAdapter):
    """A `requests` adapter over a WSGI app: `session.mount("https://sandbox", SandboxAdapter(create_app(store)))`.

    Answers behave as those of a real connection do: `stream=True` with `raw.read(decode_content=True)` works, a body
    that ends early raises as urllib3 does. A dropped connection raises `requests.exceptions.ConnectionError`, an answer
    later than the read timeout `requests.exceptions.ReadTimeout`.
    """

    def __init__(self, app):
        super().__init__()
        self.app = app

    def send(self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None):
        del verify, cert, proxies  # a function call has no certificate and meets no proxy
        patience = timeout[1] if isinstance(timeout, tuple) else timeout

        def until_dropped(environ, start_response):
            if patience is not None:
                environ["sandbox.read_timeout"] = patience
            chunks = []
            try:
                chunks.extend(self.app(environ, start_response))
            except ConnectionDropped:
                if not chunks:
                    raise
            return chunks

        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        if not isinstance(body, bytes):
            body = body.read() if hasattr(body, "read") else b"".join(body)
        headers = {
            name: value.decode("latin-1") if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        }
        try:
            answer = exchange(until_dropped, request.method, request.url, headers, body)
        except ConnectionDropped as error:
            raise requests.exceptions.ConnectionError("the sandbox dropped the connection", request=request) from error
        except AnswerTooLate as error:
            raise requests.exceptions.ReadTimeout("the sandbox's answer came too late", request=request) from error
        length = next((value for name, value in answer.headers if name.lower() == "content-length"), None)
        short = length is not None and int(length) > len(answer.body) and request.method != "HEAD"
        raw = HTTPResponse(
            body=Truncated(answer.body, int(length or 0)) if short else io.BytesIO(answer.body),
            headers=answer.headers,
            status=answer.status,
            reason=answer.reason,
            preload_content=False,
            request_method=request.method,
        )
        response = self.build_response(request, raw)
        if not stream:
            response.content  # noqa: B018 -- reads the body, as a session does that does not stream
        return response

    def close(self):
        """Nothing is held open."""


class Truncated(io.BytesIO):
    """A body that ends before its announced length: http.client raises then, and so does this."""

    def __init__(self, body, length):
        super().__init__(body)
        self._missing = length - len(body)

    def read(self, size=-1, /):
        data = super().read(size)
        if size is None or size < 0 or len(data) < size:
            raise http.client.IncompleteRead(data, self._missing)
        return data
