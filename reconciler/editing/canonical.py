"""The canonical form of a manifest: one order, one way to quote and to indent, and every comment with its entry.

libyaml's events give the places; comments are what lies between its tokens. ruamel.yaml's round trip is not used: it attaches
a comment to the token before it, so that sorting entries would move comments to their neighbours.

A comment line belongs to the entry below it or, if it is indented like the entries above it, to the end of their section. A
comment beside something belongs to that. The result is read again, and returned only if it means the same.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from reconciler.editing.in_place import WIDTH, scalar
from reconciler.manifest import json_schema
from reconciler.manifest.check import Gaps, check
from reconciler.manifest.document import BREAK, is_special, read
from reconciler.model.diagnostic import Diagnostic, Source
from reconciler.model.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.manifest.json_schema import KeyPath

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt][0-9:.]+(?:[Zz]|[+-][0-9]{2}:[0-9]{2}))?")
_EDITOR = re.compile(r"#\s*yaml-language-server:")
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]*(#.*)?")


def canonical(name: str, data: bytes) -> bytes:
    """A manifest in canonical form; one that is in it already comes back as it is.

    Raises ManifestError for a file that is wrong by itself. What other files say is not looked at: `name` is only what
    errors call it.
    """
    data_before = _as_data(_read(name, data))
    text = data.decode().removeprefix("\ufeff")
    tree = _Tree(text)
    made = _Writer(tree, data_before).text()
    newline = "\r\n" if "\r\n" in text else "\n"
    result = made.replace("\n", newline).encode()
    try:
        same = (
            _meaning(_as_data(_read(name, result))) == _meaning(data_before) and _Tree(made).comments == tree.comments
        )
    except ManifestError:
        same = False
    if not same:
        fact = "this file is left as it is: formatting would change its meaning or lose a comment"
        raise ManifestError([Diagnostic("error", fact, Source(name, 1), "write its aliases out, or format it by hand")])
    return result


def _read(name: str, data: bytes) -> Any:
    document = read(name, data)
    check(document, Gaps())
    errors = [problem for problem in document.problems if problem.severity == "error"]
    if errors or document.root is None:
        raise ManifestError(errors)
    return document.root


def _meaning(data: dict[str, Any]) -> dict[str, Any]:
    """The same data as far as it means something: the order of a team's people does not."""
    teams = {team: sorted(people) for team, people in data.get("teams", {}).items()}
    return {**data, "teams": teams}


def _as_data(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_data(inner) for key, inner in value.items()}
    return [_as_data(inner) for inner in value] if isinstance(value, list) else value


# --- what is where ----------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class _Node:
    """A value as written."""

    kind: str  # scalar | map | list | alias

    # Where it is, in characters of the text
    start: int
    end: int
    line: int  # from 0

    # How it is written
    value: str = ""  # of a scalar
    style: str = ""  # of a scalar; `{` for a collection in flow style
    anchor: str = ""
    raw: tuple[str, ...] = ()  # the lines of a `|` or `>` text

    # What is in it
    entries: list[_Entry] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)  # the comments at its end
    target: _Node | None = None  # what an alias repeats

    @property
    def itself(self) -> _Node:
        return self.target if self.target is not None else self


@dataclass(slots=True, eq=False)
class _Entry:
    """A key with its value, or an item of a list, and its comments."""

    # What it is
    key: _Node | None  # None for an item
    value: _Node
    inside: _Node  # the mapping or list that it is in
    above: _Entry | None  # the entry whose value that is

    # Where it begins: at its key or dash
    start: int  # in characters of the text
    line: int  # from 0
    column: int
    depth: int  # how many entries it is in

    # Its comments; "" is an empty line
    head: list[str] = field(default_factory=list)  # on the lines above it
    side: list[str] = field(default_factory=list)  # beside it

    @property
    def end(self) -> int:
        return self.value.end


