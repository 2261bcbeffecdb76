"""What the planner really makes can be saved, read back and reported in every format."""

from pathlib import Path

import pytest

from plan.case import Case
from reconciler.model.errors import ReconcilerError
from reconciler.plan.document import dumps, loads
from reconciler.report import FORMATS, render

CASES = sorted((Path(__file__).parents[1] / "cases").glob("*.txt"))


def test_there_are_cases():
    assert CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_plan_of_the_planners_cases_can_be_saved_and_reported(case, tmp_path):
    try:
        plan = Case(case.read_text(encoding="utf-8"), tmp_path).plan()
    except ReconcilerError:
        return  # a case that ends before there is a plan
    again = loads(dumps(plan))
    assert again == plan
    for format_ in FORMATS:
        assert render(again, format_, verbose=True) == render(plan, format_, verbose=True)
