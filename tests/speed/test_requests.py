"""How many requests a plan that finds nothing to do sends: counts, which a busy machine cannot change."""

import json
from math import ceil

import pytest

from reconciler import cli
from reconciler.cli.manifests import narrow
from reconciler.manifest import load_texts
from reconciler.pipes.carrier import Received
from reconciler.pipes.client import Client, Observers
from reconciler.pipes.reading import snapshot
from reconciler.pipes.settings import Settings
from reconciler.plan import make_plan
from reconciler.plan.shard import of_desired
from reconciler.sandbox.store import Store
from reconciler.sandbox.world import generate, seed
from stopped.sitecustomize import DAY


def manifest(world):
    lines = ["version: 1", "orgs:"]
    for handle, org in world["orgs"].items():
        lines += [f"  {handle}:", "    members:", *(f"      {who}: {role}" for who, role in org["members"].items())]
        for place, (name, space) in enumerate(org["workspaces"].items()):
            lines += [*([] if place else ["    workspaces:"]), f"      {name}:", "        members:"]
            lines += [f"          {who}: {role}" for who, role in space["members"].items()]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("orgs", "members", "workspaces", "grants"),
    [(1, 100, 1, 30), (2, 101, 2, 30), (101, 3, 1, 1), (1, 250, 3, 120), (3, 100, 0, 0), (1, 120, 101, 1)],
)
def test_a_plan_that_finds_nothing_to_do_sends_no_more_gets_than_the_pages_it_needs(
    tmp_path, orgs, members, workspaces, grants
):
    world = generate(orgs=orgs, members=members, workspaces=workspaces, grants=grants)
    path = tmp_path / "pipes.db"
    with Store(path) as store:
        seed(store, world)
        token = store.default_token()
    seen = []
    settings = Settings("http://sandbox.invalid/api/v0", token, path)

    def note(method, target, _status, _seconds):
        seen.append(f"{method} {target}")

    with Client(settings, read_only=True, observers=Observers(request=note)) as client:
        desired = load_texts({"orgs.yaml": manifest(world)}, today=DAY)
        plan = make_plan(desired, snapshot(client, desired, {}))
    assert (plan.changes, plan.refusals, plan.errors) == ((), (), ())
    managed = sum(bool(space["members"]) for org in world["orgs"].values() for space in org["workspaces"].values())
    expected = 1 + ceil(orgs / 100) + orgs * ceil(members / 100) + orgs * ceil(workspaces / 100)
    expected += managed * ceil(grants / 100)
    assert len(seen) <= expected
    assert all(line.startswith("GET ") for line in seen)


@pytest.mark.parametrize(("options", "more"), [((), 1), (("--expiring", "0d"), 0)])
def test_the_command_asks_once_more_when_the_token_ends(tmp_path, monkeypatch, capsys, options, more):
    world = generate(orgs=2, members=101, workspaces=2, grants=5)
    with Store(tmp_path / "pipes.db") as store:
        seed(store, world)
    (tmp_path / "orgs.yaml").write_bytes(manifest(world))
    monkeypatch.chdir(tmp_path)
    assert cli.run(["plan", "--host", "sandbox:pipes.db", "-v", *options]) == 0
    sent = [line for line in capsys.readouterr().err.splitlines() if line.startswith("GET ")]
    assert len(sent) == 1 + more + 1 + 2 * 2 + 2 * 1 + 2 * 2  # as docs/performance.md has it


ORGS, MEMBERS = 30, 20


@pytest.fixture
def estate(tmp_path):
    """A world of several orgs, and a client's settings for it."""
    world = generate(orgs=ORGS, members=MEMBERS, workspaces=2, grants=5)
    path = tmp_path / "pipes.db"
    with Store(path) as store:
        seed(store, world)
        token = store.default_token()
    return load_texts({"orgs.yaml": manifest(world)}, today=DAY), Settings("http://sandbox.invalid/api/v0", token, path)


