"""Resetting authentication: the plan says in words what it does to whom, in every format."""

from __future__ import annotations

import pytest

ACME = "orgs: {acme: {members: {alice: owner, bob: member}}}"  # the token in use is of 2026-06-01
FORMATS = ["text", "json", "markdown", "html", "github", "junit"]


def reset(bench, moment):
    bench.pipes(ACME)
    bench.manifest(f"orgs: {{acme: {{token_min_issued_at: {moment}}}}}")


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    ("moment", "own"),
    [
        ("2026-05-01T00:00:00Z", "the one in use, issued at 2026-06-01T00:00:00Z, keeps working"),
        ("2026-06-01T00:00:00Z", "the one in use too"),
        ("2026-07-01T00:00:00Z", "the one in use too"),
    ],
)
def test_a_plan_says_whose_tokens_stop_working(bench, format_, moment, own):
    reset(bench, moment)
    said = " ".join(bench.plan("--format", format_).out.replace("`", "").split())  # Markdown breaks up 00:00
    assert f"every temporary and user token that was not issued after {moment} stops working for it" in said
    assert own in said.replace("%3A", ":")


def test_a_token_of_that_very_second_is_not_known_to_survive(bench):
    reset(bench, "2026-06-01T00:00:00Z")
    assert bench.planned().codes == ["self-lockout"]
    reset(bench, "2026-05-31T23:59:59Z")
    assert bench.planned().codes == []


def test_a_moment_that_is_to_come_locks_everybody_out_until_then(bench):
    reset(bench, "2035-01-01T00:00:00Z")
    planned = bench.planned()
    assert planned.codes == ["self-lockout"]
    assert "nobody can use a token there before it" in planned.json["notes"][0]


def test_a_reset_that_is_done_is_told_no_more(bench):
    reset(bench, "2026-05-01T00:00:00Z")
    assert bench.apply().status == 0
    assert bench.planned().json["notes"] == []
