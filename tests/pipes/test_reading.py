import threading
from datetime import UTC, datetime

import msgspec
import pytest

from reconciler.kinds import KINDS
from reconciler.kinds.kind import Place
from reconciler.model.desired import Desired, Node, Person, Rules
from reconciler.model.diagnostic import Source
from reconciler.model.errors import PipesError
from reconciler.model.live import Identity, LockEntry
from reconciler.model.request import Request
from reconciler.pipes.client import Client
from reconciler.pipes.errors import NotAuthorisedError, StatusError
from reconciler.pipes.reading import read_again, snapshot
from reconciler.pipes.settings import Settings
from stopped.sitecustomize import DAY, MOMENT

HERE = Source("orgs.yaml", 1)
STARTED = MOMENT.strftime("%Y-%m-%dT%H:%M:%SZ")


def org(name, *, members=None, workspaces=None, **more):
    """A wanted org: `members` are names, `workspaces` maps handles to grant names (None: no such section)."""
    children = {}
    if members is not None:
        children["member"] = {m: Node("member", m, {"role": "member"}, HERE) for m in members}
    if workspaces is not None:
        children["workspace"] = {w: workspace(w, grants) for w, grants in workspaces.items()}
    return Node("org", name, more.pop("attrs", {}), HERE, children=children, **more)


def workspace(name, grants=None, **more):
    if isinstance(grants, Node):
        return grants
    found = {} if grants is None else {"grant": {g: Node("grant", g, {"role": "reader"}, HERE) for g in grants}}
    return Node("workspace", name, {}, HERE, children=found, **more)


def connected(name, *own):
    """A wanted workspace with a section of connections of its own."""
    section = {one: Node("workspace_connection", one, {"plugin": "p"}, HERE) for one in own}
    return Node("workspace", name, {}, HERE, children={"workspace_connection": section})


def desired(*orgs, people=()):
    return Desired({o.name: o for o in orgs}, {p.name: p for p in people}, Rules(), DAY)


def live(members=("bob",), workspaces=None, **more):
    return {
        "members": {"alice": "owner", **dict.fromkeys(members, "member")},
        "workspaces": {w: {"members": dict.fromkeys(grants, "reader")} for w, grants in (workspaces or {}).items()},
        **more,
    }


def world(**orgs):
    return {"actor": "alice", "orgs": orgs}


def below(found, prefix="GET /org/"):
    return sorted(line for line in found.seen if line.startswith(prefix))


# -- what is read, and what is not


def test_a_plan_that_finds_nothing_to_do_sends_the_gets_of_the_table(sandbox):
    orgs = 101
    members = [f"m{n}" for n in range(99)]
    grants = members[:30]
    found = sandbox(world(**{f"org{n}": live(members, {"a": grants, "b": grants, "c": grants}) for n in range(orgs)}))
    wanted = [
        org(f"org{n}", members=["alice", *members], workspaces={"a": grants, "b": grants, "c": grants})
        for n in range(orgs)
    ]
    got = snapshot(found.client, desired(*wanted), {})
    # PERFORMANCE.md, 8, plain: /actor, a page of a hundred orgs, member lists, workspaces, workspace member lists
    assert len(found.seen) == 1 + 2 + orgs + orgs + 3 * orgs
    assert len(set(below(found))) == 5 * orgs
    assert found.client.requests_sent == len(found.seen)
    assert len(got.orgs) == orgs
    assert all(len(o.of("member")) == 100 for o in got.orgs.values())
    assert all(len(w.of("grant")) == 30 for o in got.orgs.values() for w in o.of("workspace").values())
    assert (got.unreadable, got.identities, got.others) == ((), {}, {})


def test_an_org_that_is_not_wanted_is_listed_and_not_read(sandbox):
    found = sandbox(world(acme=live(workspaces={"prod": ()}), other=live(workspaces={"prod": ()})))
    got = snapshot(found.client, desired(org("acme", members=["alice", "bob"])), {})
    assert below(found) == ["GET /org/acme/member"]
    assert list(got.orgs) == ["acme"]
    assert list(got.others) == ["other"]
    assert got.others["other"].children is None


def test_only_narrows_to_the_orgs_that_are_named(sandbox):
    found = sandbox(world(acme=live(), other=live()))
    got = snapshot(
        found.client, desired(org("acme", members=["bob"]), org("other", members=["bob"])), {}, only_orgs=["other"]
    )
    assert below(found) == ["GET /org/other/member"]
    assert (list(got.orgs), list(got.others)) == (["other"], ["acme"])


