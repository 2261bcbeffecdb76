"""The template for pull requests, run as it stands: its conditions, its scripts, the action, the real reconciler."""

import shutil

import pytest

from workflows.conftest import MANIFEST, READ, WRITE

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="jq, which GitHub's runners have, is not here")

MARK = "<!-- reconciler: pull request -->"
CAROL = MANIFEST.replace("dave: member\n", "dave: member\n      carol: member\n")
RESULTS = ("review", "plan", "comment")


def results(ran):
    return [ran[name].result for name in RESULTS]


def nothing_leaks(work, ran):
    told = "".join(job.log for job in ran.values()) + "".join(work.comments)
    assert READ not in told
    assert WRITE not in told


def test_a_pull_request_gets_one_comment_with_review_and_plan(work):
    ran = work.reviewed(work.pull_request({"orgs.yaml": CAROL}))
    assert results(ran) == ["success"] * 3, [job.log for job in ran.values()]
    (comment,) = work.comments
    assert comment.startswith(MARK)
    assert "carol" in comment.partition("### ")[2].partition("### ")[0]  # in the review
    assert "org.acme/member.carol" in comment  # in the plan
    assert work.writes == []
    nothing_leaks(work, ran)


def test_a_second_push_edits_the_comment_in_place(work):
    work.reviewed(work.pull_request({"orgs.yaml": CAROL}))
    work.reviewed(work.pull_request({"orgs.yaml": MANIFEST.replace("dave: member\n", "dave: owner\n")}))
    (comment,) = work.comments
    assert "carol" not in comment
    assert "dave" in comment


def test_a_comment_of_somebody_else_with_our_mark_is_left_alone(work):
    forged = {"id": 1, "issue": "7", "user": {"login": "mallory"}, "body": f"{MARK}\nlooks good"}
    quoted = {"id": 2, "issue": "7", "user": {"login": "github-actions[bot]"}, "body": f"> {MARK}\nanother workflow's"}
    work.github.change(comments=[forged, quoted])
    work.reviewed(work.pull_request({"orgs.yaml": CAROL}))
    assert work.github.known["comments"][:2] == [forged, quoted]
    assert len(work.comments) == 3


def test_a_fork_gets_a_review_and_neither_a_token_nor_a_plan(work):
    ran = work.reviewed(work.pull_request({"orgs.yaml": CAROL}, fork=True))
    assert results(ran) == ["success", "skipped", "success"]
    (comment,) = work.comments
    assert "carol" in comment
    assert "No plan" in comment
    assert list(work.seen) == [], "Pipes was asked on behalf of a stranger"
    assert all(not environ.get("PIPES_TOKEN") for environ in work.github.seen)
    assert READ not in str(work.github.seen)


def test_only_the_step_that_plans_holds_a_pipes_token(work):
    work.reviewed(work.pull_request({"orgs.yaml": CAROL}))
    holders = [environ["INPUT_COMMAND"] for environ in work.github.seen if READ in environ.values()]
    assert holders == ["plan"]
    assert WRITE not in str(work.github.seen)


def test_errors_are_annotated_and_told_and_no_token_meets_them(work):
    ran = work.reviewed(work.pull_request({"orgs.yaml": MANIFEST.replace("dave: member\n", "dave: membre\n")}))
    assert results(ran) == ["failure", "skipped", "success"]
    assert "::error file=orgs.yaml,line=7,col=13" in ran["review"].log
    (comment,) = work.comments
    assert "membre" in comment
    assert list(work.seen) == []


def test_a_plan_that_is_refused_fails_the_check_and_says_why(work):
    ran = work.reviewed(work.pull_request({"orgs.yaml": MANIFEST.replace("      bob: owner\n", "")}))
    assert results(ran) == ["success", "failure", "success"]
    assert "owner-removal" in work.comments[0]


def test_what_main_has_gained_meanwhile_is_part_of_the_plan(work):
    event = work.pull_request({"orgs.yaml": CAROL})
    work.commit({"orgs.yaml": MANIFEST.replace("          dave: reader\n", "          dave: operator\n")})
    work.push()
    ran = work.reviewed(event)
    assert results(ran) == ["success"] * 3
    review, _, plan = work.comments[0].partition("### ")[2].partition("### ")
    assert "operator" not in review, "what main changed is not this pull request's doing"
    assert "operator" in plan
    assert "carol" in plan


def test_a_conflict_with_main_is_told(work):
    event = work.pull_request({"orgs.yaml": MANIFEST.replace("dave: member\n", "dave: owner\n")})
    work.commit({"orgs.yaml": MANIFEST.replace("dave: member\n", "carol: member\n")})
    work.push()
    ran = work.reviewed(event)
    assert results(ran) == ["failure", "skipped", "success"]
    assert "conflicts with main" in ran["review"].log
    assert "could not read" in work.comments[0]


