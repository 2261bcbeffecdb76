"""`lock`: the lock file anew, lost, broken or merged; and nothing that only it knew is forgotten."""

from __future__ import annotations

import json
import subprocess

import pytest

from e2e.bench import LOCK
from reconciler.apply.journal import FOLDER, Journal

WORLD = """
users: {bob: {}, carol: {}, dave: {}, erin: {}}
orgs:
  acme:
    members: {alice: owner, bob: owner, carol: member}
    workspaces: {prod: {members: {carol: reader}}, extra: {}}
"""
MANIFEST = """
people:
  ivy: {email: ivy@example.com}
orgs:
  acme:
    members: {alice: owner, bob: owner, carol: member, ivy: member}
    workspaces: {prod: {members: {carol: reader, ivy: operator}}}
"""
MANAGED = {
    "org.acme": "org acme", "org.acme/member.alice": "user alice", "org.acme/member.bob": "user bob",
    "org.acme/member.carol": "user carol", "org.acme/workspace.prod": "workspace acme/prod",
}  # fmt: skip


@pytest.fixture
def applied(bench):
    """An org as the manifests have it, with somebody in it who was invited by email."""
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    assert bench.apply().status == 0
    return bench


def locked(bench, *args, status=0):
    ran = bench.run("lock", *bench.local, *args)
    assert ran.status == status, ran.out + ran.err
    return ran


def told(bench, *args, status=0):
    return locked(bench, "--format", "json", *args, status=status).json


def entries(bench):
    return json.loads(bench.lock_text())["entries"]


def known(bench):
    """The lock file's addresses, each with what it is live."""
    names = bench.names()
    return {address: names.get(entry["id"], entry["id"]) for address, entry in entries(bench).items()}


def edit(bench, change):
    found = json.loads(bench.lock_text())
    change(found["entries"])
    (bench.folder / LOCK).write_text(json.dumps(found))


def write(bench, text):
    (bench.folder / LOCK).write_text(text)


def addresses(rows):
    return [row["address"] for row in rows]


# --- a file that is whole ---------------------------------------------------------------------------------------------


def test_after_an_apply_there_is_nothing_to_do(applied):
    before, pipes = applied.lock_text(), applied.database()
    ran = locked(applied)
    assert ran.out == "Lock file is up to date (6 entries).\n"
    assert locked(applied, "--check").out == ran.out
    assert (applied.lock_text(), applied.database()) == (before, pipes)


def test_it_only_reads(applied):
    (applied.folder / LOCK).unlink()
    with applied.served() as seen:
        locked(applied)
    assert {method for method, _, _ in seen} == {"GET"}
    assert not [path for _, path, _ in seen if "/workspace/prod/member" in path]


def test_what_the_manifests_name_is_added_and_what_they_do_not_is_not(applied):
    applied.manifest(
        MANIFEST.replace("ivy: member}", "ivy: member, dave: member}").replace("{prod", "{extra: {}, prod")
    )
    applied.client().ok("POST", "/org/acme/member/invite", {"handle": "dave", "role": "member"})
    applied.client().ok("POST", "/org/acme/member/invite", {"handle": "erin", "role": "member"})
    assert addresses(told(applied)["added"]) == ["org.acme/member.dave", "org.acme/workspace.extra"]
    assert known(applied)["org.acme/workspace.extra"] == "workspace acme/extra"
    assert "org.acme/member.erin" not in known(applied)


def test_what_is_gone_and_named_by_nobody_is_removed(applied):
    applied.manifest(MANIFEST.replace(", carol: member", "").replace("carol: reader, ", ""))
    assert told(applied)["in_sync"]  # carol is still in the org
    applied.client().ok("DELETE", "/org/acme/member/carol")
    found = told(applied)
    assert addresses(found["removed"]) == ["org.acme/member.carol"]
    assert found["removed"][0]["why"] == "no manifest names it, and it is not live"
    assert "org.acme/member.carol" not in known(applied)


def test_a_workspace_that_was_left_out_is_kept_while_it_is_there(applied):
    """`looks-like-rename` knows by it what has just left the manifest."""
    applied.manifest(MANIFEST.replace("prod: {members: {carol: reader, ivy: operator}}", "fresh: {}"))
    assert told(applied)["in_sync"]
    assert applied.planned().codes == ["looks-like-rename"]
    applied.client().ok("DELETE", "/org/acme/workspace/prod")
    assert addresses(told(applied)["removed"]) == ["org.acme/workspace.prod"]