@pytest.mark.parametrize(
    ("wanted", "paths"),
    [
        pytest.param(org("acme"), [], id="attributes alone"),
        pytest.param(org("acme", members=["alice"]), ["member"], id="members"),
        pytest.param(org("acme", workspaces={"prod": None}), ["workspace"], id="a workspace without its members"),
        pytest.param(
            org("acme", workspaces={"prod": ["bob"], "dev": None}),
            ["member", "workspace", "workspace/prod/member"],
            id="a workspace with its members",
        ),
        pytest.param(
            org("acme", workspaces={"prod": workspace("prod", absent=True)}),
            ["workspace", "workspace/prod/connection", "workspace/prod/member"],
            id="a workspace that goes",
        ),
        pytest.param(
            org("acme", workspaces={"prod": connected("prod", "aws"), "dev": None}),
            ["connection", "workspace", "workspace/prod/connection"],
            id="a workspace with connections of its own, which the organization's are told apart from",
        ),
        pytest.param(
            org("acme", workspaces={"prod": connected("prod")}),
            ["workspace", "workspace/prod/connection"],
            id="a workspace with a section of connections and none in it",
        ),
        pytest.param(
            org("acme", workspaces={"gone": workspace("gone", absent=True)}), ["workspace"], id="one that has gone"
        ),
        pytest.param(
            org("acme", workspaces={"live": workspace("live", ["bob"], renamed_from="prod")}),
            ["member", "workspace", "workspace/prod/member"],
            id="a workspace that gets another handle",
        ),
        pytest.param(org("acme", absent=True), ["member", "workspace"], id="an org that goes"),
    ],
)
def test_below_an_org_only_what_the_plan_needs_is_read(sandbox, wanted, paths):
    found = sandbox(world(acme=live(workspaces={"prod": ["bob"], "dev": ["bob"]})))
    got = snapshot(found.client, desired(wanted), {})
    assert below(found) == [f"GET /org/acme/{path}" for path in paths]
    assert got.orgs["acme"].was_read("member") == ("member" in paths)
    assert got.orgs["acme"].was_read("workspace") == ("workspace" in paths)


def test_a_workspace_whose_handle_was_changed_outside_is_known_by_its_id(sandbox):
    found = sandbox(world(acme=live(workspaces={"renamed": ["bob"], "dev": ["bob"]})))
    ids = {w["handle"]: w["id"] for rows in found.client.pages("/org/acme/workspace") for w in rows}
    found.seen.clear()
    lock = {"org.acme/workspace.prod": LockEntry(ids["renamed"])}
    got = snapshot(found.client, desired(org("acme", workspaces={"prod": ["bob"]})), lock)
    assert "GET /org/acme/workspace/renamed/member" in found.seen
    assert "GET /org/acme/workspace/dev/member" not in found.seen
    assert "GET /org/acme/constraint" not in found.seen  # nothing will be made
    assert list(got.orgs["acme"].of("workspace")["renamed"].of("grant")) == ["bob"]


# -- orgs by other names


def test_an_org_under_its_old_handle_is_read_as_the_wanted_one(sandbox):
    found = sandbox(world(**{"acme-inc": live(workspaces={"prod": ["bob"]})}))
    got = snapshot(
        found.client,
        desired(org("acme", members=["alice", "bob"], workspaces={"prod": ["bob"]}, renamed_from="acme-inc")),
        {},
    )
    assert list(got.orgs) == ["acme-inc"]
    assert list(got.orgs["acme-inc"].of("workspace")["prod"].of("grant")) == ["bob"]
    assert below(found) == [
        "GET /org/acme",
        "GET /org/acme-inc/member",
        "GET /org/acme-inc/workspace",
        "GET /org/acme-inc/workspace/prod/member",
    ]
    assert got.identities == {"acme": None}


def test_a_rename_shows_dns_names_even_where_no_workspace_is_managed(sandbox):
    found = sandbox(world(**{"acme-inc": live(workspaces={"prod": ["bob"]})}))
    got = snapshot(found.client, desired(org("acme", renamed_from="acme-inc")), {})
    assert got.orgs["acme-inc"].of("workspace")["prod"].attrs["host"]
    assert not got.orgs["acme-inc"].of("workspace")["prod"].was_read("grant")


