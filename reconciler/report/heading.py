"""The line that says where a report comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.model.made import Made


def line(made: Made) -> str:
    """`pipes.turbot.com as alice, 2026-11-24 09:00 UTC, git 1a2b3c4 with uncommitted changes, reconciler 0.1.0`; not escaped."""
    parts = [f"{made.host} as {made.user}"] if made.host and made.user else [made.host] if made.host else []
    parts.append(f"{made.at[:10]} {made.at[11:16]} UTC")
    if made.revision:
        parts.append(f"git {made.revision[:7]}{' with uncommitted changes' if made.dirty else ''}")
    parts.append(made.tool)
    return ", ".join(parts)
