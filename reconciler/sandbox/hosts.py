"""Which names the served sandbox answers to.

A web page can make its own name lead to this machine (DNS rebinding) and then read what is served here. Its browser still
sends that name in `Host`. So a name counts only if somebody here stated it; an IP address cannot be made to lead elsewhere.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from reconciler.sandbox.problems import problem_body

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class KnownHosts:
    """A WSGI app that refuses requests (421) for any name but `localhost` and those in `names`, in lower case."""

    def __init__(self, app: WSGIApplication, names: Iterable[str]) -> None:
        self.app = app
        self.names = {"localhost", *(name.lower() for name in names)}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = str(environ.get("HTTP_HOST", ""))
        if self._knows(host):
            return self.app(environ, start_response)
        detail = f"Host is {host!r}. To answer to that name, the sandbox has to be served with --allow-host"
        body = msgspec.json.encode(problem_body(421, detail, environ.get("PATH_INFO", ""), []))
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response("421 Misdirected Request", headers)
        return [body]

    def _knows(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
