"""Sends one request of a step between its two lines in the journal, and keeps what is known of its effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import msgspec

from reconciler.apply.errors import NotNeeded, StepFailed
from reconciler.pipes.errors import LostAnswerError, NotSentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.apply.state import Run
    from reconciler.model.plan import Step
    from reconciler.model.request import Request
    from reconciler.pipes.client import Answer, Upload

# how often an unclear answer is looked into before the step is given up as unknown
TRIES = 4
CONFLICT = frozenset({409, 412})


class Progress(msgspec.Struct):
    """Whether a step has changed anything yet, and whether it found all as wanted."""

    wrote: bool = False
    sent: bool = False
    lost: LostAnswerError | None = None  # the last answer that never came
    unclear: bool = False  # something may have taken effect though Pipes did not say so

    def seen_undone(self) -> None:
        """Live has been looked at: what a 5xx left open did not happen. A lost request may still be on its way."""
        self.unclear = self.lost is not None


def send(
    run: Run,
    step: Step,
    request: Request,
    progress: Progress,
    known: Sequence[str] = (),
    upload: Upload | None = None,
    again: Callable[[], Request] | None = None,
) -> Answer | None:
    """Send between the journal's intent and outcome; None where no answer came. Raises NotSentError.

    `again` looks at the object once more where the request had to wait. It gives the request for what is there now, or raises
    StepFailed or NotNeeded.
    """
    ticket = run.journal.intent(step, request, tuple(known))
    try:
        answer = run.client.send(request, upload, again)
    except LostAnswerError as error:
        progress.sent, progress.lost, progress.unclear = True, error, True
        run.journal.outcome(ticket, "lost")
        return None
    except (NotSentError, StepFailed, NotNeeded):
        run.journal.outcome(ticket, "not sent")
        raise
    progress.sent = True
    progress.wrote = progress.wrote or answer.ok
    progress.unclear = progress.unclear or is_unclear(answer)
    run.journal.outcome(ticket, str(answer.status), answer.body)
    return answer


def give_up(progress: Progress, answer: Answer | None) -> NoReturn:
    """End a request that stayed unclear to the last."""
    if answer is not None:
        raise refused_by_pipes(answer, f"gave up after {TRIES} tries: ")
    assert progress.lost is not None
    raise progress.lost


def refused_by_pipes(answer: Answer, note: str = "", hint: str = "") -> StepFailed:
    return StepFailed(
        f"{note}Pipes answered {answer.problem}{hint}", status=answer.status, request_id=answer.request_id
    )


def is_unclear(answer: Answer) -> bool:
    return answer.status >= 500


def pause(run: Run, attempt: int, answer: Answer | None) -> None:
    """Give an unclear request time to take effect, and a server in trouble time to recover."""
    if answer is None or is_unclear(answer):
        run.client.pause(attempt, answer.retry_after if answer is not None else None)
