"""Where a report comes from: each report, the question and a saved plan say host, user, time, revision and version."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import xml.etree.ElementTree as ET

import pytest

from e2e.terminal import on_a_terminal

WORLD = """
users: {bob: {}}
orgs: {acme: {members: {alice: owner, bob: member}, workspaces: {dev: {}}}, beta: {members: {alice: owner}}}
"""
WANTED = "orgs: {acme: {display_name: Acme, members: {alice: owner, bob: owner}}, beta: {display_name: Beta}}"
HEAD = "sandbox as alice, 2026-11-24 09:00 UTC, reconciler 0.1.0"


@pytest.fixture
def acme(bench):
    bench.pipes(WORLD)
    bench.manifest(WANTED)
    return bench


def git(bench, *args):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    return subprocess.run(["git", *who, *args], cwd=bench.folder, check=True, capture_output=True, text=True).stdout


COMMANDS = [
    pytest.param(("plan",), True, id="plan"),
    pytest.param(("apply", "--auto-approve"), True, id="apply"),
    pytest.param(("drift",), True, id="drift"),
    pytest.param(("access", "--live"), True, id="access --live"),
    pytest.param(("access",), False, id="access"),
    pytest.param(("validate",), False, id="validate"),
    pytest.param(("review", "before"), False, id="review"),
]


def at(bench, command, online, *more):
    """Run one of COMMANDS against the sandbox, or offline."""
    bench.manifest("orgs: {acme: {}}", "before/orgs.yaml")
    return bench.run(*command, *(bench.local if online else ()), *more)


@pytest.mark.parametrize(("command", "online"), COMMANDS)
@pytest.mark.parametrize("format_", ["text", "markdown", "html"])
def test_every_report_says_where_it_comes_from(acme, command, online, format_):
    ran = at(acme, command, online, "--format", format_)
    head = HEAD if online else HEAD.removeprefix("sandbox as alice, ")
    assert ran.out.count(head) == 1
    assert online or "as alice" not in ran.out


@pytest.mark.parametrize(("command", "online"), COMMANDS)
def test_every_report_in_json_has_the_block_made(acme, command, online):
    made = at(acme, command, online, "--format", "json").json["made"]
    assert made == {
        "at": "2026-11-24T09:00:00Z",
        "host": "sandbox" if online else "",
        "user": "alice" if online else "",
        "revision": "",
        "dirty": False,
        "tool": "reconciler 0.1.0",
    }


@pytest.mark.parametrize("format_", ["github", "junit"])
def test_formats_for_machines_say_it_too(acme, format_):
    ran = acme.plan("--format", format_)
    assert "alice" in ran.out
    assert "reconciler 0.1.0" in ran.out


@pytest.mark.parametrize(("command", "online"), [one for one in COMMANDS if one.id in ("drift", "review")])
def test_machines_find_the_head_of_every_report_where_they_find_that_of_a_plan(acme, command, online):
    head = HEAD if online else HEAD.removeprefix("sandbox as alice, ")
    junit = ET.fromstring(at(acme, command, online, "--format", "junit").out)
    found = {one.get("name"): one.get("value") for one in junit.findall("testsuite/properties/property")}
    assert (found["at"], found["user"]) == ("2026-11-24T09:00:00Z", "alice" if online else "")
    notices = at(acme, command, online, "--format", "github").out.splitlines()
    assert [line for line in notices if line.startswith("::notice ") and line.endswith(head)]


@pytest.mark.parametrize("command", [("access", "--live"), ("access",)])
def test_a_csv_is_a_table_and_its_head_stands_beside_it(acme, command):
    ran = acme.run(*command, *(acme.local if "--live" in command else ()), "--format", "csv")
    rows = list(csv.reader(ran.out.splitlines()))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert rows[0][0] == "person"
    assert ran.err.splitlines()[-1] == (HEAD if "--live" in command else HEAD.removeprefix("sandbox as alice, "))


def test_the_revision_is_that_of_the_current_folder_and_says_whether_it_is_dirty(acme):
    git(acme, "init", "--quiet")
    assert acme.planned().json["made"]["revision"] == ""
    git(acme, "add", "orgs.yaml")
    git(acme, "commit", "--quiet", "-m", "a")
    commit = git(acme, "rev-parse", "HEAD").strip()
    made = acme.planned().json["made"]
    assert (made["revision"], made["dirty"]) == (commit, False)
    acme.manifest(WANTED + "\nteams: {a: [bob]}\n")
    made = acme.planned().json["made"]
    assert (made["revision"], made["dirty"]) == (commit, True)
    assert f"git {commit[:7]} with uncommitted changes" in acme.plan().out


def test_a_manifest_that_git_does_not_have_makes_it_dirty_and_another_file_does_not(acme):
    git(acme, "init", "--quiet")
    git(acme, "add", "orgs.yaml")
    git(acme, "commit", "--quiet", "-m", "a")
    (acme.folder / "notes.txt").write_text("x")
    assert acme.planned().json["made"]["dirty"] is False
    acme.manifest("teams: {a: [bob]}", "more.yaml")
    assert acme.planned("orgs.yaml", "more.yaml").json["made"]["dirty"] is True


def test_a_build_that_can_be_repeated_names_its_own_time(acme, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    assert acme.planned().json["made"]["at"] == "2026-01-01T00:00:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    assert acme.planned().json["made"]["at"] == "2026-11-24T09:00:00Z"


# --- saved plans ------------------------------------------------------------------------------------------------------


def test_show_prints_the_head_of_the_saved_plan(acme, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    acme.plan("-o", "plan.json")
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert acme.run("show", "plan.json").out.startswith("sandbox as alice, 2026-01-01 00:00 UTC")
    assert acme.run("show", "plan.json", "--format", "json").json["made"]["at"] == "2026-01-01T00:00:00Z"


def test_the_head_is_no_part_of_what_a_saved_plan_is_compared_by(acme, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    first = acme.plan("-o", "plan.json")
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    acme.plan("-o", "again.json")
    digests = [json.loads((acme.folder / name).read_text())["digest"] for name in ("plan.json", "again.json")]
    assert digests[0] == digests[1]
    git(acme, "init", "--quiet")
    assert acme.run("apply", "plan.json", *acme.local).status == 0, first.out


def made_by_mallory(acme):
    acme.plan("-o", "plan.json")
    path = acme.folder / "plan.json"
    document = json.loads(path.read_text())
    document["made"]["user"] = "mallory"
    path.write_text(json.dumps(document))


def test_a_plan_of_another_user_is_applied_where_it_is_the_same_as_in_ci_with_two_tokens(acme):
    made_by_mallory(acme)
    assert acme.run("apply", "plan.json", *acme.local).status == 0


def test_a_plan_of_another_user_that_does_not_hold_says_whose_it_was(acme):
    made_by_mallory(acme)
    assert acme.run("apply", *acme.local, "--auto-approve").status == 0
    ran = acme.run("apply", "plan.json", *acme.local)
    assert ran.status == 3
    assert "made as mallory, and would be applied as alice" in ran.out


def test_a_saved_plan_without_a_head_is_still_read(acme):
    acme.plan("-o", "plan.json")
    path = acme.folder / "plan.json"
    document = json.loads(path.read_text())
    del document["made"]
    path.write_text(json.dumps(document))
    assert acme.run("apply", "plan.json", *acme.local).status == 0


def test_what_plan_printed_is_not_taken_for_a_manifest(acme):
    for options in ((), ("--org", "beta")):
        acme.plan("--out", "plan.txt", *options)
        ran = acme.run("apply", "plan.txt", *acme.local)
        assert ran.status == 1
        assert "plan.txt is what `plan --out` printed" in ran.err


# --- the question -----------------------------------------------------------------------------------------------------


def test_the_question_says_how_much_to_what_where_and_as_whom(acme):
    _, said = on_a_terminal(acme, [b"no\n"])
    assert "Apply these 3 changes to acme and beta on sandbox as alice? Only `yes` applies them: " in said


def test_the_question_about_one_change_is_in_the_singular(acme):
    _, said = on_a_terminal(acme, [b"no\n"], "--org", "beta")
    assert "Apply this change to beta on sandbox as alice?" in said


def test_the_question_about_many_organizations_counts_them(bench):
    names = ["aa", "bb", "cc", "dd", "ee"]
    bench.pipes({"orgs": {name: {"members": {"alice": "owner"}} for name in names}})
    bench.manifest(f"orgs: {{{', '.join(f'{name}: {{display_name: X}}' for name in names)}}}")
    _, said = on_a_terminal(bench, [b"no\n"])
    assert "Apply these 5 changes to aa, bb and 3 other organizations on sandbox as alice?" in said


# --- the pin ----------------------------------------------------------------------------------------------------------


def pinned(bench, host, name="orgs.yaml"):
    bench.manifest(f"host: {host}\n{WANTED if name == 'orgs.yaml' else ''}", name)


@pytest.mark.parametrize("format_", ["json", "markdown", "html", "github", "junit"])
def test_the_refusal_of_another_host_is_in_every_format(acme, format_):
    pinned(acme, "acme.pipes.example")
    with acme.served() as seen:
        ran = acme.run("plan", "--host", acme.host, "--format", format_)
        assert seen == []
    assert ran.status == 3
    assert "host-pinned" in ran.out


def test_the_host_that_is_pinned_is_used(acme):
    with acme.served() as seen:
        name = acme.host.partition("://")[2]
        for host in (acme.host, f"{acme.host}/", f"{acme.host}/api/v0/", f"HTTP://{name}", name, f"{name}/"):
            pinned(acme, f'"{host}"')
            assert acme.run("plan", "--host", acme.host).status == 0
        assert seen != []


def test_a_refused_host_differs_from_the_pinned_one_in_the_message(acme):
    with acme.served() as seen:
        name = acme.host.partition("://")[2]
        for host in (f"https://{name}", name.replace("127.0.0.1", "localhost"), "pipes.example", f"{name}/elsewhere"):
            pinned(acme, f'"{host}"')
            ran = acme.run("plan", "--host", acme.host)
            assert ran.status == 3
            used = re.search(r"these manifests are for (\S+), and this run would talk to (\S+)\.\n", ran.out)
            assert used[1] == host
            assert used[2] in (name, acme.host)
            assert used[1] != used[2]
        assert seen == []


def test_something_that_is_not_a_host_gets_no_name_of_a_person_as_a_hint(acme):
    pinned(acme, "ftp://pipes.example")
    assert "write a host such as pipes.turbot.com, or its URL" in acme.run("validate").err


def test_the_sandbox_is_exempt(acme):
    pinned(acme, "acme.pipes.example")
    assert acme.plan().status == 0


def test_a_pin_never_chooses_the_host(acme, monkeypatch):
    pinned(acme, "acme.pipes.example")
    monkeypatch.delenv("PIPES_TOKEN")
    ran = acme.run("plan", "--host", "pipes.example", "--token-file", "none")
    assert "acme.pipes.example" not in ran.err


def test_it_is_lifted_by_nothing(acme):
    pinned(acme, "acme.pipes.example")
    with acme.served() as seen:
        ran = acme.run("plan", "--host", acme.host, "--allow", "host-pinned=host")
        assert seen == []
    assert ran.status in (1, 3)


def test_two_pins_are_an_error_that_names_both(acme):
    pinned(acme, "a.example")
    pinned(acme, "b.example", "more.yaml")
    ran = acme.run("validate", "orgs.yaml", "more.yaml")
    assert ran.status == 1
    assert re.search(r"more.yaml:2:1: error: `host` is written twice", ran.err)
    assert "also here: orgs.yaml:2:1" in ran.err


@pytest.mark.parametrize("host", ["''", "a b", "user@pipes.example", "'pipes.example?x'", "[a]"])
def test_what_is_no_host_is_an_error(acme, host):
    pinned(acme, host)
    assert acme.run("validate").status == 1


def test_a_review_shows_a_changed_pin_first(acme):
    acme.manifest(f"host: a.example\n{WANTED}", "before/orgs.yaml")
    acme.manifest("host: b.example\norgs: {acme: {absent: true}, beta: {display_name: Beta}}", "after/orgs.yaml")
    ran = acme.run("review", "before", "after")
    important = ran.out.partition("Important changes:\n")[2].splitlines()
    assert "says that these manifests are for b.example instead of a.example" in important[0]
    assert acme.run("review", "after", "after").out.count("these manifests are for") == 0


def test_doctor_names_the_pin(acme):
    pinned(acme, "acme.pipes.example")
    with acme.served() as seen:
        ran = acme.run("doctor", "--host", acme.host, "--format", "json")
        assert seen == []
    (failed,) = [check for check in ran.json["checks"] if check["status"] == "fail"]
    assert (failed["name"], ran.status) == ("host", 1)
    assert "--host acme.pipes.example" in failed["fix"]
