"""Where a report comes from: which Pipes, whose token, when, from which revision, by which version of the tool."""

from __future__ import annotations

import msgspec


class Made(msgspec.Struct, frozen=True):
    """The origin of a report. It says nothing about what was found, so a saved plan's digest leaves it out."""

    at: str  # the moment in UTC, such as 2026-11-24T09:00:00Z
    tool: str  # such as `reconciler 0.1.0`
    host: str = ""  # where Pipes is; `sandbox` for an embedded one; empty for a report that did not ask Pipes
    user: str = ""  # the handle of the token's own user; empty for the same reports
    revision: str = ""  # the git commit of the current folder; empty outside of a repository
    dirty: bool = False  # whether tracked files differ from that commit, or a manifest is not in it
