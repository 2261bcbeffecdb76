"""A sample sheet, generated ones, and what makes a drawn one ours in each format."""

import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path

from hypothesis import strategies as st
from markdown_it import MarkdownIt

from built import built
from reconciler.model.diagnostic import Diagnostic, Source
from reconciler.report import html_layout
from reconciler.report.escaping import show_hidden
from reconciler.report.sheet import FOLDED, KEPT, SHOWN, Brief, Cell, Item, Matrix, Name, Section, Sheet, Table
from reconciler.report.sheet_formats import draw, github, html_page
from report import test_github, test_html_page, test_junit, test_markdown, test_text, worlds

DRAWN = ("text", "markdown", "html", "github", "junit")
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
TOKENS = {
    "heading_open", "heading_close", "paragraph_open", "paragraph_close", "bullet_list_open", "bullet_list_close",
    "list_item_open", "list_item_close", "blockquote_open", "blockquote_close", "fence", "html_block", "inline",
    "table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close", "tr_open", "tr_close",
    "th_open", "th_close", "td_open", "td_close",
}  # fmt: skip
INLINE = {
    "text", "text_special", "code_inline", "softbreak", "strong_open", "strong_close", "em_open", "em_close",
}  # fmt: skip

HERE = Source("orgs.yaml", 7, 3)
SAMPLE = Sheet(
    "review",
    "Review",
    ("2 people lose access.", "1 error."),
    facts=("Compared ", Name("main"), " with the working tree"),
    sections=(
        Section(
            "Owners",
            (
                Item((Name("frank"), " loses ", Name("owner"), " of ", Name("acme")), "-", ("absent: true",), HERE,
                     level="warning", fails=True, brief=Brief("acme", "frank")),
                Item((Name("alice"), " gains ", Name("owner")), "+", brief=Brief("acme", "alice")),
            ),
            weight=KEPT,
            tone="alarm",
        ),
        Section("Who has access to what", table=Table(("Who", "acme", "acme/prod"), (((Name("alice"),), (Name("owner"),), ()),
                                                                             ((Name("bob"),), ("a|b",), (Name("c|d"),))))),
        Section("Gained", (Item(("carol joins",), "~", source=HERE, below=(("by ", Name("team/sre")),), level="notice"),),
                about=("Nothing is lost here.",), weight=SHOWN),
        Section("Manifest changes for org.acme", (Item((Name("org.acme/member.bob"),), "-", ("unlisted",)),), weight=FOLDED),
    ),
    problems=(
        Diagnostic("error", "unknown key `rolle`", HERE, "did you mean `role`?", 5, text="  bob: {rolle: owner}"),
        Diagnostic("warning", "bob owns acme", HERE),
    ),
    notes=(("BASE has no manifests yet.",),),
    bad=True,
    outputs={"changes": "2"},
)  # fmt: skip

GOLDEN = Path(__file__).parent / "golden"


def assert_golden(name, found, folder=GOLDEN):
    """As `report.golden`, for the files beside this one."""
    path = folder / name
    if os.environ.get("RECONCILER_ACCEPT") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8", newline="")
    assert path.exists(), f"{name} is missing: RECONCILER_ACCEPT=1 writes it"
    assert found == path.read_bytes().decode("utf-8")


texts = worlds.texts
pieces = st.lists(texts | texts.map(Name), max_size=3).map(tuple)
items = built(
    Item,
    pieces,
    st.sampled_from(("", "+", "-", "~", ">", "!")),
    pieces,
    st.none() | worlds.sources,
    st.lists(pieces, max_size=2).map(tuple),
    st.sampled_from(("", "notice", "warning", "error")),
    st.booleans(),
    st.none() | built(Brief, texts, texts, st.lists(texts, max_size=2).map(tuple)),
)


@st.composite
def tables(draw_):
    wide = draw_(st.integers(1, 3))
    row = st.lists(pieces, min_size=wide, max_size=wide).map(tuple)
    head = draw_(st.lists(texts, min_size=wide, max_size=wide).map(tuple))
    return Table(head, draw_(st.lists(row, max_size=2).map(tuple)))


cells = st.none() | built(Cell, texts, texts, st.booleans())


@st.composite
def matrices(draw_):
    places = draw_(st.lists(texts, min_size=1, max_size=3).map(tuple))
    row = st.tuples(texts, st.lists(cells, min_size=len(places), max_size=len(places)).map(tuple))
    return Matrix(places, draw_(st.lists(row, max_size=2).map(tuple)))


sections = built(
    Section, texts, worlds.few(items), st.none() | tables(), st.none() | matrices(),
    st.sampled_from((KEPT, SHOWN, FOLDED)), pieces, st.sampled_from(("", "alarm", "care")),
)  # fmt: skip
tiles = st.tuples(texts, texts, st.booleans())
sheets = built(
    Sheet, st.just("review"), texts, st.lists(texts, min_size=1, max_size=2).map(tuple), worlds.few(sections), pieces,
    worlds.few(worlds.diagnostics), worlds.few(pieces), worlds.few(tiles), st.booleans(),
    st.dictionaries(st.just("x"), texts),
)  # fmt: skip


def of_text(drawn):
    test_text.assert_harmless(drawn)


def of_markdown(drawn):
    for token in PARSER.parse(drawn):
        assert token.type in TOKENS, token
        if token.type == "html_block":
            assert test_markdown.SUMMARY.fullmatch(token.content), token.content
        if token.type == "inline":
            of_inline(token)


def of_inline(token):
    text = ""
    for child in token.children:
        assert child.type in INLINE, child
        # a forge's filters see each stretch of text alone; code spans end one
        text += child.content if child.type in ("text", "text_special") else "\n"
    assert not test_markdown.FILTERED.search(text.replace("[!CAUTION]", "")), text


def of_html(drawn):
    found = test_html_page.Page(drawn)
    matrix, script = ("matrix.css", "filter.js") if found.script else ("", "")
    style = [html_layout.page_file(name) for name in ("style.css", matrix) if name]
    assert found.style == "".join(style) + html_page.MORE
    assert found.script == (html_layout.page_file(script) if script else "")
    for line in found.text.split("\n"):
        assert show_hidden(line) == line
    return found


def of_github(drawn):
    test_github.assert_ours(drawn)


def of_junit(drawn):
    root = ET.fromstring(drawn)
    for element in root.iter():
        assert element.tag in {*test_junit.ELEMENTS, "properties", "property"}
        for value in (*element.attrib.values(), element.text or "", element.tail or ""):
            assert show_hidden(value.replace("\n", "")) == value.replace("\n", "")
    assert root.get("tests") == str(len(list(root.iter("testcase"))))


def of_json(drawn):
    assert drawn.isascii()
    json.loads(drawn)


OURS = {
    "text": of_text,
    "markdown": of_markdown,
    "html": of_html,
    "github": of_github,
    "junit": of_junit,
    "json": of_json,
}


def assert_ours(sheet):
    """Drawn in every format, the sheet holds nothing but what its writer makes."""
    for format_ in DRAWN:
        OURS[format_](draw(sheet, format_, verbose=True))
    for name, value in github.outputs(sheet).items():
        assert len(f"{name}={value}".splitlines()) == 1
