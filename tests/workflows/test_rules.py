"""What holds for every workflow of this repository, and for those that users copy."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from workflows import reusable
from workflows.runner import ACTION, EXPRESSION, OWN_ACTION, ROOT, SHORT, TEMPLATES, document

COPIED = sorted(TEMPLATES.glob("*.yml"))
CALLING = sorted(SHORT.glob("*.yml"))
WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), *COPIED]
EVERYTHING = [*WORKFLOWS, ACTION / "action.yml"]
SCRIPTS = [
    path for folder in (".ci", ".github", "examples") for path in sorted((ROOT / folder).rglob("*"))
    if path.is_file() and re.match(rb"#!.*sh\b", path.read_bytes())
]  # fmt: skip
GITLAB = sorted((ROOT / "examples").glob("gitlab-*.yml"))

each = pytest.mark.parametrize("path", EVERYTHING, ids=lambda path: path.name)
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
each_copied = pytest.mark.parametrize("path", COPIED, ids=lambda path: path.name)

# what each job may do beyond nothing: whoever adds to it changes this table, and docs/threat-model.md
PERMISSIONS = {
    "ci.yml": {"test": {"contents": "read"}, "ci": {}},
    "release.yml": {
        "build": {"contents": "read"},
        "test": {"contents": "read"},
        "suite": {},
        "publish": {"attestations": "write", "contents": "write", "id-token": "write"},
        "image": {"contents": "read", "packages": "write"},
        "site": {"contents": "write"},
    },
    "reconciler-apply.yml": {
        "plan": {"contents": "read"},
        "apply": {"actions": "read", "contents": "read"},
        "keep-lock": {"actions": "read", "contents": "write", "pull-requests": "write"},
    },
    "reconciler-request.yml": {
        "edit": {"contents": "read"},
        "pull-request": {"actions": "read", "contents": "write", "issues": "write", "pull-requests": "write"},
    },
    "reconciler-due.yml": {"due": {"contents": "read"}},
    "reconciler-approvals.yml": {"approvals": {"contents": "read", "pull-requests": "read"}},
    "reconciler-drift.yml": {
        "look": {"actions": "read", "contents": "read"},
        "issue": {"actions": "read", "issues": "write"},
    },
    "reconciler-plan-matrix.yml": {
        "plan": {"contents": "read"},
        "report": {"actions": "read"},
    },
    "reconciler-apply-matrix.yml": {
        "plan": {"contents": "read"},
        "apply": {"actions": "read", "contents": "read"},
        "join": {"actions": "read", "contents": "read"},
        "keep-lock": {"actions": "read", "contents": "write", "pull-requests": "write"},
    },
    "reconciler-pull-request.yml": {
        "review": {"contents": "read"},
        "plan": {"contents": "read"},
        "comment": {"actions": "read", "pull-requests": "write"},
    },
}
# a reusable workflow may do what its long copy may
PERMISSIONS |= {f"{name}.yml": PERMISSIONS[f"reconciler-{name}.yml"] for name in reusable.PARTS}


def steps(path):
    """Every step of a workflow or action, each with its job's name."""
    found = document(path)
    jobs = found["jobs"] if "jobs" in found else {"action": found["runs"]}
    return [(name, step) for name, job in jobs.items() for step in job["steps"]]


@each
def test_every_action_is_named_by_a_commit(path):
    uses = [step["uses"] for _, step in steps(path) if "uses" in step]
    assert uses
    own = OWN_ACTION if path.stem in reusable.PARTS else None  # of the commit that the caller names
    assert [name for name in uses if name != own and not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name)] == []


@each
def test_nothing_is_cached_that_a_pull_request_could_poison(path):
    # neither an action that caches nor an input of one that does
    assert [step for _, step in steps(path) if "cache" in json.dumps([step.get("uses"), step.get("with")])] == []


def test_each_action_stands_at_one_commit_everywhere():
    commits = {}
    for path in EVERYTHING:
        for _, step in steps(path):
            name, _, commit = step.get("uses", "").partition("@")
            commits.setdefault(name, set()).add(commit)
    assert {name: found for name, found in commits.items() if len(found) > 1} == {}


@each
def test_no_script_has_an_expression_in_it(path):
    assert [step["run"] for _, step in steps(path) if "run" in step and EXPRESSION.search(step["run"])] == []


@each_workflow
def test_each_job_may_do_what_it_needs_and_no_more(path):
    found = document(path)
    assert found["permissions"] == {}
    assert {name: job["permissions"] for name, job in found["jobs"].items()} == PERMISSIONS[path.name]


