"""What GitHub does around a workflow's own words: contexts, conditions, steps, files for outputs, artifacts.

The workflows and the action run as they stand: their conditions are evaluated, their scripts are extracted from the YAML
and run by bash, reconciler is the real one. Stood in for is what is GitHub's: checkout, setup-python and upload-artifact,
the runner's files, and `gh` (gh.py), which knows the permissions of the job that calls it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from days import clock_variables
from stopped.sitecustomize import STOP

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "examples" / "github"
ACTION = ROOT / ".github" / "actions" / "reconciler"
GH = Path(__file__).parent / "gh.py"
SHORT = TEMPLATES / "short"
ACTION_STEP = re.compile(r"OWNER/reconciler/\.github/actions/reconciler@[0-9a-f]{40}")
REUSABLE = re.compile(r"OWNER/reconciler/\.github/workflows/([\w-]+)\.yml@[0-9a-f]{40}")
OWN_ACTION = "$/.github/actions/reconciler"  # of the repository and commit of the workflow that says it
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


@cache
def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Words)
    return found


class Words(yaml.SafeLoader):
    """YAML 1.2 as far as workflows need it: `on` is a word."""


Words.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag != "tag:yaml.org,2002:bool" or first in "tfTF"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


# --- expressions ------------------------------------------------------------------------------------------------------


def evaluate(text: str, contexts: dict[str, Any]) -> Any:
    """The part of GitHub's expressions that these workflows use. Whatever else is an error, not a guess."""
    text = text.strip()
    if " && " in text:
        return all(evaluate(part, contexts) for part in text.split(" && "))
    for sign, same in ((" == ", True), (" != ", False)):
        if sign in text:
            left, right = text.split(sign)
            return (evaluate(left, contexts) == evaluate(right, contexts)) is same
    if text in ("!cancelled()", "always()"):
        return True
    if found := re.fullmatch(r"'([^']*)'", text):
        return found[1]
    if found := re.fullmatch(r"format\('([^']*)', ([\w.]+)\)", text):
        return found[1].format(evaluate(found[2], contexts))
    assert re.fullmatch(r"[a-z_]+(\.[\w-]+)+", text), f"this runner does not know the expression `{text}`"
    here: Any = contexts
    first, *rest = text.split(".")
    assert first in contexts, f"there is no context `{first}` here: {text}"
    here = contexts[first]
    for name in rest:
        here = here.get(name, "") if isinstance(here, dict) else ""
    return here


def filled(value: Any, contexts: dict[str, Any]) -> str:
    """A value with its expressions put in, as a string."""

    def words(found: Any) -> str:
        return str(found).lower() if isinstance(found, bool) else str(found)

    return EXPRESSION.sub(lambda match: words(evaluate(match[1], contexts)), words(value))


def holds(condition: str | None, contexts: dict[str, Any], *, well: bool) -> bool:
    """Whether a step or job runs. Without a status function in it, only when all before went well."""
    if condition is None:
        return well
    inner = EXPRESSION.fullmatch(condition.strip())
    text = inner[1] if inner else condition
    return ("cancelled()" in text or "always()" in text or well) and bool(evaluate(text, contexts))


# --- jobs -------------------------------------------------------------------------------------------------------------


@dataclass
class Ran:
    """One job: its result as `needs` sees it, and for each step its name or action, status and what it printed."""

    result: str
    outputs: dict[str, str] = field(default_factory=dict)
    steps: list[tuple[str, int, str]] = field(default_factory=list)

    @property
    def log(self) -> str:
        return "".join(text for _, _, text in self.steps)


