"""Sending one step so that it happens once, or not at all, or is reported as unknown: never twice, never over
somebody else's change.

Every update and delete first reads the object again: it must still be what the plan was made from (contract: no 412 is
documented, so a server may ignore `If-Match`). What was lost on the way is looked for before anything is repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock as Mutex
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from reconciler.apply import invitations, live_checks, logo_upload
from reconciler.apply.errors import StepFailed
from reconciler.kinds import KINDS, REFERRED, logo, member
from reconciler.kinds.kind import Place, same_value
from reconciler.model import address as addresses
from reconciler.model.errors import PipesError
from reconciler.model.live import ADDRESS, INVITED_ON, LockEntry, address_digest
from reconciler.model.plan import READDRESSED
from reconciler.model.request import Request
from reconciler.model.result import Outcome
from reconciler.pipes import reading
from reconciler.pipes.errors import LostAnswerError, NotSentError, StoppedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.apply.state import Run
    from reconciler.kinds.kind import Kind
    from reconciler.model.live import Resource
    from reconciler.model.plan import Change, Step
    from reconciler.pipes.client import Answer, Upload

# how often an unclear answer is looked into before the step is given up as unknown
TRIES = 4
CONFLICT = frozenset({409, 412})


@dataclass(slots=True)
class _Progress:
    """Whether a step has changed anything yet, and whether it found all as wanted."""

    wrote: bool = False
    sent: bool = False
    lost: LostAnswerError | None = None  # the last answer that never came
    unclear: bool = False  # something may have taken effect though Pipes did not say so

    def seen_undone(self) -> None:
        """Live has been looked at: what a 5xx left open did not happen. A lost request may still be on its way."""
        self.unclear = self.lost is not None


def perform(run: Run, step: Step) -> Outcome:
    """Do one step and say what became of it. Raises nothing but what is a bug of ours."""
    progress = _Progress()
    try:
        for request in step.requests:
            _request(run, step, _filled(run, request), progress)
    except (PipesError, StepFailed, OSError) as error:
        return _failure(step, error, progress)
    return Outcome(step.number, step.address, step.action, "done" if progress.sent else "already", wrote=progress.wrote)


def _failure(step: Step, error: Exception, progress: _Progress) -> Outcome:
    detail, wrote, status = str(error), progress.wrote or progress.unclear, "failed"
    if isinstance(error, LostAnswerError):
        detail, wrote, status = (
            f"{error}; whether Pipes did it is not known, the next apply looks first",
            True,
            "unconfirmed",
        )
    elif isinstance(error, StoppedError):
        if progress.unclear:
            detail, status = (
                "stopped before it was known whether Pipes did it; the next apply looks first",
                "unconfirmed",
            )
        elif progress.wrote:
            detail = "stopped after a part of it was done; apply again to finish it"
        else:
            detail, status = "stopped before it was sent", "skipped"
    elif isinstance(error, StepFailed):
        wrote = wrote or error.wrote
    elif isinstance(error, OSError):
        detail = f"the journal cannot be written ({error.strerror}), so nothing more was sent"
    return Outcome(
        step.number,
        step.address,
        step.action,
        status,
        detail,
        wrote,
        getattr(error, "status", None),
        getattr(error, "request_id", None),
        getattr(error, "code", None),
        unreachable=isinstance(error, NotSentError) and not isinstance(error, StoppedError),
    )


def _filled(run: Run, request: Request) -> Request:
    if request.late is None:
        return request
    with run.mutex:
        value = run.late.get(request.late)
    if value is None:
        raise StepFailed(f"Pipes said neither handle nor id of {request.late}, which this needs")
    return request.filled(value)


def _request(run: Run, step: Step, request: Request, progress: _Progress) -> None:
    change = run.changes[step.address]
    kind = KINDS[change.kind]
    if logo.is_about(request.path):
        _logo(run, step, change, request, progress)
    elif request.method == "POST":
        _create(run, step, kind, request, progress)
    elif request.method == "PATCH":
        _modify(run, step, change, kind, request, progress)
    else:
        _remove(run, step, change, kind, request, progress)


def _send(
    run: Run,
    step: Step,
    request: Request,
    progress: _Progress,
    known: Sequence[str] = (),
    upload: Upload | None = None,
) -> Answer | None:
    """Send between the journal's intent and outcome; None where no answer came. Raises NotSentError."""
    ticket = run.journal.intent(step, request, tuple(known))
    progress.sent = True
    try:
        answer = run.client.send(request, upload)
    except LostAnswerError as error:
        progress.lost, progress.unclear = error, True
        run.journal.outcome(ticket, "lost")
        return None
    except NotSentError:
        run.journal.outcome(ticket, "not sent")
        raise
    progress.wrote = progress.wrote or answer.ok
    progress.unclear = progress.unclear or _unclear(answer)
    run.journal.outcome(ticket, str(answer.status), answer.body)
    return answer


