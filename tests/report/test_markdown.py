"""Markdown that a forge renders as we meant it, and that fits into one comment whatever the plan."""

import re

import pytest
from markdown_it import MarkdownIt
from msgspec import structs

from reconciler.model.plan import Effect
from reconciler.model.result import Outcome, Result
from reconciler.report import Validation, render
from reconciler.report.markdown import LIMIT, code, escape
from report import sample, worlds
from report.golden import assert_golden
from report.test_text import DIAGNOSTIC

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
BLOCKS = {
    "heading_open", "heading_close", "paragraph_open", "paragraph_close", "bullet_list_open", "bullet_list_close",
    "list_item_open", "list_item_close", "blockquote_open", "blockquote_close", "fence", "html_block", "inline",
}  # fmt: skip
SUMMARY = re.compile(r"<details><summary>(<code>[^<>]*</code>: )?[\w ,]+</summary>\n|</details>\n?")
TITLES = {
    "Owners", "Owners lost", "Owners gained", "Deleted", "Access lost", "Access changed", "Access gained", "Warnings",
    "Notes", "To fix:", "To allow it once:", "To allow them once:", "Access gained: owners", "Errors", "Failed", "Skipped", "Refused:", "Error:", "Warning:", "DNS names that change",
    "Not managed by these manifests", "Allowed once, by --allow",
}  # fmt: skip
FILTERED = re.compile(
    r"@\w|#\d|https?://|ftp://|mailto:|www\.\w|GH-\d|:[\w+-]+:|\b[0-9a-f]{7,40}\b|(?<!\w)[!~%&$^]\w", re.IGNORECASE
)


def assert_ours(markdown):
    """Every construct in it is one of those that the writer makes."""
    for token in PARSER.parse(markdown):
        assert token.type in BLOCKS, token
        if token.type == "html_block":
            assert SUMMARY.fullmatch(token.content), token.content
        if token.type == "fence":
            assert token.info == "diff"
            assert token.markup.strip("`") == ""
        if token.type == "inline":
            assert_inline_is_ours(token)


def assert_inline_is_ours(token):
    text, strong = "", None
    for child in token.children:
        assert child.type in {
            "text",
            "text_special",
            "code_inline",
            "softbreak",
            "strong_open",
            "strong_close",
            "em_open",
            "em_close",
        }, child
        if child.type == "strong_open":
            strong = ""
        elif child.type == "strong_close":
            assert strong in TITLES or re.match(r"\d+ more lines? did not fit\. ", strong), strong
            strong = None
        elif child.type in ("text", "text_special"):
            text += child.content
            strong = None if strong is None else strong + child.content
        else:
            # A forge's filters see each stretch of text alone; code spans end one.
            text += "\n"
    assert not FILTERED.search(text.replace("[!CAUTION]", "")), text


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("plan.md", sample.REFUSED),
        ("result.md", sample.APPLIED_IN_PART),
        ("validation.md", Validation((DIAGNOSTIC, sample.WARNING), 3, 2)),
    ],
)
def test_markdown_is_as_it_was_accepted(name, subject):
    found = render(subject, "markdown", made=sample.MADE)
    assert_ours(found)
    assert_golden(name, found)


def plain(markdown):
    """What a reader sees of one paragraph."""
    (_, inline, _) = PARSER.parse(markdown)
    return "".join(child.content for child in inline.children)


@pytest.mark.parametrize("raw", [text for text in worlds.HOSTILE if text.strip()])
def test_hostile_text_is_read_as_it_was_written(raw):
    from reconciler.report.escaping import show_hidden

    for prefix in ("", "x "):
        found = prefix + escape(raw)
        assert_ours(found)
        assert plain(found) == prefix + show_hidden(raw).strip()
    assert plain("x " + code(raw)) == "x " + show_hidden(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "- item",
        "+ item",
        "1. item",
        "12) item",
        "=====",
        "---",
        "# heading",
        "> quote",
        "    code",
        "~~~",
        "```",
        "* * *",
        "| a |\n|-|",
        "$x$",
        "[a]: b",
        "<!-- c",
    ],
)
def test_no_text_begins_a_block(raw):
    assert_ours("- " + escape(raw))
    assert [token.type for token in PARSER.parse("- " + escape(raw))] == [
        "bullet_list_open", "list_item_open", "paragraph_open", "inline", "paragraph_close", "list_item_close",
        "bullet_list_close",
    ]  # fmt: skip


