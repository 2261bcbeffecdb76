"""The command as its users meet it: exit statuses, saved plans, usage, the same bytes for the same inputs."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest

from e2e.bench import TOKEN
from reconciler.cli import COMMANDS

EXAMPLES = Path(__file__).parents[2] / "examples"
ACME = (
    "orgs: {acme: {members: {alice: owner, bob: owner, carol: member}, workspaces: {prod: {members: {carol: reader}}}}}"
)
PROMOTED = ACME.replace("carol: member", "carol: owner").replace("{carol: reader}", "{}")


# --- exit statuses ----------------------------------------------------------------------------------------------------


def test_0_for_a_plan_in_sync_and_for_one_with_changes_unless_asked(bench):
    bench.pipes(ACME)
    bench.manifest(ACME)
    assert bench.plan("--detailed-exitcode").status == 0
    assert "No changes. Pipes matches the manifests." in bench.plan().out
    bench.manifest(PROMOTED)
    assert bench.plan().status == 0


def test_0_for_an_apply_and_for_one_with_nothing_to_do(bench):
    bench.pipes(ACME)
    bench.manifest(PROMOTED)
    assert bench.apply().status == 0
    before = bench.database()
    assert bench.apply().status == 0
    assert bench.database() == before


def test_1_for_wrong_manifests_before_anything_is_read(bench):
    bench.manifest("orgs: {acme: {members: {alice: overlord}}}")
    ran = bench.run("plan", "--host", "sandbox:missing.sqlite3")
    assert ran.status == 1
    assert ran.err.startswith("orgs.yaml:2:")


def test_1_for_what_only_live_can_show_to_be_wrong(bench):
    bench.pipes("users: {zoe: {}}\norgs: {acme: {members: {alice: owner}, workspaces: {prod: {}}}}")
    bench.manifest("orgs: {acme: {workspaces: {prod: {members: {zoe: reader}}}}}")
    before = bench.database()
    ran = bench.plan()
    assert ran.status == 1
    assert "orgs.yaml:2:" in ran.out
    assert bench.apply().status == 1
    assert bench.database() == before


def test_2_for_changes_where_it_is_asked_for(bench):
    bench.pipes(ACME)
    bench.manifest(PROMOTED)
    assert bench.plan("--detailed-exitcode").status == 2


def test_3_for_a_safeguard_comes_before_2_for_changes(bench):
    bench.pipes(ACME)
    bench.manifest("orgs: {acme: {members: {alice: owner, carol: member}}}")
    assert bench.plan("--detailed-exitcode").status == 3


def test_4_where_every_write_is_refused_to_the_token(bench):
    bench.pipes("orgs: {acme: {members: {zoe: owner, alice: member}}}")
    bench.manifest("orgs: {acme: {display_name: Acme}}")
    assert bench.plan("--detailed-exitcode").status == 2
    ran = bench.apply()
    assert ran.status == 4
    assert "403" in ran.out


def test_5_where_something_was_written_and_something_else_was_not(bench):
    bench.pipes("orgs: {acme: {members: {zoe: owner, alice: member}}, beta: {members: {alice: owner}}}")
    bench.manifest("orgs: {acme: {display_name: Acme}, beta: {display_name: Beta}}")
    ran = bench.apply()
    assert ran.status == 5
    assert "Applied in part" in ran.out


def test_5_is_also_the_status_of_the_process(bench):
    bench.pipes("orgs: {acme: {members: {zoe: owner, alice: member}}, beta: {members: {alice: owner}}}")
    bench.manifest("orgs: {acme: {display_name: Acme}, beta: {display_name: Beta}}")
    assert bench.spawn("plan", *bench.local, "--detailed-exitcode").status == 2
    assert bench.spawn("apply", "--auto-approve", *bench.local).status == 5
    assert bench.spawn("plan", "--nope").status == 1


# --- usage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "says"),
    [
        pytest.param((), "Usage: reconciler", id="no command"),
        pytest.param(("paln",), "did you mean `plan`?", id="a command with a slip"),
        pytest.param(("frobnicate",), "there is no command `frobnicate`", id="an unknown command"),
        pytest.param(("--frobnicate",), "No such option", id="an unknown option before the command"),
        pytest.param(("plan", "--frobnicate"), "No such option", id="an unknown option"),
        pytest.param(("plan", "--format", "yaml"), "'yaml' is not one of", id="an unknown format"),
        pytest.param(("plan", "--parallelism", "0"), "0 is not in the range", id="no workers"),
        pytest.param(("plan", "--on", "tomorrow"), "does not match the format", id="a day that is none"),
        pytest.param(("plan", "--org", "beta"), "the manifests have no such org; they have acme", id="an unknown org"),
        pytest.param(("plan", "missing.yaml"), "missing.yaml", id="a missing manifest"),
        pytest.param(("plan", "--token-file", "missing"), "missing", id="a missing token file"),
        pytest.param(("plan", "--host", ""), "--host is empty", id="an empty host"),
        pytest.param(("plan", "--host", "ftp://pipes.example"), "ftp", id="another protocol"),
        pytest.param(("plan", "--host", "http://pipes.example"), "plain http", id="plain http to another machine"),
        pytest.param(("plan", "--host", "tpt_secret"), "holds a token", id="a token for a host"),
        pytest.param(("apply", "--settle", "-1"), "-1", id="a negative bound"),
        pytest.param(("show",), "Missing argument", id="nothing to show"),
        pytest.param(("show", "missing.json"), "missing.json", id="a missing plan"),
        pytest.param(("schema", "lock"), "'lock' is not one of", id="a schema that is none"),
    ],
)
def test_wrong_usage_is_1_and_says_what_is_wrong(bench, args, says):
    bench.manifest(ACME)
    ran = bench.run(*args)
    assert ran.status == 1
    assert says in ran.err
    assert "tpt_secret" not in ran.err
    assert ran.out == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(bench, name):
    ran = bench.run(name, "--help")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: reconciler {name}")


def test_help_and_version_are_0(bench):
    assert bench.run("--help").status == bench.run("-h").status == bench.run("--version").status == 0
    assert [name for name in COMMANDS if f"  {name} " not in bench.run("--help").out] == []


def test_apply_without_a_terminal_asks_nobody_and_does_nothing(bench):
    bench.pipes(ACME)
    bench.manifest(PROMOTED)
    before = bench.database()
    ran = bench.run("apply", *bench.local)
    assert ran.status == 1
    assert "--auto-approve" in ran.err
    assert bench.database() == before


def test_a_default_manifest_and_a_folder_of_them_are_found(bench):
    bench.pipes(ACME)
    assert bench.plan().status == 1
    bench.manifest(ACME, "orgs/acme.yaml")
    bench.manifest("orgs: {}", "orgs/deep/more.yml")
    assert bench.plan("--detailed-exitcode").status == 0
    assert bench.plan("orgs/acme.yaml", "--detailed-exitcode").status == 0
    bench.manifest(PROMOTED)
    assert bench.plan("--detailed-exitcode").status == 2


def test_the_schemas_are_printed_as_they_are(bench):
    schemas = Path(__file__).parents[2] / "schemas"
    assert bench.run("schema").out == (schemas / "manifest.schema.json").read_text()
    assert bench.run("schema", "plan").out == (schemas / "plan.schema.json").read_text()


# --- formats and bytes ------------------------------------------------------------------------------------------------


def example(bench):
    shutil.copytree(EXAMPLES, bench.folder, dirs_exist_ok=True)
    assert bench.run("sandbox", "seed", "pipes.yaml", "--db", bench.db.name).status == 0


def test_the_example_is_planned_applied_and_then_in_sync(bench):
    example(bench)
    assert bench.plan("-o", "plan.json", "--detailed-exitcode").status == 2
    assert bench.run("apply", *bench.local, "plan.json", "--confirm-delete", "oldco").status == 0
    assert bench.plan("--detailed-exitcode").status == 0


@pytest.mark.parametrize("form", ["json", "text", "markdown", "html", "github", "junit"])
def test_two_runs_in_fresh_processes_give_the_same_bytes(bench, form):
    example(bench)
    outs = set()
    for seed, parallelism in (("0", "1"), ("1", "10"), ("4711", "7")):
        bench.environ["PYTHONHASHSEED"] = seed
        ran = bench.spawn("plan", *bench.local, "--format", form, "--parallelism", parallelism)
        assert ran.status == 0
        outs.add(ran.out)
    assert len(outs) == 1
    assert "acme" in outs.pop()


def test_a_saved_plan_is_what_plan_prints_as_json(bench):
    example(bench)
    ran = bench.planned("-o", "plan.json")
    assert (bench.folder / "plan.json").read_text() == ran.out


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html", "github", "junit"])
def test_show_prints_what_plan_printed_without_network_or_token(bench, form, monkeypatch):
    example(bench)
    printed = bench.plan("--format", form, "-o", "plan.json").out
    monkeypatch.delenv("PIPES_TOKEN")
    bench.db.unlink()
    (bench.folder / "orgs.yaml").unlink()
    ran = bench.run("show", "plan.json", "--format", form)
    assert (ran.status, ran.out) == (0, printed)


def test_out_writes_the_file_and_prints_nothing(bench):
    example(bench)
    printed = bench.plan("--format", "markdown").out
    ran = bench.plan("--format", "markdown", "--out", "report.md")
    assert (ran.status, ran.out) == (0, "")
    assert (bench.folder / "report.md").read_text() == printed


def test_colours_are_for_terminals_only(bench, monkeypatch):
    example(bench)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in bench.plan().out


def test_a_job_on_github_gets_its_summary_and_outputs(bench, monkeypatch):
    example(bench)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(bench.folder / "summary.md"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(bench.folder / "outputs"))
    assert bench.plan("--format", "github").status == 0
    assert "org.acme" in (bench.folder / "summary.md").read_text()
    assert all("=" in line for line in (bench.folder / "outputs").read_text().splitlines())


def test_wrong_manifests_are_reported_in_the_format_that_was_asked_for(bench):
    bench.manifest("orgs: {acme: {members: {alice: overlord}}}")
    ran = bench.run("validate", "--format", "json")
    assert ran.status == 1
    assert json.loads(ran.out)
    assert "::error" in bench.run("validate", "--format", "github").out
    assert "<testsuite" in bench.run("validate", "--format", "junit").out


# --- saved plans ------------------------------------------------------------------------------------------------------


def saved(bench, live=ACME, wanted=PROMOTED, *args):
    bench.pipes(live)
    bench.manifest(wanted)
    assert bench.plan("-o", "plan.json", *args).status == 0
    return bench.folder / "plan.json"


def apply_saved(bench, *args):
    return bench.run("apply", *bench.local, "plan.json", *args)


def test_a_saved_plan_is_applied_without_asking_and_only_once(bench):
    saved(bench)
    assert apply_saved(bench).status == 0
    assert bench.members("acme")["carol"] == "owner"
    before = bench.database()
    ran = apply_saved(bench)
    assert ran.status == 3
    assert "stale-plan" in ran.out
    assert bench.database() == before


def test_no_secret_stands_in_a_saved_plan(bench):
    path = saved(bench, "users: {eve: {email: eve@example.com}}\n" + ACME)
    assert TOKEN not in path.read_text()
    assert stat.S_ISREG(path.stat().st_mode)


def edited(old, new):
    return lambda text: text.replace(old, new, 1)


def without_digest(text):
    document = json.loads(text)
    del document["digest"]
    return json.dumps(document)


def reordered(text):
    return json.dumps(json.loads(text), sort_keys=True)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda text: text[: len(text) // 2], id="cut in half"),
        pytest.param(lambda text: text[:-2], id="its last brace lost"),
        pytest.param(edited("carol", "mallory"), id="another person"),
        pytest.param(edited('"role": "owner"', '"role": "member"'), id="another role"),
        pytest.param(edited('"format_version": "1.0"', '"format_version": "9.0"'), id="another version"),
        pytest.param(edited('"refusals": []', '"refusals": [], "refusals": []'), id="a key twice"),
        pytest.param(without_digest, id="without its digest"),
        pytest.param(lambda text: text + text, id="twice in a row"),
        pytest.param(lambda text: text.replace('"day"', '"dai"'), id="a field with another name"),
        pytest.param(lambda text: text.replace("carol", "\x00"), id="NUL"),
        pytest.param(lambda text: text[:-3] + "{" * 100_000, id="braces 100,000 deep"),
    ],
)
def test_an_edited_or_truncated_plan_is_refused(bench, edit):
    path = saved(bench)
    changed = edit(path.read_text())
    assert changed != path.read_text()
    path.write_text(changed)
    before = bench.database()
    ran = apply_saved(bench)
    assert ran.status == 3
    assert len(ran.err.splitlines()) == 1
    assert bench.run("show", "plan.json").status == 3
    assert bench.database() == before


@pytest.mark.parametrize(
    "text", ["{", "{}", "{" * 100_000, "[]", ""], ids=["a brace", "an object", "deep", "a list", "empty"]
)
def test_what_never_was_a_plan_is_taken_for_a_manifest_and_is_wrong_as_one(bench, text):
    path = saved(bench)
    path.write_text(text)
    before = bench.database()
    ran = apply_saved(bench)
    assert ran.status == 1
    assert ran.err.startswith("plan.json:")
    assert bench.run("show", "plan.json").status == (3 if text.startswith("{") else 1)
    assert bench.database() == before


def test_a_plan_that_was_only_laid_out_differently_still_holds(bench):
    path = saved(bench)
    path.write_text(reordered(path.read_text()))
    assert apply_saved(bench).status == 0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda b: b.manifest(PROMOTED + "\n# only a comment"), id="changed"),
        pytest.param(lambda b: b.manifest(PROMOTED.replace("bob: owner", "bob: {absent: true}")), id="asks for more"),
        pytest.param(lambda b: b.manifest(ACME), id="asks for less"),
    ],
)
def test_a_plan_whose_manifest_changed_is_stale_and_names_the_file(bench, change):
    saved(bench)
    change(bench)
    before = bench.database()
    ran = apply_saved(bench)
    assert ran.status == 3
    assert "Refused: stale-plan" in ran.out
    assert "the manifest orgs.yaml was changed since the plan was made" in ran.out
    assert bench.database() == before


def test_a_plan_whose_folder_got_another_manifest_is_stale(bench):
    bench.pipes(ACME)
    bench.manifest(PROMOTED, "orgs/acme.yaml")
    assert bench.plan("-o", "plan.json").status == 0
    bench.manifest("people: {}", "orgs/more.yaml")
    ran = apply_saved(bench)
    assert ran.status == 3
    assert "the manifest orgs/more.yaml is read now, and the plan was made without it" in ran.out


REGRANTED = ACME.replace("{carol: reader}", "{carol: operator}")
CHANGES = {
    "the role was changed": (
        PROMOTED, ["org.acme/member.carol"], ("PATCH", "/org/acme/member/carol", {"role": "owner"}),
    ),
    "the person left": (PROMOTED, ["org.acme/member.carol", "org.acme"], ("DELETE", "/org/acme/member/carol", None)),
    "somebody joined": (PROMOTED, ["org.acme"], ("POST", "/org/acme/member/invite", {"handle": "zoe", "role": "member"})),
    "the grant was changed": (
        REGRANTED, ["org.acme/workspace.prod/grant.carol"],
        ("PATCH", "/org/acme/workspace/prod/member/carol", {"role": "owner"}),
    ),
    "the grant is gone": (
        REGRANTED, ["org.acme/workspace.prod/grant.carol"],
        ("DELETE", "/org/acme/workspace/prod/member/carol", None),
    ),
    "it was done already": (
        REGRANTED, ["org.acme/workspace.prod/grant.carol"],
        ("PATCH", "/org/acme/workspace/prod/member/carol", {"role": "operator"}),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wanted", "addresses", "request_"), CHANGES.values(), ids=CHANGES)
def test_a_plan_whose_live_objects_changed_is_stale_and_says_which_and_who(bench, wanted, addresses, request_):
    saved(bench, "users: {zoe: {}}\n" + ACME, wanted)
    bench.client("bob").ok(*request_)
    before = bench.database()
    ran = apply_saved(bench)
    assert ran.status == 3
    assert [line.split()[2] for line in ran.out.splitlines() if "Refused: stale-plan  " in line] == addresses
    assert "last changed by bob at 2026-11-24T" in ran.out
    assert bench.database() == before


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(("PATCH", "/org/acme", {"display_name": "Other"}), id="an attribute that is not managed"),
        pytest.param(("PATCH", "/org/beta/member/bob", {"role": "owner"}), id="another org"),
    ],
)
def test_a_change_elsewhere_does_not_make_a_plan_stale(bench, request_):
    saved(bench, ACME[:-1] + ", beta: {members: {alice: owner, bob: member}}}")
    bench.client().ok(*request_)
    assert apply_saved(bench).status == 0
    assert bench.members("acme")["carol"] == "owner"


def test_a_new_workspace_makes_a_plan_stale_only_where_the_plan_lets_somebody_into_it(bench):
    lab = ("POST", "/org/acme/workspace", {"handle": "lab"})
    saved(bench, ACME, REGRANTED)
    bench.client().ok(*lab)
    assert apply_saved(bench).status == 0
    saved(bench, ACME, PROMOTED)
    bench.client().ok(*lab)
    ran = apply_saved(bench)
    assert ran.status == 3
    assert "who gains or loses access differ (the saved plan lacks: carol on acme/lab, nothing to owner)" in ran.out


def test_a_plan_of_an_earlier_day_that_still_says_the_same_is_applied(bench):
    saved(bench, ACME, PROMOTED, "--on", "2020-01-01")
    assert apply_saved(bench).status == 0


def test_a_plan_of_an_earlier_day_that_would_do_something_else_today_is_stale(bench):
    wanted = ACME.replace("carol: member", "carol: {role: owner, expires: 2020-06-01}").replace("{carol: reader}", "{}")
    saved(bench, ACME, wanted, "--on", "2020-01-01")
    before = bench.database()
    ran = apply_saved(bench)
    assert ran.status == 3
    assert "stale-plan" in ran.out
    assert "the plan was made for 2020-01-01" in ran.out
    assert bench.database() == before


def test_a_saved_plan_does_not_go_with_an_org(bench):
    saved(bench)
    ran = apply_saved(bench, "--org", "acme")
    assert ran.status == 1
    assert "--org does not go with a saved plan" in ran.err


def test_a_plan_that_was_printed_instead_of_saved_is_told_apart(bench):
    bench.pipes(ACME)
    bench.manifest(PROMOTED)
    bench.plan("--out", "tfplan")
    before = bench.database()
    ran = bench.apply("tfplan")
    assert ran.status == 1
    assert "tfplan is what `plan --out` printed, to be read; `plan -o FILE` saves a plan to be applied" in ran.err
    assert bench.database() == before


def test_a_manifest_in_json_is_a_manifest(bench):
    bench.pipes(ACME)
    bench.manifest('{"version": 1, "orgs": {"acme": {"display_name": "Acme"}}}', "orgs.json")
    assert bench.plan("orgs.json", "--detailed-exitcode").status == 2
    assert bench.apply("orgs.json").status == 0
    assert bench.plan("orgs.json", "--detailed-exitcode").status == 0


def test_the_report_of_an_apply_is_no_plan(bench):
    saved(bench)
    assert apply_saved(bench, "--format", "json", "--out", "result.json").status == 0
    assert bench.run("apply", *bench.local, "result.json").status == 3


# --- people who are invited by email, and workspaces that take their time ---------------------------------------------

EVE = """
people: {eve: {email: eve@example.com}}
orgs:
  acme:
    members: {alice: owner, eve: ROLE}
    workspaces: {prod: {members: {eve: reader}}, new: {members: {eve: operator}}}
