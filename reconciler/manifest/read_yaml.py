"""Reads one YAML file into plain data, with a place for every key and value. Strict, and never a traceback.

Our own builder takes libyaml's events: they bring positions and show duplicate keys. Every scalar stays the text that was
written, so that the schema can decide later what it means (`check.typed`). What YAML offers beyond plain data (tags, merge
keys, several documents) is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from reconciler.manifest.document import BREAK, Document, Map, Seq, shown
from reconciler.manifest.unquoted import is_special
from reconciler.model.diagnostic import Source

if TYPE_CHECKING:
    from reconciler.manifest.json_schema import KeyPath

MAX_DEPTH = 32  # a manifest needs 7
MAX_SCALAR = 65_536  # characters
MAX_ALIASED = 100_000  # nodes that all aliases of a file may add
MAX_VALUES = 1_500_000  # keys and values of all manifests of a run: 700 MB, at 300 to 500 bytes each
_TOO_DEEP = f"this is nested more than {MAX_DEPTH} levels deep"
_DROP = object()  # in place of a key that is an error: its value is read and dropped
_FEWER = "that is more than fits in memory: give each part its own run, with its own paths"
_CONFLICT = re.compile(rb"^(?:<{7}|>{7}|\|{7})(?: |\r?$)|^={7}\r?$", re.MULTILINE)  # git could not merge
# a text, which is compiled when a file has such a character: that takes longer than to read a small file
_BAD_CHARACTER = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
# libyaml's own words, and what usually lies behind them.
_SYNTAX = (
    (
        "mapping values are not allowed",
        "a `:` is where none can be: quote a text that holds `: `, or look at the indentation",
    ),
    ("cannot start any token", "quote a text that begins with `@`, a backtick or `%`"),
    ("did not find expected key", "look at the indentation of this line and of the one before"),
    ("could not find expected ':'", "a key needs `: ` after it"),
    ("did not find expected '-' indicator", "look at the indentation of this line and of the one before"),
    ("did not find expected ',' or", "a `[` or `{` before this place is not closed"),
    ("found unexpected end of stream", "a quote before this place is not closed"),
    ("found unknown escape character", "in double quotes `\\` begins an escape; use single quotes for a plain `\\`"),
    ("undefined tag handle", "manifests cannot have tags"),
)


class _StopReading(Exception):  # noqa: N818 - ends the reading of a file, after its problem was added
    pass


class _Anchored(msgspec.Struct):
    """A node that an alias can repeat: its path in the tree, and its part of `specials`."""

    value: Any
    path: KeyPath | None
    first: int
    last: int


def read(file: str, data: bytes, room: int = MAX_VALUES) -> Document:
    """Read one YAML file of at most `room` keys and values. `problems` has what is wrong; `root` is set if the file could be
    read to its end.
    """
    document = Document(file, data)
    if not _is_text(document):
        return document
    try:
        _build(document, room)
    except _StopReading:
        document.root = None  # half a document would give false alarms about its other half
    except yaml.MarkedYAMLError as error:
        document.root = None
        _syntax(document, error)
    except yaml.reader.ReaderError:
        document.root = None
        found = re.search(_BAD_CHARACTER, data.decode("utf-8").removeprefix("\ufeff"))
        line, column, character = (
            (1, 1, "?") if found is None else (*_place(found.string, found.start()), found.group())
        )
        document.problem(f"the control character U+{ord(character):04X} is not allowed in YAML", line, column)
    return document


def _is_text(document: Document) -> bool:
    data = document.data
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or (b"\0" in data[:4] and data[:4].strip(b"\0")):
        document.problem("the file is UTF-16 or UTF-32 text", 1, 1, hint="save it as UTF-8")
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _place(data[: error.start].decode("utf-8"), None)
        document.problem(
            f"the byte 0x{data[error.start]:02X} is not UTF-8", line, column, hint="save the file as UTF-8"
        )
        return False
    return True


def _place(text: str, end: int | None) -> tuple[int, int]:
    """Line and column after `text[:end]`."""
    before = BREAK.split((text if end is None else text[:end]).removeprefix("\ufeff"))
    return len(before), len(before[-1]) + 1


def _syntax(document: Document, error: yaml.MarkedYAMLError) -> None:
    conflict = _CONFLICT.search(document.data)
    if conflict is not None:
        line = document.data.count(b"\n", 0, conflict.start()) + 1
        document.problem(
            "the file holds an unresolved merge conflict",
            line,
            1,
            hint="keep one side, or both, and remove the markers",
        )
        return
    problem = error.problem or "this is not YAML"
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    if "nesting depth" in problem:  # libyaml reads ahead, and has a bound of its own since 0.2.6
        document.problem(_TOO_DEEP, line, column)
        return
    hint = next((text for words, text in _SYNTAX if words in problem), None)
    if document.line(line)[column - 1 : column] == "\t":
        hint = "a tab cannot indent YAML; use spaces"
    context = f" ({shown(error.context)})" if error.context else ""
    document.problem(f"this is not YAML: {shown(problem, 120)}{context}", line, column, hint=hint)


def _build(document: Document, room: int) -> None:
    """Turn the events into `document.root`. It is one loop because every row of every manifest goes through it.

    `holder` is the mapping or list that is being filled, with `key` as the key whose value comes next (None: a key comes
    next); `stack` has those around it. `specials` are the paths of plain scalars that YAML might read as something other
    than text, such as `no` or `123`: an alias adds the specials of what it repeats, from `first` to `last`. What follows a
    key that is an error goes under `_DROP`, and is lost.
    """
    loader = yaml.CBaseLoader(document.data)
    next_event = loader.get_event
    problem = document.problem
    specials = document.specials
    anchors: dict[str, _Anchored] = {}
    stack: list[tuple[Map | Seq, Any, int, int, str | None, int]] = []
    holder: Map | Seq | None = None
    holder_anchor: str | None = None
    holder_first = 0
    key: Any = None  # of the pending value where `holder` is a Map; None where a key comes next
    key_line = key_column = 0
    documents = 0
    aliased = 0

    def path_to(last: Any) -> KeyPath | None:
        """The path of what is being read; None inside something that is dropped."""
        keys = [frame[1] if type(frame[0]) is Map else len(frame[0]) - 1 for frame in stack]
        keys.append(last)
        return None if any(part is _DROP for part in keys) else tuple(keys)

    def written_twice(within: Map, name: str, line: int, column: int) -> None:
        first = within.at[name]
        problem(
            f"the key `{shown(name)}` is written twice",
            line,
            column,
            hint="keep one of them",
            also=Source(document.file, first[0], first[1]),
        )

    def place_value(value: Any, line: int, column: int) -> None:
        nonlocal key
        if type(holder) is Map:
            if key is not _DROP:
                holder[key] = value
                holder.at[key] = (key_line, key_column, line, column)
        elif type(holder) is Seq:
            holder.append(value)
            holder.at.append((line, column))
        else:
            document.root = value

    number = 0
    event: Any = None
    for number in range(room):  # noqa: B007 - it is how many there were
        event = next_event()
        kind = type(event)
        if kind is yaml.ScalarEvent:
            mark = event.start_mark
            line = mark.line + 1
            column = mark.column + 1
            value = event.value
            if event.tag is not None:
                problem(
                    f"manifests cannot have tags such as `{shown(event.tag)}`",
                    line,
                    column,
                    hint="remove it; the schema says what a value is",
                )
            if len(value) > MAX_SCALAR:
                problem(f"this text has {len(value):,} characters; at most {MAX_SCALAR:,} are allowed", line, column)
                raise _StopReading
            # A tag does not make a plain scalar a quoted one; `implicit` would say so.
            special = not event.style and is_special(value)
            if type(holder) is Map:
                if key is None:
                    key, key_line, key_column = value, line, column
                    if value in holder:
                        written_twice(holder, value, line, column)
                        key = _DROP
                    elif value == "<<" and not event.style:
                        problem(
                            "manifests cannot have merge keys (`<<`)",
                            line,
                            column,
                            hint="write the keys out, or repeat the whole value with an alias",
                        )
                        key = _DROP
                    elif special:
                        path = path_to(key)
                        if path is not None:
                            specials.append((path, True))
                    if event.anchor is not None:
                        anchors[event.anchor] = _Anchored(value, None, 0, 0)
                    continue
                if key is not _DROP:
                    holder[key] = value
                    holder.at[key] = (key_line, key_column, line, column)
                last: Any = key
            else:
                last = len(holder) if holder is not None else None
                place_value(value, line, column)
            first_special = len(specials)
            if special:
                path = path_to(last) if holder is not None else ()
                if path is not None:
                    specials.append((path, False))
            if event.anchor is not None:
                anchors[event.anchor] = _Anchored(
                    value, path_to(last) if holder is not None else (), first_special, len(specials)
                )
            key = None
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            line = event.start_mark.line + 1
            column = event.start_mark.column + 1
            if event.tag is not None:
                problem(
                    f"manifests cannot have tags such as `{shown(event.tag)}`",
                    line,
                    column,
                    hint="remove it; the schema says what a value is",
                )
            if type(holder) is Map and key is None:
                problem(
                    "a key cannot be a list or a mapping",
                    line,
                    column,
                    hint="keys are names; is a `-` or a quote missing?",
                )
                raise _StopReading
            if len(stack) >= MAX_DEPTH:
                problem(_TOO_DEEP, line, column)
                raise _StopReading
            inner: Map | Seq = (Map if kind is yaml.MappingStartEvent else Seq)(line, column)
            place_value(inner, line, column)
            if holder is not None:
                stack.append((holder, key, key_line, key_column, holder_anchor, holder_first))
            holder = inner
            holder_anchor = event.anchor
            holder_first = len(specials)
            anchors.pop(event.anchor, None)
            key = None
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            done, done_anchor, done_first = holder, holder_anchor, holder_first
            if stack:
                holder, key, key_line, key_column, holder_anchor, holder_first = stack.pop()
                last = key if type(holder) is Map else len(holder) - 1
                if done_anchor is not None:
                    anchors[done_anchor] = _Anchored(done, path_to(last), done_first, len(specials))
            else:
                holder = None
            key = None
        elif kind is yaml.AliasEvent:
            line = event.start_mark.line + 1
            column = event.start_mark.column + 1
            anchored = anchors.get(event.anchor)
            if anchored is None:
                open_ = any(event.anchor == name for name in (holder_anchor, *(frame[4] for frame in stack)))
                fact = "contains itself" if open_ else "has no anchor before it"
                problem(f"the alias `*{shown(event.anchor)}` {fact}", line, column)
                raise _StopReading
            if type(holder) is Map and key is None:
                if not isinstance(anchored.value, str):
                    problem("a key cannot be a list or a mapping", line, column, hint="keys are names")
                    raise _StopReading
                key, key_line, key_column = anchored.value, line, column
                if key in holder:
                    written_twice(holder, key, line, column)
                    key = _DROP
                continue
            copy, count = _copy(anchored.value, MAX_ALIASED - aliased, len(stack) + 1)
            if copy is None:
                problem(
                    f"the aliases of this file expand to more than {MAX_ALIASED:,} values, or nest too deep",
                    line,
                    column,
                    hint="write the values out",
                )
                raise _StopReading
            aliased += count
            last = key if type(holder) is Map else len(holder) if holder is not None else None
            place_value(copy, line, column)
            here = path_to(last) if holder is not None else ()
            if here is not None and anchored.path is not None:
                depth = len(anchored.path)
                specials.extend(
                    (here + path[depth:], is_key) for path, is_key in specials[anchored.first : anchored.last]
                )
            key = None
        elif kind is yaml.DocumentStartEvent:
            documents += 1
            if documents > 1:
                problem(
                    "a second YAML document begins here",
                    event.start_mark.line + 1,
                    event.start_mark.column + 1,
                    hint="write one document per file; files are merged",
                )
                raise _StopReading
        elif kind is yaml.StreamEndEvent:
            break
    else:
        line, column = (1, 1) if event is None else (event.start_mark.line + 1, event.start_mark.column + 1)
        problem(f"the manifests have more than {MAX_VALUES:,} keys and values up to here", line, column, hint=_FEWER)
        document.values = room
        raise _StopReading
    document.values = number + 1 + aliased
    if documents == 0 or document.root == "":
        document.root = None
        problem("the file is empty", 1, 1, hint="a manifest begins with `version: 1`")


def _copy(value: Any, budget: int, depth: int) -> tuple[Any, int]:
    """A copy of an aliased value and its number of nodes; (None, 0) where it is too large or too deep."""
    if budget <= 0 or depth > MAX_DEPTH:
        return None, 0
    if isinstance(value, str):
        return value, 1
    count = 1
    copy: Map | Seq
    if isinstance(value, Map):
        copy = Map(value.line, value.column)
        copy.at = value.at.copy()
        for key, item in value.items():
            inner, more = _copy(item, budget - count, depth + 1)
            if inner is None:
                return None, 0
            copy[key] = inner
            count += more
    else:
        copy = Seq(value.line, value.column)
        copy.at = value.at.copy()
        for item in value:
            inner, more = _copy(item, budget - count, depth + 1)
            if inner is None:
                return None, 0
            copy.append(inner)
            count += more
    return copy, count
