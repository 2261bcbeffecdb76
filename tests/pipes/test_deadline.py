"""An answer that never ends, or that comes a byte at a time, is given up; and so is a list without an end."""

from __future__ import annotations

import itertools
import json
import socket
import ssl
import threading
from contextlib import suppress

import pytest
import trustme

from reconciler.model.request import Request
from reconciler.pipes import audit, deadline, pages, retry
from reconciler.pipes.client import Client, ContentError, LostAnswerError
from reconciler.pipes.errors import NotSentError
from reconciler.pipes.settings import Settings

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ENDLESS = {
    "a status line by the byte": lambda: itertools.repeat(b"H"),
    "a header by the byte": lambda: itertools.chain([HEAD + b"X-Long: "], itertools.repeat(b"x")),
    "100 Continue for ever": lambda: itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body by the byte": lambda: itertools.chain([HEAD + b"Content-Length: 9999\r\n\r\n{"], itertools.repeat(b" ")),
    "a body by the chunk": lambda: itertools.chain(
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n"], itertools.repeat(b"1\r\n \r\n")
    ),
    "a body without a length": lambda: itertools.chain([HEAD + b"Connection: close\r\n\r\n"], itertools.repeat(b" ")),
    "nothing": lambda: itertools.repeat(b""),
}


class Slow:
    """Sends what never ends, a piece each hundredth of a second, to every connection until it is closed."""

    def __init__(self, pieces, tls=None):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.ended = threading.Event()
        self.pieces, self.tls, self.connections = pieces, tls, 0
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.ended.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with suppress(OSError), connection:
            if self.tls is None:
                self._send(connection)
            else:
                with self.tls.wrap_socket(connection, server_side=True) as secure:
                    self._send(secure)

    def _send(self, connection):
        connection.recv(65536)
        for piece in self.pieces():
            if self.ended.wait(0.01):
                return
            connection.sendall(piece)

    def close(self):
        self.ended.set()
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(20)


@pytest.fixture
def slow(request, monkeypatch, tmp_path):
    monkeypatch.setattr(deadline, "SECONDS", 0.3)
    monkeypatch.setattr(retry, "ATTEMPTS", 2)
    name, scheme = request.param
    tls = None
    if scheme == "https":
        authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    server = Slow(ENDLESS[name], tls)
    yield server, Settings(f"{scheme}://127.0.0.1:{server.port}/api/v0", "tpt_x")
    server.close()


ALL = [pytest.param((name, scheme), id=f"{name}, {scheme}") for name in ENDLESS for scheme in ("http", "https")]


@pytest.mark.parametrize("slow", ALL, indirect=True)
def test_an_answer_that_does_not_end_is_lost(slow, clock):
    server, settings = slow
    with Client(settings, read_only=False, clock=clock.source) as client:
        with pytest.raises(LostAnswerError, match=r"took more than 0\.3 s"):
            client.send(Request("PATCH", "/org/acme", {}))
        with pytest.raises(LostAnswerError, match=r"took more than 0\.3 s"):
            client.get("/actor")
    assert server.connections > 1


class Socks:
    """A SOCKS 5 proxy that leads every connection to one port of this machine."""

    def __init__(self, port, replies=(b"\x05\x00", b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")):
        self.port = port
        self.replies = replies  # no authentication wanted; connected
        self.socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self):
        return f"socks5h://127.0.0.1:{self.socket.getsockname()[1]}"

    def _serve(self):
        with suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self._lead, args=(connection,), daemon=True).start()

    def _lead(self, connection):
        with suppress(OSError, IndexError), connection, socket.create_connection(("127.0.0.1", self.port)) as target:
            connection.recv(3)
            connection.sendall(self.replies[0])
            head = connection.recv(5)
            connection.recv(head[4] + 2)  # the host's name and port
            connection.sendall(self.replies[1])
            back = threading.Thread(target=self._copy, args=(target, connection), daemon=True)
            back.start()
            self._copy(connection, target)
            back.join(20)

    @staticmethod
    def _copy(source, target):
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("name", ["a body by the byte", "100 Continue for ever", "nothing"])
def test_an_answer_through_a_socks_proxy_has_the_same_deadline(monkeypatch, clock, tmp_path, name):
    monkeypatch.setattr(deadline, "SECONDS", 0.3)
    monkeypatch.setattr(retry, "ATTEMPTS", 2)
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("pipes.example").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    server = Slow(ENDLESS[name], tls)
    proxy = Socks(server.port)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    settings = Settings("https://pipes.example/api/v0", "tpt_x")
    with (
        Client(settings, read_only=False, clock=clock.source) as client,
        pytest.raises(LostAnswerError, match=r"took more than 0\.3 s"),
    ):
        client.send(Request("PATCH", "/org/acme", {}))
    assert server.connections > 0
    proxy.socket.close()
    server.close()


@pytest.mark.parametrize(
    ("replies", "message"),
    [
        ((b"\x05\xff", b""), "the proxy that HTTPS_PROXY names refuses the user or the password in it"),
        (
            (b"\x05\x00", b"\x05\x04\x00\x01" + bytes(6)),
            "the proxy that HTTPS_PROXY names does not connect to pipes.example",
        ),
        ((b"HTTP/1.1 400", b""), "the proxy that HTTPS_PROXY names cannot be used: it does not answer as one does"),
        (None, "the proxy that HTTPS_PROXY names cannot be used: Connection refused"),
    ],
    ids=["a password", "a way", "not a SOCKS proxy", "nobody listens"],
)
def test_what_a_socks_proxy_cannot_do_is_not_blamed_on_the_host(monkeypatch, clock, replies, message):
    monkeypatch.setattr(retry, "ATTEMPTS", 2)
    server = Slow(ENDLESS["nothing"])
    proxy = Socks(server.port, replies or ())
    if replies is None:
        proxy.socket.close()
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url if replies else "socks5h://127.0.0.1:1")
    settings = Settings("https://pipes.example/api/v0", "tpt_x")
    with (
        Client(settings, read_only=True, clock=clock.source) as client,
        pytest.raises(NotSentError, match=message),
    ):
        client.get("/actor")
    proxy.socket.close()
    server.close()


