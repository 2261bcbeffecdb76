import logging
import socket
import ssl
import threading
import traceback
from email.utils import formatdate
from itertools import pairwise

import msgspec
import pytest
import trustme
from requests.adapters import HTTPAdapter

from reconciler.model.errors import PipesError, ReadOnlyError
from reconciler.model.request import Request
from reconciler.pipes import retry
from reconciler.pipes.client import (
    Client,
    Clock,
    ContentError,
    LostAnswerError,
    NotAuthorisedError,
    NotSentError,
    Observers,
    PartialReadError,
    StatusError,
)
from reconciler.pipes.settings import Settings
from reconciler.pipes.workers import WAKE

TOKEN = "tpt_0123456789secret"  # of the fixtures
HTML = b"<!doctype html><html><h1>Sign in to the network</h1></html>"
WRITE = Request("PATCH", "/org/acme", {"display_name": "Acme"}, if_match=7)


class Thing(msgspec.Struct):
    id: str


def ok(body=b'{"id": "o_1"}'):
    return (200, {"Content-Type": "application/json"}, body)


def problem(status, detail="no", headers=(), **more):
    body = {"type": "about:blank", "title": "Title", "status": status, "detail": detail, "instance": "/", **more}
    return (status, {"Content-Type": "application/problem+json", **dict(headers)}, msgspec.json.encode(body))


# -- reading only


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get", "PURGE"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_client_that_reads_sends_nothing_but_get(server, method, scheme):
    server.script = [ok()]
    with Client(server.settings, read_only=True) as client:
        url = f"{scheme}://127.0.0.1:{server.port}/api/v0/org/acme"
        if method == "get":  # requests turns it into GET, and it may pass
            assert (
                client.carrier.session.request(method, f"http://127.0.0.1:{server.port}/api/v0/org/acme").status_code
                == 200
            )
            return
        with pytest.raises(ReadOnlyError, match=f"a {method} was tried"):
            client.carrier.session.request(method, url)
        with pytest.raises(ReadOnlyError):
            client.send(Request(method, "/org/acme", {}))
    assert server.requests == []
    assert server.connections == 0


def test_a_client_that_reads_refuses_the_shortcuts_of_its_session_too(server):
    server.script = [ok()]
    with Client(server.settings, read_only=True) as client:
        for send in (
            client.carrier.session.post,
            client.carrier.session.put,
            client.carrier.session.patch,
            client.carrier.session.delete,
        ):
            with pytest.raises(ReadOnlyError):
                send(f"http://127.0.0.1:{server.port}/api/v0/org")
        assert client.get("/org/acme") == ok()[2]
    assert [r[0] for r in server.requests] == ["GET"]


def test_a_client_of_the_sandbox_that_reads_refuses_to_write(sandbox):
    found = sandbox({"actor": "alice", "orgs": {"acme": {"members": {"alice": "owner"}}}})
    with pytest.raises(ReadOnlyError):
        found.client.send(Request("DELETE", "/org/acme"))
    assert found.client.get_json("/org/acme", Thing).id.startswith("o_")


# -- what is sent


def test_a_write_carries_its_version_its_body_and_the_token(server, client):
    server.script = [ok()]
    answer = client.send(WRITE)
    method, path, headers, body = server.requests[0]
    assert (method, path, msgspec.json.decode(body)) == ("PATCH", "/api/v0/org/acme", {"display_name": "Acme"})
    assert headers["If-Match"] == "7"
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert (answer.status, answer.body, answer.ok, answer.problem) == (200, {"id": "o_1"}, True, "")


def test_a_request_without_version_or_body_has_neither_header(server, client):
    server.script = [(204, {"X-Request-Id": "req-1"}, b"")]
    answer = client.send(Request("DELETE", "/org/acme"))
    headers = server.requests[0][2]
    assert "If-Match" not in headers
    assert "Content-Type" not in headers
    assert (answer.status, answer.body, answer.request_id) == (204, None, "req-1")


