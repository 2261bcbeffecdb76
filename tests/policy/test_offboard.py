"""Whoever leaves takes the exceptions along that were made for them: a waiver for nobody is an error."""

import subprocess

import pytest

RULES = 'policies: {why: {in: "*/prod", unless: owners, reason: required}}\n'
ORGS = "orgs: {acme: {members: {alice: owner, bob: member, dave: member}, workspaces: {prod: {members: {bob: reader, dave: reader}}}}}\n"
BOB = "{policy: why, who: bob, in: acme/prod, until: 2026-12-15, reason: x}"
DAVE = "{policy: why, who: dave, in: acme/prod, until: 2026-12-15, reason: x}"


@pytest.mark.parametrize(
    ("written", "left"),
    [
        pytest.param(f"waivers: [{BOB}, {DAVE}]\n", f"waivers: [{DAVE}]\n", id="first"),
        pytest.param(f"waivers: [{DAVE}, {BOB}]\n", f"waivers: [{DAVE}]\n", id="last"),
        pytest.param(f"waivers:\n  - {BOB}\n  - {DAVE}\n", f"waivers:\n  - {DAVE}\n", id="lines"),
        pytest.param(
            f"waivers:\n  - policy: why\n    who: bob\n    in: acme/prod\n    until: 2026-12-15\n    reason: x\n  - {DAVE}\n",
            f"waivers:\n  - {DAVE}\n",
            id="block",
        ),
    ],
)
def test_offboard_takes_out_their_waivers(bare, written, left):
    bare.manifest(RULES + written + ORGS)
    ran = bare.run("offboard", "bob")
    assert ran.status == 0, ran.err
    subprocess.run(["patch", "-p1"], input=ran.out, text=True, cwd=bare.folder, check=True, capture_output=True)
    assert left in (bare.folder / "orgs.yaml").read_text()
    assert bare.run("validate").status == 0