def test_who_has_left_and_is_still_wanted_keeps_the_id_that_tells_a_namesake(applied):
    applied.client("carol").ok("DELETE", "/org/acme/member/carol")
    applied.client("carol").ok("PATCH", "/user/carol", {"handle": "caroline"})
    assert told(applied)["in_sync"]
    assert known(applied)["org.acme/member.carol"] == "user caroline"


def test_an_org_that_is_not_to_be_seen_keeps_everything(applied):
    applied.client("bob").ok("DELETE", "/org/acme/member/alice")
    before = applied.lock_text()
    ran = locked(applied, status=4)
    assert "org.acme is not for alice, the user of this token, to read; what was known stays" in ran.out
    applied.client("bob").ok("PATCH", "/org/acme", {"handle": "acme-group"})
    locked(applied)
    assert applied.lock_text() == before


def test_an_org_that_no_manifest_has_goes_when_it_is_gone(applied):
    edit(applied, lambda e: e.update({"org.old": {"id": "o_1"}, "org.old/member.alice": {"id": "u_1"}}))
    assert addresses(told(applied)["removed"]) == ["org.old", "org.old/member.alice"]


def test_an_org_that_left_the_manifests_is_kept_while_it_is_live(applied):
    before = applied.lock_text()
    applied.manifest("orgs: {}")
    locked(applied)
    assert applied.lock_text() == before


def test_a_list_that_cannot_be_believed_changes_nothing(applied):
    before = applied.lock_text()
    with applied.served({"path": "/org/acme/member", "kind": "empty-members"}):
        ran = locked(applied, status=3)
    assert "org.acme" in ran.out
    assert applied.lock_text() == before


def test_what_an_entry_has_beyond_the_id_stays_with_the_id(applied):
    more = {"fingerprints": {"secret": "sha256:1"}, "a": [1]}
    edit(applied, lambda e: e["org.acme/workspace.prod"].update(more))
    edit(applied, lambda e: e["org.acme/member.bob"].update(id="u_another00000000000000", note="x"))
    locked(applied)
    found = entries(applied)
    assert {**found["org.acme/workspace.prod"], "id": ""} == {"id": "", **more}
    applied.manifest(MANIFEST.replace("prod: {", "prod: {instance_type: db1.small, "))
    edit(applied, lambda e: e.pop("org.acme/member.bob"))
    assert applied.apply().status == 0
    assert {**entries(applied)["org.acme/workspace.prod"], "id": ""} == {"id": "", **more}
    assert '"id": "' in applied.lock_text()
    assert "note" not in applied.lock_text()


# --- identity is never given up for a name ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "path", "handle", "address"),
    [
        pytest.param("alice", "/org/acme", "acme-group", "org.acme", id="an org"),
        pytest.param("alice", "/org/acme/workspace/prod", "live", "org.acme/workspace.prod", id="a workspace"),
        pytest.param("bob", "/user/bob", "robert", "org.acme/member.bob", id="a person"),
    ],
)
def test_a_rename_outside_is_not_written_over(applied, user, path, handle, address):
    before = applied.lock_text()
    applied.client(user).ok("PATCH", path, {"handle": handle})
    ran = locked(applied)
    assert applied.lock_text() == before
    assert f"  {address}: " in ran.out
    assert "was renamed outside" in ran.out
    assert applied.planned().codes == ["rename"]


def test_another_person_under_a_known_handle_does_not_take_the_entry(applied):
    before = applied.lock_text()
    applied.client("bob").ok("PATCH", "/user/bob", {"handle": "robert"})
    applied.client("dave").ok("PATCH", "/user/dave", {"handle": "bob"})
    applied.client().ok("DELETE", "/org/acme/member/robert")
    applied.client().ok("POST", "/org/acme/member/invite", {"handle": "bob", "role": "owner"})
    found = told(applied)
    assert addresses(found["doubts"]) == ["org.acme/member.bob"]
    assert applied.lock_text() == before


def test_the_handle_of_somebody_invited_by_email_follows(applied):
    handle = entries(applied)["org.acme/member.ivy"]["handle"]
    applied.client(handle).ok("PATCH", f"/user/{handle}", {"handle": "ivy-new"})
    found = told(applied)
    assert [(row["address"], row["handle"]) for row in found["changed"]] == [("org.acme/member.ivy", "ivy-new")]
    assert applied.planned().addresses == []


# --- a file that is lost ----------------------------------------------------------------------------------------------


