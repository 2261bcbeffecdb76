from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from reconciler.sandbox import clock, world
from reconciler.sandbox.world import WorldError, checking, fields

if TYPE_CHECKING:
    from reconciler.sandbox.store import Store

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sandbox.md"
DOCUMENTED = re.search(r"```yaml\n(actor:.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def dump(store: Store) -> list[str]:
    with store.read() as db:
        return list(db.iterdump())


def without_tokens(lines: list[str]) -> list[str]:
    """A dump without the values of tokens, which nobody can foresee, and their last four characters."""
    return [re.sub(r'tpt_[0-9a-v]{40}|"last4":"[0-9a-v]{4}"', "", line) for line in lines]


def keys(value: object) -> set[str]:
    """Every key of a world, wherever it is. Names of users, orgs and so on are among them."""
    if isinstance(value, dict):
        return {str(key) for key in value}.union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


def test_the_documented_world_has_every_key_and_says_what_it_promises(sandboxes):
    assert DOCUMENTED is not None
    content = yaml.safe_load(DOCUMENTED[1])
    known = set().union(
        *(
            value
            for name, value in {**vars(checking), **vars(fields)}.items()
            if name.isupper() and isinstance(value, set)
        )
    )
    assert known - keys(content) == {"org_limit", "handle", "state"}
    box = sandboxes(content)
    alice = box.client()
    assert box.store.default_token() == "tpt_example_0000000000"
    acme = alice.ok("GET", "/org/acme")
    assert acme["token_min_issued_at"] == "2026-01-01T00:00:00Z"
    assert alice.handles("/org/acme/member") == [
        ("alice", "owner", "org"),
        ("carol", "member", "org"),
        ("dave", "member", "org"),
        ("sa-ci", "owner", "org"),
    ]
    ci = alice.ok("GET", "/org/acme/member/sa-ci")["user"]
    assert (ci["type"], ci["title"], ci["identity_id"]) == ("service_account", "CI pipelines", acme["id"])
    dave = alice.ok("GET", "/org/acme/member/dave")
    assert (dave["created_at"], dave["last_activity_at"]) == ("2026-10-01T00:00:00Z", "2026-11-20T08:00:00Z")
    prod, scratch = (alice.ok("GET", f"/org/acme/workspace/{name}") for name in ("prod", "scratch"))
    assert (prod["search_path_prefix"], prod["db_volume_size_bytes"]) == (["aws"], 21474836480)
    assert (scratch["state"], scratch["desired_state"]) == ("disabled", "enabled")
    assert "inactivity" in scratch["state_reason"]
    [entry] = alice.all("/org/acme/audit_log")
    assert (entry["created_at"], entry["actor_ip"]) == ("2026-11-01T10:00:00Z", "192.0.2.1")
    assert entry["target_id"] == alice.ok("GET", "/identity/carol")["id"]
    assert alice.all("/org/acme/workspace/prod/audit_log") == [entry]
    schemas = {row["name"]: row["state"] for row in alice.all("/org/acme/workspace/prod/schema")}
    assert schemas == {"aws_prod": "direct", "Cloud accounts": "direct"}
    own = alice.all("/org/acme/workspace/prod/connection")[0]["connection"]
    assert (own["handle"], [item["title"] for item in own["trunk"]]) == ("local", ["Experiments"])
    aws = alice.ok("GET", "/org/acme/connection/aws_prod")
    assert (aws["config"], [item["title"] for item in aws["trunk"]]) == (
        {"regions": ["us-east-1"]},
        ["Cloud accounts", "EMEA"],
    )
    assert alice.ok("POST", "/org/acme/connection/aws_prod/test", {"plugin": "aws"})["status"] == "error"
    tokens = alice.all("/org/acme/service_account/sa-ci/token")
    assert [(token["title"], token.get("expires_at")) for token in tokens] == [("nightly", "2027-03-01T00:00:00Z")]
    assert alice.status("GET", "/org/acme/workspace/prod/member/carol") == 200


@pytest.mark.parametrize(
    ("org", "what"),
    [
        ({"connections": {"aws": {}}}, "connections.aws: plugin is missing"),
        ({"connections": {"aws-1": {"plugin": "aws"}}}, "aws-1"),
        ({"connections": {"aws": {"plugin": "aws", "shape": 1}}}, "unknown key 'shape'"),
        ({"connections": {"aws": {"plugin": "aws", "folder": "x"}}}, "'x' is not among the connection_folders"),
        ({"connections": {"aws": {"plugin": "aws", "permitted": ["x"]}}}, "no workspace 'x'"),
        ({"connection_folders": {"a": {"folder": "b"}, "b": {"folder": "a"}}}, "a: is inside itself"),
        ({"workspaces": {"prod": {"attached": ["x"]}}}, "prod.attached: 'x' is not one of"),
        ({"workspaces": {"prod": {"connections": {"x": {}}}}}, "prod.connections.x: plugin is missing"),
    ],
)
def test_what_is_wrong_with_a_worlds_connections_is_told(org, what):
    with pytest.raises(WorldError, match=what):
        world.check({"orgs": {"acme": {"members": {"alice": "owner"}, **org}}})


def test_the_same_world_and_the_same_writes_give_the_same_store(sandboxes):
    def written():
        box = sandboxes()
        alice = box.client()
        alice.ok("POST", "/org/acme/member/invite", {"email": "dan@example.com", "role": "member"})
        alice.ok("POST", "/org/acme/workspace", {"handle": "dev"})
        return without_tokens(dump(box.store))

    assert written() == written()


def test_another_seed_gives_other_ids(sandboxes):
    one, other = (sandboxes({"seed": seed, "users": {"alice": {}}}) for seed in ("one", "other"))
    assert one.client().ok("GET", "/actor")["id"] != other.client().ok("GET", "/actor")["id"]


def test_a_token_that_the_world_does_not_give_cannot_be_guessed(sandboxes):
    made = {sandboxes({"seed": "demo", "users": {"alice": {}}}).store.default_token() for _ in range(3)}
    assert len(made) == 3
    assert all(re.fullmatch("tpt_[0-9a-v]{40}", token) for token in made)


def test_a_fixed_clock_moves_a_second_with_every_write(sandboxes):
    alice = sandboxes().client()
    times = []
    for number in range(3):
        times.append(alice.ok("PATCH", "/org/acme", {"url": str(number)})["updated_at"])
        alice.ok("GET", "/org/acme")
    assert times == [f"2026-11-24T09:00:0{second}Z" for second in (1, 2, 3)]


def test_without_a_fixed_clock_it_is_now(sandboxes, monkeypatch):
    alice = sandboxes({"orgs": {"acme": {"members": {"alice": "owner"}}}}).client()
    monkeypatch.setattr(clock, "now", lambda: datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC))
    assert alice.ok("PATCH", "/org/acme", {"url": "x"})["updated_at"] == "2028-02-29T23:59:59Z"


