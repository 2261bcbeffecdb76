"""People who have grants but are in no list of members that the plan knows: an error each, or one for many."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("people", "errors"),
    [
        pytest.param(2, ["p0 has grants on dev, prod but", "p1 has grants on dev, prod but"], id="few"),
        pytest.param(21, ["21 people have grants but will not be members of acme: p0, p1,"], id="many"),
    ],
)
def test_grants_of_people_who_are_not_members_are_grouped(bench, people, errors):
    bench.pipes("orgs: {acme: {members: {alice: owner}, workspaces: {dev: {}, prod: {}}}}")
    grants = "{" + ", ".join(f"p{n}: reader" for n in range(people)) + "}"
    bench.manifest(f"orgs: {{acme: {{workspaces: {{dev: {{members: {grants}}}, prod: {{members: {grants}}}}}}}}}")
    ran = bench.planned()
    assert ran.status == 1
    found = [error["summary"] for error in ran.json["errors"]]
    assert len(found) == len(errors)
    assert [one for one, start in zip(found, errors, strict=True) if not one.startswith(start)] == []
