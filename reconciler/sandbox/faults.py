"""Faults on demand: requests that fail between a client and Pipes, by count or by a seeded probability."""

from __future__ import annotations

import random
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from reconciler.sandbox import BASE_PATH
from reconciler.sandbox.problems import in_a_line, problem_body

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

KINDS = (
    "latency",
    "status",
    "drop-before",
    "drop-after",
    "truncate",
    "html",
    "shift-page",
    "empty-members",
)
STATUSES = {
    429: "429 Too Many Requests",
    500: "500 Internal Server Error",
    502: "502 Bad Gateway",
    503: "503 Service Unavailable",
    504: "504 Gateway Timeout",
}
_KEYS = {
    "path", "method", "kind", "status", "retry_after", "ms", "times", "probability", "seed", "after", "applied", "rows",
}  # fmt: skip
_MEMBER_LIST = re.compile(r"/org/[^/]+(/workspace/[^/]+)?/member/?")


class FaultError(Exception):
    """A rule that cannot be read; the message says which one and why."""


class ConnectionDropped(Exception):  # noqa: N818 -- it is not an error of the app: the server closes the connection
    """Raised instead of an answer, or within its body: the server closes the connection."""


class AnswerTooLate(Exception):  # noqa: N818
    """Raised through the WSGI app when the latency is longer than the in-process client waits (`read_timeout`)."""


@dataclass(slots=True)
class Rule:
    """One fault: for which requests, what, and how often."""

    # What happens, to which requests
    kind: str  # one of KINDS
    path: re.Pattern[str] = re.compile("")  # of the requests that it is for
    methods: frozenset[str] = frozenset()  # none: all
    status: int = 503  # that it answers
    retry_after: str | None = None  # the header that it answers
    ms: float = 0  # how long it waits

    # How often
    times: int | None = None  # how often it happens at most
    probability: float = 1  # how often it happens, by chance
    after: int = 0  # how many requests pass before
    applied: bool = False  # whether the request takes effect nevertheless
    rows: int = 1  # how many rows a page shifts by
    random: random.Random = field(default_factory=random.Random)  # decides by chance, from a seed

    # What it counts
    seen: int = 0  # matching requests so far
    fired: int = 0  # how often it has happened

    def fires(self, method: str, path: str) -> bool:
        """Whether this request is hit; counts it. The caller holds the lock."""
        if (self.methods and method not in self.methods) or not self.path.search(path):
            return False
        if self.kind == "empty-members" and not (method == "GET" and _MEMBER_LIST.fullmatch(path)):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.fired >= self.times):
            return False
        if self.probability < 1 and self.random.random() >= self.probability:
            return False
        self.fired += 1
        return True


class Faults:
    """Rules, tried in order. The first one that fires decides; latencies add up.

    Each rule is a dict:
    `kind`: one of KINDS. `path`: a regular expression searched in the path below `/api/v0` (default: any).
    `method`: a list of methods, or one (default: any). `status` (kinds `status` and `html`) and `retry_after` (seconds,
    or an HTTP date). `ms`: latency. `times`: at most that many times (default: always), or `probability` with a `seed`.
    `after`: let that many matches pass first. `applied: true` (kinds `status` and `html`): the request takes effect
    before it fails, as behind a gateway that gave up waiting. `rows` (kind `shift-page`): by how many rows later pages
    shift; 1 skips a row, as when someone removed one before it, -1 repeats one, as when someone added one.
    `drop-before` and `drop-after` close the connection before and after the request took effect, `truncate` sends half
    of the answer, `empty-members` shows a member list without rows.
    Raises FaultError for anything else. Thread-safe.
    """

    def __init__(self, rules: Iterable[dict[str, Any]] = (), *, sleep: Callable[[float], object] = time.sleep) -> None:
        self.rules = [_rule(number, rule) for number, rule in enumerate(rules, 1)]
        self.sleep = sleep
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Faults:
        """Rules from a YAML file: a list, or a mapping with the key `faults`. FaultError names the file."""
        rules = read(path)
        try:
            return cls(rules)
        except FaultError as error:
            raise FaultError(f"{path}: {error}") from error

    def firing(self, method: str, path: str) -> list[Rule]:
        """The rules that hit a request: latencies, then at most one other."""
        found = []
        with self._lock:
            for rule in self.rules:
                if rule.fires(method, path):
                    found.append(rule)
                    if rule.kind != "latency":
                        break
        return found


def read(path: str | os.PathLike[str]) -> list[Any]:
    """The unchecked rules of a file. Raises FaultError when the file has none."""
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise FaultError(f"{path}: {in_a_line(error)}") from error
    except RecursionError as error:
        raise FaultError(f"{path}: the values nest too deep") from error
    rules = found.get("faults") if isinstance(found, dict) else found
    if not isinstance(rules, list):
        raise FaultError(f"{path}: holds no list of faults")
    return rules


