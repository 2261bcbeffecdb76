"""After an apply that was killed: what was in flight, what became of it, and who was invited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.apply import invitations
from reconciler.apply.create import invited
from reconciler.kinds import KINDS, logo
from reconciler.kinds.kind import Place
from reconciler.model import address as addresses
from reconciler.model.errors import PipesError
from reconciler.model.request import Request
from reconciler.pipes import reading
from reconciler.pipes.errors import StatusError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reconciler.apply.journal import Earlier, InFlight, Invited
    from reconciler.model.live import Lock, Resource
    from reconciler.pipes.client import Client

_AGAIN = "; it is planned again where it is still needed"


class Me(msgspec.Struct):
    """The contract's User (actor_get), as far as it is used."""

    id: str


def recover(client: Client, earlier: Earlier, lock: Lock, by_handle: Collection[str]) -> tuple[Lock, list[str]]:
    """The lock file's content with what the journal knows beyond it, and a line for each such entry and request in flight.

    The journal is evidence, not authority: anybody can write a line into it. It is believed that an address was invited
    as a certain account only where live shows that invitation: pending, sent by this token's user, after the journal's
    intent, with its role, and nobody whom the lock file or the manifests know under another name (`by_handle` are the
    handles that the manifests name). Where that is not exactly one, the plan refuses with `who-is-this`. Raises PipesError.
    """
    known = dict(lock)
    lines = []
    for address, one in earlier.invited.items():
        if address not in known and (row := _confirmed(client, address, one, known, by_handle)) is not None:
            known[address] = invited(row.id, row.handle, one.email, row.attrs.get("sent"))
            lines.append(
                f"by the journal, the last apply invited {one.email} for {address}, and the lock file does not say so; "
                f"Pipes shows an invitation that fits, as {row.handle}, and it is taken for that one"
            )
    for request in earlier.in_flight:
        what = f"{request.action} {request.address} was in flight when the last apply ended: "
        try:
            lines.append(what + _became(client, request, known, by_handle))
        except PipesError as error:
            lines.append(f"{what}what became of it could not be read ({error})")
        except (LookupError, TypeError, ValueError, AttributeError):
            lines.append(f"{what}the journal does not say clearly what it was{_AGAIN}")
    return known, lines


def _confirmed(client: Client, address: str, one: Invited, known: Lock, by_handle: Collection[str]) -> Resource | None:
    """The pending invitation that the journal says was sent to an address, where live shows it."""
    if one.at is None:
        return None
    explained = _others(known, address)
    org = addresses.org_of(address)
    try:
        actor = client.get_json("/actor", Me).id
        rows = invitations.new_invitations(
            client, org, invitations.Sought(one.role, actor, explained, by_handle, one.at)
        )
    except StatusError:
        return None  # the org is not there any more, or not ours to read
    return next((row for row in rows if row.id == one.user_id), None)


def _others(known: Lock, address: str) -> set[str]:
    """The user ids that the lock file knows under another name than that of `address`, in whatever org."""
    name = addresses.split(address)[-1]
    return {entry.id for at, entry in known.items() if addresses.split(at)[-1] != name}


def _became(client: Client, request: InFlight, known: Lock, by_handle: Collection[str]) -> str:
    kind = KINDS[addresses.split(request.address)[-1][0]]
    if logo.is_about(request.path):
        return "whether Pipes took the logo cannot be known, and it is planned again"
    if request.method != "POST":
        now = reading.read_again(client, kind, request.path)
        if request.method == "DELETE":
            return f"it is still there{_AGAIN}" if now else "it took effect"
        wanted = request.body or {}
        if now is None and "handle" in wanted:
            return "it took effect, or the object is gone"
        if now is None:
            return "the object is gone"
        taken = all(kind.attribute(n).same(now.attrs.get(n), v) for n, v in wanted.items() if n != "handle")
        if taken and any(a.secret and a.name in wanted for a in kind.attributes):
            return "whether its secrets were taken is not told, so they are sent again where the lock file has others"
        return "it took effect" if taken else f"it did not take effect{_AGAIN}"
    place = Place.of(request.address)
    handle = (request.body or {}).get("handle") if kind.names_people else addresses.split(request.address)[-1][1]
    if handle is not None:
        sent = Request(request.method, request.path, request.body)
        return _made(reading.find_created(client, kind, place, str(handle), sent))
    if request.address in known:
        return "it took effect"
    actor = client.get_json("/actor", Me).id
    explained = {*request.known, *_others(known, request.address)}
    role = str((request.body or {}).get("role"))
    new = invitations.new_invitations(
        client, place.org, invitations.Sought(role, actor, explained, by_handle, request.at)
    )
    if len(new) == 1:
        email = str((request.body or {}).get("email") or "")
        known[request.address] = invited(new[0].id, new[0].handle, email, new[0].attrs.get("sent"))
        return f"it took effect, as {new[0].handle}"
    return f"it did not take effect{_AGAIN}" if not new else "it is unclear which of several new invitations it is"


def _made(found: Sequence[Resource]) -> str:
    return "it took effect" if found else f"it did not take effect{_AGAIN}"