def test_an_org_whose_handle_was_changed_outside_is_known_by_its_id(sandbox):
    found = sandbox(world(moved=live()))
    lock = {"org.acme": LockEntry(found.client.get_json("/org/moved", KINDS["org"].row).id)}
    got = snapshot(found.client, desired(org("acme", members=["alice", "bob"])), lock)
    assert list(got.orgs) == ["moved"]
    assert list(got.orgs["moved"].of("member")) == ["alice", "bob"]


def test_both_are_read_where_the_handle_and_the_id_are_of_different_orgs(sandbox):
    found = sandbox(world(acme=live(["carol"]), moved=live(["bob"])))
    lock = {"org.acme": LockEntry(found.client.get_json("/org/moved", KINDS["org"].row).id)}
    got = snapshot(found.client, desired(org("acme", members=["alice"])), lock)
    assert {h: list(o.of("member")) for h, o in got.orgs.items()} == {
        "acme": ["alice", "carol"],
        "moved": ["alice", "bob"],
    }


def test_a_wanted_org_that_nobody_has_is_free(sandbox):
    found = sandbox(world(acme=live()))
    got = snapshot(found.client, desired(org("acme", members=["alice", "bob"]), org("fresh", members=["alice"])), {})
    assert got.identities == {"fresh": None, "alice": Identity("alice", got.actor.id, "user")}
    assert below(found, "GET /identity") == ["GET /identity/fresh"]
    assert list(got.orgs) == ["acme"]


def test_the_tokens_own_user_needs_no_look_up_in_an_org_that_will_be_made(sandbox):
    found = sandbox(world(acme=live()))
    got = snapshot(found.client, desired(org("fresh", members=["alice"])), {})
    assert got.identities["alice"] == Identity("alice", got.actor.id, "user")
    assert below(found, "GET /identity") == ["GET /identity/fresh"]


def test_a_rename_of_nothing_is_no_org_to_look_people_up_for(sandbox):
    found = sandbox(world(acme=live()))
    got = snapshot(found.client, desired(org("fresh", members=["zoe"], renamed_from="gone")), {})
    assert got.identities == {"fresh": None}
    assert below(found) == ["GET /org/fresh", "GET /org/gone"]


def test_a_handle_that_a_person_has_is_not_free(sandbox):
    found = sandbox({**world(acme=live()), "users": {"fresh": {}}})
    got = snapshot(found.client, desired(org("fresh")), {})
    assert got.identities["fresh"].type == "user"
    assert got.forbidden == frozenset()


def test_somebody_elses_org_is_forbidden_and_named(sandbox):
    found = sandbox(world(acme=live(), theirs={"members": {"mallory": "owner"}}))
    got = snapshot(found.client, desired(org("theirs", members=["zoe"])), {})
    assert got.forbidden == frozenset({"theirs"})
    assert got.identities["theirs"].type == "org"
    assert "zoe" not in got.identities  # nobody will be invited there
    assert below(found) == ["GET /org/theirs"]


def test_a_tenant_owner_reads_orgs_that_it_is_no_member_of(sandbox):
    found = sandbox(
        {
            "actor": "root",
            "tenant": {"handle": "acme-tenant", "members": {"root": "owner", "alice": "member", "bob": "member"}},
            "orgs": {"acme": live(), "old": live()},
        }
    )
    got = snapshot(found.client, desired(org("acme", members=["alice", "bob"]), org("old", absent=True)), {})
    assert sorted(got.orgs) == ["acme", "old"]
    assert list(got.orgs["acme"].of("member")) == ["alice", "bob"]
    assert list(got.orgs["acme"].inherited_of("member")) == ["root"]
    assert got.unreadable == ()


def test_an_org_that_went_as_stated_needs_no_further_look(sandbox):
    found = sandbox(world(acme=live()))
    got = snapshot(found.client, desired(org("oldco", absent=True)), {})
    assert (got.orgs, got.identities) == ({}, {})
    assert below(found, "GET /identity") == []


# -- rows


def test_inherited_rows_are_told_apart_from_those_that_can_be_changed(sandbox):
    found = sandbox(world(acme=live(workspaces={"prod": ["bob"]})))
    got = snapshot(found.client, desired(org("acme", workspaces={"prod": ["bob"]})), {})
    prod = got.orgs["acme"].of("workspace")["prod"]
    assert list(prod.of("grant")) == ["bob"]
    assert {h: r.attrs for h, r in prod.inherited_of("grant").items()} == {
        "alice": {"role": "owner", "status": "accepted", "scope": "org"}
    }


