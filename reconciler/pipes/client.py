"""A client of the Pipes API: reads that are repeated until they succeed, and writes that are sent as they were planned."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

import msgspec

from reconciler.kinds.secret import is_secret_text
from reconciler.model.errors import PipesError
from reconciler.model.request import LATE, LATE_ID
from reconciler.pipes import pages, retry
from reconciler.pipes.answers import (
    Answer,
    RawAnswer,
    content_type,
    decoder,
    problem,
    proxy_hint,
    redirect,
    short,
    shown,
)
from reconciler.pipes.carrier import Outgoing
from reconciler.pipes.connection import Clock, Connection, Observers, Secrets
from reconciler.pipes.errors import (
    ContentError,
    LostAnswerError,
    NotAuthorisedError,
    NotSentError,
    PartialReadError,
    StatusError,
)
from reconciler.pipes.pages import MOST, Listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.model.request import Request
    from reconciler.pipes.carrier import Carrier
    from reconciler.pipes.settings import Settings

__all__ = [
    "Answer",
    "Client",
    "Clock",
    "ContentError",
    "LostAnswerError",
    "NotAuthorisedError",
    "NotSentError",
    "Observers",
    "PartialReadError",
    "StatusError",
    "Upload",
]

Row = TypeVar("Row")


class Upload(msgspec.Struct, frozen=True):
    """One file of a form."""

    field: str
    name: str
    media_type: str
    data: bytes

    def form(self) -> tuple[bytes, str]:
        """The body and its content type (RFC 7578)."""
        from urllib3.filepost import encode_multipart_formdata

        body, form_type = encode_multipart_formdata({self.field: (self.name, self.data, self.media_type)})
        return body, form_type


class Client:
    """Talks to one Pipes. Safe to use from `parallelism` threads at once.

    `read_only` refuses every method but GET before anything is sent. `secrets` fills in the references in what is sent.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read_only: bool,
        parallelism: int = 10,
        clock: Clock = Clock(),  # noqa: B008 - it is frozen
        observers: Observers = Observers(),  # noqa: B008
        secrets: Secrets | None = None,
    ) -> None:
        self.settings = settings
        self.parallelism = parallelism
        self._connection = Connection(
            settings, read_only=read_only, parallelism=parallelism, clock=clock, observers=observers, secrets=secrets
        )
        self._now = clock.now
        self._notice = observers.notice
        self._secrets = secrets
        self._lock = threading.Lock()

    @property
    def carrier(self) -> Carrier:
        """What brings requests to Pipes: HTTP, or the embedded one."""
        return self._connection.carrier

    @property
    def requests_sent(self) -> int:
        """How many requests were tried, repetitions included."""
        return self._connection.requests_sent

    def close(self) -> None:
        """Close all connections. Whoever waits before a repetition gives up at once."""
        self._connection.close()

    def stop(self) -> None:
        """Send no write any more, and end all waiting: whatever is not under way raises StoppedError.

        Reads that need no waiting still work, to find out what became of a write.
        """
        self._connection.stop()

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
        outgoing = Outgoing("GET", path, params)
        attempts = 0

        def attempt() -> bytes:
            nonlocal attempts
            attempts += 1
            if attempts == 2:
                self._say_that_it_repeats()
            raw = self._connection.exchange(outgoing, attempts)
            if raw.ok:
                return raw.content
            raise self._status_error(path, raw)

        return retry.run(attempt, reading=True, clock=self._now, sleep=self._connection.sleep)

    def _say_that_it_repeats(self) -> None:
        with self._lock:
            notice, self._notice = self._notice, None
        if notice is not None:
            notice(f"{self.settings.where} does not answer as expected; trying again for a while")

    def get_json(self, path: str, row_type: type[Row], params: Mapping[str, Any] | None = None) -> Row:
        """One object. Raises what `get` does, and ContentError where the body is not what the contract says."""
        found: Row = self._decode(self.get(path, params), row_type, path)
        return found

    def page(self, path: str, row_type: Any, params: Mapping[str, Any] | None = None) -> tuple[list[Any], str | None]:
        """One page of a list: its rows and the cursor of the next page, None on the last."""
        content = self.get(path, {"limit": pages.SIZE, **(params or {})})
        found = self._decode(content, pages.page_type(row_type), path)
        # a server may leave an empty list out; a body with other keys is not a list, and not an empty one either
        if found.items is msgspec.UNSET and set(self._decode(content, dict[str, Any], path)) - {"next_token"}:
            raise ContentError(f"{self.settings.where} answered GET {shown(path)} with something that has no `items`")
        return found.items or [], found.next_token or None

    @overload
    def pages(self, path: str, params: Mapping[str, Any] | None = None) -> Iterator[list[dict[str, Any]]]: ...
    @overload
    def pages(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        row_type: type[Row],
        unique: bool = True,
        most: int = MOST,
    ) -> Iterator[list[Row]]: ...
    def pages(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        row_type: Any = dict[str, Any],
        unique: bool = True,
        most: int = MOST,
    ) -> Iterator[list[Any]]:
        """The pages of a list, lazily, 100 rows each, as `row_type`.

        Raises PartialReadError when a cursor repeats, and (unless `unique` is False) when a row comes twice: the list
        shifted while it was read, and another row may have been missed. Raises ContentError after `most` pages.
        """
        listing = Listing(path, unique=unique, most=most)
        cursor: str | None = None
        while True:
            asked = dict(params or {}) if cursor is None else {**(params or {}), "next_token": cursor}
            rows, cursor = self.page(path, row_type, asked)
            listing.check(rows, cursor)
            yield rows
            if cursor is None:
                return

    def _decode(self, content: bytes, row_type: Any, path: str) -> Any:
        """`content` as `row_type`. Raises ContentError that says what came instead."""
        wrong = ""
        try:
            return decoder(row_type).decode(content)
        except msgspec.ValidationError as error:
            wrong = f"answered GET {shown(path)} with something other than the contract says: {error}"
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            wrong = f"answered GET {shown(path)} with {content_type(content)} instead of JSON{proxy_hint(content)}"
        raise ContentError(self._clean(f"{self.settings.where} {wrong}"))

    # -- writing

    def send(
        self, request: Request, upload: Upload | None = None, again: Callable[[], Request] | None = None
    ) -> Answer:
        """Send one write, with `If-Match` where it has a version. Any status is returned, as an Answer.

        With `upload`, a form with that file is the body, whatever the request's own body says. The body of a DELETE is
        for the reader: the contract has none there.

        After a wait that Pipes asked for, and wherever the request never left, it is sent again. `again` is called before
        that, and gives the request as it is now: what was read for it may have changed. What it raises ends the sending;
        where it could not read, that is a NotSentError.

        Raises NotSentError where it surely did not reach Pipes, LostAnswerError where it may have taken effect: no
        answer came, or one that Pipes cannot have written. Raises ReadOnlyError on a client that only reads.
        """
        if request.late is not None or LATE in request.path or LATE_ID in request.path:
            raise ValueError(f"{request.method} {request.path} still waits for what {request.late} answers")
        outgoing = self._outgoing(request, upload)
        attempts = 0

        def attempt() -> Answer:
            nonlocal attempts, outgoing
            attempts += 1
            if attempts > 1 and again is not None:
                outgoing = self._outgoing(_asked(again), upload)
            return self._answer(request, self._connection.exchange(outgoing, attempts, fresh=again is not None))

        return retry.run(attempt, reading=False, clock=self._now, sleep=self._connection.sleep)

    def _outgoing(self, request: Request, upload: Upload | None) -> Outgoing:
        # the one place where references become values: they are in no object that anything else sees
        has_body = request.body is not None and request.method != "DELETE"
        body, body_type = None, "application/json"
        if upload is not None:
            body, body_type = upload.form()
        elif has_body:
            content = request.body or {}
            body = msgspec.json.encode(self._secrets.filled(content) if self._secrets is not None else content)
        # the contract's own text says to pass the version id itself; RFC 9110 would want quotes, which it doesn't mention
        version = None if request.if_match is None else str(request.if_match)
        return Outgoing(request.method, request.path, None, body, body_type, version)

    def _answer(self, request: Request, raw: RawAnswer) -> Answer:
        what = f"{self.settings.where} answered {request.method} {shown(request.path)}"
        if raw.redirects:
            raise LostAnswerError(f"{what} with {self._clean(redirect(raw))}", repeatable=False)
        content = raw.content if raw.ok else raw.content.replace(self.settings.token.encode(), b"[token]")
        body: dict[str, Any] | None = None
        odd = ""
        if content.strip():
            try:
                body = decoder(dict[str, Any]).decode(content)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                odd = content_type(content)
        if raw.ok:
            if odd:
                raise LostAnswerError(f"{what} with {odd} instead of JSON{proxy_hint(content)}", repeatable=False)
            return Answer(raw.status, body, raw.request_id)
        return Answer(raw.status, body, raw.request_id, self._clean(problem(raw)), raw.retry_after)

    def pause(self, attempt: int, asked: float | None = None) -> None:
        """Wait before looking at what became of a write, after its `attempt` (from 1) was unclear. A stop ends the wait.

        `asked` is how many seconds Pipes asked to wait.
        """
        self._connection.wait(retry.backoff(attempt, asked))

    # -- what went wrong, in words

    def _status_error(self, path: str, raw: RawAnswer) -> PipesError:
        where = self.settings.where
        if raw.redirects:
            return ContentError(f"{where} answered GET {shown(path)} with {self._clean(redirect(raw))}")
        said = self._clean(problem(raw))
        if is_secret_text(said):  # a server may quote a configuration
            said = f"{raw.status} (its text may hold a secret, so it is not shown)"
        if raw.status == 401 or (raw.status == 403 and path == "/actor"):
            text = (
                f"not authorised: the token has expired ({said}); issue a new one in Pipes, and set PIPES_TOKEN or --token-file"
                if "expire" in said.lower()
                else f"not authorised: {where} does not accept the token ({said}); check PIPES_TOKEN or --token-file"
            )
            return NotAuthorisedError(text, raw.status, said)
        wait = ""
        if raw.status == retry.TOO_MANY and raw.retry_after is not None:
            wait = f"; it asks to wait {raw.retry_after:.0f} s"
        return StatusError(f"{where} answered GET {shown(path)} with {said}{wait}", raw.status, said, raw.retry_after)

    def _clean(self, text: str) -> str:
        """One line of at most 300 characters, without the token, which a server may have echoed."""
        return short(text.replace(self.settings.token, "[token]"))


def _asked(again: Callable[[], Request]) -> Request:
    """The request as it is now. Raises NotSentError where what it rests on cannot be read."""
    try:
        return again()
    except NotSentError:
        raise
    except PipesError as error:
        raise NotSentError(
            f"not sent again after a wait, because it could not be read again: {error}", repeatable=False
        ) from None
