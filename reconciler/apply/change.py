"""Changes or removes an object, after a look that it still is what the plan was made from.

It looks again after each wait. Contract: no 412 is documented, so a server may ignore `If-Match`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.apply import invitations, live_checks
from reconciler.apply.errors import NotNeeded, StepFailed
from reconciler.apply.live_checks import is_as_wanted
from reconciler.apply.sending import CONFLICT, TRIES, Progress, give_up, is_unclear, pause, refused_by_pipes, send
from reconciler.kinds import REFERRED, member, secret
from reconciler.kinds.kind import Place, same_value
from reconciler.model.plan import READDRESSED
from reconciler.model.request import Request
from reconciler.pipes import reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.apply.state import Run
    from reconciler.kinds.kind import Kind
    from reconciler.model.live import Resource
    from reconciler.model.plan import Change, Step


def modify(run: Run, step: Step, change: Change, kind: Kind, request: Request, progress: Progress) -> None:
    body = request.body or {}
    # Pipes does not show whether it has the secrets: they are sent, and again where the answer was lost
    blind = any(a.secret and a.name in body for a in kind.attributes)

    owners: list[Resource] = []

    def look() -> Resource | None:
        now = _read(run, step, kind, request, owners)
        return reading.read_again(run.client, kind, _renamed_path(request)) if now is None and "handle" in body else now

    def ready(now: Resource | None) -> Request:
        if now is None:
            raise StepFailed("it is not there any more; plan again")
        if not is_as_wanted(kind, now, body):
            progress.seen_undone()
        elif not blind and change.id in (None, now.id):
            raise NotNeeded
        elif progress.sent:
            _note(run, step, body)
        _must_be_as_planned(run, step, change, kind, now)
        if step.accepted_owners is not None:
            again = _check_owners(run, step, kind, request, now, owners)
            if again is None:
                raise StepFailed("it is not there any more; plan again")
            if is_as_wanted(kind, again, body):
                raise NotNeeded
            _must_be_unchanged(now, again)
        return Request("PATCH", request.path, body, now.version)

    answer, now = None, look()
    for attempt in range(1, TRIES + 1):
        try:
            answer = send(run, step, ready(now), progress, again=lambda: ready(look()))
        except NotNeeded:
            progress.wrote = progress.wrote or progress.unclear
            _note(run, step, body)
            return
        if answer is not None and answer.ok:
            _note(run, step, body)
            return
        if answer is not None and answer.status not in CONFLICT and not is_unclear(answer):
            raise refused_by_pipes(answer)
        pause(run, attempt, answer)
        now = look()
        if now is None:
            raise StepFailed("it went away while it was being changed; plan again", wrote=progress.unclear)
        if answer is not None and answer.status in CONFLICT and not is_as_wanted(kind, now, body):
            raise refused_by_pipes(
                answer, "it was changed by somebody else at this moment, and is left as they made it; plan again. "
            )
    give_up(progress, answer)


def _renamed_path(request: Request) -> str:
    return f"{request.path.rpartition('/')[0]}/{(request.body or {}).get('handle')}"


def remove(run: Run, step: Step, change: Change, kind: Kind, request: Request, progress: Progress) -> None:
    owners: list[Resource] = []

    def ready() -> Request:
        now = _read(run, step, kind, request, owners)
        if now is None:
            raise NotNeeded
        progress.seen_undone()
        if change.reason == READDRESSED and now.attrs.get("status") != member.INVITED:
            raise StepFailed(
                "the invitation to the former address was accepted meanwhile; the account is left as it is, plan again"
            )
        _must_be_as_planned(run, step, change, kind, now)
        if step.accepted_owners is not None:
            again = _check_owners(run, step, kind, request, now, owners)
            if again is None:
                raise NotNeeded
            _must_be_unchanged(now, again)
        if kind.name in REFERRED:
            live_checks.nothing_inside(run, step, kind, now)
        return Request("DELETE", request.path, None, now.version)

    answer = None
    for attempt in range(1, TRIES + 1):
        try:
            answer = send(run, step, ready(), progress, again=ready)
        except NotNeeded:
            progress.wrote = progress.wrote or progress.unclear
            return
        if answer is not None and (answer.ok or answer.status == 404):
            return
        if answer is not None and answer.status in CONFLICT:
            if reading.read_again(run.client, kind, request.path) is None:
                return
            raise refused_by_pipes(
                answer, "it was changed by somebody else at this moment, and is left as they made it; plan again. "
            )
        if answer is not None and not is_unclear(answer):
            raise refused_by_pipes(answer)
        pause(run, attempt, answer)
    give_up(progress, answer)


def _read(run: Run, step: Step, kind: Kind, request: Request, owners: list[Resource]) -> Resource | None:
    """Read an object once more; an owner who leaves with the list of members, which the owner floor needs, in `owners`."""
    now = None
    if step.accepted_owners is not None:
        owners[:] = invitations.members(run.client, step.org)
        place = Place(org=step.org)
        now = next((row for row in owners if kind.object_path(place, row.handle) == request.path), None)
    # what is not in a list may be there, and a row without a version cannot show a write to it
    return now if now is not None and now.version else reading.read_again(run.client, kind, request.path)


def _check_owners(
    run: Run, step: Step, kind: Kind, request: Request, leaving: Resource, owners: Sequence[Resource]
) -> Resource | None:
    """Check the owner floor without `leaving`, and read it once more: the check takes several requests. None where it is gone."""
    live_checks.owner_floor(run, step, leaving, owners)
    return reading.read_again(run.client, kind, request.path)


def _must_be_unchanged(before: Resource, now: Resource) -> None:
    """Stop where somebody wrote to the row while the owners were checked, also where nothing in it differs.

    Another apply may hold it as an owner who stays. A list need not have all that the object itself has.
    """
    was, found = ((row.id, row.version, row.attrs.get("role"), row.attrs.get("status")) for row in (before, now))
    if was != found:
        raise StepFailed("it was changed by somebody else at this moment, and is left as they made it; plan again")


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
            one, other = (secret.unless_token(side.get(a.name)) for side in (before, now.attrs))
            what = f": {one!r} is now {other!r}" if not a.secret else ""
            raise StepFailed(
                f"{a.name} was changed by somebody else since it was read{what}; it is left as they made it, plan again"
            )


def _note(run: Run, step: Step, body: Mapping[str, Any]) -> None:
    with run.mutex:
        known = run.attrs.setdefault(step.address, {})
        known.update({name: value for name, value in body.items() if name != "handle"})
