from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("raw", "places"),
    [
        pytest.param(b"", ["body"], id="missing"),
        pytest.param(b"{", ["body"], id="cut off"),
        pytest.param(b"[]", ["body"], id="a list"),
        pytest.param(b"null", ["body"], id="null"),
        pytest.param(b'{"handle": NaN}', ["body"], id="NaN"),
        pytest.param(b"\xff", ["body"], id="not UTF-8"),
        pytest.param(b'{"handle": "\\ud800"}', ["body"], id="half a surrogate"),
        pytest.param(b"[" * 100_000, ["body"], id="deep"),
        pytest.param(b"{}", ["body"], id="a required field is missing"),
        pytest.param(b'{"handle": 1}', ["body.handle"], id="a wrong type"),
        pytest.param(b'{"handle": null}', ["body.handle"], id="null for a text"),
        pytest.param(b'{"handle": "oak", "colour": "green"}', ["body"], id="an unknown field"),
        pytest.param(b'{"handle": "-oak-", "url": 1}', ["body.handle", "body.url"], id="two things at once"),
        pytest.param(b'{"handle": "oak\\n"}', ["body.handle"], id="a newline after the handle"),
        pytest.param(b'{"handle": "a--b"}', ["body.handle"], id="a double hyphen"),
        pytest.param(b'{"handle": "' + b"a" * 40 + b'"}', ["body.handle"], id="40 characters"),
    ],
)
def test_a_bad_body_is_told_where_it_is_wrong(acme, raw, places):
    alice = acme.client()
    assert alice.refused("POST", "/org", data=raw, headers={"Content-Type": "application/json"}) == (400, places)
    assert len(alice.all("/org")) == 1


def test_a_body_of_another_type_is_refused(acme):
    answer = acme.client().refused("POST", "/org", data={"handle": "oak"})
    assert answer == (400, ["header.Content-Type"])


@pytest.mark.parametrize("number", [-1, 2**63, 1e300, 1.5, True, "1"])
def test_numbers_are_64_bit_whole_and_not_negative(acme, number):
    alice = acme.client()
    assert alice.refused("PATCH", "/org/acme", {"usage_compute_threshold": number})[0] == 400
    assert (
        alice.ok("PATCH", "/org/acme", {"usage_compute_threshold": 2**63 - 1})["usage_compute_threshold"] == 2**63 - 1
    )


@pytest.mark.parametrize("moment", ["yesterday", "2026-11-24", "2026-11-24T09:00:00", "2026-13-01T00:00:00Z", "\0"])
def test_a_time_needs_a_zone_and_to_be_one(acme, moment):
    body = {"token_min_issued_at": moment}
    assert acme.client().refused("PATCH", "/org/acme", body) == (400, ["body.token_min_issued_at"])


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "1.0", "", "1" * 30, "٣"])
def test_a_bad_limit_is_refused(acme, limit):
    assert acme.client().refused("GET", "/org/acme/member", params={"limit": limit}) == (400, ["query.limit"])


@pytest.mark.parametrize("cursor", ["x", "bm9wZQ", "%00", "ÿ", "WyJvcmdfbGlzdCIsMV0", "W10"])
def test_a_bad_cursor_is_refused(acme, cursor):
    assert acme.client().refused("GET", "/org/acme/member", params={"next_token": cursor}) == (
        400,
        ["query.next_token"],
    )


def test_the_cursor_of_one_list_is_none_of_another(acme):
    alice = acme.client()
    cursor = alice.ok("GET", "/org/acme/member", params={"limit": 1})["next_token"]
    assert alice.ok("GET", "/org/acme/member", params={"next_token": cursor})["items"]
    refused = alice.refused("GET", "/org/acme/workspace/prod/member", params={"next_token": cursor})
    assert refused == (400, ["query.next_token"])


@pytest.mark.parametrize("path", ["/", "/nothing", "/org/acme/nothing", "/org/acme/member/a/b"])
def test_an_unknown_path_is_a_problem_too(acme, path):
    response = acme.client().send("GET", path)
    assert (response.status_code, response.json()["status"]) == (404, 404)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_a_method_that_a_path_does_not_have_is_a_405_with_those_it_has(acme, method):
    response = acme.client().send(method, "/org")
    assert response.status_code == 405
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))
    assert response.json()["title"] == "Method Not Allowed"


@pytest.mark.parametrize(
    "handle", ["%00", "%FF%FE", "a%2Fb", "..", "%F0%9F%92%A9", "ACME", "a" * 2000, "'; drop table org; --"]
)
def test_strange_handles_are_just_not_there(acme, handle):
    alice = acme.client()
    assert alice.status("GET", f"/org/acme/member/{handle}") == 404 or handle == ".."
    assert alice.status("GET", "/org/acme") == 200


@pytest.mark.parametrize(
    "text",
    ["\0", "\x1b[2J", "<script>alert(1)</script>", '"},"role":"owner"', "\u202e", "💩" * 5000, "\\", "' or 1=1 --"],
)
def test_any_text_comes_back_as_it_was_sent(acme, text):
    alice = acme.client()
    alice.ok("PATCH", "/org/acme", {"display_name": text})
    alice.ok("PATCH", "/user/alice", {"display_name": text})
    assert alice.ok("GET", "/org/acme")["display_name"] == text
    assert alice.ok("GET", "/identity/alice")["display_name"] == text
    [row] = [row for row in alice.all("/org/acme/member") if row["user_handle"] == "alice"]
    assert row["user"]["display_name"] == text
    assert alice.all("/org/acme/audit_log")[0]["data"]["new"]["display_name"] == text
