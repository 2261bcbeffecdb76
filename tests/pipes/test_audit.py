from datetime import UTC, datetime

import msgspec
import pytest

from reconciler.model.request import Request
from reconciler.pipes.audit import entries
from reconciler.pipes.client import Client, PartialReadError


def answers(server, *pages):
    """Script pages of (ids, cursor)."""
    server.script = [
        (
            200,
            {},
            msgspec.json.encode({"items": [{"id": i, "created_at": "", "data": {}} for i in ids], "next_token": c}),
        )
        for ids, c in pages
    ]


def test_the_log_of_an_org_is_read_newest_first(sandbox):
    found = sandbox(
        {"actor": "alice", "now": "2026-11-24T09:00:00Z", "orgs": {"acme": {"members": {"alice": "owner"}}}}
    )
    with Client(found.client.settings, read_only=False) as writing:
        for name in ("One", "Two"):
            assert writing.send(Request("PATCH", "/org/acme", {"display_name": name})).ok
    got = list(entries(found.client, "acme"))
    assert [e.actor for e in got[:2]] == ["alice", "alice"]
    assert got[0].at > got[1].at >= datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert (got[0].target_handle, got[0].ip, bool(got[0].action)) == ("acme", "127.0.0.1", True)
    assert "Two" in repr(got[0].data)


def test_a_page_is_fetched_only_when_it_is_asked_for(server, client):
    answers(server, (["c", "b"], "1"), (["a"], None))
    log = entries(client, "acme")
    assert server.requests == []
    assert next(log).id == "c"
    assert len(server.requests) == 1
    assert [e.id for e in log] == ["b", "a"]
    assert [r[1] for r in server.requests] == [
        "/api/v0/org/acme/audit_log?limit=100",
        "/api/v0/org/acme/audit_log?limit=100&next_token=1",
    ]


def test_what_is_written_meanwhile_shows_nothing_twice(server, client):
    answers(server, (["c", "b"], "1"), (["b", "a"], None))
    assert [e.id for e in entries(client, "acme")] == ["c", "b", "a"]


def test_a_log_whose_cursor_repeats_ends_with_an_error(server, client):
    answers(server, (["c"], "1"), (["b"], "1"))
    with pytest.raises(PartialReadError, match="its cursor repeats"):
        list(entries(client, "acme"))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24T09:00:00Z", datetime(2026, 11, 24, 9, tzinfo=UTC)),
        ("2026-11-24T10:00:00+01:00", datetime(2026, 11, 24, 9, tzinfo=UTC)),
        ("2026-11-24T09:00:00.123456789Z", datetime(2026, 11, 24, 9, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-24T09:00:00", datetime(2026, 11, 24, 9, tzinfo=UTC)),
        ("yesterday", None),
    ],
)
def test_an_entry_of_an_unknown_kind_or_moment_is_shown_as_it_is(server, client, text, moment):
    row = {"id": "a", "created_at": text, "action_type": "robot.dance", "actor_handle": "r2", "data": [1]}
    server.script = [(200, {}, msgspec.json.encode({"items": [row]}))]
    (entry,) = entries(client, "acme")
    assert (entry.at, entry.action, entry.actor, entry.data) == (moment, "robot.dance", "r2", [1])
