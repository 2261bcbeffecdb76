"""Two applies at once, and a Pipes that asks to slow down."""

from __future__ import annotations

import re
import shutil
import threading
from contextlib import contextmanager

import pytest

from e2e.bench import Bench
from reconciler.sandbox import app as sandbox_app
from reconciler.sandbox.faults import Faults
from reconciler.sandbox.serve import make_server, url
from reconciler.sandbox.store import Store

WORLD = {
    "users": {f"n{number}": {} for number in range(20)},
    "orgs": {
        "acme": {
            "members": {"alice": "owner", "ann": "owner", "bob": "owner", **{f"m{n}": "member" for n in range(6)}},
            "workspaces": {"prod": {"members": {f"m{n}": "reader" for n in range(6)}}},
        }
    },
}


def other(bench: Bench, name: str) -> Bench:
    """Another folder with its own manifests and journal, as on another machine, before the same Pipes."""
    folder = bench.folder / name
    folder.mkdir()
    twin = Bench(folder, bench._capture)
    twin.db, twin.host, twin.environ = bench.db, bench.host, dict(bench.environ)
    return twin


@contextmanager
def counted(bench: Bench):
    """Serve the sandbox, and count acme's accepted owners after every request."""
    store = Store.open_existing(bench.db)
    counts: list[int] = []
    faults = Faults([{"kind": "latency", "ms": 15}])
    app = sandbox_app.create_app(store, faults, observer=lambda *_: counts.append(store.accepted_owners("acme")))
    server = make_server(app, "127.0.0.1", 0, None)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield url(server), counts
    finally:
        server.stop()
        thread.join()
        store.close()


@pytest.mark.parametrize("round_", range(6))
def test_two_applies_that_each_take_an_owner_whom_the_other_relies_on_do_not_both_succeed(bench, round_):
    """Two owners must stay of three: one apply removes ann, the other demotes bob; each plan was fine when reviewed."""
    members = {"alice": "owner", "ann": "owner", "bob": "owner", **{f"m{n}": "member" for n in range(6)}}
    bench.pipes({"orgs": {"acme": {"members": members}}})
    floor = "safeguards: {min_owners: 2}\n"
    rest = ", ".join(f"m{n}: member" for n in range(6))
    one, two = other(bench, "one"), other(bench, "two")
    one.manifest(f"{floor}orgs: {{acme: {{members: {{alice: owner, bob: owner, ann: {{absent: true}}, {rest}}}}}}}")
    two.manifest(f"{floor}orgs: {{acme: {{members: {{alice: owner, ann: owner, bob: member, {rest}}}}}}}")
    for twin in (one, two):
        saved = twin.spawn("plan", "-o", "plan.json", "--host", f"sandbox:{bench.db}")
        assert saved.status == 0, saved.err
    with counted(bench) as (host, counts):
        processes = [twin.start("apply", "plan.json", "--host", host) for twin in (one, two)]
        ended = [process.communicate(timeout=120) for process in processes]
    told = "".join(out + err for out, err in ended)
    assert min(counts) >= 2, told
    assert sorted(process.returncode for process in processes) != [0, 0], told
    assert "owner-floor" in told or "stale-plan" in told or "somebody else" in told, told


def test_two_applies_of_different_manifests_lose_no_update(bench):
    bench.pipes(WORLD)
    one, two = other(bench, "one"), other(bench, "two")
    stay = "alice: owner, ann: owner, bob: owner, " + ", ".join(f"m{n}: member" for n in range(6))
    invited = ", ".join(f"n{n}: member" for n in range(20))
    one.manifest(f"orgs: {{acme: {{display_name: One, members: {{{stay}, {invited}}}}}}}")
    two.manifest(
        "orgs: {acme: {usage_user_threshold: 9, workspaces: {prod: {members: {m0: operator, m1: owner, m2: reader, m3: reader}}}}}"
    )
    with bench.served({"kind": "latency", "ms": 5}):
        processes = [twin.start("apply", "--auto-approve", "--allow", "mass-removal=org.acme", "--host", bench.host)
                     if twin is two else twin.start("apply", "--auto-approve", "--host", bench.host)
                     for twin in (one, two)]  # fmt: skip
        ended = [process.communicate(timeout=120) for process in processes]
    # whichever came second at the org itself has stopped there and says so; running both again finishes both
    for twin, process, (out, err) in zip((one, two), processes, ended, strict=True):
        assert process.returncode in (0, 1, 5), (out, err)
        if process.returncode:
            assert "somebody else" in out + err
        shutil.rmtree(twin.folder / ".reconciler", ignore_errors=True)
        ran = twin.run("apply", "--auto-approve", "--host", f"sandbox:{bench.db}", str(twin.folder / "orgs.yaml"))
        assert ran.status == 0, ran.out + ran.err
    org = bench.client().ok("GET", "/org/acme")
    assert (org["display_name"], org["usage_user_threshold"]) == ("One", 9)
    assert bench.grants("acme", "prod") == {"m0": "operator", "m1": "owner", "m2": "reader", "m3": "reader"}
    assert {f"n{n}" for n in range(20)} <= bench.members("acme").keys()


def test_an_apply_waits_as_it_is_told_where_every_third_request_is_answered_429(bench):
    bench.pipes({**WORLD, "orgs": {"acme": {"members": {"alice": "owner"}}}})
    bench.manifest(f"orgs: {{acme: {{members: {{alice: owner, {', '.join(f'n{n}: member' for n in range(20))}}}}}}}")
    every_third = [{"kind": "status", "status": 429, "retry_after": 1, "after": 3 * n, "times": 1} for n in range(1, 6)]
    with bench.served(*every_third):
        ran = bench.run("apply", "--auto-approve", "-v", "--host", bench.host)
    assert ran.status == 0
    assert len(bench.members("acme")) == 21
    assert len(re.findall(r" 429 ", ran.err)) == len(every_third)
    assert len(re.findall(r"all requests wait 1 s, as Pipes asks", ran.err)) == len(every_third), ran.err