def test_a_netrc_does_not_replace_the_token(server, client, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login mallory password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.script = [ok()]
    client.get("/actor")
    assert server.requests[0][2]["Authorization"] == f"Bearer {TOKEN}"


def test_cookies_are_not_kept(server, client):
    server.script = [(200, {"Set-Cookie": "session=1; Path=/"}, b"{}")]
    client.get("/actor")
    client.get("/actor")
    assert "Cookie" not in server.requests[1][2]


def test_a_proxy_of_the_environment_does_not_take_plain_http_off_the_machine(server, client, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server.script = [ok()]
    assert client.get("/actor") == ok()[2]


def test_connections_are_used_again(server, client):
    server.script = [ok()]
    for _ in range(5):
        client.get("/actor")
    assert (len(server.requests), server.connections) == (5, 1)


@pytest.mark.parametrize(
    "path", ["/org/acme/member/..", "/org/./member", "/org//member", "org/acme", "/", "/org/acme/"]
)
def test_a_path_that_leads_elsewhere_never_leaves(server, client, path):
    with pytest.raises(NotSentError, match="nothing was sent"):
        client.send(Request("DELETE", path))
    assert server.requests == []


def test_what_a_path_may_not_hold_is_quoted(server, client):
    server.script = [ok()]
    client.send(Request("DELETE", "/org/acme/member/a?b#c%2fd\r\n"))
    assert server.requests[0][1] == "/api/v0/org/acme/member/a%3Fb%23c%252fd%0D%0A"


def test_a_request_that_still_waits_for_a_handle_is_not_sent(server, client):
    late = Request(
        "POST", "/org/acme/workspace/prod/member", {"handle": "{user_handle}"}, None, "org.acme/member.carol"
    )
    with pytest.raises(ValueError, match=r"still waits for what org.acme/member.carol answers"):
        client.send(late)
    assert server.requests == []


# -- answers to writes


def test_a_refused_write_is_an_answer_with_pipes_own_words(server, client):
    server.script = [
        problem(
            400,
            "the body is wrong",
            {"X-Request-Id": "req-9"},
            validation_errors=[{"location": "body.role", "message": "unknown role"}],
        )
    ]
    answer = client.send(WRITE)
    assert (answer.status, answer.ok, answer.request_id) == (400, False, "req-9")
    assert answer.problem == "400 Title: the body is wrong (body.role: unknown role)"
    assert answer.body["detail"] == "the body is wrong"


@pytest.mark.parametrize("status", [401, 402, 403, 404, 409, 412, 500, 502, 503, 504])
def test_a_write_that_is_refused_is_sent_once(server, client, clock, status):
    server.script = [problem(status)]
    assert client.send(WRITE).status == status
    assert (len(server.requests), clock.slept) == (1, [])


def test_a_long_problem_is_cut_and_stays_on_one_line(server, client):
    server.script = [problem(409, "a\nb " * 1000)]
    text = client.send(WRITE).problem
    assert len(text) == 300
    assert "\n" not in text


def test_a_gateways_html_page_is_named_not_shown(server, client):
    server.script = [(502, {"Content-Type": "text/html"}, HTML)]
    answer = client.send(WRITE)
    assert answer.problem == "502, an HTML page; is there a proxy or a sign-in page in between?"
    assert answer.body is None


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("drop", id="no answer"),
        pytest.param("cut", id="half an answer"),
        pytest.param((200, {}, HTML), id="a proxy's page"),
        pytest.param((200, {}, b'{"id": "o_'), id="JSON cut short"),
        pytest.param((303, {"Location": "/elsewhere"}, b""), id="a redirect"),
    ],
)
def test_a_write_without_a_usable_answer_is_lost_and_not_repeated(server, client, clock, answer):
    server.script = [answer]
    with pytest.raises(LostAnswerError):
        client.send(WRITE)
    assert (len(server.requests), clock.slept) == (1, [])


def test_a_write_that_never_left_is_repeated(clock):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with Client(Settings(f"http://127.0.0.1:{port}/api/v0", TOKEN), read_only=False, clock=clock.source) as client:
        with pytest.raises(NotSentError, match=f"127.0.0.1:{port} cannot be reached: Connection refused"):
            client.send(WRITE)
        assert client.requests_sent == retry.ATTEMPTS
    assert len(clock.slept) == retry.ATTEMPTS - 1


# -- repetition


@pytest.mark.parametrize("fault", ["drop", "cut", problem(500), problem(502), problem(503), problem(504), problem(429)])
def test_a_get_is_repeated_until_it_succeeds(server, client, clock, fault):
    server.script = [fault, fault, ok()]
    assert client.get("/org/acme") == ok()[2]
    assert len(server.requests) == 3
    assert len(clock.slept) >= 2


