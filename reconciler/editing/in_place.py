"""Edits a manifest's text in place: only the lines that an edit concerns change.

The places come from libyaml's nodes; everything else keeps its bytes. (A round trip through ruamel.yaml keeps comments too,
but reformats lines that nobody edited: it wraps long ones, indents by its own measure and writes `null` as nothing.) Callers
read the result again before anybody sees it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

from reconciler.manifest.document import BREAK
from reconciler.manifest.scalars import written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.editing.comments import CommentedTree

WIDTH = 100  # a list or a short entry that is longer than this has a line for each of its parts

_PLAIN = re.compile(r"[0-9]+[dw]\Z|[A-Za-z_](?:[A-Za-z0-9_./@+-]|:(?=[/A-Za-z0-9])| (?=[A-Za-z0-9_(]))*\Z")
_WORDS = frozenset(("yes", "no", "true", "false", "on", "off", "null", "y", "n"))
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


class CannotEditError(Exception):
    """The edit cannot be made in place; the text is the reason."""


@dataclass(slots=True)
class Section:
    """One mapping of a file, and the edits to make in it."""

    # Where it is
    file: File  # the text
    path: tuple[str, ...]  # the keys that lead to it
    node: yaml.MappingNode  # as YAML read it
    colon: int | None  # the place after the colon of its own key; None for the whole file

    # The edits, by key
    inserted: dict[str, str] = field(default_factory=dict)  # the text of each new value
    removed: set[str] = field(default_factory=set)  # the keys that go
    replaced: dict[str, str] = field(default_factory=dict)  # the text of each changed value
    renamed: dict[str, str] = field(default_factory=dict)  # the text of each changed key

    @property
    def keys(self) -> Mapping[str, tuple[Any, Any]]:
        """The nodes of each key and its value."""
        return self.file.source.pairs(self.node)

    @property
    def touched(self) -> bool:
        return bool(self.inserted or self.removed or self.replaced or self.renamed)

    def value(self, name: str) -> Any:
        if name in self.keys:
            return self.keys[name][1]
        raise CannotEditError(f"`{name}` is not where it was read")

    def inside(self, name: str) -> Section:
        return self.file.section((*self.path, name))

    def insert(self, name: str, text: str) -> None:
        if name in self.keys and name not in self.removed:
            raise CannotEditError(f"`{name}` is there already")
        self.inserted[name] = text

    def remove(self, name: str) -> None:
        self.value(name)
        self.removed.add(name)

    def replace(self, name: str, text: str) -> None:
        if self.value(name).start_mark.index < self._key(name).end_mark.index:
            raise self.file.aliased(self._key(name), self.value(name))
        self.replaced[name] = text
        self.removed.discard(name)

    def rename(self, name: str, text: str) -> None:
        self.renamed[name] = text

    def _key(self, name: str) -> Any:
        return self.keys[name][0]

    def edits(self) -> Iterator[tuple[int, int, str]]:
        """(start, end, text) in characters of the file."""
        for k, v in self.node.value:
            if k.value in self.removed:
                continue
            if k.value in self.renamed:
                yield k.start_mark.index, k.end_mark.index, self._like(k, self.renamed[k.value])
            if k.value in self.replaced:
                yield from self._replacing(k, v, self.replaced[k.value])
        pairs = [f"{self._like(None, scalar(name))}: {text}" for name, text in self.inserted.items()]
        yield from self._in_flow(pairs) if self.node.flow_style else self._in_block(pairs)

    def _like(self, old: yaml.Node | None, text: str) -> str:
        """A key in the quotes of its neighbours: a manifest may be JSON."""
        model = old if old is not None else (self.node.value[0][0] if self.node.value else None)
        quoted = getattr(model, "style", None) == '"' and not text.startswith('"')
        return json.dumps(text) if quoted else text

    def _replacing(self, k: yaml.Node, v: yaml.Node, text: str) -> Iterator[tuple[int, int, str]]:
        if isinstance(v, yaml.ScalarNode) and v.style == '"' and not text.startswith(('"', "{", "[")):
            text = json.dumps(text) if re.match(r"[A-Za-z]", text) else text
        if v.start_mark.line > k.end_mark.line and not self.node.flow_style:
            # what is below its key makes room for a value beside it
            colon = self.file.colon(k)
            yield colon, colon, f" {text}"
            yield self.file.begin(v.start_mark.line), self.file.begin(last_line(v) + 1), ""
        else:
            start, end = v.start_mark.index, _end(v)
            yield start, end, f" {text}" if start == end else text

    def _in_flow(self, pairs: list[str]) -> Iterator[tuple[int, int, str]]:
        found = self.node.value
        kept = [n for n, (k, _) in enumerate(found) if k.value not in self.removed]
        last = kept[-1] if kept else -1
        for n, (k, _) in enumerate(found):
            if k.value in self.removed and n < last:
                yield k.start_mark.index, found[n + 1][0].start_mark.index, ""
        text = ", ".join(pairs)
        if kept:
            end = _end(found[last][1])
            gone = last + 1 < len(found)
            if gone or text:
                yield end, _end(found[-1][1]) if gone else end, f", {text}" if text else ""
        elif found:
            yield found[0][0].start_mark.index, _end(found[-1][1]), text
        elif text:
            yield self.node.start_mark.index + 1, self.node.start_mark.index + 1, text

    def _in_block(self, pairs: list[str]) -> Iterator[tuple[int, int, str]]:
        file, found = self.file, self.node.value
        for k, v in found:
            if k.value in self.removed:
                yield file.begin(file.source.top(k.start_mark.line)), file.begin(last_line(v, k) + 1), ""
        if not pairs:
            if all(k.value in self.removed for k, _ in found):
                if self.colon is None:
                    raise CannotEditError("nothing would be left in the file")
                yield self.colon, self.colon, " {}"
            return
        after = file.begin(last_line(found[-1][1], found[-1][0]) + 1)
        indent = " " * found[0][0].start_mark.column
        text = "".join(f"{indent}{pair}{file.newline}" for pair in pairs)
        if not file.text[:after].endswith("\n"):
            text = file.newline + text.removesuffix(file.newline)
        yield after, after, text


def text_of(item: yaml.Node) -> str:
    """What tells an item of a list from the others: a text's value, or that of its key `name`, else where it is."""
    if isinstance(item, yaml.MappingNode):
        item = next((v for k, v in item.value if k.value == "name"), item)
    return str(item.value) if isinstance(item, yaml.ScalarNode) else f"@{item.start_mark.index}"


