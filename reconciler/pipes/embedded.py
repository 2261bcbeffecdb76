"""The way to the embedded Pipes: function calls, so that a run needs no HTTP library."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from reconciler.pipes.carrier import Received, refused_write
from reconciler.sandbox import app
from reconciler.sandbox.store import Store
from reconciler.sandbox.transport import exchange

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.pipes.carrier import Outgoing
    from reconciler.pipes.settings import Settings


class Embedded:
    """Carries requests to the Pipes in the database at `path`; `read_only` refuses every write before it is sent."""

    def __init__(self, settings: Settings, path: Path, *, read_only: bool) -> None:
        self._read_only = read_only
        self._store = Store.open_existing(path)
        self._app = app.create_app(self._store)
        self._headers = {"Accept": "application/json", "Authorization": f"Bearer {settings.token}"}

    def send(self, outgoing: Outgoing, url: str) -> Received:
        """Answer a request. See Carrier."""
        if self._read_only and outgoing.method != "GET":
            raise refused_write(outgoing.method)
        target = f"{url}?{urlencode(outgoing.params)}" if outgoing.params else url
        answer = exchange(
            self._app, outgoing.method, target, {**self._headers, **outgoing.headers}, outgoing.body or b""
        )
        return Received(answer.status, {name.lower(): value for name, value in answer.headers}, answer.body)

    def close(self) -> None:
        """Close the database."""
        self._store.close()
