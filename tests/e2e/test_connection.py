"""Between the command and Pipes: what cannot be reached or trusted is exit 4 and one line, and what reads cannot write."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from e2e.bench import TOKEN
from reconciler.model.errors import ReadOnlyError
from reconciler.model.request import Request
from reconciler.pipes import retry
from reconciler.pipes.client import Client
from reconciler.pipes.settings import Settings

ACME = "orgs: {acme: {members: {alice: owner, bob: member}, workspaces: {prod: {members: {bob: reader}}}}}"
WANTED = "orgs: {acme: {display_name: Acme, members: {alice: owner, bob: owner, zoe: member}, workspaces: {prod: {members: {}}, new: {}}}}"
HOSTILE = sorted((Path(__file__).parents[1] / "manifest" / "hostile").glob("*.yaml"))
COMMANDS = [
    pytest.param(("plan",), id="plan"),
    pytest.param(("plan", "-v"), id="plan -v"),
    pytest.param(("plan", "--format", "json"), id="plan as json"),
    pytest.param(("apply", "--auto-approve"), id="apply"),
    pytest.param(("apply", "--auto-approve", "-v"), id="apply -v"),
]


@pytest.fixture
def acme(bench, monkeypatch):
    # the pauses between repetitions are the policy's to test, not ours to wait for
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)
    bench.pipes("users: {zoe: {}}\n" + ACME)
    bench.manifest(WANTED)
    return bench


def unreachable(ran, says, *, verbose):
    """Exit 4, nothing on standard output, and one clear line (with -v, below a line for each request)."""
    assert ran.status == 4
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert verbose or len(lines) == 1
    assert lines[-1].startswith("Error: ")
    assert says in lines[-1]


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_token_nothing_is_sent_and_nobody_falls_back_to_the_sandbox(bare, command):
    bare.pipes(ACME)
    bare.manifest(WANTED)
    before = bare.database()
    for host in ((), ("--host", "pipes.example")):
        unreachable(bare.run(*command, *host), "no token: set PIPES_TOKEN", verbose="-v" in command)
    assert bare.database() == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_token(acme, command, monkeypatch):
    monkeypatch.setenv("PIPES_TOKEN", "tpt_wrong0wrong0wrong")
    with acme.served():
        ran = acme.run(*command, "--host", acme.host)
    unreachable(ran, "token", verbose="-v" in command)
    assert "401" in ran.err
    assert "tpt_wrong" not in ran.out + ran.err


def test_a_token_from_a_file(acme, monkeypatch):
    monkeypatch.delenv("PIPES_TOKEN")
    (acme.folder / "token").write_text(TOKEN + "\n")
    with acme.served():
        assert acme.run("plan", "--host", acme.host, "--token-file", "token").status == 0
        (acme.folder / "token").write_text("")
        unreachable(acme.run("plan", "--host", acme.host, "--token-file", "token"), "is empty", verbose=False)


def test_the_hosts_variable_is_read_and_the_older_name_is_only_pointed_at(acme, monkeypatch):
    with acme.served() as seen:
        monkeypatch.setenv("PIPES_HOST", acme.host)
        assert acme.run("plan").status == 0
        assert seen != []
    monkeypatch.delenv("PIPES_TOKEN")
    monkeypatch.setenv("STEAMPIPE_CLOUD_TOKEN", "tpt_older0older")
    ran = acme.run("plan")
    unreachable(ran, "STEAMPIPE_CLOUD_TOKEN is set but not read", verbose=True)
    assert "tpt_older" not in ran.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_host_where_nothing_listens(acme, command):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: nobody else takes the port meanwhile
        ran = acme.run(*command, "--host", f"http://127.0.0.1:{held.getsockname()[1]}")
    unreachable(ran, "cannot be reached", verbose="-v" in command)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_certificate_that_nobody_vouches_for(acme, command):
    with acme.served(tls=True):
        ran = acme.run(*command, "--host", acme.host)
    unreachable(ran, "certificate", verbose="-v" in command)


def test_a_certificate_of_ones_own_authority(acme, monkeypatch):
    with acme.served(tls=True) as seen:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(acme.folder / "sandbox-ca.pem"))
        assert acme.run("plan", "--host", acme.host).status == 0
        assert seen != []


@pytest.mark.parametrize("status", [200, 302, 403, 404, 407, 500, 503])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_proxys_page_instead_of_json(acme, command, status):
    before = acme.database()
    with acme.served({"kind": "html", "status": status}):
        ran = acme.run(*command, "--host", acme.host)
    unreachable(ran, "127.0.0.1", verbose="-v" in command)
    assert "<" not in ran.err
    assert acme.database() == before


@pytest.mark.parametrize("kind", ["drop-before", "truncate"])
def test_a_connection_that_breaks_off(acme, kind):
    with acme.served({"kind": kind}):
        unreachable(acme.run("plan", "--host", acme.host), "127.0.0.1", verbose=False)


def test_faults_that_pass_are_sat_out(acme):
    faults = [
        {"kind": "status", "status": 503, "times": 2},
        {"kind": "status", "status": 429, "retry_after": 0, "times": 2},
        {"kind": "drop-before", "method": "GET", "times": 1},
        {"kind": "truncate", "method": "GET", "times": 1},
    ]
    with acme.served(*faults):
        assert acme.run("apply", "--auto-approve", "--host", acme.host).status == 0
    assert acme.plan("--detailed-exitcode").status == 0


def test_a_sandbox_that_is_missing_or_none_is_4(acme):
    unreachable(acme.run("plan", "--host", "sandbox:missing.sqlite3"), "sandbox seed", verbose=False)
    (acme.folder / "text.sqlite3").write_text("no database")
    unreachable(acme.run("plan", "--host", "sandbox:text.sqlite3"), "text.sqlite3", verbose=False)
    assert not (acme.folder / "missing.sqlite3").exists()


# --- reading cannot write ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("validate",), id="validate"),
        pytest.param(("plan",), id="plan"),
        pytest.param(("plan", "-o", "plan.json", "--allow", "mass-removal"), id="plan -o"),
        pytest.param(("plan", "--format", "json", "-v"), id="plan as json"),
        pytest.param(("show", "saved.json"), id="show"),
        pytest.param(("schema",), id="schema"),
    ],
)
def test_reading_commands_change_neither_pipes_nor_manifests_nor_the_lock_file(acme, command):
    acme.lock(**{"org.acme": "org acme"})
    assert acme.plan("-o", "saved.json").status == 0
    kept = {p.name: p.read_bytes() for p in acme.folder.iterdir() if p.name not in (acme.db.name, "plan.json")}
    before = acme.database()
    with acme.served() as seen:
        host = () if command[0] in ("validate", "show", "schema") else ("--host", acme.host)
        assert acme.run(*command, *host).status == 0
    assert {method for method, _, _ in seen} <= {"GET"}
    assert bool(seen) is (command[0] == "plan")
    assert acme.database() == before
    now = {p.name: p.read_bytes() for p in acme.folder.iterdir() if p.name in kept}
    assert now == kept


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_the_transport_of_reading_commands_refuses_every_other_method_by_trying(acme, method):
    before = acme.database()
    with acme.served() as seen:
        settings = Settings(f"{acme.host}/api/v0", TOKEN)
        with Client(settings, read_only=True) as client:
            for scheme in ("http", "https"):
                url = f"{acme.host}/api/v0/org/acme".replace("http", scheme, 1)
                with pytest.raises(ReadOnlyError):
                    client.carrier.session.request(method, url, json={"display_name": "Written"})
            with pytest.raises(ReadOnlyError):
                client.send(Request(method, "/org/acme", {"display_name": "Written"}))
            assert client.get("/org/acme") != b""
    assert [m for m, _, _ in seen] == ["GET"]
    assert acme.database() == before


def test_the_embedded_pipes_refuses_writes_of_reading_commands(acme):
    before = acme.database()
    settings = Settings("http://sandbox.invalid/api/v0", TOKEN, acme.db)
    with Client(settings, read_only=True) as client, pytest.raises(ReadOnlyError):
        client.send(Request("DELETE", "/org/acme"))
    assert acme.database() == before


# --- hostile manifests, through the command ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path.stem)
def test_a_hostile_manifest_is_1_with_its_places_and_no_traceback(bare, path):
    text, _, expected = path.read_bytes().decode().partition("# expected\n")
    (bare.folder / "orgs.yaml").write_bytes(text.encode())
    wrong = [line for line in expected.splitlines() if ": error: " in line]
    ran = bare.run("validate", "--format", "json")
    assert ran.status == (1 if wrong else 0)
    assert "Traceback" not in ran.err
    sources = [found["source"] for found in ran.json["diagnostics"] if found["severity"] == "error"]
    places = [f"{source['line']}:{source['column']}" for source in sources]
    assert places == [line.removeprefix("# ").split(": error: ")[0] for line in wrong]


def looping(folder):
    (folder / "orgs").mkdir()
    (folder / "orgs" / "a.yaml").symlink_to("b.yaml")
    (folder / "orgs" / "b.yaml").symlink_to("a.yaml")


def circling(folder):
    (folder / "orgs").mkdir()
    (folder / "orgs" / "again").symlink_to("..")


def piped(folder):
    import os

    os.mkfifo(folder / "orgs.yaml")


def written(data):
    return lambda folder: (folder / "orgs.yaml").write_bytes(data)


UNUSABLE = {
    "nothing there": lambda folder: None,
    "a folder of no manifests": lambda folder: (folder / "orgs").mkdir(),
    "links in a circle": looping,
    "a folder that holds its parent": circling,
    "a pipe that nobody writes to": piped,
    "a device that never ends": lambda folder: (folder / "orgs.yaml").symlink_to("/dev/zero"),
    "a dangling link": lambda folder: (folder / "orgs.yaml").symlink_to("gone.yaml"),
    "a folder with a manifest's name": lambda folder: (folder / "orgs.yaml").mkdir(),
    "a scalar of 5 MB": written(b"version: 1\norgs: {acme: {display_name: " + b"x" * 5_000_000 + b"}}\n"),
    "NUL": written(b"version: 1\norgs: {acme: {display_name: a\0b}}\n"),
    "UTF-16": written("version: 1\norgs: {}\n".encode("utf-16")),
    "Latin-1": written("version: 1\norgs: {acme: {display_name: é}}\n".encode("latin-1")),
    "random bytes": written(bytes(range(256)) * 40),
    "an alias bomb": written(
        b"version: 1\nteams:\n  a: &a0 [alice]\n"
        + b"".join(b"  a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 10))
    ),
    "brackets 100,000 deep": written(b"version: 1\norgs: " + b"[" * 100_000),
    "a database": lambda folder: (folder / "orgs.yaml").write_bytes(b"SQLite format 3\0" + b"\0" * 4096),
}


@pytest.mark.parametrize("make", UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_manifest_is_1_with_a_line_and_no_traceback(bare, make):
    make(bare.folder)
    ran = bare.run("validate")
    assert ran.status == 1
    assert "error: " in ran.err
    assert ran.out == ""
    assert len(ran.err) < 10_000


def test_there_are_forty_of_them():
    assert len(HOSTILE) + len(UNUSABLE) >= 40


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf", b""], ids=["with a byte order mark", "without"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_a_byte_order_mark_and_crlf_are_read(bare, data, end):
    (bare.folder / "orgs.yaml").write_bytes(data + end.join([b"version: 1", b"orgs: {acme: {display_name: X}}", b""]))
    ran = bare.run("validate")
    assert (ran.status, ran.err) == (0, "")
    assert "Valid: 1 manifest, 1 organization" in ran.out
