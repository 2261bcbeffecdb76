"""JSON is the saved plan's document, and with it what became of each step."""

import json

from reconciler.plan.document import dumps, to_document
from reconciler.report import Validation, render
from report import sample, worlds
from report.golden import assert_golden
from report.test_text import DIAGNOSTIC


def test_the_json_of_a_plan_is_as_it_was_accepted():
    assert_golden("plan.json", render(sample.REFUSED, "json", made=sample.MADE))


def test_the_json_of_a_plan_is_what_is_saved():
    assert render(sample.REFUSED, "json") == dumps(sample.REFUSED)


def test_the_json_of_a_result_is_the_plan_and_its_outcomes():
    found = json.loads(render(sample.APPLIED_IN_PART, "json"))
    outcomes = found.pop("outcomes")
    assert [outcome["status"] for outcome in outcomes[3:6]] == ["done", "failed", "skipped"]
    assert outcomes[4] == {
        "number": 5,
        "address": "org.acme/workspace.prod",
        "action": "create",
        "status": "failed",
        "detail": "Pipes: Workspace limit reached.",
        "wrote": False,
        "status_code": 402,
        "request_id": "req-1f",
        "code": None,
        "unreachable": False,
        "test_failed": False,
    }
    assert found.pop("outcome_notes") == ["the lock file was not kept: the folder cannot be written"]
    assert found.pop("remaining") == []
    assert found.pop("interrupted") is False
    assert found == to_document(sample.CHANGED)


def test_the_json_of_a_validation_is_terraforms():
    found = json.loads(render(Validation((DIAGNOSTIC, sample.WARNING), 3, 2), "json"))
    assert (found["valid"], found["error_count"], found["warning_count"]) == (False, 1, 1)
    assert found["diagnostics"][0]["source"] == {"file": "manifests/acme.yaml", "line": 14, "column": 15}


@worlds.given(worlds.results())
def test_whatever_a_result_holds_the_json_is_ascii_and_parses(result):
    text = render(result, "json")
    assert text.isascii()
    assert "\x7f" not in text
    assert [outcome["detail"] for outcome in json.loads(text)["outcomes"]] == [o.detail for o in result.outcomes]
