"""From nothing to the demo on the embedded Pipes, in the three ways of installing: the wheel, the image, the action.

No network: pip installs the wheel that was built here. Its dependencies count as installed already, but only those that the
wheel names, with theirs.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement

from release.conftest import ROOT, only
from workflows.runner import GitHub

NAME = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"]
DEMO = ["orgs.yaml", "pipes.yaml", "images", "not-a-secret.txt"]
COMMANDS = [  # of the demo's script
    shlex.split(line)[1:] for line in (ROOT / "examples" / "demo.sh").read_text().splitlines() if line[:4] == "run "
]


def needed(requirement, found):
    """Names of the installed distributions that a requirement needs, with their extras."""
    key = (requirement.name, *sorted(requirement.extras))
    if key not in found:
        found.add(key)
        for text in distribution(requirement.name).requires or []:
            inner = Requirement(text)
            if any(
                inner.marker is None or inner.marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)
            ):
                needed(inner, found)
    return {name for name, *_ in found}


@pytest.fixture(scope="module")
def offline(dist, tmp_path_factory):
    """A stand-in for an interpreter whose environments see the wheel's dependencies, and pip's settings for no network."""
    folder = tmp_path_factory.mktemp("offline")
    dependencies = folder / "dependencies"
    dependencies.mkdir()
    for name in needed(Requirement(f"{NAME}[sandbox,html]"), set()) - {NAME} | {"pip"}:
        held = distribution(name)
        for entry in {file.parts[0] for file in held.files or [] if file.parts[0] not in ("..", "__pycache__")}:
            link = dependencies / entry
            if not link.is_symlink():
                link.symlink_to(held.locate_file(entry))
    python = folder / "python"
    at = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    python.write_text(
        f"""#!/bin/sh
{shlex.quote(sys.executable)} "$@" --without-pip
for made; do :; done
echo {shlex.quote(str(dependencies))} >"$made/{at}/dependencies.pth"
"""
    )
    python.chmod(0o755)
    settings = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(dist),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_QUIET": "1",
    }
    return python, settings


@pytest.fixture
def demo(tmp_path):
    """A folder with the demo's files."""
    folder = tmp_path / "access"
    folder.mkdir()
    for name in DEMO:
        source = ROOT / "examples" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    return folder


def run(*command, cwd, **environ):
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env={"PATH": "/usr/bin:/bin", **environ}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def goes_through_the_demo(reconciler, folder):
    for command in COMMANDS:
        said = run(reconciler, *command, cwd=folder)
    assert "No changes. Pipes matches the manifests." in said


def test_the_wheel_in_an_environment_of_its_own_with_its_command_on_the_path(dist, offline, demo, tmp_path):
    python, settings = offline
    home = tmp_path / "venvs" / "reconciler"
    run(python, "-m", "venv", home, cwd=tmp_path)
    run(
        home / "bin" / "python",
        "-m",
        "pip",
        "install",
        f"{only(dist, '*.whl')}[sandbox,html]",
        cwd=tmp_path,
        **settings,
    )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "reconciler").symlink_to(home / "bin" / "reconciler")
    goes_through_the_demo(tmp_path / "bin" / "reconciler", demo)


def test_the_images_steps(dist, offline, demo, tmp_path):
    python, settings = offline
    root = tmp_path / "image"
    (root / "tmp").mkdir(parents=True)
    (root / "opt").mkdir()
    text = re.sub(r"\\\n", "", (ROOT / "Dockerfile").read_text())
    for line in text.splitlines():
        step, _, rest = line.partition(" ")
        if step == "COPY" and not rest.startswith("--from="):
            source, to = rest.split()
            assert source == "dist/*.whl"
            shutil.copy(only(dist, "*.whl"), root / to.strip("/"))
        elif step == "RUN" and not rest.startswith("apt-get"):  # git and a user; both are here
            inside = re.sub(r"(?<!\S)/(opt|tmp)/", f"{root}/\\1/", rest).replace("python -m venv", f"{python} -m venv")
            run("sh", "-euc", inside, cwd=root, **settings)
    before = sorted((root / "opt").rglob("*"))
    (entry,) = re.findall(r'^ENTRYPOINT \["(.+)"\]$', text, re.MULTILINE)
    environ = dict(re.findall(r"^ENV (\w+)=(.+)$", text, re.MULTILINE))
    for command in COMMANDS:
        said = run(f"{root}{entry}", *command, cwd=demo, **environ)
    assert "No changes. Pipes matches the manifests." in said
    assert sorted((root / "opt").rglob("*")) == before, "it writes nothing outside of /work"


def builder():
    """A program that can build an image here: its daemon answers."""
    for name in ("docker", "podman"):
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True).returncode == 0:
            return name
    return pytest.skip("no builder of images answers here; the steps alone are tried")


def test_the_image_where_it_can_be_built(dist, demo, tmp_path):
    name = builder()
    context = tmp_path / "context"
    (context / "dist").mkdir(parents=True)
    shutil.copy(only(dist, "*.whl"), context / "dist")
    shutil.copy(ROOT / "Dockerfile", context)
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    tag = "reconciler-suite"
    run(name, "build", "--tag", tag, ".", cwd=context, **environ)
    user = ["--user", f"{os.getuid()}:{os.getgid()}"]
    for command in COMMANDS:
        said = run(name, "run", "--rm", *user, "--volume", f"{demo}:/work", tag, *command, cwd=demo, **environ)
    assert "No changes. Pipes matches the manifests." in said


def test_the_action_installs_a_release_by_its_digest_and_works_in_a_folder(dist, offline, demo, tmp_path):
    python, settings = offline
    wheel = only(dist, "*.whl")
    github = GitHub(tmp_path, "sandbox")
    github.python = str(python)
    temp = tmp_path / "temp"
    temp.mkdir()
    environ = {
        "PATH": f"{github.bin}:/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "RUNNER_TEMP": str(temp),
        "GITHUB_ACTIONS": "true",
        **settings,
    }
    contexts = {"runner": {"temp": str(temp)}, "github": {}}

    def step(key, **given):
        given = {name.replace("_", "-"): value for name, value in given.items()}
        return github.action({"working-directory": "access", **given}, contexts, environ, tmp_path, key)

    release = {"version": wheel.name.split("-")[1], "digest": hashlib.sha256(wheel.read_bytes()).hexdigest()}
    for key, wrong in (
        ("a", {"digest": "0" * 64}),
        ("b", {"digest": ""}),
        ("c", {"version": ""}),
        ("d", {"version": "0.1.0 x"}),
    ):
        status, said, _ = step(key, command="validate", **{**release, **wrong})
        assert status == 1, said
        assert not list(temp.glob("reconciler/venv/bin/reconciler"))
    assert "do not match the hashes" in step("e", command="validate", **{**release, "digest": "0" * 64})[1].lower()

    release["extras"] = "sandbox"
    status, said, _ = step("f", command="validate", **release)
    assert status == 0, said
    run(temp / "reconciler" / "venv" / "bin" / "reconciler", *COMMANDS[0], cwd=demo)
    for key, command in enumerate(COMMANDS[1:]):
        word, *args = [one for one in command if one not in ("--host", "sandbox")]
        paths = [args.pop(0)] if args[0] == "plan.json" else []
        report = str(tmp_path / "report.md")
        status, said, outputs = step(
            str(key),
            command=word,
            args="\n".join(args),
            paths="\n".join(paths),
            host="sandbox",
            report=report,
            **release,
        )
        assert status == 0, said
    assert outputs["changes"] == "0"
    assert "No changes" in (tmp_path / "report.md").read_text()
