"""Who had what when: `access --at` and `history`, from the commits of a branch."""

from __future__ import annotations

import json
import os
import random

import pytest

from review.repository import Repository

ALICE = "members: {alice: owner"


@pytest.fixture
def repo(bench):
    return Branch(bench)


class Branch(Repository):
    """A repository in the current folder, whose commits have days, authors and subjects."""

    def __init__(self, bench):
        super().__init__(bench.folder)
        self.bench = bench
        self.ids = []

    def on(self, day, text, subject="x", author="A", name="orgs.yaml"):
        self.environ |= {
            "GIT_AUTHOR_DATE": f"{day}T10:00:00Z",
            "GIT_COMMITTER_DATE": f"{day}T10:00:00Z",
            "GIT_AUTHOR_NAME": author,
        }
        self.put(name, text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={subject}")
        self.ids.append(self.git("rev-parse", "HEAD"))
        return self.ids[-1]

    def manifest(self, day, members, more="", subject="x", author="A"):
        return self.on(day, f"version: 1\n{more}orgs:\n  acme: {{members: {{{members}}}}}\n", subject, author)

    def history(self, *args):
        ran = self.bench.run("history", *args, "--format", "json")
        assert ran.status == 0, ran.err
        return [(e["day"], e["handle"], e["object"], e["before"], e["after"]) for e in ran.json["events"]]

    def at(self, moment, *args):
        ran = self.bench.run("access", "--at", moment, *args, "--format", "json")
        assert ran.status == 0, ran.err
        return {(e["handle"], e["object"], e["role"]) for e in ran.json["access"]}


def test_a_day_is_its_last_commit_and_what_counted_on_it(repo):
    repo.manifest("2026-01-05", "alice: owner")
    repo.manifest("2026-01-10", "alice: owner, bob: {role: member, expires: 2026-02-01}")
    repo.manifest("2026-03-01", "alice: owner, carol: member")
    alice = ("alice", "acme", "owner")
    assert repo.at("2026-01-09") == {alice}
    assert repo.at("2026-01-10") == repo.at("2026-01-31") == {alice, ("bob", "acme", "member")}
    assert repo.at("2026-02-01") == repo.at("2026-02-28") == {alice}
    assert repo.at("2026-03-01") == repo.at("HEAD") == {alice, ("carol", "acme", "member")}
    assert repo.at("HEAD~1", "--on", "2026-01-20") == {alice, ("bob", "acme", "member")}
    text = repo.bench.run("access", "--at", "2026-01-31").out
    assert f"as written in commit {repo.ids[1][:10]} of 2026-01-10 by A: x" in text
    assert "as of 2026-01-31" in text


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--at", "2025-12-31"), "this branch has no commit by that day"),
        (("--at", "2026-02-30"), "there is no such day"),
        (("--at", "nowhere"), "neither a revision of this repository nor a folder"),
        (("--at", "--all"), "--at"),
        (("--at", "HEAD", "--live"), "cannot be combined with --at"),
        (("--at", "2026-01-05", "--on", "2026-01-05"), "cannot be combined with --on"),
    ],
)
def test_what_is_no_moment_of_the_branch_is_an_error(repo, args, said):
    repo.manifest("2026-01-05", "alice: owner")
    ran = repo.bench.run("access", *args)
    assert (ran.status, said in ran.err) == (1, True), ran.err


@pytest.mark.parametrize("command", [("history",), ("access", "--at", "HEAD"), ("access", "--at", "2026-01-05")])
def test_outside_of_git_the_error_is_about_the_folder(bench, command):
    bench.manifest("orgs: {acme: {members: {alice: owner}}}")
    ran = bench.run(*command)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "Error: the current folder is not in a git repository\n"


def test_each_change_has_its_day_its_commit_and_its_author_and_an_end_its_own_day(repo):
    repo.manifest("2026-01-05", "alice: owner", subject="Begin")
    repo.manifest(
        "2026-01-10", "alice: owner, bob: {role: member, expires: 2026-02-01}", subject="Let bob in", author="Alice"
    )
    repo.manifest("2026-03-01", "alice: owner, bob: member")
    repo.manifest("2026-03-02", "alice: owner")
    assert repo.history("bob") == [
        ("2026-01-10", "bob", "acme", None, "member"),
        ("2026-02-01", "bob", "acme", "member", None),
        ("2026-03-01", "bob", "acme", None, "member"),
        ("2026-03-02", "bob", "acme", "member", None),
    ]
    events = repo.bench.run("history", "bob", "--format", "json").json["events"]
    assert [(e["commit"], e["author"], e["subject"], e["ended"]) for e in events[:2]] == [
        (repo.ids[1], "Alice", "Let bob in", False),
        (repo.ids[1], "Alice", "Let bob in", True),
    ]
    text = repo.bench.run("history", "bob").out
    assert "Let bob in" in text
    assert "its own end, written in" in text
    assert "4 changes in 4 commits." in text


