"""What `doctor` found: one line for each check, as text or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from reconciler.kinds.secret import without_tokens
from reconciler.report.text import CODES, escape

if TYPE_CHECKING:
    from collections.abc import Sequence

STATUSES = {"ok": "green", "warn": "yellow", "fail": "alarm"}


class Check(msgspec.Struct, frozen=True):
    """One thing that `doctor` looked at."""

    name: str  # such as `token` or `org.acme`
    status: str  # ok | warn | fail
    found: str  # what is the case
    fix: str = ""  # what to do about it; empty for nothing


def render(checks: Sequence[Check], format: str, *, color: bool = False) -> str:  # noqa: A002
    """`checks` as `text` or `json`, ending in a newline."""
    checks = [Check(c.name, c.status, without_tokens(c.found), without_tokens(c.fix)) for c in checks]
    if format == "json":
        from reconciler.plan.document import write

        return write({"checks": [{"name": c.name, "status": c.status, "found": c.found, "fix": c.fix} for c in checks]})
    wide = max((len(escape(check.name)) for check in checks), default=0)
    return "".join(_line(check, wide, color=color) + "\n" for check in checks)


def _line(check: Check, wide: int, *, color: bool) -> str:
    status = f"{check.status:4}"
    if color:
        status = f"\x1b[{CODES[STATUSES[check.status]]}m{status}\x1b[0m"
    fix = f". To fix: {escape(check.fix)}" if check.fix else ""
    return f"{status}  {escape(check.name):{wide}}  {escape(check.found)}{fix}"
