"""Every page in a real browser: as wide as the window, readable in light and dark and on paper, usable with the keyboard."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from browser import CONTRAST, needs_browser, tab
from e2e.bench import PROGRAM, TOKEN
from reconciler.sandbox.store import Store
from reconciler.sandbox.world import seed

PEOPLE = [f"user-{number:03}" for number in range(100)]
SPACES = [f"workspace{number:02}" for number in range(20)]
ROWS = "document.querySelectorAll('tr[data-find]:not([hidden])').length"
FOCUS = """(() => { const one = document.activeElement, style = getComputedStyle(one);
  return [one.tagName, one.textContent.trim().slice(0, 20), style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0]; })()"""


def manifest(roles):
    """100 people of whom some have a grant on each of 20 workspaces, by turns with each of `roles`."""
    return yaml.safe_dump(
        {
            "version": 1,
            "orgs": {
                "beta": {"display_name": "Beta", "members": {"alice": "owner", "eve": "member"}},
                "acme": {
                    "members": {"alice": "owner", "eve": {"absent": True}, **dict.fromkeys(PEOPLE, "member")},
                    "workspaces": {
                        space: {
                            "members": {
                                person: roles[(at + n) % len(roles)] for n, person in enumerate(PEOPLE[at : at + 5])
                            }
                        }
                        for at, space in enumerate(SPACES)
                    },
                },
            },
        }
    )


WORLD = {
    "actor": "alice",
    "seed": "pages",
    "now": "2026-11-24T09:00:00Z",
    "tokens": [{"user": "alice", "token": TOKEN, "issued_at": "2026-06-01T00:00:00Z"}],
    "orgs": {
        "acme": {
            "members": {"alice": "owner", "eve": "owner", **dict.fromkeys(PEOPLE, "member")},
            "workspaces": {space: {"members": {"user-001": "reader"}} for space in SPACES},
        },
        "beta": {"members": {"alice": "owner"}},
    },
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages of a plan, a review, drift, an apply and access, with 100 people and 20 workspaces."""
    folder = tmp_path_factory.mktemp("pages")
    with Store(folder / "pipes.sqlite3") as store:
        seed(store, WORLD)
    (folder / "before").mkdir()
    (folder / "before/orgs.yaml").write_text(manifest(["reader", "operator"]))
    (folder / "orgs.yaml").write_text(manifest(["operator", "owner", "reader"]))
    host = ["--host", "sandbox:pipes.sqlite3"]
    made = {}
    for name, args in {
        "plan": host,
        "review": ["before"],
        "drift": host,
        "access": [],
        "apply": ["--auto-approve", *host],
    }.items():
        made[name] = folder / f"{name}.html"
        command = [*PROGRAM, name, *args, "--format", "html", "--out", made[name].name]
        ran = subprocess.run(
            command, cwd=folder, env={"PATH": "/usr/bin:/bin", "PIPES_TOKEN": TOKEN}, capture_output=True
        )
        assert ran.returncode in (0, 2), ran.stderr
    return made


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with tab(tmp_path_factory.mktemp("browser")) as one:
        yield one
        assert one.complaints() == []


@needs_browser
@pytest.mark.parametrize("name", ["plan", "review", "drift", "access", "apply"])
def test_a_page_fits_and_can_be_read_at_every_width_in_light_and_dark_and_printed(pages, browser, name):
    for width in (380, 800, 1400):
        for scheme in ("light", "dark"):
            browser.show(pages[name].as_uri(), width, scheme)
            where = f"{name} at {width} px, {scheme}"
            assert browser.value("document.documentElement.scrollWidth") <= width, where
            assert browser.value(CONTRAST) >= 4.5, where
    browser.show(pages[name].as_uri(), 1047, "dark", "print")
    assert browser.value(CONTRAST) >= 4.5, "printed in black, whatever the screen"


@needs_browser
def test_every_column_of_20_workspaces_is_on_each_sheet_of_paper(pages, browser):
    browser.show(pages["access"].as_uri(), 1400)
    sheets = [text for text in browser.printed() if re.search(r"^user-\d+ [OMPR]", text, re.MULTILINE)]
    assert len(sheets) > 1
    for text in sheets:
        assert set(re.findall(r"workspace\d\d", text)) == set(SPACES)
    lines = dict(re.findall(r"^(user-\d+|alice) ((?:[OMPR] ?)+)$", "\n".join(sheets), re.MULTILINE))
    assert set(lines) == {"alice", *PEOPLE}
    assert len(lines["alice"].split()) == 21, "the organization and 20 workspaces"
    assert lines["user-004"].split() == ["M", "O", "O", "O", "O", "O"]


