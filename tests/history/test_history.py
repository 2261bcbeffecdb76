"""Who had what when: `access --at` and `history`, from the commits of a branch."""

from __future__ import annotations

import json
import os
import random
import re

import pytest

from reconciler.history.other_people import is_line_by_line, others_between
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
    assert (ran.status, "the manifests of this branch never had that; did you mean `acme`?" in ran.err) == (1, True)
    repo.on(
        "2026-01-04",
        "version: 1\norgs: {acme: {members: {alice: owner, bob: member}, workspaces: {lab: {members: {bob: reader}}}}}\n",
    )
    assert repo.history("carol", "--in", "acme/lab") == []


def test_an_end_is_that_of_the_commit_that_wrote_it_and_on_each_of_its_days(repo):
    more = "teams: {ops: [bob]}\n"
    lasting = "alice: owner, bob: {role: owner, expires: 2026-02-01}, team/ops: {role: member, expires: 2026-03-01}"
    first = repo.manifest("2026-01-01", lasting, more)
    repo.manifest("2026-01-10", f"{lasting}, carol: member", more)
    repo.manifest("2026-05-01", f"{lasting}, carol: owner", more)
    assert [(*one[:1], *one[3:]) for one in repo.history("bob")] == [
        ("2026-01-01", None, "owner"),
        ("2026-02-01", "owner", "member"),
        ("2026-03-01", "member", None),  # hidden behind the other entry until that ended
    ]
    for args in ((), ("bob",)):
        events = repo.bench.run("history", *args, "--format", "json").json["events"]
        assert next((one["commit"], one["person"]) for one in events if one["ended"]) == (first, "bob")


def test_a_place_is_followed_under_its_former_names(repo):
    people = "members: {alice: owner, bob: member}"
    space = "{members: {bob: reader}}"
    repo.on("2026-01-01", f"version: 1\norgs: {{old: {{{people}, workspaces: {{lab: {space}}}}}}}\n")
    text = f"version: 1\norgs: {{acme: {{renamed_from: old, {people}, workspaces: {{prod: {{renamed_from: lab, members: {{}}}}}}}}}}\n"
    commit = repo.on("2026-01-02", text)
    assert repo.history("bob", "--in", "acme/prod") == repo.history("bob", "--in", "old/lab")
    assert [one[2:] for one in repo.history("bob", "--in", "acme")] == [
        ("old", None, "member"),
        ("old/lab", None, "reader"),
        ("acme/prod", "reader", None),
    ]
    ran = repo.bench.run("history", "--format", "json")
    assert ran.json["renames"] == [
        {"day": "2026-01-02", "before": "old", "after": "acme", "commit": commit},
        {"day": "2026-01-02", "before": "old/lab", "after": "acme/prod", "commit": commit},
    ]
    assert f"old is called acme since 2026-01-02, by {commit[:10]}" in repo.bench.run("history").out


def test_somebody_is_found_by_an_address_whose_account_was_always_known(repo):
    lock = {"version": 1, "entries": {"org.acme/member.carol": {"id": "u_1", "handle": "carol-x"}}}
    repo.put("reconciler.lock.json", json.dumps(lock))
    repo.manifest("2026-01-01", "alice: owner, carol: member", "people: {carol: {email: Carol@example.com}}\n")
    for called in ("carol", "carol-x", "carol@example.com"):
        assert repo.history(called) == [("2026-01-01", "carol-x", "acme", None, "member")]
    row = repo.bench.run("history", "--format", "csv").out.splitlines()[-1]
    assert row.startswith("2026-01-01,carol,carol-x,acme,,member,")


BLOCK = """version: 1
people:
  zoe: {email: zoe@example.com}
teams:
  ops:
    - zoe
orgs:
  acme:
    members:
      alice: owner
      bob: member  # since 2024
      zoe: member
"""


