"""Workflow commands, read back the way the runner reads them."""

import re

import pytest
from msgspec.structs import replace

from reconciler.model.diagnostic import Source
from reconciler.report import Validation, github, render, wording
from reconciler.report.escaping import show_hidden
from report import sample, worlds
from report.golden import assert_golden
from report.test_text import DECEIVING, DIAGNOSTIC

PROPERTIES = {"file", "line", "col", "endColumn", "title"}


def commands(report):
    """Level, properties and message of each line, as ActionCommand.TryParseV2 takes them apart."""
    assert report.endswith("\n") or not report
    for line in report.split("\n")[:-1]:
        start, rest = line[:2], line[2:]
        assert start == "::"
        head, found, message = rest.partition("::")
        assert found
        level, _, pairs = head.partition(" ")
        properties = dict(pair.split("=", 1) for pair in pairs.split(","))
        for name, value in properties.items():
            properties[name] = value.replace("%3A", ":").replace("%2C", ",").replace("%25", "%")
        yield level, properties, message.replace("%25", "%")


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("plan.github", sample.REFUSED),
        ("result.github", sample.APPLIED_IN_PART),
        ("validation.github", Validation((DIAGNOSTIC, sample.WARNING), 3, 2)),
    ],
)
def test_commands_are_as_they_were_accepted(name, subject):
    assert_golden(name, render(subject, "github", made=sample.MADE))


def test_an_error_stands_at_its_line():
    level, properties, message = next(commands(render(Validation((DIAGNOSTIC,), 1, 1), "github")))
    assert level == "error"
    assert properties == {"file": "manifests/acme.yaml", "line": "14", "col": "15", "endColumn": "20", "title": "error"}
    assert message == "unknown key `rolle` for member alice (did you mean `role`?)"


def test_what_forbids_the_plan_comes_before_what_it_would_do():
    levels = [level for level, _, _ in commands(render(sample.REFUSED, "github"))]
    assert levels == sorted(levels, key=["error", "warning", "notice"].index)
    assert levels.count("error") == 3


@pytest.mark.parametrize("raw", worlds.HOSTILE)
def test_hostile_text_comes_back_as_one_message_or_property(raw):
    plan = sample.empty_plan(
        changes=(
            sample.change(
                "delete", f"org.acme/member.{raw}", {"role": raw}, source=sample.Source(raw, 1), reason=raw or None
            ),
        ),
        notes=(raw,),
    )
    *_, (level, properties, message) = commands(render(plan, "github"))
    assert level == "notice"
    assert properties["file"] == show_hidden(raw)
    assert properties["title"] == show_hidden(f"delete org.acme/member.{raw}")
    assert message.startswith(show_hidden(f"- org.acme/member.{raw}"))


def assert_ours(report):
    for level, properties, message in commands(report):
        assert level in {"error", "warning", "notice"}
        assert set(properties) <= PROPERTIES
        assert not set(message) & DECEIVING
    assert not re.search(r"##\w*\[", report)
    assert all(char == "\n" or ord(char) >= 0x20 for char in report)


@worlds.given(worlds.plans())
def test_no_plan_gives_a_command_of_its_own(plan):
    assert_ours(render(plan, "github"))


@worlds.given(worlds.results())
def test_no_result_gives_a_command_of_its_own(result):
    assert_ours(render(result, "github"))


@worlds.given(worlds.few(worlds.diagnostics))
def test_no_manifest_gives_a_command_of_its_own(diagnostics):
    assert_ours(render(Validation(diagnostics, 1, 1), "github"))


def test_outputs_say_what_a_workflow_decides_by():
    assert github.outputs(sample.REFUSED) == {
        "summary": "Plan: 3 to create, 2 to update, 1 to rename, 4 to delete. Risk: destroys. Failed: 1 error. Nothing can be applied. "
        "Refused by owner-floor and mass-removal in 1 of 3 organizations. Nothing can be applied.",
        "risk": "destroys",
        "changes": "10",
        "create": "3",
        "update": "2",
        "rename": "1",
        "delete": "4",
        "refusals": "2",
        "codes": "owner-floor,mass-removal",
        "errors": "1",
        "warnings": "1",
        "confirm_delete": "oldco",
    }
    assert github.outputs(sample.APPLIED_IN_PART)["failed"] == "2"
    assert github.outputs(Validation((DIAGNOSTIC,), 1, 1))["errors"] == "1"


@worlds.given(worlds.results())
def test_no_output_runs_over_its_line(result):
    for subject in (result, result.plan):
        for name, value in github.outputs(subject).items():
            assert re.fullmatch("[a-z_]+", name)
            assert len(f"{name}={value}".splitlines()) == 1


def test_the_jobs_summary_is_markdown_of_the_same_report():
    assert github.summary(sample.REFUSED) == render(sample.REFUSED, "markdown")


@pytest.mark.parametrize("letter", ["a", "ż", "🏭"])
def test_a_job_summary_uses_its_whole_limit_and_never_more(letter):
    asked = []

    def render(limit):
        asked.append(limit)
        return letter * limit

    found = github.within_summary(render)
    assert github.SUMMARY_LIMIT * 0.99 < len(found.encode()) <= github.SUMMARY_LIMIT
    assert len(asked) <= 3


@pytest.mark.parametrize("number", [9, 10, 11, 500])
def test_ten_annotations_of_a_level_are_shown_the_most_important_first_and_the_rest_is_counted(number):
    changes = [
        sample.change("create", f"org.acme/member.m{n}", None, {"role": "member"}, source=Source("a.yaml", n + 1))
        for n in range(number)
    ]
    changes.append(sample.change("delete", "org.acme/member.gone", {"role": "owner"}, source=Source("a.yaml", 1)))
    refusals = tuple(replace(sample.MASS_REMOVAL, address=f"org.o{n}") for n in range(number))
    warnings = tuple(replace(sample.WARNING, summary=f"warning {n}") for n in range(number))
    plan = sample.empty_plan(changes=tuple(changes), refusals=refusals, warnings=warnings, notes=("a note",) * 3)
    lines = render(plan, "github").splitlines()
    for level, whole in (("error", number), ("warning", number), ("notice", number + 5)):
        found = [line for line in lines if line.startswith(f"::{level} ")]
        assert len(found) == min(whole, 10)
        if whole > 10:
            assert found[-1] == f"::{level} title=reconciler::{whole - 9} more {level}s: see the job summary"
        elif level == "notice":
            assert found[0] == f"::notice title=reconciler::{' '.join(wording.summary(plan))}"
    assert any("delete org.acme/member.gone" in line for line in lines)


@pytest.mark.parametrize(
    ("folder", "file", "expected"),
    [("", "orgs.yaml", "orgs.yaml"), ("infra", "orgs.yaml", "infra/orgs.yaml"), ("a/b", "../orgs.yaml", "a/orgs.yaml"),
     ("infra", "/srv/orgs.yaml", "/srv/orgs.yaml"), ("a,b", "c:d.yaml", "a%2Cb/c%3Ad.yaml")],
)  # fmt: skip
def test_files_are_named_from_the_root_of_the_repository(folder, file, expected):
    warning = replace(sample.WARNING, source=Source(file, 7))
    rendered = github.from_root(render(sample.empty_plan(warnings=(warning,)), "github"), folder)
    assert f"::warning file={expected},line=7," in rendered