def test_a_lost_file_is_made_from_what_is_live_and_says_whom_it_cannot_know(applied):
    (applied.folder / LOCK).unlink()
    ran = locked(applied)
    assert known(applied) == MANAGED
    assert "there was no lock file" in ran.out
    assert "who-is-this" not in ran.out
    assert "org.acme/member.ivy: ivy is known by the email ivy@example.com only" in ran.out


def test_somebody_by_email_who_has_accepted_is_doubtful_and_who_was_never_invited_is_unknown(applied):
    handle = entries(applied)["org.acme/member.ivy"]["handle"]
    edit(applied, lambda e: e.pop("org.acme/member.ivy"))
    applied.accept("acme", handle)
    assert addresses(told(applied)["doubts"]) == ["org.acme/member.ivy"]
    unknown = "org.acme/member.ivy is known by an email only, and nothing shows who that is in Pipes"
    ran = applied.run("lock", *applied.local)
    assert unknown not in ran.out + ran.err
    applied.client().ok("DELETE", f"/org/acme/member/{handle}")
    assert unknown in locked(applied).out


def test_whom_a_killed_apply_had_invited_is_taken_from_its_journal(applied):
    ivy = entries(applied)["org.acme/member.ivy"]
    (applied.folder / LOCK).unlink()
    journal = applied.folder / FOLDER / "journal.jsonl"
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join(line for line in lines if '"end"' not in line) + "\n")
    locked(applied)
    assert entries(applied)["org.acme/member.ivy"] == ivy


# --- a file that is broken --------------------------------------------------------------------------------------------


def conflict(bench, ours, theirs, base=None):
    """The lock file with bob's line in a conflict."""
    lines = bench.lock_text().split("\n")
    place = next(n for n, line in enumerate(lines) if "member.bob" in line)
    middle = [] if base is None else ["||||||| base", *base]
    lines[place : place + 1] = ["<<<<<<< HEAD", *ours, *middle, "=======", *theirs, ">>>>>>> other"]
    write(bench, "\n".join(lines))


def test_every_other_command_refuses_a_conflict_and_names_the_one_that_mends_it(applied):
    conflict(applied, [], [])
    for command in ("plan", "apply", "drift", "access"):
        ran = applied.run(command, *([] if command == "access" else applied.local))
        assert ran.status == 1
        assert "unresolved merge conflict" in ran.err + ran.out
        assert "`reconciler lock` repairs it" in ran.err + ran.out


def test_both_sides_of_a_conflict_are_kept_and_confirmed(applied):
    before = applied.lock_text()
    bob = next(line for line in before.split("\n") if "member.bob" in line)
    conflict(
        applied, [bob, '    "org.acme/member.zed": {"id": "u_gone"},'], ['    "org.acme/member.yan": {"id": "u_g"},']
    )
    assert told(applied, "--check", status=2)["notes"] == [
        "the file was broken: the lock file holds an unresolved merge conflict"
    ]
    assert "<<<<<<<" in applied.lock_text()
    assert addresses(told(applied)["removed"]) == ["org.acme/member.yan", "org.acme/member.zed"]
    assert applied.lock_text() == before


def test_of_two_ids_the_one_that_is_live_there_is_right(applied):
    before = applied.lock_text()
    bob = next(line for line in before.split("\n") if "member.bob" in line)
    conflict(
        applied,
        ['    "org.acme/member.bob": {"id": "u_gone"},'],
        [bob],
        base=['    "org.acme/member.bob": {"id": "?"},'],
    )
    locked(applied)
    assert applied.lock_text() == before


def test_of_two_orgs_the_one_that_is_live_is_right_and_its_people_are_read(applied):
    before = applied.lock_text()
    org = next(line for line in before.split("\n") if '"org.acme":' in line)
    wrong = ['    "org.acme": {"id": "o_gone"},', '    "org.acme/member.bob": {"id": "u_gone"},']
    write(applied, before.replace(org, "\n".join(["<<<<<<< a", *wrong, "=======", org, ">>>>>>> b"])))
    applied.client().ok("PATCH", "/org/acme", {"handle": "acme-group"})
    locked(applied)
    assert applied.lock_text() == before
    assert applied.planned().codes == ["rename"]