def test_a_shard_reads_its_own_orgs_alone_and_all_shards_together_read_each_once(estate):
    desired, settings = estate
    seen = []
    for number in (1, 2, 3):
        with Client(
            settings, read_only=True, observers=Observers(request=lambda _m, path, _s, _t: seen.append(path))
        ) as client:
            own = narrow(desired, of_desired(desired, {}, number, 3)[0])
            snapshot(client, own, {})
    below = [path for path in seen if path.startswith("/org/")]
    assert len(below) == len(set(below)) == ORGS * 4  # two lists of its own, and one below each of two workspaces
    assert sorted(set(seen) - set(below)) == ["/actor", "/actor/org"]


@pytest.mark.parametrize(("stating", "more"), [(0, 0), (1, 2), (7, 8)])
def test_connections_of_workspaces_are_read_where_they_are_stated_and_the_orgs_once_beside_them(
    tmp_path, stating, more
):
    spaces = {f"ws{number}": {"connections": {"own": {"plugin": "net"}}} for number in range(10)}
    world = {"actor": "alice", "users": {"alice": {}}, "orgs": {"acme": {
        "members": {"alice": "owner"}, "workspaces": spaces,
        "connections": {f"shared{number}": {"plugin": "net"} for number in range(60)},
    }}}  # fmt: skip
    path = tmp_path / "pipes.db"
    with Store(path) as store:
        seed(store, world)
        token = store.default_token()
    wanted = {name: space if number < stating else {} for number, (name, space) in enumerate(spaces.items())}
    text = json.dumps({"version": 1, "orgs": {"acme": {"workspaces": wanted}}}).encode()
    desired = load_texts({"orgs.yaml": text}, today=DAY)
    seen = []
    settings = Settings("http://sandbox.invalid/api/v0", token, path)
    with Client(
        settings, read_only=True, observers=Observers(request=lambda _m, target, _s, _t: seen.append(target))
    ) as client:
        plan = make_plan(desired, snapshot(client, desired, {}))
    assert (plan.changes, plan.refusals, plan.errors) == ((), (), ())
    assert len(seen) == len(["/actor", "/actor/org", "/org/acme/workspace"]) + more


LINKS = ["/org/acme/connection"]
TREE = [*LINKS, "/org/acme/connection_folder"]
IN = {f"link{number}": {"folder": "f1"} for number in range(30)}


@pytest.mark.parametrize(
    ("said", "more"),
    [
        pytest.param({"connections": {"link0": {"plugin": "net"}}}, LINKS, id="nothing of folders"),
        pytest.param({"connection_folders": {"f0": {}}}, TREE[1:], id="folders alone"),
        pytest.param({"connection_folders": {"f0": {}, "f1": {"folder": "f0"}}, "connections": IN}, TREE, id="all in sync"),
        pytest.param({"connections": {"link0": {"folder": None}}}, [*TREE, "f0", "f1", "link0", "link0"], id="one moves out"),
        pytest.param({"connection_folders": {"f0": {"workspaces": []}}}, [*TREE[1:], "f0", "workspace"], id="who may use one"),
        pytest.param({"connection_folders": {"empty": {"absent": True, "title": "empty"}}}, TREE, id="one is to go"),
    ],
)  # fmt: skip
def test_folders_are_read_where_something_is_said_of_them_and_who_may_use_them_where_something_moves(
    tmp_path, said, more
):
    world = {"actor": "alice", "users": {"alice": {}}, "orgs": {"acme": {
        "members": {"alice": "owner"},
        "connection_folders": {"f0": {}, "f1": {"folder": "f0"}, "empty": {}, **{f"g{number}": {} for number in range(50)}},
        "connections": {name: {"plugin": "net", **place} for name, place in IN.items()},
    }}}  # fmt: skip
    path = tmp_path / "pipes.db"
    with Store(path) as store:
        seed(store, world)
        token = store.default_token()
    desired = load_texts({"orgs.yaml": json.dumps({"version": 1, "orgs": {"acme": said}}).encode()}, today=DAY)
    seen = []
    settings = Settings("http://sandbox.invalid/api/v0", token, path)
    with Client(
        settings, read_only=True, observers=Observers(request=lambda _m, target, _s, _t: seen.append(target))
    ) as client:
        plan = make_plan(desired, snapshot(client, desired, {}))
    assert (plan.refusals, plan.errors) == ((), ())
    assert len(seen) == len(["/actor", "/actor/org"]) + len(more), seen
    assert set(TREE) & {target.partition("?")[0] for target in seen} == set(TREE) & set(more)


