"""What a revision holds is read as data, and is what a checkout of it would hold."""

import os
import stat
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from reconciler.history import revision
from reconciler.lockfile import file as lockfile
from reconciler.manifest import files
from reconciler.model.errors import ManifestError, UsageError
from reconciler.model.live import LockEntry
from review.repository import Repository

ACME = "version: 1\norgs: {acme: {}}\n"
BETA = "version: 1\norgs: {beta: {}}\n"


def texts(rev, *paths, **options):
    return {
        name: data.decode() for name, data in revision.texts(rev, [Path(path) for path in paths], **options).items()
    }


def facts(raised):
    return [f"{found.source and found.source.file}: {found.summary}" for found in raised.value.diagnostics]


def test_the_default_paths_are_those_of_every_command(repository):
    first = repository.commit({"orgs.yaml": ACME, "orgs/b.yaml": BETA})
    (repository.folder / "orgs.yaml").unlink()
    second = repository.commit()
    assert texts(first) == {"orgs.yaml": ACME}
    assert texts(second) == {"orgs/b.yaml": BETA}


def test_the_working_tree_plays_no_part(repository):
    repository.commit({"orgs.yaml": ACME})
    repository.put("orgs.yaml", BETA)
    repository.git("add", "orgs.yaml")
    assert texts("HEAD") == {"orgs.yaml": ACME}


def test_paths_are_relative_to_the_current_folder(repository, monkeypatch):
    repository.commit({"top.yaml": ACME, "sub/orgs/b.yaml": BETA, "sub/orgs/deep/c.yml": ACME, "sub/orgs/.d.yaml": "x"})
    monkeypatch.chdir(repository.folder / "sub")
    assert texts("HEAD") == {"orgs/b.yaml": BETA, "orgs/deep/c.yml": ACME}
    assert texts("HEAD", "../top.yaml") == {"../top.yaml": ACME}
    assert list(texts("HEAD", repository.folder / "top.yaml").values()) == [ACME]


def test_a_name_with_anything_in_it_is_read(repository):
    name = "orgs/a b\n:(glob)*\t\"'é.yaml"
    repository.commit({name: ACME})
    assert texts("HEAD") == {name: ACME}


@pytest.mark.parametrize("name", ["HEAD", "HEAD~1", "v1", "main@{0}", "main^0"])
def test_whatever_git_takes_for_a_commit_is_a_revision(repository, name):
    repository.commit({"orgs.yaml": ACME})
    repository.git("tag", "--annotate", "--message=x", "v1")
    repository.commit()
    assert texts(name) == {"orgs.yaml": ACME}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("nowhere", "`nowhere` is neither a revision of this repository nor a folder; if it exists elsewhere,"
                     " `git fetch` it; in CI, check out with `fetch-depth: 0`", id="unknown"),
        pytest.param("", "`` is neither a revision", id="empty"),
        pytest.param("HEAD..HEAD", "names no single revision; write BASE and HEAD as two words", id="a range"),
        pytest.param("topic", "did you mean `origin/topic`?", id="known to the remote"),
        pytest.param("--output=x", "looks like an option", id="an option"),
        pytest.param("-h", "looks like an option", id="a short option"),
        pytest.param("HEAD:orgs.yaml", "is neither a revision", id="a file"),
    ],
)  # fmt: skip
def test_what_is_no_revision_is_said_with_a_way_on(repository, name, words):
    repository.git("update-ref", "refs/remotes/origin/topic", repository.commit({"orgs.yaml": ACME}))
    with pytest.raises(UsageError) as raised:
        texts(name)
    assert words in str(raised.value)
    assert list(repository.folder.iterdir()) == [repository.folder / ".git", repository.folder / "orgs.yaml"]


def test_outside_of_a_repository_only_folders_can_be_compared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="`main` is not a folder, and the current folder is not in a git repository"):
        texts("main")
    (tmp_path / "main").mkdir()
    (tmp_path / "main/orgs.yaml").write_text(ACME)
    assert texts("main") == {"main/orgs.yaml": ACME}


