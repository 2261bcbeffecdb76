from __future__ import annotations

import pytest
import requests
import urllib3

from reconciler.sandbox import world
from reconciler.sandbox.faults import FaultError, Faults
from reconciler.sandbox.store import Store
from sandbox.conftest import ACME
from sandbox.serving import Served

PATH = "/org/acme"
BODY = {"url": "https://new.example"}


def faulty(sandboxes, *rules, **options):
    return sandboxes(faults=Faults(rules, **options))


@pytest.fixture(params=["in process", "served over TLS"])
def failing(request, sandboxes, tmp_path):
    """A client of an app with faults, either way."""
    servers = []

    def make(*rules):
        if request.param == "in process":
            return faulty(sandboxes, *rules).client()
        with Store(tmp_path / "sandbox.sqlite3") as store:
            world.seed(store, ACME)
        (tmp_path / "faults.yaml").write_text(str(list(rules)))
        servers.append(Served(tmp_path / "sandbox.sqlite3", "--faults", str(tmp_path / "faults.yaml")))
        return servers[-1].client(servers[-1].token)

    yield make
    for server in servers:
        server.stop()


@pytest.mark.parametrize(("kind", "happened"), [("drop-before", False), ("drop-after", True)])
def test_a_dropped_connection_is_an_error_before_or_after_the_write(failing, kind, happened):
    client = failing({"kind": kind, "method": "PATCH", "times": 1})
    with pytest.raises(requests.exceptions.ConnectionError):
        client.send("PATCH", PATH, BODY)
    assert ("url" in client.ok("GET", PATH)) == happened
    assert client.ok("PATCH", PATH, BODY)["url"] == BODY["url"], "only once"


def test_a_truncated_body_is_noticed_however_it_is_read(failing):
    client = failing({"kind": "truncate", "path": "/org/acme$"})
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        client.send("GET", PATH)
    streamed = client.session.get(f"{client.base}/api/v0{PATH}", stream=True, timeout=60)
    assert streamed.status_code == 200
    with pytest.raises(urllib3.exceptions.ProtocolError):
        streamed.raw.read(decode_content=True)
    streamed.close()
    assert client.ok("GET", "/org/acme/member")["items"], "the next request is fine"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_status_comes_with_a_problem_and_nothing_is_done(sandboxes, status):
    client = faulty(sandboxes, {"kind": "status", "status": status, "retry_after": 7, "times": 1}).client()
    response = client.send("PATCH", PATH, BODY)
    assert (response.status_code, response.headers["Retry-After"]) == (status, "7")
    assert response.json()["status"] == status
    assert "url" not in client.ok("GET", PATH)


def test_a_gateway_may_give_up_on_a_write_that_took_effect(sandboxes):
    client = faulty(sandboxes, {"kind": "status", "status": 504, "applied": True, "times": 1}).client()
    assert client.status("PATCH", PATH, BODY) == 504
    assert client.ok("GET", PATH)["url"] == BODY["url"]


def test_an_http_date_is_sent_as_it_is_written(sandboxes):
    date = "Tue, 24 Nov 2026 09:00:10 GMT"
    client = faulty(sandboxes, {"kind": "status", "status": 503, "retry_after": date}).client()
    assert client.send("GET", PATH).headers["Retry-After"] == date


def test_html_is_no_json(sandboxes):
    response = faulty(sandboxes, {"kind": "html"}).client().send("GET", PATH)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        response.json()


def test_latency_adds_up_and_then_the_answer_comes(sandboxes):
    waited = []
    client = faulty(
        sandboxes,
        {"kind": "latency", "ms": 30},
        {"kind": "latency", "ms": 12},
        {"kind": "status", "status": 503, "times": 1},
        sleep=waited.append,
    ).client()
    assert client.status("GET", PATH) == 503
    assert client.status("GET", PATH) == 200
    assert waited == [0.03, 0.012, 0.03, 0.012]


def test_an_answer_later_than_the_client_waits_is_a_timeout_and_the_write_is_done(sandboxes):
    waited = []
    rule = {"kind": "latency", "ms": 5000, "method": ["PATCH"]}
    client = faulty(sandboxes, rule, sleep=waited.append).client()
    with pytest.raises(requests.exceptions.ReadTimeout):
        client.send("PATCH", PATH, BODY, timeout=(1, 2))
    assert waited == [2]
    assert client.ok("GET", PATH)["url"] == BODY["url"]