def test_of_two_ids_that_are_both_live_none_is_guessed(applied):
    bob, carol = (entries(applied)[f"org.acme/member.{who}"]["id"] for who in ("bob", "carol"))
    conflict(
        applied,
        [f'    "org.acme/member.bob": {{"id": "{bob}"}},'],
        [f'    "org.acme/member.bob": {{"id": "{carol}"}},'],
    )
    broken = applied.lock_text()
    for args in ((), ("--check",)):
        ran = locked(applied, *args, status=3)
        assert f"{bob} (live as bob)" in ran.err
        assert f"{carol} (live as carol)" in ran.err
        assert "To fix: keep the line that is right" in ran.err
        assert applied.lock_text() == broken


def test_of_two_ids_that_are_both_gone_none_is_guessed(applied):
    conflict(applied, ['    "org.acme/member.bob": {"id": "u_1"},'], ['    "org.acme/member.bob": {"id": "u_2"},'])
    broken = applied.lock_text()
    assert "u_1 (not live here), u_2 (not live here)" in locked(applied, status=3).err
    assert applied.lock_text() == broken


def test_what_two_sides_know_beyond_the_id_is_united_where_they_agree(applied):
    def bob(more):
        fields = {**entry, **more}
        return f'    "org.acme/member.bob": {json.dumps(fields)},'

    entry = entries(applied)["org.acme/member.bob"]
    conflict(applied, [bob({"a": 1, "b": 1, "same": 0})], [bob({"b": 2, "c": 3, "same": 0})])
    locked(applied)
    assert entries(applied)["org.acme/member.bob"] == {**entry, "a": 1, "c": 3, "same": 0}


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        pytest.param(lambda text: text.replace("},", "}"), [], id="no commas"),
        pytest.param(lambda text: text[: text.index('"org.acme/workspace.prod"')], [], id="cut off"),
        pytest.param(lambda text: text.replace('"org.acme"', "org.acme"), [4], id="an address without quotes"),
        pytest.param(lambda text: text.replace("{", "{\n").replace(",", ",\n"), [], id="laid out otherwise"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), [], id="with other line ends"),
        pytest.param(lambda text: text + text, [], id="written twice"),
        pytest.param(lambda text: "\ufeff<<<<<<< x\n" + text, [], id="a mark of git alone"),
        pytest.param(lambda _: "", [], id="empty"),
    ],
)
def test_whatever_is_broken_is_mended_as_far_as_live_can_tell(applied, damage, lost):
    before = applied.lock_text()
    write(applied, damage(before))
    found = told(applied)
    assert [int(row["place"].split(":")[1]) for row in found["lost"]] == lost
    kept = json.loads(before)["entries"]
    if not damage(before):
        del kept["org.acme/member.ivy"]  # nobody else knows
    assert entries(applied) == kept


def test_bytes_that_are_no_text_are_mended_too(applied):
    before = applied.lock_text()
    (applied.folder / LOCK).write_bytes(b"\xff\xfe" + before.encode())
    locked(applied)
    assert applied.lock_text() == before


@pytest.mark.parametrize("version", [2, 0])
def test_a_file_of_another_version_is_left_alone(applied, version):
    valid = applied.lock_text().replace('"version": 1', f'"version": {version}')
    broken = valid.replace("}\n", "},\n", 1)
    for text in (valid, broken, broken.replace(",\n", "\n")):
        write(applied, text)
        ran = locked(applied, status=1)
        assert f"version {version}, only 1 is known" in ran.err
        assert applied.lock_text() == text
    write(applied, valid)
    line = valid[: valid.index('"version"')].count("\n") + 1
    assert f"{LOCK}:{line}:" in applied.run("plan", *applied.local).err


# --- together with others ---------------------------------------------------------------------------------------------


def test_while_an_apply_is_at_work_it_writes_nothing(applied):
    before = applied.lock_text()
    write(applied, "")
    with Journal(applied.folder / FOLDER):
        assert "an apply is at work" in locked(applied, status=1).err
    assert applied.lock_text() == ""
    write(applied, before)
    locked(applied)


def test_a_file_that_somebody_else_writes_meanwhile_is_theirs(applied):
    write(applied, "")
    with applied.served({"path": "/actor/org", "kind": "latency", "ms": 60_000}) as seen:
        process = applied.start("lock", "--host", applied.host)
        seen.wait_until_held()
        write(applied, "theirs")
        seen.released.set()
        _, err = process.communicate(timeout=60)
    assert (process.returncode, "was changed while this ran" in err) == (1, True)
    assert applied.lock_text() == "theirs"


def git(bench, *args, check=True):
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *args], cwd=bench.folder, check=check, capture_output=True, text=True)
    return done.returncode


