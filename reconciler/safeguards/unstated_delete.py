"""What workspace-delete and connection-delete have in common: no object is deleted that the manifest does not state absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.diagnostic import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.kinds.kind import Kind
    from reconciler.safeguards.safeguard import Case


def refusals(case: Case, code: str, kind: Kind, along: str = "") -> Iterator[Refusal]:
    """A refusal for each object of `kind` that would be deleted without a statement; `along` names what goes with it."""
    for draft in case.worksheet.drafts:
        if draft.kind is kind and draft.action == "delete" and not draft.stated:
            yield Refusal(
                code,
                draft.address,
                f"the {kind.noun} {draft.handle}{along} would be deleted, but no line of the manifest states it",
                f"state it with `{draft.handle}: {{absent: true}}`, or keep it",
                case.worksheet.want.source,
                liftable=False,
            )
