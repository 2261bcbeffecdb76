"""The reusable workflows, and the short ones that call them: equal to the long copies but for the head, and run as they stand."""

import os
import shutil

import pytest

from workflows import reusable
from workflows.conftest import MANIFEST, READ, WRITE
from workflows.runner import REUSABLE, SHORT, document
from workflows.test_approvals import RULES

needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="jq, which GitHub's runners have, is not here")
each = pytest.mark.parametrize("name", reusable.PARTS)
CAROL = MANIFEST.replace("dave: member\n", "dave: member\n      carol: member\n")


def lines(path):
    """What a workflow says without its comments."""
    return [line for line in path.read_text().splitlines() if not line.strip().startswith("#")]


@each
def test_a_reusable_workflow_is_its_long_copy_but_for_the_head(name):
    file = reusable.path(name)
    if os.environ.get("RECONCILER_ACCEPT"):
        file.write_text(reusable.written(name))
    assert file.read_text() == reusable.written(name)


@each
def test_a_short_workflow_starts_as_its_long_copy_does_in_ten_lines(name):
    path = SHORT / f"reconciler-{name}.yml"
    assert len(lines(path)) <= 10
    short, long = document(path), document(SHORT.parent / path.name)
    assert short["name"] == long["name"]  # drift finds the runs of `reconciler-apply.yml`
    assert short["permissions"] == {}
    for event, how in short["on"].items():
        assert event in long["on"]
        if event == "workflow_dispatch":
            assert (how or {}).get("inputs", {}).keys() == ((long["on"][event] or {}).get("inputs") or {}).keys()
        else:
            assert how == long["on"][event]
    assert short["on"].keys() == long["on"].keys()


@each
def test_a_call_gives_what_the_jobs_need_and_no_more(name):
    (call,) = document(SHORT / f"reconciler-{name}.yml")["jobs"].values()
    assert REUSABLE.fullmatch(call["uses"])[1] == name
    called = document(reusable.path(name))
    order = ["read", "write"]
    needed = {}
    for job in called["jobs"].values():
        for scope, level in job["permissions"].items():
            needed[scope] = max(level, needed.get(scope, "read"), key=order.index)
    assert call["permissions"] == needed
    secrets = called["on"]["workflow_call"].get("secrets", {})
    # by name, and no `inherit`: that would hand over every secret of the repository
    assert call.get("secrets", {}) == {secret: f"${{{{ secrets.{secret} }}}}" for secret in secrets}


@needs_jq
def test_a_short_workflow_reviews_and_plans_a_pull_request(work):
    ran = work.github.run("short/reconciler-pull-request.yml", work.pull_request({"orgs.yaml": CAROL}))
    assert {name: job.result for name, job in ran.items()} == dict.fromkeys(["review", "plan", "comment"], "success")
    (comment,) = work.comments
    assert "carol" in comment
    assert "org.acme/member.carol" in comment
    assert work.writes == []


@needs_jq
def test_a_short_workflow_applies_what_a_run_by_hand_allows_and_drift_knows_it(work):
    for n in range(4):
        work.bench.client().ok("POST", "/org/acme/member/invite", {"email": f"p{n}@example.com", "role": "member"})
    work.commit({"orgs.yaml": CAROL})
    work.push()
    refused = work.github.run("short/reconciler-apply.yml", {"name": "push"})
    assert refused["plan"].result == "failure"
    by_hand = {"name": "workflow_dispatch", "inputs": {"allow": "mass-removal=org.acme", "confirm-delete": ""}}
    ran = work.github.run("short/reconciler-apply.yml", by_hand)
    assert {name: job.result for name, job in ran.items()} == dict.fromkeys(["plan", "apply", "keep-lock"], "success")
    assert "org.acme/member.carol" in work.main("reconciler.lock.json")
    assert [e["INPUT_COMMAND"] for e in work.github.seen if WRITE in e.values()] == ["apply"]
    assert {e["INPUT_COMMAND"] for e in work.github.seen if READ in e.values()} == {"plan"}

    ran = work.github.run("short/reconciler-drift.yml", {"name": "schedule"})
    assert {name: job.result for name, job in ran.items()} == dict.fromkeys(["look", "issue"], "success")
    assert work.github.known["issues"] == []


@needs_jq
def test_a_short_workflow_waits_for_those_whose_consent_is_needed(work):
    work.commit({"orgs.yaml": MANIFEST + RULES})
    work.push()
    event = work.pull_request({"orgs.yaml": CAROL + RULES})
    event["event"]["pull_request"]["user"] = {"login": "erin"}
    run = lambda: work.github.run("short/reconciler-approvals.yml", event)["approvals"]  # noqa: E731
    assert "1 of team/security" in run().log
    head = event["event"]["pull_request"]["head"]["sha"]
    approved = {
        "user": {"login": "sam"},
        "state": "APPROVED",
        "commit_id": head,
        "submitted_at": "2026-11-24T09:00:00Z",
    }
    work.github.change(reviews=[approved])
    assert run().result == "success"