def _give_up(progress: _Progress, answer: Answer | None) -> NoReturn:
    """End a request that stayed unclear to the last."""
    if answer is not None:
        raise _failed(answer, f"gave up after {TRIES} tries: ")
    assert progress.lost is not None
    raise progress.lost


def _failed(answer: Answer, note: str = "") -> StepFailed:
    return StepFailed(f"{note}Pipes answered {answer.problem}", status=answer.status, request_id=answer.request_id)


def _unclear(answer: Answer) -> bool:
    return answer.status >= 500


def _pause(run: Run, attempt: int, answer: Answer | None) -> None:
    """Give an unclear request time to take effect, and a server in trouble time to recover."""
    if answer is None or _unclear(answer):
        run.client.pause(attempt, answer.retry_after if answer is not None else None)


# --- creating ---------------------------------------------------------------------------------------------------------


def _create(run: Run, step: Step, kind: Kind, request: Request, progress: _Progress) -> None:
    if kind is not member.KIND or "handle" in (request.body or {}):
        _create_one(run, step, kind, request, progress)
        return
    with run.mutex:
        turn = run.turns.setdefault(addresses.org_of(step.address), Mutex())
    with turn:  # two lost answers at once could not be told apart
        _create_one(run, step, kind, request, progress)


def _create_one(run: Run, step: Step, kind: Kind, request: Request, progress: _Progress) -> None:
    body = request.body or {}
    by_email = kind is member.KIND and "handle" not in body
    place = Place.of(step.address)
    before = _pending(run, place) if by_email else []
    answer = None
    for attempt in range(1, TRIES + 1):
        answer = _send(run, step, request, progress, before)
        if answer is not None and answer.ok:
            _must_be_ours(kind, answer.body or {})
            _learn(run, step, kind, answer.body or {}, request)
            return
        if answer is not None and not _unclear(answer) and answer.status not in (400, *CONFLICT):
            raise _failed(answer)
        _pause(run, attempt, answer)
        # it may be there: by this very request whose answer was lost, or by somebody else
        found = (
            _invited_meanwhile(run, place, before, str(body["role"]))
            if by_email
            else _made(run, step, kind, request, progress)
        )
        if found is not None:
            if not _as_wanted(kind, found, {k: v for k, v in body.items() if k not in ("handle", "email")}):
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
        if answer is not None and not _unclear(answer):
            raise _failed(answer)
        progress.seen_undone()
    _give_up(progress, answer)


def _made(run: Run, step: Step, kind: Kind, request: Request, progress: _Progress) -> Resource | None:
    """What a create that was sent has made, if it has. Several that it could be are not told apart."""
    body = request.body or {}
    handle = str(body["handle"]) if kind.names_people else addresses.split(step.address)[-1][1]
    found = reading.find_created(run.client, kind, Place.of(step.address), handle, request)
    if len(found) > 1:
        raise StepFailed(
            f"no clear answer came, and {len(found)} are there that it could be ({', '.join(one.id for one in found)}): "
            "which one is meant is unclear",
            wrote=progress.unclear,
        )
    return found[0] if found else None


def _must_be_ours(kind: Kind, body: Mapping[str, Any]) -> None:
    """Stop where a create did something to an object of the org's instead, one that came to be after the plan was made."""
    if kind.must_differ_from is None or kind.is_own_row is None:
        return
    try:
        ours = kind.is_own_row(msgspec.convert(body, kind.row))
    except msgspec.ValidationError:
        ours = False
    if not ours:
        raise StepFailed(
            f"what Pipes answers with is no {kind.noun}: it may have attached the organization's {kind.must_differ_from} of "
            "that handle; look at it, and choose another handle",
            wrote=True,
        )


