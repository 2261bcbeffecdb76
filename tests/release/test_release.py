"""A release up to publishing: what is built from this checkout is complete, and works without it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import yaml

import reconciler
from release.conftest import ROOT, only, python


def test_both_are_as_the_index_wants_them(dist):
    files = sorted(str(path) for path in dist.iterdir())
    assert len(files) == 2
    python("-m", "twine", "check", "--strict", *files, cwd=dist)
    python("-m", "check_wheel_contents", only(dist, "*.whl"), cwd=dist)


def test_the_wheel_alone_works_and_says_its_version_and_commit(dist, tmp_path):
    python(
        "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", tmp_path / "site", only(dist, "*.whl"),
        cwd=tmp_path,
    )  # fmt: skip
    site = {"PYTHONPATH": str(tmp_path / "site")}
    assert (tmp_path / "site" / "reconciler" / "py.typed").exists()
    said = python("-P", "-m", "reconciler", "--version", cwd=tmp_path, **site)
    kept = ROOT / "reconciler" / "COMMIT"  # in an unpacked sdist
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    commit = (kept.read_text() if kept.exists() else head).strip()
    assert re.fullmatch(rf"reconciler \d+\.\d+\.\d+{re.escape(f' ({commit[:12]})') if commit else ''}\n", said)
    shutil.copy(ROOT / "docs" / "tour" / "orgs.yaml", tmp_path)
    assert "Valid" in python("-P", "-m", "reconciler", "validate", cwd=tmp_path, **site)


def test_the_sdist_has_what_its_own_tests_need_and_nothing_of_a_machine(dist):
    with tarfile.open(only(dist, "*.tar.gz")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    parts = ("reconciler", "schemas", "tests", "docs", "examples", "Makefile", ".ci", ".github")
    assert [path for path in tracked if path.startswith(parts) and path not in names] == []
    assert [
        name for name in names if re.search(r"(^|/)(\.venv|\.reconciler|__pycache__|\.hypothesis)(/|$)", name)
    ] == []


def test_only_what_was_tested_is_published_and_only_for_a_tag():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    assert set(jobs["publish"]["needs"]) == {"build", "test", "suite"}
    built = [
        name for name, job in jobs.items() if any("python -m build" in step.get("run", "") for step in job["steps"])
    ]
    assert built == ["build"]
    for name in ("publish", "image", "site"):
        assert "github.ref_type == 'tag'" in jobs[name]["if"]
        assert jobs[name]["environment"] == "release"
    assert [name for name, job in jobs.items() if "id-token" in job["permissions"]] == ["publish"]


def test_each_python_that_is_promised_is_tested_and_the_sdist_with_the_oldest_and_newest_dependencies():
    promised = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    ci, release = (
        yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())["jobs"]
        for name in ("ci.yml", "release.yml")
    )
    assert ci["test"]["strategy"]["matrix"]["python"] == promised
    assert release["test"]["strategy"]["matrix"]["python"] == promised
    assert release["suite"]["strategy"]["matrix"]["target"] == ["test", "test-lowest"]


def test_the_tag_has_to_be_the_version_and_its_notes_are_the_changelogs_section(tmp_path):
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())["jobs"]
    scripts = {step["name"]: step["run"] for job in jobs.values() for step in job["steps"] if "name" in step}
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"

    def run(script, tag):
        environ = {"PATH": path, "GITHUB_REF_NAME": tag, "GIT_DIR": str(tmp_path)}
        return subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=tmp_path, env=environ).returncode

    for name in ("reconciler", "CHANGELOG.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    check = scripts["Check that the tag is the version, and that the changelog has it"]
    notes = scripts["Release with the changelog's section"].partition("gh release create")[0]
    tag = f"v{reconciler.__version__}"
    assert [run(check, tag), run(notes, tag)] == [0, 0]
    assert "# Changelog" not in (tmp_path / "notes.md").read_text()
    assert "compatibility" in (tmp_path / "notes.md").read_text()
    assert run(check, "v9.9.9") != 0
    assert run(notes, "v9.9.9") != 0


def test_the_image_is_pinned_needs_no_shell_and_is_not_root():
    lines = [line for line in (ROOT / "Dockerfile").read_text().split("\n") if line and not line.startswith("#")]
    bases = [line for line in lines if line.startswith("FROM ")]
    assert [line for line in bases if not re.search(r"@sha256:[0-9a-f]{64}( AS \w+)?$", line)] == []
    last = lines[lines.index(bases[-1]) :]
    assert [line for line in last if line.startswith("USER ")] == ["USER 10001"]
    assert last[-1] == 'ENTRYPOINT ["/opt/reconciler/bin/reconciler"]'
