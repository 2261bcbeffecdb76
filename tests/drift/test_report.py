"""What drift looks like in each format, and what a name from outside can do there: nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from drift import sample
from drift.golden import assert_golden
from reconciler.model.drift import OUTSIDE, Difference, Since
from reconciler.report import FORMATS, drift, outputs, plan_since, render, summary
from report import sample as plans
from report import worlds
from report.test_hostile import spoiled
from review import sheets

GOLDEN = {
    "text": "txt", "json": "json", "markdown": "md", "html": "html", "github": "github", "junit": "junit.xml",
}  # fmt: skip
PAGE = (Path(__file__).parents[2] / "docs" / "drift.md").read_text(encoding="utf-8")
HERE = Since(
    plans.REFUSED,
    "origin/main",
    {change.address: mark for change, mark in zip(plans.REFUSED.changes, [*plan_since.GROUPS, *plan_since.GROUPS, *plan_since.GROUPS], strict=False)},
    settled=plans.REFUSED.changes[:1],
    notes=("a note",),
)  # fmt: skip


def test_there_is_a_golden_file_for_each_format():
    assert tuple(sorted(GOLDEN)) == tuple(sorted(FORMATS))


@pytest.mark.parametrize("format_", GOLDEN)
def test_drift_is_drawn_as_it_was_accepted(format_):
    assert_golden(f"drift.{GOLDEN[format_]}", render(sample.FULL, format_, verbose=True))


@pytest.mark.parametrize("format_", GOLDEN)
def test_a_plan_told_apart_is_drawn_as_it_was_accepted(format_):
    assert_golden(f"since.{GOLDEN[format_]}", render(HERE, format_, verbose=True))


def test_every_kind_of_difference_is_in_the_sample():
    kinds = {(d.kind, d.what) for d in sample.DIFFERENCES}
    missing = {
        (k, w)
        for k in ("org", "member", "workspace", "grant")
        for w in ("added", "removed", "changed", "renamed", "replaced")
    }
    missing -= kinds
    # a grant is its member's, and an org stated absent and there looks as a workspace does
    assert missing == {("grant", "renamed"), ("grant", "replaced"), ("org", "added"), ("org", "replaced")}


def test_peace_is_one_line():
    assert render(sample.IN_SYNC, "text").splitlines()[-1] == "In sync. Pipes matches the manifests."
    assert render(sample.IN_SYNC, "json").count('"differences": []') == 1
    assert "<failure" not in render(sample.IN_SYNC, "junit")


def test_each_difference_from_outside_is_a_failing_test_and_an_annotation():
    junit, github = render(sample.FULL, "junit"), render(sample.FULL, "github")
    outside = [d for d in sample.DIFFERENCES if d.standing == OUTSIDE]
    assert junit.count("<failure") == len(outside) + 2
    assert len(outside) > 10
    assert github.count("::warning ") == 10
    assert f"{len(outside) - 9} more warnings: see the job summary" in github
    assert github.count("::error ") == 2
    assert "::warning file=orgs/acme.yaml,line=5,col=7," in github


def test_a_jobs_summary_and_outputs():
    assert outputs(sample.FULL) == {
        "summary": "Drift: 21 differences from outside, 4 differences not applied yet. "
        "Not compared: org.gamma, org.beta. The other results are complete.",
        "errors": "0", "warnings": "0", "drift": "21", "not_applied": "4", "not_compared": "2", "expiring": "3", "violations": "0",
        "unmanaged": "2",
    }  # fmt: skip
    assert "mallory" in summary(sample.FULL)
    assert outputs(HERE)["changed_here"] != "0"


# --- hostile names ----------------------------------------------------------------------------------------------------

KEPT_WORDS = ("what", "kind", "standing", "severity", "action", "status")


def hostile(value, raw):
    """`value` with `raw` in every string, but for what the model takes from a fixed list."""
    if isinstance(value, list | tuple):
        return type(value)(hostile(item, raw) for item in value)
    if isinstance(value, msgspec.Struct):
        fields = structs.asdict(value)
        return type(value)(
            **{name: item if name in KEPT_WORDS else hostile(item, raw) for name, item in fields.items()}
        )
    return spoiled(value, raw)


@pytest.mark.parametrize("raw", worlds.HOSTILE)
def test_hostile_text_is_harmless_in_every_string_of_every_format(raw):
    changed = hostile(sample.FULL, raw)
    sheets.assert_ours(drift.to_sheet(changed))
    json.loads(render(changed, "json"))
    named = tuple(structs.replace(d, address=f"org.{raw}/member.{raw}") for d in changed.differences)
    sheets.assert_ours(drift.to_sheet(structs.replace(changed, differences=named)))
    plan = structs.replace(spoiled(plans.REFUSED, raw), steps=())
    told = Since(
        plan, raw, {change.address: mark for change in plan.changes for mark in plan_since.GROUPS}, plan.changes, (raw,)
    )
    sheets.assert_ours(plan_since.to_sheet(told))
    json.loads(render(told, "json"))


# --- JSON -------------------------------------------------------------------------------------------------------------


def documented(title):
    """The keys in the first column of the table that follows `title` on the page."""
    table = PAGE.partition(title)[2].partition("\n\n|")[2].partition("\n\n")[0]
    return [
        key
        for row in table.splitlines()[2:]
        for key in re.findall(r"`([a-z_]+)`", row.split("|")[1 if row.startswith("|") else 0])
    ]


def test_the_page_describes_every_key_of_the_json_and_no_other():
    found = json.loads(render(sample.FULL, "json"))
    assert sorted(documented("## As JSON")) == sorted(found)
    assert all(sorted(documented("Each difference:")) == sorted(d) for d in found["differences"])


def test_json_says_of_each_difference_what_the_model_has():
    found = json.loads(render(sample.FULL, "json"))
    assert len(found["differences"]) == len(sample.DIFFERENCES)
    for told, d in zip(found["differences"], sample.DIFFERENCES, strict=True):
        assert (told["address"], told["what"], told["wanted"], told["live"], told["standing"]) == (
            d.address, d.what, d.wanted, d.live, d.standing,
        )  # fmt: skip
        assert (told["by"] or {}).get("actor") == (d.by.actor if d.by else None)
    assert (found["in_sync"], found["drifted"]) == (False, True)
    assert found["differences"][1]["by"]["at"] == "2026-11-23T22:14:03Z"


@pytest.mark.parametrize("number", [3, 4, 749])
def test_one_reason_why_nobody_is_known_is_said_once_for_many_differences(number):
    many = tuple(
        Difference("added", "member", f"org.acme/member.p{index}", live="member", why_unknown="not in the audit log")
        for index in range(number)
    )
    found = render(structs.replace(sample.IN_SYNC, differences=many), "text")
    assert found.count("not in the audit log") == (3 if number == 3 else 1)
    assert (f"changed by: not in the audit log, for {number} differences" in found) == (number > 3)
