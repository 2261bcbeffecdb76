"""What a safeguard is: a code, whether `--allow` lifts it, its check, and its page in the docs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.model.desired import Desired
    from reconciler.model.diagnostic import Refusal
    from reconciler.model.live import Snapshot
    from reconciler.model.plan import Step
    from reconciler.safeguards.worksheet import Draft, OrgWorksheet

_MARK = re.compile(r"^<!-- .* -->\n", re.MULTILINE)


class Case(msgspec.Struct, frozen=True):
    """What a safeguard judges: one org's worksheet and steps. `desired` and `live` are whole."""

    worksheet: OrgWorksheet
    steps: Sequence[Step]
    desired: Desired
    live: Snapshot


class Safeguard(msgspec.Struct, frozen=True):
    """One safeguard."""

    code: str
    lifted_by_allow: bool
    page: str  # its section of docs/safeguards.md below the heading, in Markdown
    check: Callable[[Case], Iterator[Refusal]] | None = None  # None: refused where the fact is found, see `found_in`
    found_in: str = ""  # the file that refuses, where there is no check
    allow_note: str = ""  # what the table says beyond yes and never

    @property
    def text(self) -> str:
        """The page for a reader outside the docs: with its heading, and without the marks that the docs' tests read."""
        return f"# {self.code}\n\n{_MARK.sub('', self.page)}"


def live_attributes(draft: Draft) -> dict[str, Any]:
    """The attributes of the live object that a draft changes; empty for a create."""
    return draft.have.attrs if draft.have is not None else {}
