"""Sheets: one structure, five writers, and nothing that a name can do to any of them."""

import re

import pytest
from msgspec import structs

from browser import assert_fits, needs_browser
from reconciler.report.escaping import show_hidden
from reconciler.report.markdown import LIMIT
from reconciler.report.sheet import FOLDED, KEPT, SHOWN, Brief, Cell, Item, Matrix, Name, Section, Sheet, Table, listed
from reconciler.report.sheet_formats import draw, github
from report import worlds
from review import sheets
from review.sheets import SAMPLE, assert_golden

GOLDEN = {"text": "txt", "markdown": "md", "html": "html", "github": "github", "junit": "junit.xml"}


@pytest.mark.parametrize("format_", GOLDEN)
def test_a_sheet_is_drawn_as_it_was_accepted(format_):
    drawn = draw(SAMPLE, format_, verbose=True)
    sheets.OURS[format_](drawn)
    assert_golden(f"sheet.{GOLDEN[format_]}", drawn)


def test_text_folds_what_is_detail_and_says_so():
    brief = draw(SAMPLE, "text")
    assert "unlisted" not in brief
    assert "Manifest changes for org.acme are hidden; use -v to show them." in brief
    assert "unlisted" in draw(SAMPLE, "text", verbose=True)


def test_color_changes_nothing_but_color():
    colored = draw(SAMPLE, "text", color=True, verbose=True)
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == draw(SAMPLE, "text", verbose=True)


@worlds.given(sheets.sheets)
def test_no_sheet_brings_anything_of_its_own_into_any_format(sheet):
    sheets.assert_ours(sheet)


@pytest.mark.parametrize("raw", worlds.HOSTILE)
def test_hostile_text_is_harmless_in_every_string_of_a_sheet(raw):
    name = Name(raw)
    item = Item((name, raw, name), "+", (raw, name), sheets.HERE, ((raw,), (name,)), "warning", True, (raw, raw))
    table = Table((raw, raw), (((name,), (raw,)), ((raw, name), ())))
    matrix = Matrix(
        (raw, raw), ((raw, (Cell(raw, raw), None)), (raw, (Cell("owner", raw, pending=True), Cell(raw, ""))))
    )
    made = tuple(Section(raw, (item,), table, matrix, weight, (raw,)) for weight in (KEPT, SHOWN, FOLDED))
    problem = structs.replace(SAMPLE.problems[0], summary=raw, hint=raw, text=raw)
    tiles = ((raw, raw, True), (raw, raw, False))
    sheet = Sheet("review", raw, (raw,), made, (raw,), (problem,), ((raw, name),), tiles, True, {"x": raw})
    sheets.assert_ours(sheet)
    page = sheets.of_html(draw(sheet, "html"))
    assert show_hidden(raw) in page.text
    xs = draw(structs.replace(sheet, sections=(Section("t", (Item((Name(f"<{raw}>"),)),)),)), "text")
    assert show_hidden(f"<{raw}>") in xs


def test_names_side_by_side_stay_two_names():
    item = Item((Name("a"), Name("b`c"), Name("d")))
    sheet = Sheet("review", "Review", ("x",), (Section("t", (item,)),))
    drawn = draw(sheet, "markdown")
    (words,) = [token for token in sheets.PARSER.parse(drawn) if token.type == "inline" and "b`c" in token.content]
    assert [child.content for child in words.children if child.type == "code_inline"] == ["a", "b`c", "d"]


def test_each_item_with_a_level_is_an_annotation_the_gravest_first():
    lines = draw(SAMPLE, "github").splitlines()
    assert [line.split()[0] for line in lines] == ["::error", "::warning", "::warning", "::notice", "::notice"]
    assert lines[2] == ("::warning file=orgs.yaml,line=7,col=3,title=Owners::frank loses owner of acme (absent: true)")


def test_every_sheet_has_the_outputs_that_a_workflow_decides_by():
    assert github.outputs(SAMPLE) == {
        "summary": "2 people lose access. 1 error.", "errors": "1", "warnings": "1", "changes": "2",
    }  # fmt: skip


def many(number, weight, **rest):
    made = (
        Item(
            (Name(f"user-{n:05}"), " loses ", Name("reader"), " on ", Name("acme/prod")),
            "-",
            ("because of a reason that takes some room on its line",),
            brief=Brief("acme/prod", f"user-{n:05}", ("reader",)),
        )
        for n in range(number)
    )
    return Section("Access lost", tuple(made), weight=weight, **rest)


