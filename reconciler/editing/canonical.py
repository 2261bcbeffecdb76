"""The canonical form of a manifest: one order, one way to quote and to indent, and every comment with its entry.

ruamel.yaml's round trip is not used: it attaches a comment to the token before it, so that sorting entries would move comments
to their neighbours. The result is read again, and returned only if it means the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reconciler.editing.comments import CommentedTree
from reconciler.editing.in_place import WIDTH, scalar
from reconciler.kinds import secret
from reconciler.manifest import json_schema
from reconciler.manifest.check import Gaps, check
from reconciler.manifest.document import Map
from reconciler.manifest.places import kind_at
from reconciler.manifest.read_yaml import read
from reconciler.manifest.unquoted import is_special
from reconciler.model.diagnostic import Diagnostic, Source
from reconciler.model.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.editing.comments import WrittenEntry, WrittenNode
    from reconciler.manifest.json_schema import KeyPath

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt][0-9:.]+(?:[Zz]|[+-][0-9]{2}:[0-9]{2}))?")


def canonical(name: str, data: bytes) -> bytes:
    """A manifest in canonical form; one that is in it already comes back as it is.

    Raises ManifestError for a file that is wrong by itself. What other files say is not looked at: `name` is only what
    errors call it.
    """
    data_before = _as_data(_read(name, data))
    text = data.decode().removeprefix("\ufeff")
    tree = CommentedTree(text)
    made = "".join(f"{line}\n" for line in _Writer(tree, data_before).lines())
    result = made.replace("\n", _newline(text)).encode()
    if result == data:
        return data
    try:
        same = (
            _meaning(_as_data(_read(name, result))) == _meaning(data_before)
            and CommentedTree(made).comments == tree.comments
        )
    except ManifestError:
        same = False
    if not same:
        fact = "this file is left as it is: formatting would change its meaning or lose a comment"
        raise ManifestError([Diagnostic("error", fact, Source(name, 1), "write its aliases out, or format it by hand")])
    return result


def as_formatted_as(before: bytes, name: str, after: bytes, tree: CommentedTree | None = None) -> bytes:
    """An edited manifest: in canonical form if it was in that before, else as it is. `tree` is that of `before`, if it is there."""
    try:
        return canonical(name, after) if _is_canonical(name, before, tree) else after
    except ManifestError:
        return after  # whoever reads it finds out what is wrong


def _is_canonical(name: str, data: bytes, tree: CommentedTree | None) -> bool:
    """Whether `canonical` would give a manifest back as it is; it is read as far as its first line that is not so."""
    text, root = data.decode(), _as_data(_read(name, data))
    if text.startswith("\ufeff"):
        return False
    newline, end = _newline(text), 0
    for line in _Writer(tree or CommentedTree(text), root).lines():
        if not text.startswith(f"{line}{newline}", end):
            return False
        end += len(line) + len(newline)
    return end == len(text)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _read(name: str, data: bytes) -> Any:
    document = read(name, data)
    check(document, Gaps())
    errors = [problem for problem in document.problems if problem.severity == "error"]
    errors += [
        document.diagnostic("error", f"{what} may be a secret", *place, hint="`reconciler validate` says more")
        for what, place in _with_literals(document.root, ())
    ]
    if errors or document.root is None:
        raise ManifestError(errors)
    return document.root


def _with_literals(node: Any, path: KeyPath) -> Iterator[tuple[str, tuple[int, int]]]:
    """Which values may be secrets, and where they are: `--diff` would print them."""
    if isinstance(node, Map):
        for key, value in node.items():
            if key == secret.FIELD and kind_at(path) is not None:
                if secret.masked(value) != _as_data(value):
                    yield "a value of this `config`", node.at[key][:2]
            elif isinstance(value, str):
                if secret.unless_token(value) != value:
                    yield "this text", node.at[key][2:]
            else:
                yield from _with_literals(value, (*path, key))


def _meaning(data: dict[str, Any]) -> dict[str, Any]:
    """The data without what has no meaning, such as the order of a team's people."""
    teams = {
        team: sorted(team_of, key=_name_of)
        if isinstance(team_of, list)
        else {**team_of, "members": sorted(team_of.get("members", ()), key=_name_of)}
        for team, team_of in data.get("teams", {}).items()
    }
    return {**data, "teams": teams}


def _name_of(item: Any) -> str:
    """Whom an item of a team's list means."""
    return str(item["name"] if isinstance(item, dict) else item)


def _as_data(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_data(inner) for key, inner in value.items()}
    return [_as_data(inner) for inner in value] if isinstance(value, list) else value


# --- laying out -------------------------------------------------------------------------------------------------------


