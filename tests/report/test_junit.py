"""JUnit XML that parses, whatever was in the names."""

import xml.etree.ElementTree as ET

import pytest

from reconciler.report import Validation, render
from reconciler.report.escaping import show_hidden
from report import sample, worlds
from report.golden import assert_golden
from report.test_text import DIAGNOSTIC

ELEMENTS = {"testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out"}


def parsed(subject):
    return ET.fromstring(render(subject, "junit"))


def ends(subject):
    """How each test case ends, by its name."""
    return {
        case.get("name"): next((end.tag for end in case if end.tag != "system-out"), "passed")
        for case in parsed(subject).iter("testcase")
    }


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("plan.junit.xml", sample.REFUSED),
        ("result.junit.xml", sample.APPLIED_IN_PART),
        ("validation.junit.xml", Validation((DIAGNOSTIC, sample.WARNING), 3, 2)),
    ],
)
def test_junit_is_as_it_was_accepted(name, subject):
    assert_golden(name, render(subject, "junit", made=sample.MADE))


def test_a_refusal_and_an_error_show_as_failed_tests_and_an_org_as_one_that_ran():
    assert ends(sample.REFUSED) == {
        "org.acme": "passed",
        "org.oldco": "passed",
        "org.quiet": "passed",
        "owner-floor org.acme": "failure",
        "mass-removal org.acme": "failure",
        "orgs.yaml:42:9: erin is granted reader on acme/prod, and is no member of acme": "error",
        "summary": "passed",
    }


def test_each_step_of_an_apply_is_a_test():
    found = ends(sample.APPLIED_IN_PART)
    assert found["5 create org.acme/workspace.prod"] == "failure"
    assert found["6 create org.acme/workspace.prod/grant.carol"] == "skipped"
    assert found["2 update org.acme"] == "passed"


def test_a_validation_without_errors_is_one_passed_test():
    assert ends(Validation((), 1, 1)) == {"summary": "passed"}
    assert "error" in ends(Validation((DIAGNOSTIC,), 1, 1)).values()


def assert_ours(subject):
    root = parsed(subject)
    for element in root.iter():
        assert element.tag in ELEMENTS
        for value in (*element.attrib.values(), element.text or "", element.tail or ""):
            assert show_hidden(value.replace("\n", "")) == value.replace("\n", "")
    for suite in (root, root[0]):
        cases = list(root.iter("testcase"))
        assert suite.get("tests") == str(len(cases))
        for counted, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.get(counted) == str(len(list(root.iter(tag))))


@worlds.given(worlds.plans())
def test_no_plan_breaks_the_xml(plan):
    assert_ours(plan)


@worlds.given(worlds.results())
def test_no_result_breaks_the_xml(result):
    assert_ours(result)


@worlds.given(worlds.few(worlds.diagnostics))
def test_no_manifest_breaks_the_xml(diagnostics):
    assert_ours(Validation(diagnostics, 1, 1))


@pytest.mark.parametrize("raw", [raw for raw in worlds.HOSTILE if raw])
def test_hostile_text_comes_back_as_text(raw):
    plan = sample.empty_plan(orgs=(f"org.{raw}",))
    assert show_hidden(f"org.{raw}") in ends(plan)