def test_names_handles_and_places_are_followed(repo):
    repo.on(
        "2026-01-01",
        "version: 1\npeople: {carol: {email: carol@example.com}}\norgs: {old: {members: {alice: owner, carol: member}}}\n",
    )
    repo.on(
        "2026-01-02",
        "version: 1\npeople: {carol: {email: carol@example.com, handle: carol-x}}\n"
        "orgs: {acme: {renamed_from: old, members: {alice: owner, carol: member}}}\n",
    )
    repo.on("2026-01-03", "version: 1\norgs: {acme: {members: {alice: owner, carol-x: owner}}}\n")
    found = {(day, place, before, after) for day, _, place, before, after in repo.history("carol@example.com")}
    assert found == {(day, place, before, after) for day, _, place, before, after in repo.history("carol-x")}
    assert ("2026-01-03", "acme", "member", "owner") in found
    assert repo.history("carol", "--in", "acme")[-1][3:] == ("member", "owner")
    ran = repo.bench.run("history", "carl")
    assert (ran.status, "did you mean `carol`" in ran.err) == (1, True)
    ran = repo.bench.run("history", "--in", "acmee")
    assert (ran.status, "did you mean `acme`?" in ran.err) == (1, True)


def test_a_manifest_that_cannot_be_read_is_told_and_passed_over(repo):
    repo.manifest("2026-01-01", "alice: owner")
    broken = repo.on("2026-01-02", "version: 1\norgs: [\n")
    repo.manifest("2026-01-03", "alice: owner, bob: member")
    assert repo.history("bob") == [("2026-01-03", "bob", "acme", None, "member")]
    ran = repo.bench.run("history")
    assert f"the manifests of {broken[:10]} (2026-01-02) are passed over: orgs.yaml:" in ran.out


def test_only_the_branch_itself_counts_and_nothing_of_it_is_run(repo):
    repo.manifest("2026-01-01", "alice: owner")
    repo.git("checkout", "--quiet", "-b", "side")
    repo.manifest("2026-01-02", "alice: owner, mallory: owner")
    repo.manifest("2026-01-03", "alice: owner, bob: member")
    repo.git("checkout", "--quiet", "main")
    repo.environ |= {"GIT_COMMITTER_DATE": "2026-01-05T10:00:00Z"}
    repo.git("merge", "--quiet", "--no-ff", "-m", "Merge side", "side")
    hook = repo.put(".git/hooks/post-index-change", "#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    repo.git("config", "core.fsmonitor", "touch ran")
    assert repo.history() == [
        ("2026-01-01", "alice", "acme", None, "owner"),
        ("2026-01-05", "bob", "acme", None, "member"),
    ]
    assert not (repo.folder / "ran").exists()


def test_a_folder_without_history_is_an_error(bench):
    ran = bench.run("history")
    assert (ran.status, "git" in ran.err) == (1, True)


HOSTILE = "=HYPERLINK(1)\x1b[31m<script>|`@team`\u202e"


@pytest.mark.parametrize("fmt", ["text", "json", "csv", "markdown", "html"])
def test_hostile_subjects_and_authors_are_harmless(repo, fmt):
    repo.manifest("2026-01-01", "alice: owner", subject=HOSTILE, author=HOSTILE)
    for args in (("history",), ("access", "--at", "HEAD")):
        out = repo.bench.run(*args, "--format", fmt).out
        assert out
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert fmt in ("json", "text", "csv") or "<script>|" not in out
        if fmt == "csv":
            assert ",=HYPERLINK" not in out
    (row,) = json.loads(repo.bench.run("history", "--format", "json").out)["events"]
    assert row["subject"].startswith("=HYPERLINK(1)")


@pytest.mark.parametrize("seed", range(int(os.environ.get("RECONCILER_HISTORIES", "1"))))
def test_access_at_a_commit_is_that_of_its_checkout_and_history_adds_up_to_the_differences(repo, seed):
    chosen = random.Random(seed)
    names = ["bob", "carol", "dave", "erin"]
    states = []
    for n in range(30):
        day = f"2026-{1 + n // 3:02}-{1 + n % 3 * 9:02}"
        people = {name: chosen.choice(["", "member", "member", "owner"]) for name in names}
        lines = ["alice: owner", *(f"{name}: {role}" for name, role in people.items() if role)]
        team = chosen.sample(names, 2)
        grants = [
            f"{name}: {chosen.choice(['reader', 'operator'])}"
            for name in names
            if people[name] and chosen.random() < 0.5
        ]
        if chosen.random() < 0.3:
            lines.append("team/ops: member")
            grants.append("team/ops: reader")
        if chosen.random() < 0.3 and not people["dave"]:
            lines.append(f"dave: {{role: member, expires: 2026-{chosen.randint(1, 12):02}-15}}")
        if chosen.random() < 0.1:
            lines.append("bob: [")
        text = (
            f"version: 1\nteams: {{ops: [{', '.join(team)}]}}\norgs:\n  acme:\n    members: {{{', '.join({x.split(':')[0]: x for x in lines}.values())}}}\n"
            f"    workspaces: {{prod: {{members: {{{', '.join(grants)}}}}}}}\n"
        )
        commit = repo.on(day, text)
        here = repo.bench.run("access", "--format", "json")
        if here.status == 0:
            states.append((day, commit, {(e["handle"], e["object"], e["role"]) for e in here.json["access"]}))
    events = repo.bench.run("history", "--format", "json").json["events"]
    for day, commit, checkout in states:
        assert repo.at(commit) == checkout
        now = {}
        for event in events:
            at = (event["handle"], event["object"])
            if event["day"] <= day:
                assert now.get(at) == event["before"]
                now[at] = event["after"]
        assert {(*at, role) for at, role in now.items() if role} == repo.at(day)
