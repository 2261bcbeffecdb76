"""One request and its answer: what is sent, how long it may take, and who hears of it.

Nothing is ever sent anywhere but below the base URL of the settings. Redirects are not followed: they would take the token
along.
"""

from __future__ import annotations

import threading
import time
from copy import copy
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

import msgspec

import reconciler.clock
from reconciler.pipes import deadline, environment, retry, transport
from reconciler.pipes.answers import RawAnswer, shown
from reconciler.pipes.errors import LostAnswerError, NotSentError, StoppedError, WaitedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from requests import PreparedRequest

    from reconciler.model.errors import PipesError
    from reconciler.pipes.settings import Settings

_MAX_BODY = 64 * 2**20  # bytes; a page is about 0.2 MB
# seconds that a write may wait for its turn after what it rests on was read; workers in line take about half of it
_FRESH = 5.0
_REQUEST_IDS = ("x-request-id", "x-amzn-requestid", "x-amz-cf-id", "request-id")


def _time_of_day() -> float:
    return reconciler.clock.now().timestamp()


class Clock(msgspec.Struct, frozen=True):
    """Where a client's time comes from; tests use their own."""

    now: Callable[[], float] = time.monotonic  # in seconds, from any beginning
    wall: Callable[[], float] = _time_of_day  # in seconds since the epoch
    sleep: Callable[[float], object] | None = None  # for seconds; None waits until the client is closed at the latest


class Observers(msgspec.Struct, frozen=True):
    """Who hears of requests while they are made."""

    # after each request: method, path, status (None where no answer came), seconds
    request: Callable[[str, str, int | None, float], object] | None = None
    # one line for each request, without headers, bodies or query
    trace: Callable[[str], object] | None = None
    # one line, the first time that a request has to be repeated
    notice: Callable[[str], object] | None = None


class Secrets(Protocol):
    """Puts values where a body refers to them, and takes them out of what comes back."""

    def filled(self, body: Mapping[str, Any], /) -> Mapping[str, Any]: ...
    def redacted(self, content: bytes, /) -> bytes: ...


class Outgoing(msgspec.Struct, frozen=True):
    """One request, ready to be sent."""

    method: str
    path: str  # below the base path
    params: Mapping[str, Any] | None = None
    body: bytes | None = None
    content_type: str = "application/json"
    version: str | None = None  # for `If-Match`