class _Tree:
    """A document's nodes with its comments attached to them; `comments` counts those."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = BREAK.split(text)
        self.begins = [0, *(match.end() for match in BREAK.finditer(text))]
        self.entries: list[_Entry] = []  # as they begin in the file
        self.spans: list[tuple[int, int]] = []  # of scalars and aliases, where a # is no comment
        self.header: list[str] = []
        self.asides: list[tuple[int, str]] = []  # comments beside the header of a `|` or `>` text
        self._anchored: dict[str, _Node] = {}
        self._names: Counter[str] = Counter()
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.CBaseLoader))
        self.root = self._document()
        found = sorted([*self._comments(), *self.asides])
        self.comments = Counter(comment for _, comment in found)
        self._gaps = {n for n in range(1, len(self.lines)) if not self.lines[n - 1].strip()}
        own = self._hang(found)
        self._empty_lines(own)
        self._tidy()

    # -- nodes

    def _document(self) -> _Node:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                return self._node(next(self._events), None, 0)
        raise AssertionError("an empty file has been refused before")

    def _node(self, event: Any, above: _Entry | None, depth: int) -> _Node:
        start, end = event.start_mark, event.end_mark
        if isinstance(event, yaml.AliasEvent) and event.anchor is not None:
            self.spans.append((start.index, end.index))
            return _Node("alias", start.index, end.index, start.line, target=self._anchored[event.anchor])
        if isinstance(event, yaml.ScalarEvent):
            found = _Node("scalar", start.index, end.index, start.line, event.value, event.style or "")
            self._scalar(found, end)
        else:
            kind = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
            found = _Node(kind, start.index, end.index, start.line, style="{" if event.flow_style else "")
            self._collection(found, above, depth)
        if event.anchor is not None:
            self._anchored[event.anchor] = found
            self._names[event.anchor] += 1
            times = self._names[event.anchor]
            found.anchor = event.anchor if times == 1 else f"{event.anchor}-{times}"
        return found

    def _scalar(self, node: _Node, end: Any) -> None:
        if node.style not in ("|", ">"):
            self.spans.append((node.start, node.end))
            return
        # up to where its header may have a comment, and its lines: libyaml ends it where the next line begins
        line = self.lines[node.line]
        column = line.index(node.style, node.start - self.begins[node.line])
        header = _HEADER.match(line, column)
        assert header is not None
        if header[1]:
            self.asides.append((self.begins[node.line] + header.start(1), header[1].rstrip()))
        self.spans.append((node.start, node.end))
        last = end.line + (1 if end.column else 0)
        node.raw = (line[column : header.start(1) if header[1] else None].strip(), *self.lines[node.line + 1 : last])
        node.end = max(node.start, node.end - 1)

    def _collection(self, node: _Node, above: _Entry | None, depth: int) -> None:
        end_of = yaml.MappingEndEvent if node.kind == "map" else yaml.SequenceEndEvent
        while not isinstance(event := next(self._events), end_of):
            mark = event.start_mark
            blank = _Node("scalar", mark.index, mark.index, mark.line)
            entry = _Entry(None, blank, node, above, mark.index, mark.line, mark.column, depth)
            self.entries.append(entry)
            node.entries.append(entry)
            if node.kind == "map":
                entry.key = self._node(event, entry, depth + 1)
                event = next(self._events)
            elif not node.style:  # the dash, not what follows it
                dash = self.text.rindex("-", 0, mark.index)
                entry.start, entry.line = dash, bisect_right(self.begins, dash) - 1
                entry.column = dash - self.begins[entry.line]
            entry.value = self._node(event, entry, depth + 1)
        if node.style:
            mark = event.end_mark
            assert mark is not None
            node.end = mark.index
        else:
            node.end = node.entries[-1].end if node.entries else node.start

    # -- comments

    def _comments(self) -> Iterator[tuple[int, str]]:
        """(place, text) of each comment: what begins with a # between tokens runs to the end of its line."""
        spans = sorted(self.spans)
        starts = [start for start, _ in spans]
        for line, begin in zip(self.lines, self.begins, strict=True):
            place = line.find("#")
            while place >= 0:
                at = bisect_right(starts, begin + place) - 1
                if at < 0 or begin + place >= spans[at][1]:
                    yield begin + place, line[place:].rstrip()
                    break
                place = line.find("#", place + 1)

    def _hang(self, comments: list[tuple[int, str]]) -> list[tuple[int, list[str], int]]:
        """Give each comment to an entry or to the end of a section; for those on lines of their own (line, list, index)."""
        own: list[tuple[int, list[str], int]] = []
        starts = [entry.start for entry in self.entries]
        for place, comment in comments:
            line = self._line(place)
            column = place - self.begins[line]
            before = bisect_right(starts, place) - 1
            beside = self._beside(place, line, before) if self.lines[line][:column].strip() else None
            if beside is not None:
                beside.side.append(comment)
                continue
            into = self._into(place, column, before)
            own.append((line, into, len(into)))
            into.append(comment)
        return own

    def _line(self, place: int) -> int:
        return bisect_right(self.begins, place) - 1

    def _up(self, before: int) -> Iterator[_Entry]:
        """The entry with that number, and those that it stands in."""
        entry = self.entries[before] if before >= 0 else None
        while entry is not None:
            yield entry
            entry = entry.above

    def _beside(self, place: int, line: int, before: int) -> _Entry | None:
        """What a comment behind something on its line is about: the widest entry that ends there, or the one opened there."""
        ended: _Entry | None = None
        n = before
        while n >= 0 and self.entries[n].line == line:
            if self.entries[n].end <= place and (ended is None or self.entries[n].depth < ended.depth):
                ended = self.entries[n]
            n -= 1
        if ended is None:
            for entry in self._up(before):
                if entry.end <= place and self._line(max(entry.start, entry.end - 1)) == line:
                    ended = entry
        opened = next((e for e in self._up(before) if e.end > place or e.value.start > place), None)
        if opened is not None and opened.line == line and (ended is None or opened.start > ended.start):
            return opened
        return ended

    def _into(self, place: int, column: int, before: int) -> list[str]:
        """The list of comments that one on a line of its own goes to."""
        following = self.entries[before + 1] if before + 1 < len(self.entries) else None
        around = next((e for e in self._up(before) if e.end > place or e.value.start > place), None)
        inside = around.value if around is not None else self.root
        if around is not None and place < inside.start and (inside.style or not inside.entries):
            return around.head  # between a key and its value
        if inside.style == "{" and inside.start < place < inside.end:
            return following.head if following is not None and following.start < inside.end else inside.tail
        for last in self._up(before):
            if following is not None and (following.above is last or following.inside is last.inside):
                break
            # what is deeper than the next entry ends here
            if (
                not last.inside.style
                and (following is None or following.column < last.column)
                and last.column <= column
            ):
                return last.inside.tail
        return following.head if following is not None else self.root.tail

    def _empty_lines(self, own: list[tuple[int, list[str], int]]) -> None:
        """Note an empty line before a comment or an entry: they part what belongs together."""
        for entry in self.entries:
            if entry.line in self._gaps and not entry.inside.style:
                entry.head.append("")
        for line, into, index in reversed(own):
            if line in self._gaps:
                into.insert(index, "")

    def _tidy(self) -> None:
        """What is above the first entry, and apart from it, is about the file, as is a word to an editor."""
        for entry in self.entries:
            if entry.value.tail and not entry.value.entries:  # nothing but comments is in it
                entry.head, entry.value.tail = [*entry.head, *entry.value.tail], []
        head = self.entries[0].head
        while head and not head[0]:
            del head[0]
        cut = max((n + 1 for n, line in enumerate(head) if not line), default=0)
        while not cut and any(_EDITOR.match(line) for line in head[:1]):
            cut = 1
        self.header, self.entries[0].head = head[:cut], head[cut:]