def _pending(run: Run, place: Place) -> list[str]:
    """The user ids of the invitations that are open now: the list that a lost answer is compared with."""
    return [r.id for r in invitations.members(run.client, place.org) if r.attrs.get("status") == member.INVITED]


def _invited_meanwhile(run: Run, place: Place, before: Sequence[str], role: str) -> Resource | None:
    """Who has been invited by us since `before` was read. More than one cannot be told apart, and is not guessed."""
    with run.mutex:
        known = {*before, *(entry.id for entry in run.learned.values())}
    new = invitations.new_invitations(run.client, place.org, invitations.Sought(role, run.actor, known, run.by_handle))
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
            by_email = kind is member.KIND and "handle" not in (request.body or {})
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


# --- changing and removing --------------------------------------------------------------------------------------------


def _modify(run: Run, step: Step, change: Change, kind: Kind, request: Request, progress: _Progress) -> None:
    body = request.body or {}
    now = reading.read_again(run.client, kind, request.path)
    if now is None:
        new_name = reading.read_again(run.client, kind, _renamed_path(request)) if "handle" in body else None
        if new_name is not None and new_name.id == change.id and _as_wanted(kind, new_name, body):
            return
        raise StepFailed("it is not there any more; plan again")
    answer = None
    # whether live has the secrets is not told: they are sent, and once more where the answer was lost
    blind = any(a.secret and a.name in body for a in kind.attributes)
    for attempt in range(1, TRIES + 1):
        if _as_wanted(kind, now, body):
            if not blind:
                progress.wrote = progress.wrote or progress.unclear
                _note(run, step, body)
                return
            if progress.sent:
                _note(run, step, body)
        else:
            progress.seen_undone()
        _must_be_as_planned(run, step, change, kind, now)
        if step.accepted_owners is not None:
            live_checks.owner_floor(run, step, now)
        answer = _send(run, step, Request("PATCH", request.path, body, now.version), progress)
        if answer is not None and answer.ok:
            _note(run, step, body)
            return
        if answer is not None and answer.status not in CONFLICT and not _unclear(answer):
            raise _failed(answer)
        _pause(run, attempt, answer)
        again = reading.read_again(run.client, kind, request.path)
        if again is None and "handle" in body:
            again = reading.read_again(run.client, kind, _renamed_path(request))
        if again is None:
            raise StepFailed("it went away while it was being changed; plan again", wrote=progress.unclear)
        if answer is not None and answer.status in CONFLICT and not _as_wanted(kind, again, body):
            raise _failed(
                answer, "it was changed by somebody else at this moment, and is left as they made it; plan again. "
            )
        now = again
    _give_up(progress, answer)


def _renamed_path(request: Request) -> str:
    return f"{request.path.rpartition('/')[0]}/{(request.body or {}).get('handle')}"


def _remove(run: Run, step: Step, change: Change, kind: Kind, request: Request, progress: _Progress) -> None:
    answer = None
    for attempt in range(1, TRIES + 1):
        now = reading.read_again(run.client, kind, request.path)
        if now is None:
            progress.wrote = progress.wrote or progress.unclear
            return
        progress.seen_undone()
        if change.reason == READDRESSED and now.attrs.get("status") != member.INVITED:
            raise StepFailed(
                "the invitation to the former address was accepted meanwhile; the account is left as it is, plan again"
            )
        _must_be_as_planned(run, step, change, kind, now)
        if step.accepted_owners is not None:
            live_checks.owner_floor(run, step, now)
        if kind.name in REFERRED:
            live_checks.nothing_inside(run, step, kind, now)
        answer = _send(run, step, Request("DELETE", request.path, None, now.version), progress)
        if answer is not None and (answer.ok or answer.status == 404):
            return
        if answer is not None and answer.status in CONFLICT:
            if reading.read_again(run.client, kind, request.path) is None:
                return
            raise _failed(
                answer, "it was changed by somebody else at this moment, and is left as they made it; plan again. "
            )
        if answer is not None and not _unclear(answer):
            raise _failed(answer)
        _pause(run, attempt, answer)
    _give_up(progress, answer)