@pytest.mark.parametrize(("rows", "seen"), [(1, [0, 1, 3, 4]), (-1, [0, 1, 1, 2, 3, 4]), (-9, [0, 1, 0, 1, 2, 3, 4])])
def test_pages_shift_as_if_someone_else_wrote(sandboxes, rows, seen):
    rule = {"kind": "shift-page", "path": "/member$", "rows": rows, "after": 2, "times": 1}
    box = sandboxes(world.generate(orgs=1, members=5), faults=Faults([rule]))
    client, path = box.client(), "/org/org-0000/member"
    whole = [row["id"] for row in client.all(path)]
    assert [whole.index(row["id"]) for row in client.all(path, limit=2)] == seen


def test_a_member_list_comes_back_empty(sandboxes):
    client = faulty(sandboxes, {"kind": "empty-members"}).client()
    assert client.ok("GET", "/org/acme/member") == {"items": []}
    assert client.ok("GET", "/org/acme/workspace/prod/member") == {"items": []}
    assert client.ok("GET", "/org/acme/member/bob")["user_handle"] == "bob"
    assert client.ok("GET", "/org/acme/workspace")["items"]


def test_faults_are_counted_and_let_pass_as_asked(sandboxes):
    client = faulty(
        sandboxes,
        {"kind": "status", "status": 500, "path": "/org/acme$", "after": 1, "times": 2},
        {"kind": "status", "status": 502, "path": "/actor", "method": "GET", "times": 1},
    ).client()
    assert [client.status("GET", PATH) for _ in range(4)] == [200, 500, 500, 200]
    assert [client.status("GET", "/actor") for _ in range(2)] == [502, 200]


def test_a_probability_is_the_same_for_the_same_seed(sandboxes):
    def draw(seed):
        rule = {"kind": "status", "status": 503, "probability": 0.5, "seed": seed}
        client = faulty(sandboxes, rule).client()
        return [client.status("GET", "/actor") for _ in range(40)]

    assert draw(1) == draw(1) != draw(2)
    assert {200, 503} == set(draw(1))


def test_the_page_for_people_never_fails(sandboxes):
    client = faulty(sandboxes, {"kind": "drop-before"}).client()
    assert client.session.get(client.base + "/", timeout=60).status_code == 200


def test_the_observer_hears_of_every_request_and_what_became_of_it(sandboxes):
    heard = []
    box = sandboxes(
        faults=Faults([{"kind": "drop-after", "method": "DELETE"}, {"kind": "truncate", "path": "/actor$"}]),
        observer=lambda *event: heard.append((*event, box.store.accepted_owners("acme"))),
    )
    client = box.client()
    client.ok("PATCH", "/org/acme/member/bob", {"role": "owner"})
    client.status("POST", "/org", {"handle": "bob"})
    with pytest.raises(requests.exceptions.ConnectionError):
        client.send("DELETE", "/org/acme/member/bob")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        client.send("GET", "/actor")
    client.session.get(client.base + "/", timeout=60)
    assert heard == [
        ("PATCH", "/org/acme/member/bob", 200, {"role": "owner"}, 2),
        ("POST", "/org", 409, {"handle": "bob"}, 2),
        ("DELETE", "/org/acme/member/bob", 0, None, 1),
        ("GET", "/actor", 200, None, 1),
    ]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"kind": "explode"}, "kind is 'explode'"),
        ({"kind": "status", "status": 418}, "status is 418"),
        ({"kind": "html", "when": 1}, "unknown key 'when'"),
        ({"kind": "latency", "ms": "long"}, "ms is 'long'"),
        ({"kind": "latency", "ms": -1}, "ms is -1"),
        ({"kind": "drop-after", "path": "("}, "not a regular expression"),
        ({"kind": "drop-after", "probability": 2}, "probability is 2"),
        ("drop-after", "not a mapping"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule, message, tmp_path):
    with pytest.raises(FaultError, match=f"fault 2: .*{message}".replace("(", r"\(")):
        Faults([{"kind": "html"}, rule])
    file = tmp_path / "faults.yaml"
    file.write_text(f"faults:\n- kind: html\n- {rule}\n" if isinstance(rule, str) else f"[{{kind: html}}, {rule}]")
    with pytest.raises(FaultError, match=r"faults\.yaml: fault 2: "):
        Faults.load(file)


def test_a_file_of_faults_that_is_none_is_named(tmp_path):
    (tmp_path / "f.yaml").write_text("[")
    for name in ("f.yaml", "missing.yaml"):
        with pytest.raises(FaultError, match=name):
            Faults.load(tmp_path / name)
