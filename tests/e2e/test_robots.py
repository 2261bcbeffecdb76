"""Service accounts and other robots, and rows that are not ours: by the command, against the embedded Pipes."""

import signal

import pytest

from e2e.between import answer
from e2e.test_killed import deadly

SECOND = "tpt_second0never0shown00bbbb"
THREE = """
orgs:
  acme:
    members: {alice: owner, bob: member}
    service_accounts:
      sa-1: {title: CI pipelines, description: plans and applies, role: owner}
      sa-2: {title: Backup}
      sa-3: {title: Backup}
    workspaces: {prod: {members: {sa-2: operator}}}
"""


def with_tokens(bench, ends="2026-12-05T09:00:00Z"):
    """The same world, in which sa-1 has two tokens: the one in use, which ends, and another one."""
    import yaml

    from e2e.bench import ISSUED, TOKEN

    world = yaml.safe_load(THREE)
    world["actor"] = "sa-1"
    world["tokens"] = [
        {
            "user": "sa-1",
            "token": TOKEN,
            "issued_at": ISSUED,
            "title": "in CI",
            **({"expires_at": ends} if ends else {}),
        },
        {"user": "sa-1", "token": SECOND, "issued_at": ISSUED, "title": "spare"},
    ]
    bench.hidden.add(SECOND)
    bench.pipes(world)


# --- nobody is locked out ---------------------------------------------------------------------------------------------

ALONE = """
actor: {actor}
users: {{zoe: {{}}}}
orgs:
  acme:
    members: {{alice: owner, deploy-bot: owner, zoe: {{role: owner, status: invited}}}}
    service_accounts: {{deploy: {{title: Deployments, role: owner}}}}
"""
LISTED = """
people: {bot: {handle: deploy-bot, robot: true}}
orgs:
  acme:
    service_accounts: {deploy: {title: Deployments}}
    members: {%s, zoe: owner, bot: owner, service/deploy: owner}
"""


@pytest.mark.parametrize("actor", ["deploy", "alice"])
@pytest.mark.parametrize(
    "entry", ["alice: {absent: true}", "alice: member", "alice: {role: owner, expires: 2026-11-01}"]
)
def test_robots_and_invited_owners_do_not_keep_an_org_that_the_last_person_leaves(bench, actor, entry):
    bench.pipes(ALONE.format(actor=actor))
    bench.manifest(LISTED % entry)
    before = bench.database()
    ran = bench.apply()
    assert ran.status == 3
    assert "owner-floor" in ran.out
    assert "no person would own acme" in ran.out
    assert bench.database() == before
    assert bench.apply("--allow", "owner-floor=org.acme").status in (1, 3)
    assert bench.database() == before


MEANWHILE = """
actor: {actor}
users: {{carol: {{}}, deploy-bot: {{}}}}
orgs:
  acme:
    members: {{alice: owner, bob: owner, carol: owner, deploy-bot: owner}}
    service_accounts: {{deploy: {{title: Deployments, role: owner}}}}
"""
THEN = """
people: {bot: {handle: deploy-bot, robot: true}, alice: {robot: true}}
orgs:
  acme:
    service_accounts: {deploy: {title: Deployments}}
    members: {alice: owner, bob: {absent: true}, carol: owner, bot: owner, service/deploy: owner}
"""


@pytest.mark.parametrize("actor", ["deploy", "alice"])
def test_robots_do_not_count_as_owners_either_when_the_people_left_go_during_the_apply(bench, monkeypatch, actor):
    bench.pipes(MEANWHILE.format(actor=actor))
    bench.manifest(THEN)
    allowed = ("--allow", "owner-removal=org.acme/member.bob")
    assert bench.planned(*allowed).status == 0
    other, done = bench.client("carol"), []

    def after(method, path):
        if (method, path) == ("GET", "/org/acme/member") and not done:  # the list that the plan is made from
            done.append(other.ok("PATCH", "/org/acme/member/carol", {"role": "member"}))

    answer(monkeypatch, lambda *_: None, after)
    ran = bench.apply(*allowed)
    assert done
    assert "no person would own acme, the floor is 1" in ran.out
    assert bench.members("acme")["bob"] == "owner"


