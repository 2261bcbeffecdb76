"""Files that are written: nothing through somebody's link, and what may hold addresses for its owner alone."""

from __future__ import annotations

import os
import stat

import pytest

from reconciler.cli import output_files
from reconciler.model.errors import UsageError

WORLD = "orgs: {acme: {members: {alice: owner}}}"
MANIFEST = "people: {carol: {email: carol@example.com}}\norgs: {acme: {members: {alice: owner, carol: member}}}"
WRITES = {
    "a saved plan": ("plan", "-o", "out"),
    "a report": ("plan", "--out", "out"),
    "a validation": ("validate", "--out", "out"),
    "access": ("access", "--out", "out"),
    "a patch": ("offboard", "carol", "--out", "out"),
    "a drift's report": ("drift", "--out", "out"),
}


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def here(bench):
    bench.pipes(WORLD)
    bench.manifest(MANIFEST)
    return bench


@pytest.fixture
def masked():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def run(bench, command):
    return bench.run(*command, *(bench.local if command[0] in ("plan", "drift") else ()))


@pytest.mark.parametrize("command", WRITES.values(), ids=WRITES)
def test_nothing_is_written_through_a_link(here, command):
    other = here.folder / "other"
    for target in (other, here.folder / "missing"):
        other.write_text("kept")
        (here.folder / "out").symlink_to(target)
        ran = run(here, command)
        assert ran.status == 1
        assert "out is a symbolic link; name the file itself" in ran.err
        assert other.read_text() == "kept"
        assert not (here.folder / "missing").exists()
        (here.folder / "out").unlink()


@pytest.mark.parametrize("command", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o277])
def test_what_may_hold_addresses_is_for_its_owner_alone(here, masked, command, umask):
    masked(umask)
    run(here, command)
    assert mode(here.folder / "out") == 0o600 & ~umask


@pytest.mark.parametrize(("umask", "wanted"), [(0o022, 0o644), (0o077, 0o600), (0o027, 0o640)])
def test_manifests_and_lock_file_are_as_the_umask_has_it(bench, masked, umask, wanted):
    bench.pipes(WORLD)
    masked(umask)
    assert bench.run("import", *bench.local, "acme").status == 0
    assert {mode(path) for path in (bench.folder / "orgs").iterdir()} == {wanted}


def test_an_import_makes_no_file_where_a_link_leads(bench):
    bench.pipes(WORLD)
    (bench.folder / "orgs").mkdir()
    (bench.folder / "orgs" / "acme.yaml").symlink_to(bench.folder / "elsewhere.yaml")
    assert bench.run("import", *bench.local, "acme").status == 1
    assert not (bench.folder / "elsewhere.yaml").exists()


def test_a_failing_write_leaves_the_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "report"
    path.write_text("kept")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        output_files.write_file(path, "new")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("report", "kept")]


@pytest.mark.parametrize(("place", "why"), [("nowhere/x", "No such file"), ("/dev/full", "No space left on device")])
@pytest.mark.parametrize("option", ["-o", "--out"])
def test_the_file_that_could_not_be_written_is_named(bench, option, place, why):
    bench.pipes(WORLD)
    assert bench.run("import", *bench.local, "acme").status == 0
    ran = bench.plan(option, place)
    assert ran.status == 1
    assert f"Error: {place}: {why}" in ran.err


def test_a_link_is_followed_where_the_file_behind_it_was_read(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(UsageError):
        output_files.write_file(tmp_path / "link", "new")
    output_files.write_file(tmp_path / "link", "new", follow=True)
    assert (tmp_path / "real").read_text() == "new"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("text", ["", None])
def test_the_journals_folder_stays_out_of_git_also_where_a_full_disk_left_the_list_empty(here, text):
    (here.folder / ".reconciler").mkdir()
    if text is not None:
        (here.folder / ".reconciler" / ".gitignore").write_text(text)
    assert here.apply().status == 0
    assert (here.folder / ".reconciler" / ".gitignore").read_text() == "*\n"