@each_workflow
def test_no_checkout_leaves_credentials_behind_and_no_job_runs_for_ever(path):
    checkouts = [step for _, step in steps(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert [step for step in checkouts if step["with"].get("persist-credentials") is not False] == []
    assert [name for name, job in document(path)["jobs"].items() if not 0 < job.get("timeout-minutes", 0) <= 120] == []


@each_copied
def test_a_job_with_a_pipes_token_has_an_environment_and_may_write_nothing_on_github(path):
    held = {name for name, step in steps(path) if "secrets." in json.dumps(step)}
    assert bool(held) == (path.name not in ("reconciler-approvals.yml", "reconciler-request.yml"))
    for name in held:
        job = document(path)["jobs"][name]
        assert job["environment"] in ("pipes-read", "pipes", "pipes-due")
        assert "write" not in job["permissions"].values()


@each_copied
def test_a_token_goes_to_the_action_and_nowhere_else(path):
    for _, step in steps(path):
        if "secrets." in json.dumps(step):
            assert step["uses"].startswith("OWNER/reconciler/.github/actions/reconciler@")
            given = {name for name, value in step["with"].items() if "secrets." in str(value)}
            assert given == {"token"}


def test_the_writing_token_is_in_the_environment_with_reviewers_or_does_only_what_is_due():
    users = [
        (path.name, name, document(path)["jobs"][name]["environment"])
        for path in COPIED
        for name, step in steps(path)
        if "PIPES_WRITE_TOKEN" in json.dumps(step)
    ]
    assert users == [
        ("reconciler-apply-matrix.yml", "apply", "pipes"),
        ("reconciler-apply.yml", "apply", "pipes"),
        ("reconciler-due.yml", "due", "pipes-due"),
    ]
    (due,) = (
        step["with"]
        for _, step in steps(TEMPLATES / "reconciler-due.yml")
        if "with" in step and "token" in step["with"]
    )
    assert (due["command"], due["args"]) == ("apply", "--due")


@pytest.mark.parametrize("name", ["reconciler-pull-request.yml", "reconciler-approvals.yml"])
def test_nothing_of_a_pull_request_is_checked_out(name):
    path = TEMPLATES / name
    for _, step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            # of a review, the default would be the merge of the pull request
            default = {"ref": "${{ github.event.repository.default_branch }}"}
            main = default if name == "reconciler-approvals.yml" else {}
            assert step["with"] == {**main, "fetch-depth": 0, "persist-credentials": False}
    scripts = [step["run"] for _, step in steps(path) if "run" in step]
    assert [
        text for text in scripts if re.search(r"git (checkout|switch|restore|worktree|archive|pull|merge)\b(?!-)", text)
    ] == []


def test_both_jobs_of_a_pull_request_merge_it_in_the_same_way():
    merging = [
        step
        for name in ("reconciler-pull-request.yml", "reconciler-approvals.yml")
        for _, step in steps(TEMPLATES / name)
        if step.get("id") == "merge"
    ]
    assert len(merging) == 3
    assert merging[0] == merging[1] == merging[2]


@each
def test_what_a_stranger_words_reaches_no_expression(path):
    # titles, bodies, branch names, labels and commit messages: none is needed, not even as an environment variable
    told = r"github\.(head_ref|event\.(issue|comment|review|head_commit|commits|pull_request\.(title|body|head\.(ref|label))))"
    assert re.findall(told, path.read_text()) == []


# --- linters ----------------------------------------------------------------------------------------------------------


def tool(name):
    """A program beside the interpreter or on the path; the test is skipped, saying so, where it is in neither."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command):
    # shellcheck is found by actionlint where it is beside the interpreter
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PATH": path}, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing():
    config = ROOT / ".github" / "actionlint.yaml"  # named, because an unpacked sdist is no git repository
    run(tool("actionlint"), "-no-color", "-config-file", str(config), *map(str, [*WORKFLOWS, *CALLING]))


def test_zizmor_finds_nothing():
    run(tool("zizmor"), "--offline", "--no-progress", "--quiet", *map(str, [*EVERYTHING, *CALLING]))


def test_shellcheck_finds_nothing():
    assert {path.name for path in SCRIPTS} == {"run", "install.sh", "run.sh", "demo.sh"}
    run(tool("shellcheck"), *map(str, SCRIPTS))


@pytest.mark.parametrize("path", GITLAB, ids=lambda path: path.name)
def test_shellcheck_finds_nothing_in_the_scripts_for_gitlab(path, tmp_path):
    for name, job in yaml.safe_load(path.read_text()).items():
        for part in {"before_script", "script"} & {*job}:
            nested = [line if isinstance(line, list) else [line] for line in job[part]]
            script = "\n".join(["#!/bin/bash", *(line for lines in nested for line in lines), ""])
            (tmp_path / f"{name}-{part}.sh").write_text(script)
    run(tool("shellcheck"), *map(str, sorted(tmp_path.iterdir())))


def test_hadolint_finds_nothing():
    run(tool("hadolint"), str(ROOT / "Dockerfile"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_bash_that_parses(path):
    run("bash", "-n", str(path))


def test_one_finding_is_passed_over_and_says_why():
    ignored = {
        path: re.findall(r"zizmor: ignore\[([\w-]+)\] (.+)", path.read_text()) for path in [*EVERYTHING, *CALLING]
    }
    assert {path: found for path, found in ignored.items() if found} == {
        folder / name: [("dangerous-triggers", "nothing of the pull request is checked out or run")]
        for folder in (TEMPLATES, SHORT)
        for name in ("reconciler-approvals.yml", "reconciler-pull-request.yml")
    }


# --- the action -------------------------------------------------------------------------------------------------------


def test_the_action_installs_its_own_checkout_and_nothing_by_name(tmp_path):
    python = tmp_path / "python"
    calls = tmp_path / "calls"
    # stands for the interpreter that setup-python gave; `-m venv DIR` makes another one like it
    python.write_text(
        f"#!/bin/sh\nprintf '%s|' \"$@\" >>{shlex.quote(str(calls))}; echo >>{shlex.quote(str(calls))}\n"
        'if [ "$2" = venv ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; fi\n'
    )
    python.chmod(0o755)
    environ = {
        "PATH": os.environ["PATH"],
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_ACTION_PATH": str(ACTION),
        "PYTHON": str(python),
        "INPUT_CONSTRAINTS": "pins.txt",
        **dict.fromkeys(("INPUT_VERSION", "INPUT_DIGEST", "INPUT_EXTRAS"), ""),
    }
    for _ in range(2):  # once a job
        subprocess.run(["bash", str(ACTION / "install.sh")], env=environ, check=True, cwd=tmp_path)
    made, words = (line.split("|")[:-1] for line in calls.read_text().splitlines())
    assert made == ["-m", "venv", f"{tmp_path}/temp/reconciler/venv"]
    assert words[words.index("--constraint") + 1] == "pins.txt"
    assert {"-I", "--no-cache-dir"} <= {*words}
    assert words[-1] == str(ROOT)
    assert (Path(words[-1]) / "pyproject.toml").is_file()


def test_the_step_that_installs_does_not_hold_the_token():
    (install,) = (step for _, step in steps(ACTION / "action.yml") if step.get("run", "").endswith('install.sh"'))
    assert "token" not in json.dumps(install)


def test_every_input_and_output_of_the_action_is_described_where_the_docs_say():
    action, page = document(ACTION / "action.yml"), (ROOT / "docs" / "ci.md").read_text()
    named = {**action["inputs"], **action["outputs"]}
    assert [name for name, value in named.items() if not value.get("description", "").strip()] == []
    assert "](../.github/actions/reconciler/action.yml)" in page


# --- elsewhere --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hook_id", "right", "wrong", "status"),
    [
        (
            "reconciler-validate",
            "version: 1\n\norgs:\n  acme: {}\n",
            "version: 1\norgs: {acme: {members: {alice: boss}}}\n",
            1,
        ),
        ("reconciler-fmt", "version: 1\n\norgs:\n  acme: {}\n", "version: 1\norgs: {acme: {}}\n", 2),
    ],
)
def test_a_hook_for_pre_commit_checks(tmp_path, hook_id, right, wrong, status):
    hooks = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    hook = hooks[hook_id]
    program, *args = [*hook["entry"].split(), *hook.get("args", [])]
    assert program == "reconciler"
    args += ["orgs.yaml"] if hook.get("pass_filenames", True) else []
    command = [sys.executable, "-c", "from reconciler.cli import main; main()", *args]
    (tmp_path / "orgs.yaml").write_text(right)
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0
    (tmp_path / "orgs.yaml").write_text(wrong)
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == status
    assert re.search(hook["files"], "orgs/acme.yml")
