"""After an apply that was killed: what was in flight, what became of it, and whom it had invited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.apply import invitations
from reconciler.apply.perform import invited
from reconciler.kinds import KINDS, logo
from reconciler.kinds.kind import Place
from reconciler.model import address as addresses
from reconciler.model.errors import PipesError
from reconciler.model.live import Lock, LockEntry
from reconciler.model.request import Request
from reconciler.pipes import reading

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reconciler.apply.journal import Earlier, InFlight
    from reconciler.model.live import Resource
    from reconciler.pipes.client import Client


class Me(msgspec.Struct):
    """The contract's User (actor_get), as far as it is used."""

    id: str


def recover(client: Client, earlier: Earlier, lock: Lock, by_handle: Collection[str]) -> tuple[Lock, list[str]]:
    """The lock file's content with what the journal knows beyond it, and a line for each request that was in flight.

    An invitation by email whose answer was lost is recognised as the one open invitation that this token's user made
    and that was not there before; `by_handle` are handles that the manifests name, and so somebody else. Where that is
    not exactly one, nothing is guessed: the plan will refuse with `who-is-this`.
    """
    known = dict(lock)
    for address, (user_id, handle, email) in earlier.invited.items():
        known.setdefault(address, invited(user_id, handle, email, None) if email else LockEntry(user_id))
    lines = []
    for request in earlier.in_flight:
        what = f"{request.action} {request.address} was in flight when the last apply ended: "
        try:
            lines.append(what + _became(client, request, known, by_handle))
        except PipesError as error:
            lines.append(f"{what}what became of it could not be read ({error})")
    return known, lines


def _became(client: Client, request: InFlight, known: Lock, by_handle: Collection[str]) -> str:
    kind = KINDS[addresses.split(request.address)[-1][0]]
    if logo.is_about(request.path):
        return "whether Pipes took the logo cannot be known, and it is planned again"
    if request.method != "POST":
        now = reading.read_again(client, kind, request.path)
        if request.method == "DELETE":
            return "it is still there and is planned again" if now else "it took effect"
        wanted = request.body or {}
        if now is None and "handle" in wanted:
            return "it took effect, or the object is gone"
        if now is None:
            return "the object is gone"
        taken = all(kind.attribute(n).same(now.attrs.get(n), v) for n, v in wanted.items() if n != "handle")
        if taken and any(a.secret and a.name in wanted for a in kind.attributes):
            return "whether its secrets were taken is not told, so they are sent again where the lock file has others"
        return "it took effect" if taken else "it did not take effect and is planned again"
    place = Place.of(request.address)
    handle = (request.body or {}).get("handle") if kind.names_people else addresses.split(request.address)[-1][1]
    if handle is not None:
        sent = Request(request.method, request.path, request.body)
        return _made(reading.find_created(client, kind, place, str(handle), sent))
    if request.address in known:
        return "it took effect"
    actor = client.get_json("/actor", Me).id
    explained = {*request.known, *(entry.id for entry in known.values())}
    role = str((request.body or {}).get("role"))
    new = invitations.new_invitations(client, place.org, invitations.Sought(role, actor, explained, by_handle))
    if len(new) == 1:
        email = str((request.body or {}).get("email") or "")
        known[request.address] = invited(new[0].id, new[0].handle, email, new[0].attrs.get("sent"))
        return f"it took effect, as {new[0].handle}"
    return (
        "it did not take effect and is planned again"
        if not new
        else "which of several new invitations is it cannot be told"
    )


def _made(found: Sequence[Resource]) -> str:
    return "it took effect" if found else "it did not take effect and is planned again"