def test_people_are_known_by_the_users_id_and_the_invited_are_told_apart(sandbox):
    found = sandbox(world(acme={"members": {"alice": "owner", "carol": {"role": "member", "status": "invited"}}}))
    got = snapshot(found.client, desired(org("acme", members=["alice", "carol"])), {})
    carol = got.orgs["acme"].of("member")["carol"]
    assert carol.id == found.client.get_json("/identity/carol", KINDS["org"].row).id
    alice = got.orgs["acme"].of("member")["alice"]
    assert carol.attrs == {
        "role": "member", "status": "invited", "by": alice.id, "sent": STARTED.partition("T")[0]
    }  # fmt: skip
    assert set(alice.attrs) == {"role", "status"}  # who made the org let nobody in, and has accepted
    assert got.actor.id == got.orgs["acme"].of("member")["alice"].id


# -- people, limits, tokens


def test_only_people_who_are_new_are_looked_up_and_each_of_them_once(sandbox):
    found = sandbox({**world(acme=live(["bob"]), beta=live(["erin"])), "users": {"carol": {}, "dave-acme": {}}})
    people = [Person("dave", "dave-acme"), Person("mail", None, "mail@example.com")]
    wanted = ["alice", "bob", "carol", "dave", "mail", "erin"]
    got = snapshot(found.client, desired(org("acme", members=wanted), org("beta", members=wanted), people=people), {})
    assert below(found, "GET /identity") == ["GET /identity/carol", "GET /identity/dave-acme"]
    # who is an accepted member of another org is known without asking
    assert sorted(got.identities) == ["bob", "carol", "dave-acme", "erin"]
    assert all(i.type == "user" for i in got.identities.values())
    assert got.identities["erin"].id == got.orgs["beta"].of("member")["erin"].id


def test_a_person_whom_the_lock_file_knows_by_id_is_not_new(sandbox):
    found = sandbox(world(acme=live(["robert"])))
    robert = found.client.get_json("/identity/robert", KINDS["org"].row).id
    found.seen.clear()
    got = snapshot(
        found.client, desired(org("acme", members=["alice", "bob"])), {"org.acme/member.bob": LockEntry(robert)}
    )
    assert got.identities == {}
    assert below(found, "GET /identity") == []


def test_someone_who_must_not_be_there_is_not_looked_up(sandbox):
    found = sandbox(world(acme=live()))
    wanted = org("acme", members=["alice", "bob"])
    wanted.children["member"]["gone"] = Node("member", "gone", {}, HERE, absent=True)
    assert snapshot(found.client, desired(wanted), {}).identities == {}


def test_an_unknown_handle_gets_near_matches_of_users_alone(sandbox):
    found = sandbox({**world(acme=live(["bernard"]), **{"carolina-inc": live()}), "users": {"carolina": {}, "zoe": {}}})
    got = snapshot(found.client, desired(org("acme", members=["carolin", "bernad", "zzzzzzzz"])), {})
    assert got.identities == {"bernad": None, "carolin": None, "zzzzzzzz": None}
    assert got.near == {"bernad": ("bernard",), "carolin": ("carolina",), "zzzzzzzz": ()}


def test_a_search_that_fails_is_only_a_help_less(sandbox):
    found = sandbox(world(acme=live(["bernard"])), {"kind": "status", "status": 500, "path": "^/identity$"})
    got = snapshot(found.client, desired(org("acme", members=["bernad"])), {})
    assert got.near == {"bernad": ("bernard",)}


def test_the_search_for_near_matches_is_bounded(sandbox):
    found = sandbox(world(acme=live()))
    snapshot(found.client, desired(org("acme", members=[f"nobody{n}" for n in range(50)])), {})
    assert sum(line == "GET /identity" for line in found.seen) <= 40


def test_an_identity_that_cannot_be_read_stops_the_plan(sandbox):
    found = sandbox(world(acme=live()), {"kind": "status", "status": 500, "path": "^/identity/"})
    with pytest.raises(StatusError, match="500"):
        snapshot(found.client, desired(org("acme", members=["carol"])), {})


