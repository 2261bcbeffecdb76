"""The example for GitLab: its scripts, as they stand, against a Pipes that is served."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest
import yaml

from days import clock_variables
from stopped.sitecustomize import STOP
from workflows import reusable
from workflows.conftest import MANIFEST, READ, WRITE

JOBS = yaml.safe_load(reusable.LONG.read_text())
COMMON = JOBS[".reconciler"]
CAROL = MANIFEST.replace("dave: member\n", "dave: member\n      carol: member\n")


@pytest.fixture
def job(work, tmp_path):
    """Runs a job's script with what GitLab gives it; protected variables are for main only."""
    program = tmp_path / "bin" / "reconciler"
    start = shlex.quote(f"{STOP}from reconciler.cli import main; main()")
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -c {start} "$@"\n')
    program.chmod(0o755)

    def start(name, *, protected=True, **more):
        environ = {
            **clock_variables(),
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PIPES_HOST": work.bench.host,
            **{key: str(value) for key, value in COMMON["variables"].items()},
            "CI_DEFAULT_BRANCH": "main",
            **({"PIPES_READ_TOKEN": READ, "PIPES_WRITE_TOKEN": WRITE} if protected else {}),
            **more,
        }
        script = "set -eo pipefail\n" + "\n".join(lines(JOBS[f"reconciler-{name}"]["script"]))
        return subprocess.Popen(
            ["bash", "-c", script], cwd=work.clone, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip

    def run(name, **given):
        process = start(name, **given)
        said, _ = process.communicate()
        assert READ not in said
        return process.returncode, said

    run.start = start
    return run


def lines(script):
    """A script's lines; GitLab takes lists in lists, as an anchor makes them, for one."""
    return [line for part in script for line in (part if isinstance(part, list) else [part])]


def test_the_component_is_the_example_but_for_its_inputs():
    if os.environ.get("RECONCILER_ACCEPT"):
        reusable.COMPONENT.write_text(reusable.component())
    text = reusable.COMPONENT.read_text()
    assert text == reusable.component()
    head, body = text.split("---\n", 1)
    inputs = yaml.safe_load(head)["spec"]["inputs"]
    assert [name for name, part in inputs.items() if "default" not in part] == [
        "package"
    ]  # whom to trust is nobody's default
    values = {"package": COMMON["variables"]["RECONCILER"]} | {
        name: part["default"] for name, part in inputs.items() if "default" in part
    }
    # as GitLab fills inputs in: as text, before the YAML is read
    assert yaml.safe_load(re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda found: values[found[1]], body)) == JOBS


def test_a_job_of_the_component_collides_with_nothing_of_the_pipeline_that_includes_it():
    # a component is merged into a pipeline: what is global there would be everybody's
    assert [name for name in JOBS if not re.match(r"\.?reconciler", name)] == []
    assert {job["stage"] for job in JOBS.values() if isinstance(job, dict) and "stage" in job} <= {"test", "deploy"}


def test_a_merge_request_is_reviewed_without_a_token(work, job):
    base = work.git("rev-parse", "HEAD")
    work.commit({"orgs.yaml": CAROL})
    status, said = job("review", protected=False, CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
    assert status == 0
    assert "carol" in said
    assert list(work.seen) == []


def test_main_is_planned_and_the_plan_is_applied(work, job):
    work.commit({"orgs.yaml": CAROL})
    work.push()
    status, said = job("plan")
    assert status == 0, said
    status, said = job("apply")
    assert status == 0, said
    assert "org.acme/member.carol" in json.loads((work.clone / "reconciler.lock.json").read_text())["entries"]


def test_drift_is_a_warning_and_not_having_looked_a_failure(work, job):
    warned = JOBS["reconciler-drift"]["allow_failure"]["exit_codes"]
    assert job("drift")[0] == 0
    work.bench.client().ok("POST", "/org/acme/member/invite", {"handle": "mallory", "role": "owner"})
    assert job("drift")[0] == warned
    assert job("drift", PIPES_READ_TOKEN="tpt_wrong")[0] == 4


def test_only_main_is_told_to_plan_and_apply():
    for name in ("plan", "apply"):
        assert [rule["if"].split(" && ")[1] for rule in JOBS[f"reconciler-{name}"]["rules"]] == [
            "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"
        ]
    assert "TOKEN" not in str(JOBS["reconciler-review"])


@pytest.mark.parametrize("name", ["plan", "apply", "due"])
def test_an_older_pipeline_run_again_undoes_nothing_that_was_merged_since(work, job, name):
    older = work.git("rev-parse", "HEAD")
    assert job("plan")[0] == 0
    work.commit({"orgs.yaml": CAROL})
    work.push()
    work.git("reset", "--quiet", "--hard", older)
    before = list(work.seen)
    status, said = job(name)
    assert status == 1
    assert "main has other manifests by now" in said
    assert list(work.seen) == before


def test_a_newer_commit_of_other_files_stops_no_pipeline(work, job):
    work.commit({"orgs.yaml": CAROL})
    older = work.git("rev-parse", "HEAD")
    work.commit({"README.md": "hello\n", "reconciler.lock.json": '{"version": 1, "entries": {}}\n'})
    work.push()
    work.git("reset", "--quiet", "--hard", older)
    assert job("plan")[0] == 0
    status, said = job("apply")
    assert status == 0, said


def test_a_cancelled_apply_finishes_what_is_in_flight_and_leaves_its_lock_file(work, job):
    work.commit({"orgs.yaml": CAROL})
    work.push()
    with work.bench.served({"kind": "latency", "ms": 60_000, "method": "POST", "path": "/org/acme/member"}) as seen:
        assert job("plan", PIPES_HOST=work.bench.host)[0] == 0
        process = job.start("apply", PIPES_HOST=work.bench.host)
        seen.wait_until_held()
        process.send_signal(signal.SIGTERM)  # to the job's shell alone
        for line in process.stdout:
            if "Stopping" in line:
                seen.released.set()  # what is in flight is answered now
                break
        rest, _ = process.communicate()
    assert process.returncode in (0, 5), rest
    assert "org.acme/member.carol" in json.loads((work.clone / "reconciler.lock.json").read_text())["entries"]


def test_the_lock_file_is_kept_whatever_became_of_the_apply_and_one_apply_runs_at_a_time():
    assert JOBS["reconciler-apply"]["artifacts"]["when"] == "always"
    assert JOBS["reconciler-apply"]["artifacts"]["paths"] == ["$LOCK_FILE"]
    assert JOBS["reconciler-apply"]["resource_group"]
    assert COMMON["interruptible"] is False
