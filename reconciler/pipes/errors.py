"""What can go wrong with a request. Every text is one line that names the host, what came back, and what to do.

None of these carries the exception of the HTTP library that caused it: that one holds the request, and so the token.
"""

from __future__ import annotations

from reconciler.model.errors import PipesError


class NotSentError(PipesError):
    """The request surely did not reach Pipes: an unknown host, nothing listening, a refused certificate.

    `repeatable` is False where trying again cannot help.
    """

    def __init__(self, message: str, *, repeatable: bool = True) -> None:
        super().__init__(message)
        self.repeatable = repeatable


class WaitedError(NotSentError):
    """The request was not sent: its turn came so late that what was read for it may not be so any more."""

    status = 429  # the wait is one that Pipes asked for


class StoppedError(NotSentError):
    """The request was not sent, or not sent again, because the run was stopped."""

    def __init__(self, message: str) -> None:
        super().__init__(message, repeatable=False)


class LostAnswerError(PipesError):
    """The request left and no usable answer came back: a write may or may not have taken effect."""

    def __init__(self, message: str, *, repeatable: bool = True) -> None:
        super().__init__(message)
        self.repeatable = repeatable


class ContentError(PipesError):
    """A success whose body is not what the contract says: a proxy's page, JSON cut short, a field of another type."""


class StatusError(PipesError):
    """Pipes answered a GET with something other than success. `problem` is its own text, shortened."""

    def __init__(self, message: str, status: int, problem: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.problem = problem
        self.retry_after = retry_after


class NotAuthorisedError(StatusError):
    """The token is not accepted at all (401, or 403 on actor_get)."""


class PartialReadError(PipesError):
    """A list could not be read whole: a cursor repeats, or rows came twice, so others may be missing."""