def test_the_limit_is_read_only_where_a_workspace_will_be_made(sandbox):
    found = sandbox(world(acme=live(workspaces={"prod": ()}, workspace_limit=7), beta=live(workspaces={"prod": ()})))
    got = snapshot(
        found.client,
        desired(org("acme", workspaces={"prod": None, "dev": None}), org("beta", workspaces={"prod": None})),
        {},
    )
    assert got.workspace_limits == {"acme": 7}
    assert "GET /org/acme/constraint" in found.seen
    assert "GET /org/beta/constraint" not in found.seen


def test_a_limit_that_may_not_be_seen_is_no_limit(scripted):
    got = scripted(
        {"/org/acme/workspace": {"items": []}, "/org/acme/constraint": 403}, org("acme", workspaces={"dev": None})
    )
    assert (got.workspace_limits, got.unreadable) == ({}, ())


@pytest.mark.parametrize(
    ("constraints", "limits"),
    [
        pytest.param([("org_workspaces", "quota", 10)], {"acme": 10}, id="one"),
        pytest.param(
            [("workspace_rate", "rate", 3), ("org_workspaces", "quota", 10)], {"acme": 10}, id="a quota first"
        ),
        pytest.param(
            [("workspaces_db_size", "quota", 3), ("workspaces", "quota", 10)], {"acme": 10}, id="plainest name"
        ),
        pytest.param([("workspaces", "quota", "12")], {"acme": 12}, id="a number in a text"),
        pytest.param([("workspaces", "feature", True), ("workspaces", "quota", None)], {}, id="no number"),
        pytest.param([("members", "quota", 5)], {}, id="of something else"),
    ],
)
def test_the_constraint_on_workspaces_is_found_by_its_name(scripted, constraints, limits):
    rows = [{"name": n, "type": t, "value": v, "target": "org"} for n, t, v in constraints]
    got = scripted(
        {"/org/acme/workspace": {"items": []}, "/org/acme/constraint": {"items": rows}},
        org("acme", workspaces={"dev": None}),
    )
    assert got.workspace_limits == limits


def test_the_tokens_age_is_read_only_where_tokens_will_be_reset(sandbox):
    found = sandbox(
        {
            **world(acme=live(token_min_issued_at="2026-01-01T00:00:00Z")),
            "tokens": [{"user": "alice", "token": "tpt_000000000000000aaaa", "issued_at": "2026-10-01T00:00:00Z"}],
        }
    )
    later = org("acme", attrs={"token_min_issued_at": "2026-11-01T00:00:00Z"})
    same = org("acme", attrs={"token_min_issued_at": "2026-01-01T00:00:00+00:00"})
    assert snapshot(found.client, desired(same), {}).actor.token_issued_at is None
    assert "GET /user/alice/token" not in found.seen
    assert snapshot(found.client, desired(later), {}).actor.token_issued_at == datetime(2026, 10, 1, tzinfo=UTC)
    assert "GET /user/alice/token" in found.seen


@pytest.mark.parametrize(
    ("tokens", "issued"),
    [
        pytest.param([("2026-02-01T00:00:00Z", "cret")], datetime(2026, 2, 1, tzinfo=UTC), id="one"),
        pytest.param(
            [("2026-03-01T00:00:00Z", "cret"), ("2026-02-01T00:00:00Z", "cret"), ("2025-01-01T00:00:00Z", "aaaa")],
            datetime(2026, 2, 1, tzinfo=UTC),
            id="several that may be it: the earliest",
        ),
        pytest.param([("2026-02-01T00:00:00Z", "aaaa")], None, id="another's"),
        pytest.param([("2026-02-01T00:00:00Z", "cret"), ("someday", "cret")], None, id="a moment that is none"),
        pytest.param(403, None, id="not shown"),
    ],
)
def test_the_token_in_use_is_known_by_its_last_characters(scripted, tokens, issued):
    rows = tokens if isinstance(tokens, int) else {"items": [{"created_at": at, "last4": end} for at, end in tokens]}
    got = scripted({"/user/alice/token": rows}, org("acme", attrs={"token_min_issued_at": "2026-11-01T00:00:00Z"}))
    assert got.actor.token_issued_at == issued


# -- what cannot be believed


def two_orgs():
    return desired(
        org("acme", members=["alice", "bob"], workspaces={"prod": ["bob"]}), org("beta", members=["alice", "bob"])
    )