@pytest.mark.parametrize("status", [400, 402, 403, 404, 409])
def test_a_get_that_is_refused_is_not_repeated(server, client, status):
    server.script = [problem(status, "no such thing")]
    with pytest.raises(StatusError, match=f"{status} Title: no such thing") as error:
        client.get("/org/acme")
    assert (error.value.status, len(server.requests)) == (status, 1)


def test_repetition_ends_and_the_last_answer_is_told(server, client, clock):
    server.script = [problem(503, "over capacity")]
    with pytest.raises(StatusError, match="503 Title: over capacity"):
        client.get("/org/acme")
    assert len(server.requests) == retry.ATTEMPTS
    assert clock.now - 1000 <= retry.PATIENCE


def test_waiting_grows_and_is_never_twice_the_same(clock):
    waits = [retry.backoff(n, None) for n in range(1, 7)]
    for n, wait in enumerate(waits):
        assert retry.FIRST_WAIT * 2**n / 2 <= wait <= retry.FIRST_WAIT * 2**n
    assert len({retry.backoff(3, None) for _ in range(20)}) > 1
    assert retry.backoff(40, None) <= retry.LONGEST_WAIT


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("7", id="seconds"),
        pytest.param(formatdate(1007, usegmt=True), id="date"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_retry_after_is_honoured_for_reads_and_writes(server, client, clock, header, method):
    server.script = [problem(429, headers={"Retry-After": header}), ok()]
    if method == "GET":
        client.get("/org/acme")
    else:
        assert client.send(WRITE).ok
    assert len(server.requests) == 2
    assert 7 <= clock.slept[0] <= 8
    assert clock.now >= 1007


def test_retry_after_on_an_overloaded_server_is_honoured(server, client, clock):
    server.script = [problem(503, headers={"Retry-After": "9"}), ok()]
    client.get("/org/acme")
    assert clock.slept[0] >= 9


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        (" 12 ", 12.0),
        ("Thu, 01 Jan 1970 00:16:50 GMT", 10.0),
        ("Thu, 01 Jan 1970 00:16:30 GMT", 0.0),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("9" * 400, 999999999.0),
        ("Thu, 99 Jan 1970 00:16:50 GMT", None),
    ],
)
def test_a_retry_after_header_is_read_in_both_forms(header, seconds):
    assert retry.retry_after(header, 1000.0) == seconds


def test_being_told_to_wait_longer_than_we_have_patience_ends_at_once(server, client, clock):
    server.script = [problem(429, headers={"Retry-After": "86400"})]
    with pytest.raises(StatusError, match="it asks to wait 86400 s"):
        client.get("/org/acme")
    with pytest.raises(StatusError):
        client.get("/org/beta")  # nor are the others kept waiting for it
    assert (len(server.requests), clock.slept) == (2, [])


def test_a_write_that_is_never_let_through_comes_back_as_429(server, client, clock):
    server.script = [problem(429, headers={"Retry-After": "60"})]
    assert client.send(WRITE).status == 429
    assert clock.now - 1000 <= retry.PATIENCE_WHEN_TOLD


def test_every_third_answer_a_429_stops_nothing(server, client, clock):
    server.script = [problem(429, headers={"Retry-After": "2"}) if n % 3 == 0 else ok() for n in range(60)]
    for _ in range(30):
        client.get("/org/acme")
    waited = [s for s in clock.slept if s >= 2]
    assert len(waited) == sum(1 for n in range(len(server.requests)) if n % 3 == 0)


def test_while_one_request_waits_after_a_429_no_other_leaves(server, clock):
    server.script = [problem(429, headers={"Retry-After": "50"}), ok()]
    events = []

    def sleep(seconds):
        events.append(f"sleeps {seconds >= 50}")
        if len(events) == 2:  # the first request waits; now another wants to go
            client.get("/org/other")
        clock.now += seconds

    with Client(
        server.settings,
        read_only=True,
        clock=Clock(clock, clock, sleep),
        observers=Observers(request=lambda _method, path, status, _seconds: events.append(f"{path} {status}")),
    ) as client:
        client.get("/org/acme")
    assert events == ["/org/acme 429", "sleeps True", "sleeps True", "/org/other 200", "/org/acme 200"]


def test_a_429_holds_back_the_other_workers_too(clock):
    gate = retry.Gate(clock, clock.sleep)
    sent = gate.pass_through()
    assert sent == 1000
    gate.refused(sent, 5)
    assert gate.pass_through() >= 1005
    after = [gate.pass_through() for _ in range(3)]
    assert all(later > earlier for earlier, later in pairwise(after))


