"""Errors, answered with an RFC 7807 body (contract: ErrorModel)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any


class Problem(Exception):  # noqa: N818 -- the RFC's own word for it
    """An answer that is not a success. `validation_errors` are pairs of a location and a message."""

    def __init__(
        self,
        status: int,
        detail: str,
        validation_errors: list[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.validation_errors = validation_errors or []
        self.headers = headers or {}


def problem_body(status: int, detail: str, instance: str, validation_errors: list[tuple[str, str]]) -> dict[str, Any]:
    """The body of a problem; `instance` is the path that was asked for."""
    title = HTTPStatus(status).phrase
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
    }
    if validation_errors:
        body["validation_errors"] = [
            {"location": location, "message": message} for location, message in validation_errors
        ]
    return body


def bad_request(location: str, message: str) -> Problem:
    """400 for one thing at one place, such as `body.role` or `query.limit`."""
    return Problem(400, f"{location}: {message}", [(location, message)])


def forbidden(detail: str) -> Problem:
    return Problem(403, detail)


def not_found(detail: str) -> Problem:
    return Problem(404, detail)


def in_a_line(error: Exception) -> str:
    """Why a file could not be read, on one line (PyYAML's own message takes five)."""
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f"line {mark.line + 1}: {getattr(error, 'problem', None) or 'is not YAML'}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())