def codes(got):
    return [(u.org, u.code) for u in got.unreadable]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        pytest.param({"kind": "empty-members", "path": "^/org/acme/member"}, "came back empty", id="no rows"),
        pytest.param({"kind": "status", "status": 503, "path": "^/org/acme/member"}, "503", id="a page fails"),
        pytest.param({"kind": "status", "status": 500, "path": "^/org/acme/workspace$"}, "500", id="workspaces fail"),
        pytest.param({"kind": "status", "status": 502, "path": "prod/member"}, "502", id="grants fail"),
        pytest.param({"kind": "drop-before", "path": "^/org/acme/member"}, "broke before", id="connections break"),
        pytest.param({"kind": "truncate", "path": "^/org/acme/member"}, "cut short", id="answers are cut short"),
        pytest.param({"kind": "html", "path": "^/org/acme/member"}, "an HTML page", id="a proxy's page"),
    ],
)
def test_an_org_that_cannot_be_read_whole_is_left_out_and_the_others_are_read(sandbox, fault, why):
    found = sandbox(world(acme=live(workspaces={"prod": ["bob"]}), beta=live()), fault)
    got = snapshot(found.client, two_orgs(), {})
    assert codes(got) == [("acme", "empty-read")]
    assert why in got.unreadable[0].why
    assert list(got.orgs) == ["beta"]
    assert list(got.orgs["beta"].of("member")) == ["alice", "bob"]
    assert list(got.others) == []


def test_an_org_that_cannot_be_read_is_named_as_the_manifest_names_it(sandbox):
    found = sandbox(world(**{"acme-inc": live()}), {"kind": "empty-members"})
    got = snapshot(found.client, desired(org("acme", members=["alice"], renamed_from="acme-inc")), {})
    assert codes(got) == [("acme", "empty-read")]


def test_a_member_list_without_the_tokens_own_user_is_not_believed(scripted):
    rows = [{"user_id": "u_9", "user_handle": "bob", "role": "owner", "scope": "org", "status": "accepted"}]
    got = scripted({"/org/acme/member": {"items": rows}}, org("acme", members=["bob"]))
    assert codes(got) == [("acme", "empty-read")]
    assert "lacks the token's own user alice" in got.unreadable[0].why
    assert got.orgs == {}


@pytest.mark.parametrize("scope", ["org", "tenant", None])
def test_the_tokens_own_user_may_be_there_by_the_org_or_by_the_tenant(scripted, scope):
    rows = [{"user_id": "u_1", "user_handle": "alice", "role": "owner", "status": "accepted"}]
    if scope is not None:
        rows[0]["scope"] = scope
    got = scripted({"/org/acme/member": {"items": rows}}, org("acme", members=["bob"]))
    assert got.unreadable == ()


def test_a_list_that_we_may_not_see_leaves_its_org_out(scripted):
    got = scripted({"/org/acme/member": 403}, org("acme", members=["bob"]))
    assert codes(got) == [("acme", "empty-read")]
    assert "403" in got.unreadable[0].why


@pytest.mark.parametrize("handle", ["", "..", "a/b", "a?b", "a b", "a\nb", "a%2fb"])
def test_a_row_whose_handle_would_lead_elsewhere_is_not_taken(scripted, handle):
    rows = [
        {"user_id": f"u_{number}", "user_handle": one, "role": "owner", "scope": "org"}
        for number, one in enumerate(["alice", handle, "bob"])
    ]
    got = scripted({"/org/acme/member": {"items": rows}}, org("acme", members=["bob"]))
    assert codes(got) == [("acme", "empty-read")]
    assert "cannot be a handle" in got.unreadable[0].why


MANY = [f"m{n:03}" for n in range(250)]


def test_a_list_that_shifts_once_is_read_again(sandbox):
    found = sandbox(
        world(acme=live(MANY)), {"kind": "shift-page", "rows": -1, "path": "^/org/acme/member", "after": 1, "times": 1}
    )
    got = snapshot(found.client, desired(org("acme", members=["alice", *MANY])), {})
    assert got.unreadable == ()
    assert sorted(got.orgs["acme"].of("member")) == ["alice", *MANY]
    assert found.seen.count("GET /org/acme/member") == 2 + 3


