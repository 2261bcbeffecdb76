"""One client of the Pipes API: reads that are repeated until they succeed, and writes that are sent as they are planned.

Nothing is ever sent anywhere but below the base URL of the settings: redirects are not followed, since they would carry
the token away.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar, overload
from urllib.parse import quote, urlencode, urlsplit

import msgspec

import reconciler.clock
from reconciler.model.request import LATE, LATE_ID
from reconciler.pipes import retry, transport
from reconciler.pipes.errors import (
    ContentError,
    LostAnswerError,
    NotAuthorisedError,
    NotSentError,
    PartialReadError,
    StatusError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from requests import PreparedRequest

    from reconciler.model.errors import PipesError
    from reconciler.model.request import Request
    from reconciler.pipes.settings import Settings

__all__ = [
    "Answer",
    "Client",
    "ContentError",
    "Listing",
    "LostAnswerError",
    "NotAuthorisedError",
    "NotSentError",
    "PartialReadError",
    "StatusError",
]

PAGE = 100  # rows, the contract's most
PROBLEM = 300  # characters of a server's text that are kept
_MAX_BODY = 64 * 2**20  # bytes; a page is about 0.2 MB
_MAX_EMPTY_PAGES = 100
_REQUEST_IDS = ("x-request-id", "x-amzn-requestid", "x-amz-cf-id", "request-id")

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Answer:
    """What Pipes said to a write. `body` is None where it sent none (or none that is a JSON object).

    `problem` is empty on success; else Pipes' own words with its validation errors, at most 300 characters, in one line.
    """

    status: int
    body: dict[str, Any] | None
    request_id: str | None
    problem: str = ""
    retry_after: float | None = None  # seconds

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class _Invalid(msgspec.Struct):
    location: str | None = None
    message: str | None = None


class _Problem(msgspec.Struct):
    """The contract's ErrorModel (RFC 7807)."""

    title: str | None = None
    detail: str | None = None
    validation_errors: list[_Invalid] | None = None


