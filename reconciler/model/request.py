"""What will be sent to Pipes, as data: a kind makes it, a plan shows it, only apply performs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LATE = "{user_handle}"


@dataclass(frozen=True, slots=True)
class Request:
    """One call below the API's base path.

    `if_match` is the `version_id` that the object had when it was read. `late` is the address of the member whose
    invitation answers with the `user_handle` that stands as `{user_handle}` in `path` or in `body["handle"]`: who was
    invited by email has a handle only then (orgMember_invite).
    """

    method: str
    path: str
    body: dict[str, Any] | None = None
    if_match: int | None = None
    late: str | None = None

    def filled(self, handle: str) -> Request:
        """The same request with `{user_handle}` replaced, where it stands as a whole segment or as the body's handle."""
        path = "/".join(handle if part == LATE else part for part in self.path.split("/"))
        body = self.body
        if body is not None and body.get("handle") == LATE:
            body = {**body, "handle": handle}
        return Request(self.method, path, body, self.if_match, None)
