"""A bounded part of the fuzz, with the same cases each time; `make fuzz` goes on for longer."""

from __future__ import annotations

import pytest

from hostile.fuzz import Fuzz
from reconciler.pipes.embedded import Embedded


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_no_mutation_ends_in_a_traceback_or_shows_a_secret(tmp_path, monkeypatch, first):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Embedded, "send", Embedded.send)  # put back at the end
    for name in ("PIPES_TOKEN", "FUZZ_SECRET"):
        monkeypatch.setenv(name, "")
    fuzz = Fuzz(tmp_path)
    for seed in range(first, first + 50):
        fuzz.case(seed)
    assert fuzz.findings == []
    assert fuzz.runs > 50
