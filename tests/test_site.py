"""The docs as a site, built once as a release publishes it: one version of several, in a folder of its own."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from pygments.lexers import get_all_lexers

import reconciler
from browser import needs_browser, tab

ROOT = Path(__file__).parents[1]
MISSING = [name for name in ("mkdocs", "material", "mike") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
VERSION = reconciler.__version__
PAGES = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """What the branch of the pages has after the release of this version: `mike` builds, strictly, and commits there."""
    repository, folder = tmp_path_factory.mktemp("repository"), tmp_path_factory.mktemp("published")
    who = {f"GIT_{role}_{what}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environ = {
        **os.environ,
        **who,
        "PATH": os.pathsep.join(
            [str(Path(sys.executable).parent), os.environ["PATH"]]
        ),  # mike calls mkdocs by its name
        "SITE_DIR": str(folder / "built"),
        "NO_MKDOCS_2_WARNING": "1",
    }

    def run(*command):
        done = subprocess.run(command, cwd=repository, env=environ, capture_output=True)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        return done.stdout

    run("git", "init", "--quiet")
    run("git", "commit", "--quiet", "--allow-empty", "--message=x")
    mike = (sys.executable, "-c", "from mike.driver import main; main()")
    deploy = ("deploy", "--config-file", str(ROOT / "mkdocs.yml"), "--update-aliases", VERSION, "latest")
    run(*mike, *deploy)
    run(*mike, "set-default", "--config-file", str(ROOT / "mkdocs.yml"), "latest")
    archive = run("git", "archive", "gh-pages")
    subprocess.run(["tar", "x"], cwd=folder, input=archive, check=True)
    return folder


@pytest.fixture(scope="module")
def site(published):
    return published / VERSION


class Links(HTMLParser):
    """The ids of a page, what it links to, and what it loads."""

    def __init__(self, file):
        super().__init__()
        self.ids, self.links, self.loaded = {""}, [], []
        self.feed(file.read_text())

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids.add(given.get("id"))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        self.loaded += [given[name] for name in ("src", "data") if given.get(name)]
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload"):
            self.loaded.append(given["href"])


def test_a_release_adds_a_version_and_names_it_the_latest(published):
    assert json.loads((published / "versions.json").read_text()) == [
        {"version": VERSION, "title": VERSION, "aliases": ["latest"]}
    ]
    assert "latest/" in (published / "index.html").read_text()
    assert (published / "latest" / "index.html").is_file()


def test_no_link_is_broken_and_nothing_is_loaded_from_elsewhere(site):
    pages = {file.resolve(): Links(file) for file in site.rglob("*.html") if file.name != "404.html"}
    assert {site.resolve() / f"{name}.html" for name in PAGES} <= pages.keys()
    broken, elsewhere = [], []
    for file, page in pages.items():
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                elsewhere += [link] if link in page.loaded and parts.scheme != "data" else []
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            target = target / "index.html" if target.is_dir() else target
            known = pages[target].ids if target in pages else {parts.fragment}
            if not target.is_file() or unquote(parts.fragment) not in known | {"__skip"}:
                broken.append((file.name, link))
    assert broken == []
    assert elsewhere == []


def test_the_site_lists_the_pages_that_the_index_lists_in_the_same_order():
    text = (ROOT / "mkdocs.yml").read_text()
    (_, *sections) = yaml.safe_load(text[text.index("\nnav:") :])["nav"]
    listed = re.findall(r"^\*\*(.+)\*\*$|^- \[(.+?)\]", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE)
    assert [name for section in sections for title, pages in section.items() for name in (title, *pages)] == [
        title or page for title, page in listed
    ]


def test_each_block_of_code_is_in_a_language_that_the_site_shows():
    # a diagram in a language of its own would be shown as its source, or drawn by a script from elsewhere
    blocks = {
        word
        for page in (ROOT / "docs").glob("*.md")
        for word in re.findall(r"^ *```(\w+)", page.read_text(), re.MULTILINE)
    }
    assert "yaml" in blocks
    assert blocks <= {alias for _, aliases, *_ in get_all_lexers() for alias in aliases}


def test_the_examples_are_a_real_plan_review_and_access_matrix(site):
    page = (site / "examples.html").read_text()
    for name, words in (("plan", "to rename"), ("review", "1 owner lost"), ("access", "acme/prod")):
        assert f'src="reports/{name}.html"' in page
        assert words in (site / "reports" / f"{name}.html").read_text()


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
def served(published):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=published)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/{VERSION}"
        server.shutdown()
        thread.join()


SHOWN = [*PAGES, "reports/plan", "reports/review", "reports/access", "repository/README.md.page"]


@needs_browser
@pytest.mark.parametrize("share", range(4))  # a browser is ended after a while, and a busy machine is slow
def test_each_page_fits_a_telephone_and_a_desk_and_the_console_stays_empty(served, tmp_path, share):
    with tab(tmp_path) as page:
        for name in SHOWN[share::4]:
            page.resize(380)
            page.open(f"{served}/{name}.html")
            assert page.value("document.title")
            for width in (380, 1400):
                page.resize(width)
                assert page.value("innerWidth") == width
                assert page.value("document.documentElement.scrollWidth") <= width, (name, width)
            assert page.complaints() == [], name


@needs_browser
@pytest.mark.parametrize("how", ["from a server", "from files"])
def test_the_search_finds_a_safeguard(served, site, tmp_path, how):
    start = served if how == "from a server" else site.as_uri()
    with tab(tmp_path) as page:
        page.resize(1400)
        page.open(f"{start}/index.html")
        page.value("document.querySelector('[data-md-component=search-query]').focus() ?? true")
        page.call("Input.insertText", text="owner-floor")
        page.call("Input.dispatchKeyEvent", type="keyUp", key="r", code="KeyR")
        found = page.when("document.querySelector('.md-search-result__link')?.href")
        assert "safeguards.html" in found
        if how == "from a server":
            assert page.complaints() == []
