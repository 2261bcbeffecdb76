"""What the sandbox's tests speak to it with: requests, and nothing of the product's own client."""

from __future__ import annotations

from typing import Any

import requests


class Client:
    """One user's session. Methods give the response; `body` of one is checked against its status."""

    def __init__(self, base: str, token: str, *, adapter: Any = None, verify: Any = True) -> None:
        self.base = base
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = verify
        self.session.headers["Authorization"] = f"Bearer {token}"
        if adapter is not None:
            self.session.mount(base, adapter)

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        options.setdefault("timeout", 60)
        return self.session.request(method, f"{self.base}/api/v0{path}", json=body, **options)

    def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The JSON of an answer that must be a success; None when it has no content."""
        response = self.send(method, path, body, **options)
        assert response.status_code in (200, 201, 204), f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def status(self, method: str, path: str, body: Any = None, **options: Any) -> int:
        return self.send(method, path, body, **options).status_code

    def all(self, path: str, limit: int = 100) -> list[Any]:
        """All rows of a list, page after page."""
        rows, token = [], None
        while True:
            page = self.ok("GET", path, params={"limit": limit, **({"next_token": token} if token else {})})
            rows.extend(page["items"])
            token = page.get("next_token")
            if not token:
                return rows