def test_a_list_that_shifts_all_the_time_is_given_up(sandbox):
    found = sandbox(
        world(acme=live(MANY), beta=live()), {"kind": "shift-page", "rows": -1, "path": "^/org/acme/member"}
    )
    got = snapshot(found.client, desired(org("acme", members=MANY), org("beta", members=["alice"])), {})
    assert codes(got) == [("acme", "empty-read")]
    assert "a row came twice" in got.unreadable[0].why
    assert list(got.orgs) == ["beta"]
    assert found.seen.count("GET /org/acme/member") <= 9


def test_a_cursor_that_repeats_leaves_the_org_out(scripted):
    rows = [{"user_id": "u_1", "user_handle": "alice", "role": "owner", "scope": "org"}]
    answers = iter([{"items": rows, "next_token": "again"}, {"items": [], "next_token": "again"}] * 3)
    got = scripted({"/org/acme/member": lambda: next(answers)}, org("acme", members=["alice"]))
    assert codes(got) == [("acme", "empty-read")]
    assert "its cursor repeats" in got.unreadable[0].why


def test_two_rows_of_one_handle_are_not_believed(scripted):
    rows = [{"user_id": u, "user_handle": "alice", "role": "owner", "scope": "org"} for u in ("u_2", "u_1")]
    got = scripted({"/org/acme/member": {"items": rows}}, org("acme", members=["alice"]))
    assert codes(got) == [("acme", "empty-read")]
    assert "`alice` came twice" in got.unreadable[0].why


def test_a_token_that_is_refused_half_way_stops_everything(scripted):
    with pytest.raises(NotAuthorisedError):
        scripted({"/org/acme/member": 401}, org("acme", members=["alice"]))


def test_a_refused_token_stops_everything(sandbox, tmp_path, clock):
    found = sandbox(world(acme=live()))
    settings = Settings(found.client.settings.base_url, "tpt_wrong", found.client.settings.sandbox_path)
    with Client(settings, read_only=True) as client, pytest.raises(NotAuthorisedError, match="not authorised"):
        snapshot(client, desired(org("acme", members=["alice"])), {})


@pytest.mark.parametrize("path", ["^/actor$", "^/actor/org$"])
def test_without_the_actor_or_its_orgs_nothing_is_known(sandbox, path):
    found = sandbox(world(acme=live()), {"kind": "status", "status": 500, "path": path})
    with pytest.raises(StatusError, match="500"):
        snapshot(found.client, desired(org("acme", members=["alice"])), {})


def test_an_error_of_ours_in_a_thread_is_not_swallowed(sandbox):
    found = sandbox(world(acme=live()))

    def broken(*_):
        raise ZeroDivisionError

    found.client.page = broken
    with pytest.raises(ZeroDivisionError):
        snapshot(found.client, desired(org("acme", members=["alice"])), {})


def test_the_same_reading_gives_the_same_snapshot_whoever_is_faster(sandbox):
    orgs = {f"org{n}": live(workspaces={"a": ["bob"], "b": ["bob"]}) for n in range(20)}
    wanted = desired(*(org(h, members=["alice", "new"], workspaces={"a": ["bob"], "b": None}) for h in reversed(orgs)))
    found = sandbox(world(**orgs))
    assert repr(snapshot(found.client, wanted, {})) == repr(snapshot(found.client, wanted, {}))


def test_progress_counts_up_to_what_was_read(sandbox):
    told = []
    found = sandbox(world(acme=live(workspaces={"prod": ["bob"]}), beta=live()))
    snapshot(found.client, two_orgs(), {}, progress=lambda *what: told.append(what))
    assert [done for _, done, _, _ in told] == list(range(1, len(found.seen) + 1))
    assert all(done <= total for _, done, total, _ in told)
    assert told[-1][1] == told[-1][2] == 6
    assert ("grant", "org.acme/workspace.prod") in {(kind, address) for kind, _, _, address in told}


