"""The template that looks for drift, run as it stands."""

import shutil

import pytest

from workflows.conftest import MANIFEST, READ

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="jq, which GitHub's runners have, is not here")

MARK = "<!-- reconciler: drift -->"


def drifted(work):
    work.bench.client().ok("POST", "/org/acme/member/invite", {"handle": "mallory", "role": "owner"})


def test_one_issue_is_opened_kept_up_to_date_and_closed_when_all_is_in_sync(work):
    drifted(work)
    ran = work.looked()
    assert [job.result for job in ran.values()] == ["success"] * 2, [job.log for job in ran.values()]
    (issue,) = work.github.known["issues"]
    assert issue["body"].startswith(MARK)
    assert "mallory" in issue["body"]
    assert "alice" in issue["body"], "who did it"

    work.bench.client().ok("POST", "/org/acme/member/invite", {"handle": "carol", "role": "member"})
    work.looked()
    (issue,) = work.github.known["issues"]
    assert "carol" in issue["body"]

    for handle in ("mallory", "carol"):
        work.bench.client().ok("DELETE", f"/org/acme/member/{handle}")
    ran = work.looked()
    assert [job.result for job in ran.values()] == ["success"] * 2, [job.log for job in ran.values()]
    (issue,) = work.github.known["issues"]
    assert issue["state"] == "closed"
    assert "In sync again" in work.comments[0]

    drifted(work)
    work.looked()
    assert [issue["state"] for issue in work.github.known["issues"]] == ["closed", "open"]


def test_in_sync_opens_nothing(work):
    ran = work.looked()
    assert [job.result for job in ran.values()] == ["success"] * 2, [job.log for job in ran.values()]
    assert work.github.known["issues"] == []
    assert [call for call in work.github.known["calls"] if call[0] in ("POST", "PATCH")] == []


@pytest.mark.parametrize("broken", ["host", "token"])
def test_a_run_that_could_not_look_fails_and_leaves_the_issue_alone(work, broken):
    drifted(work)
    work.looked()
    before = work.github.known["issues"]
    if broken == "host":
        # who speaks TLS to what does not gets no answer that means anything
        work.github.vars["PIPES_HOST"] = work.bench.host.replace("http:", "https:")
    else:
        work.github.secrets["PIPES_READ_TOKEN"] = "tpt_not_the_right_one"
    ran = work.looked()
    assert [job.result for job in ran.values()] == ["failure", "skipped"]
    assert ran["look"].outputs == {"status": "4"}
    assert work.github.known["issues"] == before


def test_what_is_merged_and_not_applied_yet_is_no_drift(work):
    applied = work.github.git("rev-parse", "main")
    work.github.change(runs=[{"conclusion": "success", "head_sha": applied}])
    work.commit({"orgs.yaml": MANIFEST.replace("dave: member\n", "dave: member\n      carol: member\n")})
    work.push()
    ran = work.looked()
    assert ran["look"].outputs == {"status": "0"}, ran["look"].log
    work.github.change(runs=[])
    assert work.looked()["look"].outputs == {"status": "2"}


def test_an_issue_of_somebody_else_with_our_mark_is_left_alone(work):
    forged = {"number": 1, "state": "open", "user": {"login": "mallory"}, "title": "x", "body": MARK}
    work.github.change(issues=[forged])
    drifted(work)
    work.looked()
    assert work.github.known["issues"][0] == forged
    assert len(work.github.known["issues"]) == 2


def test_looking_writes_nothing_to_pipes_and_shows_no_token(work):
    drifted(work)
    before = len(work.writes)
    ran = work.looked()
    assert len(work.writes) == before
    assert READ not in str([job.log for job in ran.values()]) + str(work.github.known)