@dataclass(slots=True)
class Items:
    """One list in a file, and the edits to make in it. A mapping in it can be removed, by its `text_of`."""

    # Where it is
    file: File  # the text
    path: tuple[str, ...]  # the keys that lead to it
    node: yaml.SequenceNode  # as YAML read it
    colon: int  # the place after the colon of its own key
    quoted: bool = False  # whether its key is in quotes: a manifest may be JSON

    # The edits
    removed: set[str] = field(default_factory=set)  # the texts that go
    replaced: dict[str, str] = field(default_factory=dict)  # what is written instead of each
    inserted: dict[str, str] = field(default_factory=dict)  # in order, the text of each where it is no plain value

    @property
    def values(self) -> list[str]:
        return [text_of(item) for item in self.node.value]

    @property
    def touched(self) -> bool:
        return bool(self.removed or self.inserted or self.replaced)

    def insert(self, value: str, text: str = "") -> None:
        if value in self.values and value not in self.removed:
            raise CannotEditError(f"`{value}` is there already")
        self.inserted[value] = text

    def remove(self, value: str) -> None:
        self._check(value)
        self.removed.add(value)

    def replace(self, value: str, text: str) -> None:
        self._check(value)
        self.replaced[value] = text

    def _check(self, value: str) -> None:
        if value not in self.values:
            raise CannotEditError(f"`{value}` is not where it was read")
        for item in self.node.value:
            if text_of(item) == value and item.start_mark.index < self.colon:
                raise self.file.aliased(self.node, item)

    def edits(self) -> Iterator[tuple[int, int, str]]:
        """(start, end, text) in characters of the file."""
        found = self.node.value
        kept = [n for n, item in enumerate(found) if text_of(item) not in self.removed]
        for item in found:
            if text_of(item) in self.replaced and text_of(item) not in self.removed:
                yield item.start_mark.index, _end(item), self.replaced[text_of(item)]
        coming = [text or self._like(value) for value, text in self.inserted.items()]
        if not self.node.flow_style:
            yield from self._in_block(bool(kept), coming)
            return
        text = ", ".join(coming)
        if not kept:
            at = self.node.start_mark.index + 1
            if found:
                comma = re.compile(r"\s*,").match(self.file.text, _end(found[-1])) if not text else None
                yield found[0].start_mark.index, comma.end() if comma else _end(found[-1]), text
            else:
                yield at, at, text
            return
        for n, item in enumerate(found[: kept[-1]]):
            if text_of(item) in self.removed:
                yield item.start_mark.index, found[n + 1].start_mark.index, ""
        last = _end(found[kept[-1]])
        if text:
            yield last, last, f", {text}"
        if kept[-1] + 1 < len(found):
            start, end = last, _end(found[-1])
            if "#" in self.file.text[start:end]:  # a comment beside the last that stays; a comma may be the last thing
                start = found[kept[-1] + 1].start_mark.index
            yield start, end, ""

    def _like(self, value: str) -> str:
        """A text in the quotes of its neighbours: a manifest may be JSON."""
        text = scalar(value)
        quoted = any(getattr(item, "style", None) == '"' for item in self.node.value) or self.quoted
        return json.dumps(value) if quoted and not text.startswith('"') else text

    def _in_block(self, some_stay: bool, coming: list[str]) -> Iterator[tuple[int, int, str]]:
        file, found = self.file, self.node.value
        for item in found:
            if text_of(item) in self.removed:
                yield file.begin(file.source.top(item.start_mark.line)), file.begin(last_line(item) + 1), ""
        if not coming:
            if not some_stay:
                yield self.colon, self.colon, " []"
            return
        after = file.begin(last_line(found[-1]) + 1)
        indent = " " * self.node.start_mark.column
        text = "".join(f"{indent}- {one}{file.newline}" for one in coming)
        if not file.text[:after].endswith("\n"):
            text = file.newline + text.removesuffix(file.newline)
        yield after, after, text


