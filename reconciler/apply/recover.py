"""After an apply that was killed: what was in flight, what became of it, and who was invited."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from reconciler.apply import invitations
from reconciler.apply.create import invited
from reconciler.kinds import KINDS, logo, member
from reconciler.kinds.kind import Place
from reconciler.model import address as addresses
from reconciler.model.errors import PipesError
from reconciler.model.request import Request
from reconciler.pipes import reading
from reconciler.pipes.errors import StatusError
from reconciler.pipes.reading.visible_orgs import read_actor

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from reconciler.apply.journal import Earlier, InFlight, Invited
    from reconciler.model.live import Lock, LockEntry, Resource
    from reconciler.pipes.client import Client

_AGAIN = "; it is planned again where it is still needed"


def recover(client: Client, earlier: Earlier, lock: Lock, by_handle: Collection[str]) -> tuple[Lock, list[str]]:
    """The lock file's content with what the journal knows beyond it, and a line for each such entry and request in flight.

    The journal is evidence, not authority: anybody can write a line into it. It is believed that an address was invited
    as a certain account only where live shows that invitation: pending, sent by this token's user, after the journal's
    intent, with its role, and nobody whom the lock file or the manifests know under another name (`by_handle` are the
    handles that the manifests name). Where that is not exactly one, or two addresses may have reached it, the plan
    refuses with `who-is-this`. Raises PipesError.
    """
    known = dict(lock)
    lines = []
    there = _Open(client, by_handle)
    for address, one in earlier.invited.items():
        if address not in known and (row := _confirmed(there, address, one, known)) is not None:
            known[address] = invited(row.id, row.handle, one.email, row.attrs.get("sent"))
            lines.append(
                f"by the journal, the last apply invited {one.email} for {address}, and the lock file does not say so; "
                f"Pipes shows an invitation that fits, as {row.handle}, and it is taken for that one"
            )
    reached = _Reached(there, earlier, dict(known))
    for request in earlier.in_flight:
        what = f"{request.action} {request.address} was in flight when the last apply ended: "
        try:
            lines.append(what + _became(client, request, known, reached))
        except PipesError as error:
            lines.append(f"{what}what became of it could not be read ({error})")
        except (LookupError, TypeError, ValueError, AttributeError):
            lines.append(f"{what}the journal does not say clearly what it was{_AGAIN}")
    return known, list(dict.fromkeys(lines))  # a request that was tried again is in flight as often


class _Open:
    """The open invitations of orgs: the token's user and each org are read once, when the first one is asked for."""

    def __init__(self, client: Client, by_handle: Collection[str]) -> None:
        self._client, self._by_handle = client, by_handle
        self._rows: dict[str, list[member.Row]] = {}  # by org handle

    @cached_property
    def _actor(self) -> str:
        return read_actor(self._client)[0].id

    def fitting(self, address: str, role: str, known: Collection[str], since: datetime | None) -> list[Resource]:
        """Those that may be the one of a member address: sent by us since then, with that role, to nobody known. Raises PipesError."""
        org, actor = addresses.org_of(address), self._actor
        if org not in self._rows:
            self._rows[org] = invitations.open_rows(self._client, org)
        return invitations.fitting(self._rows[org], invitations.Sought(role, actor, known, self._by_handle, since))


class _Reached:
    """Which open invitations the invitations by email in flight may have made."""

    def __init__(self, there: _Open, earlier: Earlier, known: Lock) -> None:
        self._there, self._earlier, self._known = there, earlier, known
        self._rows: dict[str, dict[str, Resource]] | None = None  # by member address, then by user id
        self._unread: dict[str, PipesError] = {}  # by member address

    def by(self, address: str) -> tuple[list[Resource], bool]:
        """The invitations that the one of `address` may be, and whether one of them may be another name's. Raises PipesError."""
        if self._rows is None:
            self._rows = self._read()
        if address in self._unread:
            raise self._unread[address]
        rows = self._rows.get(address, {})
        others = {row for other, found in self._rows.items() if _name(other) != _name(address) for row in found}
        return list(rows.values()), not others.isdisjoint(rows)

    def _read(self) -> dict[str, dict[str, Resource]]:
        found: dict[str, dict[str, Resource]] = {}
        answered = self._earlier.invited.items()
        for request in self._earlier.in_flight:
            address, body = request.address, request.body or {}
            if address in self._known or not _is_by_email(request):
                continue
            others = {one.user_id for other, one in answered if _name(other) != _name(address)}
            known = {*request.known, *others, *_others(self._known, address)}
            try:
                rows = self._there.fitting(address, str(body.get("role")), known, request.at)
            except PipesError as error:
                self._unread[address] = error
            else:
                found.setdefault(address, {}).update((row.id, row) for row in rows)
        return found


def _name(address: str) -> tuple[str, str]:
    """The kind and the name of an object: a person's are the same in every org."""
    return addresses.split(address)[-1]


def _is_by_email(request: InFlight) -> bool:
    kind = addresses.kind_of(request.address)
    return request.method == "POST" and kind == member.KIND.name and member.is_by_email(request.body)


def _confirmed(there: _Open, address: str, one: Invited, known: Lock) -> Resource | None:
    """The pending invitation that the journal says was sent to an address, where live shows it."""
    if one.at is None:
        return None
    try:
        rows = there.fitting(address, one.role, _others(known, address), one.at)
    except StatusError:
        return None  # the org is not there any more, or not ours to read
    return next((row for row in rows if row.id == one.user_id), None)


def _others(known: Lock, address: str) -> set[str]:
    """The user ids that the lock file knows under another name than that of `address`, in whatever org."""
    return {entry.id for at, entry in known.items() if _name(at) != _name(address)}


def _became(client: Client, request: InFlight, known: dict[str, LockEntry], reached: _Reached) -> str:
    kind = KINDS[addresses.kind_of(request.address)]
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
    handle = (request.body or {}).get("handle") if kind.names_people else addresses.name_of(request.address)
    if handle is not None:
        sent = Request(request.method, request.path, request.body)
        return _made(reading.find_created(client, kind, place, str(handle), sent))
    if request.address in known:
        return "it took effect"
    new, shared = reached.by(request.address)
    if not new:
        return f"it did not take effect{_AGAIN}"
    if shared:
        return "it is unclear whether a new invitation is this one or another one that was in flight"
    if len(new) > 1:
        return "it is unclear which of several new invitations it is"
    email = str((request.body or {}).get("email") or "")
    known[request.address] = invited(new[0].id, new[0].handle, email, new[0].attrs.get("sent"))
    return f"it took effect, as {new[0].handle}"


def _made(found: Sequence[Resource]) -> str:
    return "it took effect" if found else f"it did not take effect{_AGAIN}"
