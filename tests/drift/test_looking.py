"""What `drift` ends with, what it reads, and what it does where it cannot look: driven through the command."""

from __future__ import annotations

import socket

import pytest

from drift.deeds import ONE_TIME, in_turn
from drift.scene import BLOCK, FILES
from reconciler.pipes import retry

DISPLAY = ONE_TIME["an org gets another name to show"]
INVITED = ONE_TIME["a person is invited in the console"]
TWO = "users: {mallory: {}}\norgs: {acme: {members: {alice: owner, bob: owner}}, beta: {members: {alice: owner, bob: owner}}}"
BOTH = {"orgs.yaml": "version: 1\n" + TWO.partition("\n")[2] + "\n"}
ADDED = ("POST", "{}/member/invite", {"handle": "mallory", "role": "member"})


def invited_to(*orgs):
    return in_turn(*(("bob", "POST", f"/org/{org}/member/invite", ADDED[2]) for org in orgs))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    # the pauses between repetitions are the policy's to test, not ours to wait for
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.001)


# --- exit statuses ----------------------------------------------------------------------------------------------------


def test_0_in_sync(scene):
    scene.in_sync()
    ran = scene.drift()
    assert (ran.status, ran.out.splitlines()[-1]) == (0, "In sync. Pipes matches the manifests.")


def test_2_for_drift_also_as_the_status_of_the_process(scene):
    scene.in_sync()
    DISPLAY.do(scene)
    assert scene.drift().status == 2
    assert scene.spawn("drift", *scene.local).status == 2


def test_nothing_is_written(scene):
    scene.in_sync()
    INVITED.do(scene)
    before, lock, files = scene.database(), scene.lock_text(), scene.manifests()
    for options in ((), ("--fix-up",), ("--unmanaged",), ("--format", "html")):
        assert scene.drift(*options).status == 2
    assert (scene.database(), scene.lock_text(), scene.manifests()) == (before, lock, files)


UNREACHABLE = {
    "every answer is an error": {"kind": "status", "status": 500},
    "a proxy answers instead": {"kind": "html"},
    "every connection is dropped": {"kind": "drop-before"},
    "every answer is cut short": {"kind": "truncate"},
    "who we are cannot be asked": {"kind": "status", "status": 503, "path": "^/actor$"},
    "our orgs cannot be listed": {"kind": "status", "status": 502, "path": "^/actor/org"},
}


@pytest.mark.parametrize("fault", UNREACHABLE.values(), ids=UNREACHABLE)
@pytest.mark.parametrize("options", [(), ("--fix-up",), ("--applied", "old")], ids=["plain", "fix-up", "applied"])
def test_4_where_pipes_cannot_be_asked_though_there_is_drift(scene, fault, options):
    scene.in_sync()
    (scene.folder / "old").mkdir()
    (scene.folder / "old" / "orgs.yaml").write_text(BLOCK["orgs.yaml"])
    DISPLAY.do(scene)
    with scene.served(fault):
        ran = scene.drift(*options)
    assert (ran.status, ran.out) == (4, "")
    assert ran.err.splitlines()[-1].startswith("Error: ")


def test_4_where_nothing_listens_or_the_token_is_wrong_or_missing(scene, monkeypatch):
    scene.in_sync()
    DISPLAY.do(scene)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        assert scene.run("drift", "--host", address).status == 4
    with scene.served():
        monkeypatch.setenv("PIPES_TOKEN", "tpt_wrong0wrong0wrong")
        assert scene.drift().status == 4
        monkeypatch.delenv("PIPES_TOKEN")
        assert scene.drift().status == 4


UNREADABLE = {
    "empty": {"kind": "empty-members", "path": "^/org/acme/member"},
    "a proxy's page": {"kind": "html", "path": "^/org/acme/member"},
    "an error": {"kind": "status", "status": 500, "path": "^/org/acme/member"},
}


@pytest.mark.parametrize("fault", UNREADABLE.values(), ids=UNREADABLE)
def test_3_for_an_org_that_cannot_be_read_and_the_others_are_shown(scene, fault):
    scene.in_sync(BOTH, TWO)
    invited_to("acme", "beta")(scene)
    with scene.served(fault):
        ran = scene.drift("--format", "json")
        text = scene.drift().out
    assert ran.status == 3
    assert [d["address"] for d in ran.json["differences"]] == ["org.beta/member.mallory"]
    assert [(r["code"], r["address"]) for r in ran.json["not_compared"]] == [("empty-read", "org.acme")]
    assert ran.json["in_sync"] is False
    assert "Not compared: org.acme." in text


