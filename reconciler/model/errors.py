"""Exceptions that cross rooms. `reconciler.cli` alone maps them to exit statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.diagnostic import Diagnostic, Refusal


class ReconcilerError(Exception):
    """Base of every error that a user can cause or meet; its text is one line for them."""


class UsageError(ReconcilerError):
    """The command line or a setting asks for something impossible (exit status 1)."""


class ManifestError(ReconcilerError):
    """The manifests cannot be used (exit status 1). `diagnostics` has every problem that was found, with its place."""

    def __init__(self, diagnostics: Sequence[Diagnostic], *, files: int = 0) -> None:
        self.diagnostics = tuple(diagnostics)
        self.files = files  # how many manifests were read
        super().__init__(f"{len(self.diagnostics)} problem(s) in the manifests")

    @property
    def first(self) -> str:
        """The first error in one line, with its place where it has one: `orgs.yaml:3:5: ...`."""
        found = next((one for one in self.diagnostics if one.severity == "error"), self.diagnostics[0])
        return found.summary if found.source is None else f"{found.source}: {found.summary}"


class RefusedRunError(ReconcilerError):
    """A safeguard refuses the run as a whole, before anything is done (exit status 3)."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.fact)


class PipesError(ReconcilerError):
    """Pipes was unreachable, gave an unusable answer, or denied access (exit status 4)."""


class ReadOnlyError(ReconcilerError):
    """A write reached a transport that only reads, and was stopped before it was sent. This is a bug in reconciler."""
