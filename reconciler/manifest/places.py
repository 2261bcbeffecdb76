"""The places of a document's parts, and what messages call them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.kinds import KINDS, secret
from reconciler.manifest import json_schema
from reconciler.manifest.document import Map, Seq, shown

if TYPE_CHECKING:
    from reconciler.kinds.kind import Kind
    from reconciler.manifest.document import Document
    from reconciler.manifest.json_schema import KeyPath


def noun(path: KeyPath) -> str:
    """What is at `path`, in words: `member alice`, `team sre`, `safeguards`."""
    parts = json_schema.root()
    name = "the manifest"
    for step in path:
        named = any(json_schema.is_map(part) for part in parts)
        sub = next((found for part in parts if (found := json_schema.child(part, step)) is not None), None)
        if sub is None:
            break
        title = json_schema.resolved(sub).get("title")
        if named:
            name = str(step) if str(step).startswith("team/") else f"{title} {shown(str(step))}"
        elif title is not None and isinstance(step, str):
            name = f"`{title}`"
        elif title == "name" and isinstance(step, int):
            name = f"an entry of {name}"
        elif title is not None and "properties" in json_schema.resolved(sub):
            name = title  # one of a list of mappings
        parts = json_schema.below(parts, step)
    return name


def kind_at(path: KeyPath) -> Kind | None:
    """The kind of the object that is written at `path`; None for anything else."""
    found = None
    for section in path[::2]:
        above = found.name if found is not None else None
        found = next((kind for kind in KINDS.values() if kind.parent == above and kind.section == section), None)
        if found is None:
            return None
    return found if len(path) % 2 == 0 else None


def place(document: Document, path: KeyPath, *, key: bool) -> tuple[int, int]:
    """Line and column of the value at `path`, or with `key` of its key."""
    if not path:
        return start_of(document.root)
    holder = document.root
    for step in path[:-1]:
        holder = holder[step]
    last = path[-1]
    found: tuple[int, int]
    if isinstance(holder, Map) and isinstance(last, str):
        line, column, value_line, value_column = holder.at[last]
        found = (line, column) if key else (value_line, value_column)
    else:
        assert isinstance(holder, Seq)
        assert isinstance(last, int)
        found = holder.at[last]
    return found


def start_of(root: Any) -> tuple[int, int]:
    """Line and column where a document's data begins."""
    return (root.line, root.column) if isinstance(root, (Map, Seq)) else (1, 1)


def below_config(path: KeyPath) -> KeyPath | None:
    """The part of a path that leads through an object's configuration; None for a path that does not lead into one."""
    for n, step in enumerate(path):
        if step == secret.FIELD and kind_at(path[:n]) is not None:
            return path[n + 1 :]
    return None
