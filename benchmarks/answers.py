"""A Pipes that costs its machine next to nothing: the embedded one's answers, recorded, sent again after a latency.

    python benchmarks/answers.py FOLDER MILLISECONDS

Records what a plan in FOLDER asks the embedded Pipes for, then prints `ready PORT` and answers those requests over HTTP
until its standard input ends. One thread, a timer for each request, rows that are bytes already.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from functools import partial
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from reconciler import clock
from reconciler.manifest import load
from reconciler.pipes.client import Client
from reconciler.pipes.reading import snapshot
from reconciler.pipes.settings import resolve

# what a plan asks beside the snapshot, such as when the token ends: it goes on without
NOTHING = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def recorded(folder: Path) -> dict[bytes, bytes]:
    """Request target -> the whole answer, for every GET of a plan."""
    found: dict[bytes, bytes] = {}
    settings = resolve("sandbox:pipes.db", None, {}, cwd=folder)
    with Client(settings, read_only=True) as client:
        send = client.carrier.send

        def recording(outgoing, url):
            received = send(outgoing, url)
            assert received.status == 200, url
            path = urlsplit(url).path
            target = f"{path}?{urlencode(outgoing.params)}" if outgoing.params else path
            length = len(received.content)
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
            found[target.encode()] = head.encode() + received.content
            return received

        client.carrier.send = recording
        snapshot(client, load([folder / "orgs.yaml"], today=clock.today()), {})
    return found


class Answers(asyncio.Protocol):
    """One connection, one request at a time, as our client sends them."""

    def __init__(self, known: dict[bytes, bytes], latency: float) -> None:
        self._known, self._latency, self._got = known, latency, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self._got.endswith(b"\r\n\r\n"):
            target = self._got.split(b" ", 2)[1]
            self._got = b""
            loop = asyncio.get_running_loop()
            loop.call_later(self._latency, partial(self._transport.write, self._known.get(target, NOTHING)))


async def serve(known: dict[bytes, bytes], latency: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answers(known, latency), "127.0.0.1", 0)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def main(folder: str, milliseconds: str) -> None:
    known = recorded(Path(folder))
    gc.freeze()
    asyncio.run(serve(known, float(milliseconds) / 1000))


if __name__ == "__main__":
    main(*sys.argv[1:])