@needs_browser
@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("plan", "org.acme/workspace.workspace19/grant.user-023"),
        ("drift", "user-023 does not have reader on acme/workspace19"),
        ("apply", "create org.acme/workspace.workspace19/grant.user-023"),
        ("review", "org.acme/workspace.workspace19/grant.user-023"),
    ],
)
def test_what_is_folded_on_the_screen_is_printed(pages, browser, name, folded):
    browser.show(pages[name].as_uri(), 1400)
    assert folded.replace(" ", "") in re.sub(r"\s", "", "".join(browser.printed()))


@needs_browser
def test_the_filter_finds_people_places_and_roles_that_belong_together(pages, browser):
    browser.show(pages["access"].as_uri(), 1400)
    every = browser.value(ROWS)
    browser.value("document.getElementById('filter').focus(), 1")
    browser.type("workspace05 OWNER")
    found = browser.value(
        "[...document.querySelectorAll('tr[data-find]:not([hidden]) summary')].map(one => one.textContent)"
    )
    assert found == ["alice", "user-007"], "owners of that workspace; others have both words in different cells"
    assert browser.value("document.getElementById('found').textContent") == f"2 of {every} rows"
    assert browser.value("[...document.querySelectorAll('[data-part]')].filter(one => one.hidden).length") == 1
    browser.press("Escape")
    assert (browser.value(ROWS), browser.value("document.getElementById('filter').value")) == (every, "")


@needs_browser
def test_the_keyboard_reaches_everything_in_reading_order_and_one_sees_where_it_is(pages, browser):
    browser.show(pages["access"].as_uri(), 800)
    stops = []
    for _ in range(7):
        browser.press("Tab")
        stops.append(browser.value(FOCUS))
    assert [stop[:2] for stop in stops] == [
        ["A", "acme"],
        ["A", "beta"],
        ["INPUT", ""],
        ["SUMMARY", "acme 101 people"],
        ["DIV", stops[4][1]],  # the matrix, which the arrow keys scroll
        ["SUMMARY", "alice"],
        ["SUMMARY", "user-000"],
    ]
    assert all(seen for _, _, seen in stops), "the focus is visible"
    is_open = "document.activeElement.parentElement.open"
    for key, expected in (("Enter", True), ("Enter", False), ("Space", True), ("Space", False)):
        browser.press(key)
        assert browser.value(is_open) is expected
    browser.press("Tab", shift=True)
    assert browser.value(FOCUS)[1] == "alice"


@needs_browser
@pytest.mark.parametrize("name", ["plan", "drift", "apply", "review"])
def test_folded_parts_open_with_the_keyboard(pages, browser, name):
    browser.show(pages[name].as_uri(), 800)
    for _ in range(30):
        browser.press("Tab")
        tag, _, seen = browser.value(FOCUS)
        assert seen
        if tag == "SUMMARY" and not browser.value("document.activeElement.parentElement.open"):
            break
    browser.press("Space")
    assert browser.value("document.activeElement.parentElement.open") is True


def test_numbers_come_first_and_lost_owners_are_bad_news(pages):
    for name in ("plan", "review", "drift", "apply", "access"):
        source = pages[name].read_text()
        assert source.index('class="tiles"') < source.index("<main>"), name
    for name in ("plan", "apply"):
        assert '<li class="bad"><strong>1</strong>owners lost</li>' in pages[name].read_text()


def test_a_large_org_is_folded_and_the_index_at_the_top_leads_to_it(pages):
    for name in ("plan", "drift", "apply"):
        source = pages[name].read_text()
        at = re.search(r'<a href="#(part-\d)">[^/]*acme', source)
        assert at is not None, name
        assert at.start() < source.index("<main>")
        assert f'<details id="{at[1]}">' in source
    assert re.search(r'<details id="part-\d" open>\s*<summary><strong><code><bdi>org.beta', pages["plan"].read_text())
