"""Strategies for structs."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def built(kind: Any, *args: st.SearchStrategy[Any], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """`st.builds`, which cannot ask a struct for its signature: its annotations are for the type checker alone."""

    def build(*given: Any, **named: Any) -> Any:
        return kind(*given, **named)

    return st.builds(build, *args, **more)
