"""The example for GitLab: its scripts, as they stand, against a Pipes that is served."""

import json
import os
import shlex
import subprocess
import sys

import pytest
import yaml

from days import clock_variables
from stopped.sitecustomize import STOP
from workflows.conftest import MANIFEST, READ, WRITE
from workflows.runner import ROOT

JOBS = yaml.safe_load((ROOT / "examples" / "gitlab-ci.yml").read_text())
CAROL = MANIFEST.replace("dave: member\n", "dave: member\n      carol: member\n")


@pytest.fixture
def job(work, tmp_path):
    """Runs a job's script with what GitLab gives it; protected variables are for main only."""
    program = tmp_path / "bin" / "reconciler"
    start = shlex.quote(f"{STOP}from reconciler.cli import main; main()")
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -c {start} "$@"\n')
    program.chmod(0o755)

    def run(name, *, protected=True, **more):
        environ = {
            **clock_variables(),
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PIPES_HOST": work.bench.host,
            **{key: str(value) for key, value in JOBS["variables"].items()},
            **({"PIPES_READ_TOKEN": READ, "PIPES_WRITE_TOKEN": WRITE} if protected else {}),
            **more,
        }
        script = "set -eo pipefail\n" + "\n".join(JOBS[name]["script"])
        done = subprocess.run(["bash", "-c", script], cwd=work.clone, env=environ, capture_output=True, text=True)
        assert READ not in done.stdout + done.stderr
        return done.returncode, done.stdout

    return run


def test_a_merge_request_is_reviewed_without_a_token(work, job):
    base = work.git("rev-parse", "HEAD")
    work.commit({"orgs.yaml": CAROL})
    status, said = job("review", protected=False, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
    assert status == 0
    assert "carol" in said
    assert list(work.seen) == []


def test_main_is_planned_and_the_plan_is_applied(work, job):
    work.commit({"orgs.yaml": CAROL})
    status, said = job("plan")
    assert status == 0, said
    status, said = job("apply")
    assert status == 0, said
    assert "org.acme/member.carol" in json.loads((work.clone / "reconciler.lock.json").read_text())["entries"]


def test_drift_is_a_warning_and_not_having_looked_a_failure(work, job):
    warned = JOBS["drift"]["allow_failure"]["exit_codes"]
    assert job("drift")[0] == 0
    work.bench.client().ok("POST", "/org/acme/member/invite", {"handle": "mallory", "role": "owner"})
    assert job("drift")[0] == warned
    assert job("drift", PIPES_READ_TOKEN="tpt_wrong")[0] == 4


def test_only_main_is_told_to_plan_and_apply():
    for name in ("plan", "apply"):
        assert [rule["if"].split(" && ")[1] for rule in JOBS[name]["rules"]] == [
            "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
        ]
    assert "TOKEN" not in str(JOBS["review"])