def test_3_also_where_the_rest_is_in_sync(scene):
    scene.in_sync(BOTH, TWO)
    with scene.served(UNREADABLE["empty"]):
        ran = scene.drift()
    assert ran.status == 3
    assert "In sync" not in ran.out


def test_4_for_an_org_that_the_token_may_not_read_any_more(scene):
    scene.in_sync(BOTH, TWO)
    invited_to("beta")(scene)
    in_turn(("bob", "DELETE", "/org/acme/member/alice", None))(scene)
    ran = scene.drift("--format", "json")
    assert ran.status == 4
    assert ran.json["forbidden"] == ["org.acme"]
    assert [d["address"] for d in ran.json["differences"]] == ["org.beta/member.mallory"]
    assert "cannot read" in scene.drift().out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        pytest.param(("--applied", "nowhere"), "neither a revision", id="a revision that is none"),
        pytest.param(("--applied", "--fix-up"), "option", id="an option for a revision"),
        pytest.param(("--expiring", "soon"), "14d or 2w", id="no number of days"),
        pytest.param(("--fix-up", "--format", "json"), "cannot be combined with --format", id="a patch as JSON"),
        pytest.param(("--org", "beta"), "the manifests have no such org", id="an unknown org"),
        pytest.param(("--allow", "mass-removal"), "No such option", id="an allowance"),
    ],
)
def test_1_for_wrong_usage(scene, args, says):
    scene.in_sync()
    scene.commit()
    ran = scene.drift(*args)
    assert (ran.status, ran.out) == (1, "")
    assert says in ran.err


# --- what the log tells, and how far it is read -----------------------------------------------------------------------


def pages(seen):
    return [path for _, path, _ in seen if path.partition("?")[0].endswith("/audit_log")]


def with_history(scene, entries):
    """The world with a log that is long already."""
    row = "{action_type: org.update, actor_handle: alice, target_handle: acme, created_at: '2026-01-01T00:00:00Z',"
    log = "".join(f"      - {row} data: {{new: {{n: {n}}}}}, actor_ip: 192.0.2.1}}\n" for n in range(entries))
    world = TWO.replace("orgs: {acme: {members: {alice: owner, bob: owner}}, beta: {members: {alice: owner, bob: owner}}}", (
        f"orgs:\n  acme:\n    members: {{alice: owner, bob: owner}}\n    audit_log:\n{log}"
        "  beta: {members: {alice: owner, bob: owner}}\n"
    ))  # fmt: skip
    scene.in_sync(BOTH, world)


def test_the_log_is_read_only_as_far_as_needed_and_only_where_there_is_drift(scene):
    with_history(scene, 450)
    with scene.served() as seen:
        assert scene.drift().status == 0
    assert pages(seen) == []
    invited_to("acme")(scene)
    with scene.served() as seen:
        assert scene.drift().status == 2
    assert len(pages(seen)) == 1
    assert "/org/acme/" in pages(seen)[0]
    for number in range(120):
        scene.client("bob").ok("PATCH", "/org/acme", {"url": f"https://{number}.example"})
    with scene.served() as seen:
        (found,) = scene.found()
    assert (len(pages(seen)), found["by"]["actor"]) == (2, "bob")


def test_what_the_log_does_not_tell_is_said_after_its_end(scene):
    with_history(scene, 150)
    scene.manifest(BOTH["orgs.yaml"].replace("bob: owner", "bob: owner, mallory: member", 1))
    with scene.served() as seen:
        (found,) = scene.found()
    assert len(pages(seen)) == 2
    assert (found["by"], found["why_unknown"]) == (None, "not in the audit log")


def test_the_log_is_not_read_beyond_a_bound(scene, monkeypatch):
    from reconciler.cli import drift

    monkeypatch.setattr(drift, "FAR", 100)
    with_history(scene, 250)
    scene.manifest(BOTH["orgs.yaml"].replace("bob: owner", "bob: owner, mallory: member", 1))
    with scene.served() as seen:
        (found,) = scene.found()
    assert len(pages(seen)) == 1
    assert found["why_unknown"] == "not in the newest 100 entries of the audit log"