class Source:
    """A manifest's text and its nodes, read once however often it is edited; line numbers count from 0."""

    def __init__(self, text: str) -> None:
        self.mark = "\ufeff" if text.startswith("\ufeff") else ""  # libyaml does not count it
        self.text = text.removeprefix(self.mark)
        self.newline = "\r\n" if "\r\n" in self.text else "\n"
        self.root = yaml.compose(self.text, Loader=yaml.CBaseLoader)
        self.begins = [0, *(match.end() for match in BREAK.finditer(self.text))]
        self._pairs: dict[int, dict[str, tuple[Any, Any]]] = {}
        self._alone: dict[int, bool] = {}
        self._keys: dict[int, list[Any]] | None = None

    def pairs(self, node: yaml.MappingNode) -> Mapping[str, tuple[Any, Any]]:
        """The keys of a mapping, each with its own node and its value's."""
        found = self._pairs.get(id(node))
        if found is None:
            found = self._pairs[id(node)] = {k.value: (k, v) for k, v in node.value}
        return found

    def keys_of(self, node: Any) -> list[Any]:
        """The keys whose value is a mapping or a list: several where aliases repeat it."""
        if self._keys is None:
            self._keys = {}
            todo, seen = [self.root], set[int]()
            while todo:
                above = todo.pop()
                if id(above) in seen or not isinstance(above, yaml.MappingNode):
                    continue
                seen.add(id(above))
                for k, value in above.value:
                    if isinstance(value, yaml.CollectionNode):
                        self._keys.setdefault(id(value), []).append(k)
                        todo.append(value)
        return self._keys.get(id(node), [])

    def lines_alone(self, node: yaml.MappingNode) -> bool:
        """Whether each key of a block mapping is the first thing on its line."""
        found = self._alone.get(id(node))
        if found is None:
            found = self._alone[id(node)] = not any(
                self.text[self.begins[k.start_mark.line] : k.start_mark.index].strip(" ") for k, _ in node.value
            )
        return found

    def top(self, line: int) -> int:
        """The first line of the entry that begins on a line: that of the comments right above it, which go with it."""
        return self.tree.tops.get(line, line)

    @cached_property
    def tree(self) -> CommentedTree:
        """The text's nodes with its comments."""
        from reconciler.editing.comments import CommentedTree

        return CommentedTree(self.text)