@dataclass(frozen=True, slots=True)
class _Raw:
    """An answer as it came: `retry_after` in seconds."""

    status: int
    content: bytes
    request_id: str | None
    retry_after: float | None
    location: str | None


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a form."""

    field: str
    name: str
    media_type: str
    data: bytes

    def form(self) -> tuple[bytes, str]:
        """The body and its content type (RFC 7578)."""
        from urllib3.filepost import encode_multipart_formdata

        body, content_type = encode_multipart_formdata({self.field: (self.name, self.data, self.media_type)})
        return body, content_type


class Filling(Protocol):
    """Puts values where a body refers to them, and takes them out of what comes back."""

    def filled(self, body: Mapping[str, Any], /) -> Mapping[str, Any]: ...
    def redacted(self, content: bytes, /) -> bytes: ...


def _as_it_is(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return body


def _time_of_day() -> float:
    """Seconds since the epoch."""
    return reconciler.clock.now().timestamp()


class Client:
    """Talks to one Pipes. Safe to use from `parallelism` threads at once.

    `on_request(method, path, status, seconds)` is called after each request, with None where no answer came;
    `trace(line)` gets one line for each, without headers, bodies or query; `notice(line)` hears the first time that one
    has to be repeated. `clock` counts seconds, `wall` is the time of
    day in seconds since the epoch, `sleep` waits for seconds; left out, waiting ends early when the client is closed.
    `secrets` fills in the references in what is sent.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read_only: bool,
        parallelism: int = 10,
        on_request: Callable[[str, str, int | None, float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        trace: Callable[[str], object] | None = None,
        notice: Callable[[str], object] | None = None,
        wall: Callable[[], float] = _time_of_day,
        secrets: Filling | None = None,
    ) -> None:
        self.settings = settings
        self.parallelism = parallelism
        self.session = transport.session(settings, read_only=read_only, parallelism=parallelism)
        self._on_request = on_request
        self._trace = trace
        self._notice = notice
        self._clock = clock
        self._wall = wall
        self._secrets = secrets
        self._closed = threading.Event()
        self._sleep = sleep if sleep is not None else self._closed.wait
        self._gate = retry.Gate(clock, self._sleep)
        self._count = 0
        self._lock = threading.Lock()
        self._template: tuple[PreparedRequest, Any] | None = None

    @property
    def requests_sent(self) -> int:
        """How many requests were tried, repetitions included."""
        return self._count

    def close(self) -> None:
        """Let go of all connections. Whoever waits for a repetition gives up at once."""
        self._closed.set()
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- reading

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> bytes:
        """The body of a GET below the base path.

        Raises StatusError for any answer but 2xx (NotAuthorisedError for a refused token), NotSentError or
        LostAnswerError where there was none, all after the repetitions that `reconciler.pipes.retry` allows.
        """
        url = self._url(path)
        tries = 0

        def attempt() -> bytes:
            nonlocal tries
            tries += 1
            if tries == 2 and self._notice is not None:
                notice, self._notice = self._notice, None
                notice(f"{self.settings.where} does not answer as it should; trying again for a while")
            raw = self._once("GET", url, path, params, None, None, tries)
            if 200 <= raw.status < 300:
                return raw.content
            raise self._status_error(path, raw)

        return retry.run(attempt, reading=True, clock=self._clock, sleep=self._sleep)

    def get_json(self, path: str, row_type: type[Row], params: Mapping[str, Any] | None = None) -> Row:
        """One object. Raises what `get` does, and ContentError where the body is not what the contract says."""
        found: Row = self._decode(self.get(path, params), row_type, path)
        return found

    def page(self, path: str, row_type: Any, params: Mapping[str, Any] | None = None) -> tuple[list[Any], str | None]:
        """One page of a list: its rows and the cursor of the next page, None on the last."""
        content = self.get(path, {"limit": PAGE, **(params or {})})
        found = self._decode(content, _page_type(row_type), path)
        # a server may leave an empty list out; a body with other keys is no list at all, and no empty one either
        if found.items is msgspec.UNSET and set(self._decode(content, dict[str, Any], path)) - {"next_token"}:
            raise ContentError(f"{self.settings.where} answered GET {_shown(path)} with something that has no `items`")
        return found.items or [], found.next_token or None

    @overload
    def pages(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[list[dict[str, Any]]]: ...
    @overload
    def pages(
        self, path: str, params: Mapping[str, Any] | None = None, *, row_type: type[Row], unique: bool = True
    ) -> Iterator[list[Row]]: ...
    def pages(
        self, path: str, params: Mapping[str, Any] | None = None, *, row_type: Any = dict[str, Any], unique: bool = True
    ) -> Iterator[list[Any]]:
        """The pages of a list, lazily, 100 rows each, as `row_type`.

        Raises PartialReadError when a cursor repeats, and (unless `unique` is False) when a row comes twice: the list
        shifted while it was read, and another row may have been missed.
        """
        listing = Listing(path, unique=unique)
        cursor: str | None = None
        while True:
            asked = dict(params or {}) if cursor is None else {**(params or {}), "next_token": cursor}
            rows, cursor = self.page(path, row_type, asked)
            listing.check(rows, cursor)
            yield rows
            if cursor is None:
                return

    def _decode(self, content: bytes, row_type: Any, path: str) -> Any:
        """`content` as `row_type`. Raises ContentError that says what was got instead."""
        problem = ""
        try:
            return _decoder(row_type).decode(content)
        except msgspec.ValidationError as error:
            problem = f"answered GET {_shown(path)} with something else than the contract says: {error}"
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            problem = f"answered GET {_shown(path)} with {_what(content)} instead of JSON{_way_on(content)}"
        raise ContentError(self._clean(f"{self.settings.where} {problem}"))

    # -- writing

    def send(self, request: Request, upload: Upload | None = None) -> Answer:
        """Send one write, with `If-Match` where it has a version. Any status is returned, as an Answer.

        With `upload` a form with that file is the body, whatever the request's own body tells of it. The body of a
        DELETE is for the reader: the contract has none there.

        Raises NotSentError where it surely did not reach Pipes, LostAnswerError where it may have taken effect: no
        answer came, or one that Pipes cannot have written. Raises ReadOnlyError on a client that only reads.
        """
        if request.late is not None or LATE in request.path or LATE_ID in request.path:
            raise ValueError(f"{request.method} {request.path} still waits for what {request.late} answers")
        url = self._url(request.path)
        # the one place where references become values: they are in no object that anything else sees
        filled = self._secrets.filled if self._secrets is not None else _as_it_is
        told = request.body is not None and request.method != "DELETE"
        body = msgspec.json.encode(filled(request.body or {})) if told else None
        content_type = "application/json"
        if upload is not None:
            body, content_type = upload.form()
        # the contract's own text says to pass the version id itself; RFC 9110 would want quotes, which it doesn't mention
        version = None if request.if_match is None else str(request.if_match)
        tries = 0

        def attempt() -> Answer:
            nonlocal tries
            tries += 1
            raw = self._once(request.method, url, request.path, None, body, version, tries, content_type)
            return self._answer(request, raw)

        return retry.run(attempt, reading=False, clock=self._clock, sleep=self._sleep)

    def _answer(self, request: Request, raw: _Raw) -> Answer:
        what = f"{self.settings.where} answered {request.method} {_shown(request.path)}"
        if raw.status < 200 or 300 <= raw.status < 400:
            raise LostAnswerError(f"{what} with {self._redirect(raw)}", repeatable=False)
        content = raw.content if 200 <= raw.status < 300 else self._without_token(raw.content)
        body: dict[str, Any] | None = None
        odd = ""
        if content.strip():
            try:
                body = _decoder(dict[str, Any]).decode(content)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                odd = _what(content)
        if 200 <= raw.status < 300:
            if odd:
                raise LostAnswerError(f"{what} with {odd} instead of JSON{_way_on(content)}", repeatable=False)
            return Answer(raw.status, body, raw.request_id)
        return Answer(raw.status, body, raw.request_id, self._problem(raw), raw.retry_after)

    def pause(self, attempt: int, told: float | None = None) -> None:
        """Wait before a write whose outcome is unclear is looked into after its `attempt` (from 1); `told` in seconds."""
        self._sleep(retry.backoff(attempt, told))

    # -- one request

    def _once(
        self,
        method: str,
        url: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: bytes | None,
        version: str | None,
        tries: int,
        content_type: str = "application/json",
    ) -> _Raw:
        if self._closed.is_set():
            raise NotSentError("the connection to Pipes was closed", repeatable=False)
        headers = {}
        if body is not None:
            headers["Content-Type"] = content_type
        if version is not None:
            headers["If-Match"] = version
        sent = self._gate.pass_through()
        with self._lock:
            self._count += 1
        problem: PipesError | None = None
        raw: _Raw | None = None
        started = self._clock()
        try:
            raw = self._exchange(method, url, params, body, headers)
        except transport.FAILURES as error:
            # raised below, outside: an exception's context would hold the request, and with it the token
            problem = transport.failure(error, self.settings.where)
        self._tell(method, path, raw.status if raw is not None else None, self._clock() - started, tries)
        if raw is None:
            assert problem is not None
            raise problem
        if raw.status == retry.TOO_MANY:
            self._gate.refused(sent, raw.retry_after)
            if self._trace is not None and raw.retry_after is not None:
                self._trace(f"all requests wait {raw.retry_after:g} s, as Pipes asks")
        else:
            self._gate.accepted(sent)
        return raw

    def _exchange(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        body: bytes | None,
        headers: dict[str, str],
    ) -> _Raw:
        timeout = (transport.CONNECT_TIMEOUT, transport.READ_TIMEOUT)
        if method == "GET":
            request, settings = self._get_request(url, params)
            response = self.session.send(request, allow_redirects=False, timeout=timeout, **settings)
        else:
            response = self.session.request(
                method,
                url,
                params=params,
                data=body,
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
        return _Raw(
            response.status_code,
            content,
            request_id,
            retry.retry_after(response.headers.get("Retry-After"), self._wall()),
            response.headers.get("Location"),
        )

    def _get_request(self, url: str, params: Mapping[str, Any] | None) -> tuple[PreparedRequest, Any]:
        """A GET that is ready to be sent, and the settings to send it with (proxies, certificates).

        All GETs of a client differ in nothing but path and query. What `Session.request` works out anew each time cost
        more than everything else that we do for a page of 30 rows.
        """
        if self._template is None:
            from requests import Request as Unprepared

            made = self.session.prepare_request(Unprepared("GET", self.settings.base_url))
            self._template = (made, self.session.merge_environment_settings(made.url, {}, True, None, None))
        template, settings = self._template
        request = template.copy()
        # the prepared form of the base (an international host in its ASCII form), with our own path behind it
        request.url = f"{template.url}{url[len(self.settings.base_url) :]}{f'?{urlencode(params)}' if params else ''}"
        return request, settings

    def _tell(self, method: str, path: str, status: int | None, seconds: float, tries: int) -> None:
        if self._on_request is not None:
            self._on_request(method, path, status, seconds)
        if self._trace is not None:
            again = f" (attempt {tries})" if tries > 1 else ""
            self._trace(f"{method} {_shown(path)} {status or 'no answer'} {seconds * 1000:.0f} ms{again}")

    def _url(self, path: str) -> str:
        """The URL of a path. What a handle from a server could turn into another path is refused before it leaves."""
        if not path.startswith("/") or any(part in ("", ".", "..") for part in path[1:].split("/")):
            raise NotSentError(f"`{_shown(path)}` is not a path of the API; nothing was sent", repeatable=False)
        return self.settings.base_url + quote(path, safe="/-._~@:")

    # -- what went wrong, in words

    def _status_error(self, path: str, raw: _Raw) -> PipesError:
        where = self.settings.where
        if raw.status < 200 or 300 <= raw.status < 400:
            return ContentError(f"{where} answered GET {_shown(path)} with {self._redirect(raw)}")
        problem = self._problem(raw)
        if raw.status == 401 or (raw.status == 403 and path == "/actor"):
            words = f"not authorised: {where} does not accept the token ({problem}); check PIPES_TOKEN or --token-file"
            return NotAuthorisedError(words, raw.status, problem)
        told = ""
        if raw.status == retry.TOO_MANY and raw.retry_after is not None:
            told = f"; it asks to wait {raw.retry_after:.0f} s"
        return StatusError(
            f"{where} answered GET {_shown(path)} with {problem}{told}", raw.status, problem, raw.retry_after
        )

    def _redirect(self, raw: _Raw) -> str:
        try:
            target = urlsplit(raw.location or "").hostname
        except ValueError:
            target = None
        return self._clean(
            f"a redirect ({raw.status}) to {target or 'nowhere'}, which is not followed because the token would go along;"
            " check PIPES_HOST or --host"
        )

    def _problem(self, raw: _Raw) -> str:
        """`403 Forbidden: detail (body.role: message)`: status, title, detail and validation errors of an ErrorModel."""
        words = str(raw.status)
        try:
            found = _decoder(_Problem).decode(raw.content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if raw.content.strip():
                words += f", {_what(raw.content)}{_way_on(raw.content)}"
            return self._clean(words)
        if found.title:
            words += f" {found.title}"
        if found.detail:
            words += f": {found.detail}"
        invalid = [": ".join(t for t in (e.location, e.message) if t) for e in (found.validation_errors or [])[:10]]
        fresh = [text for text in invalid if text and text not in words]
        if fresh:
            words += f" ({'; '.join(fresh)})"
        return self._clean(words)

    def _clean(self, text: str) -> str:
        """One line of at most 300 characters, without the token, which a server may have echoed."""
        return _short(text.replace(self.settings.token, "[token]"))

    def _without_token(self, content: bytes) -> bytes:
        return content.replace(self.settings.token.encode(), b"[token]")


class Listing:
    """Watches the pages of one list, as they come, for signs that it is not read whole."""

    def __init__(self, path: str, *, unique: bool = True) -> None:
        self._path = path
        self._unique = unique
        self._rows: set[Any] = set()
        self._cursors: set[str] = set()
        self._empty = 0

    def check(self, rows: list[Any], cursor: str | None) -> None:
        """Take the next page. Raises PartialReadError when its cursor, or one of its rows, was there before."""
        if self._unique:
            before = len(self._rows)
            row_type: Any = type(rows[0]) if rows else dict
            self._rows.update(map(_key_of(row_type), rows))
            if len(self._rows) - before < len(rows):
                raise PartialReadError(
                    f"{_shown(self._path)} shifted while it was read: a row came twice, so another may be missing"
                )
        if cursor is None:
            return
        if cursor in self._cursors:
            raise PartialReadError(f"{_shown(self._path)} cannot be read to its end: its cursor repeats")
        self._cursors.add(cursor)
        self._empty = 0 if rows else self._empty + 1
        if self._empty >= _MAX_EMPTY_PAGES:
            raise PartialReadError(
                f"{_shown(self._path)} cannot be read to its end: {_MAX_EMPTY_PAGES} pages in a row were empty"
            )


_KEY = ("id", "scope", "user_id", "org_id", "name")


@cache
def _key_of(row_type: Any) -> Callable[[Any], Any]:
    """What tells rows of one list apart. A person may stand in it once for each scope."""
    if issubclass(row_type, dict):
        return lambda row: tuple(row.get(name) for name in _KEY)
    names = [name for name in _KEY if name in row_type.__struct_fields__]
    return attrgetter(*names) if names else lambda _row: None


class _Page(msgspec.Struct, Generic[Row]):
    """The shape that every list of the contract has."""

    items: list[Row] | msgspec.UnsetType | None = msgspec.UNSET
    next_token: str | None = None


@cache
def _page_type(row_type: Any) -> Any:
    return _Page[row_type]


@cache
def _decoder(row_type: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(row_type)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= PROBLEM else line[: PROBLEM - 1] + "…"


def _shown(path: str) -> str:
    return _short(quote(path, safe="/-._~@:{}"))


def _what(content: bytes) -> str:
    """What a body is that was expected to be JSON, in a few words."""
    start = content.lstrip()[:1]
    if not start:
        return "nothing"
    if start == b"<":
        return "an HTML page"
    return "JSON that is cut short or broken" if start in (b"{", b"[") else "text"


def _way_on(content: bytes) -> str:
    return "; is there a proxy or a sign-in page in between?" if content.lstrip()[:1] == b"<" else ""
