"""A bound on how long one answer may take in all.

The timeouts of an HTTP library bound the wait for each byte. A server that sends one byte a second, or `100 Continue` for
ever, would never meet them. So one thread watches all exchanges of a client, and cuts the connection of one that is late.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 120.0

_here = threading.local()  # the exchange of this thread


class Exchange:
    """One request and its answer. `late` is True once its connection was cut."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.late = False
        self.connection: Any = None
        self.opened: Any = (
            None  # a second descriptor of a socket on which TLS is being agreed: ssl takes the first one over
        )
        self.sock: Any = None  # where the answer comes from: a connection that is closed after it forgets its socket


class Watch:
    """Watches the exchanges of one client. `seconds` is how long each may take."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._changed = threading.Condition()
        self._exchanges: set[Exchange] = set()
        self._started = self._closed = False

    @contextmanager
    def watching(self) -> Iterator[Exchange]:
        """Bound whatever the requests of this thread do in the block."""
        exchange = Exchange(time.monotonic() + self._seconds)
        with self._changed:
            self._exchanges.add(exchange)
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="deadlines", daemon=True).start()
        _here.exchange, _here.watch = exchange, self
        try:
            yield exchange
        finally:
            _here.exchange = _here.watch = None
            with self._changed:
                self._exchanges.discard(exchange)
                exchange.connection = exchange.sock = None

    def use(self, exchange: Exchange, connection: Any) -> None:
        """Note over which connection an exchange goes, and its socket where there is one by now."""
        with self._changed:
            exchange.connection = connection
            exchange.sock = connection.sock

    def open(self, exchange: Exchange, sock: Any) -> None:
        """Note the socket of a connection that is being opened; None once it is open."""
        with self._changed:
            before, exchange.opened = exchange.opened, sock
            if exchange.late and sock is not None:
                _shut(sock)
        if before is not None:
            before.close()

    def close(self) -> None:
        """Watch no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for exchange in [one for one in self._exchanges if one.until <= now]:
                    self._exchanges.discard(exchange)
                    _cut(exchange)
                # what comes meanwhile is due later than this, as all have the same time
                due = min((one.until for one in self._exchanges), default=now + self._seconds)
                self._changed.wait(max(0.0, due - now))


def _cut(exchange: Exchange) -> None:
    exchange.late = True
    for sock in (exchange.opened, getattr(exchange.connection, "sock", None) or exchange.sock):
        if sock is not None:
            _shut(sock)


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        # not ssl's own method: that one would go on without TLS in the thread that reads
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _note(connection: Any) -> None:
    exchange, watch = getattr(_here, "exchange", None), getattr(_here, "watch", None)
    if exchange is not None and watch is not None:
        watch.use(exchange, connection)


def _open(sock: socket.socket | None) -> None:
    exchange, watch = getattr(_here, "exchange", None), getattr(_here, "watch", None)
    if exchange is not None and watch is not None:
        watch.open(exchange, None if sock is None else sock.dup())


class _Noted(HTTPConnection):
    """A connection that says which socket it uses, whenever that may have changed."""

    def connect(self) -> None:
        _note(self)
        try:
            super().connect()
        finally:
            _open(None)

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        _open(sock)
        return sock

    def request(self, *args: Any, **options: Any) -> None:
        _note(self)
        super().request(*args, **options)

    def getresponse(self) -> Any:
        _note(self)
        return super().getresponse()


class _NotedTls(_Noted, HTTPSConnection):
    """The same over TLS."""


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Noted


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _NotedTls


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


def _socks_pools() -> dict[str, type[HTTPConnectionPool]]:
    """The pools for a SOCKS proxy. Only with PySocks, which urllib3 needs for one, can they be made."""
    from urllib3.contrib.socks import SOCKSConnection

    class Noted(_Noted, SOCKSConnection):
        """A connection through the proxy; the few bytes that it agrees on with the proxy have urllib3's bound alone."""

    class NotedTls(Noted, HTTPSConnection):
        """The same over TLS."""

    class Pool(HTTPConnectionPool):
        ConnectionCls = Noted

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = NotedTls

    return {"http": Pool, "https": TlsPool}


class WatchedAdapter(HTTPAdapter):
    """Carries requests over connections that a Watch can cut."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _socks_pools() if proxy.lower().startswith("socks") else _POOLS
        return manager
