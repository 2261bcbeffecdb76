"""Sending one step so that it happens once, or not at all, or is reported as unknown: never twice, never over
somebody else's change.

Every update and delete first reads the object again (`change.py`). What was lost on the way is looked for before anything is
repeated (`create.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.apply.change import modify, remove
from reconciler.apply.create import create
from reconciler.apply.errors import StepFailed
from reconciler.apply.logo_upload import perform_logo
from reconciler.apply.sending import Progress
from reconciler.kinds import KINDS, logo
from reconciler.model.errors import PipesError
from reconciler.model.result import Outcome
from reconciler.pipes.errors import LostAnswerError, NotSentError, StoppedError

if TYPE_CHECKING:
    from reconciler.apply.state import Run
    from reconciler.model.plan import Step
    from reconciler.model.request import Request


def perform(run: Run, step: Step) -> Outcome:
    """Do one step and say what became of it. Raises only for a bug in reconciler."""
    progress = Progress()
    try:
        for request in step.requests:
            _request(run, step, _filled(run, request), progress)
    except (PipesError, StepFailed, OSError) as error:
        return _failure(step, error, progress)
    return Outcome(step.number, step.address, step.action, "done" if progress.sent else "already", wrote=progress.wrote)


def _failure(step: Step, error: Exception, progress: Progress) -> Outcome:
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
            detail, status = "stopped before Pipes did it", "skipped"
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


def _request(run: Run, step: Step, request: Request, progress: Progress) -> None:
    change = run.changes[step.address]
    kind = KINDS[change.kind]
    if logo.is_about(request.path):
        perform_logo(run, step, change, request, progress)
    elif request.method == "POST":
        create(run, step, kind, request, progress)
    elif request.method == "PATCH":
        modify(run, step, change, kind, request, progress)
    else:
        remove(run, step, change, kind, request, progress)
