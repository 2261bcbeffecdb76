"""The access matrix of 100 people and 20 workspaces: on screens of any size, in light and dark, printed, and as text."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from browser import needs_browser, tab

ROLES = ("reader", "operator", "owner")
SPACES = [f"workspace{number:02}" for number in range(20)]


@pytest.fixture(scope="module")
def manifest():
    lines = ["orgs:", "  acme:", "    members:", "      alice: owner"]
    lines += [f"      user-{number:03}: member" for number in range(1, 100)]
    lines.append("    workspaces:")
    for at, space in enumerate(SPACES):
        lines += [f"      {space}:", "        members:", f"          user-{at + 1:03}: operator"]
        lines += [f"          user-{n:03}: {ROLES[(n + at) % 3]}" for n in range(30, 100) if (n + at) % 4 == 0]
    lines += [
        "  beta:",
        "    members: {alice: owner, user-001: member}",
        "    workspaces: {data: {members: {user-001: reader}}}",
    ]
    return "\n".join(lines)


@pytest.fixture
def page(bare, manifest):
    """The page, and the file that it is in."""
    bare.manifest(manifest)
    assert bare.run("access", "--format", "html", "--out", "access.html").status == 0
    path = bare.folder / "access.html"
    return path.read_text(), path


class Cells(HTMLParser):
    """Heads with their scope, and what the rows hold."""

    def __init__(self, text):
        super().__init__()
        self.scopes, self.rows, self.scripts = [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "th":
            self.scopes.append(found.get("scope"))
        if tag == "tr" and "data-find" in found:
            self.rows.append([])
        if tag == "abbr":
            self.rows[-1].append(found["title"])
        self.scripts += tag == "script"


def test_every_role_is_in_the_page_without_a_script_with_its_reason(page):
    source, _ = page
    cells = Cells(source)
    assert len(cells.rows) == 102
    assert cells.rows[0][:2] == ["owner: direct", "owner: implicit as owner"]
    assert cells.scopes.count("col") == 1 + 21 + 1 + 2
    assert cells.scopes.count("row") == 102
    assert '<li><bdi>workspace00</bdi>: <bdi>operator</bdi> <span class="why">(<bdi>direct</bdi>)</span></li>' in source


def test_the_one_script_is_allowed_by_its_hash_alone(page):
    source, _ = page
    (script,) = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', source)[1].replace("&#39;", "'")
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2]


def test_a_page_without_a_matrix_has_no_script(bare):
    bare.manifest("orgs: {acme: {}}")
    source = bare.run("access", "--format", "html").out
    assert "<script" not in source
    assert "script-src" not in source


def test_the_view_by_workspace_names_everybody_by_role(page):
    source, _ = page
    assert source.count("By workspace") == 2
    assert re.search(
        r"<dt><code><bdi>data</bdi></code></dt><dd><strong><bdi>owner</bdi></strong>: <bdi>alice</bdi>", source
    )


@needs_browser
def test_its_head_and_its_people_stay_where_they_are_while_it_scrolls(page, tmp_path):
    _, path = page
    with tab(tmp_path) as browser:
        for width in (380, 800, 1400):
            browser.show(path.as_uri(), width)
            place = "document.querySelector('.scroll.access')"
            browser.value(f"{place}.scrollTo(300, 600), 1")
            head = f"{place}.querySelector('thead th:nth-child(3)').getBoundingClientRect().top - {place}.getBoundingClientRect().top"
            who = (
                f"{place}.querySelector('tbody th').getBoundingClientRect().left - {place}.getBoundingClientRect().left"
            )
            assert abs(browser.value(head)) < 3, width
            assert abs(browser.value(who)) < 3, width


# --- as text -----------------------------------------------------------------------------------------------------------


def test_the_text_has_a_matrix_and_v_the_reasons(bare, manifest):
    bare.manifest(manifest)
    out = bare.run("access").out
    assert re.search(r"^  alice    O O ", out, re.MULTILINE)
    assert re.search(r"^  user-001 M P \. ", out, re.MULTILINE)
    assert "O owner, M member, P operator, R reader" in out
    assert "21 workspace19" in out
    assert "Reasons are hidden; use -v to show them." in out
    assert max(map(len, out.splitlines())) <= 110
    full = bare.run("access", "-v").out
    assert re.search(r"user-001 +acme/workspace00 +operator +direct", full)


def test_a_small_map_is_a_matrix_with_names_and_the_list(bare):
    bare.manifest("orgs: {acme: {members: {alice: owner, bob: member}, workspaces: {prod: {members: {bob: reader}}}}}")
    out = bare.run("access").out
    assert "        the org prod\n  alice O       O\n  bob   M       R\n" in out
    assert "bob    acme/prod  reader  direct" in out


def test_an_invitation_is_a_small_letter(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner, bob: {role: member, status: invited}}, workspaces: {prod: {}}}}")
    out = bench.run("access", "--live", *bench.local).out
    assert re.search(r"^  bob   m       \.$", out, re.MULTILINE)
