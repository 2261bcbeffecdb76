"""The WSGI app: the contract's operations below `/api/v0`, and a page for people at `/`."""

from __future__ import annotations

import io
import threading
import traceback
from typing import TYPE_CHECKING, Any

import falcon
import msgspec

from reconciler.sandbox import BASE_PATH, operations, tokens
from reconciler.sandbox.call import OPERATIONS, Actor, Call, NeedsWriteError, Operation
from reconciler.sandbox.not_offered import is_offered_by_pipes
from reconciler.sandbox.page import Avatar, Favicon, Page
from reconciler.sandbox.problems import Problem, problem_body
from reconciler.sandbox.store import PRIMARY_TENANT_ID, ClosedError, next_moment, timestamp

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from reconciler.sandbox.faults import Faults
    from reconciler.sandbox.store import Store

    Observer = Callable[[str, str, int, Any], None]

__all__ = ["create_app", "operations"]

_NOBODY = Actor("", "", "", PRIMARY_TENANT_ID, service=False, issued_at="")


def create_app(
    store: Store,
    faults: Faults | None = None,
    *,
    if_match: bool = True,
    clock: Callable[[], datetime] | None = None,
    observer: Observer | None = None,
    settle_reads: int = 2,
) -> WSGIApplication:
    """The sandbox over a store.

    `if_match=False` ignores If-Match headers, as an API does that never knew them. `clock` gives the time of every
    write (default: the world's fixed clock, or the real time). `settle_reads`: a workspace that was created or
    changed reaches its state at that many reads; 0 for at once.
    `observer(method, path, status, body)` is called after every API request, one at a time: the path below `/api/v0`,
    the status that the client got (0 for a dropped connection), and the request's JSON body (None without one).
    """
    app: falcon.App[Any, Any] = falcon.App(media_type="application/json")
    app.add_error_handler(Exception, _crashed)
    app.add_error_handler(falcon.HTTPError, _http_error)
    app.add_error_handler(Problem, _problem)
    app.add_error_handler(ClosedError, _stopped)
    by_path: dict[str, list[Operation]] = {}
    for operation in OPERATIONS.values():
        by_path.setdefault(operation.path, []).append(operation)
    for path, found in by_path.items():
        resource = type("Resource", (), {})()
        for operation in found:
            responder = _responder(operation, store, if_match=if_match, clock=clock, settle_reads=settle_reads)
            setattr(resource, f"on_{operation.method.lower()}", responder)
        app.add_route(BASE_PATH + path, resource)
    app.add_route("/", Page(store))
    app.add_route("/favicon.ico", Favicon())
    app.add_route("/avatar/{org_id}", Avatar(store))
    wsgi: WSGIApplication = app
    if faults is not None:
        from reconciler.sandbox.faults import FaultyApp

        wsgi = FaultyApp(app, faults)
    return wsgi if observer is None else _Observed(wsgi, observer)


def _responder(
    operation: Operation,
    store: Store,
    *,
    if_match: bool,
    clock: Callable[[], datetime] | None,
    settle_reads: int,
) -> Callable[..., None]:
    def answer(request: falcon.Request, db: sqlite3.Connection, params: dict[str, str], *, writing: bool) -> Any:
        actor = _NOBODY if operation.public else _actor(request, db, clock)
        body = {}
        if operation.body is not None:
            body = operation.body.read(request.bounded_stream.read(), request.content_type)
        call = Call(request, db, operation.name, params, body, actor, clock, if_match, settle_reads, writing)
        return operation.run(call)

    def respond(request: falcon.Request, response: falcon.Response, **params: str) -> None:
        if operation.writes:
            with store.write() as db:
                reply = answer(request, db, params, writing=True)
        else:
            try:
                with store.read() as db:
                    reply = answer(request, db, params, writing=False)
            except NeedsWriteError:
                with store.write() as db:
                    reply = answer(request, db, params, writing=True)
        status, text = reply
        response.status = status
        if text is None:
            response.content_length = 0
        else:
            response.text = text

    return respond


def _actor(request: falcon.Request, db: sqlite3.Connection, clock: Callable[[], datetime] | None) -> Actor:
    now = timestamp(clock() if clock else next_moment(db, tick=False))
    id_, handle, display_name, tenant_id, service, issued_at = tokens.holder(
        db, request.get_header("Authorization") or "", now
    )
    return Actor(id_, handle, display_name, tenant_id, service=bool(service), issued_at=issued_at)


def _write(response: falcon.Response, request: falcon.Request, problem: Problem) -> None:
    response.status = problem.status
    response.content_type = "application/json"
    response.text = msgspec.json.encode(
        problem_body(problem.status, problem.detail, request.path, problem.validation_errors)
    ).decode()
    response.set_headers(problem.headers)


def _problem(request: falcon.Request, response: falcon.Response, problem: Problem, _params: Any) -> None:
    _write(response, request, problem)


def _http_error(request: falcon.Request, response: falcon.Response, error: falcon.HTTPError, _params: Any) -> None:
    status = falcon.http_status_to_code(error.status)
    detail = error.description or (f"no such path: {request.path}" if status == 404 else error.title or "")
    if status == 404 and is_offered_by_pipes(request.path.removeprefix(BASE_PATH)):
        status, detail = 501, f"{request.path} is not offered by the sandbox"
    headers = dict(error.headers or {})
    _write(response, request, Problem(status, detail, headers=headers))


def _stopped(request: falcon.Request, response: falcon.Response, error: ClosedError, _params: Any) -> None:
    """Answer a request that nobody waits for any more: it is no failure of the sandbox, and gets no traceback."""
    _write(response, request, Problem(503, str(error)))


def _crashed(request: falcon.Request, response: falcon.Response, error: Exception, _params: Any) -> None:
    request.env["wsgi.errors"].write("".join(traceback.format_exception(error)))
    _write(response, request, Problem(500, f"the sandbox failed: {type(error).__name__}"))


class _Observed:
    """Tells an observer about each request, one after the other."""

    def __init__(self, app: WSGIApplication, observer: Observer) -> None:
        self.app = app
        self.observer = observer
        self.lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(BASE_PATH + "/"):
            return self.app(environ, start_response)
        raw = _kept_body(environ)
        status = 0

        def started(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status
            status = int(line.split(" ", 1)[0])
            return start_response(line, headers, exc_info)

        try:
            return self.app(environ, started)
        finally:
            with self.lock:
                self.observer(environ["REQUEST_METHOD"], path.removeprefix(BASE_PATH), status, _decoded(raw))


def _kept_body(environ: WSGIEnvironment) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or length == "0":
        return b""
    raw: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(raw)
    return raw


def _decoded(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw) if raw else None
    except msgspec.DecodeError:
        return None
