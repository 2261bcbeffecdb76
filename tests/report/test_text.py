"""The report that people see most."""

import re
import unicodedata

import pytest
from msgspec import structs

from reconciler.model.diagnostic import Diagnostic, Source
from reconciler.model.errors import UsageError
from reconciler.model.result import Outcome, Result
from reconciler.report import Validation, render, render_diagnostics, wording
from reconciler.report.text import escape
from report import sample, worlds
from report.golden import assert_golden

DECEIVING = {
    chr(code) for code in (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x61C, 0xFEFF)
}
ANSI = re.compile(r"\x1b\[[0-9;]*m")
DIAGNOSTIC = Diagnostic(
    "error",
    "unknown key `rolle` for member alice",
    Source("manifests/acme.yaml", 14, 15),
    hint="did you mean `role`?",
    length=5,
    text="      alice: {rolle: owner}",
)


def last_line(subject):
    return render(subject, "text").rstrip("\n").rpartition("\n")[2]


def text(plan):
    return render(plan, "text")


@pytest.mark.parametrize(
    ("name", "subject", "options"),
    [
        ("plan.txt", sample.CHANGED, {}),
        ("plan-verbose.txt", sample.CHANGED, {"verbose": True}),
        ("plan-colored.txt", sample.REFUSED, {"color": True}),
        ("plan-refused.txt", sample.REFUSED, {}),
        ("result.txt", sample.APPLIED_IN_PART, {}),
        ("validation.txt", Validation((DIAGNOSTIC, sample.WARNING), files=3, orgs=2), {}),
    ],
)
def test_text_is_as_it_was_accepted(name, subject, options):
    assert_golden(name, render(subject, "text", made=sample.MADE, **options))


def test_a_saved_plan_looks_the_same_when_it_is_shown_again():
    from reconciler.plan.document import dumps, loads

    assert render(loads(dumps(sample.REFUSED)), "text", verbose=True) == render(sample.REFUSED, "text", verbose=True)


def test_an_empty_plan_is_one_line():
    assert text(sample.NOTHING) == "No changes. Pipes matches the manifests.\n"


def test_an_empty_plan_that_is_refused_does_not_claim_that_live_matches():
    refused = sample.empty_plan(refusals=(sample.OWNER_FLOOR,))
    assert "matches" not in text(refused)
    assert last_line(refused) == "Refused by owner-floor. Nothing can be applied."


def test_an_empty_plan_with_an_error_does_not_claim_that_live_matches():
    failed = sample.empty_plan(errors=(sample.ERROR,))
    assert "matches" not in text(failed)
    assert last_line(failed) == "Failed: 1 error. Nothing can be applied."


def test_the_last_line_counts_what_would_be_done():
    assert last_line(sample.CHANGED) == "Plan: 3 to create, 2 to update, 1 to rename, 4 to delete. Risk: destroys."


def test_every_change_is_there_however_many_there_are():
    changes = tuple(
        sample.change("create", f"org.acme/member.user{number}", None, {"role": "member"}) for number in range(3000)
    )
    report = text(sample.empty_plan(changes=changes))
    assert len(re.findall(r"\+ org\.acme/member\.user\d+ ", report)) == 3000
    assert "Members: 3000 to create" in report


def test_owners_stand_before_everyone_else_in_the_impact():
    report = render(sample.CHANGED, "text", verbose=True)
    impact = report[report.index("Who gains") :]
    assert impact.index("frank loses owner of acme (") < impact.index("carol gains")


def test_what_an_update_leaves_alone_is_not_shown_and_what_it_clears_is():
    shown = wording.attributes(
        sample.change(
            "update",
            "org.acme",
            {"a": "x", "b": "x", "c": None, "d": "same", "e": []},
            {"b": None, "c": "y", "d": "same", "e": None},
        )
    )
    assert [str(attribute) for attribute in shown] == ["b: x -> (cleared)", "c: (not set) -> y"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("member", "member"),
        ("db1.small", "db1.small"),
        ("Acme Corp", '"Acme Corp"'),
        ("", '""'),
        ("null", '"null"'),
        ("No", '"No"'),
        ("123", '"123"'),
        ("1e3", "1e3"),
        (123, "123"),
        (True, "true"),
        (None, "null"),
        ('say "hi"\\', r'"say \"hi\"\\"'),
        ("(cleared)", '"(cleared)"'),
        (["a", "b c"], '[a, "b c"]'),
        ({"b": 1, "a": None}, '{"a": null, "b": 1}'),
    ],
)
def test_a_value_is_quoted_where_it_could_be_taken_for_something_else(value, shown):
    assert wording.show(value) == shown


def test_color_changes_nothing_but_color():
    for subject in (sample.CHANGED, sample.REFUSED, sample.APPLIED_IN_PART, sample.NOTHING):
        colored = render(subject, "text", color=True)
        assert ANSI.search(colored)
        assert ANSI.sub("", colored) == render(subject, "text")