# --- the logo ---------------------------------------------------------------------------------------------------------


def _logo(run: Run, step: Step, change: Change, request: Request, progress: _Progress) -> None:
    """Upload an org's logo, or go back to the generated one (org_createAvatar, org_deleteAvatar).

    Either can be done twice: the same picture is the same. So what was lost is sent again, unless somebody else may have
    put another picture there. What Pipes answers is for the lock file: nothing else tells the next plan what is live.
    """
    body = request.body or {}
    reference, instead_of = body.get(logo.MARK), body.get("instead_of")
    upload = logo_upload.upload(reference, run.folders.get(step.address, "")) if reference is not None else None
    org_path = request.path.rpartition("/")[0]
    answer = None
    before = instead_of
    for attempt in range(1, TRIES + 1):
        now = reading.read_again(run.client, KINDS[change.kind], org_path)
        if now is None:
            raise StepFailed("the organization is not there any more; plan again")
        if change.id is not None and now.id != change.id:
            raise StepFailed(f"another object has this handle now ({now.id}, planned for {change.id}); plan again")
        url = now.attrs.get(logo.URL)
        if attempt == 1 and change.before is None:
            before = url  # made by this apply: nobody has seen an earlier one
        if url != before:
            raise StepFailed(
                "the logo was changed by somebody else since it was read; it is left as they made it, plan again"
                if attempt == 1
                else "no answer came, and the logo is another one now: whether it is ours is unclear; plan again",
                wrote=attempt > 1,
            )
        answer = _send(run, step, Request(request.method, request.path, body, now.version), progress, (), upload)
        if answer is not None and (answer.ok or (answer.status == 404 and reference is None)):
            new = (answer.body or {}).get(logo.URL) if answer.ok else url
            more = {logo.MARK: logo.mark(reference), logo.URL: new} if isinstance(new, str) else {}
            with run.mutex:
                run.learned[step.address] = LockEntry(now.id, more=more)
            return
        if answer is not None and not _unclear(answer):
            by_others = "the organization was changed by somebody else at this moment; plan again. "
            raise _failed(answer, by_others if answer.status in CONFLICT else "")
        _pause(run, attempt, answer)
    _give_up(progress, answer)


def _as_wanted(kind: Kind, now: Resource, body: Mapping[str, Any]) -> bool:
    attributes = {a.name: a for a in kind.attributes}
    for name, value in body.items():
        if name == "handle":
            if not kind.names_people and now.handle != value:
                return False
        elif (a := attributes.get(name)) is not None and not a.same(now.attrs.get(name), value):
            return False
    return True


def _must_be_as_planned(run: Run, step: Step, change: Change, kind: Kind, now: Resource) -> None:
    """Stop where the object is not what the reviewer saw: another id, or another value of anything that can be set."""
    if change.id is not None and now.id != change.id:
        raise StepFailed(f"another object has this handle now ({now.id}, planned for {change.id}); plan again")
    if change.before is None:
        return  # made by this apply: there is no earlier state that a reviewer saw
    ours = run.attrs.get(step.address, {})
    before = {**change.before, **ours}
    for a in kind.attributes:
        if a.refers_to is not None:
            was = {**run.seen.get(now.id, {}), **ours}
            if a.api_field in was and now.attrs.get(a.api_field) != was[a.api_field]:
                raise StepFailed(f"{a.name} was changed by somebody else since it was read; plan again")
            continue
        same = a.same if a.secret else same_value
        if a.settable and not a.own_request and not same(now.attrs.get(a.name), before.get(a.name)):
            what = f": {before.get(a.name)!r} is now {now.attrs.get(a.name)!r}" if not a.secret else ""
            raise StepFailed(
                f"{a.name} was changed by somebody else since it was read{what}; it is left as they made it, plan again"
            )


def _note(run: Run, step: Step, body: Mapping[str, Any]) -> None:
    with run.mutex:
        known = run.attrs.setdefault(step.address, {})
        known.update({name: value for name, value in body.items() if name != "handle"})


def _shown(kind: Kind, found: Resource) -> str:
    shown = kind.shown({a.name: found.attrs.get(a.name) for a in kind.attributes if not a.secret})
    return ", ".join(f"{name}: {value}" for name, value in shown.items())