def test_manifests_in_which_only_robots_own_an_org_are_not_valid(bench):
    bench.manifest(LISTED.replace(", zoe: owner", "") % "alice: {absent: true}")
    ran = bench.run("validate")
    assert ran.status == 1
    assert "no person would own acme; bot, service/deploy are robots" in ran.out + ran.err


def test_a_service_account_that_no_line_lists_is_reported_and_left_alone(bench):
    bench.pipes(THREE)
    bench.manifest("orgs: {acme: {members: {alice: owner}, workspaces: {prod: {members: {}}}}}")
    plan = bench.planned()
    assert plan.addresses == ["org.acme/member.bob"]
    assert plan.json["unmanaged"] == [
        "org.acme/member.sa-1",
        "org.acme/member.sa-2",
        "org.acme/member.sa-3",
        "org.acme/workspace.prod/grant.sa-2",
    ]
    assert bench.apply().status == 0
    assert bench.members("acme") == {"alice": "owner", "sa-1": "owner", "sa-2": "member", "sa-3": "member"}
    assert bench.grants("acme", "prod") == {"sa-2": "operator"}
    drift = bench.run("drift", *bench.local, "--unmanaged")
    assert drift.status == 0
    assert "org.acme/member.sa-1" in drift.out


def test_a_service_account_stands_as_service_and_its_key_only(bench):
    bench.pipes(THREE)
    bench.manifest("orgs: {acme: {members: {alice: owner, bob: member, sa-2: owner}}}")
    ran = bench.plan()
    assert ran.status == 1
    assert "sa-2 is a service account" in ran.out
    assert "service_accounts: {NAME: {handle: sa-2}}" in ran.out


def test_the_account_of_the_token_in_use_goes_only_if_that_is_allowed(bench):
    with_tokens(bench, "")
    bench.manifest("orgs: {acme: {service_accounts: {ci: {absent: true, title: CI pipelines}}}}")
    refused = bench.planned()
    assert (refused.status, set(refused.codes)) == (3, {"self-removal", "service-account-owner"})


def test_a_service_account_that_owns_an_org_does_not_change_another_one_that_does(bench):
    bench.pipes(
        "{actor: sa-1, orgs: {acme: {members: {alice: owner}, service_accounts: {sa-1: {title: one, role: owner},"
        " sa-2: {title: two, role: owner}, sa-3: {title: three}}}}}"
    )
    accounts = "one: {title: one}, two: {title: two, description: %s}, three: {title: three, description: %s}"
    manifest = "orgs: {acme: {service_accounts: {%s}, members: {alice: owner, service/one: owner, service/two: %s, service/three: member}}}"
    bench.manifest(manifest % (accounts % ('""', "new"), "owner"))
    assert bench.apply().status == 0
    for description, role in (("new", "owner"), ('""', "member")):
        bench.manifest(manifest % (accounts % (description, "new"), role))
        assert (bench.planned().status, bench.planned().codes) == (3, ["service-account-owner"])


# --- the accounts themselves ------------------------------------------------------------------------------------------


def test_an_import_of_three_service_accounts_leaves_nothing_to_do(bench):
    with_tokens(bench, "")
    assert bench.run("import", "acme", *bench.local).status == 0
    assert bench.plan("--detailed-exitcode").status == 0
    (bench.folder / "orgs" / "reconciler.lock.json").unlink()
    assert bench.plan("--detailed-exitcode").status == 0
    access = bench.run("access")
    assert "2 people and 3 robots in 1 organization" in access.out


