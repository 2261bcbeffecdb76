"""The template for approvals, run as it stands: its scripts, the action, the real reconciler."""

import shutil

import pytest

from workflows.conftest import MANIFEST

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="jq, which GitHub's runners have, is not here")

RULES = "approvals:\n  default: {of: team/security}\nteams:\n  security: [sam, tom]\n"
CAROL = MANIFEST.replace("dave: member\n", "dave: member\n      carol: member\n")


@pytest.fixture
def judged(work):
    """Runs the template for a pull request that adds carol, after these reviews."""
    work.git("fetch", "--quiet", "origin")
    work.git("reset", "--quiet", "--hard", "origin/main")
    work.commit({"orgs.yaml": MANIFEST + RULES})
    work.push()
    event = work.pull_request({"orgs.yaml": CAROL + RULES})
    pull = event["event"]["pull_request"]
    pull["user"] = {"login": "erin"}

    def run(*reviews, name="pull_request_target"):
        work.github.change(
            reviews=[
                {"user": {"login": login}, "state": state, "commit_id": pull["head"]["sha"] if fresh else "0" * 40,
                 "submitted_at": f"2026-11-24T09:00:{at:02}Z"}
                for at, (login, state, fresh) in enumerate(reviews)
            ]
        )  # fmt: skip
        return work.github.run("reconciler-approvals.yml", {**event, "name": name})["approvals"]

    return run


def test_it_fails_until_somebody_approves_whose_consent_is_asked_for(judged):
    missing = judged()
    assert missing.result == "failure"
    assert "1 of team/security" in missing.log
    for name in ("pull_request_target", "pull_request_review"):
        assert judged(("sam", "APPROVED", True), name=name).result == "success"


@pytest.mark.parametrize(
    "reviews",
    [
        pytest.param([("sam", "APPROVED", False)], id="an approval of an earlier commit"),
        pytest.param([("sam", "APPROVED", True), ("sam", "CHANGES_REQUESTED", True)], id="a change of mind"),
        pytest.param([("sam", "APPROVED", True), ("sam", "DISMISSED", True)], id="a dismissed approval"),
        pytest.param([("mallory", "APPROVED", True)], id="a stranger"),
        pytest.param([("erin", "APPROVED", True)], id="the author"),
        pytest.param([("sam\n--approved-by=tom", "APPROVED", True)], id="a login that is none"),
        pytest.param([("sam", "COMMENTED", True)], id="a comment"),
    ],
)
def test_what_is_no_approval_of_this_commit_does_not_count(judged, reviews):
    assert judged(*reviews).result == "failure"


def test_a_comment_after_an_approval_leaves_it_as_it_is(judged):
    assert judged(("sam", "APPROVED", True), ("sam", "COMMENTED", True)).result == "success"
