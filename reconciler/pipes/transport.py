"""The way to Pipes over HTTP: the session, the adapter that only reads, and what a library's failure means for us."""

from __future__ import annotations

import http.client
import re
import ssl
from copy import copy
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests
import urllib3
from requests.adapters import BaseAdapter
from requests.auth import AuthBase

from reconciler.pipes import deadline, environment
from reconciler.pipes.carrier import Received, refused_write
from reconciler.pipes.errors import LostAnswerError, NotSentError
from reconciler.pipes.workers import interruptible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.errors import PipesError
    from reconciler.pipes.carrier import Outgoing
    from reconciler.pipes.settings import Settings

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 60.0  # seconds without a byte
_MAX_BODY = 64 * 2**20  # bytes; a page is about 0.2 MB

# whatever a request can fail with: with raw.read() urllib3's own come out unwrapped (PERFORMANCE.md, 5)
FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


class Bearer(AuthBase):
    """Sets the token on each request. As an `auth`, because requests would let a ~/.netrc replace a plain header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def __repr__(self) -> str:
        return "Bearer(...)"


class ReadOnlyAdapter(BaseAdapter):
    """Carries GETs by another adapter and refuses every other method before anything leaves."""

    def __init__(self, carrier: BaseAdapter) -> None:
        super().__init__()
        self._carrier = carrier

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if request.method != "GET":
            raise refused_write(request.method)
        return self._carrier.send(request, *args, **kwargs)

    def close(self) -> None:
        self._carrier.close()


class Http:
    """Carries requests over HTTP, with the token; `parallelism` connections are kept open.

    `read_only` refuses every write before anything leaves. A request that takes more than `deadline.SECONDS` is cut.
    """

    def __init__(self, settings: Settings, *, read_only: bool, parallelism: int) -> None:
        self._settings = settings
        # plain http stays on this machine
        self._proxy = environment.check(settings.base_url) if settings.base_url.startswith("https://") else None
        self.session = _session(settings, read_only=read_only, parallelism=parallelism)
        self._most = deadline.SECONDS
        self._watch = deadline.Watch(self._most)
        self._template: tuple[requests.PreparedRequest, Any] | None = None

    def send(self, outgoing: Outgoing, url: str) -> Received:
        """Send a request once. See Carrier."""
        return interruptible(partial(self._send, outgoing, url))

    def _send(self, outgoing: Outgoing, url: str) -> Received:
        problem: PipesError | None = None
        received: Received | None = None
        try:
            with self._watch.watching() as exchange:
                received = self._exchange(outgoing, url)
        except FAILURES as error:
            # raised below, outside: an exception's context would hold the request, and with it the token
            problem = failure(error, self._settings.where, self._proxy)
        if exchange.late:  # however it ended then
            raise LostAnswerError(f"the answer of {self._settings.where} took more than {self._most:g} s")
        if received is None:
            assert problem is not None
            raise problem
        return received

    def close(self) -> None:
        """Close all connections."""
        self._watch.close()
        self.session.close()

    def _exchange(self, outgoing: Outgoing, url: str) -> Received:
        timeout = (CONNECT_TIMEOUT, READ_TIMEOUT)
        if outgoing.method == "GET":
            request, settings = self._get_request(url, outgoing.params)
            # not by the session: what it does after an answer (cookies, redirects, hooks) is of no use here, and takes time
            response = self.session.get_adapter(self._settings.base_url).send(request, timeout=timeout, **settings)
        else:
            response = self.session.request(
                outgoing.method,
                url,
                params=outgoing.params,
                data=outgoing.body,
                headers=outgoing.headers,
                stream=True,
                allow_redirects=False,
                timeout=timeout,
            )
        try:
            # one read: response.content takes 10 KB at a time, and threads fight for each (PERFORMANCE.md, 5)
            content: bytes = response.raw.read(_MAX_BODY, decode_content=True)
            if response.raw.read(1, decode_content=True):
                raise LostAnswerError(
                    f"{self._settings.where} sent an answer of more than {_MAX_BODY // 2**20} MB", repeatable=False
                )
        finally:
            response.close()
        return Received(response.status_code, response.headers, content)

    def _get_request(self, url: str, params: Mapping[str, Any] | None) -> tuple[requests.PreparedRequest, Any]:
        """A GET that is ready to be sent, and the settings to send it with (proxies, certificates).

        All GETs of a client differ in nothing but path and query. What `Session.request` works out each time cost more
        than everything else that we do for a page of 30 rows.
        """
        base = self._settings.base_url
        if self._template is None:
            made = self.session.prepare_request(requests.Request("GET", base))
            self._template = (made, self.session.merge_environment_settings(made.url, {}, True, None, None))
        template, settings = self._template
        request = copy(template)  # shallow: nothing changes its headers
        # the prepared form of the base (an international host in its ASCII form), with our own path behind it
        request.url = f"{template.url}{url[len(base) :]}{f'?{urlencode(params)}' if params else ''}"
        return request, settings


def _session(settings: Settings, *, read_only: bool, parallelism: int) -> requests.Session:
    made = requests.Session()
    made.auth = Bearer(settings.token)
    made.headers.update({"Accept": "application/json", "User-Agent": "reconciler"})
    # a cookie would be shared by all threads, and Pipes' API needs none
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    if settings.base_url.startswith("http://"):
        # plain http is allowed because it stays on this machine; a proxy from the environment would take it away
        made.trust_env = False
    carrier = deadline.WatchedAdapter(pool_connections=1, pool_maxsize=parallelism, max_retries=0, pool_block=False)
    made.adapters.clear()
    made.mount("https://", ReadOnlyAdapter(carrier) if read_only else carrier)
    made.mount("http://", ReadOnlyAdapter(carrier) if read_only else carrier)
    return made


def failure(error: BaseException, where: str, proxy: str | None = None) -> PipesError:
    """What a failed request means: NotSentError or LostAnswerError, with one clear line about the host `where`.

    `proxy` is the variable that names a proxy, where one is used. The text is made from types and numbers alone: an HTTP
    library's own text may hold a proxy's password.
    """
    causes = list(_causes(error))
    refused = _proxy_failure(causes, where, proxy or "HTTPS_PROXY")
    if refused is not None:
        return refused
    certificate = _first(causes, ssl.SSLCertVerificationError)
    if certificate is not None:
        return NotSentError(
            f"the certificate of {where} is not trusted: {certificate.verify_message or 'verification failed'};"
            " if it is your own authority's, name its file in REQUESTS_CA_BUNDLE",
            repeatable=False,
        )
    if _first(causes, urllib3.exceptions.NameResolutionError) is not None:
        return NotSentError(f"{where} is unknown to DNS; check PIPES_HOST or --host, and the network")
    # a NewConnectionError is a ConnectTimeoutError to urllib3, whatever it failed of
    if _first(causes, urllib3.exceptions.NewConnectionError) is not None:
        # requests' own errors are OSErrors too, without a reason
        why = next((c.strerror for c in causes if isinstance(c, OSError) and c.strerror), "no connection")
        return NotSentError(f"{where} cannot be reached: {why}; check PIPES_HOST or --host, and the network")
    if _first(causes, urllib3.exceptions.ConnectTimeoutError) is not None:
        return NotSentError(f"{where} did not accept a connection within {CONNECT_TIMEOUT:.0f} s")
    tls = _first(causes, ssl.SSLError)
    if tls is not None:
        cut = isinstance(tls, ssl.SSLEOFError | ssl.SSLZeroReturnError)
        return LostAnswerError(
            f"no TLS connection with {where} ({tls.reason or 'it was cut'}); does it speak https on that port?",
            repeatable=cut,
        )
    if isinstance(
        error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema | requests.exceptions.InvalidHeader
    ):
        return NotSentError(f"no request can be made to {where}; check PIPES_HOST or --host", repeatable=False)
    if _first(causes, urllib3.exceptions.ReadTimeoutError) is not None or _first(causes, TimeoutError) is not None:
        return LostAnswerError(f"{where} did not answer within {READ_TIMEOUT:.0f} s")
    if _first(causes, urllib3.exceptions.DecodeError) is not None or isinstance(
        error, requests.exceptions.ContentDecodingError
    ):
        return LostAnswerError(f"{where} sent an answer that cannot be decompressed", repeatable=False)
    if _first(causes, http.client.IncompleteRead) is not None:
        return LostAnswerError(f"the answer of {where} was cut short")
    return LostAnswerError(f"the connection to {where} broke before an answer was complete")


_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})")  # of http.client, the only place where the status is


def _proxy_failure(causes: list[Any], where: str, proxy: str) -> PipesError | None:
    """What went wrong between us and a proxy, None where it was something else. Nothing was sent to Pipes then."""
    status = next((m[1] for c in causes if isinstance(c, OSError) and (m := _TUNNEL.search(str(c)))), None)
    if status == "407":
        return NotSentError(
            f"the proxy that {proxy} names wants a user and a password (407); write them into it as in"
            " http://user:password@proxy.example:3128",
            repeatable=False,
        )
    if status is not None:
        return NotSentError(
            f"the proxy that {proxy} names does not connect to {where} ({status}); check {proxy} and NO_PROXY",
            repeatable=status[0] == "5",
        )
    # PySocks is there only where a SOCKS proxy is used
    socks = [cause for cause in causes if type(cause).__module__ == "socks"]
    if socks:
        return _socks_failure(socks, where, proxy)
    if _first(causes, urllib3.exceptions.ProxyError) is None:
        return None
    if _first(causes, urllib3.exceptions.NameResolutionError) is not None:
        return NotSentError(f"the proxy that {proxy} names is unknown to DNS")
    tls = _first(causes, ssl.SSLError)
    why = next((c.strerror for c in causes if isinstance(c, OSError) and c.strerror), "no connection")
    if tls is not None:
        why = "no TLS connection with it"
    return NotSentError(f"the proxy that {proxy} names cannot be used: {why}; check {proxy} and NO_PROXY")


def _socks_failure(causes: list[Any], where: str, proxy: str) -> PipesError:
    """What went wrong with a SOCKS proxy, by the classes of PySocks: they have no other sign of it."""
    names = {type(cause).__name__ for cause in causes}
    if "SOCKS5AuthError" in names:
        return NotSentError(f"the proxy that {proxy} names refuses the user or the password in it", repeatable=False)
    if names & {"SOCKS4Error", "SOCKS5Error"}:
        return NotSentError(f"the proxy that {proxy} names does not connect to {where}; check {proxy} and NO_PROXY")
    reasons = (getattr(getattr(cause, "socket_err", None), "strerror", None) for cause in causes)
    why = next(filter(None, reasons), "it does not answer as one does")
    return NotSentError(f"the proxy that {proxy} names cannot be used: {why}; check {proxy} and NO_PROXY")


def _causes(error: BaseException) -> Any:
    """The error and everything that caused it, however the libraries keep it: arguments, reasons, contexts."""
    seen: set[int] = set()
    todo: list[Any] = [error]
    while todo:
        found = todo.pop(0)
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        todo += [getattr(found, "reason", None), *found.args, found.__cause__, found.__context__]


def _first(causes: list[Any], kind: type[Any]) -> Any:
    return next((cause for cause in causes if isinstance(cause, kind)), None)