def test_the_pace_comes_back_when_nothing_is_refused_any_more(clock):
    gate = retry.Gate(clock, clock.sleep)
    gate.refused(gate.pass_through(), 1)
    for _ in range(20):
        gate.accepted(gate.pass_through())
    clock.slept.clear()
    for _ in range(20):
        gate.accepted(gate.pass_through())
    assert clock.slept == []


def test_answers_to_what_was_sent_before_do_not_bring_the_pace_back(clock):
    gate = retry.Gate(clock, clock.sleep)
    before = gate.pass_through()
    gate.refused(before, 5)
    for _ in range(50):
        gate.accepted(before)
    assert gate.pass_through() >= 1005
    assert gate.pass_through() > 1005


def test_closing_the_client_ends_the_waiting(server):
    server.script = [problem(503, headers={"Retry-After": "100"})]
    client = Client(server.settings, read_only=True, observers=Observers(request=lambda *_: client.close()))
    with pytest.raises(NotSentError, match="was closed"):
        client.get("/org/acme")
    assert len(server.requests) == 1


# -- what is no answer of Pipes


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(HTML, "an HTML page instead of JSON; is there a proxy or a sign-in page", id="a proxy's page"),
        pytest.param(b'{"id": "o_', "JSON that is cut short or broken instead of JSON", id="cut short"),
        pytest.param(b"", "nothing instead of JSON", id="nothing"),
        pytest.param(b"OK", "text instead of JSON", id="text"),
        pytest.param(
            b'{"id": 7}', "something other than the contract says: Expected `str`, got `int`", id="wrong type"
        ),
        pytest.param(b"{}", "missing required field `id`", id="missing field"),
        pytest.param(
            b'{"id": "o_1", "more": ' + b"[" * 100_000, "JSON that is cut short or broken", id="nested without end"
        ),
        pytest.param(b'{"id": "\xff\xfe"}', "JSON that is cut short or broken", id="no UTF-8"),
    ],
)
def test_a_success_that_is_not_what_the_contract_says_is_one_clear_line(server, client, body, says):
    server.script = [(200, {}, body)]
    with pytest.raises(ContentError) as error:
        client.get_json("/org/acme", Thing)
    assert str(error.value).startswith(f"127.0.0.1:{server.port} answered GET /org/acme with ")
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert len(server.requests) == 1


def test_ctrl_c_never_has_to_end_the_wait_of_a_socket_or_for_a_turn(server, monkeypatch):
    """A signal in the instant before such a wait does not end it; the main thread alone handles signals."""
    waited = []
    for place, name in ((HTTPAdapter, "send"), (threading.Event, "wait")):
        monkeypatch.setattr(place, name, noting(getattr(place, name), waited))
    server.script = [(429, {"Retry-After": "1"}, b""), ok()]
    with Client(server.settings, read_only=True) as client:
        client.get("/actor")
    main = {(name, args) for thread, name, args in waited if thread is threading.main_thread()}
    assert {name for _, name, _ in waited} == {"send", "wait"}
    assert main == {("wait", (WAKE,)), ("wait", ())}  # the latter for a thread to start


def noting(function, found):
    """`function`, which notes its thread, its name and its arguments in `found`."""

    def noted(self, *args, **options):
        found.append((threading.current_thread(), function.__name__, args))
        return function(self, *args, **options)

    return noted


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(server, client, status):
    server.script = [(status, {"Location": f"http://evil.example/{TOKEN}"}, b""), ok()]
    with pytest.raises(PipesError, match=rf"a redirect \({status}\) to evil.example, which is not followed") as error:
        client.get("/actor")
    assert TOKEN not in str(error.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "headers", "says"),
    [
        (103, {"Link": "</x>"}, "103, a status that Pipes does not use"),
        (304, {}, "304, a status that Pipes does not use"),
        (302, {"Location": "/login"}, r"a redirect \(302\) to another path, which is not followed"),
        (302, {"Location": "http://[x"}, r"a redirect \(302\) to no URL"),
    ],
)
def test_only_what_leads_to_another_host_is_said_to_lead_there(server, client, status, headers, says):
    server.script = [(status, headers, b""), ok()]
    with pytest.raises(PipesError, match=rf" answered GET /actor with {says}; check PIPES_HOST or --host$"):
        client.get("/actor")