def test_an_import_into_manifests_that_are_there_adds_the_accounts_with_their_roles(bench):
    bench.pipes(THREE)
    bench.manifest("orgs:\n  acme:\n    members: {alice: owner, bob: member}\n    workspaces: {prod: {members: {}}}\n")
    ran = bench.run("import", "acme", *bench.local)
    assert ran.status == 0, ran.err
    text = (bench.folder / "orgs.yaml").read_text()
    assert "service/ci-pipelines: owner" in text
    assert "service/sa-2: operator" in text
    assert bench.plan("--detailed-exitcode").status == 0


CI = "orgs: {acme: {service_accounts: {ci: {title: %s}}, members: {alice: owner, bob: member, service/ci: owner}, workspaces: {prod: {members: {}}}}}"


def test_another_title_is_the_same_account(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner, bob: member}, workspaces: {prod: {}}}}")
    bench.manifest(CI % "CI")
    assert bench.apply().status == 0
    (made,) = bench.client().all("/org/acme/service_account")
    bench.manifest(CI % "Pipelines")
    assert bench.planned().addresses == ["org.acme/service_account.ci"]
    assert bench.apply().status == 0
    (now,) = bench.client().all("/org/acme/service_account")
    assert (now["id"], now["title"]) == (made["id"], "Pipelines")
    assert bench.members("acme")[now["handle"]] == "owner"


def test_without_a_lock_file_two_accounts_of_one_title_are_never_joined_by_a_third(bench):
    bench.pipes(THREE)
    bench.manifest("orgs: {acme: {service_accounts: {backup: {title: Backup}}}}")
    assert (bench.planned().status, bench.planned().codes) == (3, ["who-is-this"])
    bench.manifest("orgs: {acme: {service_accounts: {backup: {title: Backup, handle: sa-3}}}}")
    assert bench.plan("--detailed-exitcode").status == 0


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_around_its_creation_an_account_is_made_once(bench, at, after):
    bench.pipes("orgs: {acme: {members: {alice: owner, bob: member}, workspaces: {prod: {members: {}}}}}")
    grants = CI.replace("members: {}", "members: {service/two: reader}").replace(
        "title: %s}", "title: CI}, two: {title: Two}"
    )
    bench.manifest(grants.replace("service/ci: owner", "service/ci: owner, service/two: member"))
    with deadly(bench, at, after=after) as (killer, host):
        process = bench.start("apply", "--auto-approve", "--host", host)
        killer.pid = process.pid
        process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    ran = bench.apply()
    assert ran.status == 0, ran.out + ran.err
    assert sorted(row["title"] for row in bench.client().all("/org/acme/service_account")) == ["CI", "Two"]
    assert bench.plan("--detailed-exitcode").status == 0


@pytest.mark.parametrize("fault", [{"kind": "drop-after"}, {"kind": "status", "status": 502}])
def test_an_account_whose_answer_is_lost_is_made_once(bench, fault):
    bench.pipes("orgs: {acme: {members: {alice: owner, bob: member}, workspaces: {prod: {members: {}}}}}")
    bench.manifest(CI % "CI")
    with bench.served({**fault, "method": "POST", "path": "/org/acme/service_account", "times": 1}):
        bench.apply()
    bench.apply()
    assert [row["title"] for row in bench.client().all("/org/acme/service_account")] == ["CI"]
    assert bench.plan("--detailed-exitcode").status == 0


