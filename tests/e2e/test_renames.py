"""Renames, case by case: made outside, stated in the manifest, refused; told from delete and create by id.

Each case ends where a plan is empty again, and no id has changed on the way.
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing

import pytest

from e2e.bench import LOCK, Bench

WORLD = """
users: {bob: {}, carol: {}, dave: {}}
orgs:
  acme:
    members: {alice: owner, bob: owner, carol: member}
    workspaces:
      prod: {desired_state: enabled, members: {carol: reader}}
      lab: {desired_state: disabled}
"""
MANIFEST = """
orgs:
  acme:
    members: {alice: owner, bob: owner, carol: member}
    workspaces:
      prod: {members: {carol: reader}}
      lab: {}
"""
HOST = "usea1.db.pipes.turbot.com"


@pytest.fixture
def applied(bench):
    """Live as the manifest has it, with the lock file of an apply."""
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    assert bench.apply().status == 0
    assert bench.lock_text() is not None
    return bench


def ids(bench: Bench) -> dict[str, str]:
    """Every object's id, with what of it never changes: where it is."""
    with closing(sqlite3.connect(bench.db)) as db:
        return dict(
            db.execute("SELECT id, type FROM identity UNION ALL SELECT id, 'workspace of ' || org_id FROM workspace")
        )


def people(bench: Bench, org: str) -> dict[str, str]:
    """user id -> role in an org."""
    return {row["user_id"]: row["role"] for row in bench.client().all(f"/org/{org}/member")}


def outside(bench: Bench, path: str, handle: str, *, by: str = "bob") -> None:
    bench.client(by).ok("PATCH", path, {"handle": handle})


def refusal(bench: Bench, code: str = "rename"):
    """The one refusal of a plan that changes nothing."""
    ran = bench.planned()
    assert ran.status == 3
    (found,) = ran.json["safeguards"]["refusals"]
    assert found["code"] == code
    assert ran.addresses == []
    before = bench.database()
    assert bench.apply().status == 3
    assert bench.database() == before
    return found


def dns(ran) -> list[tuple[str, str, str]]:
    return sorted((row["workspace"], row["before"], row["after"]) for row in ran.json["dns"])


def warned(ran) -> list[str]:
    return [row["summary"] for row in ran.json["warnings"]]


def settles(bench: Bench, before: dict[str, str], *, lock: bool = True) -> None:
    """Applied to the end: nothing is left to plan, no id is another, and the lock file needs nothing."""
    ran = bench.apply()
    assert ran.status == 0, ran.out + ran.err
    assert bench.planned("--detailed-exitcode").status == 0
    assert ids(bench) == before
    if lock:
        ran = bench.run("lock", "--check", *bench.local)
        assert ran.status == 0, ran.out


# --- renamed outside --------------------------------------------------------------------------------------------------


def test_an_org_that_was_renamed_outside_is_told_by_its_id_with_who_and_when_and_both_ways_on(applied):
    outside(applied, "/org/acme", "acme-group")
    found = refusal(applied)
    assert found["address"] == "org.acme"
    assert "acme was renamed outside: the org with its id o_" in found["fact"]
    assert re.search(r"is live as acme-group; changed by bob from [0-9.]+ at 2026-11-24T09:\d\d:\d\dZ$", found["fact"])
    assert found["fix"] == (
        "write `acme-group` instead of `acme` in the manifest, or state the rename back with `renamed_from: acme-group`"
    )


def test_a_workspace_that_was_renamed_outside_is_told_with_who_and_when_and_both_ways_on(applied):
    outside(applied, "/org/acme/workspace/prod", "live")
    found = refusal(applied)
    assert found["address"] == "org.acme/workspace.prod"
    assert re.search(r"is live as live; changed by bob from [0-9.]+ at 2026-11-24T09:\d\d:\d\dZ$", found["fact"])
    assert "write `live` instead of `prod`" in found["fix"]
    assert "`renamed_from: live`" in found["fix"]


