"""`access --live --inactive`: never active, unknown and long ago are three things."""

from __future__ import annotations

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
