"""Completion in real shells, with names from the manifests, and without a request."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from e2e.bench import PROGRAM

MANIFEST = """
teams: {platform: [alice, bob]}
people: {carol: {email: carol@example.com}}
orgs:
  acme: {members: {team/platform: owner, carol: member}, workspaces: {prod: {}, dev: {}}, connections: {aws: {plugin: aws}}}
  beta: {}
"""
LINES = [
    ("reconciler pl", {"plan"}),
    ("reconciler plan --org ", {"acme", "beta"}),
    ("reconciler access --person ca", {"carol"}),
    ("reconciler access --workspace acme/", {"acme/prod", "acme/dev"}),
    ("reconciler access --connection ", {"acme/aws"}),
    ("reconciler move alice --from ", {"platform"}),
    ("reconciler explain owner-", {"owner-floor", "owner-removal"}),
    ("reconciler plan --allow mass", {"mass-removal"}),
    ("reconciler history ca", {"carol"}),
    ("reconciler history --in acme/", {"acme/prod", "acme/dev"}),
    ("reconciler apply --confirm-delete be", {"beta"}),
    ("reconciler completion ", {"bash", "zsh", "fish"}),
    ("reconciler grant alice r", {"reader"}),
    ("reconciler explain polic", {"policy", "policies"}),
]
# an option with its value after a `=`, and a value that holds one
JOINED = [
    ("reconciler plan --org=a", {"acme"}),
    ("reconciler plan --allow=mass", {"mass-removal"}),
    ("reconciler plan --allow mass-removal=org.b", {"mass-removal=org.beta"}),
    ("reconciler plan --allow=mass-removal=org.b", {"mass-removal=org.beta"}),
    ("reconciler onboard a@b.example --like=c", {"carol"}),
]


def whole_words(line, expected):
    """What a shell puts in place of the last word, which it does not divide."""
    option, sign, _ = line.split(" ")[-1].partition("=")
    return {f"{option}={name}" for name in expected} if sign and option.startswith("--") else expected


@pytest.fixture
def folder(bare, monkeypatch):
    """A folder with manifests, and `reconciler` in the search path. Every request would fail: there is no token."""
    bare.manifest(MANIFEST)
    program = bare.folder / "bin" / "reconciler"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    return bare.folder


def shell(folder, name, script):
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    options = {"bash": ["--norc", "-c"], "zsh": ["-f", "-c"], "fish": ["--no-config", "-c"]}[name]
    done = subprocess.run(
        [name, *options, script], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == "", done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(("line", "expected"), LINES, ids=[line for line, _ in LINES])
def test_bash_completes(folder, line, expected):
    words = line.split(" ")
    script = (
        'eval "$(reconciler completion bash)"\n'
        f"COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}\n"
        "_reconciler_completion reconciler\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert shell(folder, "bash", script) == expected


@pytest.mark.parametrize(("line", "expected"), JOINED, ids=[line for line, _ in JOINED])
def test_bash_completes_words_that_it_divides(folder, line, expected):
    words = [word for word in re.split(r"(?<=[=@])|(?=[=@])| ", line) if word]
    cut = 0 if "=" not in line else line.rindex("=") + 1 - line.rindex(" ") - 1
    script = (
        'eval "$(reconciler completion bash)"\n'
        f"COMP_LINE='{line} more'; COMP_POINT={len(line)}\n"
        f"COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}\n"
        "_reconciler_completion reconciler\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert shell(folder, "bash", script) == {name[cut:] for name in whole_words(line, expected)}


@pytest.mark.parametrize(("line", "expected"), [*LINES[:4], *JOINED], ids=[line for line, _ in [*LINES[:4], *JOINED]])
def test_fish_completes(folder, line, expected):
    found = shell(folder, "fish", f"reconciler completion fish | source; complete -C '{line}' | string split -f1 \\t")
    assert found == whole_words(line, expected)


@pytest.mark.parametrize(("line", "expected"), [*LINES[1:4], *JOINED], ids=[line for line, _ in [*LINES[1:4], *JOINED]])
def test_zsh_completes(folder, line, expected):
    words = line.split(" ")
    script = (
        "autoload -Uz compinit; compinit -u -d ./dump\n"
        'eval "$(reconciler completion zsh)"\n'
        "compadd() { print -l -- ${(P)@[-1]}; }\n"
        f"words=({' '.join(repr(word) for word in words)}); CURRENT={len(words)}\n"
        "_reconciler_completion"
    )
    assert whole_words(line, expected) <= shell(folder, "zsh", script)


def test_manifests_with_a_mistake_complete_to_nothing_and_say_nothing(folder):
    (folder / "orgs.yaml").write_text("version: 1\norgs: [\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM[2]],
        cwd=folder,
        env={
            **os.environ,
            "_RECONCILER_COMPLETE": "bash_complete",
            "COMP_WORDS": "reconciler plan --org ",
            "COMP_CWORD": "3",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")
