"""What the sandbox's tests speak to it with: requests, and nothing of the product's own client."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import requests

from sandbox import contract


class Client:
    """One user's session. `judged` checks each answer against the contract, where it is there."""

    def __init__(self, base: str, token: str | None, *, adapter: Any = None, verify: Any = True, judged: bool = False):
        self.base = base
        self.judged = judged and contract.PATH.is_file()
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = verify
        if token is not None:
            self.session.headers["Authorization"] = f"Bearer {token}"
        if adapter is not None:
            self.session.mount(base, adapter)

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        options.setdefault("timeout", 60)
        response = self.session.request(method, f"{self.base}/api/v0{path}", json=body, **options)
        if self.judged:
            operation = contract.find(method, unquote(urlsplit(path).path))
            if operation is not None:
                content_type = response.headers.get("Content-Type", "")
                assert operation.response_errors(response.status_code, content_type, response.content) == []
        return response

    def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The JSON of an answer that must be a success; None when it has no content."""
        response = self.send(method, path, body, **options)
        assert response.status_code in (200, 201, 204), f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def status(self, method: str, path: str, body: Any = None, **options: Any) -> int:
        return self.send(method, path, body, **options).status_code

    def refused(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, list[str]]:
        """The status and the places that are named wrong, of an answer that must be a problem (RFC 7807)."""
        response = self.send(method, path, body, **options)
        assert response.status_code >= 400, f"{method} {path}: {response.status_code}"
        problem = response.json()
        assert problem["status"] == response.status_code
        assert problem["instance"] == unquote(urlsplit(response.url).path)
        assert problem["title"]
        return response.status_code, [error["location"] for error in problem.get("validation_errors", [])]

    def all(self, path: str, limit: int = 100) -> list[Any]:
        """All rows of a list, page after page."""
        rows, token = [], None
        while True:
            page = self.ok("GET", path, params={"limit": limit, **({"next_token": token} if token else {})})
            rows.extend(page["items"])
            token = page.get("next_token")
            if not token:
                return rows

    def handles(self, path: str) -> list[tuple[str, str, str]]:
        """A member list as (handle, role, scope)."""
        return [(row["user_handle"], row["role"], row["scope"]) for row in self.all(path)]