def branches(bench, one, other):
    """Two branches of a repository with the bench's files, each with a change of its own; then the merge of the two."""
    git(bench, "init", "--quiet", "--initial-branch=main")
    git(bench, "add", LOCK, "orgs.yaml")
    git(bench, "commit", "--quiet", "--message=x")
    for name, change in (("one", one), ("other", other)):
        git(bench, "checkout", "--quiet", "-b", name, "main")
        change()
        git(bench, "commit", "--quiet", "--all", "--message=x")
    git(bench, "checkout", "--quiet", "main")
    git(bench, "merge", "--quiet", "one")
    return git(bench, "merge", "--quiet", "other", check=False)


def invited(bench, who, text):
    def change():
        bench.manifest(text)
        assert bench.apply().status == 0
        assert f"org.acme/member.{who}" in entries(bench)

    return change


@pytest.fixture
def git_alone(monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


SPACED = MANIFEST.replace(
    "{alice: owner, bob: owner, carol: member, ivy: member}",
    "\n      alice: owner\n\n      bob: owner\n\n      carol: member\n\n      ivy: member",
)


@pytest.fixture
def repository(bench, monkeypatch):
    """The same with room between the lines, so that two branches of the manifest merge."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    bench.pipes(WORLD.replace("users: {", "users: {aaron: {}, zoe: {}, "))
    bench.manifest(SPACED)
    assert bench.apply().status == 0
    return bench


def with_line(after, line):
    return SPACED.replace(after, f"{after}\n      {line}")


def test_two_branches_whose_entries_are_apart_merge_by_themselves(repository):
    first = invited(repository, "aaron", with_line("      alice: owner", "aaron: member"))
    second = invited(repository, "zoe", with_line("      ivy: member", "zoe: member"))
    # an apply for each branch: Pipes is one, so the second branch takes what the first one did for its own removal
    assert branches(repository, first, on_its_own(repository, "aaron", second)) == 0
    assert {"org.acme/member.aaron", "org.acme/member.zoe"} < set(known(repository))
    repository.client().ok("POST", "/org/acme/member/invite", {"handle": "aaron", "role": "member"})
    locked(repository, "--check")
    assert repository.planned().addresses == []


def on_its_own(bench, who, change):
    """A branch that is applied after the other one was taken back in Pipes."""

    def undone():
        bench.client().ok("DELETE", f"/org/acme/member/{who}")
        change()

    return undone


def test_two_branches_whose_entries_meet_are_mended_by_one_command(repository):
    first = invited(repository, "dave", with_line("      bob: owner", "dave: member"))
    second = invited(repository, "erin", with_line("      ivy: member", "erin: member"))
    assert branches(repository, first, on_its_own(repository, "dave", second)) == 1
    repository.client().ok("POST", "/org/acme/member/invite", {"handle": "dave", "role": "member"})
    assert "<<<<<<<" in repository.lock_text()
    assert "<<<<<<<" not in (repository.folder / "orgs.yaml").read_text()
    assert repository.planned().status == 1
    locked(repository)
    assert {"org.acme/member.dave", "org.acme/member.erin", "org.acme/member.ivy"} < set(known(repository))
    assert repository.planned("--detailed-exitcode").addresses == []
    git(repository, "commit", "--quiet", "--all", "--message=merged")


def test_git_can_unite_the_sides_by_itself_and_the_command_mends_what_that_leaves(repository):
    (repository.folder / ".gitattributes").write_text(f"{LOCK} merge=union\n")
    first = invited(repository, "dave", with_line("      bob: owner", "dave: member"))
    second = invited(repository, "erin", with_line("      ivy: member", "erin: member"))
    assert branches(repository, first, on_its_own(repository, "dave", second)) == 0
    repository.client().ok("POST", "/org/acme/member/invite", {"handle": "dave", "role": "member"})
    assert repository.planned("--detailed-exitcode").addresses == []
    locked(repository, "--check")


def test_what_stands_in_the_file_is_escaped_where_it_is_shown(applied):
    edit(
        applied,
        lambda e: e.update({"org.acme/member.\x1b[2J": {"id": "u_\x1b[2J"}, "org.acme/member.::error::": {"id": "x"}}),
    )
    ran = locked(applied, "--check", status=2)
    assert "\x1b" not in ran.out
    assert r"org.acme/member.\x1b[2J" in ran.out
    conflict(
        applied, ['    "org.acme/member.bob": {"id": "\\u001b[2J"},'], ['    "org.acme/member.bob": {"id": "u_2"},']
    )
    assert "\x1b" not in locked(applied, status=3).err