def parse(text: str) -> Any:
    """An unchecked rule as it is written on a command line: one YAML mapping."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FaultError(f"{text}: {in_a_line(error)}") from error
    except RecursionError as error:
        raise FaultError(f"{text[:20]}…: the values nest too deep") from error


def _rule(number: int, given: Any) -> Rule:
    def refuse(message: str) -> FaultError:
        return FaultError(f"fault {number}: {message}")

    if not isinstance(given, dict):
        raise refuse(f"{given!r} is not a mapping")
    unknown = sorted(set(given) - _KEYS)
    if unknown:
        raise refuse(f"unknown key {unknown[0]!r} (known: {', '.join(sorted(_KEYS))})")
    kind = given.get("kind")
    if kind not in KINDS:
        raise refuse(f"kind is {kind!r}, not one of {', '.join(KINDS)}")
    status = given.get("status", 200 if kind == "html" else 503)
    if kind == "status" and status not in STATUSES:
        raise refuse(f"status is {status!r}, not one of {', '.join(map(str, STATUSES))}")
    for key, kinds in (
        ("times", int),
        ("after", int),
        ("rows", int),
        ("ms", (int, float)),
        ("probability", (int, float)),
    ):
        if key in given and (not isinstance(given[key], kinds) or isinstance(given[key], bool)):
            raise refuse(f"{key} is {given[key]!r}, not a number")
        if key != "rows" and given.get(key, 0) < 0:
            raise refuse(f"{key} is {given[key]!r}, less than 0")
    if not 0 <= given.get("probability", 1) <= 1:
        raise refuse(f"probability is {given['probability']!r}, not between 0 and 1")
    try:
        path = re.compile(given.get("path", ""))
    except (re.error, TypeError) as error:
        raise refuse(f"path is not a regular expression: {error}") from error
    methods = given.get("method", [])
    methods = [methods] if isinstance(methods, str) else methods
    return Rule(
        kind=kind,
        path=path,
        methods=frozenset(str(method).upper() for method in methods),
        status=status,
        retry_after=None if given.get("retry_after") is None else str(given["retry_after"]),
        ms=given.get("ms", 0),
        times=given.get("times"),
        probability=given.get("probability", 1),
        after=given.get("after", 0),
        applied=bool(given.get("applied", False)),
        rows=given.get("rows", 1),
        random=random.Random(given.get("seed", 0)),  # noqa: S311 -- reproducible, not secret
    )


def _half(body: bytes) -> Iterator[bytes]:
    # The announced length stays whole; the connection ends after half of it.
    yield body[: len(body) // 2]
    raise ConnectionDropped


class FaultyApp:
    """A WSGI app that fails as its rules say. Paths outside the API are left alone."""

    def __init__(self, app: WSGIApplication, faults: Faults) -> None:
        self.app = app
        self.faults = faults

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(BASE_PATH + "/"):
            return self.app(environ, start_response)
        for rule in self.faults.firing(environ["REQUEST_METHOD"], path.removeprefix(BASE_PATH)):
            if rule.kind == "latency":
                self._wait(rule.ms / 1000, environ)
            elif rule.kind == "shift-page":
                environ["sandbox.shift"] = rule.rows
            elif rule.kind == "empty-members":
                environ["sandbox.empty"] = True
            else:
                return self._fail(rule, environ, start_response)
        return self.app(environ, start_response)

    def _wait(self, seconds: float, environ: WSGIEnvironment) -> None:
        patience = environ.get("sandbox.read_timeout")
        if patience is None or seconds < patience:
            self.faults.sleep(seconds)
            return
        self.faults.sleep(patience)
        # The client stops waiting; the request takes effect nevertheless.
        self._carry_out(environ)
        raise AnswerTooLate

    def _carry_out(self, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
        answer: list[Any] = []

        def started(line: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
            answer[:] = [line, headers]
            return lambda _data: None

        body = b"".join(self.app(environ, started))
        return answer[0], answer[1], body

    def _fail(self, rule: Rule, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["sandbox.fault"] = rule.kind
        if rule.kind == "drop-before":
            raise ConnectionDropped
        if rule.kind == "drop-after":
            self._carry_out(environ)
            raise ConnectionDropped
        if rule.kind == "truncate":
            line, headers, body = self._carry_out(environ)
            start_response(line, headers)
            return _half(body)
        if rule.applied:
            self._carry_out(environ)
        headers = [] if rule.retry_after is None else [("Retry-After", rule.retry_after)]
        if rule.kind == "html":
            body = b"<!doctype html><title>Sign in</title><h1>Sign in to the network</h1>"
            line = {200: "200 OK", **STATUSES}.get(rule.status, f"{rule.status} Fault")
            headers.append(("Content-Type", "text/html; charset=utf-8"))
        else:
            detail = "a fault that the sandbox was asked for"
            body = msgspec.json.encode(problem_body(rule.status, detail, environ["PATH_INFO"], []))
            line = STATUSES[rule.status]
            headers.append(("Content-Type", "application/json"))
        start_response(line, [*headers, ("Content-Length", str(len(body)))])
        return [body]