def test_an_event_of_an_older_push_says_nothing_about_a_newer_one(work):
    event = work.pull_request({"orgs.yaml": CAROL})
    work.pull_request({"orgs.yaml": MANIFEST.replace("      bob: owner\n", "")})
    ran = work.reviewed(event)
    assert ran["review"].result == "failure"
    assert "newer push" in ran["review"].log


def test_nothing_of_a_pull_request_is_run_or_obeyed(work, tmp_path):
    spoils = tmp_path / "spoils"
    bad = f"from pathlib import Path\nPath({str(spoils)!r}).write_text('run')\n"
    shell = f"#!/bin/sh\ntouch {spoils}\n"
    ran = work.reviewed(
        work.pull_request({
            "orgs.yaml": CAROL,
            **dict.fromkeys(("sitecustomize.py", "yaml.py", "click/__init__.py", "reconciler/__init__.py"), bad),
            **dict.fromkeys(("git", "jq", "gh", ".envrc", ".github/actions/reconciler/run.sh"), shell),
            ".gitattributes": "*.yaml filter=evil export-ignore eol=crlf merge=evil\n",
            ".lfsconfig": "[lfs]\n\turl = https://evil.example\n",
            "pip.conf": "[global]\nindex-url = https://evil.example\n",
        })
    )  # fmt: skip
    assert results(ran) == ["success"] * 3, [job.log for job in ran.values()]
    assert "carol" in work.comments[0]
    assert not spoils.exists()


@pytest.mark.parametrize("target", ["/proc/self/environ", "{secret}", "../../../../../../{secret}"])
@pytest.mark.parametrize("name", ["orgs.yaml", "reconciler.lock.json"])
def test_a_link_in_a_pull_request_shows_nothing_of_the_runner(work, tmp_path, target, name):
    secret = tmp_path / "secret"
    secret.write_text("the runner's own secret\n")
    work.git("checkout", "--quiet", "--detach", "main")
    (work.clone / name).unlink(missing_ok=True)
    (work.clone / name).symlink_to(target.format(secret=secret))
    work.git("add", "--all")
    work.git("commit", "--quiet", "--message=x")
    head = work.git("rev-parse", "HEAD")
    work.push("refs/pull/7/head")
    event = work.pull_request()
    work.git("push", "--quiet", "--force", "origin", f"{head}:refs/pull/7/head")
    event["event"]["pull_request"]["head"]["sha"] = head
    ran = work.reviewed(event)
    told = "".join(job.log for job in ran.values()) + work.comments[0]
    assert "the runner's own secret" not in told
    assert "RUNNER_TEMP" not in told
    nothing_leaks(work, ran)
    if name == "orgs.yaml":
        assert results(ran) == ["failure", "skipped", "success"]
        assert "leads out of the repository" in told


def test_hostile_words_reach_no_script(work):
    hostile = "$(touch pwned) `touch pwned` ${{ secrets.PIPES_READ_TOKEN }} ::set-output name=x::y"
    named = CAROL.replace("    members:", f"    display_name: '{hostile}'\n    members:", 1)
    ran = work.reviewed(work.pull_request({"orgs.yaml": named}))
    assert results(ran) == ["success"] * 3, [job.log for job in ran.values()]
    assert list(work.github.folder.rglob("pwned")) == []
    assert not any(line.startswith("::set-output") for job in ran.values() for line in job.log.splitlines())
    nothing_leaks(work, ran)


@pytest.mark.parametrize("people", [pytest.param(150, id="each fits alone"), pytest.param(1200, id="both are cut")])
def test_however_much_a_pull_request_does_there_is_one_comment_that_github_takes(work, people):
    names = [f"somebody-with-a-long-name-{number:04}" for number in range(people)]
    known = "".join(f"  {name}: {{email: {name}@example.com}}\n" for name in names)
    members = "".join(f"      {name}: member\n" for name in names)
    text = MANIFEST.replace("orgs:\n", f"people:\n{known}orgs:\n").replace(
        "    workspaces:\n", f"{members}    workspaces:\n"
    )
    ran = work.reviewed(work.pull_request({"orgs.yaml": text}))
    assert results(ran) == ["success"] * 3, ran["comment"].log
    (comment,) = work.comments
    assert len(comment) <= 65_536
    assert f"Plan: {people} to create" in comment
    if people == 150:
        assert "The review does not fit beside the plan" in comment
