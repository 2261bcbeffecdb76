"""The HTML page, taken apart by a parser and, where there is one, by a browser."""

import builtins
import re
from html.parser import HTMLParser

import pytest

from browser import assert_fits, needs_browser
from reconciler.model.errors import UsageError
from reconciler.model.plan import Effect
from reconciler.report import Validation, html_layout, render
from reconciler.report.escaping import show_hidden
from report import sample, worlds
from report.golden import assert_golden
from report.test_text import DIAGNOSTIC

TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "h1", "h2", "h3", "h4", "p", "div", "span",
    "strong", "code", "bdi", "pre", "ul", "li", "dl", "dt", "dd", "del", "ins", "table", "thead", "tbody", "tr", "th", "td",
    "details", "summary", "form", "label", "input", "nav", "a", "abbr", "script",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "title", "data-label", "open", "hidden", "id", "href", "type",
    "autocomplete", "role", "scope", "tabindex", "aria-label", "data-find", "data-part",
}  # fmt: skip
EMPTY = {"meta", "input"}


class Page(HTMLParser):
    """Checks every tag and keeps the text, in and outside of the style."""

    def __init__(self, source):
        super().__init__()
        self.open, self.text, self.style, self.script = [], "", "", ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES, name
            assert name != "href" or re.fullmatch("#part-[0-9]+", value), value
            assert name != "class" or re.fullmatch("[a-z ]*", value), value
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_comment(self, data):
        raise AssertionError(data)

    def handle_pi(self, data):
        raise AssertionError(data)

    def unknown_decl(self, data):
        raise AssertionError(data)

    def handle_data(self, data):
        if "style" in self.open:
            self.style += data
        elif "script" in self.open:
            self.script += data
        else:
            self.text += data


def assert_ours(subject):
    found = Page(render(subject, "html"))
    assert (found.style, found.script) == (html_layout.page_file("style.css"), "")
    for line in found.text.split("\n"):
        assert show_hidden(line) == line
    return found


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("plan.html", sample.REFUSED),
        ("result.html", sample.APPLIED_IN_PART),
        ("validation.html", Validation((DIAGNOSTIC, sample.WARNING), 3, 2)),
    ],
)
def test_the_page_is_as_it_was_accepted(name, subject):
    assert_ours(subject)
    assert_golden(name, render(subject, "html", made=sample.MADE))


def test_the_page_loads_nothing_and_runs_nothing():
    source = render(sample.REFUSED, "html")
    assert "default-src 'none'" in source
    outside = r"<(script|link|img|iframe|object|form|base)|\b(src|on\w+)=|\bhref=(?!\"#)|url\(|@import"
    assert not re.search(outside, source)


@worlds.given(worlds.plans())
def test_no_plan_brings_elements_of_its_own(plan):
    assert_ours(plan)


@worlds.given(worlds.results())
def test_no_result_brings_elements_of_its_own(result):
    assert_ours(result)


@worlds.given(worlds.few(worlds.diagnostics))
def test_no_manifest_brings_elements_of_its_own(diagnostics):
    assert_ours(Validation(diagnostics, 1, 1))


@pytest.mark.parametrize("raw", worlds.HOSTILE)
def test_hostile_text_is_read_as_it_was_written(raw):
    assert show_hidden(f"<{raw}>") in assert_ours(sample.empty_plan(notes=(f"<{raw}>",))).text


def test_the_same_plan_gives_the_same_page():
    assert render(sample.REFUSED, "html") == render(sample.REFUSED, "html")


def test_without_jinja2_it_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **options):
        if name == "jinja2":
            raise ImportError(name)
        return real(name, *rest, **options)

    html_layout.compiled.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"the extra reconciler\[html\]"):
        render(sample.NOTHING, "html")


@needs_browser
@pytest.mark.parametrize("width", [380, 1400])
@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(sample.REFUSED, id="plan"),
        pytest.param(sample.APPLIED_IN_PART, id="result"),
        pytest.param(
            sample.empty_plan(
                changes=(sample.change("create", "org.acme/member." + "x" * 300, None, {"role": "y" * 300}),),
                impact=(Effect("x" * 300, "acme/" + "z" * 300, None, "reader", "w" * 300),),
            ),
            id="names without a break",
        ),
    ],
)
def test_a_browser_finds_nothing_wider_than_the_window(subject, width, tmp_path):
    assert_fits(render(subject, "html"), width, tmp_path)


@needs_browser
def test_a_browser_finds_what_is_wider_than_the_window(tmp_path):
    with pytest.raises(AssertionError, match="500 px wide in a window of 380 px"):
        assert_fits('<!doctype html><body style="margin:0"><div style="width:500px">text</div>', 380, tmp_path)
