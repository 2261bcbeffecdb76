"""One request and its answer: what is sent, how long it may take, and who hears of it.

Nothing is ever sent anywhere but below the base URL of the settings. Redirects are not followed: they would take the token
along.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import msgspec

import reconciler.clock
from reconciler.pipes import retry
from reconciler.pipes.answers import RawAnswer, shown
from reconciler.pipes.errors import LostAnswerError, NotSentError, StoppedError, WaitedError
from reconciler.pipes.workers import interruptible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.pipes.carrier import Carrier, Outgoing
    from reconciler.pipes.settings import Settings

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
        self.carrier = _carrier(settings, read_only=read_only, parallelism=parallelism)
        self.clock = clock
        self._observers = observers
        self._secrets = secrets
        self._closed = self._stopped = False
        self._awake = threading.Event()  # set once nobody is to wait any more
        self._gate = retry.Gate(clock.now, self.sleep)
        self.requests_sent = 0
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close all connections. Whoever waits before a repetition gives up at once."""
        self._closed = True
        self._awake.set()
        self.carrier.close()

    def stop(self) -> None:
        """Send no write any more, and end all waiting. Requests that are under way are answered; reads may follow."""
        self._stopped = True
        self._awake.set()

    def wait(self, seconds: float) -> None:
        """Wait for `seconds`, or until this is closed or stopped."""
        if self.clock.sleep is not None:
            self.clock.sleep(seconds)
        else:
            interruptible(partial(self._awake.wait, seconds))

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
        started = self.clock.now()
        try:
            raw = self._send(outgoing, url)
        except (NotSentError, LostAnswerError):
            self._report(outgoing, None, self.clock.now() - started, attempt)
            raise
        self._report(outgoing, raw.status, self.clock.now() - started, attempt)
        if raw.status == retry.TOO_MANY:
            self._gate.refused(sent, raw.retry_after)
            if self._observers.trace is not None and raw.retry_after is not None:
                self._observers.trace(f"all requests wait {raw.retry_after:g} s, as Pipes asks")
        else:
            self._gate.accepted(sent)
        return raw

    def _send(self, outgoing: Outgoing, url: str) -> RawAnswer:
        received = self.carrier.send(outgoing, url)
        headers, content = received.headers, received.content
        request_id = next((headers[name][:100] for name in _REQUEST_IDS if name in headers), None)
        if self._secrets is not None:
            # before anything reads it: a server may echo what it was sent
            content = self._secrets.redacted(content)
            request_id = request_id and self._secrets.redacted(request_id.encode()).decode()
        asked = retry.retry_after(headers.get("retry-after"), self.clock.wall())
        return RawAnswer(received.status, content, request_id, asked, headers.get("location"))

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


def _carrier(settings: Settings, *, read_only: bool, parallelism: int) -> Carrier:
    """The embedded Pipes, or HTTP. Only what is used is imported: an HTTP library takes as long as a small plan."""
    if settings.sandbox_path is not None:
        from reconciler.pipes.embedded import Embedded

        return Embedded(settings, settings.sandbox_path, read_only=read_only)
    from reconciler.pipes.transport import Http

    return Http(settings, read_only=read_only, parallelism=parallelism)