def test_a_log_for_owners_only_is_said_and_not_fatal(scene):
    scene.in_sync(BOTH, TWO)
    invited_to("acme")(scene)
    in_turn(("bob", "PATCH", "/org/acme/member/alice", {"role": "member"}))(scene)
    ran = scene.drift()
    assert ran.status == 2
    assert "changed by: unknown (only owners of the organization can read its audit log; HTTP 403)" in ran.out
    assert "does not own acme" in ran.out


@pytest.mark.parametrize("kind", [{"kind": "status", "status": 500}, {"kind": "html"}, {"kind": "drop-before"}])
def test_a_log_that_cannot_be_read_is_said_and_not_fatal(scene, kind):
    scene.in_sync()
    DISPLAY.do(scene)
    with scene.served({**kind, "path": "/audit_log"}):
        (found,) = scene.found()
    assert found["by"] is None
    assert found["why_unknown"].startswith("unknown (the audit log could not be read: ")


def test_a_fix_up_needs_no_log(scene):
    scene.in_sync()
    DISPLAY.do(scene)
    with scene.served() as seen:
        assert scene.drift("--fix-up").status == 2
    assert pages(seen) == []


# --- what has no doer in the log --------------------------------------------------------------------------------------


def test_a_deleted_org_is_one_difference_and_its_log_went_with_it(scene):
    scene.in_sync()
    in_turn(("bob", "DELETE", "/org/acme", None))(scene)
    ran = scene.drift("--format", "json")
    (found,) = ran.json["differences"]
    assert (ran.status, found["what"], found["address"], found["below"]) == (2, "removed", "org.acme", 13)
    assert found["why_unknown"] == "unknown (the audit log of an org is deleted with it)"
    scene.git("apply", "-", said=scene.drift("--fix-up").out)
    assert scene.drift().status == 0


def test_another_workspace_under_the_same_handle_is_no_match(scene):
    scene.in_sync()
    in_turn(
        ("bob", "DELETE", "/org/acme/workspace/prod", None),
        ("bob", "POST", "/org/acme/workspace", {"handle": "prod", "instance_type": "db1.small"}),
    )(scene)
    (found,) = scene.found()
    assert (found["what"], found["address"]) == ("replaced", "org.acme/workspace.prod")
    assert (found["by"]["actor"], found["by"]["action"]) == ("bob", "workspace.create")
    ran = scene.drift("--fix-up")
    assert (ran.status, ran.out) == (2, "")
    assert "take its entry out of the lock file" in ran.err


def test_a_workspace_that_seems_renamed_is_said_to_where_no_lock_file_knows(scene):
    scene.in_sync()
    in_turn(("bob", "PATCH", "/org/acme/workspace/prod", {"handle": "prods"}))(scene)
    (scene.folder / "reconciler.lock.json").unlink()
    (found,) = scene.found()
    assert (found["what"], found["address"]) == ("removed", "org.acme/workspace.prod")
    assert "prods is not in the manifest; it looks like its old name" in found["note"]


def test_a_person_with_another_handle_is_recognised_and_written_down(scene):
    world = {"users": {"mallory": {}}, "orgs": {"acme": {"members": {"alice": "owner", "bob": "member"}}}}
    for layout in ("version: 1\norgs: {acme: {members: {alice: owner, bob: member}}}\n",
                   "version: 1\npeople:\n  bob: {handle: bob}\norgs: {acme: {members: {alice: owner, bob: member}}}\n",
                   "version: 1\norgs:\n  acme:\n    members: {alice: owner, bob: member}\npeople: {alice: {handle: alice}}"):  # fmt: skip
        place = scene.elsewhere(str(len(layout)))
        place.in_sync({"orgs.yaml": layout}, world)
        place.client("bob").ok("PATCH", "/user/bob", {"handle": "robert"})
        (found,) = place.found()
        assert (found["what"], found["wanted"], found["live"]) == ("renamed", "bob", "robert")
        assert "people change their own handles" in found["why_unknown"]
        place.git("apply", "-", said=place.drift("--fix-up").out)
        assert place.drift().status == 0


