"""Comments and job summaries of reports with thousands of names: as many of them as fit, with roles, owners first."""

from __future__ import annotations

import re

import pytest

COMMENT, SUMMARY = 65_535, 1_048_576


def manifest(number, role, *, old=False):
    """`number` people who have (or with `old` do not have) a role on prod, each tenth as an owner."""
    names = [f"person{n:05}" for n in range(number)]
    rows = "".join(f"      {name}: member\n" for name in names)
    grants = "".join(f"          {name}: {'owner' if n % 10 == 0 else role}\n" for n, name in enumerate(names))
    members = "{}\n" if old else f"\n{grants}"
    return f"orgs:\n  acme:\n    members:\n      alice: owner\n{rows}    workspaces:\n      prod:\n        members: {members}"


def named(text):
    return set(re.findall(r"`(person\d+)`", text))


@pytest.mark.parametrize("number", [1000, 10_000])
def test_a_review_names_who_gains_in_comment_and_summary(bench, monkeypatch, number):
    bench.manifest(manifest(number, "reader", old=True), "base/orgs.yaml")
    bench.manifest(manifest(number, "reader"), "head/orgs.yaml")
    comment = bench.run("review", "base", "head", "--format", "markdown").out
    assert len(comment) <= COMMENT
    assert len(named(comment)) == number if number == 1000 else len(comment) > COMMENT - 2000
    assert {f"person{n:05}" for n in range(0, number, 10)} <= named(comment), "owners come first"
    for role in ("owner", "reader"):
        assert f"`acme/prod`, `{role}`: `person" in comment
    summary = bench.folder / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    bench.run("review", "base", "head", "--format", "github")
    assert summary.stat().st_size <= SUMMARY
    assert len(named(summary.read_text())) == number


def test_plan_since_and_drift_name_who_gains_and_differs(bench):
    number = 1500
    users = {f"person{n:05}": {} for n in range(number)}
    bench.pipes(
        {
            "users": users,
            "orgs": {
                "acme": {"members": {"alice": "owner", **dict.fromkeys(users, "member")}, "workspaces": {"prod": {}}}
            },
        }
    )
    bench.manifest(manifest(number, "reader", old=True), "base/orgs.yaml")
    bench.manifest(manifest(number, "reader"))
    for args in (("plan",), ("plan", "--since", "base"), ("drift",)):
        ran = bench.run(*args, *bench.local, "--format", "markdown")
        assert len(ran.out) <= COMMENT, args
        assert len(named(ran.out)) == number, args
        assert re.search(r"`acme/prod`, `reader`: `(person|grant)", ran.out) is not None, args
