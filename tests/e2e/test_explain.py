"""`explain`: whatever a message names by a code or a key has a page."""

from __future__ import annotations

import re

import pytest

from reconciler import cli
from reconciler.cli.explain import STATUSES, subjects
from reconciler.manifest import schema
from reconciler.safeguards.table import SAFEGUARDS


def explained(bench, subject):
    ran = bench.run("explain", subject)
    assert ran.status == 0, ran.err
    return ran.out


@pytest.mark.parametrize("code", SAFEGUARDS)
def test_every_safeguard_has_its_page(bare, code):
    page = explained(bare, code)
    assert page.startswith(f"# {code}\n")
    assert "**Refuses**" in page
    assert "<!--" not in page


@pytest.mark.parametrize(
    "status", [cli.DONE, cli.ERROR, cli.CHANGES, cli.REFUSED, cli.UNREACHABLE, cli.PARTLY, cli.INTERRUPTED, 143]
)
def test_every_exit_status_has_its_page(bare, status):
    assert explained(bare, str(status)).startswith(f"# exit status {status}\n")


@pytest.mark.parametrize("subject", sorted(set(subjects()) - set(SAFEGUARDS) - set(STATUSES)))
def test_every_key_and_role_has_its_page(bare, subject):
    page = explained(bare, subject)
    assert re.search(rf"^# .*\b{re.escape(subject)}\b", page, re.MULTILINE)
    assert len(page.splitlines()) > 2


def test_a_key_that_means_several_things_is_explained_by_its_place(bare):
    assert "# orgs.members" in explained(bare, "members")
    assert "# orgs.workspaces.members" in explained(bare, "members")
    assert "# orgs.members\n" not in explained(bare, "workspaces.members")


def test_a_role_says_what_it_allows(bare):
    assert "may do everything in the organization" in explained(bare, "owner").lower()
    assert "owner (workspace role)" in explained(bare, "owner")


def test_no_key_of_the_schema_is_without_a_page():
    def keys(part):
        if isinstance(part, dict):
            yield from part.get("properties", {})
            part = part.values()
        for below in part if not isinstance(part, str) and hasattr(part, "__iter__") else ():
            yield from keys(below)

    assert set(keys(schema())) <= set(subjects())


@pytest.mark.parametrize(
    "written",
    [
        "OWNER-FLOOR",
        "`owner-floor`",
        "members:",
        "owner_floor",
        "owner-floor=org.acme",
        "orgs.acme.members",
        "waivers.until",
    ],
)
def test_it_is_found_as_it_is_pasted(bare, written):
    explained(bare, written)


def test_what_is_unknown_is_answered_with_what_resembles_it(bare):
    ran = bare.run("explain", "owner-flor")
    assert ran.status == 1
    assert "`owner-floor`" in ran.err
    assert bare.run("explain", "zzzzzz").status == 1