class Connection:
    """Sends single requests to one Pipes, and slows down when Pipes asks for it. Safe to use from several threads."""

    def __init__(
        self,
        settings: Settings,
        *,
        read_only: bool,
        parallelism: int,
        clock: Clock,
        observers: Observers,
        secrets: Secrets | None,
    ) -> None:
        self.settings = settings
        # the embedded Pipes has no network, and plain http stays on this machine
        self._proxy = environment.check(settings.base_url) if settings.base_url.startswith("https://") else None
        self.session = transport.session(settings, read_only=read_only, parallelism=parallelism)
        self.clock = clock
        self._observers = observers
        self._secrets = secrets
        self._closed = self._stopped = False
        self._awake = threading.Event()  # set once nobody is to wait any more
        self._most = deadline.SECONDS
        self._watch = deadline.Watch(self._most)
        self._gate = retry.Gate(clock.now, self.sleep)
        self.requests_sent = 0
        self._lock = threading.Lock()
        self._template: tuple[PreparedRequest, Any] | None = None

    def close(self) -> None:
        """Close all connections. Whoever waits before a repetition gives up at once."""
        self._closed = True
        self._awake.set()
        self._watch.close()
        self.session.close()

    def stop(self) -> None:
        """Send no write any more, and end all waiting. Requests that are under way are answered; reads may follow."""
        self._stopped = True
        self._awake.set()

    def wait(self, seconds: float) -> None:
        """Wait for `seconds`, or until this is closed or stopped."""
        if self.clock.sleep is not None:
            self.clock.sleep(seconds)
        else:
            self._awake.wait(seconds)

    def sleep(self, seconds: float) -> None:
        """Wait before a request is sent (again). Raises StoppedError where it is not to be sent any more."""
        if not self._stopped:
            self.wait(seconds)
        if self._stopped:
            raise StoppedError("stopped while waiting to send a request")

    def exchange(self, outgoing: Outgoing, attempt: int, *, fresh: bool = False) -> RawAnswer:
        """Send a request once, and return whatever Pipes answered.

        `attempt` counts from 1 and is for the trace. Raises NotSentError where the request surely did not reach Pipes,
        LostAnswerError where no answer came. With `fresh`, the request rests on what was read just now: WaitedError where
        it had to wait so long for its turn that this has to be read again.
        """
        url = self._url(outgoing.path)
        if self._closed:
            raise NotSentError("the connection to Pipes was closed", repeatable=False)
        asked = self.clock.now()
        sent = self._gate.pass_through()
        if self._stopped and outgoing.method != "GET":
            raise StoppedError("stopped before it was sent")
        if fresh and sent - asked > _FRESH:
            raise WaitedError(f"{self.settings.where} asked to wait")
        with self._lock:
            self.requests_sent += 1
        problem: PipesError | None = None
        raw: RawAnswer | None = None
        started = self.clock.now()
        try:
            with self._watch.watching() as exchange:
                raw = self._send(outgoing, url)
        except transport.FAILURES as error:
            # raised below, outside: an exception's context would hold the request, and with it the token
            problem = transport.failure(error, self.settings.where, self._proxy)
        if exchange.late:  # however it ended then
            raw, problem = None, LostAnswerError(f"the answer of {self.settings.where} took more than {self._most:g} s")
        self._report(outgoing, raw.status if raw is not None else None, self.clock.now() - started, attempt)
        if raw is None:
            assert problem is not None
            raise problem
        if raw.status == retry.TOO_MANY:
            self._gate.refused(sent, raw.retry_after)
            if self._observers.trace is not None and raw.retry_after is not None:
                self._observers.trace(f"all requests wait {raw.retry_after:g} s, as Pipes asks")
        else:
            self._gate.accepted(sent)
        return raw

    def _send(self, outgoing: Outgoing, url: str) -> RawAnswer:
        timeout = (transport.CONNECT_TIMEOUT, transport.READ_TIMEOUT)
        if outgoing.method == "GET":
            request, settings = self._get_request(url, outgoing.params)
            # not by the session: what it does after an answer (cookies, redirects, hooks) is of no use here, and takes time
            response = self.session.get_adapter(self.settings.base_url).send(request, timeout=timeout, **settings)
        else:
            headers = {}
            if outgoing.body is not None:
                headers["Content-Type"] = outgoing.content_type
            if outgoing.version is not None:
                headers["If-Match"] = outgoing.version
            response = self.session.request(
                outgoing.method,
                url,
                params=outgoing.params,
                data=outgoing.body,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=timeout,
            )
        try:
            # one read: response.content takes 10 KB at a time, and threads fight for each (PERFORMANCE.md, 5)
            content: bytes = response.raw.read(_MAX_BODY, decode_content=True)
            if response.raw.read(1, decode_content=True):
                raise LostAnswerError(
                    f"{self.settings.where} sent an answer of more than {_MAX_BODY // 2**20} MB", repeatable=False
                )
        finally:
            response.close()
        request_id = next((response.headers[name][:100] for name in _REQUEST_IDS if name in response.headers), None)
        if self._secrets is not None:
            # before anything reads it: a server may echo what it was sent
            content = self._secrets.redacted(content)
            request_id = request_id and self._secrets.redacted(request_id.encode()).decode()
        return RawAnswer(
            response.status_code,
            content,
            request_id,
            retry.retry_after(response.headers.get("Retry-After"), self.clock.wall()),
            response.headers.get("Location"),
        )

    def _get_request(self, url: str, params: Mapping[str, Any] | None) -> tuple[PreparedRequest, Any]:
        """A GET that is ready to be sent, and the settings to send it with (proxies, certificates).

        All GETs of a client differ in nothing but path and query. What `Session.request` works out each time cost more
        than everything else that we do for a page of 30 rows.
        """
        if self._template is None:
            from requests import Request as Unprepared

            made = self.session.prepare_request(Unprepared("GET", self.settings.base_url))
            self._template = (made, self.session.merge_environment_settings(made.url, {}, True, None, None))
        template, settings = self._template
        request = copy(template)  # shallow: nothing changes its headers
        # the prepared form of the base (an international host in its ASCII form), with our own path behind it
        request.url = f"{template.url}{url[len(self.settings.base_url) :]}{f'?{urlencode(params)}' if params else ''}"
        return request, settings

    def _report(self, outgoing: Outgoing, status: int | None, seconds: float, attempt: int) -> None:
        if self._observers.request is not None:
            self._observers.request(outgoing.method, outgoing.path, status, seconds)
        if self._observers.trace is not None:
            again = f" (attempt {attempt})" if attempt > 1 else ""
            answer = status or "no answer"
            self._observers.trace(f"{outgoing.method} {shown(outgoing.path)} {answer} {seconds * 1000:.0f} ms{again}")

    def _url(self, path: str) -> str:
        """The URL of a path. A path that a server's handle could have turned into another one is refused here."""
        if not path.startswith("/") or any(part in ("", ".", "..") for part in path[1:].split("/")):
            raise NotSentError(f"`{shown(path)}` is not a path of the API; nothing was sent", repeatable=False)
        return self.settings.base_url + quote(path, safe="/-._~@:")
