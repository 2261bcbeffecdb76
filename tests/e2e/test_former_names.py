"""New names beside live ones that no manifest lists: what resembles one is found, and a crowd of them is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kinds import workspace
from reconciler.plan.identity import Siblings, named, resembles

names = st.text("abc1", min_size=1, max_size=12)


def siblings(*live):
    return Siblings(workspace.KIND, "org.acme", {}, dict.fromkeys(live))


@given(new=names, old=names)
def test_what_is_passed_over_quickly_does_not_resemble(new, old):
    assert (siblings(old).alike(new) == old) is resembles(new, old)


def crowd(count, prefix=""):
    """A world and a manifest of as many new workspaces as there are unlisted live ones; no two names are alike."""
    letters = "abcdefghijklmnopqrst"

    def name(number, half):
        digits = [letters[half * 10 + number // 10**place % 10] for place in range(3)]
        return prefix + "".join(digit * 3 for digit in digits)

    live = ", ".join(f"{name(n, 0)}: {{}}" for n in range(count))
    new = ", ".join(f"{name(n, 1)}: {{}}" for n in range(count))
    return (
        f"orgs: {{acme: {{workspace_limit: 5000, members: {{alice: owner}}, workspaces: {{{live}}}}}}}",
        f"orgs: {{acme: {{workspaces: {{{new}}}}}}}",
    )


@pytest.mark.parametrize("prefix", ["", "data"])
def test_many_new_workspaces_beside_many_unlisted_ones_are_compared(bench, prefix):
    world, manifest = crowd(100, prefix)
    bench.pipes(world)
    bench.manifest(manifest)
    assert bench.planned().codes == []


def test_more_names_than_are_compared_are_refused_once_and_allowed_once(bench, monkeypatch):
    monkeypatch.setattr(named, "COMPARISONS", 500)
    world, manifest = crowd(30, "data")
    bench.pipes(world)
    bench.manifest(manifest)
    ran = bench.planned()
    assert [(r["code"], r["address"]) for r in ran.json["safeguards"]["refusals"]] == [
        ("looks-like-rename", "org.acme")
    ]
    assert bench.planned("--allow", "looks-like-rename=org.acme").codes == []


def test_no_number_of_names_is_compared_without_end():
    found = siblings(*(f"data{n:04x}old" for n in range(1600)))
    for n in range(1600):
        found.alike(f"data{n:04x}brandnewone")
    assert (found.comparisons, found.exhausted) == (0, True)