class GitHub:
    """A repository on GitHub: its bare git repository, its comments, issues and runs, and its secrets."""

    def __init__(self, folder: Path, pipes: str) -> None:
        self.folder = folder
        self.origin = folder / "origin.git"
        self.state = folder / "github.json"
        self.state.write_text(json.dumps({"comments": [], "issues": [], "pulls": [], "runs": [], "calls": []}))
        self.secrets = {"PIPES_READ_TOKEN": "", "PIPES_WRITE_TOKEN": ""}
        self.vars = {"PIPES_HOST": pipes}
        self.python = sys.executable  # what setup-python gives
        self.runs = 0
        self.seen: list[dict[str, str]] = []  # the environment of every script, in order
        self.bin = folder / "bin"
        self.bin.mkdir()
        gh = self.bin / "gh"
        gh.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(GH))} "$@"\n')
        gh.chmod(0o755)

    @property
    def known(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.state.read_text())
        return found

    def change(self, **parts: Any) -> None:
        self.state.write_text(json.dumps({**self.known, **parts}))

    def run(self, name: str, event: dict[str, Any], between: Any = None) -> dict[str, Ran]:
        """Run a template for an event; its jobs by name. `between(job)` is called before each job, as time that passes.

        A short one has one job, a call: its jobs are those of the reusable workflow.
        """
        workflow = document(TEMPLATES / name)
        assert event["name"] in workflow["on"], f"{name} does not run on {event['name']}"
        self.runs += 1
        github = {
            "event": {"repository": {"default_branch": "main"}, **event.get("event", {})},
            "event_name": event["name"],
            "repository": "acme/access",
            "ref": event.get("ref", "refs/heads/main"),
            "sha": event.get("sha") or self.git("rev-parse", "main"),
            "token": f"ghs_{self.runs}",
            "run_id": str(self.runs),
        }
        contexts = {
            "github": github,
            "inputs": event.get("inputs", {}),
            "vars": self.vars,
            "env": workflow.get("env", {}),
        }
        held = set(self.secrets)
        if REUSABLE.fullmatch((call := next(iter(workflow["jobs"].values()))).get("uses", "")):
            workflow, contexts, held = self._called(call, contexts)
        contexts["secrets"] = held
        needed: dict[str, Any] = {}
        ran: dict[str, Ran] = {}
        for job_name, job in workflow["jobs"].items():
            needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
            here = {**contexts, "needs": {need: needed[need] for need in needs}}
            well = all(ran[need].result == "success" for need in needs)
            if holds(job.get("if"), here, well=well):
                if between is not None:
                    between(job_name)
                ran[job_name] = self._jobs(workflow, job_name, job, here)
            else:
                ran[job_name] = Ran("skipped")
            needed[job_name] = {"result": ran[job_name].result, "outputs": ran[job_name].outputs}
        return ran

    def _called(
        self, call: dict[str, Any], contexts: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], set[str]]:
        """The reusable workflow of a call, its contexts, and the secrets that its jobs may take from their environments.

        GitHub starts nothing if the called jobs want more than the calling job has. A secret of an environment arrives only
        if the caller names it and the called workflow declares it; its value is then the environment's.
        """
        found = REUSABLE.fullmatch(call["uses"])
        assert found
        workflow = document(ROOT / ".github" / "workflows" / f"{found[1]}.yml")
        declared = workflow["on"]["workflow_call"]
        given = {key: filled(value, contexts) for key, value in call.get("with", {}).items()}
        assert given.keys() <= declared["inputs"].keys()
        levels = ("none", "read", "write")
        for job in workflow["jobs"].values():
            for scope, level in job["permissions"].items():
                assert levels.index(call["permissions"].get(scope, "none")) >= levels.index(level), (scope, level)
        secrets = call.get("secrets", {})
        assert secrets.keys() <= declared.get("secrets", {}).keys()
        inputs = {key: given.get(key, part.get("default", "")) for key, part in declared["inputs"].items()}
        called = {**contexts, "inputs": inputs}
        called["env"] = {key: filled(value, called) for key, value in workflow.get("env", {}).items()}
        return workflow, called, set(secrets)

    def _jobs(self, workflow: dict[str, Any], name: str, job: dict[str, Any], contexts: dict[str, Any]) -> Ran:
        """One job, or one for each value of a matrix of one list; together they end as the worst of them."""
        matrix = job.get("strategy", {}).get("matrix")
        if matrix is None:
            return self.job(workflow, name, job, contexts)
        ((key, values),) = matrix.items()
        assert job["strategy"]["fail-fast"] is False
        strategy = {"job-total": len(values)}
        each = [
            self.job(workflow, f"{name}-{value}", job, {**contexts, "matrix": {key: value}, "strategy": strategy})
            for value in values
        ]
        result = "success" if all(ran.result == "success" for ran in each) else "failure"
        return Ran(result, {}, [step for ran in each for step in ran.steps])

    def job(self, workflow: dict[str, Any], name: str, job: dict[str, Any], contexts: dict[str, Any]) -> Ran:
        place = self.folder / f"run{self.runs}" / name
        temp, workspace = place / "temp", place / "workspace"
        workspace.mkdir(parents=True)
        self._installed(temp)
        github = contexts["github"]
        (place / "event.json").write_text(json.dumps(github["event"]))
        environ = {
            "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(place),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": github["repository"],
            "GITHUB_SHA": github["sha"],
            "GITHUB_REF": github["ref"],
            "GITHUB_RUN_ID": github["run_id"],
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_WORKSPACE": str(workspace),
            "GITHUB_EVENT_PATH": str(place / "event.json"),
            "RUNNER_TEMP": str(temp),
            "FAKE_GH_STATE": str(self.state),
            "FAKE_GH_ARTIFACTS": str(self.folder),
            "FAKE_GH_PERMISSIONS": json.dumps(job["permissions"]),
            **{key: filled(value, contexts) for key, value in workflow.get("env", {}).items()},
        }
        # an environment's secrets are for the jobs that name it
        held = contexts["secrets"] if "environment" in job else ()
        secrets = {name: self.secrets[name] for name in held}
        shell = workflow.get("defaults", {}).get("run", {}).get("shell")
        here = {**contexts, "secrets": secrets, "runner": {"temp": str(temp)}, "steps": {}}
        ran = Ran("success")
        for number, step in enumerate(job["steps"]):
            if not holds(step.get("if"), here, well=ran.result == "success"):
                continue
            status, said, outputs = self._step(step, here, environ, workspace, f"{number}", shell)
            ran.steps.append((step.get("name") or step.get("uses"), status, said))
            if "id" in step:
                here["steps"][step["id"]] = {"outputs": outputs}
            if status:
                ran.result = "failure"
        ran.outputs = {key: filled(value, here) for key, value in job.get("outputs", {}).items()}
        return ran

    def _installed(self, temp: Path) -> None:
        """As install.sh leaves it; that script has a test of its own."""
        scripts = temp / "reconciler" / "venv" / "bin"
        scripts.mkdir(parents=True)
        python = shlex.quote(sys.executable)
        start = shlex.quote(f"{STOP}from reconciler.cli import main; main()")
        for name, command in (("python", python), ("reconciler", f"{python} -I -c {start}")):
            (scripts / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            (scripts / name).chmod(0o755)
        (scripts.parent / "installed").write_text("version= digest= extras= constraints=\n")

    def _step(
        self,
        step: dict[str, Any],
        contexts: dict[str, Any],
        environ: dict[str, str],
        workspace: Path,
        key: str,
        shell: str | None,
    ) -> tuple[int, str, dict[str, str]]:
        given = {name: filled(value, contexts) for name, value in step.get("with", {}).items()}
        if "run" in step:
            extra = {name: filled(value, contexts) for name, value in step.get("env", {}).items()}
            return self._script(step["run"], {**environ, **extra}, workspace, key, step.get("shell", shell))
        uses = step["uses"].partition("@")[0]
        if uses == "actions/checkout":
            return self._checkout(given, contexts, workspace)
        if uses == "actions/setup-python":
            return 0, "", {"python-path": self.python}
        if uses == "actions/upload-artifact":
            return self._upload(given)
        assert step["uses"] == OWN_ACTION or ACTION_STEP.fullmatch(step["uses"]), step["uses"]
        return self.action(given, contexts, environ, workspace, key)

    def action(
        self, given: dict[str, str], contexts: dict[str, Any], environ: dict[str, str], workspace: Path, key: str
    ) -> tuple[int, str, dict[str, str]]:
        """The status, output and outputs of our action, whose own steps are run as they stand."""
        action = document(ACTION / "action.yml")
        assert given.keys() <= action["inputs"].keys()
        inputs = {name: given.get(name, part.get("default", "")) for name, part in action["inputs"].items()}
        here = {"inputs": inputs, "steps": {}, "runner": contexts["runner"], "github": contexts["github"]}
        environ = {**environ, "GITHUB_ACTION_PATH": str(ACTION)}
        said, status = "", 0
        for number, step in enumerate(action["runs"]["steps"]):
            status, text, outputs = self._step(step, here, environ, workspace, f"{key}.{number}", None)
            said += text
            if "id" in step:
                here["steps"][step["id"]] = {"outputs": outputs}
            if status:
                break
        return status, said, {name: filled(part["value"], here) for name, part in action["outputs"].items()}

    def _script(
        self, text: str, environ: dict[str, str], workspace: Path, key: str, shell: str | None
    ) -> tuple[int, str, dict[str, str]]:
        assert "${{" not in text, "an expression in a script"
        temp = Path(environ["RUNNER_TEMP"])
        script, output, summary = (temp / f"{key}.{what}" for what in ("sh", "output", "summary"))
        script.write_text(text)
        output.touch()
        environ = {**environ, "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
        self.seen.append(environ)
        # as the runner calls it, with and without `shell: bash`
        flags = ["--noprofile", "--norc", "-eo", "pipefail"] if shell == "bash" else ["-e"]
        done = subprocess.run(
            ["bash", *flags, str(script)], cwd=workspace, env={**clock_variables(), **environ}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
        )  # fmt: skip
        return done.returncode, done.stdout.decode(), read_outputs(output)

    def _checkout(
        self, given: dict[str, str], contexts: dict[str, Any], workspace: Path
    ) -> tuple[int, str, dict[str, str]]:
        assert given["persist-credentials"] == "false"
        self.git("clone", "--quiet", str(self.origin), str(workspace))
        at = given.get("ref") or contexts["github"]["sha"]
        self.git("-C", str(workspace), "checkout", "--quiet", *([] if given.get("ref") else ["--detach"]), at)
        return 0, "", {}

    def _upload(self, given: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        pattern = Path(given["path"])
        place = self.folder / "artifacts" / str(self.runs) / given["name"]
        base = pattern.parent if pattern.is_absolute() else self.workspace() / pattern.parent
        found = sorted(base.glob(pattern.name))
        if not found:
            return (1 if given["if-no-files-found"] == "error" else 0), "no files to upload\n", {}
        place.mkdir(parents=True)
        for file in found:
            shutil.copy(file, place)
        return 0, "", {}

    def workspace(self) -> Path:
        """The workspace of the job that runs, the newest one."""
        return max((self.folder / f"run{self.runs}").glob("*/workspace"), key=lambda path: path.stat().st_ctime_ns)

    def git(self, *args: str) -> str:
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        done = subprocess.run(["git", *args], cwd=self.origin, env=environ, check=True, capture_output=True, text=True)
        return done.stdout.strip()


def read_outputs(file: Path) -> dict[str, str]:
    """`name=value`, and `name<<end`, lines, `end`, as the runner reads them."""
    found: dict[str, str] = {}
    lines = iter(file.read_text().splitlines())
    for line in lines:
        if heredoc := re.fullmatch(r"([\w-]+)<<(.+)", line):
            body = []
            for inner in lines:
                if inner == heredoc[2]:
                    break
                body.append(inner)
            found[heredoc[1]] = "\n".join(body)
        else:
            name, equals, value = line.partition("=")
            assert equals, f"the runner would refuse this output: {line}"
            found[name] = value
    return found
