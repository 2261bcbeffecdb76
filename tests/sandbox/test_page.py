from __future__ import annotations

import re
import sys
from html.parser import HTMLParser

import pytest

from browser import CONTRAST, needs_browser, tab
from reconciler.sandbox.store import Store
from reconciler.sandbox.world import seed
from report.test_html_page import TAGS
from sandbox.conftest import ACME
from sandbox.serving import Served

SHOWN = "document.querySelectorAll('tr[data-find]:not([hidden])').length"


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def page(client, query=""):
    response = client.session.get(f"{client.base}/{query}", headers={"Authorization": None}, timeout=60)
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    return response.text


def test_the_page_shows_what_there_is_and_what_was_done(acme):
    alice = acme.client()
    alice.ok("PATCH", "/org/acme/workspace/prod/member/bob", {"role": "operator"})
    front = page(alice)
    assert '<a href="/?org=acme"><bdi>acme</bdi></a>' in front
    assert '<a href="/?user=carol"><bdi>carol</bdi></a>' in front
    assert "acme (member, invited)" in front
    org = page(alice, "?org=acme")
    for shown in (
        "carol",
        "invited",
        acme.store.invitation("acme", "carol"),
        "prod",
        "operator",
        "workspace_member.update",
    ):
        assert shown in org, shown
    assert acme.store.default_token() not in front + org


LINKS = {
    "users": {"alice": {}},
    "orgs": {
        "acme": {
            "members": {"alice": "owner"},
            "workspaces": {
                "prod": {"attached": ["aws"], "connections": {"local": {"plugin": "net"}}},
                "dev": {},
            },
            "connection_folders": {"clouds": {"permitted": ["dev"]}},
            "connections": {
                "aws": {"plugin": "aws", "permitted": ["prod"], "config": {"credentials": "never-shown", "host": "db"}},
                "gcp": {"plugin": "gcp", "folder": "clouds", "permitted": ["prod"]},
            },
        },
        "beta": {"members": {"alice": "owner"}, "connections": {"other": {"plugin": "elsewhere"}}},
    },
}


def table(html, title):
    """The text of the cells of each row below a heading."""
    part = re.search(f"<h2[^>]*>{title}</h2>(.*?)</table>", html, re.DOTALL)[1]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in part.split("<tr>")]
    return [[" ".join(re.sub("<[^>]*>", "", cell).split()) for cell in row] for row in cells if row]


def rows(html):
    """The same of the table of connections."""
    return table(html, "Connections")


def test_the_page_shows_an_orgs_connections_and_who_may_use_them(sandboxes):
    alice = sandboxes(LINKS).client()
    everywhere = alice.ok("POST", "/org/acme/connection", {"handle": "zz", "plugin": "net"})
    alice.ok("POST", f"/org/acme/connection/{everywhere['handle']}/permission", {"identity_handle": "acme"})
    html = page(alice, "?org=acme")
    assert rows(html) == [
        ["aws", "aws", "", "prod", "prod"],
        ["clouds", "a folder", "", "dev", ""],
        ["gcp", "gcp", "clouds", "dev, prod", ""],
        ["local", "net", "", "prod (its own)", "prod"],
        ["zz", "net", "", "all of acme", ""],
    ]
    assert "never-shown" not in html
    assert rows(
        page(
            sandboxes({"users": {"alice": {}}, "orgs": {"acme": {"members": {"alice": "owner"}}}}).client(), "?org=acme"
        )
    ) == [["none"]]


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "</td>"])
def test_what_a_connection_says_of_itself_is_no_markup(sandboxes, text):
    sandbox = sandboxes(LINKS)
    alice = sandbox.client()
    alice.ok("POST", "/org/acme/connection", {"handle": "odd", "plugin": text})
    html = page(alice, "?org=acme")
    tags = Tags()
    tags.feed(html)
    assert text in tags.text
    assert [tag for tag, _ in tags.found if tag in ("script", "img")] == ["script"], "the filter, and nothing else"


def test_an_empty_sandbox_has_a_page_too(sandboxes):
    assert "no organizations" in page(sandboxes({"users": {"alice": {}}}).client())


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "</td>"])
def test_the_page_escapes_everything_and_needs_nothing_from_outside(acme, text):
    alice = acme.client()
    alice.ok("PATCH", "/org/acme", {"display_name": text})
    for html in (page(alice), page(alice, "?org=acme")):
        tags = Tags()
        tags.feed(html)
        assert text in tags.text, "shown as it is"
        assert {tag for tag, _ in tags.found} <= TAGS | {"body", "main", "script"}
        assert all(not name.startswith("on") and name != "src" for _, attrs in tags.found for name in attrs)
        assert all(attrs["href"].startswith(("/", "#")) for tag, attrs in tags.found if tag == "a")


def test_the_page_shows_who_reaches_what_and_why(acme):
    alice = acme.client()
    org, person = page(alice, "?org=acme"), page(alice, "?user=bob")
    assert 'title="owner: owner of the organization"' in org
    assert 'title="member: direct; invited"' in org
    assert [cells[1:] for cells in table(person, "What bob reaches")] == [
        ["acme", "member", "direct"],
        ["acme/prod", "reader", "direct"],
    ]
    assert alice.session.get(f"{alice.base}/?user=nobody", timeout=60).status_code == 404


@needs_browser
def test_the_page_fits_is_readable_in_light_and_dark_and_its_filter_works(tmp_path, request):
    db = tmp_path / "pipes.sqlite3"
    with Store(db) as store:
        seed(store, ACME)
    server = Served(db, tls=False)
    request.addfinalizer(server.stop)
    url = server.url
    with tab(tmp_path) as browser:
        for query in ("", "?org=acme", "?user=bob"):
            for width, scheme in ((380, "dark"), (800, "light"), (1400, "dark")):
                browser.show(f"{url}/{query}", width, scheme)
                assert browser.value("document.documentElement.scrollWidth") <= width, (query, width)
                assert browser.value(CONTRAST) >= 4.5, (query, width)
        browser.show(f"{url}/?org=acme", 1400, "light")
        browser.value("document.getElementById('filter').focus(), 1")
        browser.type("bob reader")
        assert browser.value(SHOWN) == 1
        browser.press("Escape")
        assert browser.value(SHOWN) == browser.value("document.querySelectorAll('tr[data-find]').length")
        assert browser.complaints() == []


def test_an_org_that_is_not_there_is_a_404(acme):
    client = acme.client()
    response = client.session.get(f"{client.base}/?org=nothing", timeout=60)
    assert response.status_code == 404


def test_without_jinja2_the_page_says_so_and_the_api_works(sandboxes, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    client = sandboxes().client()
    response = client.session.get(f"{client.base}/", timeout=60)
    assert (response.status_code, "Jinja2" in response.json()["detail"]) == (501, True)
    assert client.status("GET", "/org/acme") == 200