def test_as_many_requests_as_allowed_are_under_way_across_orgs_and_never_more(make_server):
    server = make_server()
    together = threading.Barrier(5, timeout=10)
    under_way = []
    lock = threading.Lock()

    def answer(path):
        path = path.removeprefix("/api/v0").partition("?")[0]
        if path == "/actor":
            return (200, {}, b'{"id": "u_1", "handle": "alice", "tenant_id": "t_0"}')
        if path == "/actor/org":
            rows = [{"org_id": f"o_{n}", "org": {"id": f"o_{n}", "handle": f"org{n}"}} for n in range(10)]
            return (200, {}, msgspec.json.encode({"items": rows}))
        with lock:
            under_way.append(1)
            most.append(sum(under_way))
        together.wait()  # nobody is answered before five have asked
        with lock:
            under_way.pop()
        return (200, {}, b'{"items": [{"user_id": "u_1", "user_handle": "alice", "role": "owner"}]}')

    most = []
    server.script = [answer]
    with Client(server.settings, read_only=True, parallelism=5) as client:
        got = snapshot(client, desired(*(org(f"org{n}", members=["alice"]) for n in range(10))), {})
    assert len(got.orgs) == 10
    assert max(most) == 5
    assert server.connections <= 5


# -- one object


def place(org="acme", workspace=""):
    return Place(org=org, org_child=workspace)


def one(client, kind, place, handle):
    """One object again, by its place and handle."""
    return read_again(client, kind, kind.object_path(place, handle))


def test_one_object_of_each_kind_is_read_again(sandbox):
    found = sandbox(world(acme=live(workspaces={"prod": ["bob"]})))
    assert one(found.client, KINDS["org"], Place(), "acme").handle == "acme"
    bob = one(found.client, KINDS["member"], place(), "bob").attrs
    assert (bob["role"], bob["status"]) == ("member", "accepted")
    assert one(found.client, KINDS["workspace"], place(), "prod").handle == "prod"
    assert one(found.client, KINDS["grant"], place(workspace="prod"), "bob").attrs["role"] == "reader"


def test_an_object_that_is_gone_is_none(sandbox):
    found = sandbox(world(acme=live(workspaces={"prod": ["bob"]})))
    assert one(found.client, KINDS["org"], Place(), "nobody") is None
    assert one(found.client, KINDS["member"], place(), "nobody") is None
    assert one(found.client, KINDS["workspace"], place(), "nothing") is None


def test_a_row_that_belongs_to_another_level_is_not_the_object(sandbox):
    found = sandbox(world(acme=live(workspaces={"prod": ["bob"]})))
    assert one(found.client, KINDS["grant"], place(workspace="prod"), "alice") is None


def test_a_member_of_a_deleted_org_answers_403_and_is_gone(sandbox):
    found = sandbox(world(acme=live(workspaces={"prod": ["bob"]})))
    with Client(found.client.settings, read_only=False) as writing:
        assert writing.send(Request("DELETE", "/org/acme")).ok
    assert one(found.client, KINDS["member"], place(), "bob") is None
    assert one(found.client, KINDS["grant"], place(workspace="prod"), "bob") is None


def test_a_member_whom_we_may_not_see_is_not_taken_for_gone(server, client):
    server.script = [(403, {}, b'{"title": "Forbidden"}'), (200, {}, b'{"id": "o_1", "handle": "acme"}')]
    with pytest.raises(StatusError) as error:
        one(client, KINDS["member"], place(), "bob")
    assert error.value.status == 403


def test_an_object_that_cannot_be_read_is_not_taken_for_gone(server, client):
    server.script = [(503, {}, b"")]
    with pytest.raises(PipesError):
        one(client, KINDS["member"], place(), "bob")


# -- a Pipes that says whatever it is told


@pytest.fixture
def scripted(make_server, clock):
    """Read one wanted org from a server that answers each path with a status, a document, or a function's result."""

    def read(answers, wanted):
        mine = {"id": "o_1", "handle": wanted.name, "tenant_id": "t_0", "version_id": 1}
        rows = [{"user_id": "u_1", "user_handle": "alice", "role": "owner", "scope": "org", "status": "accepted"}]
        everything = {
            "/actor": {"id": "u_1", "handle": "alice", "tenant_id": "t_0"},
            "/actor/org": {"items": [{"org_id": "o_1", "user_id": "u_1", "org": mine}]},
            f"/org/{wanted.name}/member": {"items": rows},
            **answers,
        }
        server = make_server()

        def answer(path):
            found = everything.get(path.removeprefix("/api/v0").partition("?")[0], 404)
            found = found() if callable(found) else found
            if isinstance(found, int):
                return (found, {}, msgspec.json.encode({"title": "No", "status": found}))
            return (200, {}, msgspec.json.encode(found))

        server.script = [answer]
        with Client(server.settings, read_only=True, clock=clock.source) as client:
            return snapshot(client, desired(wanted), {})

    return read
