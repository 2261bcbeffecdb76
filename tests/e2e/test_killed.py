"""kill -9 at each request of an apply of more than sixty steps: wherever it dies, the next one finishes the job."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import Any

import pytest

from reconciler.sandbox import app as sandbox_app
from reconciler.sandbox.serve import make_server, url
from reconciler.sandbox.store import Store

NEW = [f"n{number:02}" for number in range(16)]
OLD = [f"o{number:02}" for number in range(12)]
# whom bob let in is nobody that this token invited by email
WORLD = {
    "users": {name: {} for name in NEW},
    "orgs": {
        "acme-inc": {
            "display_name": "Before",
            "members": {
                "alice": "owner",
                "bob": "owner",
                "carl": "member",
                **{name: {"role": "member", "by": "bob"} for name in OLD},
            },
            "workspaces": {
                "prod": {"members": dict.fromkeys(OLD, "reader")},
                "scratch": {"members": {"carl": "reader"}},
            },
        }
    },
}
MANIFEST = f"""
version: 1
safeguards: {{max_removals: {{count: 50, percent: 100}}}}
people: {{mail: {{email: mail@example.com}}}}
orgs:
  acme:
    renamed_from: acme-inc
    display_name: After
    usage_user_threshold: 7
    members:
      alice: owner
      carl: owner
      bob: member
      mail: member
      {"".join(f"{name}: member" + chr(10) + "      " for name in NEW)}
    workspaces:
      prod:
        search_path_prefix: [aws]
        members: {{mail: operator, bob: reader, {", ".join(f"{name}: reader" for name in NEW)}}}
      dev:
        search_path_prefix: [gcp]
        members: {{mail: reader, {", ".join(f"{name}: operator" for name in NEW[:4])}}}
      scratch: {{absent: true}}
"""
WRITES = 70  # a little more than it sends; the points beyond the last are found out below
CHUNKS = 8


class Killer:
    """Ends a process at the n-th write that reaches the server, before or after it took effect."""

    def __init__(self, app: Any, at: int, *, after: bool) -> None:
        self.app, self.left, self.after = app, at, after
        self.pid = 0
        self.mutex = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        with self.mutex:
            self.left -= environ["REQUEST_METHOD"] != "GET"
            its_turn = self.left == 0 and environ["REQUEST_METHOD"] != "GET"
        if its_turn and not self.after:
            return self._kill(start_response)
        answer = list(self.app(environ, start_response))
        if its_turn:
            os.kill(self.pid, signal.SIGKILL)
        return answer

    def _kill(self, start_response: Any) -> list[bytes]:
        os.kill(self.pid, signal.SIGKILL)
        start_response("503 Service Unavailable", [("Content-Length", "0")])
        return [b""]


@contextmanager
def deadly(bench: Any, at: int, *, after: bool):
    store = Store.open_existing(bench.db)
    killer = Killer(sandbox_app.create_app(store), at, after=after)
    server = make_server(killer, "127.0.0.1", 0, None)
    server.error_log = lambda *_, **__: None  # whoever is killed hangs up
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield killer, url(server)
    finally:
        server.stop()
        thread.join()
        store.close()


def points(chunk: int) -> list[tuple[int, bool]]:
    return [(at, after) for at in range(1, WRITES + 1) for after in (False, True)][chunk::CHUNKS]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_wherever_an_apply_is_killed_the_next_one_finishes(bench, chunk):
    bench.manifest(MANIFEST)
    killed = 0
    for at, after in points(chunk):
        bench.pipes(WORLD)
        for name in ("reconciler.lock.json", ".reconciler/journal.jsonl"):
            (bench.folder / name).unlink(missing_ok=True)
        with deadly(bench, at, after=after) as (killer, host):
            process = bench.start("apply", "--auto-approve", "--host", host)
            killer.pid = process.pid
            process.communicate(timeout=120)
        if process.returncode == 0:
            assert at > 60, f"it was to be killed at write {at}"
            continue
        assert process.returncode == -signal.SIGKILL
        killed += 1
        where = f"killed {'after' if after else 'before'} write {at}"
        ran = bench.apply()
        assert ran.status == 0, f"{where}: {ran.out}{ran.err}"
        assert bench.plan("--detailed-exitcode").status == 0, where
        assert bench.members("acme") == {
            "alice": "owner", "carl": "owner", "bob": "member", "mail": "member?", **dict.fromkeys(NEW, "member?"),
        }, where  # fmt: skip
        made = [
            e["target_id"] for e in bench.client().all("/org/acme/audit_log") if e["action_type"] == "org_member.invite"
        ]
        assert len(made) == len(set(made)) == 1 + len(NEW), where
    assert killed >= 60 * 2 // CHUNKS