def test_what_was_renamed_outside_is_compared_all_the_same(scene):
    scene.in_sync()
    in_turn(
        ("bob", "PATCH", "/org/acme", {"handle": "acme-corp"}),
        ("bob", "PATCH", "/org/acme-corp/workspace/prod", {"handle": "production"}),
        ("bob", "PATCH", "/org/acme-corp/workspace/production/member/hugo", {"role": "owner"}),
        ("bob", "DELETE", "/org/acme-corp/member/erin", None),
    )(scene)
    found = {(d["address"], d["what"]): d["by"]["actor"] for d in scene.found()}
    assert found == {
        ("org.acme", "renamed"): "bob",
        ("org.acme/workspace.prod", "renamed"): "bob",
        ("org.acme/workspace.prod/grant.hugo", "changed"): "bob",
        ("org.acme/member.erin", "removed"): "bob",
    }
    scene.git("apply", "-", said=scene.drift("--fix-up").out)
    assert scene.drift().status == 0


def test_who_left_an_org_whose_members_are_not_managed_has_lost_the_grant(scene):
    scene.in_sync(
        {"orgs.yaml": "version: 1\norgs: {acme: {workspaces: {prod: {members: {bob: reader}}}}}\n"},
        "orgs: {acme: {members: {alice: owner, bob: member}, workspaces: {prod: {members: {bob: reader}}}}}",
    )
    in_turn(("bob", "DELETE", "/org/acme/member/bob", None))(scene)
    (found,) = scene.found()
    assert (found["address"], found["what"]) == ("org.acme/workspace.prod/grant.bob", "removed")
    assert (found["by"]["actor"], found["by"]["action"]) == ("bob", "org_member.delete")
    scene.git("apply", "-", said=scene.drift("--fix-up").out)
    assert scene.drift().status == 0


def test_somebody_stated_absent_who_is_there_again(scene):
    manifest = "version: 1\norgs:\n  acme:\n    members:\n      alice: owner\n      bob: {absent: true}\n"
    world = "users: {bob: {}}\norgs: {acme: {members: {alice: owner}}}"
    scene.in_sync({"orgs.yaml": manifest}, world)
    in_turn(("alice", "POST", "/org/acme/member/invite", {"handle": "bob", "role": "member"}))(scene)
    (found,) = scene.found()
    assert (found["what"], found["reason"], found["source"]["line"]) == ("added", "absent", 6)
    scene.git("apply", "-", said=scene.drift("--fix-up").out)
    assert scene.manifests()["orgs.yaml"].endswith("      bob: member\n")
    assert scene.drift().status == 0


# --- expiry -----------------------------------------------------------------------------------------------------------

DATED = """\
version: 1
teams: {sre: [bob, carol]}
orgs:
  acme:
    members:
      alice: owner
      team/sre: {role: member, expires: 2026-12-01}
      dave: {role: member, expires: 2026-12-20, reason: INC-42}
"""
DATED_WORLD = "orgs: {acme: {members: {alice: owner, bob: member, carol: member, dave: member}}}"


def test_entries_that_end_soon_are_warned_of_and_a_teams_once(scene):
    scene.in_sync({"orgs.yaml": DATED}, DATED_WORLD)
    ran = scene.drift("--on", "2026-11-24", "--format", "json")
    assert ran.status == 0
    assert [(e["name"], e["expires"], e["source"]["line"]) for e in ran.json["expiring"]] == [
        ("team/sre", "2026-12-01", 7)
    ]
    more = scene.drift("--on", "2026-11-24", "--format", "json", "--expiring", "4w").json["expiring"]
    assert [e["name"] for e in more] == ["team/sre", "dave"]
    assert "in 7 days" in scene.drift("--on", "2026-11-24").out
    assert scene.drift("--on", "2026-11-24", "--format", "json", "--expiring", "6d").json["expiring"] == []


def test_an_entry_that_has_ended_is_drift_that_nobody_made_and_no_patch_prolongs(scene):
    scene.in_sync({"orgs.yaml": DATED}, DATED_WORLD)
    ran = scene.drift("--on", "2026-12-20", "--format", "json")
    assert ran.status == 2
    told = {d["address"]: (d["what"], d["reason"], d["why_unknown"]) for d in ran.json["differences"]}
    ended = ("added", "expired", "nobody; the entry has ended")
    assert told == {f"org.acme/member.{name}": ended for name in ("bob", "carol", "dave")}
    patch = scene.drift("--on", "2026-12-20", "--fix-up")
    assert patch.out == ""
    assert patch.err.count("write a later `expires`") == 3


# --- not applied yet --------------------------------------------------------------------------------------------------


