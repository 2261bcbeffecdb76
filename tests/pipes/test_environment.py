"""Certificates and proxies that the environment names: a mistake in them is named at once, with its variable."""

from __future__ import annotations

import socket
import threading

import pytest

from reconciler.pipes import environment
from reconciler.pipes.client import Client, NotSentError, Observers
from reconciler.pipes.environment import check
from reconciler.pipes.settings import Settings

URL = "https://pipes.example/api/v0"


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in ("https_proxy", "all_proxy", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def refused():
    """What is said before any request, by a client that is about to be used."""
    sent = []
    with pytest.raises(NotSentError) as error:
        Client(Settings(URL, "tpt_x"), read_only=True, observers=Observers(request=lambda *a: sent.append(a)))
    assert sent == []
    assert not error.value.repeatable
    return str(error.value)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"), (b"", "no certificate in PEM"), (b"no PEM at all", "no certificate in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no certificate in PEM"),
    ],
)  # fmt: skip
def test_certificates_that_cannot_be_used_are_named(tmp_path, monkeypatch, name, content, says):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(name, str(path))
    found = refused()
    assert found.startswith(f"{name} names a file")
    assert says in found


def test_a_folder_of_certificates_is_for_openssl_to_look_into(tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert check(URL) is None


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("socks5://user:hunter2@proxy.example:1080", "names a SOCKS proxy, which needs"),
        ("socks4a://proxy.example", "names a SOCKS proxy, which needs"),
        ("http://user:hunter2@proxy.example:notaport", "its host or port cannot be read"),
        ("proxy.example:99999", "its host or port cannot be read"),
        ("http://", "names no host"),
        ("ftp://proxy.example", "of a kind that is not known"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named(monkeypatch, name, value, says):
    monkeypatch.setattr(environment, "find_spec", lambda _: None)  # as it is where PySocks is not installed
    monkeypatch.setenv(name, value)
    found = refused()
    assert found.startswith(f"{name} ")
    assert says in found
    assert "hunter2" not in found


def test_a_host_that_no_proxy_is_for_needs_none(monkeypatch):
    monkeypatch.setattr(environment, "find_spec", lambda _: None)
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy.example")
    monkeypatch.setenv("NO_PROXY", "pipes.example")
    assert check(URL) is None


class Proxy:
    """Answers every CONNECT with one status."""

    def __init__(self, status):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.status = status
        self.asked = 0
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.asked += 1
            with connection:
                connection.recv(65536)
                connection.sendall(f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("status", "says", "asked"),
    [
        ("407 Proxy Authentication Required", "wants a user and a password (407)", 1),
        ("403 Forbidden", "does not connect to pipes.example (403)", 1),
        ("502 Bad Gateway", "does not connect to pipes.example (502)", 6),
    ],
)
def test_what_a_proxy_refuses_is_not_the_hosts_fault(monkeypatch, clock, status, says, asked):
    proxy = Proxy(status)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    with (
        Client(Settings(URL, "tpt_x"), read_only=True, clock=clock.source) as client,
        pytest.raises(NotSentError) as error,
    ):
        client.get("/actor")
    proxy.socket.close()
    assert says in str(error.value)
    assert "HTTPS_PROXY" in str(error.value)
    assert proxy.asked == asked


def test_a_proxy_that_dns_does_not_know_is_not_the_host(monkeypatch, clock):
    def nowhere(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter2@proxy.invalid:3128")
    with (
        Client(Settings(URL, "tpt_x"), read_only=True, clock=clock.source) as client,
        pytest.raises(NotSentError, match="the proxy that HTTPS_PROXY names is unknown to DNS") as error,
    ):
        client.get("/actor")
    assert "hunter2" not in str(error.value)
