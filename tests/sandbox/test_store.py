from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from adapter import SandboxAdapter
from reconciler.sandbox import store as store_module
from reconciler.sandbox import world
from reconciler.sandbox.app import create_app
from reconciler.sandbox.store import NotSeededError, Store, StoreError
from sandbox.test_world import without_tokens


def test_a_store_is_made_for_its_owner_only_and_found_again(tmp_path):
    path = tmp_path / "deep" / "sandbox.sqlite3"
    with Store(path) as store:
        world.seed(store, {"users": {"alice": {}}})
        token = store.default_token()
        assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    with Store.open_existing(path) as store:
        assert store.default_token() == token


def test_a_sandbox_of_before_connections_is_brought_up_to_them_with_what_is_in_it(tmp_path):
    path = tmp_path / "old.sqlite3"
    old = sqlite3.connect(path)
    old.executescript(Path(store_module.__file__).with_name(store_module.SCRIPTS[0]).read_text())
    old.execute(f"PRAGMA application_id = {store_module.APPLICATION_ID}")
    old.execute("INSERT INTO meta VALUES ('default_token', 'tpt_old')")
    old.commit()
    old.close()
    for _ in range(2):
        with Store(path) as store:
            assert store.default_token() == "tpt_old"
            with store.read() as db:
                assert db.execute("SELECT count(*) FROM connection_row").fetchone() == (0,)


def test_a_store_that_must_be_there_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"x\.sqlite3"):
        Store.open_existing(tmp_path / "x.sqlite3")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"orgs: {}\n" * 500, b"{}"])
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "notes"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="notes is not a sandbox"):
        Store(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_and_kept(tmp_path):
    path = tmp_path / "other.sqlite3"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE precious (x)")
    other.commit()
    other.close()
    with pytest.raises(StoreError, match="another program"):
        Store(path)
    assert b"precious" in path.read_bytes()


def test_an_empty_store_says_that_nothing_was_seeded():
    with Store(":memory:") as store:
        with pytest.raises(NotSeededError):
            store.default_token()
        with pytest.raises(KeyError):
            store.token_of("alice")
        assert store.accepted_owners("acme") == 0


def test_a_closed_store_says_so(tmp_path):
    store = Store(tmp_path / "s.sqlite3")
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.default_token()


def test_what_fails_in_the_middle_of_a_write_changes_nothing(sandboxes):
    store = sandboxes().store

    def half() -> None:
        with store.write() as db:
            db.execute("DELETE FROM member")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert store.accepted_owners("acme") == 1


def test_a_request_is_carried_as_it_was_sent(sandboxes):
    seen = []

    def app(environ, start_response):
        seen.append({**environ, "body": environ["wsgi.input"].read()})
        start_response("418 Teapot", [("X-Seen", "yes"), ("Content-Length", "5")])
        return [b"ab", b"cde"]

    with requests.Session() as session:
        session.mount("https://sandbox", SandboxAdapter(app))
        response = session.post("https://sandbox/a%20b/%C3%A4?q=1&q=2", data=iter([b"x", b"y"]), headers={"X-A": "1"})
        streamed = session.get("https://sandbox/", stream=True)
    assert (response.status_code, response.reason, response.content) == (418, "Teapot", b"abcde")
    assert response.headers["x-seen"] == "yes"
    assert streamed.raw.read(decode_content=True) == b"abcde"
    first = seen[0]
    assert (first["REQUEST_METHOD"], first["QUERY_STRING"], first["HTTP_X_A"]) == ("POST", "q=1&q=2", "1")
    assert first["PATH_INFO"].encode("latin-1").decode() == "/a b/ä"
    assert (first["body"], first["REMOTE_ADDR"]) == (b"xy", "127.0.0.1")


def test_ids_do_not_depend_on_the_hash_seed(tmp_path):
    script = (
        "import json, sys\nfrom reconciler.sandbox import world\nfrom reconciler.sandbox.store import Store\n"
        "store = Store(':memory:')\nworld.seed(store, world.generate(orgs=2, members=8, grants=4))\n"
        "with store.read() as db: print(json.dumps(list(db.iterdump())))\n"
    )
    dumps = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", script],
                env={**os.environ, "PYTHONHASHSEED": seed},
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for seed in ("1", "2")
    ]
    one, other = map(without_tokens, dumps)
    assert one == other


def test_a_crash_is_a_500_with_a_problem_and_its_trace_goes_to_the_log(sandboxes, capsys):
    box = sandboxes()
    with box.store.write() as db:
        db.execute("UPDATE org SET head = 'broken'")
    alice = box.client()
    assert alice.refused("PATCH", "/org/acme", {"url": "x"}) == (500, [])
    assert "Traceback" in capsys.readouterr().err


def test_the_app_over_a_closed_store_answers_503_without_a_traceback(capsys):
    store = Store(":memory:")
    world.seed(store, {"users": {"alice": {}}})
    token = store.default_token()
    app = create_app(store)
    store.close()
    with requests.Session() as session:
        session.mount("https://sandbox", SandboxAdapter(app))
        response = session.get("https://sandbox/api/v0/actor", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 503
    assert "closed" in response.json()["detail"]
    assert capsys.readouterr().err == ""
