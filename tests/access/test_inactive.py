"""`access --live --inactive`: never active, unknown and long ago are three things."""

from __future__ import annotations

import csv
import io
import re
import subprocess

from e2e.conftest import bare, bench

__all__ = ["bare", "bench"]

LONG, SHORT = "2026-01-10T08:00:00Z", "2026-11-20T08:00:00Z"
WORLD = {
    "users": {name: {} for name in ("bob", "carol", "dave", "erin", "frank", "zoe")},
    "orgs": {
        "acme": {
            "members": {
                "alice": {"role": "owner", "last_activity_at": SHORT},
                "bob": {"role": "member", "last_activity_at": LONG, "since": "2025-01-01T00:00:00Z"},
                "carol": {"role": "member", "since": "2025-01-01T00:00:00Z"},
                "dave": {"role": "member", "since": "2026-11-01T00:00:00Z"},
                "zoe": {"role": "member", "status": "invited", "since": "2025-01-01T00:00:00Z"},
            },
            "service_accounts": {"sa-1": {"title": "CI"}},
            "workspaces": {"prod": {"members": {"bob": {"role": "reader", "since": "2025-01-01T00:00:00Z"}}}},
        }
    },
}


def test_who_was_not_active_for_a_while_is_listed_and_who_is_not_judged_is_named(bench):
    bench.pipes(WORLD)
    ran = bench.run("access", "--live", *bench.local, "--org", "acme", "--inactive", "90d", "--format", "json")
    assert ran.status == 0, ran.err
    assert [(one["person"], one["object"], one["last_activity_at"]) for one in ran.json["access"]] == [
        ("bob", "acme", LONG), ("carol", "acme", None),
    ]  # fmt: skip
    assert ran.json["access"][1]["since"].startswith("2025-01-01")
    notes = "\n".join(ran.json["notes"])
    assert "does not say when anybody was active in acme/prod" in notes
    assert "pending invitations are not judged: zoe" in notes
    assert "robots are not judged: service/" in notes
    text = bench.run("access", "--live", *bench.local, "--org", "acme", "--inactive", "90d").out
    assert "2026-01-10" in text
    assert "never" in text
    ran = bench.run("access", "--live", *bench.local, "--org", "acme", "--inactive", "400d", "--format", "json")
    assert [one["person"] for one in ran.json["access"]] == ["carol"]


def test_without_live_or_with_no_time_it_is_an_error(bench):
    bench.manifest("orgs: {acme: {members: {alice: owner}}}\n")
    for args, said in (
        (("--inactive", "90d"), "--inactive needs --live"),
        (("--live", "--inactive", "soon"), "is not a number of days"),
    ):
        ran = bench.run("access", *args)
        assert (ran.status, said in ran.err) == (1, True), ran.err


def test_each_row_says_kind_status_since_and_activity_and_joins_with_steampipes_columns(bench):
    bench.pipes(WORLD)
    args = ("access", "--live", *bench.local, "--org", "acme")
    rows = {
        one["person"]: one for one in bench.run(*args, "--format", "json").json["access"] if one["object"] == "acme"
    }
    assert {who: (one["activity"], one["status"], one["kind"]) for who, one in rows.items()} == {
        "alice": ("seen", "accepted", "person"),
        "bob": ("seen", "accepted", "person"),
        "carol": ("never", "accepted", "person"),
        "dave": ("never", "accepted", "person"),
        "service/ci": ("never", "accepted", "service account"),
        "zoe": (None, "invited", "person"),
    }
    table = list(csv.DictReader(io.StringIO(bench.run(*args, "--format", "csv").out)))
    grant = next(one for one in table if one["object"] == "acme/prod" and one["person"] == "bob")
    assert [grant[name] for name in ("user_handle", "org_handle", "workspace_handle", "role", "status", "activity")] == [
        "bob", "acme", "prod", "reader", "accepted", "unknown",
    ]  # fmt: skip
    assert (grant["since"][:10], grant["kind"], grant["last_activity_at"]) == ("2025-01-01", "person", "")
    text = bench.run(*args).out
    (head,) = [line for line in text.splitlines() if line.split()[:2] == ["Who", "What"] and "Kind" in line][:1]
    assert head.split() == ["Who", "What", "Role", "Why", "Kind", "Status", "Since", "Last", "active"]
    assert re.search(r"zoe +acme +member +direct; invited +person +invited +2025-01-01\n", text)
    assert re.search(r"bob +acme/prod +reader +direct +person +accepted +2025-01-01 +unknown\n", text)