def test_what_was_not_applied_yet_is_no_drift_where_the_revision_says_so(scene):
    scene.in_sync()
    applied = scene.commit()
    scene.manifest(BLOCK["orgs.yaml"].replace("hugo:\n        role: member", "hugo:\n        role: owner"))
    assert scene.drift().status == 2
    ran = scene.drift("--applied", applied)
    assert (ran.status, ran.out.splitlines()[-1]) == (0, "Nothing changed outside; 1 difference not applied yet.")
    assert "Not applied yet" in ran.out
    (found,) = scene.found("--applied", applied)
    assert (found["standing"], found["by"]) == ("not-applied", None)


def test_what_changed_outside_stands_apart_from_it_and_the_fix_up_leaves_it_alone(scene):
    scene.in_sync()
    applied = scene.commit()
    scene.manifest(BLOCK["orgs.yaml"].replace("hugo:\n        role: member", "hugo:\n        role: owner"))
    INVITED.do(scene)
    ran = scene.drift("--applied", applied, "--format", "json")
    assert ran.status == 2
    assert {d["address"]: d["standing"] for d in ran.json["differences"]} == {
        "org.acme/member.hugo": "not-applied",
        "org.acme/member.mallory": "outside",
    }
    scene.git("apply", "-", said=scene.drift("--applied", applied, "--fix-up").out)
    assert scene.drift("--applied", applied).status == 0
    assert scene.planned().addresses == ["org.acme/member.hugo"]


def test_what_changed_outside_and_in_the_manifests_is_drift(scene):
    scene.in_sync()
    applied = scene.commit()
    scene.manifest(BLOCK["orgs.yaml"].replace("display_name: Acme ", "display_name: New "))
    DISPLAY.do(scene)
    (found,) = scene.found("--applied", applied)
    assert (found["standing"], found["wanted"]) == ("outside", "New")


def test_a_stated_rename_that_is_not_applied_yet(scene):
    scene.in_sync()
    applied = scene.commit()
    scene.manifest(BLOCK["orgs.yaml"].replace("  acme:", "  acme-corp:\n    renamed_from: acme"))
    INVITED.do(scene)
    told = {d["address"]: (d["what"], d["standing"]) for d in scene.found("--applied", applied)}
    assert told == {
        "org.acme-corp": ("renamed", "not-applied"),
        "org.acme-corp/member.mallory": ("added", "outside"),
    }


def test_a_folder_will_do_for_a_revision_and_only_its_orgs_of_today_count(scene):
    scene.in_sync(FILES)
    (scene.folder / "before").mkdir()
    (scene.folder / "before" / "orgs.yaml").write_text(BLOCK["orgs.yaml"] + "  gone:\n    members: {alice: owner}\n")
    DISPLAY.do(scene)
    (found,) = scene.found("--applied", "./before")
    assert (found["standing"], found["address"]) == ("outside", "org.acme")


def test_wrong_manifests_at_the_revision_are_one_line(scene):
    scene.in_sync()
    scene.manifest("orgs: {acme: {members: {alice: overlord}}}")
    revision = scene.commit()
    scene.manifest(BLOCK["orgs.yaml"])
    ran = scene.drift("--applied", revision)
    assert ran.status == 1
    assert ran.err.startswith(f"Error: the manifests at {revision} are not valid: orgs.yaml:2:")


# --- what nobody manages ----------------------------------------------------------------------------------------------


def test_what_no_manifest_covers_is_listed_where_it_is_asked_for(scene):
    world = """
orgs:
  acme: {members: {alice: owner, bob: member}, workspaces: {prod: {members: {bob: reader}}, spare: {}}}
  beta: {members: {alice: owner, carol: member}, workspaces: {dev: {}}}
  gamma: {members: {alice: owner}}
"""
    layout = (
        "version: 1\norgs: {acme: {members: {alice: owner, bob: member}, workspaces: {prod: {}}}, beta: {url: ''}}\n"
    )
    scene.in_sync({"orgs.yaml": layout}, world)
    plain = scene.drift("--format", "json")
    assert (plain.status, plain.json["unmanaged"]) == (0, None)
    ran = scene.drift("--format", "json", "--unmanaged")
    assert ran.status == 0
    assert [(u["address"], u.get("role")) for u in ran.json["unmanaged"]] == [
        ("org.gamma", None),
        ("org.acme/workspace.prod/grant.bob", "reader"),
        ("org.acme/workspace.spare", None),
        ("org.beta/member.alice", "owner"),
        ("org.beta/member.carol", "member"),
        ("org.beta/workspace.dev", None),
    ]
    assert "org.acme/workspace.spare" in scene.drift("--unmanaged").out