class Body(bytes):
    """A page as it came, counted while anybody holds it."""

    living = most = 0

    def __new__(cls, content):
        cls.living += 1
        cls.most = max(cls.most, cls.living)
        return super().__new__(cls, content)

    def __del__(self):
        Body.living -= 1


def test_no_more_raw_pages_are_held_than_requests_run_side_by_side(estate):
    desired, settings = estate
    Body.living = Body.most = 0
    with Client(settings, read_only=True, parallelism=4) as client:
        send = client.carrier.send

        def counted(outgoing, url):
            received = send(outgoing, url)
            return Received(received.status, received.headers, Body(received.content))

        client.carrier.send = counted
        live = snapshot(client, desired, {})
    assert len(live.orgs) == ORGS
    assert 0 < Body.most <= 4
    assert Body.living == 0


def test_an_org_that_manages_service_accounts_costs_one_list_more(tmp_path):
    world = generate(orgs=3, members=20, workspaces=1, grants=5)
    path = tmp_path / "pipes.db"
    for org in world["orgs"].values():
        org["service_accounts"] = {}
    world["orgs"][next(iter(world["orgs"]))]["service_accounts"] = {"sa-1": {"title": "CI"}, "sa-2": {"title": "Two"}}
    with Store(path) as store:
        seed(store, world)
        token = store.default_token()
    first = next(iter(world["orgs"]))
    text = manifest(world).decode()
    with_accounts = text.replace(
        f"  {first}:\n", f"  {first}:\n    service_accounts: {{ci: {{title: CI}}, two: {{title: Two}}}}\n"
    )
    counts = []
    for one in (text, with_accounts):
        seen = []
        settings = Settings("http://sandbox.invalid/api/v0", token, path)
        observers = Observers(request=lambda _m, target, _s, _t, seen=seen: seen.append(target))
        with Client(settings, read_only=True, observers=observers) as client:
            desired = load_texts({"orgs.yaml": one.encode()}, today=DAY)
            plan = make_plan(desired, snapshot(client, desired, {}))
        assert (plan.changes, plan.refusals, plan.errors) == ((), (), ())
        counts.append(len(seen))
    assert counts[1] == counts[0] + 1


def test_the_pages_of_a_long_list_do_not_wait_behind_other_lists(tmp_path):
    """Pages come one after the other: a long list that waited its turn for each would be read when all else has been."""
    world = generate(orgs=110, members=3, workspaces=1, grants=1)
    long = next(iter(world["orgs"]))
    for number in range(450):
        world["users"][f"one-{number}"] = {}
        world["orgs"][long]["members"][f"one-{number}"] = "member"
    path = tmp_path / "pipes.db"
    with Store(path) as store:
        seed(store, world)
        token = store.default_token()
    seen = []
    settings = Settings("http://sandbox.invalid/api/v0", token, path)
    observers = Observers(request=lambda _method, target, _status, _seconds: seen.append(target))
    with Client(settings, read_only=True, parallelism=1, observers=observers) as client:
        snapshot(client, load_texts({"orgs.yaml": manifest(world)}, today=DAY), {})
    assert seen[:3] == ["/actor", "/actor/org", "/actor/org"]
    first = seen.index(f"/org/{long}/member")
    assert seen[first : first + 5] == [f"/org/{long}/member"] * 5
