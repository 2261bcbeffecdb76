"""What becomes of an apply whose job is cancelled, of an older run, and of a plan that waits for its reviewers."""

import json
import os
import shutil
import signal
import subprocess

import pytest

from days import clock_variables
from workflows.conftest import MANIFEST, WRITE
from workflows.runner import ACTION, TEMPLATES, document, read_outputs

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="jq, which GitHub's runners have, is not here")

TWO = MANIFEST.replace("dave: member\n", "dave: member\n      carol: member\n      mallory: member\n")
CAROL = MANIFEST.replace("dave: member\n", "dave: member\n      carol: member\n")
SCALE = 8  # the runner's waits, longer: this machine may be slow
HELD = {"kind": "latency", "ms": 60_000, "method": "POST", "path": "/org/acme/member", "times": 1}


class Step:
    """The step of the action that runs reconciler, as the runner starts it and cancels it."""

    def __init__(self, work, **inputs):
        self.temp = work.github.folder / "temp"
        self.temp.mkdir()
        work.github._installed(self.temp)
        action = document(ACTION / "action.yml")
        (step,) = [step for step in action["runs"]["steps"] if step.get("id") == "run"]
        script = self.temp / "step.sh"
        script.write_text(step["run"])
        self.output, self.summary = self.temp / "output", self.temp / "summary"
        self.output.touch()
        given = {f"INPUT_{name.upper()}": "" for name in ("paths", "args", "revision", "accept", "report", "host")}
        given |= {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
        environ = {
            "PATH": os.environ["PATH"], "HOME": str(self.temp), "RUNNER_TEMP": str(self.temp), "INPUT_FOLDER": ".",
            "GITHUB_ACTION_PATH": str(ACTION), "GITHUB_OUTPUT": str(self.output), "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_ACTIONS": "true", "PIPES_TOKEN": WRITE, **given,
        }  # fmt: skip
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=work.clone, env={**clock_variables(), **environ}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip

    def cancel(self, seen):
        """SIGINT to the step's process alone, SIGTERM 7.5 s later, and after 2.5 s more the end of the whole tree."""
        self.process.send_signal(signal.SIGINT)
        said = ""
        for line in self.process.stdout:
            said += line
            if "Stopping" in line:
                seen.released.set()  # what is in flight is answered now
                break
        try:
            rest, _ = self.process.communicate(timeout=7.5 * SCALE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGTERM)
            try:
                rest, _ = self.process.communicate(timeout=2.5 * SCALE)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                rest, _ = self.process.communicate()
        return said + rest


def test_a_cancelled_apply_finishes_what_is_in_flight_reports_and_leaves_its_lock_file(work):
    (work.clone / "orgs.yaml").write_text(TWO)
    with work.bench.served(HELD) as seen:
        step = Step(work, command="apply", paths="orgs.yaml", host=work.bench.host, report="report.md",
                    args="--auto-approve\n--parallelism\n1")  # fmt: skip
        seen.wait_until_held()
        said = step.cancel(seen)
    assert step.process.returncode == 5, said
    assert read_outputs(step.output)["status"] == "5"
    assert "Interrupted" in step.summary.read_text()
    assert "Interrupted" in (work.clone / "report.md").read_text()
    lock = json.loads((work.clone / "reconciler.lock.json").read_text())
    invited = {row["user_handle"] for row in work.bench.client().all("/org/acme/member")} & {"carol", "mallory"}
    assert len(invited) == 1, "one was in flight, the other was not started"
    assert {f"org.acme/member.{name}" for name in invited} <= lock["entries"].keys()


def test_a_cancelled_plan_ends_at_once(work):
    with work.bench.served({"kind": "latency", "ms": 60_000, "method": "GET"}) as seen:
        step = Step(work, command="plan", paths="orgs.yaml", host=work.bench.host, report="report.md")
        seen.wait_until_held()
        step.process.send_signal(signal.SIGTERM)
        said, _ = step.process.communicate(timeout=7.5 * SCALE)
    assert step.process.returncode not in (0, None), said
    assert (work.clone / "report.md").exists()


def test_the_steps_that_keep_the_lock_file_run_after_a_cancelled_apply_too():
    jobs = document(TEMPLATES / "reconciler-apply.yml")["jobs"]
    apply = [step["name"] if "name" in step else step["uses"] for step in jobs["apply"]["steps"]].index(
        "See whether the lock file has changed"
    )
    conditions = [step["if"] for step in jobs["apply"]["steps"][apply:]] + [jobs["keep-lock"]["if"]]
    assert [condition for condition in conditions if "always()" not in condition] == []


def test_an_older_run_started_again_undoes_nothing_that_was_merged_since(work):
    older = work.github.git("rev-parse", "main")
    assert work.merged({"orgs.yaml": CAROL})["apply"].result == "success"
    before = work.writes
    ran = work.github.run("reconciler-apply.yml", {"name": "push", "sha": older})
    assert [job.result for job in ran.values()] == ["failure", "skipped", "skipped"]
    assert "main has other manifests by now" in ran["plan"].log
    assert work.writes == before


def test_an_older_run_of_what_is_due_takes_nothing_that_was_extended_since(work):
    """It waited behind an apply, or somebody started it again."""
    ended = MANIFEST.replace(
        "dave: member\n", "dave: member\n      carol: {role: owner, expires: 2026-11-01, then: member}\n"
    )
    assert (
        work.merged({"orgs.yaml": MANIFEST.replace("dave: member\n", "dave: member\n      carol: owner\n")})[
            "apply"
        ].result
        == "success"
    )
    work.commit({"orgs.yaml": ended})
    work.push()
    older = work.github.git("rev-parse", "main")
    work.commit({"orgs.yaml": ended.replace("2026-11-01", "2027-11-01")})
    work.push()
    before = work.writes
    ran = work.github.run("reconciler-due.yml", {"name": "schedule", "sha": older})
    assert ran["due"].result == "failure"
    assert "main has other manifests by now" in ran["due"].log
    assert work.writes == before


MAIL = MANIFEST.replace("version: 1\n", "version: 1\npeople: {carol: {email: carol@example.com}}\n").replace(
    "dave: member\n", "dave: member\n      carol: member\n"
)


def test_an_older_run_with_the_same_manifests_knows_whom_a_later_one_invited(work):
    """The lock file of its own commit does not."""
    ran = work.merged({"orgs.yaml": MAIL})
    assert [job.result for job in ran.values()] == ["success"] * 3, ran["keep-lock"].log
    older, before = work.github.git("rev-parse", "main~1"), work.writes
    assert "carol" not in work.github.git("ls-tree", "-r", "main~1")
    ran = work.github.run("reconciler-apply.yml", {"name": "push", "sha": older})
    assert [job.result for job in ran.values()] == ["success", "skipped", "skipped"], ran["plan"].log
    assert work.writes == before


def test_an_older_run_applies_what_a_linked_manifest_says_now(work):
    linked = work.clone / "orgs.yaml"
    linked.unlink()
    linked.symlink_to("live/orgs.yaml")
    work.commit({"live/orgs.yaml": MANIFEST})
    work.push()
    older = work.github.git("rev-parse", "main")
    work.commit({"live/orgs.yaml": CAROL})
    work.push()
    assert work.github.run("reconciler-apply.yml", {"name": "push"})["apply"].result == "success"
    ran = work.github.run("reconciler-apply.yml", {"name": "push", "sha": older})
    assert [job.result for job in ran.values()] == ["success", "skipped", "skipped"], ran["plan"].log
    assert "carol" in work.bench.members("acme")


def test_the_lock_file_of_an_apply_is_kept_beside_what_another_run_kept_meanwhile(work):
    """Its own commit has neither: the apply began with that of the branch."""
    work.merged({"orgs.yaml": CAROL})
    older = work.github.git("rev-parse", "main~1")
    work.bench.client().ok("DELETE", "/org/acme/member/carol")
    work.git("fetch", "--quiet", "origin")
    work.git("reset", "--quiet", "--hard", "origin/main")
    kept = json.loads(work.main("reconciler.lock.json"))
    kept["entries"]["org.aaa"] = {"id": "o_1"}
    del kept["entries"]["org.acme/member.carol"]
    work.commit({"reconciler.lock.json": json.dumps(kept, indent=2)})
    work.push()
    ran = work.github.run("reconciler-apply.yml", {"name": "push", "sha": older})
    assert [job.result for job in ran.values()] == ["success"] * 3, [job.log for job in ran.values()]
    assert work.github.known["pulls"] == []
    assert "org.acme/member.carol" in json.loads(work.main("reconciler.lock.json"))["entries"]


@pytest.mark.parametrize("given", ["teams.yaml\norgs.yaml\n", "  orgs.yaml  \n\n  teams.yaml\n", "orgs.yaml\n"])
def test_several_manifests_are_compared_as_the_action_takes_them(work, monkeypatch, given):
    """A YAML block ends in a newline."""
    monkeypatch.setitem(document(TEMPLATES / "reconciler-apply.yml")["env"], "MANIFESTS", given)
    ran = work.merged({"orgs.yaml": CAROL, "teams.yaml": "version: 1\nteams: {sre: [bob]}\n"})
    assert [job.result for job in ran.values()] == ["success"] * 3, [job.log for job in ran.values()]
    older = work.github.git("rev-parse", "main~2")
    ran = work.github.run("reconciler-apply.yml", {"name": "push", "sha": older})
    assert "main has other manifests by now" in ran["plan"].log


def test_what_is_due_neither_waits_for_reviewers_nor_cancels_a_merge_that_waits():
    """GitHub keeps one waiting run of a group, the newest; an apply that waits for its reviewers holds the group."""
    due, apply = (document(TEMPLATES / f"reconciler-{name}.yml")["concurrency"]["group"] for name in ("due", "apply"))
    assert due != apply


def test_a_merge_while_reviewers_decide_stops_the_apply(work):
    def merge(job):
        if job == "apply":
            work.git("fetch", "--quiet", "origin")
            work.git("reset", "--quiet", "--hard", "origin/main")
            work.commit({"orgs.yaml": TWO})
            work.push()

    ran = work.merged({"orgs.yaml": CAROL}, between=merge)
    assert ran["apply"].result == "failure"
    assert "main has other manifests by now" in ran["apply"].log
    assert work.writes == []


def test_a_newer_commit_of_other_files_stops_nothing(work):
    def commit(job):
        if job == "apply":
            work.commit({"README.md": "hello\n", "reconciler.lock.json": '{"version": 1, "entries": {}}\n'})
            work.push()

    ran = work.merged({"orgs.yaml": CAROL}, between=commit)
    assert ran["apply"].result == "success", ran["apply"].log


def test_a_plan_is_kept_as_long_as_github_waits_for_reviewers():
    steps = document(TEMPLATES / "reconciler-apply.yml")["jobs"]["plan"]["steps"]
    (kept,) = [step["with"]["retention-days"] for step in steps if "upload-artifact" in step.get("uses", "")]
    assert int(kept) >= 30


def test_a_pull_request_that_gets_another_target_is_reviewed_again():
    on = document(TEMPLATES / "reconciler-pull-request.yml")["on"]["pull_request_target"]
    assert "edited" in on["types"]
