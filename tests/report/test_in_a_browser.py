"""Every page in a real browser: as wide as the window, readable in light and dark, and without a complaint."""

from __future__ import annotations

import pytest

from access.test_matrix import CONTRAST
from browser import needs_browser, tab

PEOPLE = [f"user-{number:03}" for number in range(100)]
SPACES = [f"workspace{number:02}" for number in range(20)]


@pytest.fixture
def pages(bench):
    """The pages of a plan, a review, drift, an apply and access, with 100 people and 20 workspaces."""
    bench.pipes(
        {
            "orgs": {
                "acme": {
                    "members": {"alice": "owner", "eve": "owner", **dict.fromkeys(PEOPLE, "member")},
                    "workspaces": {space: {"members": {"user-001": "reader"}} for space in SPACES},
                },
                "beta": {"members": {"alice": "owner"}},
            }
        }
    )

    def manifest(roles, name):
        lines = [
            "orgs:",
            "  beta: {display_name: Beta}",
            "  acme:",
            "    members:",
            "      alice: owner",
            "      eve: {absent: true}",
        ]
        lines += [f"      {person}: member" for person in PEOPLE]
        lines.append("    workspaces:")
        for at, space in enumerate(SPACES):
            lines += [f"      {space}:", "        members:"]
            lines += [
                f"          {person}: {roles[(at + n) % len(roles)]}" for n, person in enumerate(PEOPLE[at : at + 5])
            ]
        bench.manifest("\n".join(lines), name)

    manifest(["reader", "operator"], "before/orgs.yaml")
    manifest(["operator", "owner", "reader"], "orgs.yaml")
    made = {}
    for name, args in {
        "plan": ("plan", *bench.local),
        "review": ("review", "before"),
        "drift": ("drift", *bench.local),
        "access": ("access",),
        "apply": ("apply", "--auto-approve", *bench.local),
    }.items():
        ran = bench.run(*args, "--format", "html", "--out", f"{name}.html")
        assert ran.status in (0, 2), ran.err
        made[name] = bench.folder / f"{name}.html"
    return made


@needs_browser
def test_pages_fit_and_can_be_read_at_every_width_in_light_and_dark(pages, tmp_path):
    with tab(tmp_path) as browser:
        browser.call("Runtime.enable")
        browser.call("Log.enable")
        for name, path in pages.items():
            for width in (380, 800, 1400):
                for scheme in ("light", "dark"):
                    browser.call(
                        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
                    )
                    browser.call(
                        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
                    )
                    browser.open(path.as_uri())
                    where = f"{name} at {width} px, {scheme}"
                    assert browser.value("document.documentElement.scrollWidth") <= width, where
                    assert browser.value(CONTRAST) >= 4.5, where
        wrong = [event for event in browser._events if event["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
        assert wrong == []


def test_numbers_come_first_and_lost_owners_are_bad_news(pages):
    for name in ("plan", "review"):
        source = pages[name].read_text()
        assert source.index('class="tiles"') < source.index("<main>")
    assert '<li class="bad"><strong>1</strong>owners lost</li>' in pages["plan"].read_text()


def test_a_large_org_is_folded_and_the_index_leads_to_it(pages):
    source = pages["plan"].read_text()
    assert '<details id="part-1">' in source
    assert '<details id="part-2" open>' in source
    assert '<a href="#part-1">' in source