@pytest.mark.parametrize("number", [10, 400, 1500, 3500])
def test_a_comment_never_leaves_out_what_is_kept(number):
    folded = Section("org.acme", tuple(Item((Name(f"x{n}"),)) for n in range(number)), weight=FOLDED)
    shown = structs.replace(many(number, SHOWN), title="Access gained")
    drawn = draw(Sheet("review", "Review", ("x",), (many(number, KEPT), shown, folded)), "markdown")
    assert len(drawn) <= LIMIT
    sheets.of_markdown(drawn)
    for n in range(number):
        assert f"`user-{n:05}`" in drawn
    assert ("Left out: " in drawn) == (number > 10)


def test_where_even_bare_names_are_too_many_it_says_how_many_lines_are_missing():
    drawn = draw(Sheet("review", "Review", ("x",), (many(20_000, KEPT),)), "markdown")
    assert len(drawn) <= LIMIT
    assert drawn.count(" did not fit. Use --format text to see everything.**") == 2


def test_what_is_left_out_is_named_at_the_top():
    unnamed = Section("Notes of a kind", tuple(Item((f"note {n} " + "x" * 60,)) for n in range(2000)), weight=SHOWN)
    folded = Section("org.acme", (Item((Name("x"),)),), weight=FOLDED)
    drawn = draw(Sheet("review", "Review", ("x",), (many(900, KEPT), unnamed, folded)), "markdown")
    assert drawn.split("\n\n")[1].startswith(
        "_Too long for one comment. Left out: the details; Notes of a kind (2000)."
    )


@pytest.mark.parametrize("number", [1000, 3000])
def test_who_gains_is_named_with_role_and_place_before_anything_is_dropped(number):
    shown = structs.replace(many(number, SHOWN), title="Access gained")
    drawn = draw(Sheet("review", "Review", ("x",), (shown,)), "markdown")
    assert len(drawn) <= LIMIT
    assert all(f"`user-{n:05}`" in drawn for n in range(number))
    assert "`acme/prod`, `reader`: `user-00000`, `user-00001`" in drawn


def test_where_not_all_fit_owners_come_first_and_as_many_others_as_fit():
    def gain(n):
        role = "owner" if n % 100 == 0 else "reader"
        return Item(
            (Name(f"user-{n:05}"), " gains ", Name(role)),
            "+",
            brief=Brief(("acme/a", "acme/b"), f"user-{n:05}", (role,)),
        )

    changed = structs.replace(many(500, KEPT), title="Access changed")
    gained = Section("Access gained", tuple(gain(n) for n in range(20_000)), weight=SHOWN)
    drawn = draw(Sheet("review", "Review", ("x",), (changed, gained)), "markdown")
    assert LIMIT - 2000 < len(drawn) <= LIMIT
    owners, others = drawn.index("**Access gained: owners**"), drawn.index("**Access gained**")
    assert owners < drawn.index("**Access changed**") < others
    assert all(owners < drawn.index(f"`user-{n:05}`") < others for n in range(0, 20_000, 100))
    assert "- ➕ `acme/a`, `acme/b`, `reader`: `user-00001`" in drawn
    top = drawn.split("\n\n")[1]
    assert top.startswith("_Too long for one comment. **")
    assert "more lines did not fit" in top


def test_names_are_listed_as_one_says_them():
    assert ["".join(listed(names)) for names in ((), "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]


@needs_browser
@pytest.mark.parametrize("width", [380, 1400])
@pytest.mark.parametrize(
    "sheet",
    [
        pytest.param(SAMPLE, id="sample"),
        pytest.param(
            Sheet("x", "y" * 300, ("z" * 300,), (
                Section("t" * 300, (Item((Name("n" * 300), "w" * 300), "+", ("v" * 300,)),)),
                Section("m", table=Table(tuple("h" * 30 for _ in range(30)), (tuple((Name("c" * 40),) for _ in range(30)),))),
            )),
            id="names without a break, a wide table",
        ),
    ],
)  # fmt: skip
def test_a_browser_finds_nothing_wider_than_the_window(sheet, width, tmp_path):
    assert_fits(draw(sheet, "html"), width, tmp_path)