def test_a_person_who_took_another_handle_is_told_by_id_and_nobody_else_could_have_done_it(applied):
    outside(applied, "/user/carol", "caroline", by="carol")
    found = refusal(applied)
    assert found["address"] == "org.acme/member.carol"
    assert "carol was renamed outside: the user with the id u_" in found["fact"]
    assert "people change their own handles, and no org's audit log records it" in found["fact"]
    assert "write the new handle, as `caroline`" in found["fix"]
    assert "nobody but they themselves can take the old one back" in found["fix"]


def test_the_audit_log_is_read_only_where_something_was_renamed(applied):
    def asked():
        with applied.served() as seen:
            applied.run("plan", "--host", applied.host)
        return [path for _, path, _ in seen if path.endswith("/audit_log")]

    assert asked() == []
    applied.client().ok("DELETE", "/org/acme/member/carol")
    assert asked() == []
    outside(applied, "/user/bob", "robert")
    assert asked() == []  # it would not tell
    outside(applied, "/org/acme/workspace/prod", "live", by="robert")
    assert len(asked()) == 1


def test_without_the_right_to_the_log_the_rename_is_told_all_the_same(applied):
    outside(applied, "/org/acme", "acme-group")
    applied.client("bob").ok("PATCH", "/org/acme-group/member/alice", {"role": "member"})
    ran = applied.planned()
    (found,) = ran.json["safeguards"]["refusals"]
    assert (
        "is live as acme-group; changed by: unknown (only owners of the organization can read its audit log"
        in found["fact"]
    )


@pytest.mark.parametrize("text", [
    pytest.param(MANIFEST.replace("  acme:", "  acme-group:"), id="the new handle is written"),
    pytest.param(MANIFEST.replace("  acme:", "  acme:\n    renamed_from: acme-group"), id="the rename is stated back"),
])  # fmt: skip
def test_both_ways_on_after_the_rename_of_an_org_end_in_peace(applied, text):
    before, members = ids(applied), people(applied, "acme")
    outside(applied, "/org/acme", "acme-group")
    applied.manifest(text)
    ran = applied.planned()
    back = "renamed_from" in text
    assert ran.addresses == (["org.acme"] if back else [])
    names = [
        ("acme/lab", f"acme-group-lab.{HOST}", f"acme-lab.{HOST}"),
        ("acme/prod", f"acme-group-prod.{HOST}", f"acme-prod.{HOST}"),
    ]
    assert dns(ran) == (names if back else [])
    settles(applied, before)
    assert people(applied, "acme" if back else "acme-group") == members


@pytest.mark.parametrize("text", [
    pytest.param(MANIFEST.replace("prod:", "live:"), id="the new handle is written"),
    pytest.param(MANIFEST.replace("prod: {", "prod: {renamed_from: live, "), id="the rename is stated back"),
])  # fmt: skip
def test_both_ways_on_after_the_rename_of_a_workspace_end_in_peace(applied, text):
    before = ids(applied)
    outside(applied, "/org/acme/workspace/prod", "live")
    applied.manifest(text)
    back = "renamed_from" in text
    ran = applied.planned()
    assert ran.addresses == (["org.acme/workspace.prod"] if back else [])
    assert dns(ran) == ([("acme/prod", f"acme-live.{HOST}", f"acme-prod.{HOST}")] if back else [])
    settles(applied, before)
    assert applied.grants("acme", "prod" if back else "live") == {"carol": "reader"}


@pytest.mark.parametrize("text", [
    pytest.param(MANIFEST.replace("carol", "caroline"), id="the new handle is written"),
    pytest.param("people: {carol: {handle: caroline}}" + MANIFEST, id="the name stays and gets the handle"),
])  # fmt: skip
def test_after_a_person_took_another_handle_the_manifest_follows(applied, text):
    before, members = ids(applied), people(applied, "acme")
    outside(applied, "/user/carol", "caroline", by="carol")
    applied.manifest(text)
    assert applied.planned().addresses == []
    settles(applied, before)
    assert people(applied, "acme") == members
    assert applied.grants("acme", "prod") == {"caroline": "reader"}


def test_a_person_who_takes_the_old_handle_back_ends_it_too(applied):
    outside(applied, "/user/carol", "caroline", by="carol")
    refusal(applied)
    outside(applied, "/user/caroline", "carol", by="caroline")
    assert applied.planned("--detailed-exitcode").status == 0