@pytest.mark.parametrize(
    ("old", "new", "others"),
    [
        ("      zoe: member\n", "      zoe: owner\n", {"zoe"}),
        ("      zoe: member\n", "      zoe: member\n      yan: member\n", {"zoe", "yan"}),
        ("      zoe: member\n", "", None),  # perhaps the last entry of a section, which is then no section any more
        ("    - zoe\n", "    - zoe\n    - {name: yan, expires: 2027-01-01}\n", {"zoe", "yan"}),
        ("zoe: member", "zoe: {role: member, expires: 2027-01-01, reason: on loan}", {"zoe"}),
        ("  zoe: {email: zoe@example.com}", "  zoe: {handle: zoe-x}", {"zoe", "zoe-x", "zoe@example.com"}),
        ("      zoe: member\n", "      # bob: owner\n\n      zoe: owner\n", {"zoe"}),
        ("zoe: member", "zoe:\n        expires: '2027-01-01'\n        role: member", {"zoe"}),
        ("    - zoe", "    - expires: 2027-01-01\n      name: zoe", {"zoe"}),
        ("zoe: member", '"123": member', {"zoe", "123"}),
        ("bob: member", "bob:\n        role: owner", None),
        ("zoe: member", "'bob': member", None),
        ("    - zoe", "    - expires: 2027-01-01\n      name: bob", None),
        ("zoe: member", "zoe:\n        role: member\n        absent: true", None),
        ("  acme:\n", "  acme:\n    role: owner\n", None),
        ("bob: member", "bob: owner", None),
        ("zoe: member", "bob: owner", None),
        ("  zoe: {email: zoe@example.com}", "  zoe: {handle: BOB}", None),
        ("  zoe: {email: zoe@example.com}", "  zoe: {email: bob@example.com}", None),
        ("    - zoe", "    - bob", None),
        ("    - zoe", "    - team/dev", None),
        ("    - zoe", "    []", None),
        ("zoe: member", "team/ops: member", None),
        ("zoe: member", "zoe: {absent: true}", None),
        ("zoe: member", "zoe: &m member", None),
        ("zoe: member", "zoe: {role: member, reason: 'it''s'", None),
        ("      zoe: member\n", "      zoe: owner\u0085      bob: owner\n", None),
        ("      zoe: member\n", "      zoe: member # x\r      bob: owner\n", None),
        ("    members:\n", "    unlisted: keep\n    members:\n", None),
        ("  acme:\n", "  acme:\n    display_name: owner\n", None),
        ("  acme:\n", '  acme:\n    display_name: "a\n', None),
        ("  acme:\n", "  acme:\n    display_name: |\n", None),
        ("  acme:\n    members:\n", "  acme:\n    renamed_from: owner\n    members:\n", None),
    ],
)
def test_only_lines_about_others_are_passed_over(old, new, others):
    before, after = BLOCK.encode(), BLOCK.replace(old, new).encode()
    assert before != after
    for one, other in ((before, after), (after, before)):
        if is_line_by_line(one):
            assert (found := others_between(one, other, {"bob", "bob@example.com"})) is None or others is not None
            assert others is None or found is not None
            assert others is None or others <= found
    assert is_line_by_line(before)


def test_a_manifest_that_cannot_be_read_is_told_and_passed_over(repo):
    repo.manifest("2026-01-01", "alice: owner")
    broken = repo.on("2026-01-02", "version: 1\norgs: [\n")
    repo.manifest("2026-01-03", "alice: owner, bob: member")
    assert repo.history("bob") == [("2026-01-03", "bob", "acme", None, "member")]
    for args in (("history",), ("access", "--at", "2026-01-02")):
        assert f"the manifests of {broken[:10]} (2026-01-02) are passed over: orgs.yaml:" in repo.bench.run(*args).out
    assert repo.at("2026-01-02") == repo.at("2026-01-01") == {("alice", "acme", "owner")}
    assert repo.bench.run("access", "--at", "HEAD~1").status == 1  # who asks for that commit wants no other


def test_manifests_that_say_nothing_on_a_day_are_an_error(repo):
    repo.manifest("2026-01-01", "alice: owner, bob: member")
    repo.manifest("2026-01-02", "alice: {role: owner, expires: 2026-02-01}")
    ran = repo.bench.run("access", "--at", "2026-02-01")
    assert (ran.status, "no person would own acme" in ran.err) == (1, True)
    (repo.folder / "orgs.yaml").unlink()
    repo.on("2026-03-01", "x", name="note.txt")
    ran = repo.bench.run("access", "--at", "2026-03-01")
    assert (ran.status, "there are no manifests at" in ran.err) == (1, True)


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


NAMES = ("bob", "carol", "dave", "erin", "fay")


def block(found):
    inside = "".join(f"\n{found[1]}  {one}" for one in reversed(found[3].split(", ")))
    return f"{found[1]}{found[2]}:{found[4] or ''}{inside}"


def listed(found):
    return f"{found[1]}- " + f"\n{found[1]}  ".join(reversed(found[2].split(", ")))


