from __future__ import annotations

import gc
import signal
import socket
import subprocess
import sys

import pytest
import requests
import trustme
from click.testing import CliRunner

from reconciler.cli.sandbox import command
from reconciler.sandbox import DEFAULT_PATH
from reconciler.sandbox.store import Store
from sandbox.serving import Served

WORLD = "actor: alice\norgs: {acme: {members: {alice: owner, bob: member}}}\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "world.yaml").write_text(WORLD)

    def invoke(*args):
        result = CliRunner().invoke(command, args, prog_name="reconciler sandbox")
        assert "Traceback" not in result.output
        return result.exit_code, result.output

    return invoke


def test_seeding_a_file_fills_the_default_store(run):
    assert run("seed", "world.yaml") == (0, f"{DEFAULT_PATH}: 1 organization, 2 users\n")
    with Store.open_existing(DEFAULT_PATH) as store:
        assert store.accepted_owners("acme") == 1
    assert run("seed", "--orgs", "3", "--members", "4", "--db", "other.sqlite3")[1].startswith("other.sqlite3: 3 org")


def test_resetting_empties_it(run):
    run("seed", "world.yaml")
    assert run("reset") == (0, f"{DEFAULT_PATH}: empty\n")
    with Store.open_existing(DEFAULT_PATH) as store:
        assert store.accepted_owners("acme") == 0
    assert run("serve") == (
        1,
        f"Error: nothing has been seeded in {DEFAULT_PATH}; fill it with: reconciler sandbox seed\n",
    )


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (("serve",), 1, "no sandbox at .reconciler/sandbox.sqlite3; make one with: reconciler sandbox seed"),
        (("reset",), 1, "no sandbox at"),
        (("seed", "missing.yaml"), 1, "missing.yaml: No such file or directory"),
        (("seed", "bad.yaml"), 1, "bad.yaml: the world: unknown key 'x'"),
        (("seed", "world.yaml", "--orgs", "2"), 2, "not both"),
        (("seed", "--db", "world.yaml"), 1, "world.yaml is not a sandbox"),
        (("seed", "--db", "x"), 2, "is a directory"),
        (("serve", "--db", "world.yaml"), 1, "world.yaml is not a sandbox"),
        (("serve", "--db", "made.sqlite3", "key.pem"), 2, "unexpected argument key.pem"),
        (("serve", "--db", "made.sqlite3", "--tls", "self-signed", "key.pem"), 2, "unexpected argument key.pem"),
        (("serve", "--db", "made.sqlite3", "--tls", "cert.pem"), 2, "two files, CERT and KEY"),
        (("serve", "--db", "made.sqlite3", "--tls", "cert.pem", "key.pem"), 2, "cert.pem is not a file"),
        (("serve", "--db", "made.sqlite3", "--faults", "bad.yaml"), 1, "bad.yaml: holds no list of faults"),
        (("serve", "--db", "made.sqlite3", "--fault", "kind: bang"), 1, "fault 1: kind is 'bang'"),
        (("serve", "--db", "made.sqlite3", "--fault", "{"), 1, "{: "),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(run, tmp_path, args, status, message):
    (tmp_path / "bad.yaml").write_text("x: 1\n")
    (tmp_path / "x").mkdir()
    run("seed", "world.yaml", "--db", "made.sqlite3")
    code, output = run(*args)
    assert (code, message in output) == (status, True), output
    if status == 1:
        assert output.count("\n") == 1
    assert (tmp_path / "world.yaml").read_text() == WORLD


# cheroot leaves the socket that it could not bind to the garbage collector; the process ends right after.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_port_that_is_taken_is_said(run):
    run("seed", "world.yaml")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, output = run("serve", "--port", port)
    gc.collect()
    assert (code, f"cannot listen on 127.0.0.1:{port}" in output) == (1, True)


