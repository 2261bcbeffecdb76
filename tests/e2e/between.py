"""Somebody between the command and the embedded Pipes: what a server of Pipes may do, and the sandbox never does."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from reconciler.sandbox import app as sandbox_app

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    # method, path below the base, the app -> (status line, JSON) or None for the app's own answer
    Answering = Callable[[str, str], tuple[str, Any] | None]


def answer(
    monkeypatch: pytest.MonkeyPatch, answering: Answering, after: Callable[[str, str], None] | None = None
) -> None:
    """Have `answering` answer requests of commands in this process; `after` hears of each that the sandbox answered."""
    made = sandbox_app.create_app

    @functools.wraps(made)
    def create_app(*args: Any, **options: Any) -> Any:
        app = made(*args, **options)

        def between(environ: dict[str, Any], start_response: Any) -> Any:
            method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix("/api/v0")
            found = answering(method, path)
            if found is None:
                body = list(app(environ, start_response))
                if after is not None:
                    after(method, path)
                return body
            status, content = found
            start_response(status, [("Content-Type", "application/json")])
            return [json.dumps(content).encode()]

        return between

    monkeypatch.setattr(sandbox_app, "create_app", create_app)