def test_drift_says_who_changed_an_account_and_who_deleted_it(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner, bob: owner}, workspaces: {prod: {members: {}}}}}")
    bench.manifest(CI.replace("bob: member", "bob: owner") % "CI")
    assert bench.apply().status == 0
    (made,) = bench.client().all("/org/acme/service_account")
    bob = bench.client("bob")
    bob.ok("PATCH", f"/org/acme/service_account/{made['id']}", {"title": "Mine"})
    changed = bench.run("drift", *bench.local, "--format", "json")
    (difference,) = changed.json["differences"]
    assert (changed.status, difference["address"], difference["by"]["actor"]) == (
        2,
        "org.acme/service_account.ci",
        "bob",
    )
    with bench.served({"kind": "html", "status": 403, "path": "^/org/acme/audit_log$"}):
        by_its_own_log = bench.run("drift", "--host", bench.host, "--format", "json")
    assert [one["by"]["actor"] for one in by_its_own_log.json["differences"]] == ["bob"]
    bob.ok("DELETE", f"/org/acme/service_account/{made['id']}")
    gone = bench.run("drift", *bench.local, "--format", "json").json["differences"]
    assert [(d["address"], d["what"]) for d in gone] == [
        ("org.acme/member.service/ci", "removed"),
        ("org.acme/service_account.ci", "removed"),
    ]
    assert gone[1]["by"]["actor"] == "bob"


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_tokens_are_listed_and_no_format_has_their_values(bench):
    with_tokens(bench)
    assert bench.run("import", "acme", *bench.local).status == 0
    for command in (["drift"], ["access", "--live"]):
        for form in ("text", "json", "markdown", "html"):
            ran = bench.run(*command, *bench.local, "--format", form)
            assert ran.status == 0, ran.err
            assert "spare" in ran.out
            assert "bbbb" in ran.out
            assert "2026-12-05" in ran.out
    bench.run("access", "--live", *bench.local, "--format", "csv")
    bench.run("drift", *bench.local, "--format", "junit")
    bench.run("drift", *bench.local, "--format", "github")


def test_the_end_of_the_token_in_use_is_told_14_days_before(bench):
    with_tokens(bench, "2026-12-08T09:00:00Z")
    assert bench.run("import", "acme", *bench.local).status == 0
    for command in (["plan"], ["apply", "--auto-approve"], ["drift"]):
        assert "ends on 2026-12-08, in 14 days" in bench.run(*command, *bench.local).err
        assert "ends on" not in bench.run(*command, *bench.local, "--expiring", "13d").err
        assert "ends on" not in bench.run(*command, *bench.local, "--expiring", "0d").err


def test_an_expired_token_is_told_from_a_wrong_one(bench):
    with_tokens(bench, "2026-11-23T09:00:00Z")
    bench.manifest(CI % "CI")
    expired = bench.plan()
    assert (expired.status, "the token has expired" in expired.err) == (4, True)
    (bench.folder / "token").write_text("tpt_wrong")
    (bench.folder / "token").chmod(0o600)
    wrong = bench.plan("--token-file", "token")
    assert (wrong.status, "has expired" in wrong.err, "does not accept the token" in wrong.err) == (4, False, True)


def test_who_was_active_when_comes_with_the_rows(bench):
    bench.pipes("orgs: {acme: {members: {alice: {role: owner, last_activity_at: 2026-11-20T08:00:00Z}, bob: member}}}")
    text = bench.run("access", "--live", *bench.local, "--org", "acme").out
    assert "2026-11-20" in text
    assert "never" in text
    rows = bench.run("access", "--live", *bench.local, "--org", "acme", "--format", "json").json["access"]
    assert [row["last_activity_at"] for row in rows] == ["2026-11-20T08:00:00Z", None]
    assert "2026-11-20T08:00:00Z" in bench.run("access", "--live", *bench.local, "--org", "acme", "--format", "csv").out


# --- rows that are not ours -------------------------------------------------------------------------------------------


def test_a_hundred_plans_never_touch_what_another_tool_owns(bench):
    contractors = {f"contractor-{n}": ("owner" if n == 0 else "member") for n in range(10)}
    ours = {f"p{n}": "member" for n in range(10)}
    bench.pipes(
        {
            "orgs": {
                "acme": {
                    "members": {"alice": "owner", **ours, **contractors},
                    "workspaces": {"prod": {"members": dict.fromkeys([*list(contractors)[1:], "p1"], "operator")}},
                }
            }
        }
    )
    head = "safeguards: {max_removals: {count: 100, percent: 100}}\norgs:\n  acme:\n    ignore: [{handle: contractor-*, reason: theirs}]\n"
    for number in range(100):
        listed = [f"p{n}: member" for n in range(10) if (number >> (n % 7)) & 1]
        granted = [f"p{n}: reader" for n in range(10) if (number >> (n % 7)) & 1 and (n + number) % 3]
        bench.manifest(
            f"{head}    members: {{{', '.join(['alice: owner', *listed])}}}\n"
            f"    workspaces: {{prod: {{members: {{{', '.join(granted)}}}}}}}\n"
        )
        plan = bench.planned()
        assert not any("contractor" in address for address in plan.addresses), number
        assert not any(
            "contractor" in request["path"] for c in plan.json["resource_changes"] for request in c["requests"]
        )
        if number % 25 == 0:
            assert bench.apply().status == 0
            now = bench.members("acme")
            assert {name: role for name, role in now.items() if name in contractors} == contractors
            assert len([name for name in bench.grants("acme", "prod") if name in contractors]) == 9