def test_somebody_elses_repository_is_refused_with_the_way_on(repository, monkeypatch):
    repository.commit({"orgs.yaml": ACME})
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(UsageError, match=r"git config --global --add safe\.directory "):
        texts("HEAD")


def test_a_path_that_was_not_there_is_an_error_or_nothing_yet(repository):
    repository.commit({"README.md": "x"})
    with pytest.raises(ManifestError) as raised:
        texts("HEAD", "orgs", "README.md")
    assert facts(raised) == ["orgs: there is no such file or folder at HEAD"]
    with pytest.raises(ManifestError, match="1 problem"):
        texts("HEAD")
    assert texts("HEAD", "orgs", missing_ok=True) == {}
    assert texts("HEAD", missing_ok=True) == {}


def test_a_folder_without_manifests_is_an_error_or_nothing_yet(repository):
    repository.commit({"orgs/README.md": "x"})
    with pytest.raises(ManifestError) as raised:
        texts("HEAD")
    assert facts(raised) == ["orgs: the folder holds no manifest"]
    assert texts("HEAD", missing_ok=True) == {}


# --- folders ----------------------------------------------------------------------------------------------------------


def test_a_folder_is_read_by_the_same_rules(repository):
    repository.put("old/orgs.yaml", ACME)
    repository.put("new/b.yaml", BETA)
    repository.put("new/sub/c.yaml", ACME)
    assert texts("old") == {"old/orgs.yaml": ACME}
    assert texts("new") == {"new/b.yaml": BETA, "new/sub/c.yaml": ACME}
    assert texts("new", "sub") == {"new/sub/c.yaml": ACME}
    assert texts("new", "nowhere", missing_ok=True) == {}
    (repository.folder / "empty").mkdir()
    assert texts("empty", missing_ok=True) == {}
    with pytest.raises(ManifestError):
        texts("empty")


def test_a_name_of_both_a_revision_and_a_folder_is_the_revision_unless_it_shows_to_be_a_path(repository):
    repository.commit({"orgs.yaml": ACME})
    repository.put("main/orgs.yaml", BETA)
    assert texts("main") == {"orgs.yaml": ACME}
    for name in ("./main", "main/", repository.folder / "main"):
        assert list(texts(str(name)).values()) == [BETA]


# --- links ------------------------------------------------------------------------------------------------------------


def test_links_inside_the_tree_are_followed(repository):
    repository.put("shared/real.yaml", ACME)
    repository.link("orgs/a.yaml", "../shared/real.yaml")
    repository.link("orgs/b.yaml", "a.yaml")  # the same file again: read once
    repository.link("orgs/more", "../other")
    repository.put("other/c.yaml", BETA)
    repository.commit()
    assert texts("HEAD") == {"orgs/a.yaml": ACME, "orgs/more/c.yaml": BETA}


@pytest.mark.parametrize(
    ("target", "fact"),
    [
        pytest.param("/etc/hostname", "this leads out of the repository", id="absolute"),
        pytest.param("../../outside.yaml", "this leads out of the repository", id="above the top"),
        pytest.param("../orgs/../../x/../outside.yaml", "this leads out of the repository", id="above, and back"),
        pytest.param("evil.yaml", "this link leads to itself", id="itself"),
        pytest.param("nowhere.yaml", "this link leads nowhere", id="nothing"),
    ],
)
def test_a_link_out_of_the_tree_is_an_error_and_its_target_is_not_read(repository, target, fact):
    (repository.folder.parent / "outside.yaml").write_text(BETA)
    repository.put("orgs/a.yaml", ACME)
    repository.link("orgs/evil.yaml", target)
    repository.link("orgs/no-manifest", target)
    repository.commit()
    with pytest.raises(ManifestError) as raised:
        texts("HEAD")
    assert [found.startswith(f"orgs/evil.yaml: {fact}") for found in facts(raised)] == [True]
    with pytest.raises(ManifestError):
        texts("HEAD", "orgs/evil.yaml")