@pytest.mark.parametrize(("path", "status"), [("/actor", 401), ("/actor", 403), ("/org/acme", 401)])
def test_a_refused_token_is_said_so(server, client, path, status):
    server.script = [problem(status, "token is expired")]
    with pytest.raises(
        NotAuthorisedError,
        match=rf"^not authorised: the token has expired \({status} Title: token is expired\); issue a new",
    ):
        client.get(path)
    assert len(server.requests) == 1


def test_a_certificate_of_nobody_is_refused_at_once(make_server, clock):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = make_server(context)
    server.script = [ok()]
    with Client(server.settings, read_only=True, clock=clock.source) as client:
        with pytest.raises(NotSentError, match=r"the certificate of .* is not trusted") as error:
            client.get("/actor")
        assert client.requests_sent == 1
    assert "REQUESTS_CA_BUNDLE" in str(error.value)
    assert server.requests == []


def test_a_certificate_of_the_users_own_authority_is_accepted(make_server, clock, tmp_path, monkeypatch):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    server = make_server(context)
    server.script = [ok()]
    with Client(server.settings, read_only=True, clock=clock.source) as client:
        assert client.get("/actor") == ok()[2]


def test_https_to_a_server_without_tls_is_said_so(server, clock):
    server.script = [ok()]
    with (
        Client(
            Settings(f"https://127.0.0.1:{server.port}/api/v0", TOKEN), read_only=True, clock=clock.source
        ) as client,
        pytest.raises(PipesError, match="does it speak https on that port"),
    ):
        client.get("/actor")
    assert server.requests == []