def test_org_workspace_and_person_renamed_at_once_are_told_one_after_the_other(applied):
    """The new handle of the org is written: what lies in it is still known by id."""
    before = ids(applied)
    outside(applied, "/org/acme", "acme-group")
    outside(applied, "/org/acme-group/workspace/prod", "live")
    outside(applied, "/user/carol", "caroline", by="carol")
    assert refusal(applied)["address"] == "org.acme"
    text = MANIFEST.replace("  acme:", "  acme-group:")
    applied.manifest(text)
    ran = applied.planned()
    assert (ran.codes, ran.addresses) == (["rename", "rename"], [])
    applied.manifest(text.replace("prod:", "live:").replace("carol", "caroline"))
    settles(applied, before)


def test_an_org_that_was_renamed_and_closed_to_the_token_is_not_made_again(applied):
    outside(applied, "/org/acme", "acme-group")
    applied.client("bob").ok("DELETE", "/org/acme-group/member/alice")
    found = refusal(applied)
    assert "the org that the lock file knows by it (o_" in found["fact"]
    assert "have one of its owners let alice in" in found["fix"]
    for text in ("orgs: {acme: {absent: true}}", MANIFEST):
        applied.manifest(text)
        assert refusal(applied)["address"] == "org.acme"


def test_an_org_that_was_deleted_outside_is_made_again(applied):
    applied.client("bob").ok("DELETE", "/org/acme")
    applied.manifest("orgs: {acme: {members: {alice: owner, bob: owner}}}")
    ran = applied.planned()
    assert (ran.status, ran.codes, ran.addresses[0]) == (0, [], "org.acme")


def test_an_id_in_the_lock_file_is_never_a_way_to_another_path(applied):
    found = json.loads(applied.lock_text())
    found["entries"]["org.acme"]["id"] = "../user/carol"
    (applied.folder / LOCK).write_text(json.dumps(found))
    applied.client("bob").ok("DELETE", "/org/acme")
    with applied.served() as seen:
        applied.run("plan", "--host", applied.host)
    assert not [path for _, path, _ in seen if "user/carol" in path or ".." in path]


# --- somebody else under a handle that was freed ----------------------------------------------------------------------


def test_who_takes_the_handle_of_somebody_who_left_is_not_invited_in_their_place(applied):
    applied.client("carol").ok("DELETE", "/org/acme/member/carol")
    outside(applied, "/user/carol", "caroline", by="carol")
    found = refusal(applied)
    assert "nobody has the handle carol any more" in found["fact"]
    outside(applied, "/user/dave", "carol", by="dave")
    found = refusal(applied)
    assert "the handle carol now belongs to the user u_" in found["fact"]
    assert "remove the entry org.acme/member.carol from the lock file" in found["fix"]


def test_a_name_is_the_same_person_in_an_org_that_it_is_new_in(applied):
    applied.client().ok("POST", "/org", {"handle": "beta"})
    applied.manifest(f"{MANIFEST}  beta: {{members: {{alice: owner, carol: member}}}}\n")
    assert applied.planned().addresses == ["org.beta/member.carol"]
    outside(applied, "/user/carol", "caroline", by="carol")
    outside(applied, "/user/dave", "carol", by="dave")
    ran = applied.planned()
    assert (ran.codes, ran.addresses) == (["rename", "rename"], [])
    assert "remove the entry org.acme/member.carol" in ran.json["safeguards"]["refusals"][1]["fix"]
    applied.client().ok("POST", "/org/beta/member/invite", {"handle": "caroline", "role": "member"})
    ran = applied.planned()
    assert (ran.codes, ran.addresses) == (["rename", "rename"], [])


def test_two_people_of_the_manifest_who_swap_handles_keep_what_is_theirs(applied):
    outside(applied, "/user/carol", "tmp", by="carol")
    outside(applied, "/user/bob", "carol")
    outside(applied, "/user/tmp", "bob", by="tmp")
    ran = applied.planned()
    assert (ran.codes, ran.addresses) == (["rename", "rename"], [])