def test_a_handshake_that_does_not_end_reached_nobody(monkeypatch, clock):
    monkeypatch.setattr(deadline, "SECONDS", 0.3)
    server = Slow(ENDLESS["nothing"])
    with (
        Client(
            Settings(f"https://127.0.0.1:{server.port}/api/v0", "tpt_x"), read_only=False, clock=clock.source
        ) as client,
        pytest.raises(LostAnswerError, match=r"took more than 0\.3 s"),
    ):
        client.send(Request("PATCH", "/org/acme", {}))
    server.close()


def test_an_answer_in_time_leaves_its_connection_for_the_next(make_server, clock, monkeypatch):
    monkeypatch.setattr(deadline, "SECONDS", 0.3)
    server = make_server()
    server.script = [(200, {}, b'{"items": []}')]
    with Client(server.settings, read_only=True, clock=clock.source) as client:
        client.get("/actor")
        threading.Event().wait(0.5)  # beyond the bound of the first
        client.get("/actor")
    assert (server.connections, len(server.requests)) == (1, 2)


def endless(row):
    numbers = itertools.count()

    def answer(_path):
        n = next(numbers)
        return (200, {}, json.dumps({"items": [row(n)], "next_token": f"t{n}"}).encode())

    return answer


def test_every_list_is_bounded():
    listing = pages.Listing("/org/acme/member")
    for n in range(pages.MOST - 1):
        listing.check([{"id": f"u_{n}"}], f"t{n}")
    with pytest.raises(ContentError, match="/org/acme/member has no end"):
        listing.check([{"id": "u_last"}], "t_last")


@pytest.mark.parametrize(
    "read",
    [
        lambda client: list(client.pages("/org/acme/member", row_type=dict, most=30)),
        lambda client: list(audit.entries(client, "acme")),
    ],
    ids=["a list", "a log"],
)
def test_a_list_without_an_end_is_given_up(make_server, clock, monkeypatch, read):
    monkeypatch.setattr(audit, "MOST", 30)
    server = make_server()
    server.script = [endless(lambda n: {"id": f"u_{n}"})]
    with (
        Client(server.settings, read_only=True, clock=clock.source) as client,
        pytest.raises(ContentError, match="has no end"),
    ):
        read(client)
    assert len(server.requests) == 30
