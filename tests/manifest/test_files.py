"""Which files are read: as given, folders searched, and nothing hangs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from reconciler.manifest import load, lock_path
from reconciler.model.errors import ManifestError
from stopped.sitecustomize import DAY as TODAY


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, text):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"version: 1\n{text}\n")


def org(handle):
    return f"orgs: {{{handle}: {{}}}}"


def problems(*paths):
    with pytest.raises(ManifestError) as caught:
        load(paths, today=TODAY)
    return [(str(found.source), found.summary) for found in caught.value.diagnostics]


def test_a_folder_is_read_in_sorted_order_without_hidden_and_other_files():
    for name in ("orgs/b.yaml", "orgs/a.yml", "orgs/deep/er/c.yaml"):
        write(name, org(Path(name).stem))
    for name in ("orgs/.hidden.yaml", "orgs/.git/x.yaml", "orgs/README.md", "orgs/x.yaml.bak"):
        write(name, "nonsense: true")
    found = load(["orgs"], today=TODAY)
    assert [str(node.source) for node in found.orgs.values()] == [
        "orgs/a.yml:2:8",
        "orgs/b.yaml:2:8",
        "orgs/deep/er/c.yaml:2:8",
    ]


def test_files_carry_their_names_as_given_and_their_digests():
    write("one/a.yaml", org("a"))
    write("b.yaml", org("b"))
    found = load(["./one/", "b.yaml", Path("b.yaml")], today=TODAY)
    assert found.files == tuple(
        (name, hashlib.sha256(Path(name).read_bytes()).hexdigest()) for name in ("b.yaml", "one/a.yaml")
    )
    absolute = Path("b.yaml").absolute().as_posix()
    assert [name for name, _ in load([absolute], today=TODAY).files] == [absolute]


def test_an_explicit_file_needs_no_particular_name():
    write("manifest.txt", org("a"))
    assert list(load(["manifest.txt"], today=TODAY).orgs) == ["a"]


def test_one_file_under_two_names_is_read_once():
    write("orgs/a.yaml", org("a"))
    Path("orgs/b.yaml").symlink_to("a.yaml")
    assert [name for name, _ in load(["orgs", "orgs/a.yaml"], today=TODAY).files] == ["orgs/a.yaml"]


def test_without_paths_the_file_comes_before_the_folder():
    write("orgs/a.yaml", org("a"))
    assert list(load([], today=TODAY).orgs) == ["a"]
    write("orgs.yaml", org("b"))
    assert list(load([], today=TODAY).orgs) == ["b"]


def test_without_paths_and_without_manifests_it_says_what_was_looked_for():
    with pytest.raises(ManifestError) as caught:
        load([], today=TODAY)
    (found,) = caught.value.diagnostics
    assert found.summary == "there are no manifests: the current folder has neither `orgs.yaml` nor `orgs/`"


def test_a_missing_path_is_named_and_the_others_are_still_checked():
    write("a.yaml", "rolle: 1")
    assert problems("none.yaml", "a.yaml", "no/folder/") == [
        ("none.yaml:1:1", "there is no such file or folder"),
        ("no/folder:1:1", "there is no such file or folder"),
        ("a.yaml:2:1", "unknown key `rolle` for the manifest"),
    ]


def test_an_empty_folder_is_an_error():
    Path("orgs").mkdir()
    write("orgs/.hidden.yaml", org("a"))
    assert problems("orgs") == [("orgs:1:1", "the folder holds no manifest")]


@pytest.mark.parametrize("explicit", [True, False])
def test_a_pipe_is_not_opened(explicit):
    Path("orgs").mkdir()
    os.mkfifo("orgs/a.yaml")
    assert problems("orgs/a.yaml" if explicit else "orgs") == [("orgs/a.yaml:1:1", "this is not a regular file")]


def test_a_device_is_not_read():
    assert problems("/dev/zero") == [("/dev/zero:1:1", "this is not a regular file")]


def test_a_folder_named_like_a_manifest_is_a_folder():
    write("orgs/a.yaml/b.yaml", org("b"))
    assert list(load(["orgs"], today=TODAY).orgs) == ["b"]


def test_a_link_to_a_folder_above_is_an_error():
    write("orgs/a.yaml", org("a"))
    Path("orgs/again").symlink_to("..")
    Path("orgs/self").symlink_to(".")
    assert problems("orgs") == [
        ("orgs/again/orgs:1:1", "this link leads back to a folder that holds it"),
        ("orgs/self:1:1", "this link leads back to a folder that holds it"),
    ]


def test_a_link_to_a_folder_elsewhere_is_followed_once():
    write("elsewhere/a.yaml", org("a"))
    Path("orgs").mkdir()
    Path("orgs/one").symlink_to("../elsewhere")
    Path("orgs/two").symlink_to("../elsewhere")
    assert [name for name, _ in load(["orgs"], today=TODAY).files] == ["orgs/one/a.yaml"]


def test_links_that_fan_out_end():
    for n in range(40):
        Path(f"d/{n}").mkdir(parents=True)
    for n in range(39):
        Path(f"d/{n}/x").symlink_to(f"../{n + 1}")
        Path(f"d/{n}/y").symlink_to(f"../{n + 1}")
    write("d/39/a.yaml", org("a"))
    assert list(load(["d/0"], today=TODAY).orgs) == ["a"]


def test_a_link_to_itself_and_a_link_to_nothing_are_errors():
    Path("orgs").mkdir()
    Path("orgs/a.yaml").symlink_to("a.yaml")
    Path("orgs/b.yaml").symlink_to("nothing.yaml")
    first, second = problems("orgs")
    assert first[0] == "orgs/a.yaml:1:1"
    assert first[1].startswith("this cannot be read: ")
    assert second == ("orgs/b.yaml:1:1", "there is no such file or folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_an_error():
    write("a.yaml", org("a"))
    Path("a.yaml").chmod(0)
    assert problems("a.yaml") == [("a.yaml:1:1", "this cannot be read: Permission denied")]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux")
def test_a_file_that_fails_while_it_is_read_is_an_error():
    ((place, summary),) = problems("/proc/self/mem")
    assert place == "/proc/self/mem:1:1"
    assert summary.startswith("this cannot be read: ")


def test_a_file_of_absurd_size_is_not_read():
    with Path("a.yaml").open("wb") as file:
        file.truncate(1 << 33)
    assert problems("a.yaml") == [("a.yaml:1:1", "the file has 8,589,934,592 bytes; at most 33,554,432 are allowed")]


def test_a_path_with_a_nul_is_an_error():
    ((place, _),) = problems("a\0b")
    assert place == r"a\x00b:1:1"


@pytest.mark.parametrize(
    ("files", "paths", "expected"),
    [
        pytest.param(["orgs.yaml"], [], "reconciler.lock.json", id="beside the default file"),
        pytest.param(["orgs/a.yaml"], [], "orgs/reconciler.lock.json", id="inside the default folder"),
        pytest.param([], [], "reconciler.lock.json", id="in the current folder where there is nothing"),
        pytest.param(["x/a.yaml"], ["x/a.yaml"], "x/reconciler.lock.json", id="beside a file"),
        pytest.param(["x/a.yaml"], ["x"], "x/reconciler.lock.json", id="inside a folder"),
        pytest.param(["x/a.yaml"], ["x/a.yaml", "y.yaml"], "x/reconciler.lock.json", id="by the first path"),
    ],
)
def test_the_lock_file_is_in_the_folder_of_the_first_path(files, paths, expected):
    for name in files:
        write(name, org("a"))
    assert lock_path(paths).as_posix() == expected
