"""What will be sent to Pipes, as data: a kind makes it, a plan shows it, and only `apply` sends it."""

from __future__ import annotations

from typing import Any

import msgspec

LATE = "{user_handle}"
LATE_ID = "{id}"
# a placeholder for a value that is not known yet, by the field of a body that it may be in
_LATE_IN = {"handle": (LATE, LATE_ID), "parent_id": (LATE_ID,)}


class Request(msgspec.Struct, frozen=True):
    """One call below the API's base path.

    `if_match` is the `version_id` that the object had when it was read. `late` is the address of an object that has to
    be made before: the member whose invitation answers with the `user_handle` that replaces `{user_handle}` in `path`
    or in `body["handle"]`, since who was invited by email has a handle only then (orgMember_invite); or what answers
    its create with the `id` that replaces `{id}` in `path` or in `body["parent_id"]` (orgConnectionFolder_create).
    """

    method: str
    path: str
    body: dict[str, Any] | None = None
    if_match: int | None = None
    late: str | None = None

    def filled(self, value: str) -> Request:
        """The same request with `value` where it waits for one: as a whole segment, or as a field of the body."""
        path = "/".join(value if part in (LATE, LATE_ID) else part for part in self.path.split("/"))
        body = self.body
        if body is not None:
            body = {name: value if said in _LATE_IN.get(name, ()) else said for name, said in body.items()}
        return Request(self.method, path, body, self.if_match, None)
