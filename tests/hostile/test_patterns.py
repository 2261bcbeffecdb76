"""Every pattern that meets text from outside takes steps in proportion to it: twice the text, about twice the steps."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import sys
from pathlib import Path

import pytest

import reconciler
from hostile.steps import Counting, TooManyStepsError
from reconciler.kinds import secret
from reconciler.lockfile import file as lockfile
from reconciler.manifest import document
from reconciler.model.late_pattern import late_pattern
from reconciler.report.wording import BARE, show

# what a pattern may be asked to look at again and again: a start that is repeated, and an end that does not fit
PUMPS = ("a", "a:", "A", "0", " ", "\t", "-", "_", ".", "=", "/", "a@", "://", "x://a:", '"', '\\"', '"a" ', "'", "token",
         "token ", "password: ", "key=", "basic a", "authorization ", "bearer ", "{", "[", ",", "<<<<<<< ", "`", "*", "#", "##", "a-",
         "2026-01-01 ", "0_", "1:0", "eyJ", "\n", "\u00e9", "&", "|", "(", "%", "\\", "${env:", "a.")  # fmt: skip
ENDS = ("", "!", "\x00", "\n!", ":")
SMALL = 100  # more than any counted repeat in a pattern looks at
AT_ONCE = 15  # steps a character that nothing needs to be compared for
GROWTH = 2.8  # the steps of twice the text: 2 where they are in proportion, 4 where they are a square
EVERYWHERE = ("search", "finditer", "findall", "sub", "split")
AT_THE_START = ("match", "fullmatch")


def is_pattern(value):
    return isinstance(value, re.Pattern | type(late_pattern("")))


def compiled(pattern):
    return re.compile(
        pattern.pattern, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, str) else pattern.flags
    )


def found_patterns():
    """Each pattern of the package by where it stands, with the methods by which it is used. The sandbox meets its own user's text."""
    named, used, found = {}, {}, {}
    for module in pkgutil.walk_packages(reconciler.__path__, "reconciler."):
        if ".sandbox" in module.name:
            continue
        values = vars(importlib.import_module(module.name))
        named |= {f"{module.name}.{name}": compiled(one) for name, one in values.items() if is_pattern(one)}
        tree = ast.parse(Path(values["__file__"]).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            on, method = node.func.value, node.func.attr
            if method not in EVERYWHERE + AT_THE_START:
                continue
            if isinstance(on, ast.Name) and on.id == "re" and isinstance(node.args[0], ast.Constant):
                found[f"{module.name}:{node.lineno}"] = (re.compile(node.args[0].value), {method})
            name = on.id if isinstance(on, ast.Name) else on.attr if isinstance(on, ast.Attribute) else None
            used.setdefault(f"{module.name}.{name}" if name and name.startswith("_") else name, set()).add(method)
    for place, one in named.items():
        name = place.rpartition(".")[2]
        found[place] = (one, used.get(place if name.startswith("_") else name, set(EVERYWHERE)))
    unlike = {}  # one that several modules import is tried once
    for place, (one, methods) in found.items():
        unlike.setdefault((one.pattern, one.flags), (place, one, set()))[2].update(methods)
    return {place: (one, methods) for place, one, methods in unlike.values() if isinstance(one.pattern, str)}


def patterns_of_schemas():
    def inside(value):
        if isinstance(value, dict):
            if isinstance(value.get("pattern"), str):
                yield value["pattern"]
            yield from value.get("patternProperties", {})
            for one in value.values():
                yield from inside(one)
        elif isinstance(value, list):
            for one in value:
                yield from inside(one)

    folder = Path(__file__).parents[2] / "schemas"
    return sorted({one for path in folder.glob("*.json") for one in inside(json.loads(path.read_text()))})


FOUND = found_patterns()
FOUND |= {f"schemas: {one}": (re.compile(one), {"search"}) for one in patterns_of_schemas()}


def test_the_patterns_are_found():
    assert {
        "reconciler.kinds.secret._ISSUED",
        "reconciler.lockfile.file._ADDRESS",
        "reconciler.report.wording.BARE",
    } <= set(FOUND)


def repeated(pump, end, size):
    return pump * (size // len(pump)) + end


def assert_in_proportion(steps):
    """That what `steps` counts for a size grows like the size. It may raise TooManyStepsError instead."""
    try:
        large = steps(2 * SMALL)
    except TooManyStepsError:
        large = None
    if large is None or large > AT_ONCE * 2 * SMALL:
        assert large is not None
        assert large < GROWTH * steps(SMALL)


@pytest.mark.parametrize("place", FOUND)
def test_a_pattern_is_linear(place):
    pattern, methods = FOUND[place]
    counting = Counting(pattern)

    def steps(pump, end, size):
        before = counting.steps
        text = repeated(pump, end, size)
        if methods.isdisjoint(EVERYWHERE):
            counting.match(text)
            counting.fullmatch(text)
        else:
            counting.findall(text)
        return counting.steps - before

    for pump in PUMPS:
        for end in ENDS:
            assert_in_proportion(lambda size, p=pump, e=end: steps(p, e, size))


@pytest.mark.parametrize("pattern", [r"\w+:", r"a*b", r"(a+)+b", r"(?:a|b)*+c", r"\s+$", r"(?<!b)a+?c", "a*(?=b)"])
def test_a_pattern_that_is_not_linear_is_found(pattern):
    counting = Counting(re.compile(pattern), 100_000)

    def steps(size):
        before = counting.steps
        counting.findall(repeated(" " if "s" in pattern else "a", "!", size))
        return counting.steps - before

    with pytest.raises(AssertionError):
        assert_in_proportion(steps)


def lines_run(work):
    """The lines of Python that a piece of work runs: what a loop over the text in the product adds to its patterns."""
    count = 0

    def local(*_):
        nonlocal count
        count += 1
        return local

    before = sys.gettrace()
    sys.settrace(lambda frame, *_: local if f"{Path(reconciler.__file__).parent}" in frame.f_code.co_filename else None)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.fixture
def counted(monkeypatch):
    """Replace the patterns of modules by counting ones; the steps and lines that a piece of work takes."""
    made = []

    def count(*modules):
        for module in modules:
            for name, value in list(vars(module).items()):
                if is_pattern(value):
                    made.append(Counting(compiled(value)))
                    monkeypatch.setattr(module, name, made[-1])

        def steps(work):
            before = sum(one.steps for one in made)
            return lines_run(work) + sum(one.steps for one in made) - before

        return steps

    return count


@pytest.mark.parametrize("pump", ["a", "x://a:", "token ", "password: ", "key=", "basic a", "a.", '"a" '])
def test_the_judgement_of_a_secret_is_linear(pump, counted):
    steps = counted(secret)

    def judged(size):
        text = repeated(pump, "!", size)
        return steps(lambda: secret.may_be_secret((text,), text))

    assert_in_proportion(judged)


@pytest.mark.parametrize("pump", ['"', '"\\"', '"a": ', '"org.a": {', '{"org.a": {"id": ', " ", "{,", '"version": 1,'])
def test_saving_a_broken_lock_file_is_linear(pump, counted, tmp_path):
    steps = counted(lockfile)
    assert_in_proportion(
        lambda size: steps(lambda: lockfile.salvage(tmp_path / "lock", repeated(pump, "!", size).encode()))
    )


@pytest.mark.parametrize("pump", ["token", "password: a ", '"'])
def test_a_quote_costs_the_same_however_long_its_line_is(pump, counted):
    steps = counted(secret, document)

    def quoted(size):
        read = document.Document("a.yaml", repeated(pump, "!", size).encode())
        read.line(1)
        return steps(lambda: read.diagnostic("error", "x", 1, 300))

    assert quoted(4_000) == quoted(16_000)


@pytest.mark.parametrize(
    ("text", "bare"),
    [("a", True), ("a:b", True), ("12a", True), ("1.5-x:3", True), ("12", False), ("12:30", False), (":a", False), ("1:a", False), ("", False), ("a b", False)],
)  # fmt: skip
def test_what_is_written_without_quotes_is_as_it_was(text, bare):
    assert (BARE.match(text) is not None) is bare
    assert show(text).startswith('"') is not bare
