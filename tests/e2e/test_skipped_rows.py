"""Rows that a list skips at the border of a page.

`drift` looks them up before it says that they are gone, and `import` notes who has a grant without being listed.
"""

from __future__ import annotations

import pytest

CROWD = [f"p{n:03}" for n in range(150)]
WORLD = {
    "users": {name: {} for name in CROWD},
    "orgs": {
        "acme": {
            "members": {"alice": "owner", **dict.fromkeys(CROWD, "member")},
            "workspaces": {"prod": {"members": dict.fromkeys(CROWD, "reader")}},
        }
    },
}
MANIFEST = (
    "orgs: {acme: {members: {alice: owner, " + ", ".join(f"{name}: member" for name in CROWD) + "},"
    " workspaces: {prod: {members: {" + ", ".join(f"{name}: reader" for name in CROWD) + "}}}}}"
)


@pytest.fixture
def crowd(bench):
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    return bench


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("path", ["^/org/acme/member$", "^/org/acme/workspace/prod/member$"])
def test_who_is_there_is_not_said_to_be_gone(crowd, path, rows):
    with crowd.served({"kind": "shift-page", "path": path, "rows": rows}):
        ran = crowd.run("drift", *crowd.local)
    assert ran.status == 0, ran.out + ran.err


def test_who_is_gone_is_said_to_be(crowd):
    crowd.client().ok("DELETE", "/org/acme/member/p149")
    with crowd.served({"kind": "shift-page", "path": "^/org/acme/member$", "rows": 1}):
        ran = crowd.run("drift", *crowd.local)
    assert ran.status == 2
    assert "p149" in ran.out
    assert ran.out.count("org.acme/member.") == ran.out.count("org.acme/member.p149")


@pytest.mark.parametrize(
    ("rows", "said"), [(1, "p099 has a grant, but is not in"), (2, "p099, p100 have grants, but are not in")]
)
def test_import_leaves_the_grants_of_a_workspace_out_where_the_member_list_lacks_somebody(crowd, rows, said):
    with crowd.served({"kind": "shift-page", "path": "^/org/acme/member$", "rows": rows}):
        ran = crowd.run("import", "acme", "--out", "new.yaml", *crowd.local)
    assert (
        f"org.acme/workspace.prod: {said} the org's list of members, so the members of the workspace are left out"
        in ran.err
    )
    assert ran.status == 0
    assert "reader" not in (crowd.folder / "new.yaml").read_text()
