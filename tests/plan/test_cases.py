"""The planner against cases that are files: see tests/cases/README.md. RECONCILER_ACCEPT=1 rewrites what is expected."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plan.case import Case, parts
from reconciler.model.errors import ManifestError, UsageError
from reconciler.plan.document import dumps, loads

CASES = sorted((Path(__file__).parent.parent / "cases").glob("*.txt"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_manifest_and_what_is_live_give_exactly_this_plan(path, tmp_path):
    text = path.read_text(encoding="utf-8")
    told = Case(text, tmp_path).told()
    if os.environ.get("RECONCILER_ACCEPT") == "1":
        path.write_text(text.partition("--- plan\n")[0].rstrip("\n") + "\n--- plan\n" + told, encoding="utf-8")
        return
    assert told == parts(text)["plan"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_plan_reads_back_from_its_file_as_it_was_saved(path, tmp_path):
    case = Case(path.read_text(encoding="utf-8"), tmp_path)
    try:
        plan = case.plan()
    except (ManifestError, UsageError):
        assert "error" in case.told()
        return
    assert loads(dumps(plan)) == plan


def test_there_are_at_least_thirty_cases():
    assert len(CASES) >= 30