def test_a_path_outside_of_the_repository_is_an_error(repository):
    repository.commit({"orgs.yaml": ACME})
    (repository.folder.parent / "outside.yaml").write_text(BETA)
    for path in ("../outside.yaml", repository.folder.parent / "outside.yaml"):
        with pytest.raises(ManifestError) as raised:
            texts("HEAD", path)
        assert facts(raised)[0].startswith(f"{path}: this leads out of the repository")


def test_a_link_to_a_folder_above_is_an_error(repository):
    repository.put("orgs/a.yaml", ACME)
    repository.link("orgs/loop", "../orgs")
    repository.commit()
    with pytest.raises(ManifestError) as raised:
        texts("HEAD")
    assert facts(raised) == ["orgs/loop: this link leads back to a folder that holds it"]


def test_a_submodule_is_an_error_where_manifests_are_looked_for(repository):
    repository.put("orgs/a.yaml", ACME)
    head = repository.commit()
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{head},orgs/inner")
    repository.git("commit", "--quiet", "--message=x")
    with pytest.raises(ManifestError) as raised:
        texts("HEAD")
    assert facts(raised) == [
        "orgs/inner: this is a submodule; its manifests cannot be read at a revision of this repository"
    ]


def test_a_huge_file_is_an_error_and_the_next_one_is_read(repository, monkeypatch):
    repository.commit({"orgs/a.yaml": "#" * 100, "orgs/b.yaml": "#" * 301, "orgs/c.yaml": BETA})
    monkeypatch.setattr(files, "MAX_BYTES", 300)
    with pytest.raises(ManifestError) as raised:
        texts("HEAD")
    assert facts(raised) == ["orgs/b.yaml: the file has 301 bytes; at most 300 are allowed"]
    assert texts("HEAD", "orgs/c.yaml") == {"orgs/c.yaml": BETA}


# --- nothing of the reviewed tree is run ------------------------------------------------------------------------------


def test_no_hook_filter_textconv_attribute_monitor_or_alias_is_run(repository, tmp_path):
    touched = tmp_path / "touched"
    script = repository.put(".evil", f"#!/bin/sh\ntouch '{touched}'\ncat\n")
    script.chmod(0o755)
    command = str(script)
    repository.commit({
        "orgs.yaml": ACME,
        ".gitattributes": "* filter=evil diff=evil text ident export-subst\n",
        ".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = ext::{command}\n\tupdate = !{command}\n',
        ".gitconfig": f"[core]\n\tfsmonitor = {command}\n",
    })  # fmt: skip
    hooks = repository.folder / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "post-index-change", "fsmonitor-watchman", "reference-transaction"):
        (hooks / name).write_text(script.read_text())
        (hooks / name).chmod(0o755)
    for key in (
        "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "diff.evil.command",
        "core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "pager.cat-file", "gpg.program",
        "uploadpack.packObjectsHook", "core.alternateRefsCommand", "alias.cat-file", "alias.rev-parse",
    ):  # fmt: skip
        repository.git("config", key, command)
    before = {path: path.stat().st_mtime_ns for path in (repository.folder / ".git").rglob("*")}
    touched.unlink(missing_ok=True)
    assert texts("HEAD") == {"orgs.yaml": ACME}
    assert not touched.exists()
    assert {path: path.stat().st_mtime_ns for path in (repository.folder / ".git").rglob("*")} == before


def test_a_replaced_object_is_read_as_it_was_committed(repository):
    first = repository.commit({"orgs.yaml": ACME})
    second = repository.commit({"orgs.yaml": BETA})
    repository.git("replace", first, second)
    assert texts(first) == {"orgs.yaml": ACME}