def test_a_host_without_an_address_is_said_so(clock, monkeypatch):
    def nowhere(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with (
        Client(Settings("https://pipes.invalid/api/v0", TOKEN), read_only=True, clock=clock.source) as client,
        pytest.raises(NotSentError, match=r"^pipes.invalid is unknown to DNS"),
    ):
        client.get("/actor")


def test_a_proxy_that_cannot_be_used_is_named_without_its_password(clock, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://user:hunter2@127.0.0.1:1")
    with (
        Client(Settings("https://pipes.invalid/api/v0", TOKEN), read_only=True, clock=clock.source) as client,
        pytest.raises(
            NotSentError, match=r"the proxy that https_proxy names cannot be used: .*refused; check https_proxy"
        ) as error,
    ):
        client.get("/actor")
    assert "hunter2" not in str(error.value)


def test_an_answer_that_never_comes_is_a_timeout(server, clock, monkeypatch):
    monkeypatch.setattr("reconciler.pipes.transport.READ_TIMEOUT", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        port = silent.getsockname()[1]
        with (
            Client(Settings(f"http://127.0.0.1:{port}/api/v0", TOKEN), read_only=True, clock=clock.source) as client,
            pytest.raises(LostAnswerError, match="did not answer within"),
        ):
            client.get("/actor")


# -- lists


def page(*ids, cursor=None):
    return ok(msgspec.json.encode({"items": [{"id": i} for i in ids], **({"next_token": cursor} if cursor else {})}))


def test_a_list_is_read_a_hundred_rows_at_a_time(server, client):
    server.script = [page("a", "b", cursor="x y&z"), page("c")]
    assert [[row.id for row in rows] for rows in client.pages("/org/acme/member", row_type=Thing)] == [
        ["a", "b"],
        ["c"],
    ]
    assert [r[1] for r in server.requests] == [
        "/api/v0/org/acme/member?limit=100",
        "/api/v0/org/acme/member?limit=100&next_token=x+y%26z",
    ]


@pytest.mark.parametrize("body", [b"{}", b'{"items": null}', b'{"items": []}', b'{"items": [], "next_token": ""}'])
def test_an_empty_list_may_be_written_in_many_ways(server, client, body):
    server.script = [ok(body)]
    assert list(client.pages("/org/acme/workspace")) == [[]]


def test_an_object_that_is_no_list_is_not_taken_for_an_empty_one(server, client):
    server.script = [ok(b'{"message": "welcome"}')]
    with pytest.raises(ContentError, match="has no `items`"):
        list(client.pages("/org/acme/workspace"))


def test_a_cursor_that_repeats_is_no_end(server, client):
    server.script = [page("a", cursor="1"), page("b", cursor="2"), page("c", cursor="1"), page("d")]
    with pytest.raises(PartialReadError, match="its cursor repeats"):
        list(client.pages("/org/acme/member"))


def test_a_row_that_comes_twice_shows_that_another_may_be_missing(server, client):
    server.script = [page("a", "b", cursor="1"), page("b", "c")]
    with pytest.raises(PartialReadError, match="a row came twice"):
        list(client.pages("/org/acme/member", row_type=Thing))


def test_empty_pages_without_end_are_no_list(server, client):
    server.script = [page(cursor=str(n)) for n in range(200)]
    with pytest.raises(PartialReadError, match="pages in a row were empty"):
        list(client.pages("/org/acme/member"))


# -- secrecy


def test_the_trace_has_a_line_for_each_request_and_nothing_secret(server, clock):
    lines = []
    server.script = [problem(503, f"Bearer {TOKEN}"), ok(), problem(409, f"no {TOKEN}"), "drop"]
    with Client(
        server.settings, read_only=False, clock=clock.source, observers=Observers(trace=lines.append)
    ) as client:
        client.get("/org/acme", {"q": "carol@example.com"})
        client.send(WRITE)
        with pytest.raises(LostAnswerError):
            client.send(WRITE)
    assert lines == [
        "GET /org/acme 503 0 ms",
        "GET /org/acme 200 0 ms (attempt 2)",
        "PATCH /org/acme 409 0 ms",
        "PATCH /org/acme no answer 0 ms",
    ]


def everything_about(error):
    """All that a traceback, with its causes and contexts, could show, and all that they hold."""
    text = "".join(traceback.format_exception(error))
    todo = [error]
    while todo:
        found = todo.pop()
        text += repr(found) + repr(vars(found))
        todo += [e for e in (found.__cause__, found.__context__) if e is not None]
        request = getattr(found, "request", None)
        text += repr(dict(request.headers)) if request is not None else ""
    return text


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("drop", id="no answer"),
        pytest.param("cut", id="half an answer"),
        pytest.param((200, {}, HTML), id="a proxy's page"),
        pytest.param((200, {}, f'{{"id": {{"{TOKEN}": 1}}}}'.encode()), id="echoed in a success"),
        pytest.param(problem(401, f"the token {TOKEN} is unknown"), id="echoed by 401"),
        pytest.param(problem(404, f"Authorization: Bearer {TOKEN}"), id="echoed by 404"),
        pytest.param((500, {}, f"<pre>Bearer {TOKEN}</pre>".encode()), id="echoed by 500"),
        pytest.param((302, {"Location": f"https://{TOKEN}.example/"}, b""), id="echoed in a redirect"),
    ],
)
def test_no_exception_holds_the_token(server, client, caplog, answer):
    caplog.set_level(logging.DEBUG)
    server.script = [answer]
    with pytest.raises(PipesError) as error:
        client.get_json("/org/acme", Thing)
    assert TOKEN not in everything_about(error.value)
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(client.carrier.session.auth) + repr(client.settings) + repr(vars(client))


def test_a_token_that_a_refused_write_echoes_is_taken_out(server, client):
    server.script = [problem(403, f"Bearer {TOKEN} may not", token=TOKEN)]
    answer = client.send(WRITE)
    assert answer.problem == "403 Title: Bearer [token] may not"
    assert TOKEN not in repr(answer)


@pytest.mark.parametrize(("passed", "looks"), [(100, 1), (296, 0)])
def test_a_write_whose_turn_comes_late_is_made_again_of_what_is_there_then(server, client, clock, passed, looks):
    server.script = [problem(429, headers={"Retry-After": "300"}), ok()]
    assert client.send(WRITE).status == 429, "another worker gives up, and has everybody wait"
    clock.now += passed
    looked = []

    def again():
        looked.append(clock.now)
        return Request("PATCH", "/org/acme", {"display_name": "Acme"}, if_match=8)

    assert client.send(WRITE, again=again).ok
    assert [headers["If-Match"] for _, _, headers, _ in server.requests[1:]] == ["8" if looks else "7"]
    assert [moment >= 1300 for moment in looked] == [True] * looks


def test_a_write_is_not_sent_after_a_wait_where_the_look_says_no(server, client):
    server.script = [problem(429, headers={"Retry-After": "9"}), ok()]

    def again():
        raise LookupError

    with pytest.raises(LookupError):
        client.send(WRITE, again=again)
    assert len(server.requests) == 1