def test_somebody_new_in_the_manifest_whose_handle_a_listed_person_took_is_doubtful(applied):
    outside(applied, "/user/carol", "erin", by="carol")
    applied.manifest(MANIFEST.replace("carol: member", "carol: member, erin: owner"))
    ran = applied.planned()
    assert (ran.codes, ran.addresses) == (["rename", "rename"], [])
    assert "whom the lock file knows as carol" in ran.out


# --- renamed in the manifest ------------------------------------------------------------------------------------------


def test_an_org_is_renamed_with_every_dns_name_listed_and_a_warning_for_those_that_answer(applied):
    before, members = ids(applied), people(applied, "acme")
    applied.manifest(MANIFEST.replace("  acme:", "  acme-group:\n    renamed_from: acme"))
    ran = applied.planned()
    assert ran.addresses == ["org.acme-group"]
    assert dns(ran) == [
        ("acme-group/lab", f"acme-lab.{HOST}", f"acme-group-lab.{HOST}"),
        ("acme-group/prod", f"acme-prod.{HOST}", f"acme-group-prod.{HOST}"),
    ]
    assert warned(ran) == [
        (
            f"whoever connects to acme-prod.{HOST} finds nobody there after this rename: acme-group/prod will be "
            f"acme-group-prod.{HOST}"
        )
    ]
    assert f"acme-prod.{HOST} -> acme-group-prod.{HOST}" in applied.plan().out
    settles(applied, before)
    assert people(applied, "acme-group") == members
    assert {row["host"] for row in applied.client().all("/org/acme-group/workspace")} == {
        f"acme-group-{name}.{HOST}" for name in ("prod", "lab")
    }


def test_a_workspace_is_renamed_with_its_dns_name(applied):
    before = ids(applied)
    applied.manifest(MANIFEST.replace("prod: {", "live: {renamed_from: prod, "))
    ran = applied.planned()
    assert dns(ran) == [("acme/live", f"acme-prod.{HOST}", f"acme-live.{HOST}")]
    assert len(warned(ran)) == 1
    settles(applied, before)
    assert applied.grants("acme", "live") == {"carol": "reader"}


def test_a_rename_and_other_changes_are_one_apply(applied):
    before = ids(applied)
    applied.manifest("""
orgs:
  acme-group:
    renamed_from: acme
    display_name: Acme Group
    members: {alice: owner, bob: member, carol: owner, dave: member}
    workspaces:
      live: {renamed_from: prod, instance_type: db1.small, members: {bob: operator, dave: reader}}
      lab: {}
""")
    ran = applied.planned()
    assert ran.addresses[:2] == ["org.acme-group", "org.acme-group/workspace.live"]
    assert dns(ran) == [
        ("acme-group/lab", f"acme-lab.{HOST}", f"acme-group-lab.{HOST}"),
        ("acme-group/live", f"acme-prod.{HOST}", f"acme-group-live.{HOST}"),
    ]
    settles(applied, before)
    assert applied.members("acme-group") == {"alice": "owner", "bob": "member", "carol": "owner", "dave": "member?"}
    assert applied.grants("acme-group", "live") == {"bob": "operator", "dave": "reader", "carol": "reader"}


def test_a_rename_that_is_done_says_nothing_more_and_validate_suggests_to_drop_it(applied):
    text = MANIFEST.replace("  acme:", "  acme-group:\n    renamed_from: acme").replace(
        "prod: {", "live: {renamed_from: prod, "
    )
    applied.manifest(text)
    assert "renamed_from" not in applied.run("validate").out + applied.run("validate").err  # it is still to be done
    assert applied.apply().status == 0
    ran = applied.planned("--detailed-exitcode")
    assert (ran.status, ran.addresses, warned(ran)) == (0, [], [])
    found = applied.run("validate", "--format", "json").json["diagnostics"]
    assert [(row["severity"], row["summary"]) for row in found] == [
        ("warning", "the lock file knows acme-group by that name: `renamed_from: acme` is done"),
        ("warning", "the lock file knows live by that name: `renamed_from: prod` is done"),
    ]
    assert [row["source"]["line"] for row in found] == [5, 8]
    # another org under the old handle is none of its business
    applied.client().ok("POST", "/org", {"handle": "acme"})
    assert applied.run("validate").status == 0
    applied.manifest(MANIFEST.replace("  acme:", "  acme-group:").replace("prod:", "live:"))
    assert applied.planned("--detailed-exitcode").status == 0
    assert "renamed_from" not in applied.run("validate").out