"""


def accept(bench, handle, as_handle=None):
    """The invited person follows the link of the invitation, and may take another handle then."""
    from reconciler.sandbox.store import Store

    with Store.open_existing(bench.db) as store:
        secret = store.invitation("acme", handle)
    person = bench.client(handle)
    person.ok("GET", "/org/acme/member/invite/confirm", params={"t": secret})
    if as_handle is not None:
        person.ok("PATCH", f"/user/{handle}", {"handle": as_handle})


def test_somebody_is_invited_by_email_granted_at_once_and_known_ever_after(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner}, workspaces: {prod: {}}}}")
    bench.manifest(EVE.replace("ROLE", "member"))
    assert bench.apply().status == 0
    (handle,) = set(bench.members("acme")) - {"alice"}
    assert bench.members("acme")[handle] == "member?"
    assert bench.grants("acme", "prod") == {handle: "reader"}
    assert bench.grants("acme", "new") == {handle: "operator"}
    assert bench.plan("--detailed-exitcode").status == 0
    accept(bench, handle)
    assert bench.plan("--detailed-exitcode").status == 0
    bench.manifest(EVE.replace("ROLE", "owner"))
    assert bench.apply().status == 0
    assert bench.members("acme") == {"alice": "owner", handle: "owner"}


def test_somebody_who_took_another_handle_when_accepting_is_still_known(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner}, workspaces: {prod: {}}}}")
    bench.manifest(EVE.replace("ROLE", "member"))
    assert bench.apply().status == 0
    (handle,) = set(bench.members("acme")) - {"alice"}
    accept(bench, handle, "eve-of-acme")
    assert bench.members("acme") == {"alice": "owner", "eve-of-acme": "member"}
    assert bench.plan("--detailed-exitcode").status == 0


def test_without_the_lock_file_nobody_is_guessed(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner}, workspaces: {prod: {}}}}")
    bench.manifest(EVE.replace("ROLE", "member"))
    assert bench.apply().status == 0
    (bench.folder / "reconciler.lock.json").unlink()
    ran = bench.planned()
    assert (ran.status, ran.codes) == (3, ["who-is-this"])
    assert ran.addresses == []


def test_apply_waits_until_workspaces_have_settled(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner}, workspaces: {prod: {}}}}")
    bench.manifest("orgs: {acme: {workspaces: {prod: {desired_state: disabled}, new: {instance_type: db1.small}}}}")
    assert bench.apply().status == 0
    states = {row["handle"]: row["state"] for row in bench.client().all("/org/acme/workspace")}
    assert states == {"prod": "disabled", "new": "enabled"}
    assert bench.plan("--detailed-exitcode").status == 0


def test_a_workspace_that_does_not_settle_in_time_is_a_failure(bench):
    bench.pipes("orgs: {acme: {members: {alice: owner}}}")
    bench.manifest("orgs: {acme: {workspaces: {new: {}}}}")
    ran = bench.apply("--settle", "0")
    assert ran.status == 5
    assert "org.acme/workspace.new" in ran.out
    assert "when the waiting ended" in ran.out
    assert bench.plan("--detailed-exitcode").status == 0  # it came to be all the same


# --- partial failure --------------------------------------------------------------------------------------------------

PARTLY = """
orgs:
  acme:
    members: {alice: owner, bob: owner, carol: {absent: true}, dora: member}
    workspaces: {new: {members: {dora: reader}}, prod: {instance_type: db1.medium}}
  beta: {display_name: Beta}
