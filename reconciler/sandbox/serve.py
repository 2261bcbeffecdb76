"""Serving the sandbox over HTTP or HTTPS (cheroot)."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cheroot import errors, wsgi
from cheroot.server import HTTPConnection
from cheroot.ssl.builtin import BuiltinSSLAdapter

from reconciler.sandbox.faults import ConnectionDropped

if TYPE_CHECKING:
    import socket
    from pathlib import Path
    from typing import Any
    from wsgiref.types import WSGIApplication

THREADS = 16


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files for TLS; `authority` is what a client has to trust, where we made it."""

    certificate: Path
    key: Path
    authority: Path | None = None


class _Gateway(wsgi.Gateway_10):
    def respond(self) -> None:
        try:
            super().respond()
        except ConnectionDropped as error:
            # The server silently closes a connection when the socket says that the other side is gone.
            raise ConnectionAbortedError(errno.ECONNABORTED, "a fault dropped it") from error


class _Connection(HTTPConnection):
    def close(self) -> None:
        super().close()
        # What a client did not wait for stays in the buffer, which from Python 3.13 on says on stderr that it is lost.
        with suppress(OSError):
            self.wfile.close()


class _Adapter(BuiltinSSLAdapter):
    def wrap(self, sock: socket.socket) -> tuple[socket.socket, dict[str, Any]]:
        try:
            sock.getpeername()
        except OSError as error:
            # ssl takes the descriptor over before it finds that the client is gone, and then leaves it open.
            sock.close()
            raise errors.FatalSSLAlert(*error.args) from error
        return super().wrap(sock)  # type: ignore[no-any-return, no-untyped-call]


def make_server(app: WSGIApplication, host: str, port: int, certificate: Certificate | None = None) -> wsgi.Server:
    """A server that listens already; `serve()` runs it, `stop()` ends it. Port 0 takes a free one: see `url`."""
    server = wsgi.Server((host, port), app, numthreads=THREADS, request_queue_size=128, server_name="sandbox")
    server.gateway = _Gateway
    server.ConnectionClass = _Connection
    if certificate is not None:
        server.ssl_adapter = _Adapter(str(certificate.certificate), str(certificate.key))
    server.prepare()
    return server


def url(server: wsgi.Server) -> str:
    """Where a server listens, without a path."""
    host, port = server.bind_addr[:2]
    scheme = "https" if server.ssl_adapter else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def self_signed(folder: Path, host: str) -> Certificate:
    """A certificate for this machine, made once and kept in a folder (mode 0600); its authority's key is kept nowhere."""
    made = Certificate(folder / "sandbox-cert.pem", folder / "sandbox-key.pem", folder / "sandbox-ca.pem")
    if made.certificate.exists() and made.key.exists() and made.authority and made.authority.exists():
        return made
    import trustme

    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA()
    issued = authority.issue_cert(*dict.fromkeys(("localhost", "127.0.0.1", "::1", host)))
    _write(made.key, issued.private_key_pem.bytes())
    _write(made.certificate, b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    _write(folder / "sandbox-ca.pem", authority.cert_pem.bytes())
    return made


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
