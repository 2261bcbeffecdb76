"""Every pattern that meets text from outside takes time in proportion to it: twice the text, about twice the time."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time

import pytest

import reconciler
from reconciler.kinds import secret
from reconciler.lockfile import file as lockfile
from reconciler.manifest.document import Document
from reconciler.report.wording import BARE, show

# what a pattern may be asked to look at again and again: a start that is repeated, and an end that does not fit
PUMPS = ("a", "a:", "A", "0", " ", "\t", "-", "_", ".", "=", "/", "a@", "://", "x://a:", '"', '\\"', '"a" ', "'", "token",
         "token ", "password: ", "key=", "basic a", "authorization ", "bearer ", "{", "[", ",", "<<<<<<< ", "`", "*", "#", "##", "a-",
         "2026-01-01 ", "0_", "1:0", "eyJ", "\n", "\u00e9", "&", "|")  # fmt: skip
ENDS = ("", "!", "\x00", "\n!", ":")
# nothing of the sandbox meets anybody's text but its own user's
FOUND = {
    f"{module.name}.{name}": value
    for module in pkgutil.walk_packages(reconciler.__path__, "reconciler.")
    if ".sandbox" not in module.name
    for name, value in vars(importlib.import_module(module.name)).items()
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str)
}
# these look at the beginning of a text alone (`match`, `fullmatch`), and not at each place in it
ANCHORED = {"_RANDOM", "_PLAIN", "_PINNED", "BARE", "_FLOAT", "_FRAME", "_EMAIL"}


def took(work):
    best = None
    for _ in range(3):
        start = time.process_time()
        work()
        spent = time.process_time() - start
        best = spent if best is None else min(best, spent)
        if best > 1:
            break
    return best


def assert_linear(work, made, small=2_000):
    """That eight times the text takes less than 24 times as long, of what can be measured at all; a square takes 64 times."""
    large = took(lambda: work(made(8 * small)))
    if large > 0.01:
        assert large < 24 * took(lambda: work(made(small)))


@pytest.mark.parametrize("name", FOUND)
def test_a_pattern_is_linear(name):
    pattern = FOUND[name]

    def everywhere(text):
        return sum(1 for _ in pattern.finditer(text))

    def at_the_start(text):
        return pattern.match(text), pattern.fullmatch(text)

    work = at_the_start if name.rpartition(".")[2] in ANCHORED else everywhere
    for pump in PUMPS:
        for end in ENDS:
            assert_linear(work, lambda n, p=pump, e=end: p * (n // len(p)) + e)


@pytest.mark.parametrize("pump", PUMPS)
def test_the_judgement_of_a_secret_is_linear(pump):
    assert_linear(lambda text: secret.may_be_secret((text,), text), lambda n: pump * (n // len(pump)) + "!")


@pytest.mark.parametrize("pump", ['"', '"\\"', '"a": ', '"org.a": {', '{"org.a": {"id": ', " ", "{,"])
def test_saving_a_broken_lock_file_is_linear(pump, tmp_path):
    assert_linear(
        lambda data: lockfile.salvage(tmp_path / "lock", data), lambda n: (pump * (n // len(pump))).encode() + b"!"
    )


@pytest.mark.parametrize("pump", ["token", "a ", "password: a ", "'", '"'])
def test_quoting_a_line_for_many_errors_is_linear_in_the_errors_alone(pump):
    line = pump * 2_000
    for _ in range(200):
        Document("a.yaml", line.encode()).diagnostic("error", "x", 1, 1_500)


@pytest.mark.parametrize(
    ("text", "bare"),
    [("a", True), ("a:b", True), ("12a", True), ("1.5-x:3", True), ("12", False), ("12:30", False), (":a", False), ("1:a", False), ("", False), ("a b", False)],
)  # fmt: skip
def test_what_is_written_without_quotes_is_as_it_was(text, bare):
    assert (BARE.match(text) is not None) is bare
    assert show(text).startswith('"') is not bare
