"""The lock file: read strictly, written whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from built import built
from reconciler.lockfile import file as lockfile
from reconciler.model.errors import ManifestError
from reconciler.model.live import LockEntry

LOCK = {
    "org.acme/member.carol": LockEntry("u_1", "carol-x1"),
    "org.acme": LockEntry("o_1"),
    "org.acme/workspace.prod/grant.carol": LockEntry("u_1"),
}
TEXT = """\
{
  "version": 1,
  "entries": {
    "org.acme": {"id": "o_1"},
    "org.acme/member.carol": {"id": "u_1", "handle": "carol-x1"},
    "org.acme/workspace.prod/grant.carol": {"id": "u_1"}
  }
}
"""


def test_it_is_sorted_with_one_entry_a_line(tmp_path):
    path = tmp_path / "reconciler.lock.json"
    lockfile.write(path, LOCK)
    assert path.read_text() == TEXT
    assert lockfile.read(path) == LOCK
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_holds_nothing(tmp_path):
    assert lockfile.read(tmp_path / "none.json") == {}


def test_no_entries_are_a_file_too(tmp_path):
    lockfile.write(tmp_path / "x.json", {})
    assert lockfile.read(tmp_path / "x.json") == {}


handles = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True)
orgs = handles.map("org.{}".format)
texts = st.text(min_size=1, max_size=10).filter(lambda text: not any(0xD800 <= ord(c) <= 0xDFFF for c in text))


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | texts, lambda v: st.lists(v) | st.dictionaries(texts, v)
)
more = st.dictionaries(texts.filter(lambda name: name not in ("id", "handle")), plain, max_size=2)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        orgs | st.builds("{}/member.{}".format, orgs, handles), built(LockEntry, texts, st.none() | texts, more)
    )
)
def test_what_is_written_is_read_again(tmp_path_factory, lock):
    path = tmp_path_factory.mktemp("lock") / "x.json"
    lockfile.write(path, lock)
    assert lockfile.read(path) == lock
    text = path.read_text()
    assert text.count("\n") == len(lock) + (5 if lock else 4)
    assert lockfile.salvage(path, text.encode()) == lockfile.Salvaged({a: (e,) for a, e in lock.items()}, ())


@pytest.mark.parametrize(
    ("text", "place", "fragment"),
    [
        pytest.param(
            TEXT.replace(
                '    "org.acme": {"id": "o_1"},\n',
                '<<<<<<< HEAD\n    "org.acme": {"id": "o_1"},\n=======\n>>>>>>> other\n',
            ),
            "4:1",
            "unresolved merge conflict",
            id="a merge conflict",
        ),
        pytest.param(
            TEXT.replace("org.acme/member.carol", "org.acme"),
            "5:5",
            "`org.acme` is written twice",
            id="an address twice",
        ),
        pytest.param(TEXT.replace("},", "}"), "5:5", "not JSON", id="a comma that is missing"),
        pytest.param("", "1:1", "not JSON", id="an empty file"),
        pytest.param("[]", "1:1", "a lock file is", id="a list"),
        pytest.param('{"entries": {}}', "1:1", "a lock file is", id="no version"),
        pytest.param(TEXT.replace(": 1,", ": 2,"), "2:3", "version 2, only 1", id="a version of the future"),
        pytest.param(TEXT.replace(": 1,", ": true,"), "2:3", "version true", id="a version that equals one"),
        pytest.param(
            TEXT.replace("org.acme/member.carol", "carol"), "5:5", "`carol` is not an address", id="no address"
        ),
        pytest.param(TEXT.replace('"o_1"', "1"), "4:5", "must be texts", id="an id that is a number"),
        pytest.param(TEXT.replace('"o_1"', '""'), "4:5", "must be texts", id="an empty id"),
        pytest.param(TEXT.replace('{"id": "o_1"}', "{}"), "4:5", "is not {id, handle}", id="no id"),
        pytest.param(TEXT.replace('"carol-x1"', "[]"), "5:5", "must be texts", id="a handle that is a list"),
        pytest.param("[" * 100_000, "1:1", "not JSON", id="brackets without end"),
        pytest.param('{"version": ' + "1" * 5000 + "}", "1:1", "not JSON", id="a number without end"),
    ],
)
def test_a_file_that_is_no_lock_file_is_an_error_with_its_place(tmp_path, monkeypatch, text, place, fragment):
    monkeypatch.chdir(tmp_path)
    Path("x.json").write_text(text)
    with pytest.raises(ManifestError) as caught:
        lockfile.read("x.json")
    (found,) = caught.value.diagnostics
    assert str(found.source) == f"x.json:{place}"
    assert fragment in found.summary


def test_all_wrong_entries_are_named(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(TEXT.replace('"u_1"', "null"))
    with pytest.raises(ManifestError) as caught:
        lockfile.read(path)
    assert [found.source.line for found in caught.value.diagnostics] == [5, 6]


@pytest.mark.parametrize("data", [b"\xff\xfe{\0}\0", b'{"version": 1, "entries": {}, "\xe9": 1}'])
def test_a_file_in_another_encoding_is_an_error(tmp_path, data):
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(ManifestError) as caught:
        lockfile.read(tmp_path / "x.json")
    assert [found.summary for found in caught.value.diagnostics] == ["the lock file is not UTF-8 text"]


def test_a_pipe_or_a_folder_is_an_error(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(ManifestError) as caught:
            lockfile.read(path)
        assert [found.summary for found in caught.value.diagnostics] == ["this is not a regular file"]


def test_a_link_stays_a_link_and_the_mode_stays(tmp_path):
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "lock.json"
    real.write_text("{}")
    real.chmod(0o640)
    link = tmp_path / "x.json"
    link.symlink_to(real)
    lockfile.write(link, LOCK)
    assert link.is_symlink()
    assert real.read_text() == TEXT
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_the_same_entries_leave_the_file_alone(tmp_path):
    path = tmp_path / "x.json"
    lockfile.write(path, LOCK)
    before = path.stat()
    lockfile.write(path, dict(reversed(LOCK.items())))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    lockfile.write(path, {})
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        lockfile.write(path, LOCK)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
