"""The template for what happens after a merge, run as it stands."""

import json
import shutil

import pytest

from workflows.conftest import MANIFEST, READ, WRITE

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="jq, which GitHub's runners have, is not here")

CAROL = MANIFEST.replace("dave: member\n", "dave: member\n      carol: member\n")
NO_BOB = MANIFEST.replace("      bob: owner\n", "")


def results(ran):
    return [ran[name].result for name in ("plan", "apply", "keep-lock")]


def test_what_was_merged_is_applied_and_the_lock_file_is_committed(work):
    ran = work.merged({"orgs.yaml": CAROL})
    assert results(ran) == ["success"] * 3, [job.log for job in ran.values()]
    assert "carol" in [row["user_handle"] for row in work.bench.client().all("/org/acme/member")]
    lock = json.loads(work.main("reconciler.lock.json"))
    assert "org.acme/member.carol" in lock["entries"]
    assert work.github.git("log", "-1", "--format=%an", "main") == "github-actions[bot]"
    assert READ not in str([job.log for job in ran.values()])
    assert WRITE not in str([job.log for job in ran.values()])


def test_each_token_is_held_by_one_step_only(work):
    work.merged({"orgs.yaml": CAROL})
    assert [e["INPUT_COMMAND"] for e in work.github.seen if READ in e.values()] == ["plan"]
    assert [e["INPUT_COMMAND"] for e in work.github.seen if WRITE in e.values()] == ["apply"]


def test_a_merge_without_changes_asks_nobody(work):
    ran = work.merged({"README.md": "hello\n"})
    assert results(ran) == ["success", "skipped", "skipped"]
    assert work.writes == []


def test_where_main_takes_no_commit_the_lock_file_comes_as_a_pull_request(work):
    work.git("checkout", "--quiet", "main")
    work.commit({"orgs.yaml": CAROL})
    work.push()
    hook = work.github.origin / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\n[ "$1" != refs/heads/main ]\n')
    hook.chmod(0o755)
    ran = work.github.run("reconciler-apply.yml", {"name": "push"})
    assert results(ran) == ["success"] * 3, ran["keep-lock"].log
    (pull,) = work.github.known["pulls"]
    assert pull["--base"] == "main"
    assert "org.acme/member.carol" in work.github.git("show", f"{pull['--head']}:reconciler.lock.json")


def test_a_lock_file_that_main_has_changed_meanwhile_is_not_written_over(work):
    work.merged({"orgs.yaml": CAROL})
    kept = work.main("reconciler.lock.json")

    def meanwhile(job):
        if job == "keep-lock":
            work.git("fetch", "--quiet", "origin")
            work.git("reset", "--quiet", "--hard", "origin/main")
            work.commit(
                {
                    "reconciler.lock.json": kept.replace(
                        '    "org.acme":', '    "org.aaa": {"id": "o_1"},\n    "org.acme":'
                    )
                }
            )
            work.push()

    ran = work.merged({"orgs.yaml": CAROL.replace("carol: member", "carol: member\n      mallory: member")}, meanwhile)
    assert ran["keep-lock"].result == "success", ran["keep-lock"].log
    entries = json.loads(work.main("reconciler.lock.json"))["entries"]
    assert {"org.aaa", "org.acme/member.carol", "org.acme/member.mallory"} < set(entries)
    assert work.github.known["pulls"] == []


def test_where_the_lock_file_cannot_be_kept_the_apply_is_done_and_the_run_says_so(work):
    work.git("checkout", "--quiet", "main")
    work.commit({"orgs.yaml": CAROL})
    work.push()
    hook = work.github.origin / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    ran = work.github.run("reconciler-apply.yml", {"name": "push"})
    assert results(ran) == ["success", "success", "failure"]
    assert "carol" in [row["user_handle"] for row in work.bench.client().all("/org/acme/member")]
    assert "::error title=The lock file was not kept::The apply itself is done." in ran["keep-lock"].log


def test_nothing_is_applied_when_live_changes_while_a_reviewer_looks(work):
    def meanwhile(job):
        if job == "apply":
            work.bench.client().ok("POST", "/org/acme/member/invite", {"handle": "carol", "role": "member"})

    ran = work.merged({"orgs.yaml": CAROL}, meanwhile)
    assert results(ran) == ["success", "failure", "skipped"]
    assert "stale-plan" in ran["apply"].log
    assert work.writes == []


def test_a_later_merge_does_not_slip_into_the_plan_that_was_looked_at(work):
    def meanwhile(job):
        if job == "apply":
            work.commit({"orgs.yaml": CAROL.replace("carol: member", "carol: member\n      mallory: owner")})
            work.push()

    ran = work.merged({"orgs.yaml": CAROL}, meanwhile)
    assert ran["apply"].result == "failure", "the plan is of an older branch: the run of the later merge plans again"
    assert work.writes == []


def test_a_plan_that_a_safeguard_refuses_is_never_offered_for_approval(work):
    ran = work.merged({"orgs.yaml": NO_BOB})
    assert results(ran) == ["failure", "skipped", "skipped"]
    assert "owner-removal" in ran["plan"].log
    assert work.writes == []


def test_a_run_by_hand_lifts_a_safeguard_that_the_reviewers_see(work):
    work.merged({"orgs.yaml": NO_BOB})
    ran = work.by_hand(allow="owner-removal=org.acme/member.bob", confirm_delete="")
    assert ran["plan"].result == "success", ran["plan"].log
    assert "title=Allowed by --allow%3A owner-removal" in ran["plan"].log
    assert ran["apply"].result == "success", ran["apply"].log
    assert "bob" not in [row["user_handle"] for row in work.bench.client().all("/org/acme/member")]


@pytest.mark.parametrize(
    "allow", ["owner-removal=org.acme/member.bob\nend of args\nstatus=0", "*", "$(touch pwned)", "-o"]
)
def test_what_is_typed_into_a_run_by_hand_is_a_word_and_nothing_else(work, allow):
    work.merged({"orgs.yaml": NO_BOB})
    ran = work.by_hand(allow=allow, confirm_delete="")
    assert results(ran) == ["failure", "skipped", "skipped"]
    assert list(work.github.folder.rglob("pwned")) == []
    assert work.writes == []


def test_an_org_is_deleted_only_by_a_run_that_confirms_it(work):
    gone = "version: 1\norgs:\n  acme: {absent: true}\n"
    ran = work.merged({"orgs.yaml": gone})
    assert results(ran)[:2] == ["success", "failure"]
    assert "org-delete" in ran["apply"].log
    assert work.writes == []
    ran = work.by_hand(allow="", confirm_delete="acme")
    assert ran["apply"].result == "success", ran["apply"].log
    assert ("DELETE", "/org/acme") in [(method, path.removeprefix("/api/v0")) for method, path in work.writes]


def test_a_run_on_another_branch_does_nothing(work):
    event = {"name": "workflow_dispatch", "ref": "refs/heads/mine", "inputs": {"allow": "", "confirm-delete": ""}}
    ran = work.github.run("reconciler-apply.yml", event)
    assert results(ran) == ["skipped"] * 3
    assert work.github.seen == []