@worlds.given(worlds.plans())
def test_no_plan_brings_markup_of_its_own(plan):
    assert_ours(render(plan, "markdown"))


@worlds.given(worlds.results())
def test_no_result_brings_markup_of_its_own(result):
    assert_ours(render(result, "markdown"))


@worlds.given(worlds.few(worlds.diagnostics))
def test_no_manifest_brings_markup_of_its_own(diagnostics):
    assert_ours(render(Validation(diagnostics, 1, 1), "markdown"))


def many(number, **rest):
    """A plan in which everything happens `number` times, the owners ten times less often."""
    names = [f"user-{index:05}" for index in range(number)]
    return structs.replace(
        sample.CHANGED,
        changes=tuple(
            sample.change("delete", f"org.acme/member.{name}", {"role": "member"}, reason="unlisted") for name in names
        )
        + tuple(sample.change("delete", f"org.acme/workspace.w{name}", {}, reason="absent") for name in names[::10]),
        steps=(),
        impact=tuple(Effect(f"o{name}", "acme", "owner", None, "absent: true") for name in names[::10])
        + tuple(Effect(name, "acme", "member", None, "no longer listed") for name in names)
        + tuple(Effect(f"new-{name}", "acme/prod", None, "reader", "team/sre") for name in names),
        **rest,
    )


@pytest.mark.parametrize("number", [10, 300, 1000, 2500])
def test_a_report_fits_into_a_comment_and_keeps_every_owner_removal_and_refusal(number):
    refusals = tuple(
        structs.replace(sample.MASS_REMOVAL, address=f"org.acme/member.r{index:05}", fact="fact " * 60)
        for index in range(number // 5)
    )
    found = render(many(number, refusals=refusals), "markdown")
    assert len(found) <= LIMIT
    assert_ours(found)
    for index in range(number):
        assert f"`user-{index:05}`" in found
    for index in range(0, number, 10):
        assert f"`ouser-{index:05}`" in found
        assert f"`org.acme/workspace.wuser-{index:05}`" in found
    for refusal in refusals:
        assert f"`{refusal.address}`" in found
    assert ("Left out: " in found) == (number > 100)


def test_what_is_left_out_is_said():
    found = render(many(1000), "markdown")
    assert "Too long for one comment. Left out: the details of every organization" in found
    assert "gains of access" not in found, "names with their roles fit"


def test_details_go_from_the_longest_org_before_anything_else_does():
    changes = tuple(
        sample.change("create", f"org.{org}/workspace.w{index}", None, {"instance_type": "x" * 100})
        for org, number in (("big", 600), ("small", 3))
        for index in range(number)
    )
    found = render(sample.empty_plan(changes=changes), "markdown")
    assert "Left out: the details of `org.big`." in found
    assert "<code>org.small</code>: 3 to create" in found


def test_where_even_bare_names_are_too_many_it_says_how_many_lines_are_missing():
    found = render(many(20_000), "markdown")
    assert len(found) <= LIMIT
    assert_ours(found)
    assert found.count(" did not fit. Use --format text to see everything.**") == 2
    # Owners come first, so they are the last to go.
    assert all(f"`ouser-{index:05}`" in found for index in range(0, 20_000, 10))


@pytest.mark.parametrize("subject", ["error page", "display name"])
def test_one_huge_string_does_not_push_the_rest_out(subject):
    huge = "<p>" * 100_000
    if subject == "error page":
        found = render(Result(sample.CHANGED, (Outcome(1, "org.acme", "update", "failed", huge),)), "markdown")
    else:
        found = render(
            structs.replace(sample.REFUSED, warnings=(structs.replace(sample.WARNING, summary=huge),)),
            "markdown",
        )
        assert "owner-floor" in found
    assert len(found) <= LIMIT
    assert "more characters" in found
    assert "`frank` loses" in found


def test_a_thousand_gains_are_all_named_with_their_roles():
    gains = tuple(
        Effect(
            f"person{index:04}",
            "acme/prod" if index % 2 else "acme/dev",
            None,
            "reader",
            "team/all, through team/engineering",
        )
        for index in range(1000)
    )
    found = render(sample.empty_plan(impact=gains), "markdown")
    assert len(found) <= LIMIT
    assert_ours(found)
    assert [effect.person for effect in gains if effect.person not in found] == []
    assert "`acme/prod`, `reader`: " in found or "gains `reader` on `acme/prod`" in found
