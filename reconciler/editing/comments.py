"""Attaches each comment of a manifest to the entry that it is about.

libyaml's events give the places; comments are what lies between its tokens. A comment line belongs to the entry below it or,
if it is indented like the entries above it, to the end of their section. A comment beside something belongs to that.
`canonical` moves entries with their comments, and `in_place` removes them with theirs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from reconciler.manifest.document import BREAK

if TYPE_CHECKING:
    from collections.abc import Iterator

_EDITOR = re.compile(r"#\s*yaml-language-server:")
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]*(#.*)?")


@dataclass(slots=True, eq=False)
class WrittenNode:
    """A value as written."""

    kind: str  # scalar | map | list | alias

    # Where it is, in characters of the text
    start: int  # of its first character
    end: int  # behind its last one
    line: int  # from 0

    # How it is written
    value: str = ""  # of a scalar
    style: str = ""  # of a scalar; `{` for a collection in flow style
    anchor: str = ""  # its name for aliases
    raw: tuple[str, ...] = ()  # the lines of a `|` or `>` text

    # What is in it
    entries: list[WrittenEntry] = field(default_factory=list)  # of a map or list
    tail: list[str] = field(default_factory=list)  # the comments at its end
    target: WrittenNode | None = None  # what an alias repeats

    @property
    def itself(self) -> WrittenNode:
        return self.target if self.target is not None else self


@dataclass(slots=True, eq=False)
class WrittenEntry:
    """A key with its value, or an item of a list, and its comments."""

    # What it is
    key: WrittenNode | None  # None for an item
    value: WrittenNode  # of the key, or the item itself
    inside: WrittenNode  # the mapping or list that it is in
    above: WrittenEntry | None  # the entry whose value that is

    # Where it begins: at its key or dash
    start: int  # in characters of the text
    line: int  # from 0
    column: int  # from 0
    depth: int  # how many entries it is in

    # Its comments; "" is an empty line
    head: list[str] = field(default_factory=list)  # on the lines above it
    side: list[str] = field(default_factory=list)  # beside it

    @property
    def end(self) -> int:
        return self.value.end


class CommentedTree:
    """A document's nodes with its comments attached to them; `comments` counts those."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = BREAK.split(text)
        self.begins = [0, *(match.end() for match in BREAK.finditer(text))]
        self.entries: list[WrittenEntry] = []  # as they begin in the file
        self.spans: list[tuple[int, int]] = []  # of scalars and aliases, where a # is not a comment
        self.header: list[str] = []
        self.asides: list[tuple[int, str]] = []  # comments beside the header of a `|` or `>` text
        self._anchored: dict[str, WrittenNode] = {}
        self._names: Counter[str] = Counter()
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.CBaseLoader))
        self.root = self._document()
        found = sorted([*self._comments(), *self.asides])
        self.comments = Counter(comment for _, comment in found)
        self._gaps = {n for n in range(1, len(self.lines)) if not self.lines[n - 1].strip()}
        own = self._attach(found)
        self.tops = self._tops(own)
        self._empty_lines(own)
        self._tidy()

    # -- nodes

    def _document(self) -> WrittenNode:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                return self._node(next(self._events), None, 0)
        raise AssertionError("an empty file has been refused before")

    def _node(self, event: Any, above: WrittenEntry | None, depth: int) -> WrittenNode:
        start, end = event.start_mark, event.end_mark
        if isinstance(event, yaml.AliasEvent) and event.anchor is not None:
            self.spans.append((start.index, end.index))
            return WrittenNode("alias", start.index, end.index, start.line, target=self._anchored[event.anchor])
        if isinstance(event, yaml.ScalarEvent):
            found = WrittenNode("scalar", start.index, end.index, start.line, event.value, event.style or "")
            self._scalar(found, end)
        else:
            kind = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
            found = WrittenNode(kind, start.index, end.index, start.line, style="{" if event.flow_style else "")
            self._collection(found, above, depth)
        if event.anchor is not None:
            self._anchored[event.anchor] = found
            self._names[event.anchor] += 1
            times = self._names[event.anchor]
            found.anchor = event.anchor if times == 1 else f"{event.anchor}-{times}"
        return found

    def _scalar(self, node: WrittenNode, end: Any) -> None:
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

    def _collection(self, node: WrittenNode, above: WrittenEntry | None, depth: int) -> None:
        end_of = yaml.MappingEndEvent if node.kind == "map" else yaml.SequenceEndEvent
        while not isinstance(event := next(self._events), end_of):
            mark = event.start_mark
            blank = WrittenNode("scalar", mark.index, mark.index, mark.line)
            entry = WrittenEntry(None, blank, node, above, mark.index, mark.line, mark.column, depth)
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

    def _attach(self, comments: list[tuple[int, str]]) -> list[tuple[int, list[str], int]]:
        """Give each comment to an entry or to the end of a section. Returns (line, list, index) of those on their own lines."""
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

    def _up(self, before: int) -> Iterator[WrittenEntry]:
        """The entry with that number, and those that contain it."""
        entry = self.entries[before] if before >= 0 else None
        while entry is not None:
            yield entry
            entry = entry.above

    def _beside(self, place: int, line: int, before: int) -> WrittenEntry | None:
        """What a comment behind something on its line is about: the widest entry that ends there, or the one opened there."""
        ended: WrittenEntry | None = None
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

    def _tops(self, own: list[tuple[int, list[str], int]]) -> dict[int, int]:
        """Where an entry with comments right above it begins with those: its line -> the first of theirs."""
        owner = {line: id(into) for line, into, _ in own}
        found = {}
        for entry in self.entries:
            top = entry.line
            while owner.get(top - 1) == id(entry.head):
                top -= 1
            if top < entry.line:
                found[entry.line] = top
        return found

    def _empty_lines(self, own: list[tuple[int, list[str], int]]) -> None:
        """Note an empty line before a comment or an entry: they part what belongs together."""
        for entry in self.entries:
            if entry.line in self._gaps and not entry.inside.style:
                entry.head.append("")
        for line, into, index in reversed(own):
            if line in self._gaps:
                into.insert(index, "")

    def _tidy(self) -> None:
        """Comments above the first entry, separated by a blank line, are about the file. So are settings for an editor."""
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