def random_states(chosen):
    """The files of 30 commits, by name, with the day of each: people come, go, end, and are called otherwise."""
    grants = {name: {} for name in ("prod", "lab")}
    members, people, team, org, lock = {"alice": "owner"}, {}, ["bob", "carol"], "acme", {}
    for n in range(30):
        for _ in range(chosen.choice([1, 1, 1, 2, 5])):
            name, space = chosen.choice(NAMES), chosen.choice(sorted(grants))
            end = f"2026-{chosen.randint(1, 12):02}-{chosen.choice(['05', '15', '25'])}"
            match chosen.randrange(14):
                case 0 | 1 | 2:
                    members[name] = chosen.choice(["member", "member", "owner"])
                case 3:
                    members[name] = f"{{role: owner, expires: {end}, then: member}}"
                case 4:
                    members[name] = f"{{role: member, expires: {end}, reason: a visit}}"
                case 5:
                    members.pop(name, None)
                    grants[space].pop(name, None)
                case 6 | 7:
                    grants[space][name] = chosen.choice(["reader", "operator", f"{{role: reader, expires: {end}}}"])
                case 8:
                    grants[space].pop(name, None)
                case 9:
                    team = chosen.choice(
                        [[*team, name], [one for one in team if one != name], [f"{{name: {name}, expires: {end}}}"]]
                    )
                case 10:
                    who = chosen.choice([f"{name}-x", f"{name}@example.com"])
                    people[name] = f"{{email: {who}}}" if "@" in who else f"{{handle: {who}}}"
                case 11:
                    lock[f"org.{org}/member.{name}"] = {"id": f"u_{name}", "handle": f"{name}-z"}
                case 12:
                    members, grants["lab"] = chosen.choice(
                        [({**members, "team/ops": "member"}, {"team/ops": "reader"}), (members, grants["lab"])]
                    )
                case 13:
                    members["alice"] = chosen.choice(["owner", "owner", "member"])  # perhaps nobody owns it then
        rename = f"    renamed_from: {org}\n" if chosen.random() < 0.05 else ""
        org = f"{org}x" if rename else org
        noted = chosen.choice(["", "", "  # noted", "\n    # bob: owner"])
        # the same entries in other lines, and now and then what is no YAML
        people_text = "".join(f"  {name}: {who}{noted}\n" for name, who in people.items()) or "  {}\n"
        text = f"version: 1\npeople:\n{people_text}teams:\n  ops:\n" + (
            "".join(f"    - {one}\n" for one in dict.fromkeys(team)) or "    []\n"
        )
        text += f"orgs:\n  {org}:\n{rename}    members:\n" + "".join(
            f"      {name}: {role}{noted}\n" for name, role in members.items()
        )
        spaces = f"version: 1\norgs:\n  {org}:\n    workspaces:\n"
        for space, theirs in grants.items():
            spaces += f"      {space}:\n        members:\n" + (
                "".join(f"          {name}: {role}\n" for name, role in theirs.items()) or "          {}\n"
            )
        if chosen.random() < 0.1:
            text = chosen.choice(
                [text.replace("members:", "members: ["), text + "      zoe: owner\n      zoe: member\n"]
            )
        if chosen.random() < 0.5:  # the same in block style
            text, spaces = (
                re.sub(
                    r"^( +)(\w+): \{(role: .*)\}( *#.*)?$",
                    block,
                    re.sub(r"^( +)- \{(name: .*)\}$", listed, one, flags=re.MULTILINE),
                    flags=re.MULTILINE,
                )
                for one in (text, spaces)
            )
        sealed = {"version": 1, "entries": {at: lock[at] for at in sorted(lock)}}
        files = {"orgs/a.yaml": text, "orgs/b.yaml": spaces, "orgs/reconciler.lock.json": json.dumps(sealed)}
        yield f"2026-{1 + n // 3:02}-{1 + n % 3 * 9:02}", files


def renamed(place, rename):
    org, slash, space = place.partition("/")
    return (
        rename["after"]
        if place == rename["before"]
        else f"{rename['after'] if org == rename['before'] else org}{slash}{space}"
    )


def account(handle):
    """A handle, also where the lock file did not know it yet."""
    return handle.replace("@example.com", "-z")


@pytest.mark.parametrize("seed", range(int(os.environ.get("RECONCILER_HISTORIES", "1"))))
def test_access_at_a_commit_is_that_of_its_checkout_and_history_adds_up_to_the_differences(repo, seed):
    states = []
    for day, files in random_states(random.Random(seed)):
        for name, text in files.items():
            repo.put(name, text)
        commit = repo.on(day, f"{day}\n", name="note.txt")
        here = repo.bench.run("access", "--on", day, "--format", "json")
        if here.status == 0:
            states.append((day, commit, {(e["handle"], e["object"], e["role"]) for e in here.json["access"]}))
    found = repo.bench.run("history", "--format", "json").json
    events = found["events"]
    changes = [*found["renames"], *events]  # whatever a commit renamed has its new name in the changes of the same day
    for day, commit, checkout in states:
        assert repo.at(commit, "--on", day) == checkout
        assert repo.at(day) == checkout
        now = {}
        for one in sorted((one for one in changes if one["day"] <= day), key=lambda one: one["day"]):
            if "object" in one:
                now[account(one["handle"]), one["object"]] = one["after"]
            else:
                now = {(who, renamed(place, one)): role for (who, place), role in now.items()}
        assert {(*at, role) for at, role in now.items() if role} == {(account(one[0]), *one[1:]) for one in checkout}
    for name in NAMES:
        ran = repo.bench.run("history", name, "--format", "json")
        called = {name, f"{name}-x", f"{name}-z", f"{name}@example.com"}
        assert (ran.json["events"] if ran.status == 0 else []) == [one for one in events if one["handle"] in called]