class File:
    """The edits of one manifest. Several can be tried on one `Source`."""

    def __init__(self, text: str | Source, name: str = "") -> None:
        self.name = name  # what reasons call it, where several files are edited
        self.source = text if isinstance(text, Source) else Source(text)
        self.mark, self.text, self.newline = self.source.mark, self.source.text, self.source.newline
        self.root = self.source.root
        self.sections: dict[tuple[str, ...], Section] = {}
        self.lists: dict[tuple[str, ...], Items] = {}

    @property
    def _parts(self) -> list[Section | Items]:
        return [*self.sections.values(), *self.lists.values()]

    @property
    def touched(self) -> bool:
        return any(part.touched for part in self._parts)

    def begin(self, line: int) -> int:
        """Where a line begins; beyond the last one, where the text ends."""
        begins = self.source.begins
        return begins[line] if line < len(begins) else len(self.text)

    def colon(self, k: yaml.Node) -> int:
        """The place behind the colon that follows a key."""
        return self.text.index(":", k.end_mark.index) + 1

    def aliased(self, at: yaml.Node, anchor: yaml.Node) -> CannotEditError:
        """Why what is written at a node cannot be edited: it repeats an anchor, and other places may do the same."""
        where = f"{self.name}:{at.start_mark.line + 1}:{at.start_mark.column + 1}: " if self.name else ""
        line = anchor.start_mark.line + 1
        return CannotEditError(f"{where}it is written through an alias of line {line}; write it out there first")

    def only(self, path: tuple[str, ...]) -> File:
        """The file itself, for an edit below `path`. Raises CannotEditError where an alias repeats that at another place."""
        node: Any = self.root
        for name in path:
            pair = self.source.pairs(node).get(name) if isinstance(node, yaml.MappingNode) else None
            if pair is None:
                break
            k, node = pair
            other = next((one for one in self.source.keys_of(node) if one is not k), None)
            if other is not None and node.start_mark.index >= k.end_mark.index:
                where = f"{self.name}:{k.start_mark.line + 1}:{k.start_mark.column + 1}: " if self.name else ""
                line = other.start_mark.line + 1
                raise CannotEditError(f"{where}an alias in line {line} repeats what is here; write it out there first")
        return self

    def section(self, path: tuple[str, ...]) -> Section:
        """The mapping at a path. Raises CannotEditError if there is none, or if it is written elsewhere."""
        if path in self.sections:
            return self.sections[path]
        node, colon = self.root, None
        for name in path:
            pair = self.source.pairs(node).get(name) if isinstance(node, yaml.MappingNode) else None
            if pair is None:
                raise CannotEditError("no manifest has its line")
            k, node = pair
            if node.start_mark.index < k.end_mark.index:
                raise self.aliased(k, node)
            colon = self.colon(k)
        if not isinstance(node, yaml.MappingNode):
            raise CannotEditError("no manifest has its section")
        if not node.flow_style and not self.source.lines_alone(node):
            raise CannotEditError("its line holds something else as well")
        found = self.sections[path] = Section(self, path, node, colon)
        return found

    def items(self, path: tuple[str, ...]) -> Items:
        """The list at a path. Raises CannotEditError if there is none, or if it is written elsewhere."""
        if path not in self.lists:
            section = self.section(path[:-1])
            node = section.value(path[-1])
            k = section.keys[path[-1]][0]
            if not isinstance(node, yaml.SequenceNode):
                raise CannotEditError("no manifest has its list")
            if node.start_mark.index < k.end_mark.index:
                raise self.aliased(k, node)
            self.lists[path] = Items(self, path, node, self.colon(k), k.style == '"')
        return self.lists[path]

    def result(self) -> bytes:
        """The text with all edits made."""
        gone = {(*section.path, name) for section in self.sections.values() for name in section.removed}
        edits = [
            (start, end, -len(part.path), new)
            for part in self._parts
            if part.touched and not any(part.path[:n] in gone for n in range(1, len(part.path) + 1))
            for start, end, new in part.edits()
        ]
        pieces, done = [self.mark], 0
        # of two insertions at one place the deeper one belongs first: a section ends before what contains it
        for start, end, _, new in sorted(edits):
            pieces += [self.text[done:start], new]
            done = max(done, end)
        made = "".join([*pieces, self.text[done:]])
        if not self.text.endswith("\n"):
            made = made.removesuffix(self.newline)  # what stood in the last line is gone
        return made.encode()


def has_section(data: bytes, section: str) -> bool:
    """Whether a manifest has a part of that name, such as `teams`, as a mapping."""
    root = File(data.decode()).root
    return isinstance(root, yaml.MappingNode) and any(
        k.value == section and isinstance(v, yaml.MappingNode) for k, v in root.value
    )


def _end(node: yaml.Node) -> int:
    """Where a node's own text ends; libyaml lets block collections run on to what comes next."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    index: int = node.end_mark.index
    return index - 1 if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") else index


def last_line(node: yaml.Node, k: yaml.Node | None = None) -> int:
    """The number of the last line of a node, or of its key where the node is empty."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return last_line(last[1], last[0]) if isinstance(last, tuple) else last_line(last)
    line: int = node.end_mark.line
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        line -= 1
    if k is not None and node.start_mark.index < k.end_mark.index:
        line = k.end_mark.line  # an alias: the node is at its anchor
    return max(line, k.end_mark.line) if k is not None else line


def scalar(value: Any) -> str:
    """A value as a manifest writes it, in one line."""
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(scalar(item) for item in value) + "]"
    if isinstance(value, float):
        return written(value)
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.match(value) and value.lower() not in _WORDS:
        return value
    inner = "".join(c if c.isprintable() and c not in '"\\' else _escaped(c) for c in value)
    return f'"{inner}"'


def _escaped(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    if c in _SHORT:
        return _SHORT[c]
    code = ord(c)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