# --- laying out -------------------------------------------------------------------------------------------------------


class _Writer:
    def __init__(self, tree: _Tree, data: Any) -> None:
        self.tree = tree
        self.data = data
        self.written: set[_Node] = set()  # anchored nodes: written with the anchor the first time, then as an alias

    def text(self) -> str:
        lines = [*self.tree.header, *self._block(self.tree.root, (), 0)]
        return "".join(f"{line}\n" for line in lines)

    def _block(self, node: _Node, path: KeyPath, indent: int) -> Iterator[str]:
        """The lines of a collection, an entry after the other, with their comments and those at its end."""
        margin = " " * indent
        for n, (key, entry) in enumerate(_ordered(node, path)):
            comments = [*_apart(entry.head, first=n == 0, top=not path), *entry.side[1:]]
            yield from (margin + line if line else "" for line in comments)
            begun = f"{margin}{scalar(key)}:" if node.kind == "map" else f"{margin}-"
            yield from self._entry(begun, entry, (*path, key), indent + 2)
        yield from (margin + line if line else "" for line in node.tail)

    def _entry(self, begun: str, entry: _Entry, path: KeyPath, indent: int) -> Iterator[str]:
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
            yield f"{begun}{side}"
            yield from self._block(node, path, indent)

    def _inline(self, node: _Node, path: KeyPath) -> str | None:
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

    def _scalar(self, node: _Node, path: KeyPath) -> str:
        value = self.data
        for step in path:
            value = value[step]
        if not node.style and is_special(node.value) and node.anchor:
            return node.value or "null"  # an alias may mean something else by it
        if isinstance(value, str):
            dated = any(part.get("format", "").startswith("date") for part in json_schema.at(path))
            return value if dated and _MOMENT.fullmatch(value) else scalar(value)
        return scalar(value)


def _ordered(node: _Node, path: KeyPath) -> list[tuple[Any, _Entry]]:
    """The entries with their keys: names sorted, our own words in the order of the schema, lists as they are.

    The order of a team's people means nothing, and is sorted.
    """
    if node.kind == "list":
        items = list(enumerate(node.entries))
        return sorted(items, key=lambda item: item[1].value.itself.value) if path[0] == "teams" else items
    pairs = [(entry.key.itself.value, entry) for entry in node.entries if entry.key is not None]
    parts = json_schema.at(path)
    if any(json_schema.is_map(part) for part in parts):
        return sorted(pairs, key=lambda pair: pair[0])
    words = [word for part in parts for word in part.get("properties", ())]
    places = {word: n for n, word in enumerate(words)}
    places["absent"] = -1  # before its reason
    return sorted(pairs, key=lambda pair: places.get(pair[0], len(places)))


def _is_short(node: _Node, path: KeyPath) -> bool:
    """Whether a mapping stands in one line: who somebody is, what an entry says, or that something is absent."""
    if (
        not node.entries
        or path[:-1] == ("people",)
        or path[-2:-1] == ("members",)
        or path == ("safeguards", "max_removals")
    ):
        return True
    return any(entry.key is not None and entry.key.itself.value == "absent" for entry in node.entries)


def _apart(head: list[str], *, first: bool, top: bool) -> list[str]:
    """An entry's comments; an empty line before them stays, but at the begin of a section, and parts those of the file."""
    comments = [line for n, line in enumerate(head) if line or head[n - 1 : n] != [""]]
    while comments and not comments[0]:
        del comments[0]
    apart = not first and (top or len(comments) < len(head))
    return ["", *comments] if apart else comments


def _kept(node: _Node, indent: int) -> list[str]:
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