# --- chains, swaps, and a handle that another one takes -----------------------------------------------------------------


TWO = """
orgs:
  left: {members: {alice: owner}, workspaces: {aa: {}, bb: {}}}
  right: {members: {alice: owner}}
"""


@pytest.fixture
def two(bench):
    bench.pipes(TWO)
    bench.manifest(TWO)
    assert bench.apply().status == 0
    return bench


def test_a_swap_of_orgs_is_refused_and_the_steps_that_it_names_work(two):
    before = ids(two)
    names = {name: identifier for identifier, name in two.names().items()}
    two.manifest(
        TWO.replace("left: {", "left: {renamed_from: right, ").replace("right: {m", "right: {renamed_from: left, m")
    )
    ran = two.planned()
    assert (ran.codes, ran.addresses) == (["rename", "rename"], [])
    assert "rename one of them in an apply of its own first, over a third handle" in ran.out
    steps = (
        TWO.replace("  left: {", "  third: {renamed_from: left, "),
        TWO.replace("  left: {", "  third: {").replace("  right: {", "  left: {renamed_from: right, "),
        TWO.replace("  right: {", "  LEFT: {")
        .replace("  left: {", "  right: {renamed_from: third, ")
        .replace("LEFT", "left"),
    )
    for text in steps:
        two.manifest(text)
        settles(two, before)
    after = {name: identifier for identifier, name in two.names().items()}
    assert (after["org left"], after["org right"]) == (names["org right"], names["org left"])
    assert after["workspace right/aa"] == names["workspace left/aa"]


def test_a_chain_of_workspaces_is_refused_and_the_steps_that_it_names_work(two):
    before = ids(two)
    names = {name: identifier for identifier, name in two.names().items()}
    two.manifest(TWO.replace("aa: {}, bb: {}", "bb: {renamed_from: aa}, cc: {renamed_from: bb}"))
    ran = two.planned()
    assert set(ran.codes) == {"rename"}
    assert "a chain or a swap" in ran.out
    assert "in an apply of its own first" in ran.out
    for spaces in ("aa: {}, cc: {renamed_from: bb}", "bb: {renamed_from: aa}, cc: {}"):
        two.manifest(TWO.replace("aa: {}, bb: {}", spaces))
        settles(two, before)
    after = {name: identifier for identifier, name in two.names().items()}
    assert (after["workspace left/bb"], after["workspace left/cc"]) == (
        names["workspace left/aa"],
        names["workspace left/bb"],
    )


def test_a_swap_of_workspaces_is_refused_and_a_third_handle_is_the_way(two):
    before = ids(two)
    two.manifest(TWO.replace("aa: {}, bb: {}", "aa: {renamed_from: bb}, bb: {renamed_from: aa}"))
    ran = two.planned()
    assert (ran.codes, ran.addresses) == (["rename", "rename"], [])
    for spaces in (
        "third: {renamed_from: aa}, bb: {}",
        "third: {}, aa: {renamed_from: bb}",
        "bb: {renamed_from: third}, aa: {}",
    ):
        two.manifest(TWO.replace("aa: {}, bb: {}", spaces))
        settles(two, before)


def test_a_handle_that_one_org_frees_is_not_taken_by_another_in_the_same_apply(two):
    """Between the two anybody could take it, and after a kill nobody could tell them apart: one apply each."""
    before = ids(two)
    text = TWO.replace("  left: {", "  fresh: {renamed_from: left, ").replace(
        "  right: {", "  left: {renamed_from: right, "
    )
    two.manifest(text)
    ran = two.planned()
    assert (ran.status, ran.addresses) == (3, [])
    assert set(ran.codes) == {"rename"}
    database = two.database()
    assert two.apply().status == 3
    assert two.database() == database
    two.manifest(TWO.replace("  left: {", "  fresh: {renamed_from: left, "))
    settles(two, before)
    two.manifest(TWO.replace("  left: {", "  fresh: {").replace("  right: {", "  left: {renamed_from: right, "))
    settles(two, before)


