"""Access requests: the template for GitHub and the example for GitLab, run as they stand, with the real reconciler."""

import os
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml

from days import clock_variables
from stopped.sitecustomize import STOP
from workflows.conftest import MANIFEST
from workflows.runner import TEMPLATES

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="jq, which GitHub's runners have, is not here")

FORM = TEMPLATES / "ISSUE_TEMPLATE" / "access-request.yml"
GITLAB = TEMPLATES.parent / "gitlab-request.yml"
LABELS = [part["attributes"]["label"] for part in yaml.safe_load(FORM.read_text())["body"]]


def body(**answers):
    """An issue's text as GitHub makes it of the form."""
    return "\n\n".join(f"### {label}\n\n{answers.get(label.lower(), '_No response_')}" for label in LABELS)


@pytest.fixture
def request_access(work):
    def run(text, login="erin"):
        work.github.change(issues=[{"number": 12, "state": "open", "user": {"login": login}, "body": text}])
        issue = {"number": 12, "body": text, "title": "Access request", "user": {"login": login}}
        event = {"label": {"name": "access-request"}, "issue": issue}
        ran = work.github.run("reconciler-request.yml", {"name": "issues", "event": event})
        assert {job.result for job in ran.values()} == {"success"}, "".join(job.log for job in ran.values())
        return work.github.known["pulls"]

    return run


def test_the_form_asks_who_what_where_until_and_why():
    assert LABELS == ["Who", "What", "Where", "Until", "Why"]
    assert yaml.safe_load(FORM.read_text())["labels"] == ["access-request"]


def test_a_request_becomes_a_pull_request_that_names_who_asked_and_nothing_else_changes(work, request_access):
    text = body(who="dave", what="operator", where="acme/prod", until="2026-12-24", why="INC-42: the disk\nis full")
    (made,) = request_access(text.replace("\n", "\r\n"))
    assert made["--base"] == "main"
    assert made["--body"].startswith("Requested by @erin in #12.\n\n    ~ dave changes from reader to operator")
    after = work.github.git("show", f"{made['--head']}:orgs.yaml")
    entry = 'dave: {role: operator, expires: 2026-12-25, then: reader, reason: "INC-42: the disk is full"}'
    assert after == MANIFEST.replace("dave: reader", entry).rstrip()
    assert work.github.git("log", "--format=%s%n%b", "-1", made["--head"]) == "Access request #12\nRequested-by: erin"
    assert work.github.git("diff", "--name-only", "main", made["--head"]) == "orgs.yaml"
    assert "from the branch" in work.comments[-1]
    assert work.writes == []  # no request to Pipes changes anything
    (_, second) = request_access(body(who="dave", what="no access", where="acme", why="left"))
    assert "dave" not in work.github.git("show", f"{second['--head']}:orgs.yaml")
    # no token of Pipes anywhere
    assert not [name for environ in work.github.seen for name in environ if name == "PIPES_TOKEN" and environ[name]]


HOSTILE = [
    {"who": "$(touch owned)"},
    {"who": "`touch owned`; touch owned"},
    {"who": "--write"},
    {"who": "dave --write"},
    {"what": "--help"},
    {"where": "../../etc"},
    {"where": "acme/prod\n::set-output name=x::y"},
    {"until": "2026-12-24 --allow x"},
    {"until": "$(touch owned)"},
    {"who": "\u202edave"},
    {"who": "@everyone <img src=x> ![x](https://evil.example)"},
    {"who": ""},
]


@pytest.mark.parametrize("answers", HOSTILE, ids=str)
def test_a_hostile_answer_makes_no_pull_request_and_is_shown_as_it_is(work, request_access, answers):
    pulls = request_access(body(**{"who": "dave", "what": "operator", "where": "acme/prod", "why": "x", **answers}))
    assert pulls == []
    assert work.github.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert not list(work.github.folder.rglob("owned"))
    first, _, said = work.comments[-1].partition("\n\n")
    assert first == "There is no pull request for this:"
    assert said
    assert all(line.startswith("    ") for line in said.splitlines())
    assert "\u202e" not in said


def test_a_hostile_reason_stays_in_its_place(work, request_access):
    why = "$(touch owned) `x` ### Who\n\n### Who\n\nmallory\n\n### What\n\nowner, role: owner} # \u202e ::error::"
    (made,) = request_access(body(who="dave", what="operator", where="acme/prod", why=why))
    after = yaml.safe_load(work.github.git("show", f"{made['--head']}:orgs.yaml"))
    before = yaml.safe_load(MANIFEST)
    entry = after["orgs"]["acme"]["workspaces"]["prod"]["members"].pop("dave")
    before["orgs"]["acme"]["workspaces"]["prod"]["members"].pop("dave")
    assert after == before
    assert (entry["role"], entry["reason"]) == ("operator", "$(touch owned) `x` ### Who")
    assert not list(work.github.folder.rglob("owned"))


def test_gitlab_makes_a_merge_request_of_the_variables(work, tmp_path):
    (job,) = (part for name, part in yaml.safe_load(GITLAB.read_text()).items() if name == "reconciler-request")
    assert "PIPES" not in GITLAB.read_text()
    program = tmp_path / "bin" / "reconciler"
    start = f"{STOP}from reconciler.cli import main; main()"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -c {shlex.quote(start)} "$@"\n')
    program.chmod(0o755)
    work.github.git("config", "receive.advertisePushOptions", "true")

    def run(**values):
        work.git("checkout", "--quiet", "--detach", "main")
        given = {"WHO": "dave", "WHAT": "operator", "WHERE": "acme/prod", "UNTIL": "", "WHY": "x", **values}
        environ = {
            **clock_variables(), "PATH": f"{program.parent}:{os.environ['PATH']}", "MANIFESTS": "orgs.yaml",
            "CI_DEFAULT_BRANCH": "main", "CI_PIPELINE_ID": "5", "GITLAB_USER_LOGIN": "erin",
            "REQUEST_REMOTE": str(work.github.origin), **given,
        }  # fmt: skip
        script = "set -eo pipefail\n" + "\n".join(job["script"])
        return subprocess.run(["bash", "-c", script], cwd=work.clone, env=environ, capture_output=True, text=True)

    for values in (
        {"WHO": "$(touch owned)"},
        {"WHO": "--help"},
        {"WHERE": "acme; touch owned"},
        {"UNTIL": "`touch owned`"},
    ):
        assert run(**values).returncode == 1
    assert not list(work.github.folder.rglob("owned"))
    done = run(UNTIL="2026-12-24", WHY='$(touch owned) "')
    assert done.returncode == 0, done.stderr
    head = "reconciler/request-5"
    assert work.github.git("log", "--format=%s%n%b", "-1", head) == "Access request\nRequested-by: erin"
    assert "expires: 2026-12-25" in work.github.git("show", f"{head}:orgs.yaml")
    assert not list(work.github.folder.rglob("owned"))