@pytest.mark.parametrize(
    ("outcomes", "interrupted", "line"),
    [
        pytest.param(("done", "done"), False, "Applied: 2 steps done, 0 failed, 0 skipped.", id="all"),
        pytest.param(
            ("already",), False, "Applied: 0 steps done, 1 already in place, 0 failed, 0 skipped.", id="already"
        ),
        pytest.param(("done", "failed"), False, "Applied in part: 1 step done, 1 failed, 0 skipped.", id="in part"),
        pytest.param(("failed", "skipped"), False, "Not applied: 0 steps done, 1 failed, 1 skipped.", id="nothing"),
        pytest.param(
            ("done",), True, "Interrupted. Applied in part: 1 step done, 0 failed, 0 skipped.", id="interrupted"
        ),
    ],
)
def test_a_result_says_whether_it_was_whole(outcomes, interrupted, line):
    made = tuple(Outcome(number, "org.acme", "update", status) for number, status in enumerate(outcomes, 1))
    assert last_line(Result(sample.NOTHING, made, interrupted=interrupted)) == line


def test_a_failure_that_may_have_written_says_so():
    failed = Outcome(1, "org.acme", "update", "failed", "no answer", wrote=True)
    report = render(Result(sample.NOTHING, (failed,)), "text")
    assert "no answer (may be partly changed)" in report
    assert "Applied in part: " in report


def test_a_diagnostic_shows_its_line_and_underlines_what_is_wrong():
    assert render_diagnostics([DIAGNOSTIC]) == (
        "manifests/acme.yaml:14:15: error: unknown key `rolle` for member alice\n"
        "   14 |       alice: {rolle: owner}\n"
        "      |               ^^^^^ did you mean `role`?\n"
    )


def test_several_diagnostics_are_all_shown_and_none_is_nothing():
    assert render_diagnostics([DIAGNOSTIC, sample.WARNING]).count(": error: ") == 1
    assert render_diagnostics([DIAGNOSTIC, sample.WARNING]).count(": warning: ") == 1
    assert render_diagnostics([]) == ""


def test_the_caret_stays_below_its_word_where_the_line_hides_characters():
    found = structs.replace(DIAGNOSTIC, source=Source("a.yaml", 1, 4), length=3, text="\u202e\tabad", hint=None)
    _, line, caret = render_diagnostics([found]).splitlines()
    assert line == r"    1 | \u202e\tabad"
    assert line[caret.index("^") : caret.rindex("^") + 1] == "bad"


def test_a_line_of_megabytes_is_shown_around_the_place_only():
    found = structs.replace(
        DIAGNOSTIC, source=Source("a.yaml", 1, 2_500_001), length=3, text="x" * 2_500_000 + "bad" + "y" * 2_500_000
    )
    _, line, caret = render_diagnostics([found]).splitlines()
    assert len(line) < 200
    assert line[caret.index("^") : caret.rindex("^") + 1] == "bad"


def test_a_place_beyond_the_line_still_gets_a_caret():
    found = structs.replace(DIAGNOSTIC, source=Source("a.yaml", 1, 99), text="short")
    assert render_diagnostics([found]).splitlines()[2].startswith("      |      ^ ")


def test_a_validation_without_errors_says_what_is_valid():
    assert render(Validation((), 1, 2), "text") == "Valid: 1 manifest, 2 organizations.\n"
    assert last_line(Validation((sample.WARNING,), 1, 2)) == "Valid: 1 manifest, 2 organizations, 1 warning."
    assert last_line(Validation((DIAGNOSTIC, sample.WARNING), 3, 2)) == "1 error, 1 warning in 3 manifests."


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\u202eevil", r"\u202eevil"),
        ("a\u200bb", r"a\u200bb"),
        ("\U000e0041", r"\U000e0041"),
        ("\x85\x9b", r"\x85\x9b"),
        ("\ud800", r"\ud800"),
        ("::error::x", r"\::error::x"),
        ("  ::error::x", r"  \::error::x"),
        ("a::b", "a::b"),
        ("##[error]x", r"#\x23[error]x"),
        ("###vso[x]", r"##\x23vso[x]"),
        ("## plain", "## plain"),
        ("Zoë 東京 🙂", "Zoë 東京 🙂"),
    ],
)
def test_text_shows_what_was_hidden(raw, shown):
    assert escape(raw) == shown


@worlds.given(worlds.plans())
def test_no_plan_can_write_to_the_terminal_what_is_not_text(plan):
    assert_harmless(render(plan, "text", verbose=True))


@worlds.given(worlds.results())
def test_no_result_can_write_to_the_terminal_what_is_not_text(result):
    assert_harmless(render(result, "text"))


def assert_harmless(report):
    for line in report.split("\n"):
        assert not any(unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") for char in line), line
        assert not set(line) & DECEIVING, line
        assert not line.lstrip().startswith("::"), line
        assert not re.search(r"##\w*\[", line), line
    report.encode("utf-8")


def test_an_unknown_format_is_a_usage_error_that_lists_the_known():
    with pytest.raises(UsageError, match="unknown format `yaml`; the formats are text, json, markdown"):
        render(sample.NOTHING, "yaml")


def test_failed_steps_stand_next_to_the_summary_whatever_was_skipped():
    lines = text(sample.APPLIED_IN_PART).splitlines()
    statuses = [
        line.split()[0] for line in lines if line.split()[:1] and line.split()[0] in ("done", "failed", "skipped")
    ]
    assert statuses == sorted(statuses, key=["done", "skipped", "failed"].index)
    assert "failed" in statuses