def test_a_new_org_does_not_take_a_handle_that_is_freed_in_the_same_apply(two):
    two.manifest(TWO.replace("  left: {", "  fresh: {renamed_from: left, ") + "  left: {members: {alice: owner}}\n")
    ran = two.planned()
    assert (ran.status, set(ran.codes)) == (3, {"rename"})
    assert two.apply().status == 3


def test_an_org_does_not_get_the_handle_of_a_user(two):
    two.manifest(TWO.replace("  left: {", "  alice: {renamed_from: left, "))
    assert "handle-taken" in two.planned().codes
    assert two.apply().status == 3


def test_a_handle_that_a_user_takes_between_plan_and_apply_fails_the_step_and_nothing_else(two):
    before = ids(two)
    two.manifest(TWO.replace("  left: {", "  fresh: {renamed_from: left, "))
    with two.served({"method": "PATCH", "path": "/org/left", "kind": "latency", "ms": 60_000, "times": 1}) as seen:
        process = two.start("apply", "--auto-approve", "--host", two.host)
        seen.wait_until_held()
        two.client().ok("PATCH", "/user/alice", {"handle": "fresh"})
        seen.released.set()
        out, _ = process.communicate(timeout=60)
    assert process.returncode in (1, 5), out
    assert ids(two) == before
    assert "org left" in two.names().values()


# --- the lock file is lost --------------------------------------------------------------------------------------------


def lost(bench: Bench) -> None:
    (bench.folder / LOCK).unlink()


def test_without_a_lock_file_an_org_that_was_renamed_looks_like_a_rename(applied):
    outside(applied, "/org/acme", "acme-group")
    lost(applied)
    found = applied.planned()
    assert found.codes == ["looks-like-rename"]
    assert "acme-group" in found.json["safeguards"]["refusals"][0]["fact"]
    assert applied.apply().status == 3


def test_without_a_lock_file_a_workspace_that_was_renamed_looks_like_a_rename(applied):
    outside(applied, "/org/acme/workspace/prod", "production")
    lost(applied)
    assert applied.planned().codes == ["looks-like-rename"]
    assert applied.apply().status == 3


def test_without_a_lock_file_a_person_who_was_renamed_is_an_unknown_user_and_nothing_is_applied(applied):
    outside(applied, "/user/carol", "caroline", by="carol")
    lost(applied)
    ran = applied.planned()
    assert ran.codes == ["unknown-user"]
    assert "caroline" in ran.json["safeguards"]["refusals"][0]["fix"]
    before = applied.database()
    assert applied.apply().status == 3
    assert applied.database() == before


def test_without_a_lock_file_an_owner_under_another_handle_is_not_removed(applied):
    outside(applied, "/user/bob", "robert")
    lost(applied)
    assert set(applied.planned().codes) == {"unknown-user", "owner-removal"}
    assert applied.apply().status == 3


def test_without_a_lock_file_somebody_invited_by_email_is_asked_for(applied):
    applied.manifest(
        "people: {eve: {email: eve@example.com}}" + MANIFEST.replace("carol: member", "carol: member, eve: member")
    )
    assert applied.apply().status == 0
    lost(applied)
    assert applied.planned().codes == ["who-is-this"]


@pytest.mark.parametrize("text", [
    pytest.param(MANIFEST.replace("  acme:", "  acme-group:\n    renamed_from: acme"), id="an org"),
    pytest.param(MANIFEST.replace("prod: {", "live: {renamed_from: prod, "), id="a workspace"),
])  # fmt: skip
def test_a_rename_that_is_stated_needs_no_lock_file(applied, text):
    before = ids(applied)
    lost(applied)
    applied.manifest(text)
    assert len(applied.planned().addresses) == 1
    settles(applied, before)


def test_a_done_rename_without_a_lock_file_is_inert_too(applied):
    applied.manifest(MANIFEST.replace("  acme:", "  acme-group:\n    renamed_from: acme"))
    assert applied.apply().status == 0
    lost(applied)
    assert applied.planned("--detailed-exitcode").status == 0
    assert "renamed_from" not in applied.run("validate").out