def test_an_ignore_that_ended_is_reported(bench):
    bench.manifest(
        "orgs: {acme: {ignore: [{handle: c-*, reason: x, until: 2026-11-23}, {handle: d-*, reason: y, until: 2026-11-24}],"
        " members: {alice: owner}}}"
    )
    ran = bench.run("validate")
    assert ran.status == 0
    assert "the `ignore` of c-* in acme ended after 2026-11-23" in ran.out + ran.err
    assert "d-*" not in ran.err + ran.out.replace("{handle: d-*", "")


def test_what_is_kept_or_ignored_is_never_drift_and_is_listed(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner, c-1: member}}, beta: {members: {alice: owner, bob: member}}}")
    bench.manifest(
        "orgs: {acme: {ignore: [{handle: c-*, reason: theirs}], members: {alice: owner}},"
        " beta: {unlisted: keep, members: {alice: owner}}}"
    )
    ran = bench.run("drift", *bench.local, "--unmanaged", "--format", "json")
    assert ran.status == 0
    assert [one["address"] for one in ran.json["unmanaged"]] == ["org.acme/member.c-1", "org.beta/member.bob"]
    assert "c-* is ignored (theirs)" in bench.run("access").out


def test_a_leaver_hears_what_they_are_responsible_for(bench):
    bench.manifest(
        "teams: {platform: [alice, bob]}\n"
        "orgs:\n  acme:\n    service_accounts:\n      ci: {title: CI, responsible: bob}\n"
        "      backup: {title: Backup, responsible: team/platform}\n"
        "    members: {alice: owner, bob: member, service/ci: member, service/backup: member}\n"
    )
    ran = bench.run("offboard", "bob")
    assert ran.status == 0
    assert "bob is responsible for the service account acme/ci" in ran.err
    assert "team/platform is responsible for the service account acme/backup" in ran.err


def test_a_service_account_in_a_team_is_an_error_that_says_why(bench):
    bench.manifest("teams: {t: [alice, service/ci]}\norgs: {acme: {members: {alice: owner}}}")
    ran = bench.run("validate")
    assert ran.status == 1
    assert "a service account belongs to one organization" in ran.out + ran.err


# --- a custom tenant --------------------------------------------------------------------------------------------------


def test_in_a_custom_tenant_an_org_adds_the_tenants_account_by_its_handle(bench):
    bench.pipes(
        "tenant: {handle: acme-tenant, members: {alice: owner, deploy: member}}\nservice_accounts: {deploy: {title: Deployments}}\n"
        "orgs: {acme: {members: {alice: owner}}}"
    )
    bench.manifest("orgs: {acme: {service_accounts: {ci: {title: CI}}, members: {alice: owner}}}")
    refused = bench.plan()
    assert (refused.status, "custom tenant" in refused.out) == (1, True)
    bench.manifest(
        "orgs: {acme: {service_accounts: {ci: {handle: deploy}}, members: {alice: owner, service/ci: member}}}"
    )
    ran = bench.apply()
    assert ran.status == 0, ran.out + ran.err
    assert bench.members("acme") == {"alice": "owner", "deploy": "member"}
    assert bench.plan("--detailed-exitcode").status == 0
