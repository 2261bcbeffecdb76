"""What changes in manifests as a patch for `git apply`."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from difflib import Match, SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def unified(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> str:
    """The change from `old` to `new` as a patch for `git apply`; paths as the manifests are named."""
    return "".join(_one(name, old[name].decode(), new[name].decode()) for name in sorted(new) if new[name] != old[name])


def _one(name: str, old: str, new: str) -> str:
    lines = hunks(_lines(old), _lines(new))
    heads = (f"--- {_name('a/' + name)}\n", f"+++ {_name('b/' + name)}\n")
    ended = (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return "".join((*heads, *ended))


def hunks(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """The hunks of a unified diff with three lines around each change; a line keeps the end that it has."""
    for group in _Anchored(old, new).get_grouped_opcodes():
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                yield from (f" {line}" for line in old[old_from:old_to])
                continue
            yield from (f"-{line}" for line in old[old_from:old_to])
            yield from (f"+{line}" for line in new[new_from:new_to])


class _Anchored(SequenceMatcher[str]):
    """difflib, given a file piece by piece: between lines that occur once in both, as the handles of orgs do.

    Its time grows with the square of what it is given, and with repeated lines (`alice: member`) more than that: to take
    somebody out of a thousand orgs in one file took minutes.
    """

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        self._old, self._new = old, new
        super().__init__(None, old, new)

    def get_matching_blocks(self) -> list[Match]:
        """The pieces that both have: (place in old, place in new, length), in order, with an empty one at the end."""
        found: list[Match] = []

        def add(old: int, new: int, size: int) -> None:
            if found and (found[-1].a + found[-1].size, found[-1].b + found[-1].size) == (old, new):
                found[-1] = Match(found[-1].a, found[-1].b, found[-1].size + size)
            elif size:
                found.append(Match(old, new, size))

        old_from = new_from = 0
        for old, new in [*_anchors(self._old, self._new), (len(self._old), len(self._new))]:
            between = SequenceMatcher(None, self._old[old_from:old], self._new[new_from:new])
            for block in between.get_matching_blocks():
                add(old_from + block.a, new_from + block.b, block.size)
            add(old, new, int(old < len(self._old)))
            old_from, new_from = old + 1, new + 1
        return [*found, Match(len(self._old), len(self._new), 0)]


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Where the lines are that occur once in both: the longest sequence of them in the same order in both."""
    count_old, count_new = Counter(old), Counter(new)
    place = {line: index for index, line in enumerate(new) if count_new[line] == 1}
    both = [(index, place[line]) for index, line in enumerate(old) if count_old[line] == 1 and line in place]
    ends: list[int] = []  # the lowest place in which a sequence of this length can end; and which of `both` that is
    ending: list[int] = []
    before: list[int] = []
    for number, (_, there) in enumerate(both):
        length = bisect_left(ends, there)
        ends[length : length + 1], ending[length : length + 1] = [there], [number]
        before.append(ending[length - 1] if length else -1)
    row: list[tuple[int, int]] = []
    last = ending[-1] if ending else -1
    while last >= 0:
        row.append(both[last])
        last = before[last]
    return row[::-1]


def _range(start: int, end: int) -> str:
    """A hunk's lines: where they begin, from 1, and how many; of none, the line before."""
    size = end - start
    return f"{start + 1}" if size == 1 else f"{start + 1 if size else start},{size}"


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+\Z", text)


def _name(name: str) -> str:
    """A file's name as git reads it: quoted where a character could end it or hide in it; a tab ends one with spaces."""
    if any(c in '"\\' or not c.isprintable() for c in name):
        inner = "".join(
            c if c.isprintable() and c not in '"\\' else "".join(f"\\{byte:03o}" for byte in c.encode()) for c in name
        )
        return f'"{inner}"'
    return name + "\t" if " " in name else name
