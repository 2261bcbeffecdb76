"""Why a request of a step was not sent."""

from __future__ import annotations

from reconciler.model.errors import ReconcilerError


class StepFailed(ReconcilerError):  # noqa: N818 - it is an outcome, told apart from errors of ours
    """One step failed. `wrote` is True where something was, or may have been, changed by it. `code` is the safeguard that refused."""

    def __init__(
        self,
        detail: str,
        *,
        wrote: bool = False,
        status: int | None = None,
        request_id: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.wrote = wrote
        self.status = status
        self.request_id = request_id
        self.code = code


class NotNeeded(ReconcilerError):  # noqa: N818 - it is no error at all
    """The object is as the request would make it."""