def test_a_clock_can_be_handed_over(sandboxes):
    alice = sandboxes(clock=lambda: datetime(2030, 1, 1, tzinfo=UTC)).client()
    assert alice.ok("PATCH", "/org/acme", {"url": "x"})["updated_at"] == "2030-01-01T00:00:00Z"


def test_seeding_replaces_all_that_was_there(sandboxes):
    box = sandboxes()
    box.client().ok("POST", "/org", {"handle": "oak"})
    world.seed(box.store, {"users": {"zoe": {}}})
    zoe = box.client()
    assert [row["handle"] for row in zoe.all("/identity")] == ["zoe"]


def test_a_world_that_cannot_be_read_leaves_the_store_alone(sandboxes):
    box = sandboxes()
    before = dump(box.store)
    with pytest.raises(WorldError):
        world.seed(box.store, {"orgs": {"Acme": {}}})
    assert dump(box.store) == before


def test_an_unknown_role_is_shown_as_it_is(sandboxes):
    box = sandboxes(
        {"orgs": {"acme": {"members": {"alice": "owner"}, "workspaces": {"p": {"members": {"alice": 'od"d'}}}}}}
    )
    assert box.client().ok("GET", "/org/acme/workspace/p/member/alice")["role"] == 'od"d'
    assert box.client().status("GET", "/actor/workspace") == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "the world is [], not a mapping"),
        ("a: [", "line 1: expected the node content"),
        ("orgz: {}", "unknown key 'orgz'"),
        ("orgs: {acme: {members: {alice: king}}}", "orgs.acme.members.alice: the role is 'king', not owner or member"),
        ("orgs: {acme: {members: [alice]}}", "orgs.acme.members is ['alice'], not a mapping"),
        ("orgs: {acme: {members: {1: owner}}}", "orgs.acme.members.1: the handle 1 is not a text; quote it"),
        ("orgs: {acme: {members: {no: owner}}}", "the handle False is not a text; quote it"),
        ("orgs: {acme: {colour: red}}", "orgs.acme: unknown key 'colour'"),
        ("orgs: {acme: {tenant: other}}", "orgs.acme.tenant: 'other' is neither"),
        ("orgs: {Acme: {}}", "orgs.Acme: 'Acme' is not a handle"),
        ("{users: {acme: {}}, orgs: {acme: {}}}", "orgs.acme: a user has this handle"),
        ("orgs: {acme: {members: {oak: owner}}, oak: {}}", "orgs.oak: a user has this handle"),
        ("orgs: {acme: {workspaces: {a-b: {}}}}", "orgs.acme.workspaces.a-b: 'a-b' is not a handle"),
        ("orgs: {acme: {workspaces: {prod: {members: {bob: reader}}}}}", "members.bob: is not a member of acme"),
        ("orgs: {acme: {audit_log: [{}]}}", "orgs.acme.audit_log[1]: action_type is missing"),
        ("orgs: {acme: {audit_log: [{action_type: x, workspace: w}]}}", "acme has no workspace 'w'"),
        ("{actor: bob, users: {alice: {}}}", "actor: 'bob' is not among"),
        ("{users: {alice: {}}, tokens: [{user: bob, token: t}]}", "tokens[1]: 'bob' is not among"),
        ("{users: {alice: {}}, tokens: [{user: alice, token: 'a b'}]}", "tokens[1]: token is 'a b'"),
        ("{users: {alice: {email: e@x.y}, bob: {email: E@x.y}}}", "E@x.y is the address of alice too"),
        ("now: soon", "now: 'soon' is not an ISO 8601 time"),
        ("orgs: {acme: {service_accounts: {ci: {colour: red}}}}", "acme.service_accounts.ci: unknown key 'colour'"),
        (
            "orgs: {acme: {members: {ci: owner}, service_accounts: {ci: {}}}}",
            "ci: its role, owner or member, belongs here",
        ),
        ("{tenant: {handle: t}, orgs: {acme: {service_accounts: {ci: {}}}}}", "ci: acme is in a custom tenant"),
        ("orgs: {acme: {members: {a: {role: owner, last_activity_at: x}}}}", "a.last_activity_at: 'x' is not an ISO"),
        ("orgs: {acme: {connection_folders: {1: {}}}}", "connection_folders.1: the title 1 is not a text"),
        ("tenant: acme-tenant", "write {handle: acme-tenant"),
    ],
)
def test_what_is_wrong_with_a_world_is_said_with_its_file_and_place(tmp_path, text, message):
    file = tmp_path / "world.yaml"
    file.write_text(text)
    with pytest.raises(WorldError) as caught:
        world.load(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_world_is_said(tmp_path):
    with pytest.raises(WorldError, match=r"nowhere\.yaml"):
        world.load(tmp_path / "nowhere.yaml")


def test_a_made_world_has_the_size_that_was_asked_for(sandboxes):
    made = world.generate(orgs=3, members=20, workspaces=2, grants=7, seed=4)
    assert made == world.generate(orgs=3, members=20, workspaces=2, grants=7, seed=4)
    assert made != world.generate(orgs=3, members=20, workspaces=2, grants=7, seed=5)
    box = sandboxes(made)
    admin = box.client()
    orgs = [row["org"]["handle"] for row in admin.all("/actor/org")]
    assert len(orgs) == 3
    for org in orgs:
        assert len(admin.all(f"/org/{org}/member")) == 20
        assert box.store.accepted_owners(org) == 2
        for workspace in admin.all(f"/org/{org}/workspace"):
            scopes = [scope for _, _, scope in admin.handles(f"/org/{org}/workspace/{workspace['handle']}/member")]
            assert scopes == ["workspace"] * 7 + ["org"] * 2
        assert len(admin.all(f"/org/{org}/workspace")) == 2


@pytest.mark.parametrize(
    "size", [{"orgs": 0, "members": 1}, {"orgs": 1, "members": 1}, {"orgs": 1, "members": 2, "workspaces": 12}]
)
def test_even_the_smallest_world_can_be_made(sandboxes, size):
    assert sandboxes(world.generate(**size)).client().ok("GET", "/actor")["handle"] == "admin"


def test_the_modules_of_the_sandbox_import_nothing_of_the_rest():
    package = Path(world.__file__).parent
    found = {
        f"{path.name}: {match}"
        for path in package.rglob("*.py")
        for match in re.findall(r"(?:from|import) (reconciler[\w.]*)", path.read_text(encoding="utf-8"))
        if not match.startswith("reconciler.sandbox")
    }
    assert found == set()


def test_who_let_a_member_in_and_when_can_be_said(sandboxes):
    members = {
        "alice": "owner",
        "bob": "owner",
        "carol": {"role": "member", "by": "bob", "since": "2026-10-01T00:00:00Z"},
    }
    box = sandboxes({"actor": "alice", "orgs": {"acme": {"members": members}}})
    row = box.client().ok("GET", "/org/acme/member/carol")
    bob = box.client().ok("GET", "/identity/bob")["id"]
    assert (row["created_by_id"], row["created_at"]) == (bob, "2026-10-01T00:00:00Z")


@pytest.mark.parametrize(
    ("member", "what"),
    [
        ({"role": "member", "by": "nobody"}, "bob.by: 'nobody' is not among the users"),
        ({"role": "member", "since": "soon"}, "bob.since: 'soon' is not an ISO 8601 time"),
    ],
)
def test_a_member_let_in_by_nobody_or_at_no_time_is_told(member, what):
    with pytest.raises(WorldError, match=what):
        world.check({"orgs": {"acme": {"members": {"alice": "owner", "bob": member}}}})