UNUSED = """\
version: 1
teams:
  ops: [gus, hal]
orgs:
  acme:
    members:
      alice: owner
      bob: member # on leave
      carol: owner
      dave: member
      erin: member
      frank: member
      gus: member
      hal: member
    workspaces:
      lab:
        members:
          frank: reader
          team/ops: reader
      prod:
        unlisted: keep
        members:
          bob: operator
          erin: reader
          gus: operator # since the outage
          hal: reader
          team/ops: operator
"""


def test_fix_up_takes_out_what_was_not_used_and_tells_what_it_leaves(bench):
    old = {"last_activity_at": LONG, "since": "2025-01-01T00:00:00Z"}
    new = {"last_activity_at": SHORT, "since": "2025-01-01T00:00:00Z"}
    roles = {
        "alice": "owner",
        "carol": "owner",
        **dict.fromkeys(("bob", "dave", "erin", "frank", "gus", "hal"), "member"),
    }
    bench.pipes({
        "users": {name: {} for name in (*roles, "mallory")},
        "orgs": {"acme": {
            "members": {
                **{who: {"role": role, **(new if who in ("alice", "dave") else old)} for who, role in roles.items()},
                "mallory": {"role": "member", **old},
            },
            "workspaces": {
                "lab": {"members": {"frank": {"role": "reader", **new}, "gus": {"role": "reader", **old}}},
                "prod": {"members": {
                    who: {"role": role, **old}
                    for who, role in (("bob", "operator"), ("erin", "reader"), ("gus", "operator"), ("hal", "reader"))
                }},
            },
        }},
    })  # fmt: skip
    bench.manifest(UNUSED)
    before = bench.database()
    ran = bench.run("access", "--live", *bench.local, "--inactive", "90d", "--fix-up")
    assert ran.status == 0, ran.err
    assert bench.database() == before
    subprocess.run(["git", "apply", "-"], cwd=bench.folder, input=ran.out.encode(), check=True)
    after = (bench.folder / "orgs.yaml").read_text()
    assert bench.run("validate").status == 0
    # bob and erin are gone; what was used, what a team gives, an owner, and an entry that lowers a team's all stay
    assert after == UNUSED.replace("      bob: member # on leave\n", "").replace("      erin: member\n", "").replace(
        "          bob: operator\n          erin: reader\n          gus: operator # since the outage\n",
        "          bob: {absent: true}\n          erin: {absent: true}\n",
    )
    for said in (
        "not in the patch: carol on acme: an owner's removal is stated: `reconciler revoke carol acme`",
        "not in the patch: frank on acme: the membership is needed for acme/lab",
        "not in the patch: gus on acme/lab: team/ops gives it",
        "gus keeps what team/ops gives on acme/prod",
        "not in the patch: hal on acme/prod: team/ops gives more, and the entry lowers it",
        "not in the patch: mallory on acme: no line of the manifests gives it",
        "- bob loses operator on acme/prod",
    ):
        assert said in ran.err
    for args, said in (
        (("--live", "--fix-up"), "needs --inactive"),
        (("--live", "--inactive", "90d", "--fix-up", "--format", "json"), "cannot be combined with --format"),
    ):
        ran = bench.run("access", *args)
        assert (ran.status, said in ran.err) == (1, True), ran.err