@pytest.mark.parametrize("missing", ["falcon", "cheroot", "trustme"])
def test_a_missing_extra_is_named(tmp_path, missing):
    script = (
        f"import sys\nsys.modules['{missing}'] = None\n"
        "from reconciler.cli.sandbox import command\ncommand(prog_name='sandbox')\n"
    )
    for name in ("seed", "serve", "reset"):
        done = subprocess.run([sys.executable, "-c", script, name], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"Error: the sandbox needs {missing}, which comes with the extra reconciler[sandbox]\n"


def test_help_loads_nothing_heavy():
    script = (
        "import sys\nfrom reconciler.cli.sandbox import command\n"
        "try: command(['serve', '--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('falcon', 'cheroot', 'yaml', 'msgspec', 'requests', 'sqlite3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.endswith("\n[]\n")


@pytest.fixture
def db(tmp_path):
    from reconciler.sandbox import world

    path = tmp_path / "sandbox.sqlite3"
    with Store(path) as store:
        world.seed(store, {"actor": "alice", "orgs": {"acme": {"members": {"alice": "owner"}}}})
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_says_how_to_be_reached_and_stops_when_told(db, number):
    server = Served(db)
    text = "\n".join(server.lines)
    assert server.url.startswith("https://127.0.0.1:")
    for part in ("reconciler  ", "curl        curl --cacert", "terraform   ", server.token, f"PIPES_HOST={server.url}"):
        assert part in text
    assert (db.parent / "sandbox-key.pem").stat().st_mode & 0o777 == 0o600
    assert server.stop(number) == 0


def test_a_signal_stops_the_server_where_python_drops_what_a_handler_raises(db):
    script = (
        "import os, signal\nfrom reconciler.cli.sandbox import command\nfrom cheroot import connections\n"
        "class Signals:\n    def __del__(self): os.kill(os.getpid(), signal.SIGTERM)\n"
        "run = connections.ConnectionManager.run\n"
        "def first(self, *args):\n"
        "    connections.ConnectionManager.run = run\n"
        "    Signals()\n"
        "    return run(self, *args)\n"
        "connections.ConnectionManager.run = first\n"
        "command(prog_name='sandbox')\n"
    )
    args = [sys.executable, "-c", script, "serve", "--db", str(db), "--port", "0"]
    done = subprocess.run(args, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "stopped\n")


def test_the_printed_curl_line_works_in_a_path_with_blanks(db):
    folder = db.parent / "two words"
    folder.mkdir()
    server = Served(db.rename(folder / db.name))
    line = next(line for line in server.lines if line.startswith("curl")).split(maxsplit=1)[1]
    done = subprocess.run(["bash", "-c", f"{line} --silent --show-error"], capture_output=True, text=True)
    server.stop()
    assert '"handle":"alice"' in done.stdout, done.stderr


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(db):
    server = Served(db)
    stranger = server.client(server.token)
    stranger.session.verify = True
    with pytest.raises(requests.exceptions.SSLError):
        stranger.send("GET", "/actor")
    assert server.client(server.token).ok("GET", "/actor")["handle"] == "alice"
    server.stop()


def test_the_certificate_stays_the_same_after_a_restart(db):
    first = Served(db)
    first.stop()
    authority = (db.parent / "sandbox-ca.pem").read_bytes()
    second = Served(db)
    assert (db.parent / "sandbox-ca.pem").read_bytes() == authority
    assert second.client(second.token).status("GET", "/actor") == 200
    second.stop()


def test_faults_come_from_a_file_and_from_options(db, tmp_path):
    (tmp_path / "faults.yaml").write_text("- {kind: status, status: 429, times: 1}\n")
    one = ["--fault", "{kind: status, status: 502, path: /actor, times: 1}", "--fault", "{kind: status, times: 1}"]
    server = Served(db, "--faults", str(tmp_path / "faults.yaml"), *one)
    assert [server.client(server.token).status("GET", "/actor") for _ in range(4)] == [429, 502, 503, 200]
    server.stop()


def test_own_certificates_and_plain_http_are_served(db, tmp_path):
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    own = Served(db, "--tls", str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"), tls=False)
    client = own.client(own.token)
    client.session.verify = str(tmp_path / "ca.pem")
    assert client.status("GET", "/actor") == 200
    own.stop()
    plain = Served(db, "--no-if-match", tls=False)
    assert plain.url.startswith("http://127.0.0.1:")
    client = plain.client(plain.token)
    assert client.status("PATCH", "/org/acme", {"url": "x"}, headers={"If-Match": "9"}) == 200
    plain.stop()
