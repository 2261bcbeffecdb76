"""When the token in use was issued, which a reset of authentication asks for."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds import org, service_account
from reconciler.kinds.kind import Place
from reconciler.model.access import AccountToken
from reconciler.model.address import join
from reconciler.model.errors import PipesError
from reconciler.pipes.errors import NotAuthorisedError, NotSentError, StatusError
from reconciler.pipes.reading.pages import ListOf, read_list
from reconciler.pipes.workers import Workers

if TYPE_CHECKING:
    from reconciler.model.desired import Node
    from reconciler.model.live import Snapshot
    from reconciler.pipes.client import Client
    from reconciler.pipes.reading.state import LiveOrg, Run


class _Token(msgspec.Struct):
    """The contract's Token, as far as it is used (userToken_list)."""

    created_at: str
    last4: str | None = None
    expires_at: str | None = None
    title: str | None = None
    status: str | None = None


def resets_tokens(node: Node, entry: LiveOrg | None) -> bool:
    """Whether the plan will change `token_min_issued_at`."""
    attribute = org.KIND.attribute("token_min_issued_at")
    want = node.attrs.get(attribute.name)
    if want is None:
        return False
    have = entry.resource.attrs.get(attribute.name) if entry is not None else None
    try:
        return not attribute.same(have, want)
    except (ValueError, TypeError):
        return True  # a moment that cannot be compared may lie ahead


def read_token(run: Run) -> None:
    """Read when the token in use was issued (userToken_list): the earliest of those with its last four characters."""
    assert run.actor is not None
    found: list[_Token] = []

    def end(error: PipesError | None) -> None:
        if isinstance(error, NotSentError):
            raise error
        if error is None:
            last4 = run.client.settings.token[-4:]
            moments = [moment(token.created_at) for token in found if token.last4 == last4]
            # one that cannot be read may be the earliest
            run.issued_at = None if not all(moments) else min((m for m in moments if m is not None), default=None)

    path = f"/user/{run.actor.handle}/token"
    what = ListOf(path, _Token, "token", run.actor.handle, unique=False)
    read_list(run, what, found.extend, end, found.clear)


def token_in_use(client: Client, user: str) -> tuple[datetime | None, bool]:
    """When the token in use ends, None for never, and whether that is known (userToken_list).

    Of several tokens with its last four characters, the earliest end counts. Raises PipesError.
    """
    last4 = client.settings.token[-4:]
    try:
        rows = [row for page in client.pages(f"/user/{user}/token", row_type=_Token, unique=False) for row in page]
    except NotAuthorisedError:
        raise
    except StatusError as error:
        if error.status in (403, 404):
            return None, False
        raise
    fitting = [row for row in rows if row.last4 == last4]
    ends = [moment(row.expires_at) for row in fitting if row.expires_at]
    if not fitting or not all(ends):
        return None, False
    return min((end for end in ends if end is not None), default=None), True


def account_tokens(client: Client, live: Snapshot) -> tuple[list[AccountToken], list[str]]:
    """The tokens of every service account that was read (orgServiceAccountToken_list), and whose could not be read.

    One request an account. Raises PipesError.
    """
    found: dict[str, list[AccountToken]] = {}
    closed: list[str] = []

    def read_tokens(path: str) -> list[_Token]:
        return [row for page in client.pages(f"{path}/token", row_type=_Token, unique=False) for row in page]

    def take(address: str, rows: list[_Token] | PipesError) -> None:
        if isinstance(rows, StatusError) and rows.status in (403, 404) and not isinstance(rows, NotAuthorisedError):
            closed.append(address)
        elif isinstance(rows, PipesError):
            raise rows
        else:
            found[address] = [
                AccountToken(
                    address, row.title or "", row.last4 or "", row.created_at, row.expires_at or "", row.status or ""
                )
                for row in rows
            ]

    with Workers(client.parallelism) as workers:
        for org_handle, above in live.orgs.items():
            for account in above.of(service_account.NAME).values():
                address = join(join(None, "org", org_handle), service_account.NAME, account.handle)
                path = service_account.object_path(Place(org=org_handle), account.id)
                workers.submit(partial(read_tokens, path), partial(take, address))
        workers.run()
    return [one for address in sorted(found) for one in found[address]], sorted(closed)


def moment(text: str) -> datetime | None:
    """A moment of the API (ISO 8601; UTC where it names no zone), None where the text is not one."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