class _Writer:
    def __init__(self, tree: CommentedTree, data: Any) -> None:
        self.tree = tree
        self.data = data
        self.written: set[WrittenNode] = (
            set()
        )  # anchored nodes: written with the anchor the first time, then as an alias

    def lines(self) -> Iterator[str]:
        yield from self.tree.header
        yield from self._block(self.tree.root, (), 0)

    def _block(self, node: WrittenNode, path: KeyPath, indent: int) -> Iterator[str]:
        """The lines of a collection, an entry after the other, with their comments and those at its end."""
        margin = " " * indent
        for n, (key, entry) in enumerate(_ordered(node, path)):
            comments = [*_apart(entry.head, first=n == 0, top=not path), *entry.side[1:]]
            yield from (margin + line if line else "" for line in comments)
            begun = f"{margin}{scalar(key)}:" if node.kind == "map" else f"{margin}-"
            yield from self._entry(begun, entry, (*path, key), indent + 2)
        yield from (margin + line if line else "" for line in node.tail)

    def _entry(self, begun: str, entry: WrittenEntry, path: KeyPath, indent: int) -> Iterator[str]:
        side = f"  {entry.side[0]}" if entry.side else ""
        node = entry.value.itself
        before = set(self.written)
        short = node.kind != "map" or node in self.written or _is_short(node, path)
        line = self._inline(node, path) if short else None
        if line is not None and (not node.entries or node in before or len(begun) + 1 + len(line) <= WIDTH):
            yield f"{begun} {line}{side}"
            return
        self.written = before
        if node.anchor:
            self.written.add(node)
            begun = f"{begun} &{node.anchor}"
        if node.kind == "scalar":
            yield f"{begun} {node.raw[0]}{side}"
            yield from _kept(node, indent)
        else:
            lines = self._block(node, path, indent)
            first = next(lines)
            if begun.endswith("-") and not side and not first.lstrip().startswith("#"):
                yield f"{begun} {first.lstrip()}"
            else:
                yield f"{begun}{side}"
                yield first
            yield from lines

    def _inline(self, node: WrittenNode, path: KeyPath) -> str | None:
        """A value in one line; None where comments, or a text of several lines, are in it."""
        if node in self.written:
            return f"*{node.anchor}"
        if node.anchor:
            self.written.add(node)
        anchor = f"&{node.anchor} " if node.anchor else ""
        if node.kind == "scalar":
            return None if _kept(node, 0) else anchor + self._scalar(node, path)
        if node.tail:
            return None
        parts = []
        for key, entry in _ordered(node, path):
            text = self._inline(entry.value.itself, (*path, key))
            if text is None or entry.side or any(entry.head):
                return None
            parts.append(f"{scalar(key)}: {text}" if node.kind == "map" else text)
        return anchor + ("{%s}" if node.kind == "map" else "[%s]") % ", ".join(parts)

    def _scalar(self, node: WrittenNode, path: KeyPath) -> str:
        value = self.data
        for step in path:
            value = value[step]
        if not node.style and is_special(node.value) and node.anchor:
            return node.value or "null"  # an alias may mean something else by it
        if isinstance(value, str):
            dated = any(part.get("format", "").startswith("date") for part in json_schema.at(path))
            return value if dated and _MOMENT.fullmatch(value) else scalar(value)
        return scalar(value)


def _ordered(node: WrittenNode, path: KeyPath) -> list[tuple[Any, WrittenEntry]]:
    """The entries with their keys: names sorted, our own words in the order of the schema, lists as they are.

    The order of a team's people means nothing, and is sorted.
    """
    if node.kind == "list":
        items = list(enumerate(node.entries))
        return sorted(items, key=lambda item: _called(item[1].value.itself)) if path[0] == "teams" else items
    pairs = [(entry.key.itself.value, entry) for entry in node.entries if entry.key is not None]
    parts = json_schema.at(path)
    if any(json_schema.is_map(part) for part in parts):
        return sorted(pairs, key=lambda pair: pair[0])
    keys = [word for part in parts for word in part.get("properties", ())]
    places = {word: n for n, word in enumerate(keys)}
    places["absent"] = -1  # before its reason
    return sorted(pairs, key=lambda pair: places.get(pair[0], len(places)))


def _called(node: WrittenNode) -> str:
    """The name of an item of a team's list."""
    named = (one.value.itself for one in node.entries if one.key is not None and one.key.itself.value == "name")
    return next(named, node).value


def _is_short(node: WrittenNode, path: KeyPath) -> bool:
    """Whether a mapping is written in one line: who somebody is, what an entry says, or that something is absent."""
    if (
        not node.entries
        or path[:-1] == ("people",)
        or (path[0] == "teams" and isinstance(path[-1], int))
        or path[-2:-1] == ("members",)
        or path == ("safeguards", "max_removals")
    ):
        return True
    if not any(entry.key is not None and entry.key.itself.value == "absent" for entry in node.entries):
        return False
    # a key of a plugin's `config` may have that name, too
    return any("absent" in part.get("properties", ()) for part in json_schema.at(path))


def _apart(head: list[str], *, first: bool, top: bool) -> list[str]:
    """An entry's comments; an empty line before them stays, except at the beginning of a section, and separates the parts of the file."""
    comments = [line for n, line in enumerate(head) if line or head[n - 1 : n] != [""]]
    while comments and not comments[0]:
        del comments[0]
    apart = not first and (top or len(comments) < len(head))
    return ["", *comments] if apart else comments


def _kept(node: WrittenNode, indent: int) -> list[str]:
    """The lines of a `|` or `>` text with another indentation; none where that is not all that they say."""
    if not node.raw or node.raw[0] not in ("|", ">", "|-", ">-"):
        return []
    if node.raw[0] in ("|", ">") and not node.value.endswith("\n"):  # the file ends with it
        return []
    lines = list(node.raw[1:])
    while lines and not lines[-1].strip(" "):
        del lines[-1]
    margins = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" ")]
    if not lines or margins[0] != min(margins):
        return []
    return [" " * indent + line[margins[0] :] if line[margins[0] :] else "" for line in lines]
