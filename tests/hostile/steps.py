"""How many steps a pattern of `re` takes on a text, counted and not timed.

`re` says nothing of its steps. `Counting` walks the tree that `re` itself makes of a pattern, in the order in which `re` goes back
and tries again, and counts each look at the text. It finds what `re` finds; the tests that use it compare the two.
"""

from __future__ import annotations

import re
from re import _compiler, _constants, _parser

WIDE = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)


class TooManyStepsError(Exception):
    """The search was given up: it takes more steps than anything linear does."""


class Counting:
    """A pattern with the methods that the product calls; `steps` is what they have taken so far."""

    def __init__(self, pattern, most=200_000):
        self.real = pattern
        self.steps = 0
        self._most = most  # steps of one call
        self._until = most
        flags = pattern.flags
        self._tree = _parser.parse(pattern.pattern, flags & ~re.UNICODE if isinstance(pattern.pattern, str) else flags)
        self._flags = self._tree.state.flags
        self._atoms = {}

    # --- as `re` has them -------------------------------------------------------------------------------------------

    def finditer(self, text):
        self._until = self.steps + self._most
        spans, start = [], 0
        while start <= len(text):
            end = next(self._all(self._tree, 0, text, start), None)
            if end is None:
                start += 1
                continue
            spans.append((start, end))
            start = end if end > start else end + 1
        found = list(self.real.finditer(text))
        if not spans or all(
            end > start for start, end in spans
        ):  # after an empty one, `re` looks at the same place again
            assert [one.span() for one in found] == spans
        return iter(found)

    def search(self, text):
        self._until = self.steps + self._most
        for start in range(len(text) + 1):
            if next(self._all(self._tree, 0, text, start), None) is not None:
                break
        return self.real.search(text)

    def match(self, text, *where):
        self._until = self.steps + self._most
        start = where[0] if where else 0
        text = text[: where[1]] if len(where) > 1 else text
        found = self.real.match(text, start)
        assert next(self._all(self._tree, 0, text, start), None) == (found and found.end())
        return found

    def fullmatch(self, text):
        self._until = self.steps + self._most
        found = self.real.fullmatch(text)
        ends = (end for end in self._all(self._tree, 0, text, 0) if end == len(text))
        assert (next(ends, None) is None) == (found is None)
        return found

    def findall(self, text):
        return [one.group() for one in self.finditer(text)]

    def sub(self, new, text):
        self.finditer(text)
        return self.real.sub(new, text)

    def split(self, text, most=0):
        self.finditer(text)
        return self.real.split(text, most)

    # --- the walk ---------------------------------------------------------------------------------------------------

    def _step(self):
        self.steps += 1
        if self.steps > self._until:
            raise TooManyStepsError(self.real.pattern)

    def _all(self, parts, index, text, at):
        """Every place where the parts from `index` on can end, in the order in which `re` tries them."""
        if index == len(parts):
            yield at
            return
        for end in self._one(parts[index], text, at):
            yield from self._all(parts, index + 1, text, end)

    def _one(self, part, text, at):
        op, arg = part
        if op in WIDE:
            yield from self._repeat(op, *arg, text, at)
        elif op is _constants.SUBPATTERN:
            yield from self._all(arg[3], 0, text, at)
        elif op is _constants.BRANCH:
            for branch in arg[1]:
                yield from self._all(branch, 0, text, at)
        elif op is _constants.ATOMIC_GROUP:
            yield from self._first(self._all(arg, 0, text, at))
        elif op in (_constants.ASSERT, _constants.ASSERT_NOT) and arg[0] > 0:
            found = next(self._all(arg[1], 0, text, at), None) is not None
            if found is (op is _constants.ASSERT):
                yield at
        else:
            self._step()
            if (found := self._atom(part).match(text, at)) is not None:
                yield found.end()

    def _repeat(self, op, least, most, parts, text, at):
        most = len(text) + 1 if most is _constants.MAXREPEAT else most
        if op is _constants.MIN_REPEAT:
            yield from self._lazy(least, most, parts, text, at)
        elif len(parts) == 1 and self._is_atom(parts[0]):  # one character again and again: no recursion
            ends = [at]
            while len(ends) <= most:
                self._step()
                found = self._atom(parts[0]).match(text, ends[-1])
                if found is None or found.end() == ends[-1]:
                    break
                ends.append(found.end())
            for end in self._counted(reversed(ends[least:])):
                yield end
                if op is _constants.POSSESSIVE_REPEAT:
                    return
        elif op is _constants.POSSESSIVE_REPEAT:
            yield from self._first(self._greedy(least, most, parts, text, at))
        else:
            yield from self._greedy(least, most, parts, text, at)

    def _greedy(self, least, most, parts, text, at):
        if most > 0:
            for end in self._all(parts, 0, text, at):
                if end > at or least > 0:
                    yield from self._greedy(max(least - 1, 0), most - 1, parts, text, end)
        if least <= 0:
            yield at

    def _lazy(self, least, most, parts, text, at):
        if least <= 0:
            yield at
        if most > 0:
            for end in self._all(parts, 0, text, at):
                if end > at or least > 0:
                    yield from self._lazy(max(least - 1, 0), most - 1, parts, text, end)

    def _counted(self, ends):
        for end in ends:
            self._step()
            yield end

    @staticmethod
    def _first(ends):
        end = next(ends, None)
        if end is not None:
            yield end

    def _is_atom(self, part):
        """Whether a part looks at one place and no further, so that `re` takes one step for it."""
        op, arg = part
        if op in (_constants.SUBPATTERN, _constants.BRANCH, _constants.ATOMIC_GROUP, *WIDE):
            return False
        return op not in (_constants.ASSERT, _constants.ASSERT_NOT) or arg[0] < 0

    def _atom(self, part):
        """A single part as a pattern of its own, made once. One that looks back looks at a fixed number of characters."""
        if part[0] in (_constants.GROUPREF, _constants.GROUPREF_EXISTS):
            raise NotImplementedError(f"{self.real.pattern}: a reference to a group is not counted")
        made = self._atoms.get(id(part))
        if made is None:
            alone = _parser.SubPattern(self._tree.state, [part])
            made = self._atoms[id(part)] = _compiler.compile(alone, self._flags)
            self._atoms[id(made)] = part  # keeps the id taken
        return made
