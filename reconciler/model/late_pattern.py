"""Regular expressions that most runs never use: to compile all of them takes longer than to read a small manifest."""

from __future__ import annotations

import re
from typing import Any, cast


class _Late:
    """A pattern that is compiled when one of its methods is first used."""

    def __init__(self, pattern: str, flags: int) -> None:
        self._given = (pattern, flags)

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(*self._given), name)
        setattr(self, name, found)  # the next call finds it without coming here
        return found


def late_pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Like `re.compile`, which runs when the pattern is first used. For patterns of the code: an invalid one fails late."""
    return cast("re.Pattern[str]", _Late(pattern, flags))
