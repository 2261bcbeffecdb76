"""Creates an object or sends an invitation; after an unclear answer, looks for what it made before it is sent again."""

from __future__ import annotations

from threading import Lock as Mutex
from typing import TYPE_CHECKING, Any

import msgspec

from reconciler.apply import invitations
from reconciler.apply.errors import StepFailed
from reconciler.apply.live_checks import is_as_wanted
from reconciler.apply.sending import CONFLICT, TRIES, Progress, give_up, is_unclear, pause, refused_by_pipes, send
from reconciler.kinds import member
from reconciler.kinds.kind import Place
from reconciler.model import address as addresses
from reconciler.model.live import ADDRESS, INVITED_ON, LockEntry, address_digest
from reconciler.pipes import reading
from reconciler.pipes.answers import convert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.apply.state import Run
    from reconciler.kinds.kind import Kind
    from reconciler.model.live import Resource
    from reconciler.model.plan import Step
    from reconciler.model.request import Request


# a server may say so of an address whose account it knows, and the manifests by another name
THERE_ALREADY = "; somebody who is there already needs `handle: HANDLE` beside the email in `people:`"


def create(run: Run, step: Step, kind: Kind, request: Request, progress: Progress) -> None:
    if kind is not member.KIND or not member.is_by_email(request.body):
        _create_one(run, step, kind, request, progress)
        return
    with run.mutex:
        turn = run.turns.setdefault(addresses.org_of(step.address), Mutex())
    with turn:  # two lost answers at once could not be told apart
        try:
            _create_one(run, step, kind, request, progress)
        except Exception:
            if progress.unclear:  # it may still arrive, while the next one's answer is looked for
                run.unanswered.add((addresses.org_of(step.address), str((request.body or {}).get("role"))))
            raise


def _create_one(run: Run, step: Step, kind: Kind, request: Request, progress: Progress) -> None:
    body = request.body or {}
    by_email = kind is member.KIND and member.is_by_email(body)
    place = Place.of(step.address)
    before = _pending(run, place) if by_email else []
    answer = None
    for attempt in range(1, TRIES + 1):
        answer = send(run, step, request, progress, before)
        if answer is not None and answer.ok:
            _must_be_ours(kind, answer.body or {})
            _learn(run, step, kind, answer.body or {}, request)
            return
        if answer is not None and not is_unclear(answer) and answer.status not in (400, *CONFLICT):
            raise refused_by_pipes(answer)
        pause(run, attempt, answer)
        # it may exist: made by this request, whose answer was lost, or by somebody else
        found = (
            _invited_meanwhile(run, place, before, str(body["role"]))
            if by_email
            else _made(run, step, kind, request, progress)
        )
        if found is not None:
            if not is_as_wanted(kind, found, {k: v for k, v in body.items() if k not in ("handle", "email")}):
                raise StepFailed(
                    f"{found.attrs.get('title') if not kind.has_handles else found.handle} is there already, with other attributes than planned "
                    f"({_shown(kind, found)}); plan again",
                    wrote=progress.unclear,
                )
            if progress.unclear:
                progress.wrote = True
            elif answer is not None:
                progress.sent = False
            _learn_resource(run, step, kind, found, request)
            return
        if answer is not None and not is_unclear(answer):
            raise refused_by_pipes(answer, hint=THERE_ALREADY if by_email else "")
        progress.seen_undone()
    give_up(progress, answer)


def _made(run: Run, step: Step, kind: Kind, request: Request, progress: Progress) -> Resource | None:
    """The object that a create has made, if any. Among several candidates, none is guessed."""
    body = request.body or {}
    handle = str(body["handle"]) if kind.names_people else addresses.name_of(step.address)
    found = reading.find_created(run.client, kind, Place.of(step.address), handle, request)
    if len(found) > 1:
        raise StepFailed(
            f"no clear answer came, and {len(found)} are there that it could be ({', '.join(one.id for one in found)}): "
            "which one is meant is unclear",
            wrote=progress.unclear,
        )
    return found[0] if found else None


def _must_be_ours(kind: Kind, body: Mapping[str, Any]) -> None:
    """Stop where a create did something to an object of the org's instead, one created after the plan was made."""
    if kind.must_differ_from is None or kind.is_own_row is None:
        return
    try:
        ours = kind.is_own_row(convert(body, kind.row))
    except msgspec.ValidationError:
        ours = False
    if not ours:
        raise StepFailed(
            f"what Pipes answers with is not a {kind.noun}: it may have attached the organization's {kind.must_differ_from} of "
            "that handle; look at it, and choose another handle",
            wrote=True,
        )


def _pending(run: Run, place: Place) -> list[str]:
    """The user ids of the invitations that are open now: the list that a lost answer is compared with."""
    return [row.user_id for row in invitations.open_rows(run.client, place.org)]


def _invited_meanwhile(run: Run, place: Place, before: Sequence[str], role: str) -> Resource | None:
    """Who has been invited by us since `before` was read. More than one cannot be told apart, and is not guessed."""
    with run.mutex:
        known = {*before, *(entry.id for entry in run.learned.values())}
    rows = invitations.open_rows(run.client, place.org)
    new = invitations.fitting(rows, invitations.Sought(role, run.actor, known, run.by_handle))
    if new and (place.org, role) in run.unanswered:
        raise StepFailed(
            f"no clear answer came, and whether {new[0].handle} is this new invitation or an earlier one without an answer "
            "is unclear; name the handle in `people:`",
            wrote=True,
        )
    if len(new) > 1:
        raise StepFailed(
            f"the answer was lost and {len(new)} invitations are new ({', '.join(r.handle for r in new)}): which one is "
            "meant is unclear, name the handle in `people:`",
            wrote=True,
        )
    return new[0] if new else None


def _learn(run: Run, step: Step, kind: Kind, body: Mapping[str, Any], request: Request) -> None:
    """Keep what a create answered: the id for the lock file, and what later requests wait for."""
    identifier = body.get("user_id") if kind.names_people else body.get("id")
    handle = body.get("user_handle") if kind.names_people else body.get("handle")
    with run.mutex:
        if isinstance(identifier, str) and kind.in_lock_file:
            by_email = kind is member.KIND and member.is_by_email(request.body)
            run.learned[step.address] = (
                invited(identifier, handle, str((request.body or {}).get("email")), body.get("created_at"))
                if by_email and isinstance(handle, str)
                else LockEntry(identifier)
            )
        late = handle if kind is member.KIND else identifier
        if isinstance(late, str):
            run.late[step.address] = late


def invited(identifier: str, handle: str, email: str, moment: object) -> LockEntry:
    """The lock entry of an invitation by email, and of when it was sent (contract: `created_at`, UTC)."""
    day = {INVITED_ON: moment[:10]} if isinstance(moment, str) else {}
    return LockEntry(identifier, handle, {ADDRESS: address_digest(email), **day})


def _learn_resource(run: Run, step: Step, kind: Kind, found: Resource, request: Request) -> None:
    email = (request.body or {}).get("email") if kind is member.KIND else None
    with run.mutex:
        if kind.in_lock_file:
            run.learned[step.address] = (
                invited(found.id, found.handle, str(email), found.attrs.get("sent")) if email else LockEntry(found.id)
            )
        run.late[step.address] = found.handle if kind is member.KIND else found.id


def _shown(kind: Kind, found: Resource) -> str:
    shown = kind.shown({a.name: found.attrs.get(a.name) for a in kind.attributes if not a.secret})
    return ", ".join(f"{name}: {value}" for name, value in shown.items())
