from __future__ import annotations

import re
import sys
from html.parser import HTMLParser

import pytest


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
    assert '<a href="/?org=acme">acme</a>' in front
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


def rows(html):
    """The cells of each row of the table of connections."""
    table = html.partition("<h2>Connections</h2>")[2].partition("</table>")[0]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in table.split("<tr>")]
    return [[" ".join(cell.split()) for cell in row] for row in cells if row]


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
    assert {tag for tag, _ in tags.found}.isdisjoint({"script", "img"})


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
        assert {tag for tag, _ in tags.found} <= {
            *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "a", "code"),
            *("table", "tr", "th", "td"),
        }
        assert all(not name.startswith("on") and name != "src" for _, attrs in tags.found for name in attrs)
        assert all(attrs["href"].startswith("/") for tag, attrs in tags.found if tag == "a")


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
