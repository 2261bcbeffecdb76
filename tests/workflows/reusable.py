"""The reusable workflows of .github/workflows and GitLab's component, written from the long copies in examples/.

A long copy is the source. Only the head differs, how it starts and where its settings come from, and the name of the action:
`$/` is the repository of the file that says it, at the commit that the caller named.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workflows.runner import ACTION_STEP, OWN_ACTION, ROOT, TEMPLATES

if TYPE_CHECKING:
    from pathlib import Path

# a reusable workflow: its inputs beyond `manifests`, and the secrets that its environments hold
ALLOW = "Safeguards to lift, such as mass-removal=org.acme; separated by spaces"
CONFIRM = "Handles of the organizations to delete; separated by spaces"
LOCK = ("lock-file", "The lock file, in the folder of the first manifest path", "reconciler.lock.json")
PARTS: dict[str, tuple[list[tuple[str, str, str]], list[str]]] = {
    "pull-request": ([], ["PIPES_READ_TOKEN"]),
    "apply": (
        [LOCK, ("allow", ALLOW, '""'), ("confirm-delete", CONFIRM, '""')],
        ["PIPES_READ_TOKEN", "PIPES_WRITE_TOKEN"],
    ),
    "drift": ([], ["PIPES_READ_TOKEN"]),
    "approvals": ([], []),
}


def path(name: str) -> Path:
    return ROOT / ".github" / "workflows" / f"{name}.yml"


def written(name: str) -> str:
    """The reusable workflow `name`, from its long copy."""
    source = (TEMPLATES / f"reconciler-{name}.yml").read_text(encoding="utf-8")
    _, permissions, body = source.partition("permissions: {}\n")
    before, env, jobs = re.split(r"^(env:\n(?:  .*\n)+)", body, maxsplit=1, flags=re.MULTILINE)
    settings = re.sub(r"^(  )([A-Z_]+):.*$", _from_input, env, flags=re.MULTILINE)
    return _head(name) + permissions + before + settings + ACTION_STEP.sub(OWN_ACTION, jobs)


def _from_input(line: re.Match[str]) -> str:
    return f"{line[1]}{line[2]}: ${{{{ inputs.{line[2].lower().replace('_', '-')} }}}}"


def _head(name: str) -> str:
    inputs, secrets = PARTS[name]
    lines = [
        f"# For a short workflow of yours: examples/github/short/reconciler-{name}.yml. What follows the inputs is written by",
        f"# `make accept` from examples/github/reconciler-{name}.yml, the copy for those who keep it themselves: edit that one.",
        f"name: reconciler {name.replace('-', ' ')}, reusable",
        "",
        "on:",
        "  workflow_call:",
        "    inputs:",
    ]
    manifests = ("manifests", "A manifest file or a folder; several, one a line", "orgs.yaml")
    for key, description, default in [manifests, *inputs]:
        lines += [f"      {key}:", f"        description: {description}", "        type: string"]
        lines += [f"        default: {default}"]
    if secrets:
        # GitHub takes the value from the job's environment, but only of a secret that is declared here and named by the caller
        lines += ["    secrets:  # in an environment of the caller's repository: docs/ci.md"]
        for secret in secrets:
            lines += [f"      {secret}:", "        required: false"]
    return "\n".join([*lines, "", ""])


COMPONENT = ROOT / "templates" / "reconciler.yml"
LONG = ROOT / "examples" / "gitlab-ci.yml"
GITLAB = {  # an input of the component: what it is, and what it replaces in the long copy
    "package": ("What pip installs, of a fixed version: git+https://SERVER/reconciler.git@COMMIT", "RECONCILER"),
    "manifests": ("A manifest file or a folder", "MANIFESTS"),
    "lock-file": ("The lock file, in the folder of the manifests", "LOCK_FILE"),
    "image": ("An image with Python 3.11 or newer, and git", "image"),
}


def component() -> str:
    """GitLab's component, from the long copy."""
    _, start, body = LONG.read_text(encoding="utf-8").partition("\n.reconciler:\n")
    lines = [
        "# A component for GitLab: docs/ci.md. What follows the inputs is written by `make accept` from examples/gitlab-ci.yml,",
        "# whose head says how to keep the tokens: edit that one.",
        "spec:",
        "  inputs:",
    ]
    for name, (description, key) in GITLAB.items():
        found = re.search(rf"^ +{key}: (\S+)", body, re.MULTILINE)
        assert found, key
        body = body[: found.start(1)] + f"$[[ inputs.{name} ]]" + body[found.end(1) :]
        lines += [f"    {name}:", f'      description: "{description}"']
        lines += [] if name == "package" else [f"      default: {found[1]}"]
    return "\n".join([*lines, "---"]) + start + body