def test_a_bare_repository_inside_the_tree_is_not_taken_for_the_repository(repository, monkeypatch):
    repository.commit({"orgs.yaml": ACME})
    inner = Repository(repository.folder.parent / "inner")
    inner.commit({"orgs.yaml": BETA})
    repository.git("clone", "--quiet", "--bare", str(inner.folder), "sub")
    monkeypatch.chdir(repository.folder / "sub")
    with pytest.raises(UsageError):
        texts("HEAD")


def test_what_a_partial_clone_lacks_is_an_error_and_not_a_connection(repository):
    repository.commit({"orgs.yaml": ACME})
    lacking = repository.git("rev-parse", "HEAD:orgs.yaml")
    path = repository.folder / ".git/objects" / lacking[:2] / lacking[2:]
    path.chmod(stat.S_IWUSR)
    path.unlink()
    repository.git("config", "remote.origin.url", f"ext::touch {repository.folder}/touched")
    repository.git("config", "remote.origin.promisor", "true")
    repository.git("config", "core.repositoryFormatVersion", "1")
    repository.git("config", "extensions.partialClone", "origin")
    repository.git("config", "protocol.ext.allow", "always")
    with pytest.raises(UsageError, match="the repository lacks a part of HEAD"):
        texts("HEAD")
    assert not (repository.folder / "touched").exists()


# --- the lock file ----------------------------------------------------------------------------------------------------


def test_the_lock_file_is_the_one_beside_the_manifests_of_that_revision(repository):
    lockfile.write(repository.folder / "reconciler.lock.json", {"org.acme": LockEntry("o_1")})
    (repository.folder / "orgs").mkdir()
    lockfile.write(repository.folder / "orgs/reconciler.lock.json", {"org.beta": LockEntry("o_2")})
    repository.commit({"orgs.yaml": ACME, "orgs/b.yaml": BETA})
    assert revision.lock("HEAD") == {"org.acme": LockEntry("o_1")}
    assert revision.lock("HEAD", [Path("orgs")]) == {"org.beta": LockEntry("o_2")}
    assert revision.lock("./orgs") == {"org.beta": LockEntry("o_2")}
    assert revision.lock("HEAD", [Path("nowhere/x.yaml")]) == {}
    broken = repository.commit({"reconciler.lock.json": "{"})
    with pytest.raises(ManifestError) as raised:
        revision.lock(broken)
    assert facts(raised)[0].startswith("reconciler.lock.json: the lock file is not JSON")


# --- the same as a checkout -------------------------------------------------------------------------------------------

names = st.sampled_from(("a.yaml", "b.yml", "c.txt", ".d.yaml", "e"))
folders = st.sampled_from(("", "sub/", "sub/deep/", ".hidden/", "other.yaml/"))


@hypothesis.settings(
    max_examples=15,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
@hypothesis.given(
    tree=st.dictionaries(st.builds("{}{}".format, folders, names), st.binary(max_size=8), min_size=1, max_size=6),
    links=st.dictionaries(names.map("l-{}".format), st.sampled_from(("a.yaml", "sub", "sub/deep/b.yml", "../orgs/sub")), max_size=2),
)  # fmt: skip
def test_a_revision_holds_what_a_checkout_of_it_holds(tmp_path_factory, tree, links):
    repository = Repository(tmp_path_factory.mktemp("r"))
    for name, data in tree.items():
        repository.put(f"orgs/{name}", data)
    for name, target in links.items():
        repository.link(f"orgs/{name}", target)
    repository.commit()
    here = Path.cwd()
    os.chdir(repository.folder)
    try:
        wanted, problems = files.read_all(["orgs"])
        try:
            found, errors = revision.texts("HEAD", [Path("orgs")]), []
        except ManifestError as error:
            found, errors = wanted, [problem.source for problem in error.diagnostics]
    finally:
        os.chdir(here)
    # two links to the same nothing are two problems here, and one there
    assert list(found.items()) == list(wanted.items())
    assert ({problem.source for problem in problems} <= set(errors), bool(errors)) == (True, bool(problems))