"""
PARTLY_LIVE = """
users: {dora: {}}
orgs:
  acme: {members: {alice: owner, bob: member, carol: owner}, workspaces: {prod: {}}}
  beta: {members: {alice: owner}}
"""


def outcomes(ran):
    return {o["address"]: (o["status"], o["detail"]) for o in ran.json["outcomes"]}


@pytest.mark.parametrize(
    ("fault", "failed", "skipped"),
    [
        pytest.param(
            {"kind": "status", "status": 500, "method": "POST", "path": "^/org/acme/workspace$"},
            "org.acme/workspace.new", ["org.acme/workspace.new/grant.dora"], id="a workspace",
        ),
        pytest.param(
            {"kind": "status", "status": 502, "method": "POST", "path": "^/org/acme/member/invite$"},
            "org.acme/member.dora", ["org.acme/workspace.new/grant.dora"], id="an invitation",
        ),
        pytest.param(
            {"kind": "status", "status": 503, "method": "PATCH", "path": "^/org/acme/member/bob$"},
            "org.acme/member.bob", ["org.acme/member.carol"], id="a promotion, and so the owner stays",
        ),
    ],
)  # fmt: skip
def test_what_does_not_depend_on_a_failure_goes_on_and_a_rerun_finishes(bench, fault, failed, skipped):
    bench.pipes(PARTLY_LIVE)
    bench.manifest(PARTLY)
    with bench.served(fault):
        ran = bench.apply("--format", "json")
    assert ran.status == 5
    found = outcomes(ran)
    assert found.pop(failed)[0] == "failed"
    for address in skipped:
        status, why = found.pop(address)
        assert (status, why) == ("skipped", f"because of {failed}")
    assert {status for status, _ in found.values()} == {"done"}
    assert "org.beta" in found
    assert bench.apply().status == 0
    assert bench.plan("--detailed-exitcode").status == 0


def test_fail_fast_starts_nothing_more_and_a_rerun_finishes(bench):
    bench.pipes(PARTLY_LIVE)
    bench.manifest(PARTLY)
    with bench.served({"kind": "status", "status": 500, "method": "PATCH", "path": "^/org/acme/member/bob$"}):
        ran = bench.apply("--fail-fast", "--parallelism", "1", "--format", "json")
    found = [status for status, _ in outcomes(ran).values()]
    assert found.count("failed") == 1
    assert set(found[found.index("failed") + 1 :]) == {"skipped"}
    assert bench.apply().status == 0


@pytest.mark.parametrize(
    ("folder", "file"), [(".", "orgs.yaml"), ("access", "access/orgs.yaml"), ("a,b/c", "a%2Cb/c/orgs.yaml")]
)
def test_an_annotation_names_its_file_from_the_root_of_the_repository(bench, monkeypatch, folder, file):
    bench.manifest("orgs: {acme: {membrs: {}}}\n", f"{folder}/orgs.yaml")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(bench.folder))
    monkeypatch.chdir(bench.folder / folder)
    ran = bench.run("validate", "--format", "github")
    assert ran.status == 1
    assert ran.out.startswith(f"::error file={file},line=2,")
